import { setTimeout as pause } from "node:timers/promises";
import { syncStore } from "../../../supabase/functions/_shared/db/syncStore.ts";
import { createLogger } from "../../../supabase/functions/_shared/log/logger.ts";
import { type Ending, runSlice, type SliceDeps } from "../../../supabase/functions/_shared/sync/slice.ts";
import type { SyncStore } from "../../../supabase/functions/_shared/sync/store.ts";
import type { Bed } from "./bed.ts";
import { type Blow, type EarlierPages, fateOf } from "./fate.ts";
import type { Meddler } from "./meddling.ts";

export interface WorkerOptions {
  bed: Bed;
  config: string;
  random: () => number;
  /** Small, so that a few records are many pages. */
  limits: SliceDeps["limits"];
  meddle: Meddler;
  earlier: EarlierPages;
  /** Takes down what must never happen on the way. */
  accuse: (fault: string) => void;
}

/** Longer than any lease. */
const FROZEN_MS = 60_000;

/** One slice in this process, as the crm-sync function runs it. */
export async function work(options: WorkerOptions, operation: string, blow: Blow | null): Promise<Ending | "killed"> {
  const { bed, random, limits, earlier } = options;
  let frozenMs = 0;
  let rival: Promise<unknown> | null = null;
  let stirs = 0;
  const freeze = async () => {
    stirs += 1;
    frozenMs = FROZEN_MS;
    await endLease(bed, operation);
    rival = work({ ...options, accuse: () => {} }, operation, null);
    await pause(random() * 20);
  };
  // A page is read while the one before it is merged, so people may be at it during a merge.
  const meddle: Meddler = async (what, inHand) => {
    stirs += 1;
    await options.meddle(what, inHand);
    stirs += 1;
  };
  const fate = fateOf({ blow, freeze, meddle, earlier });
  const store = watched(options, () => stirs);
  const deps: SliceDeps = {
    store: fate.suffered(store),
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

/** What a merge brings from a CRM is news to the others, never to that CRM, but for edits of ours that waited until the CRM took a record out
 * of its bin. Told only where nobody else was at work: `stirs`. */
function watched({ bed, config, accuse }: WorkerOptions, stirs: () => number): SyncStore {
  const store = syncStore(bed.db);
  const latest = async (gone: string[]) => {
    const [row] = await bed.sql<{ version: string | null }[]>`
      select max(version)::text as version from private.crm_outbox where config_id = ${config} and record_id <> all (${gone}::uuid[])`;
    return row?.version ?? null;
  };
  return {
    ...store,
    async mergePage(run, page) {
      const stirred = stirs();
      const gone = await bed.sql<{ id: string }[]>`
        select record_id as id from private.crm_record_links where config_id = ${config} and crm_deleted_at is not null`;
      const ids = gone.map((link) => link.id);
      const before = await latest(ids);
      const counts = await store.mergePage(run, page);
      const after = await latest(ids);
      if (after !== null && after !== before && stirs() === stirred && stirred % 2 === 0)
        accuse(`The merge of ${page.entity} put records into the outbox of the connection that they came from.`);
      return counts;
    },
  };
}
