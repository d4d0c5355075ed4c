import type { ObjectType } from "./schema/objects.ts";

export interface Version {
  value: string;
  at: number;
}

/** One CRM record; absent properties are unset. Times are epoch milliseconds. */
export interface HubRecord {
  id: string;
  number: number;
  properties: Record<string, string>;
  createdAt: number;
  updatedAt: number;
  archivedAt: number | null;
  /** Earlier values of edited properties, newest first; only edited records have it. */
  history: Map<string, Version[]> | null;
}

export function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

export function propertyValue(type: ObjectType, record: HubRecord, name: string): string | null {
  if (name === "hs_object_id") return record.id;
  if (name === "createdate") return iso(record.createdAt);
  if (name === type.modifiedProperty) return iso(record.updatedAt);
  return record.properties[name] ?? null;
}

/** A record as answers show it: the asked properties that exist, and unset ones as null. */
export function show(type: ObjectType, record: HubRecord, names: readonly string[]) {
  const properties: Record<string, string | null> = {};
  for (const name of names) if (type.properties.has(name)) properties[name] = propertyValue(type, record, name);
  const { id, createdAt, updatedAt, archivedAt } = record;
  const base = { id, properties, createdAt: iso(createdAt), updatedAt: iso(updatedAt), archived: archivedAt !== null };
  return archivedAt === null ? base : { ...base, archivedAt: iso(archivedAt) };
}

/** Default properties always come; asked ones come with them. */
export function namesToShow(type: ObjectType, asked: readonly string[]): readonly string[] {
  const always = ["createdate", "hs_object_id", type.modifiedProperty];
  return asked.length === 0 ? type.defaultProperties : [...new Set([...asked, ...always])];
}

export function showHistory(type: ObjectType, record: HubRecord, names: readonly string[]) {
  const entries = names
    .filter((name) => type.properties.has(name))
    .map((name) => {
      const current = propertyValue(type, record, name);
      const kept = record.history?.get(name) ?? [{ value: current ?? "", at: record.createdAt }];
      return [name, kept.map(({ value, at }) => ({ value, timestamp: iso(at), sourceType: "INTEGRATION" }))] as const;
    });
  return Object.fromEntries(entries);
}
