import { invalid } from "../errors.ts";
import { type HubRecord, propertyValue } from "../record.ts";
import type { ObjectType } from "../schema/objects.ts";
import type { PropertyDef } from "../schema/property.ts";
import { instantOf } from "../validate.ts";
import type { Filter, SearchRequest } from "./request.ts";

export type Predicate = (record: HubRecord) => boolean;
type Comparable = string | number;
type Operand = (filter: Filter, definition: PropertyDef) => (value: string | null) => boolean;

/** Groups are joined by OR, the filters of a group by AND. */
export function compileFilters(type: ObjectType, request: SearchRequest): Predicate {
  const groups = request.filterGroups.map((group) => group.filters.map((filter) => compileFilter(type, filter)));
  const words = (request.query ?? "")
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  return (record) =>
    (groups.length === 0 || groups.some((filters) => filters.every((filter) => filter(record)))) &&
    (words.length === 0 || hasWords(record, words));
}

function compileFilter(type: ObjectType, filter: Filter): Predicate {
  const definition = type.properties.get(filter.propertyName);
  if (definition === undefined)
    throw invalid(`There was a problem with the request: property ${filter.propertyName} does not exist`);
  const test = OPERATORS[filter.operator](filter, definition);
  return (record) => test(propertyValue(type, record, filter.propertyName));
}

function ordered(accept: (value: Comparable, wanted: Comparable) => boolean): Operand {
  return (filter, definition) => {
    const wanted = comparable(definition, needed(filter.value, filter));
    return (value) => value !== null && accept(comparable(definition, value), wanted);
  };
}

const equal = ordered((value, wanted) => value === wanted);

const OPERATORS: Record<Filter["operator"], Operand> = {
  EQ: equal,
  NEQ: (filter, definition) => not(equal(filter, definition)),
  LT: ordered((value, wanted) => value < wanted),
  LTE: ordered((value, wanted) => value <= wanted),
  GT: ordered((value, wanted) => value > wanted),
  GTE: ordered((value, wanted) => value >= wanted),
  BETWEEN: (filter, definition) => {
    const low = comparable(definition, needed(filter.value, filter));
    const high = comparable(definition, needed(filter.highValue, filter));
    return (value) => {
      if (value === null) return false;
      const key = comparable(definition, value);
      return key >= low && key <= high;
    };
  },
  IN: isListed,
  NOT_IN: (filter, definition) => {
    const listed = isListed(filter, definition);
    return (value) => value !== null && !listed(value);
  },
  HAS_PROPERTY: () => (value) => value !== null,
  NOT_HAS_PROPERTY: () => (value) => value === null,
  CONTAINS_TOKEN: hasToken,
  NOT_CONTAINS_TOKEN: (filter) => not(hasToken(filter)),
};

/** Values to search for must be lower-cased by the caller; what is stored is lower-cased here. */
function isListed(filter: Filter, definition: PropertyDef): (value: string | null) => boolean {
  const values = needed(filter.values, filter);
  const wanted = new Set(definition.type === "string" ? values : values.map((value) => comparable(definition, value)));
  return (value) => value !== null && wanted.has(comparable(definition, value));
}

function hasToken(filter: Filter): (value: string | null) => boolean {
  const token = needed(filter.value, filter).toLowerCase();
  const pattern = new RegExp(`^${token.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);
  return (value) => value !== null && tokensOf(value.toLowerCase()).some((part) => pattern.test(part));
}

function tokensOf(text: string): string[] {
  return [text, ...text.split(/[\s@.,;:/-]+/)];
}

function hasWords(record: HubRecord, words: readonly string[]): boolean {
  const haystack = Object.values(record.properties).join(" ").toLowerCase();
  return words.every((word) => haystack.includes(word));
}

export function comparable(definition: PropertyDef, value: string): Comparable {
  if (definition.type === "number") return Number(value);
  if (definition.type === "date" || definition.type === "datetime") return instantOf(value) ?? Number.NaN;
  return value.toLowerCase();
}

function needed<T>(value: T | undefined, filter: Filter): T {
  if (value !== undefined) return value;
  throw invalid(`operator ${filter.operator} on ${filter.propertyName} requires a value`);
}

function not(test: (value: string | null) => boolean): (value: string | null) => boolean {
  return (value) => !test(value);
}
