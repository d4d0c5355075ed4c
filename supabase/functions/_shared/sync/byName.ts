import type { CrmRecord, FetchRequest } from "../crm/contract.ts";
import type { MappingPlan, MergeRecord, Rejection } from "./mapping/plan.ts";
import { added, mergeBatch } from "./mergeBatch.ts";
import { mapAll } from "./plan.ts";
import { waiting } from "./prepare.ts";
import { patiently } from "./retry.ts";
import type { Slice } from "./slice.ts";
import type { Page } from "./store.ts";
import { EVERYTHING, type Wanted } from "./wanted.ts";

export interface Named {
  /** By id, as the CRM has them now. */
  found: Map<string, CrmRecord>;
  /** Records that do not fit here, by id. */
  rejected: Map<string, Rejection>;
  page: Page;
}

/** Fetches records by id and merges them, wherever the run's reader is. */
export async function mergeByName(
  slice: Slice,
  plan: MappingPlan,
  ids: readonly string[],
  wanted: Wanted,
): Promise<void> {
  const { page } = await readByName(slice, plan, ids, { wanted });
  await mergeNamedPage(slice, page);
}

export interface HowToRead extends Pick<FetchRequest, "relations"> {
  wanted?: Wanted;
}

/**
 * Fetches records by id, as a page to be merged.
 *
 * An id that the CRM does not know (any more) counts as deleted there: purged from its bin, or no longer shown to the user who
 * connected. We cannot tell which, so it gets no more than any deletion does: the link is marked, and our record goes only
 * where the connection says so. Of a record that was never linked the merge knows nothing and does nothing; one that is
 * seen again is alive again. When that was nobody knows, so it has no time of its own.
 */
export async function readByName(
  slice: Slice,
  plan: MappingPlan,
  ids: readonly string[],
  { wanted = EVERYTHING, relations }: HowToRead = {},
): Promise<Named> {
  const crmFields = [...new Set([...plan.crmFields, ...wanted.fields])];
  const found = await fetchByName(slice, { entity: plan.entity, crmFields }, ids, relations);
  const { records, rejected } = mapAll(plan, [...found.values()]);
  const gone = ids
    .filter((id) => !found.has(id))
    .map((id): MergeRecord => ({ crm_id: id, modified_at: null, deleted: true, values: {} }));
  const marked = marker(found, wanted);
  const page: Page = {
    entity: plan.entity,
    records: [...records.map(marked), ...gone],
    rejected: rejected.map(marked),
    checkpoint: null,
    cursor: null,
  };
  return { found, rejected: new Map(rejected.map((one) => [one.crm_id, one])), page };
}

export async function mergeNamedPage(slice: Slice, page: Page): Promise<void> {
  const began = slice.deps.now().getTime();
  const counts = await mergeBatch(slice, page, null);
  slice.mergeMs += slice.deps.now().getTime() - began;
  slice.counts = added(slice.counts, counts);
}

/** What the connection's filter leaves out is for the merge to know: only the database can tell whether it is linked. */
function marker(found: ReadonlyMap<string, CrmRecord>, wanted: Wanted) {
  return <T extends { crm_id: string }>(one: T): T => {
    const record = found.get(one.crm_id);
    const isWanted = record === undefined || record.deleted || wanted.includes(record);
    return isWanted ? one : { ...one, only_linked: true };
  };
}

export async function fetchByName(
  slice: Slice,
  { entity, crmFields }: Pick<MappingPlan, "entity" | "crmFields">,
  ids: readonly string[],
  relations?: FetchRequest["relations"],
): Promise<Map<string, CrmRecord>> {
  const found = new Map<string, CrmRecord>();
  for (const part of chunks(ids, slice.crm.batch.fetch)) {
    const request = { entity, ids: part, fields: crmFields, relations };
    const fetch = () => slice.session.use((one) => slice.crm.fetchRecords(one, request));
    for (const record of await patiently(waiting(slice), fetch)) found.set(record.id, record);
    slice.recordsRead += part.length;
  }
  return found;
}

export function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  );
}
