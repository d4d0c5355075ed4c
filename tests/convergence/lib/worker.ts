import { createProvider } from "../../../supabase/functions/_shared/crm/registry.ts";
import type { CrmProvider, ProviderId } from "../../../supabase/functions/_shared/crm/contract.ts";
import { syncStore } from "../../../supabase/functions/_shared/db/syncStore.ts";
import type { Db } from "../../../supabase/functions/_shared/db/types.ts";
import { createLogger } from "../../../supabase/functions/_shared/log/logger.ts";
import { type Ending, runSlice, type SliceDeps } from "../../../supabase/functions/_shared/sync/slice.ts";

/** The worker was killed: nothing it does afterwards counts, not even tidying up. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/**
 * Where a worker dies: at the border of its n-th step. `before`: the step was never taken; `after`: it was, and the worker
 * never heard of it.
 */
export interface Death {
  step: number;
  when: "before" | "after";
}

export interface WorkerOptions {
  db: Db;
  env: Readonly<Record<string, string>>;
  random: () => number;
  /** Small, so that a few records are many pages. */
  limits: SliceDeps["limits"];
}

/** One slice in this process, as the crm-sync function runs it. */
export async function work(options: WorkerOptions, operation: string, death: Death | null): Promise<Ending | "killed"> {
  const { db, env, random, limits } = options;
  const mortal = mortality(death);
  const deps: SliceDeps = {
    store: mortal(syncStore(db)),
    provider: (id: ProviderId): CrmProvider => {
      const provider = createProvider(id, { fetch, env, now: () => new Date(), sleep: () => Promise.resolve() });
      return mortal(provider);
    },
    now: () => new Date(),
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
    if (mortal.dead()) return "killed";
    throw error;
  }
}

interface Mortality {
  <T extends object>(target: T): T;
  dead(): boolean;
}

/** Answer at once, so they are no steps. */
const AT_ONCE: ReadonlySet<PropertyKey> = new Set(["tokens", "calls", "authorizeUrl"]);

/** Wraps objects so that their asynchronous methods are the steps of one worker's life. */
function mortality(death: Death | null): Mortality {
  let steps = 0;
  let dead = false;
  const step = async <T>(run: () => Promise<T>): Promise<T> => {
    if (dead) throw new Killed();
    steps += 1;
    const last = death !== null && steps === death.step;
    if (last && death.when === "before") {
      dead = true;
      throw new Killed();
    }
    const result = await run();
    if (last || dead) {
      dead = true;
      throw new Killed();
    }
    return result;
  };
  const wrap = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, key) {
        const value = Reflect.get(object, key) as unknown;
        if (typeof value !== "function" || AT_ONCE.has(key)) return value;
        return (...args: unknown[]) =>
          step(() => (value as (...given: unknown[]) => Promise<unknown>).apply(object, args));
      },
    });
  return Object.assign(wrap, { dead: () => dead });
}
