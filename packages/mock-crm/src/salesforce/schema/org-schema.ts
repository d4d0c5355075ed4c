import { ACCOUNT } from "./account.ts";
import { CONTACT } from "./contact.ts";
import { type FieldDef, field } from "./field.ts";
import { defineObject, type ObjectDef, type ObjectSource } from "./object.ts";
import { opportunity } from "./opportunity.ts";
import { OPPORTUNITY_STAGE, USER } from "./setup-objects.ts";
import type { StageDef } from "./stages.ts";

/** A custom field that a run adds to the org, such as an external id for idempotent creates. */
export interface ExtraField extends Partial<Omit<FieldDef, "name" | "label" | "type">> {
  object: string;
  name: string;
  label: string;
  type: FieldDef["type"];
}

export type OrgSchema = ReadonlyMap<string, ObjectDef>;

/** Objects by lower-cased API name, in the order describeGlobal lists them. */
export function orgSchema(stages: readonly StageDef[], extraFields: readonly ExtraField[]): OrgSchema {
  const sources = [ACCOUNT, CONTACT, opportunity(stages.map((stage) => stage.label)), OPPORTUNITY_STAGE, USER];
  return new Map(sources.map((source) => [source.name.toLowerCase(), defineObject(extended(source, extraFields))]));
}

function extended(source: ObjectSource, extraFields: readonly ExtraField[]): ObjectSource {
  const own = extraFields.filter((extra) => extra.object === source.name);
  const added = own.map(({ object: _object, name, label, type, ...more }) => field(name, label, type, more));
  return { ...source, fields: [...source.fields, ...added] };
}
