import type { SimplePublicObject } from "@hubspot/api-client/lib/codegen/crm/objects/models/SimplePublicObject.js";
import type { CrmRecord, ReadPage, ReadRequest } from "../contract.ts";
import { malformed } from "../errors.ts";
import { filteredPage } from "../filteredRead.ts";
import { associationNames, fetchRelations, isCutShort, listedRelations } from "./associations.ts";
import { call, type HubSpotClient } from "./client.ts";
import {
  archiveIsDue,
  archiveOf,
  type Cursor,
  type CursorOf,
  highWaterOf,
  OVERLAP_MS,
  parseCursor,
  startOf,
  withSeen,
} from "./cursor.ts";
import { CRM } from "./errors.ts";
import { searchFilter as filter, type SearchFilter, type SearchNarrowing, searchGroups } from "./filter.ts";
import { OBJECTS } from "./objects.ts";
import {
  mergedAway,
  missingFields,
  modifiedAt,
  propertiesToRead,
  type Reading,
  toDeleted,
  toRecord,
} from "./records.ts";

interface Step {
  records: CrmRecord[];
  next: Cursor | null;
  /** Where the step left the reader, also when it was the last. */
  seen: Cursor;
}

type TakeStep<C> = (client: HubSpotClient, reading: Reading, cursor: C, now: Date) => Promise<Step>;

type Steps = {
  [Phase in Cursor["phase"]]: TakeStep<CursorOf<Phase>>;
};

const STEPS: Steps = { list: listStep, search: searchStep, ties: tiesStep, archived: archivedStep };

const LIST_PAGE = 100;
const SEARCH_PAGE = 200;

export function readPage(
  client: HubSpotClient,
  request: ReadRequest,
  known: ReadonlySet<string>,
  now: Date,
  narrowing?: SearchNarrowing,
): Promise<ReadPage> {
  return filteredPage(request, narrowing, (wanted) => readWhole(client, { request: wanted, known, narrowing }, now));
}

async function readWhole(client: HubSpotClient, reading: Reading, now: Date): Promise<ReadPage> {
  const { request, narrowing } = reading;
  const searches = narrowing !== undefined && narrowing.groups !== null;
  const cursor = request.cursor === null ? startOf(request.since, now, searches) : parseCursor(request.cursor);
  const step = STEPS[cursor.phase] as TakeStep<Cursor>;
  const { records, next, seen } = await step(client, reading, cursor, now);
  return {
    records,
    next,
    total: seen.total,
    highWater: highWaterOf(seen, request.since),
    missingFields: missingFields(reading),
  };
}

async function listStep(client: HubSpotClient, reading: Reading, cursor: CursorOf<"list">, now: Date): Promise<Step> {
  const { entity, pageSize, again = false } = reading.request;
  const answer = await call(() =>
    client.objects.getPage(
      OBJECTS[entity].name,
      Math.min(pageSize ?? LIST_PAGE, LIST_PAGE),
      cursor.after ?? undefined,
      propertiesToRead(reading),
      undefined,
      associationNames(entity),
      false,
    ),
  );
  const objects = results(answer);
  const cutShort = objects.filter((object) => isCutShort(entity, object.associations)).map(({ id }) => id);
  const relations = await fetchRelations(client, entity, cutShort);
  const found = objects.map((object) =>
    toRecord(reading, object, relations.get(object.id) ?? listedRelations(entity, object.associations)),
  );
  const seen = withSeen(cursor, found);
  const after = answer.paging?.next?.after ?? null;
  const more = after === null ? null : { ...seen, after };
  if (!again) return { records: found, seen, next: more };
  const merged = objects.flatMap((object) => mergedAway(object, entity));
  return { records: [...found, ...merged], seen, next: more ?? archiveOf(seen, null, now) };
}

/**
 * Every page is a search of its own from the last time seen: paging inside one search would skip a record whenever an
 * earlier one is edited meanwhile, and ends at 10,000.
 */
async function searchStep(
  client: HubSpotClient,
  reading: Reading,
  cursor: CursorOf<"search">,
  now: Date,
): Promise<Step> {
  const { entity } = reading.request;
  const limit = searchSize(reading.request);
  const { modified } = OBJECTS[entity];
  const { objects, total } = await search(client, reading, [filter(modified, "GTE", cursor.from)], modified, limit);
  const known = { ...cursor, total: cursor.total ?? total };
  const last = objects.at(-1);
  const more = last !== undefined && objects.length === limit;
  const from = last === undefined ? cursor.from : timeOf(last, entity);
  const tied = objects.filter((object) => timeOf(object, entity) === from).map((object) => object.id);
  if (more && tied.length === limit) return { records: [], seen: known, next: toTies(known, from) };
  const already = new Set(cursor.seenIds.split(","));
  const fresh = objects.filter((object) => !(timeOf(object, entity) === cursor.from && already.has(object.id)));
  const records = await withRelations(client, reading, fresh);
  const seen = withSeen(known, live(records));
  if (more) return { records, seen, next: { ...seen, from, seenIds: tied.join(",") } };
  const { since, again = false } = reading.request;
  // A first read has nothing that a deletion could concern.
  const isDue = since === null ? again : archiveIsDue(since, now);
  return { records, seen, next: isDue ? archiveOf(seen, since, now) : null };
}

/** A whole page of one millisecond: its records are left to the ties, which know how to get through. */
function toTies({ from, seenIds, total, seenAt, seenId }: CursorOf<"search">, at: number): Cursor {
  return { phase: "ties", at, afterId: "0", seenIds: from === at ? seenIds : "", total, seenAt, seenId };
}

/** An import stamps thousands of records with one millisecond: those are read by id, then time goes on. */
async function tiesStep(client: HubSpotClient, reading: Reading, cursor: CursorOf<"ties">): Promise<Step> {
  const { entity } = reading.request;
  const limit = searchSize(reading.request);
  const { modified } = OBJECTS[entity];
  const sameTime = [filter(modified, "GTE", cursor.at), filter(modified, "LTE", cursor.at)];
  const filters = [...sameTime, filter("hs_object_id", "GT", cursor.afterId)];
  const { objects } = await search(client, reading, filters, "hs_object_id", limit);
  const already = new Set(cursor.seenIds.split(","));
  const records = await withRelations(
    client,
    reading,
    objects.filter((object) => !already.has(object.id)),
  );
  const seen = withSeen(cursor, live(records));
  const last = objects.at(-1);
  if (last !== undefined && objects.length === limit) return { records, seen, next: { ...seen, afterId: last.id } };
  const { at, total, seenAt, seenId } = seen;
  return { records, seen, next: { phase: "search", from: at + 1, seenIds: "", total, seenAt, seenId } };
}

/** Searches never answer archived records, and their list can neither be narrowed nor is it in the order of time: it is read to its end. */
async function archivedStep(client: HubSpotClient, reading: Reading, cursor: CursorOf<"archived">): Promise<Step> {
  const { entity } = reading.request;
  const answer = await call(() =>
    client.objects.getPage(
      OBJECTS[entity].name,
      LIST_PAGE,
      cursor.after ?? undefined,
      ["hs_object_id"],
      undefined,
      undefined,
      true,
    ),
  );
  const records = results(answer)
    .map(toDeleted)
    .filter((record) => Date.parse(record.modifiedAt) >= cursor.from);
  const after = answer.paging?.next?.after ?? null;
  const seen = { ...cursor, calls: cursor.calls + 1 };
  return { records, seen, next: after === null ? null : { ...seen, after } };
}

/** Found by a search, which shows records for a while as they were. */
async function withRelations(
  client: HubSpotClient,
  reading: Reading,
  objects: SimplePublicObject[],
): Promise<CrmRecord[]> {
  const { entity } = reading.request;
  const relations = await fetchRelations(
    client,
    entity,
    objects.map((object) => object.id),
  );
  return objects.flatMap((object) => [
    { ...toRecord(reading, object, relations.get(object.id) ?? {}), mayLag: true as const },
    ...mergedAway(object, entity),
  ]);
}

/** Merged-away records carry their survivor's time and do not count as seen. */
function live(records: CrmRecord[]): CrmRecord[] {
  return records.filter((record) => !record.deleted);
}

async function search(client: HubSpotClient, reading: Reading, filters: SearchFilter[], sort: string, limit: number) {
  const answer = await call(() =>
    client.search.doSearch(OBJECTS[reading.request.entity].name, {
      filterGroups: searchGroups(filters, reading.narrowing),
      sorts: [sort],
      properties: propertiesToRead(reading),
      limit,
    }),
  );
  return { objects: results(answer), total: answer.total };
}

export async function countRecords(
  client: HubSpotClient,
  { entity, since }: Pick<ReadRequest, "entity" | "since">,
  narrowing?: SearchNarrowing,
): Promise<number> {
  const { name, modified } = OBJECTS[entity];
  const filters = since === null ? [] : [filter(modified, "GTE", Date.parse(since.modifiedAt) - OVERLAP_MS)];
  const filterGroups = searchGroups(filters, narrowing);
  const answer = await call(() =>
    client.search.doSearch(name, { filterGroups, properties: ["hs_object_id"], limit: 1 }),
  );
  if (typeof answer.total !== "number") throw malformed(CRM, "a search without a total");
  return answer.total;
}

function results<T>(answer: { results?: T[] }): T[] {
  if (!Array.isArray(answer.results)) throw malformed(CRM, "an answer without results");
  return answer.results;
}

function searchSize({ pageSize }: ReadRequest): number {
  return Math.min(pageSize ?? SEARCH_PAGE, SEARCH_PAGE);
}

function timeOf(object: SimplePublicObject, entity: Reading["request"]["entity"]): number {
  return Date.parse(modifiedAt(object, entity));
}
