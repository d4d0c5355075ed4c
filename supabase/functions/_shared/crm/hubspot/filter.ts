import type { FilterOperatorEnum } from "@hubspot/api-client/lib/codegen/crm/objects/models/Filter.js";
import type { CrmField, CrmFilter, FilterOperator, FilterValue, MappingDataType } from "../contract.ts";
import { describedField, type Leaf, type Narrowing } from "../filteredRead.ts";
import { instantOf, only, textOf } from "../filterMatch.ts";
import { CRM } from "./errors.ts";

/**
 * A filter as groups of a search (OR of ANDs) that let through at least what the filter means. A search takes five groups
 * and 25 filters, and looks for words, not for parts of them: what does not fit is left out here and decided afterwards.
 */
export interface SearchNarrowing extends Narrowing {
  /** null: everything; none: nothing. */
  groups: SearchFilter[][] | null;
}

export interface SearchFilter {
  propertyName: string;
  operator: FilterOperatorEnum;
  value?: string;
  highValue?: string;
  values?: string[];
}

type Operator = `${FilterOperatorEnum}`;
type Fields = ReadonlyMap<string, CrmField>;

const PARTS = { $owner: "hubspot_owner_id", $stage: "dealstage", $pipeline: "pipeline" };
/** Of HubSpot's 5, 10 and 25; a group also holds up to three filters of the reader. */
const READER = 3;
const MAX_GROUPS = 5;
const MAX_IN_GROUP = 10;
const MAX_FILTERS = 25;

export function compileFilter(filter: CrmFilter, fields: Fields): SearchNarrowing {
  const { groups, exact } = compile(filter, fields);
  return { groups: groups?.some((group) => group.length === 0) ? null : groups, exact };
}

/** The groups of a search that has filters of its own. */
export function searchGroups(
  own: SearchFilter[],
  narrowing: SearchNarrowing | undefined,
): { filters: SearchFilter[] }[] {
  const groups = narrowing?.groups ?? [[]];
  const asked = groups.length === 0 ? [[NOTHING]] : groups;
  return asked.map((group) => ({ filters: [...own, ...group] })).filter(({ filters }) => filters.length > 0);
}

export function searchFilter(propertyName: string, operator: Operator, value: string | number): SearchFilter {
  return { propertyName, operator: operator as FilterOperatorEnum, value: String(value) };
}

const NOTHING = searchFilter("hs_object_id", "LT", 0);

function compile(filter: CrmFilter, fields: Fields): SearchNarrowing {
  if ("all" in filter) return all(filter.all.map((part) => compile(part, fields)));
  if ("any" in filter) return any(filter.any.map((part) => compile(part, fields)));
  const field = describedField(CRM, fields, PARTS, filter.field);
  return field === null ? { groups: null, exact: false } : leaf(field, filter);
}

function any(parts: readonly SearchNarrowing[]): SearchNarrowing {
  const exact = parts.every((part) => part.exact);
  const groups = parts.flatMap((part) => part.groups ?? [[]]);
  return fits(groups) ? { groups, exact } : { groups: null, exact: false };
}

/** Every combination of the parts' groups; a part that would not fit any more is left out. */
function all(parts: readonly SearchNarrowing[]): SearchNarrowing {
  return parts.reduce<SearchNarrowing>(
    (so, part) => {
      const product = (so.groups ?? [[]]).flatMap((left) => (part.groups ?? [[]]).map((right) => [...left, ...right]));
      if (!fits(product)) return { groups: so.groups, exact: false };
      return { groups: product, exact: so.exact && part.exact };
    },
    { groups: [[]], exact: true },
  );
}

function fits(groups: readonly SearchFilter[][]): boolean {
  const total = groups.reduce((sum, group) => sum + group.length + READER, 0);
  const widest = Math.max(0, ...groups.map((group) => group.length));
  return groups.length <= MAX_GROUPS && widest + READER <= MAX_IN_GROUP && total <= MAX_FILTERS;
}

type Asked = SearchFilter[] | undefined;
type Compile = (field: CrmField, operator: FilterOperator, values: readonly FilterValue[]) => Asked;

const EXACT: Record<string, Compile> = {
  "string string": textFilters,
  "picklist string": textFilters,
  "email string": textFilters,
  "string enumeration": optionFilters,
  "picklist enumeration": optionFilters,
  "boolean bool": (field, operator, values) => compared(field, operator, values.map(String)),
  "boolean enumeration": (field, operator, values) => compared(field, operator, values.map(String)),
  "number number": (field, operator, values) => compared(field, operator, values.map(String)),
  "datetime datetime": (field, operator, values) => compared(field, operator, milliseconds(values)),
  "date date": dayFilters,
  "date datetime": dayFilters,
};

function leaf(field: CrmField, { type, operator, values }: Leaf): SearchNarrowing {
  if (operator === "empty") return { groups: [[presence(field, "NOT_HAS_PROPERTY")]], exact: true };
  const has = presence(field, "HAS_PROPERTY");
  if (operator === "not_empty") return { groups: [[has]], exact: true };
  const exact = EXACT[`${type} ${field.crmType}`]?.(field, operator, values);
  if (exact !== undefined) return { groups: [exact], exact: true };
  return { groups: [[word(field, type, operator, values) ?? has]], exact: false };
}

function presence({ name }: CrmField, operator: Operator): SearchFilter {
  return { propertyName: name, operator: operator as FilterOperatorEnum };
}

function listed({ name }: CrmField, operator: Operator, values: string[]): SearchFilter {
  return { propertyName: name, operator: operator as FilterOperatorEnum, values };
}

/** A run of letters lies within one word, wherever HubSpot cuts the text. */
function word(
  field: CrmField,
  type: MappingDataType,
  operator: FilterOperator,
  values: readonly FilterValue[],
): SearchFilter | undefined {
  if (field.crmType !== "string" || (operator !== "contains" && operator !== "starts_with")) return undefined;
  // Without what does not count, such as https://, which the stored text may lack.
  const runs = textOf(type)(only(values))?.match(/[a-z]+/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), "");
  return longest === "" ? undefined : searchFilter(field.name, "CONTAINS_TOKEN", `*${longest}*`);
}

/** Of text, lists want lower case; single values do not care. */
function textFilters(field: CrmField, operator: FilterOperator, values: readonly FilterValue[]): Asked {
  const wanted = values.map((value) => String(value).trim());
  const isList = operator === "in" || operator === "not_in";
  return compared(field, operator, isList ? wanted.map((value) => value.toLowerCase()) : wanted);
}

/** Options are asked for as they are spelled; ours may differ in case. */
function optionFilters(field: CrmField, operator: FilterOperator, values: readonly FilterValue[]): Asked {
  if (field.type === "array") return undefined;
  const spelling = new Map(field.options?.map(({ value }) => [value.toLowerCase(), value]));
  const wanted = values.map((value) => String(value).trim());
  return compared(
    field,
    operator,
    wanted.map((value) => spelling.get(value.toLowerCase()) ?? value),
  );
}

function milliseconds(values: readonly FilterValue[]): string[] {
  return values.map((value) => String(instantOf(value)));
}

const COMPARE: Partial<Record<FilterOperator, Operator>> = {
  equals: "EQ",
  greater: "GT",
  greater_or_equal: "GTE",
  less: "LT",
  less_or_equal: "LTE",
};

/** Whether the negative operators find records without a value is not documented, so a value is asked for. */
function compared(field: CrmField, operator: FilterOperator, values: string[]): Asked {
  const [first = "", second = ""] = values;
  if (operator === "not_equals") return [searchFilter(field.name, "NEQ", first), presence(field, "HAS_PROPERTY")];
  if (operator === "in") return [listed(field, "IN", values)];
  if (operator === "not_in") return [listed(field, "NOT_IN", values), presence(field, "HAS_PROPERTY")];
  if (operator === "between") return [{ ...searchFilter(field.name, "BETWEEN", first), highValue: second }];
  const plain = COMPARE[operator];
  return plain === undefined ? undefined : [searchFilter(field.name, plain, first)];
}

const DAY_MS = 86_400_000;

/** A day of ours against an instant of theirs: from its first moment to its last. */
function dayFilters({ name }: CrmField, operator: FilterOperator, values: readonly FilterValue[]): Asked {
  const [first = null, last = first] = values.map(instantOf);
  if (first === null || last === null) return undefined;
  if (operator === "equals" || operator === "between") {
    return [{ ...searchFilter(name, "BETWEEN", first), highValue: String(last + DAY_MS - 1) }];
  }
  if (operator === "greater") return [searchFilter(name, "GTE", first + DAY_MS)];
  if (operator === "greater_or_equal") return [searchFilter(name, "GTE", first)];
  if (operator === "less") return [searchFilter(name, "LT", first)];
  return operator === "less_or_equal" ? [searchFilter(name, "LT", first + DAY_MS)] : undefined;
}
