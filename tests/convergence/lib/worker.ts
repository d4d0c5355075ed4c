import { setTimeout as pause } from "node:timers/promises";
import type { CrmProvider, EntityType, ReadPage } from "../../../supabase/functions/_shared/crm/contract.ts";
import { syncStore } from "../../../supabase/functions/_shared/db/syncStore.ts";
import { createLogger } from "../../../supabase/functions/_shared/log/logger.ts";
import { type Ending, runSlice, type SliceDeps } from "../../../supabase/functions/_shared/sync/slice.ts";
import type { Bed } from "./bed.ts";

/** The worker was killed: nothing it does afterwards counts, not even tidying up. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/**
 * What befalls a worker, at the border of its n-th step. `before`: the step was not taken yet; `after`: it was, and the
 * worker never heard of it, or hears of it too late. A frozen worker thaws while another one has the run. `hears_it_again`: from
 * then on, every page brings the records of the one before as well.
 */
export interface Blow {
  step: number;
  what: "dies_before" | "dies_after" | "freezes_before" | "freezes_after" | "hears_it_again";
}

export interface WorkerOptions {
  bed: Bed;
  random: () => number;
  /** Small, so that a few records are many pages. */
  limits: SliceDeps["limits"];
}

/** Longer than any lease. */
const FROZEN_MS = 60_000;

/** One slice in this process, as the crm-sync function runs it. */
export async function work(options: WorkerOptions, operation: string, blow: Blow | null): Promise<Ending | "killed"> {
  const { bed, random, limits } = options;
  let frozenMs = 0;
  let rival: Promise<unknown> = Promise.resolve();
  const freeze = async () => {
    frozenMs = FROZEN_MS;
    await endLease(bed, operation);
    rival = work(options, operation, null);
    await pause(random() * 20);
  };
  const fate = fateOf(blow, freeze);
  const deps: SliceDeps = {
    store: fate.suffered(syncStore(bed.db)),
    provider: (id) => fate.suffered(fate.misheard(bed.providers[id])),
    now: () => new Date(Date.now() + frozenMs),
    // Waiting is skipped: what a pause is good for has its own tests.
    sleep: () => new Promise((resolve) => setTimeout(resolve, 1)),
    random,
    every: () => () => {},
    log: createLogger({ write: () => {}, now: () => new Date() }),
    limits,
  };
  try {
    return await runSlice(deps, { operation, holder: "convergence" });
  } catch (error) {
    if (fate.dead()) return "killed";
    throw error;
  } finally {
    await rival;
  }
}

/** The lease of a worker that died or froze is out, as it would be a while later. */
export async function endLease({ sql }: Bed, operation: string): Promise<void> {
  await sql`
    update private.crm_operation_state set lease_expires_at = now() - interval '1 second', crashes = 0, resume_at = null
     where operation_id = ${operation} and lease_expires_at is not null`;
}

interface Fate {
  /** Makes the asynchronous methods of an object the steps of one worker's life. */
  suffered<T extends object>(target: T): T;
  misheard(crm: CrmProvider): CrmProvider;
  dead(): boolean;
}

/** Answer at once, so they are no steps. */
const AT_ONCE: ReadonlySet<PropertyKey> = new Set(["tokens", "calls", "authorizeUrl"]);

function fateOf(blow: Blow | null, freeze: () => Promise<void>): Fate {
  let steps = 0;
  let dead = false;
  const step = async <T>(run: () => Promise<T>): Promise<T> => {
    if (dead) throw new Killed();
    steps += 1;
    const what = steps === blow?.step ? blow.what : null;
    if (what === "freezes_before") await freeze();
    if (what === "dies_before") dead = true;
    if (dead) throw new Killed();
    const result = await run();
    if (what === "freezes_after") await freeze();
    if (what === "dies_after") dead = true;
    if (dead) throw new Killed();
    return result;
  };
  const suffered = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, key) {
        const value = Reflect.get(object, key) as unknown;
        if (typeof value !== "function" || AT_ONCE.has(key)) return value;
        return (...args: unknown[]) =>
          step(() => (value as (...given: unknown[]) => Promise<unknown>).apply(object, args));
      },
    });
  const misheard = (crm: CrmProvider): CrmProvider => {
    if (blow?.what !== "hears_it_again") return crm;
    const before = new Map<EntityType, ReadPage["records"]>();
    const readPage: CrmProvider["readPage"] = async (session, request) => {
      const page = await crm.readPage(session, request);
      const again = before.get(request.entity) ?? page.records;
      before.set(request.entity, page.records);
      return steps < blow.step ? page : { ...page, records: [...again, ...page.records] };
    };
    return { ...crm, readPage };
  };
  return { suffered, misheard, dead: () => dead };
}
