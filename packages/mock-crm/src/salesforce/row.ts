import type { FieldDef } from "./schema/field.ts";
import type { ObjectDef } from "./schema/object.ts";

export type FieldValue = string | number | boolean | null;
export type Row = Record<string, FieldValue> & { Id: string; SystemModstamp: string };

/** Salesforce writes instants with milliseconds but keeps whole seconds. */
export function stamp(epochMs: number): string {
  return `${new Date(Math.floor(epochMs / 1000) * 1000).toISOString().slice(0, 19)}.000+0000`;
}

export function stampMs(text: string): number {
  return Date.parse(text.replace("+0000", "Z"));
}

/** A function that makes rows of one object with every field set, always in one order: one hidden class for all rows. */
export function rowFactory(object: ObjectDef): (values: Readonly<Record<string, FieldValue>>) => Row {
  const blank = Object.fromEntries(
    object.fields.filter((field) => field.parts === null).map((field) => [field.name, initialValue(field)]),
  );
  return (values) => {
    const row = { ...blank } as Row;
    for (const name in values) if (name in row) row[name] = values[name] ?? null;
    return row;
  };
}

function initialValue(field: FieldDef): FieldValue {
  return field.type === "boolean" ? false : null;
}

export function isDeleted(row: Row): boolean {
  return row.IsDeleted === true;
}
