import type { SimplePublicObject } from "@hubspot/api-client/lib/codegen/crm/objects/models/SimplePublicObject.js";
import type { CrmRecord, FetchRequest } from "../contract.ts";
import { malformed } from "../errors.ts";
import { fetchRelations } from "./associations.ts";
import { call, type HubSpotClient } from "./client.ts";
import { CRM } from "./errors.ts";
import { OBJECTS } from "./objects.ts";
import { mergedAway, propertiesToRead, type Selection, toDeleted, toRecord } from "./records.ts";

interface Named extends Selection {
  request: FetchRequest;
}

/**
 * The live ones first, then the archived ones. HubSpot may answer with the survivor of a merge instead of the record
 * that was asked for, so every id is compared; the survivor lists what went into it.
 */
export async function fetchRecords(
  client: HubSpotClient,
  request: FetchRequest,
  known: ReadonlySet<string>,
): Promise<CrmRecord[]> {
  const selection: Named = { request, known };
  const wanted = new Set(request.ids.filter(isId));
  const live = await read(client, selection, [...wanted], false);
  const merged = new Map(
    live.flatMap((object) => mergedAway(object, request.entity)).map((record) => [record.id, record]),
  );
  const own = live.filter((object) => wanted.has(object.id));
  const found = new Set(own.map((object) => object.id));
  const rest = [...wanted].filter((id) => !found.has(id) && !merged.has(id));
  const archived = (await read(client, selection, rest, true)).filter((object) => wanted.has(object.id));
  const gone = [...merged.values()].filter(({ id }) => wanted.has(id) && !found.has(id));
  return [...(await toRecords(client, selection, own)), ...archived.map(toDeleted), ...gone];
}

async function toRecords(
  client: HubSpotClient,
  selection: Named,
  objects: readonly SimplePublicObject[],
): Promise<CrmRecord[]> {
  const { entity, relations } = selection.request;
  const ids = objects.map((object) => object.id);
  const related = relations === "as they come" ? new Map() : await fetchRelations(client, entity, ids);
  return objects.map((object) => toRecord(selection, object, related.get(object.id) ?? {}));
}

async function read(
  client: HubSpotClient,
  selection: Selection,
  ids: readonly string[],
  archived: boolean,
): Promise<SimplePublicObject[]> {
  if (ids.length === 0) return [];
  const { entity } = selection.request;
  const properties = [...new Set([...propertiesToRead(selection), ...OBJECTS[entity].merged])];
  const input = { inputs: ids.map((id) => ({ id })), properties, propertiesWithHistory: [] };
  const answer = await call(() => client.batch.read(OBJECTS[entity].name, input, archived));
  if (!Array.isArray(answer.results)) throw malformed(CRM, "a batch answer without results");
  return unique(answer.results);
}

/** Two ids of one survivor bring it twice. */
function unique(objects: readonly SimplePublicObject[]): SimplePublicObject[] {
  return [...new Map(objects.map((object) => [object.id, object])).values()];
}

/** Anything else in the list would make the call fail for all of them. */
function isId(id: string): boolean {
  return /^\d{1,19}$/.test(id);
}
