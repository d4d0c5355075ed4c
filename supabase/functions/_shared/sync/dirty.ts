import { keepPlace, spent } from "./budget.ts";
import { mergeByName } from "./byName.ts";
import type { Place } from "./checkpoint.ts";
import type { EntityEnd } from "./phases.ts";
import { planFor } from "./plan.ts";
import type { Slice } from "./slice.ts";

/**
 * Fetches the records that somebody named (a webhook, a retry, a create that met a record which was there) and merges them.
 * Settled after the merge: a crash between the two costs a second look, never a missed one.
 */
export async function mergeNamed(slice: Slice, { entity }: Place): Promise<EntityEnd> {
  const { deps, run, crm } = slice;
  const plan = await planFor(slice, entity);
  slice.gate.purpose = "incremental";
  const limit = Math.min(crm.batch.fetch, deps.limits.mergeRecords);
  for (;;) {
    if (spent(slice)) return "out_of_budget";
    const due = await deps.store.dueDirty(run, entity, limit);
    if (due.length === 0) return "done";
    await mergeByName(
      slice,
      plan,
      due.map((one) => one.crm_id),
    );
    await deps.store.settleDirty(run, entity, due);
    await keepPlace(slice, "dirty", entity, "made");
  }
}
