import type { FetchRequest } from "../../crm/contract.ts";
import { fetchByName, mergeNamedPage, type Named, readByName } from "../byName.ts";
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

const NONE: { items: OutboundItem[] } = { items: [] };

/**
 * Somebody may have edited the same records in the CRM since they were read. They are fetched, and where the CRM shows something
 * new, merged, which settles field by field who wins; what is left of ours is taken again. The moment between this look and
 * the write stays open: neither CRM writes batches on a condition.
 */
export async function verified(slice: Slice, outbound: Outbound, items: readonly OutboundItem[]): Promise<Look> {
  const doubtful = items.filter((item) => item.verify && item.crm_id !== null);
  if (doubtful.length === 0)
    return withPipelines(slice, outbound, { items: [...items], refused: [], known: new Map() });
  const seen = await lookedAt(slice, outbound, doubtful);
  const known = new Map([...seen.found].flatMap(([id, { stage }]) => (stage ? [[id, stage.pipeline] as const] : [])));
  const certain = items.filter((item) => !doubtful.includes(item));
  return withPipelines(slice, outbound, { items: [...certain, ...seen.items], refused: seen.refused, known });
}

async function lookedAt(
  slice: Slice,
  { entity, inbound }: Outbound,
  doubtful: readonly OutboundItem[],
): Promise<Pick<Named, "found"> & Pick<Look, "items" | "refused">> {
  const { store } = slice.deps;
  const ids = doubtful.map(({ crm_id }) => crm_id ?? "");
  const { found, rejected, page } = await readByName(slice, inbound, ids, { relations: relationsFor(doubtful) });
  if (rejected.size === 0 && (await store.isUnchanged(slice.run, entity, page.records)))
    return { found, items: [...doubtful], refused: [] };
  await mergeNamedPage(slice, page);
  const refused = doubtful.flatMap((item) => {
    const why = rejected.get(item.crm_id ?? "");
    return why === undefined ? [] : [rejectedHere(item, why)];
  });
  const records = doubtful.filter(({ crm_id }) => !rejected.has(crm_id ?? "")).map(({ key }) => key);
  const { items } =
    records.length === 0 ? NONE : await store.takeOutbound(slice.run, entity, records.length, { records });
  return { found, items, refused };
}

/** Reading them may take a call of its own: only where ours are to be written does it matter what they are. */
function relationsFor(items: readonly OutboundItem[]): FetchRequest["relations"] {
  return items.every(({ relations }) => Object.keys(relations).length === 0) ? "as they come" : undefined;
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
