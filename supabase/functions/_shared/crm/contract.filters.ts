import type { MappingDataType } from "./contract.ts";

/** The part of the contract that is about reading or writing only some records. */

/**
 * A condition on one CRM field, or a group of them. Sides without a value never match, except for empty and not_empty.
 * `field` is a name of the CRM's, or one of FILTER_PARTS; `type` says how both sides are compared, whatever the CRM's own type.
 */
export type CrmFilter =
  | { all: readonly CrmFilter[] }
  | { any: readonly CrmFilter[] }
  | { field: string; type: MappingDataType; operator: FilterOperator; values: readonly FilterValue[] };

export type FilterValue = string | number | boolean;

/** What a record carries beside its fields, under the same name for every CRM. */
export const FILTER_PARTS = ["$owner", "$stage", "$pipeline"] as const;
export type FilterPart = (typeof FILTER_PARTS)[number];

export const FILTER_OPERATORS = [
  "equals",
  "not_equals",
  "contains",
  "starts_with",
  "in",
  "not_in",
  "greater",
  "greater_or_equal",
  "less",
  "less_or_equal",
  "between",
  "empty",
  "not_empty",
] as const;
export type FilterOperator = (typeof FILTER_OPERATORS)[number];
