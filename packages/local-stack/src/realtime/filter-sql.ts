import type { Filter, FilterOperator } from "./filters.ts";

/** Builds the condition Postgres evaluates for one filter, with the same operators and casts as the hosted server. */
type Bind = (value: string) => string;
type Condition = (column: string, filter: Filter, type: string, bind: Bind) => string;

const KEYWORDS: ReadonlyMap<string, string> = new Map([
  ["null", "null"],
  ["true", "true"],
  ["false", "false"],
  ["unknown", "unknown"],
]);

const CONDITIONS: Record<FilterOperator, Condition> = {
  eq: comparison("="),
  neq: comparison("<>"),
  lt: comparison("<"),
  lte: comparison("<="),
  gt: comparison(">"),
  gte: comparison(">="),
  like: comparison("like"),
  ilike: comparison("ilike"),
  match: comparison("~"),
  imatch: comparison("~*"),
  in: (column, filter, type, bind) => negated(filter, `${column} = any (${bind(filter.value)}::text::${type}[])`),
  is: (column, filter) => `(${column} is ${not(filter)}${KEYWORDS.get(filter.value) ?? "null"})`,
  isdistinct: (column, filter, type, bind) =>
    `(${column} is ${not(filter)}distinct from ${bind(filter.value)}::text::${type})`,
};

function comparison(operator: string): Condition {
  return (column, filter, type, bind) => negated(filter, `${column} ${operator} ${bind(filter.value)}::text::${type}`);
}

function negated(filter: Filter, condition: string): string {
  return filter.negate ? `(not (${condition}))` : `(${condition})`;
}

function not(filter: Filter): string {
  return filter.negate ? "not " : "";
}

/** `column` and `type` are SQL; `bind` returns the placeholder of a value. */
export function filterSql(filter: Filter, column: string, type: string, bind: Bind): string {
  return CONDITIONS[filter.operator](column, filter, type, bind);
}

export function isKeyword(value: string): boolean {
  return KEYWORDS.has(value);
}

/** Catalogue names never reach SQL unquoted. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
