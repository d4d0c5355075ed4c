import type { FilterOperator, FilterValue, MappingDataType } from "../../crm/contract.ts";
import { toDate, toDateTime } from "../mapping/scalars.ts";
import { filterRefusal } from "./refusal.ts";

const PRESENCE = ["empty", "not_empty"] as const;
const CHOICE = ["equals", "not_equals", "in", "not_in", ...PRESENCE] as const;
const TEXT = [...CHOICE, "contains", "starts_with"] as const;
const ORDERED = [...CHOICE, "greater", "greater_or_equal", "less", "less_or_equal", "between"] as const;

/** What can be asked of which type; private.crm_filter_operators holds the same. Text has no order that all sides share. */
export const OPERATORS: Record<MappingDataType | "stage", readonly FilterOperator[]> = {
  string: TEXT,
  picklist: TEXT,
  email: TEXT,
  phone: TEXT,
  url: TEXT,
  number: ORDERED,
  date: ORDERED,
  datetime: ORDERED,
  boolean: ["equals", "not_equals", ...PRESENCE],
  array: ["contains", "in", "not_in", ...PRESENCE],
  object: PRESENCE,
  stage: CHOICE,
};

const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})$/;

const FITS: Partial<Record<MappingDataType | "stage", [what: string, fits: (value: FilterValue) => boolean]>> = {
  number: ["a number", (value) => typeof value === "number"],
  boolean: ["true or false", (value) => typeof value === "boolean"],
  date: ["a date such as 2026-12-31", (value) => typeof value === "string" && toDate(value) === value],
  datetime: [
    "an instant such as 2026-12-31T08:00:00Z",
    (value) => typeof value === "string" && INSTANT.test(value) && typeof toDateTime(value) === "string",
  ],
};

export function checkedValue(type: MappingDataType | "stage", field: string, value: FilterValue): FilterValue {
  const [what, fits] = FITS[type] ?? ["text", (given: FilterValue) => typeof given === "string"];
  if (fits(value)) return value;
  throw filterRefusal(`${field} is compared with ${JSON.stringify(value)}, which is not ${what}`);
}
