import type { CrmProvider } from "../crm/contract.ts";
import { keepPlace, spent } from "./budget.ts";
import type { Place } from "./checkpoint.ts";
import type { EntityEnd } from "./phases.ts";
import type { Slice, SliceDeps } from "./slice.ts";
import type { SyncStore } from "./store.ts";

/** Records of ours that are looked at in one transaction. */
const RECORDS_AT_ONCE = 2_000;

/**
 * A slice that plans: it reads the CRM as any other, each page goes to the database to be merged and taken back, and whatever
 * would write, here or there, is out of its reach.
 */
export function dryRun(deps: SliceDeps): SliceDeps {
  return { ...deps, store: planning(deps.store), provider: (id) => readOnly(deps.provider(id)) };
}

function planning(store: SyncStore): SyncStore {
  return {
    ...store,
    mergePage: store.plan.page,
    upsertOwners: async () => {},
    dueDirty: writes("fetch by name"),
    settleDirty: writes("settle what was fetched"),
    beginPush: writes("begin to push"),
    takeOutbound: writes("take what is to be pushed"),
    isUnchanged: writes("look at what is to be pushed"),
    settleOutbound: writes("settle what was pushed"),
  };
}

function readOnly(crm: CrmProvider): CrmProvider {
  return {
    ...crm,
    createRecords: writes("create records"),
    updateRecords: writes("change records"),
    deleteRecords: writes("delete records"),
  };
}

/** A fault of ours, never the CRM's: nothing of a plan leads here. */
function writes(what: string): () => Promise<never> {
  return () => Promise.reject(new Error(`A plan does not ${what}.`));
}

/** What would be pushed, worked out in the database from place to place: it knows how far it has come. */
export async function planPush(slice: Slice, { entity }: Place): Promise<EntityEnd> {
  const { deps, run, checkpoint } = slice;
  if (checkpoint?.phase !== "push" || checkpoint.entity !== entity) await keepPlace(slice, "push", entity, "made");
  for (;;) {
    if (spent(slice)) return "out_of_budget";
    const more = await deps.store.plan.push(run, entity, RECORDS_AT_ONCE);
    if (!more) return "done";
    slice.recordsRead += RECORDS_AT_ONCE;
    await keepPlace(slice, "push", entity, "made");
  }
}
