import type { EntityType, HighWater, PageCursor } from "../crm/contract.ts";
import { spent } from "./budget.ts";
import type { Checkpoint, Place } from "./checkpoint.ts";
import type { MappingPlan } from "./mapping/plan.ts";
import { added, mergeBatch } from "./mergeBatch.ts";
import { noteMissing } from "./missing.ts";
import type { EntityEnd } from "./phases.ts";
import { mapAll, planFor } from "./plan.ts";
import { filterOf, highWater, waiting } from "./prepare.ts";
import { type Batch, type ReadAhead, readAhead } from "./readAhead.ts";
import { patiently } from "./retry.ts";
import type { Slice } from "./slice.ts";
import type { Page } from "./store.ts";

/** Reads an entity from a place on and merges it page by page, until it is done or the slice's budget is. */
export async function pullEntity(slice: Slice, place: Place): Promise<EntityEnd> {
  if (spent(slice)) return "out_of_budget";
  const plan = await planFor(slice, place.entity);
  const noted = new Set<string>();
  let pages: ReadAhead | undefined;
  try {
    pages = await reader(slice, place, plan);
    for (let cursor = place.cursor; ; ) {
      const batch = await pages.take();
      const gone = batch.missingFields.filter((name) => !noted.has(name));
      for (const name of gone) noted.add(name);
      await noteMissing(slice, place.entity, gone);
      await merge(slice, plan, batch, cursor);
      if (batch.next === null) return "done";
      if (spent(slice)) return "out_of_budget";
      cursor = batch.next;
    }
  } finally {
    pages?.stop();
  }
}

async function reader(slice: Slice, place: Place, plan: MappingPlan): Promise<ReadAhead> {
  const { crm, session, deps } = slice;
  const { entity } = place;
  const filter = filterOf(slice, entity);
  const since = await highWater(slice, entity);
  const again = since === null && (await deps.store.wasLinked(slice.run, entity));
  slice.gate.purpose = since === null ? "backfill" : "incremental";
  const read = async (cursor: PageCursor | null) => {
    const request = { entity, fields: plan.crmFields, cursor, since, again, filter, pageSize: deps.limits.pageSize };
    const page = await patiently(waiting(slice), () => session.use((one) => crm.readPage(one, request)));
    slice.recordsRead += page.records.length;
    return page;
  };
  return readAhead({ read, start: place.cursor, maxRecords: deps.limits.mergeRecords, mayRead: () => !spent(slice) });
}

async function merge(slice: Slice, plan: MappingPlan, batch: Batch, from: PageCursor | null): Promise<void> {
  const { entity } = plan;
  const { records, rejected } = mapAll(plan, batch.records);
  const before: Checkpoint = { ...at(slice, entity), cursor: from, entity_done: false };
  const checkpoint: Checkpoint = { ...at(slice, entity), cursor: batch.next, entity_done: batch.next === null };
  const cursor = checkpoint.entity_done ? stored(batch.highWater) : null;
  const page: Page = { entity, records, rejected, checkpoint, cursor };
  const began = slice.deps.now().getTime();
  const counts = await mergeBatch(slice, page, before);
  slice.mergeMs += slice.deps.now().getTime() - began;
  slice.checkpoint = checkpoint;
  slice.counts = added(slice.counts, counts);
}

function stored(reached: HighWater | null): Page["cursor"] {
  if (reached === null) return null;
  const { modifiedAt, ...rest } = reached;
  return { modified_at: modifiedAt, ...rest };
}

function at({ claim, partial }: Slice, entity: EntityType): Omit<Checkpoint, "cursor" | "entity_done"> {
  return { phase: "pull", entity, slice: claim.slice, partial };
}
