import type { CrmField, CrmFilter, FilterOperator, FilterValue, MappingDataType } from "../contract.ts";
import { describedField, type Leaf, type Narrowing } from "../filteredRead.ts";
import { instantOf, only, textOf } from "../filterMatch.ts";
import { CRM } from "./errors.ts";
import { dateTime, identifier, likeText, text } from "./soql.ts";

/**
 * A filter as a SOQL condition that lets through at least what the filter means: long texts, phone numbers and fields of
 * another type than the comparison's cannot be asked for, so there every record with a value comes.
 */
export interface SoqlFilter extends Narrowing {
  /** null: everything. */
  where: string | null;
}

type Fields = ReadonlyMap<string, CrmField>;

const PARTS = { $owner: "OwnerId", $stage: "StageName" };
const NEVER: SoqlFilter = { where: "Id = null", exact: true };
const EVERYTHING: SoqlFilter = { where: null, exact: false };
/** The query travels in the address, which Salesforce cuts at 16,384 bytes. */
const MAX_ENCODED = 8_000;

export function compileFilter(filter: CrmFilter, fields: Fields): SoqlFilter {
  const compiled = compile(filter, fields);
  const tooLong = compiled.where !== null && encodeURIComponent(compiled.where).length > MAX_ENCODED;
  return tooLong ? EVERYTHING : compiled;
}

function compile(filter: CrmFilter, fields: Fields): SoqlFilter {
  if ("all" in filter) return all(filter.all.map((part) => compile(part, fields)));
  if ("any" in filter) return any(filter.any.map((part) => compile(part, fields)));
  const field = describedField(CRM, fields, PARTS, filter.field);
  return field === null ? EVERYTHING : leaf(identifier(field.name), kindOf(field), filter);
}

function all(parts: readonly SoqlFilter[]): SoqlFilter {
  const conditions = parts.flatMap(({ where }) => (where === null ? [] : [where]));
  return { where: joined(conditions, " AND "), exact: parts.every(({ exact }) => exact) };
}

function any(parts: readonly SoqlFilter[]): SoqlFilter {
  if (parts.length === 0) return NEVER;
  const exact = parts.every((part) => part.exact);
  if (parts.some(({ where }) => where === null)) return { where: null, exact };
  return {
    where: joined(
      parts.map(({ where }) => where ?? ""),
      " OR ",
    ),
    exact,
  };
}

function joined(conditions: readonly string[], by: " AND " | " OR "): string | null {
  if (conditions.length === 0) return null;
  return conditions.length === 1 ? (conditions[0] ?? null) : `(${conditions.join(by)})`;
}

type Kind = "text" | "id" | "list" | "number" | "date" | "datetime" | "boolean" | "other";

const KINDS: Record<string, Kind> = {
  string: "text",
  picklist: "text",
  combobox: "text",
  email: "text",
  phone: "text",
  url: "text",
  id: "id",
  reference: "id",
  multipicklist: "list",
  int: "number",
  long: "number",
  double: "number",
  currency: "number",
  percent: "number",
  date: "date",
  datetime: "datetime",
  boolean: "boolean",
};

function kindOf(field: CrmField): Kind {
  return KINDS[field.crmType] ?? "other";
}

/** undefined: SOQL has no words for it. */
type Compile = (field: string, operator: FilterOperator, values: readonly FilterValue[]) => string | undefined;

const EXACT: Record<string, Compile> = {
  "string text": textCondition,
  "picklist text": textCondition,
  "email text": textCondition,
  "string id": idCondition,
  "picklist id": idCondition,
  "array list": listCondition,
  "number number": (field, operator, values) => ordered(field, operator, values.map(numeral)),
  "boolean boolean": (field, operator, values) => ordered(field, operator, values.map(String)),
  "date date": (field, operator, values) => ordered(field, operator, values.map(String)),
  "date datetime": dayCondition,
  "datetime datetime": (field, operator, values) => ordered(field, operator, values.map(stamp)),
};

function leaf(field: string, kind: Kind, { type, operator, values }: Leaf): SoqlFilter {
  if (kind === "other") return EVERYTHING;
  if (operator === "empty") return { where: `${field} = null`, exact: true };
  if (operator === "not_empty") return { where: `${field} != null`, exact: true };
  const exact = EXACT[`${type} ${kind}`]?.(field, operator, values);
  if (exact !== undefined) return { where: exact, exact: !values.some(hasBackslash) };
  return { where: coarse(field, kind, type, operator, values), exact: false };
}

/** An address may be stored with https:// and www. around what is looked for. */
function coarse(
  field: string,
  kind: Kind,
  type: MappingDataType,
  operator: FilterOperator,
  values: readonly FilterValue[],
): string {
  const partly = operator === "equals" || operator === "contains" || operator === "starts_with";
  const wanted = type === "url" && kind === "text" && partly ? textOf("url")(only(values)) : null;
  return wanted === null ? `${field} != null` : `${field} LIKE '%${pattern(wanted)}%'`;
}

const filled = (field: string, condition: string) => `(${condition} AND ${field} != null)`;
const list = (literals: readonly string[]) => `(${literals.join(", ")})`;

function textCondition(field: string, operator: FilterOperator, values: readonly FilterValue[]): string | undefined {
  const wanted = values.map((value) => String(value).trim());
  if (operator === "contains") return `${field} LIKE '%${pattern(only(wanted))}%'`;
  if (operator === "starts_with") return `${field} LIKE '${pattern(only(wanted))}%'`;
  return ordered(field, operator, wanted.map(text));
}

/** How LIKE reads an escaped backslash before a wildcard is not documented, so any character may stand for one. */
function pattern(value: string): string {
  return value
    .split("\\")
    .map((part) => likeText(part).slice(1, -1))
    .join("_");
}

function hasBackslash(value: FilterValue): boolean {
  return String(value).includes("\\");
}

const ID = /^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$/;

/** Salesforce refuses a query that compares an id with something else. */
function idCondition(field: string, operator: FilterOperator, values: readonly FilterValue[]): string | undefined {
  const ids = values
    .map(String)
    .filter((value) => ID.test(value))
    .map(text);
  if (operator === "equals" || operator === "in") return ids.length === 0 ? "Id = null" : `${field} IN ${list(ids)}`;
  if (operator !== "not_equals" && operator !== "not_in") return undefined;
  return ids.length === 0 ? `${field} != null` : filled(field, `${field} NOT IN ${list(ids)}`);
}

function listCondition(field: string, operator: FilterOperator, values: readonly FilterValue[]): string | undefined {
  const items = list(values.map((value) => text(String(value).trim())));
  if (operator === "contains" || operator === "in") return `${field} INCLUDES ${items}`;
  return operator === "not_in" ? filled(field, `${field} EXCLUDES ${items}`) : undefined;
}

const COMPARE: Partial<Record<FilterOperator, string>> = {
  greater: ">",
  greater_or_equal: ">=",
  less: "<",
  less_or_equal: "<=",
};

function ordered(
  field: string,
  operator: FilterOperator,
  literals: readonly (string | undefined)[],
): string | undefined {
  if (!literals.every((literal) => literal !== undefined)) return undefined;
  const [first = "null", second = "null"] = literals;
  if (operator === "equals") return `${field} = ${first}`;
  if (operator === "not_equals") return filled(field, `${field} != ${first}`);
  if (operator === "in") return `${field} IN ${list(literals)}`;
  if (operator === "not_in") return filled(field, `${field} NOT IN ${list(literals)}`);
  if (operator === "between") return `(${field} >= ${first} AND ${field} <= ${second})`;
  const sign = COMPARE[operator];
  return sign === undefined ? undefined : `${field} ${sign} ${first}`;
}

function numeral(value: FilterValue): string | undefined {
  const digits = String(value);
  return /^-?\d{1,18}(\.\d+)?$/.test(digits) ? digits : undefined;
}

function stamp(value: FilterValue): string | undefined {
  const instant = instantOf(value);
  return instant === null ? undefined : dateTime(instant);
}

const DAY_MS = 86_400_000;

/** A day of ours against an instant of theirs: from its first moment to the next day's. */
function dayCondition(field: string, operator: FilterOperator, values: readonly FilterValue[]): string | undefined {
  const days = values.map(instantOf);
  if (!days.every((day) => day !== null)) return undefined;
  const begin = (day: number) => dateTime(day);
  const end = (day: number) => dateTime(day + DAY_MS);
  const within = (from: number, to: number) => `(${field} >= ${begin(from)} AND ${field} < ${end(to)})`;
  const [first = 0, last = first] = days;
  if (operator === "equals" || operator === "between") return within(first, last);
  if (operator === "in")
    return (
      joined(
        days.map((day) => within(day, day)),
        " OR ",
      ) ?? undefined
    );
  if (operator === "greater") return `${field} >= ${end(first)}`;
  if (operator === "greater_or_equal") return `${field} >= ${begin(first)}`;
  if (operator === "less") return `${field} < ${begin(first)}`;
  return operator === "less_or_equal" ? `${field} < ${end(first)}` : undefined;
}
