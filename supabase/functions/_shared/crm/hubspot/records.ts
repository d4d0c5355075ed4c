import type { SimplePublicObject } from "@hubspot/api-client/lib/codegen/crm/objects/models/SimplePublicObject.js";
import type { CrmRecord, EntityType, ReadRequest } from "../contract.ts";
import { malformed } from "../errors.ts";
import type { Relations } from "./associations.ts";
import { CRM } from "./errors.ts";
import type { SearchNarrowing } from "./filter.ts";
import { OBJECTS } from "./objects.ts";

/** Which properties of which records. */
export interface Selection {
  request: Pick<ReadRequest, "entity" | "fields">;
  known: ReadonlySet<string>;
  narrowing?: SearchNarrowing;
}

/** What every page of one read has in common. */
export interface Reading extends Selection {
  request: ReadRequest;
}

/** The properties to ask for: the mapped ones and those that carry time, owner, stage, parent and merges. */
export function propertiesToRead({ request: { entity, fields }, known }: Selection): string[] {
  const { modified, parent, merged } = OBJECTS[entity];
  const stage = entity === "opportunities" ? ["pipeline", "dealstage"] : [];
  const own = [modified, "hs_object_id", "hubspot_owner_id", ...stage, ...(parent ? [parent] : []), ...merged];
  return [...new Set([...own, ...fields])].filter((name) => known.has(name) || name === modified);
}

export function missingFields({ request: { fields }, known }: Selection): string[] {
  return fields.filter((field) => !known.has(field));
}

export function toRecord(reading: Selection, object: SimplePublicObject, relations: Relations): CrmRecord {
  const { entity } = reading.request;
  const properties = readProperties(object);
  const { parent } = OBJECTS[entity];
  const known = reading.request.fields.filter((field) => reading.known.has(field));
  return {
    id: object.id,
    modifiedAt: modifiedAt(object, entity),
    deleted: false,
    fields: Object.fromEntries(known.map((field) => [field, properties[field] ?? null])),
    ownerId: properties.hubspot_owner_id || null,
    ...relations,
    ...(parent !== undefined && reading.known.has(parent) ? { company: properties[parent] || null } : {}),
    ...(entity === "opportunities" ? { stage: stageOf(properties) } : {}),
  };
}

/** Archiving does not touch the modified property, so the time of the archiving stands in for it. */
export function toDeleted(object: SimplePublicObject): CrmRecord {
  const modified = (object.archivedAt ?? object.updatedAt).toISOString();
  return { id: object.id, modifiedAt: modified, deleted: true, mergedInto: null, fields: {} };
}

/** The survivor of a merge names the ones that went into it; each of them is news for whoever knew it. */
export function mergedAway(object: SimplePublicObject, entity: EntityType): CrmRecord[] {
  const properties = readProperties(object);
  const ids = OBJECTS[entity].merged.flatMap((name) => (properties[name] ?? "").split(";"));
  return [...new Set(ids.map(mergedId))]
    .filter((id) => id !== "" && id !== object.id)
    .map((id) => ({ id, modifiedAt: modifiedAt(object, entity), deleted: true, mergedInto: object.id, fields: {} }));
}

/** Contacts list them as `id:timestamp`. */
function mergedId(entry: string): string {
  return entry.split(":")[0]?.trim() ?? "";
}

export function modifiedAt(
  object: Pick<SimplePublicObject, "id" | "properties" | "updatedAt">,
  entity: EntityType,
): string {
  return readProperties(object)[OBJECTS[entity].modified] || object.updatedAt.toISOString();
}

function stageOf({ pipeline, dealstage }: Record<string, string | null | undefined>): CrmRecord["stage"] {
  return dealstage ? { pipeline: pipeline ?? "", id: dealstage } : null;
}

/** The client's types promise it; an answer from in between may still be something else. */
function readProperties({
  id,
  properties,
}: Pick<SimplePublicObject, "id" | "properties">): Record<string, string | null | undefined> {
  if (typeof id === "string" && typeof properties === "object" && properties !== null) return properties;
  throw malformed(CRM, "a record without id or properties");
}
