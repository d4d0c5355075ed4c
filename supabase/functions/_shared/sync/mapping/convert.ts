import type { MappingDataType } from "../../crm/contract.ts";
import type { AppField, AppFieldKind } from "../appFields.ts";
import type { Json } from "../json.ts";
import { toBoolean, toDate, toDateTime, toDecimal, toInteger, toNumber } from "./scalars.ts";
import { type Canonical, cleanText, Misfit, toChoice, toCurrency, toDomain, toEmail, toPhone, toText } from "./text.ts";

export interface ConvertOptions {
  /** ISO country for phone numbers that name none. */
  phoneCountry?: string;
}

export type Convert = (raw: unknown) => Canonical;

const OBJECT_DEPTH = 12;

/** Into a column of ours: the column decides, whatever the CRM sends. */
const INTO_COLUMN: Record<AppFieldKind, (field: AppField, options: ConvertOptions) => Convert> = {
  text: () => toText,
  integer: (field) => (raw) => toInteger(raw, field.range),
  decimal: (field) => (raw) => toDecimal(raw, field.range),
  date: () => toDate,
  email: () => toEmail,
  phone: (_field, options) => (raw) => toPhone(raw, options.phoneCountry),
  url: () => toText,
  domain: () => toDomain,
  choice: (field) => (raw) => toChoice(raw, field.choices ?? []),
  currency: () => toCurrency,
  stage: () => toText,
  list: () => toList,
  object: () => toObject,
};

/** Into custom_fields: the mapping's data type decides. */
const INTO_CUSTOM: Record<MappingDataType, (options: ConvertOptions) => Convert> = {
  string: () => toText,
  number: () => toNumber,
  boolean: () => toBoolean,
  date: () => toDate,
  datetime: () => toDateTime,
  picklist: () => toText,
  array: () => toList,
  object: () => toObject,
  email: () => toEmail,
  phone: (options) => (raw) => toPhone(raw, options.phoneCountry),
  url: () => toText,
};

export function converter(field: AppField | "custom", dataType: MappingDataType, options: ConvertOptions): Convert {
  if (field === "custom") return INTO_CUSTOM[dataType](options);
  const convert = INTO_COLUMN[field.kind](field, options);
  return field.max === undefined ? convert : limited(convert, field.max);
}

function limited(convert: Convert, max: number): Convert {
  return (raw) => {
    const value = convert(raw);
    if (typeof value !== "string" || value.length <= max) return value;
    const length = [...value].length;
    return length <= max ? value : new Misfit("too_long", `has ${length} characters; at most ${max} fit`);
  };
}

/** A multi-select is a set: `b;a` and `a;b` are the same, and nothing is in it twice. */
export function toList(raw: unknown): Json[] | null | Misfit {
  if (raw === null || raw === undefined) return null;
  const items = Array.isArray(raw) ? raw : splitList(raw);
  if (items instanceof Misfit) return items;
  const cleaned = items.map((item) => plainJson(item, OBJECT_DEPTH)).filter((item) => item !== null && item !== "");
  const unique = new Map(cleaned.map((item) => [JSON.stringify(item), item]));
  const sorted = [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
  return sorted.length === 0 ? null : sorted;
}

function splitList(raw: unknown): unknown[] | Misfit {
  const text = toText(raw);
  if (text instanceof Misfit) return text;
  if (text === null) return [];
  const parsed = text.startsWith("[") ? parseJson(text) : undefined;
  return Array.isArray(parsed) ? parsed : text.split(";");
}

export function toObject(raw: unknown): Json | Misfit {
  if (raw === null || raw === undefined) return null;
  const value = typeof raw === "string" ? (cleanText(raw) === "" ? null : parseJson(raw)) : raw;
  if (value === null) return null;
  if (typeof value !== "object" || Array.isArray(value) || value instanceof Date) {
    return new Misfit("not_an_object", "is not an object");
  }
  return plainJson(value, OBJECT_DEPTH);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Anything as JSON that Postgres can store, keys in order so that equal things look equal. */
function plainJson(value: unknown, depth: number): Json {
  if (typeof value === "string") return cleanText(value);
  if (typeof value === "number") return Number.isFinite(value) ? value + 0 : null;
  if (typeof value === "boolean") return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (typeof value !== "object" || value === null || depth === 0) return null;
  if (Array.isArray(value)) return value.map((item) => plainJson(item, depth - 1));
  const entries = Object.entries(value).map(([key, item]): [string, Json] => [
    cleanText(key),
    plainJson(item, depth - 1),
  ]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
