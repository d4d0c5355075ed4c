import { keepPlace } from "../budget.ts";
import type { Place } from "../checkpoint.ts";
import type { EntityEnd } from "../phases.ts";
import { waiting } from "../prepare.ts";
import { onceMore } from "../retry.ts";
import type { Slice } from "../slice.ts";
import type { OutboundResult } from "../store.ts";
import { inBatches, type PushBatch } from "./batches.ts";
import { type Outbound, outboundOf } from "./outbound.ts";
import { addedCounts, isProgress } from "./results.ts";
import { send } from "./send.ts";
import { verified } from "./verify.ts";

/**
 * Takes what is due, looks at the records it is about to change, writes, settles, until nothing is due.
 *
 * Cut anywhere, it may be done again: what is not settled is taken again. An update or a deletion then writes what is there
 * already. A create has its intent on record before the CRM is called, and comes back as a look-up.
 */
export async function pushEntity(slice: Slice, { entity }: Place): Promise<EntityEnd> {
  const { deps, run, checkpoint } = slice;
  if ((await deps.store.beginPush(run, entity)) === 0) return "done";
  if (checkpoint?.phase !== "push" || checkpoint.entity !== entity) await keepPlace(slice, "push", entity, "none");
  slice.gate.purpose = "push";
  const outbound = await outboundOf(slice, entity);
  return inBatches(slice, entity, batchPusher(slice, outbound));
}

function batchPusher(slice: Slice, outbound: Outbound): PushBatch {
  const settle = (results: readonly OutboundResult[]) => settleResults(slice, outbound, results);
  return async (items, isLost) => {
    const look = await verified(slice, outbound, items);
    await settle(look.refused);
    if (!isLost()) await send(slice, { ...outbound, pipelines: look.pipelines, settle }, look.items);
  };
}

/** After each call to the CRM, so that a cut costs the knowledge of one call at most. */
async function settleResults(slice: Slice, { entity }: Outbound, results: readonly OutboundResult[]): Promise<void> {
  if (results.length === 0) return;
  const { store } = slice.deps;
  const counts = await onceMore(waiting(slice), () => store.settleOutbound(slice.run, entity, results));
  slice.sent = addedCounts(slice.sent, counts);
  if (results.some(isProgress)) await keepPlace(slice, "push", entity, "made");
}
