import type { CrmFilter, CrmRecord, FilterOperator, FilterPart, FilterValue, MappingDataType } from "./contract.ts";

/**
 * The exact meaning of a filter. What a CRM's own query language cannot say it is asked more coarsely, and this decides.
 * Text compares without case and outer space; an address of the web without https:// and www., a phone number by its digits.
 * private.crm_filter_sql says the same of our own records, and a property test compares the two.
 */
export function matchesFilter(filter: CrmFilter, record: CrmRecord): boolean {
  if ("all" in filter) return filter.all.every((part) => matchesFilter(part, record));
  if ("any" in filter) return filter.any.some((part) => matchesFilter(part, record));
  const raw = fieldOf(record, filter.field);
  if (filter.type === "array") return listTest(filter.operator, listOf(raw), filter.values.map(textOf("string")));
  const read = READERS[filter.type];
  return scalarTest(filter.operator, read(raw), filter.values.map(read));
}

/** The CRM fields that have to be read for `matchesFilter`. */
export function filterFields(filter: CrmFilter): string[] {
  if ("all" in filter) return [...new Set(filter.all.flatMap(filterFields))];
  if ("any" in filter) return [...new Set(filter.any.flatMap(filterFields))];
  return isPart(filter.field) ? [] : [filter.field];
}

const PARTS: Record<FilterPart, (record: CrmRecord) => unknown> = {
  $owner: (record) => record.ownerId,
  $stage: (record) => record.stage?.id,
  $pipeline: (record) => record.stage?.pipeline,
};

export function isPart(field: string): field is FilterPart {
  return Object.hasOwn(PARTS, field);
}

function fieldOf(record: CrmRecord, field: string): unknown {
  if (isPart(field)) return PARTS[field](record);
  return Object.hasOwn(record.fields, field) ? record.fields[field] : null;
}

type Comparable = string | number | boolean;
type Reader = (raw: unknown) => Comparable | null;

const CANONICAL: Partial<Record<MappingDataType, (text: string) => string>> = {
  phone: (text) => text.replace(/[^0-9+]/g, ""),
  url: (text) => text.replace(/^https?:\/\/(www\.)?|\/+$/g, ""),
};

/** The form in which text of a type is compared; null is empty. */
export function textOf(type: MappingDataType): (raw: unknown) => string | null {
  const canonical = CANONICAL[type] ?? ((text: string) => text);
  return (raw) => {
    if (raw === null || raw === undefined) return null;
    const text = typeof raw === "object" ? JSON.stringify(raw) : String(raw);
    return canonical(text.trim().toLowerCase()) || null;
  };
}

const DAY_MS = 86_400_000;

const READERS: Record<Exclude<MappingDataType, "array">, Reader> = {
  string: textOf("string"),
  picklist: textOf("picklist"),
  email: textOf("email"),
  phone: textOf("phone"),
  url: textOf("url"),
  object: (raw) => (isEmptyObject(raw) ? null : textOf("object")(raw)),
  number: numberOf,
  boolean: (raw) => BOOLEANS.get(String(raw).toLowerCase()) ?? null,
  date: (raw) => {
    const instant = instantOf(raw);
    return instant === null ? null : Math.floor(instant / DAY_MS) * DAY_MS;
  },
  datetime: instantOf,
};

const BOOLEANS = new Map([
  ["true", true],
  ["false", false],
]);

function isEmptyObject(raw: unknown): boolean {
  return typeof raw === "object" && raw !== null && Object.keys(raw).length === 0;
}

function numberOf(raw: unknown): number | null {
  if (raw === null || raw === undefined || typeof raw === "boolean" || String(raw).trim() === "") return null;
  const value = Number(raw);
  return Number.isFinite(value) ? value : null;
}

/** Milliseconds of an instant; a day is its midnight in UTC. HubSpot may send milliseconds, Salesforce leaves a colon out. */
export function instantOf(raw: unknown): number | null {
  if (raw === null || raw === undefined || raw === "") return null;
  const text = String(raw).trim();
  const time = /^-?\d{5,}$/.test(text) ? Number(text) : Date.parse(text.replace(/([+-]\d{2})(\d{2})$/, "$1:$2"));
  return Number.isNaN(time) ? null : time;
}

function listOf(raw: unknown): string[] {
  const items = Array.isArray(raw) ? raw : raw === null || raw === undefined ? [] : String(raw).split(";");
  return items.map(textOf("string")).filter((item) => item !== null);
}

type ScalarTest = (value: Comparable, wanted: readonly (Comparable | null)[]) => boolean;

const first =
  (test: (value: Comparable, wanted: Comparable) => boolean): ScalarTest =>
  (value, [wanted = null]) =>
    wanted !== null && test(value, wanted);

const SCALAR: Record<Exclude<FilterOperator, "empty" | "not_empty">, ScalarTest> = {
  equals: (value, [wanted]) => value === wanted,
  not_equals: (value, [wanted]) => value !== wanted,
  // An address that is nothing but https:// is part of every address.
  contains: (value, [wanted]) => String(value).includes(String(wanted ?? "")),
  starts_with: (value, [wanted]) => String(value).startsWith(String(wanted ?? "")),
  in: (value, wanted) => wanted.includes(value),
  not_in: (value, wanted) => !wanted.includes(value),
  greater: first((value, wanted) => value > wanted),
  greater_or_equal: first((value, wanted) => value >= wanted),
  less: first((value, wanted) => value < wanted),
  less_or_equal: first((value, wanted) => value <= wanted),
  between: (value, [low = null, high = null]) => low !== null && high !== null && value >= low && value <= high,
};

function scalarTest(
  operator: FilterOperator,
  value: Comparable | null,
  wanted: readonly (Comparable | null)[],
): boolean {
  if (operator === "empty") return value === null;
  return value !== null && (operator === "not_empty" || SCALAR[operator](value, wanted));
}

function listTest(operator: FilterOperator, items: readonly string[], wanted: readonly (string | null)[]): boolean {
  if (operator === "empty" || items.length === 0) return operator === "empty" && items.length === 0;
  const shared = items.some((item) => wanted.includes(item));
  return operator === "not_empty" || (operator === "not_in" ? !shared : shared);
}

/** Values of a condition, as the compilers want them. */
export function only<T extends FilterValue>(values: readonly T[]): T {
  const [value] = values;
  if (value === undefined) throw new RangeError("a condition without a value");
  return value;
}
