import type { Connection } from "jsforce/lib/connection.js";
import { z } from "zod";
import type { CrmField, EntityType, MappingDataType } from "../contract.ts";
import { malformed } from "../errors.ts";
import { call } from "./connection.ts";
import { CRM } from "./errors.ts";
import { OBJECTS } from "./objects.ts";

const TYPES: Record<string, MappingDataType> = {
  boolean: "boolean",
  int: "number",
  long: "number",
  double: "number",
  currency: "number",
  percent: "number",
  date: "date",
  datetime: "datetime",
  picklist: "picklist",
  combobox: "picklist",
  multipicklist: "array",
  email: "email",
  phone: "phone",
  url: "url",
  address: "object",
  location: "object",
};

const fieldSchema = z.object({
  name: z.string(),
  label: z.string(),
  type: z.string(),
  length: z.number().default(0),
  nillable: z.boolean().default(true),
  createable: z.boolean().default(false),
  updateable: z.boolean().default(false),
  defaultedOnCreate: z.boolean().default(false),
  custom: z.boolean().default(false),
  deprecatedAndHidden: z.boolean().default(false),
  restrictedPicklist: z.boolean().default(false),
  picklistValues: z
    .array(z.object({ value: z.string(), label: z.string().nullish(), active: z.boolean().default(true) }))
    .nullish(),
});
type Described = z.infer<typeof fieldSchema>;

const described = z.object({ fields: z.array(fieldSchema) });

export async function describeEntity(connection: Connection, entity: EntityType): Promise<CrmField[]> {
  const answer = await call(() => connection.describe(OBJECTS[entity].name));
  const result = described.safeParse(answer);
  if (!result.success) throw malformed(CRM, z.prettifyError(result.error));
  return result.data.fields.filter(isReadable).map(toField);
}

/** Files do not belong into a record; hidden fields are on their way out. */
function isReadable(field: Described): boolean {
  return field.type !== "base64" && !field.deprecatedAndHidden;
}

function toField(field: Described): CrmField {
  const options = (field.picklistValues ?? [])
    .filter((option) => option.active)
    .map(({ value, label }) => ({ value, label: label ?? value }));
  return {
    name: field.name,
    label: field.label,
    type: TYPES[field.type] ?? "string",
    crmType: field.type,
    required: field.createable && !field.nillable && !field.defaultedOnCreate,
    readOnly: !field.updateable,
    custom: field.custom,
    ...(options.length > 0 ? { options, restricted: field.restrictedPicklist } : {}),
    ...(field.length > 0 ? { maxLength: field.length } : {}),
  };
}
