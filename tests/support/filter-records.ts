import fc from "fast-check";
import { FILTER_OPERATORS, type FilterOperator } from "../../supabase/functions/_shared/crm/contract.ts";

/** Records and filters by chance, and what a filter means in the plainest words: nothing here is shared with the product. */

export type Value = string | number | boolean | string[] | Record<string, string> | null;
export type Entity = "accounts" | "opportunities";
export type Kind = "text" | "phone" | "url" | "number" | "date" | "instant" | "boolean" | "list" | "object" | "choice";

export interface Sample {
  key: number;
  values: Record<string, Value>;
}

export interface Condition {
  field: string;
  operator: FilterOperator;
  value?: string | number | boolean | (string | number)[];
}
export type Filter = { all: Filter[] } | { any: Filter[] } | Condition;

export const KINDS: Record<Entity, Record<string, Kind>> = {
  accounts: {
    name: "text",
    industry: "text",
    description: "text",
    annual_revenue: "number",
    founded_year: "number",
    phone: "phone",
    website: "url",
    tags: "list",
    billing_address: "object",
    "custom_fields.flag": "boolean",
  },
  opportunities: {
    name: "text",
    stage_key: "choice",
    estimated_value: "number",
    expected_close_date: "date",
    "custom_fields.signed": "instant",
    owner: "choice",
  },
};

export const STAGES = ["lead", "prospect", "opportunity"];
/** Owners by number; the first is the person who connected. */
export const OWNERS = ["{current_user}", "owner-1", "owner-2"];
export const INDUSTRIES = ["BANKING", "RETAIL", "INTERNET", "UTILITIES"];

const PIECES = [
  "Acme",
  "acme",
  "Öl",
  "öL",
  "É",
  "ß",
  "100%",
  "_",
  "\\",
  "'",
  '"',
  "a b",
  "GmbH",
  "x",
  "中",
  "😀",
  "-",
  "()",
  "*",
  "?",
];
const text = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join(""));
const day = fc.integer({ min: 0, max: 5 }).map((at) => `2026-0${1 + (at % 2)}-0${1 + at}`);
const instant = fc.integer({ min: 0, max: 5 }).map((at) => `2026-01-01T0${at}:30:00.000Z`);

const VALUES: Record<string, fc.Arbitrary<Value>> = {
  name: text,
  industry: fc.constantFrom(...INDUSTRIES),
  description: text,
  annual_revenue: fc.constantFrom(0, 1, 2.5, 100, 1_000_000),
  founded_year: fc.integer({ min: 1998, max: 2002 }),
  phone: fc.constantFrom("+49 30 123", "(030) 123", "+4930123", "0301"),
  website: fc.constantFrom("https://www.acme.com/", "acme.com", "HTTP://Acme.com", "https://other.test/a"),
  tags: fc.uniqueArray(fc.constantFrom("VIP", "a b", "new", "Öl"), { minLength: 1, maxLength: 3 }),
  billing_address: fc.constantFrom<Value[]>({ city: "Berlin" }, { city: "Paris", state: "IdF" }),
  "custom_fields.flag": fc.boolean(),
  stage_key: fc.constantFrom(...STAGES),
  estimated_value: fc.constantFrom(0, 10, 99.99, 5000),
  expected_close_date: day,
  "custom_fields.signed": instant,
  owner: fc.constantFrom(...OWNERS),
};
/** Both CRMs keep no record without them. */
const REQUIRED = new Set(["name", "stage_key", "owner"]);

export function samples(entity: Entity, count: number, seed: number): Sample[] {
  const fields = Object.keys(KINDS[entity]).map((field): [string, fc.Arbitrary<Value>] => [
    field,
    REQUIRED.has(field) ? arbitrary(field) : fc.option(arbitrary(field), { freq: 4 }),
  ]);
  return fc
    .sample(fc.record(Object.fromEntries(fields)), { numRuns: count, seed })
    .map((values, key) => ({ key, values }));
}

function arbitrary(field: string): fc.Arbitrary<Value> {
  const found = VALUES[field];
  if (!found) throw new Error(`No values for ${field}.`);
  return found;
}

const PRESENCE: FilterOperator[] = ["empty", "not_empty"];
const CHOICE: FilterOperator[] = ["equals", "not_equals", "in", "not_in", ...PRESENCE];
const TEXT: FilterOperator[] = [...CHOICE, "contains", "starts_with"];
const ORDERED = FILTER_OPERATORS.filter((operator) => operator !== "contains" && operator !== "starts_with");
const OPERATORS: Record<Kind, readonly FilterOperator[]> = {
  text: TEXT,
  phone: TEXT,
  url: TEXT,
  number: ORDERED,
  date: ORDERED,
  instant: ORDERED,
  boolean: ["equals", "not_equals", ...PRESENCE],
  list: ["contains", "in", "not_in", ...PRESENCE],
  object: PRESENCE,
  choice: CHOICE,
};

export function filters(entity: Entity): fc.Arbitrary<Filter> {
  const condition = fc.constantFrom(...Object.entries(KINDS[entity])).chain(([field, kind]) => conditions(field, kind));
  const { filter } = fc.letrec<{ filter: Filter; group: Filter[] }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      { weight: 3, arbitrary: condition },
      { weight: 1, arbitrary: tie("group").map((all) => ({ all })) },
      { weight: 1, arbitrary: tie("group").map((any) => ({ any })) },
    ),
    group: fc.array(tie("filter"), { minLength: 1, maxLength: 3 }),
  }));
  return filter.filter((one) => sizeOf(one) <= 25);
}

function sizeOf(filter: Filter): number {
  const parts = "all" in filter ? filter.all : "any" in filter ? filter.any : null;
  return parts === null ? 1 : parts.reduce((sum, part) => sum + sizeOf(part), 0);
}

function conditions(field: string, kind: Kind): fc.Arbitrary<Filter> {
  const one = wanted(field, kind);
  return fc.constantFrom(...OPERATORS[kind]).chain((operator): fc.Arbitrary<Filter> => {
    if (operator === "empty" || operator === "not_empty") return fc.constant({ field, operator });
    if (operator === "between")
      return fc.tuple(one, one).map((value) => ({ field, operator, value: value as number[] }));
    if (operator !== "in" && operator !== "not_in") return one.map((value) => ({ field, operator, value }));
    return fc
      .array(one, { minLength: 1, maxLength: 3 })
      .map((value) => ({ field, operator, value: value as string[] }));
  });
}

/** What a person may compare with: a value as it occurs, in another case, or a part of one. */
function wanted(field: string, kind: Kind): fc.Arbitrary<string | number | boolean> {
  const occurring = arbitrary(field).map(
    (value) => (Array.isArray(value) ? (value[0] ?? "x") : value) as string | number | boolean,
  );
  if (kind !== "text" && kind !== "url" && kind !== "list") return occurring;
  const variants: ((value: string) => string)[] = [
    (value) => value,
    (value) => value.toLowerCase(),
    (value) => ` ${value} `,
    (value) => [...value].slice(0, 2).join(""),
    (value) => [...value].slice(-2).join(""),
    (value) => `${value}x`,
  ];
  return fc.tuple(occurring, fc.constantFrom(...variants)).map(([value, variant]) => {
    const varied = variant(String(value));
    return varied.trim() === "" ? "x" : varied;
  });
}

/** The meaning of a filter, said once more. */
export function means(entity: Entity, filter: Filter, sample: Sample): boolean {
  if ("all" in filter) return !filter.all.some((part) => !means(entity, part, sample));
  if ("any" in filter) return filter.any.some((part) => means(entity, part, sample));
  const kind = KINDS[entity][filter.field] as Kind;
  const value = sample.values[filter.field] ?? null;
  if (filter.operator === "empty") return value === null;
  if (value === null) return false;
  const given = (Array.isArray(filter.value) ? filter.value : [filter.value]).map((item) => plain(kind, item ?? ""));
  if (kind === "list") {
    const has = (value as string[]).map((item) => plain(kind, item)).some((item) => given.includes(item));
    return filter.operator === "not_empty" || (filter.operator === "not_in" ? !has : has);
  }
  return compare(filter.operator, plain(kind, value as string), given);
}

function compare(operator: FilterOperator, value: string | number, given: (string | number)[]): boolean {
  const [first = "", second = ""] = given;
  switch (operator) {
    case "equals":
    case "in":
      return given.includes(value);
    case "not_equals":
    case "not_in":
      return !given.includes(value);
    case "contains":
      return `${value}`.includes(`${first}`);
    case "starts_with":
      return `${value}`.indexOf(`${first}`) === 0;
    case "greater":
      return value > first;
    case "greater_or_equal":
      return value >= first;
    case "less":
      return value < first;
    case "less_or_equal":
      return value <= first;
    case "between":
      return first <= value && value <= second;
    default:
      return true;
  }
}

function plain(kind: Kind, value: string | number | boolean): string | number {
  if (kind === "number") return Number(value);
  const text = String(value).trim().toLowerCase();
  if (kind === "phone") return [...text].filter((one) => "+0123456789".includes(one)).join("");
  if (kind !== "url") return text;
  const host = text.startsWith("https://") ? text.slice(8) : text.startsWith("http://") ? text.slice(7) : text;
  const bare = host !== text && host.startsWith("www.") ? host.slice(4) : host;
  return bare.replace(/\/+$/, "");
}
