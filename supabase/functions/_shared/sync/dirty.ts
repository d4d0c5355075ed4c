import { keepPlace, spent } from "./budget.ts";
import { mergeByName } from "./byName.ts";
import type { Place } from "./checkpoint.ts";
import type { EntityEnd } from "./phases.ts";
import { planFor } from "./plan.ts";
import { leaveOut } from "./prepare.ts";
import type { Slice } from "./slice.ts";
import { wantedBy } from "./wanted.ts";

/**
 * Fetches the records that somebody named (a webhook, a retry, a create that met a record which was there) and merges them.
 * Settled after the merge: a crash between the two costs a second look, never a missed one. A filter that cannot be followed
 * stops none that are linked.
 */
export async function mergeNamed(slice: Slice, { entity }: Place): Promise<EntityEnd> {
  const { deps, run, crm } = slice;
  const plan = await planFor(slice, entity);
  slice.gate.purpose = "incremental";
  const wanted = wantedBy(slice, entity);
  const limit = Math.min(crm.batch.fetch, deps.limits.mergeRecords);
  for (let isFirst = true; ; isFirst = false) {
    if (spent(slice)) return "out_of_budget";
    const due = await deps.store.dueDirty(run, entity, limit);
    if (due.length === 0) return "done";
    if (isFirst && wanted.refusal !== undefined) await leaveOut(slice, entity, wanted.refusal);
    const ids = due.map((one) => one.crm_id);
    await mergeByName(slice, plan, ids, wanted);
    await deps.store.settleDirty(run, entity, due);
    await keepPlace(slice, "dirty", entity, "made");
  }
}
