import { fetchByName, mergeByName } from "../byName.ts";
import type { Slice } from "../slice.ts";
import type { OutboundItem, OutboundResult } from "../store.ts";
import type { Outbound } from "./outbound.ts";
import { rejectedHere } from "./results.ts";

export interface Look {
  /** What is still to be written. */
  items: OutboundItem[];
  /** Records that cannot be read as they are now: nobody could say what a write would undo. */
  refused: OutboundResult[];
  /** The pipeline a deal is in, by the CRM's id. */
  pipelines: ReadonlyMap<string, string>;
}

/**
 * Somebody may have edited the same records in the CRM since they were read. They are fetched and merged, which settles field
 * by field who wins, and what is left of ours is taken again. The moment between this look and the write stays open: neither
 * CRM writes batches on a condition.
 */
export async function verified(slice: Slice, outbound: Outbound, items: readonly OutboundItem[]): Promise<Look> {
  const { deps, run } = slice;
  const doubtful = items.filter((item) => item.verify && item.crm_id !== null);
  if (doubtful.length === 0)
    return withPipelines(slice, outbound, { items: [...items], refused: [], known: new Map() });
  const ids = doubtful.map(({ crm_id }) => crm_id ?? "");
  const { found, rejected } = await mergeByName(slice, outbound.inbound, ids);
  const unreadable = doubtful.filter(({ crm_id }) => rejected.has(crm_id ?? ""));
  const refused = unreadable.flatMap((item) => {
    const why = rejected.get(item.crm_id ?? "");
    return why === undefined ? [] : [rejectedHere(item, why)];
  });
  const again = doubtful.filter((item) => !unreadable.includes(item)).map(({ key }) => key);
  const current = again.length === 0 ? [] : await deps.store.takeOutbound(run, outbound.entity, again.length, again);
  const certain = items.filter((item) => !doubtful.includes(item));
  const known = new Map([...found].flatMap(([id, { stage }]) => (stage ? [[id, stage.pipeline] as const] : [])));
  return withPipelines(slice, outbound, { items: [...certain, ...current], refused, known });
}

/** A deal stays in its pipeline when its stage changes, so where there are several its pipeline must be known. */
async function withPipelines(
  slice: Slice,
  outbound: Outbound,
  look: Omit<Look, "pipelines"> & { known: Map<string, string> },
): Promise<Look> {
  const { items, refused, known } = look;
  const unknown = items.flatMap(({ action, crm_id, values }) =>
    action === "update" && crm_id !== null && "stage_key" in values && !known.has(crm_id) ? [crm_id] : [],
  );
  if (outbound.plan.severalPipelines && unknown.length > 0) {
    for (const [id, { stage }] of await fetchByName(slice, outbound.inbound, unknown))
      if (stage) known.set(id, stage.pipeline);
  }
  return { items, refused, pipelines: known };
}
