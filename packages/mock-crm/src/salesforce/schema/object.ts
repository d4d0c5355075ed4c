import type { FieldDef } from "./field.ts";

export interface ObjectDef {
  name: string;
  label: string;
  labelPlural: string;
  keyPrefix: string;
  /** Rows of setup objects (User, OpportunityStage) are read through the API but not written. */
  writable: boolean;
  mergeable: boolean;
  fields: readonly FieldDef[];
  /** Lower-cased name → field: SOQL and bodies name fields in any case. */
  byName: ReadonlyMap<string, FieldDef>;
  byRelationship: ReadonlyMap<string, FieldDef>;
}

export type ObjectSource = Omit<ObjectDef, "byName" | "byRelationship">;

export function defineObject(source: ObjectSource): ObjectDef {
  const relations = source.fields.filter((field) => field.relationshipName !== null);
  return {
    ...source,
    byName: new Map(source.fields.map((field) => [field.name.toLowerCase(), field])),
    byRelationship: new Map(relations.map((field) => [String(field.relationshipName).toLowerCase(), field])),
  };
}
