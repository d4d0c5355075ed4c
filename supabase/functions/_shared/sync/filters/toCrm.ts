import type { CrmFilter, EntityType, FilterOperator, FilterValue, MappingDataType } from "../../crm/contract.ts";
import { type AppFieldKind, appField } from "../appFields.ts";
import type { MappingRow } from "../mapping/plan.ts";
import { parseSource } from "../mapping/source.ts";
import type { StageRow } from "../mapping/stages.ts";
import type { Condition, Filter } from "./parse.ts";
import { filterRefusal } from "./refusal.ts";
import { stageFilter } from "./stageFilter.ts";
import { checkedValue, OPERATORS } from "./values.ts";

export interface FilterTerms {
  entity: EntityType;
  mappings: readonly MappingRow[];
  stages: readonly StageRow[];
  /** The CRM's id of the person who connected; null where it is not known. */
  currentUser: string | null;
}

export const CURRENT_USER = "{current_user}";

/** The same filter in terms of the CRM. Records are compared as fields of ours are, by the type of our field. */
export function toCrmFilter(filter: Filter, terms: FilterTerms): CrmFilter {
  if ("all" in filter) return { all: filter.all.map((part) => toCrmFilter(part, terms)) };
  if ("any" in filter) return { any: filter.any.map((part) => toCrmFilter(part, terms)) };
  if (filter.field === "owner") return ownerFilter(filter, terms);
  const mapping = mappingOf(filter.field, terms);
  const type = typeOf(mapping);
  if (!OPERATORS[type].includes(filter.operator)) {
    throw filterRefusal(`"${filter.operator}" cannot be asked of ${filter.field}`);
  }
  const values = valuesOf(filter).map((value) => checkedValue(type, filter.field, value));
  if (type === "stage") return stageFilter(filter.operator, values.map(String), terms.stages);
  const fields = parseSource(mapping.crm_field).fields;
  const conditions = fields.map((field) => ({ field, type, operator: filter.operator, values }));
  // An address is empty when all its parts are.
  if (conditions.length > 1) return filter.operator === "empty" ? { all: conditions } : { any: conditions };
  return conditions[0] ?? { any: [] };
}

function valuesOf({ value }: Condition): FilterValue[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

function mappingOf(field: string, { entity, mappings }: FilterTerms): MappingRow {
  const mapping = mappings.find((row) => row.entity_type === entity && row.app_field === field);
  if (mapping === undefined) throw filterRefusal(`${field} of ${entity} is not mapped to a field of the CRM`);
  if (mapping.transform_function) {
    throw filterRefusal(`${field} of ${entity} is computed by a transform, which the CRM cannot be asked for`);
  }
  return mapping;
}

const BY_KIND: Record<AppFieldKind, MappingDataType | "stage"> = {
  text: "string",
  integer: "number",
  decimal: "number",
  date: "date",
  email: "email",
  phone: "phone",
  url: "url",
  domain: "url",
  choice: "picklist",
  currency: "string",
  stage: "stage",
  list: "array",
  object: "object",
};

function typeOf({ entity_type, app_field, data_type }: MappingRow): MappingDataType | "stage" {
  const field = appField(entity_type, app_field);
  return field === null || field === "custom" ? data_type : BY_KIND[field.kind];
}

const OWNER_OPERATORS: readonly FilterOperator[] = ["equals", "not_equals", "in", "not_in", "empty", "not_empty"];

function ownerFilter(condition: Condition, { currentUser }: FilterTerms): CrmFilter {
  const { operator } = condition;
  if (!OWNER_OPERATORS.includes(operator)) throw filterRefusal(`"${operator}" cannot be asked of owner`);
  const values = valuesOf(condition).map((value) => {
    if (value !== CURRENT_USER) return String(value);
    if (currentUser !== null) return currentUser;
    throw filterRefusal(
      `${CURRENT_USER} is not known: the person who connected is not among the CRM's owners of records`,
    );
  });
  return { field: "$owner", type: "string", operator, values };
}
