export type FieldType =
  | "id"
  | "reference"
  | "string"
  | "textarea"
  | "picklist"
  | "email"
  | "phone"
  | "url"
  | "boolean"
  | "int"
  | "double"
  | "currency"
  | "percent"
  | "date"
  | "datetime"
  | "address";

export interface PicklistValue {
  value: string;
  label: string;
}

/** What an object's author writes; describe() spells it out to the full metadata. */
export interface FieldDef {
  name: string;
  label: string;
  type: FieldType;
  length: number;
  precision: number;
  scale: number;
  nillable: boolean;
  createable: boolean;
  updateable: boolean;
  defaultedOnCreate: boolean;
  calculated: boolean;
  custom: boolean;
  unique: boolean;
  externalId: boolean;
  nameField: boolean;
  picklist: readonly PicklistValue[];
  restrictedPicklist: boolean;
  referenceTo: string | null;
  relationshipName: string | null;
  /** A compound field: its parts, read-only as a whole. */
  parts: Readonly<Record<string, string>> | null;
  /** The compound field this one is a part of. */
  compoundFieldName: string | null;
  /** Deleting the row this field points at deletes this row too. */
  cascadeDelete: boolean;
}

const BASE: FieldDef = {
  name: "",
  label: "",
  type: "string",
  length: 0,
  precision: 0,
  scale: 0,
  nillable: true,
  createable: true,
  updateable: true,
  defaultedOnCreate: false,
  calculated: false,
  custom: false,
  unique: false,
  externalId: false,
  nameField: false,
  picklist: [],
  restrictedPicklist: false,
  referenceTo: null,
  relationshipName: null,
  parts: null,
  compoundFieldName: null,
  cascadeDelete: false,
};

const READ_ONLY: Partial<FieldDef> = { createable: false, updateable: false };

const TYPE_DEFAULTS: Record<FieldType, Partial<FieldDef>> = {
  id: { length: 18, nillable: false, defaultedOnCreate: true, ...READ_ONLY },
  reference: { length: 18 },
  string: { length: 255 },
  textarea: { length: 32_000 },
  picklist: { length: 255 },
  email: { length: 80 },
  phone: { length: 40 },
  url: { length: 255 },
  boolean: { nillable: false, defaultedOnCreate: true },
  int: {},
  double: { precision: 18, scale: 2 },
  currency: { precision: 18, scale: 2 },
  percent: { precision: 3, scale: 0 },
  date: {},
  datetime: {},
  address: { ...READ_ONLY },
};

export function field(name: string, label: string, type: FieldType, more: Partial<FieldDef> = {}): FieldDef {
  return { ...BASE, ...TYPE_DEFAULTS[type], custom: name.endsWith("__c"), ...more, name, label, type };
}

export function reference(name: string, label: string, to: string, more: Partial<FieldDef> = {}): FieldDef {
  return field(name, label, "reference", { referenceTo: to, relationshipName: name.replace(/Id$/, ""), ...more });
}

export function picklist(values: readonly string[]): PicklistValue[] {
  return values.map((value) => ({ value, label: value }));
}

/** A compound address with its five parts. */
export function address(prefix: string, label: string): FieldDef[] {
  const whole = `${prefix}Address`;
  const part = (name: string, length: number, type: FieldType = "string") =>
    field(`${prefix}${name}`, `${label} ${name}`, type, { length, compoundFieldName: whole });
  const parts = { street: "Street", city: "City", state: "State", postalCode: "PostalCode", country: "Country" };
  const stored = Object.fromEntries(Object.entries(parts).map(([key, name]) => [key, prefix + name]));
  return [
    part("Street", 255, "textarea"),
    part("City", 40),
    part("State", 80),
    part("PostalCode", 20),
    part("Country", 80),
    field(whole, `${label} Address`, "address", { parts: stored }),
  ];
}

const AUDIT: Partial<FieldDef> = { ...READ_ONLY, nillable: false, defaultedOnCreate: true };

export const ID_FIELD = field("Id", "Record ID", "id");

export function auditFields(): FieldDef[] {
  return [
    field("IsDeleted", "Deleted", "boolean", AUDIT),
    field("CreatedDate", "Created Date", "datetime", AUDIT),
    reference("CreatedById", "Created By ID", "User", AUDIT),
    field("LastModifiedDate", "Last Modified Date", "datetime", AUDIT),
    reference("LastModifiedById", "Last Modified By ID", "User", AUDIT),
    field("SystemModstamp", "System Modstamp", "datetime", AUDIT),
  ];
}

export function masterRecord(object: string): FieldDef {
  return reference("MasterRecordId", "Master Record ID", object, READ_ONLY);
}

/** The owner is optional on create because it defaults to the caller. */
export function owner(): FieldDef {
  return reference("OwnerId", "Owner ID", "User", { nillable: false, defaultedOnCreate: true });
}
