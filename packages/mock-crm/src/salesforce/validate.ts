import { SalesforceError } from "./errors.ts";
import { toId18 } from "./ids.ts";
import type { FieldValue } from "./row.ts";
import type { FieldDef, FieldType } from "./schema/field.ts";
import type { ObjectDef } from "./schema/object.ts";
import type { SalesforceStore } from "./store.ts";

export type WriteKind = "create" | "update";
type Body = Readonly<Record<string, unknown>>;

const NUMERIC: ReadonlySet<FieldType> = new Set(["int", "double", "currency", "percent"]);

/** Checks a body field by field, as Salesforce does before it writes, and returns storable values. */
export function checkedValues(
  store: SalesforceStore,
  object: ObjectDef,
  body: Body,
  kind: WriteKind,
): Record<string, FieldValue> {
  if (!object.writable) {
    throw new SalesforceError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", `entity type cannot be written: ${object.name}`);
  }
  const values: Record<string, FieldValue> = {};
  for (const [name, raw] of Object.entries(body)) {
    if (name === "attributes") continue;
    const field = writableField(object, name, kind);
    values[field.name] = checkedValue(store, field, raw);
  }
  checkRequired(object, values, kind);
  return values;
}

function writableField(object: ObjectDef, name: string, kind: WriteKind): FieldDef {
  const field = object.byName.get(name.toLowerCase());
  if (field === undefined) {
    throw new SalesforceError("INVALID_FIELD", `No such column '${name}' on sobject of type ${object.name}`);
  }
  if (kind === "create" ? field.createable : field.updateable) return field;
  const message = `Unable to create/update fields: ${field.name}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.`;
  throw new SalesforceError("INVALID_FIELD_FOR_INSERT_UPDATE", message, 400, [field.name]);
}

function checkedValue(store: SalesforceStore, field: FieldDef, raw: unknown): FieldValue {
  if (raw === null || raw === "") return field.type === "boolean" ? refuse(field, raw) : null;
  if (field.type === "boolean") return typeof raw === "boolean" ? raw : refuse(field, raw);
  if (NUMERIC.has(field.type)) return checkedNumber(field, raw);
  if (typeof raw !== "string") return refuse(field, raw);
  if (field.type === "date") return checkedDate(field, raw, /^\d{4}-\d{2}-\d{2}$/);
  if (field.type === "datetime") return checkedDate(field, raw, /^\d{4}-\d{2}-\d{2}T/);
  if (field.type === "reference") return checkedReference(store, field, raw);
  return checkedText(field, raw);
}

function checkedNumber(field: FieldDef, raw: unknown): number {
  const value = typeof raw === "string" ? Number(raw) : raw;
  if (typeof value !== "number" || !Number.isFinite(value)) return refuse(field, raw);
  if (field.type === "int" && !Number.isInteger(value)) return refuse(field, raw);
  return value;
}

function checkedDate(field: FieldDef, raw: string, shape: RegExp): string {
  return shape.test(raw) && !Number.isNaN(Date.parse(raw)) ? raw : refuse(field, raw);
}

function checkedReference(store: SalesforceStore, field: FieldDef, raw: string): string {
  const id = toId18(raw);
  const target = store.table(field.referenceTo ?? "");
  if (id === null || !id.startsWith(target.object.keyPrefix)) {
    const message = `${field.label}: id value of incorrect type: ${raw}`;
    throw new SalesforceError("MALFORMED_ID", message, 400, [field.name]);
  }
  const row = target.get(id);
  if (row !== undefined && row.IsDeleted !== true) return id;
  throw new SalesforceError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", 400, [field.name]);
}

function checkedText(field: FieldDef, raw: string): string {
  if (field.length > 0 && raw.length > field.length) {
    const message = `${field.label}: data value too large: ${raw} (max length=${field.length})`;
    throw new SalesforceError("STRING_TOO_LONG", message, 400, [field.name]);
  }
  if (field.type === "email" && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(raw)) {
    const message = `${field.label}: invalid email address: ${raw}`;
    throw new SalesforceError("INVALID_EMAIL_ADDRESS", message, 400, [field.name]);
  }
  if (field.restrictedPicklist && !field.picklist.some((option) => option.value === raw)) {
    const message = `bad value for restricted picklist field: ${raw}`;
    throw new SalesforceError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, 400, [field.name]);
  }
  return raw;
}

function checkRequired(object: ObjectDef, values: Body, kind: WriteKind): void {
  const missing = object.fields
    .filter((field) => field.createable && !field.nillable && !field.defaultedOnCreate)
    .filter((field) => (kind === "create" || field.name in values) && (values[field.name] ?? null) === null)
    .map((field) => field.name);
  if (missing.length === 0) return;
  const message = `Required fields are missing: [${missing.join(", ")}]`;
  throw new SalesforceError("REQUIRED_FIELD_MISSING", message, 400, missing);
}

function refuse(field: FieldDef, raw: unknown): never {
  const message = `Cannot deserialize instance of ${field.type} from value ${JSON.stringify(raw)} for field ${field.name}`;
  throw new SalesforceError("JSON_PARSER_ERROR", message, 400, [field.name]);
}
