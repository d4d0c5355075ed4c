import { z } from "zod";
import { FILTER_OPERATORS, type FilterOperator, type FilterValue } from "../../crm/contract.ts";
import { filterRefusal } from "./refusal.ts";

/** A filter as a connection keeps it: conditions on fields of ours. The database checks the same when it is saved. */
export type Filter = { all: Filter[] } | { any: Filter[] } | Condition;

export interface Condition {
  /** An app field, custom_fields.<name>, or owner. */
  field: string;
  operator: FilterOperator;
  value?: FilterValue | FilterValue[];
}

const MAX_DEPTH = 5;
const MAX_CONDITIONS = 25;
const MAX_VALUES = 100;
const MAX_TEXT = 255;

const scalar = z.union([z.string().trim().min(1).max(MAX_TEXT), z.number(), z.boolean()]);
const list = z.array(scalar).min(1).max(MAX_VALUES);
const nothing = z.undefined();

const VALUES: Record<FilterOperator, z.ZodType> = {
  equals: scalar,
  not_equals: scalar,
  contains: scalar,
  starts_with: scalar,
  in: list,
  not_in: list,
  greater: scalar,
  greater_or_equal: scalar,
  less: scalar,
  less_or_equal: scalar,
  between: z.array(scalar).length(2),
  empty: nothing,
  not_empty: nothing,
};

const condition = z
  .strictObject({
    field: z.string().min(1).max(MAX_TEXT),
    operator: z.enum(FILTER_OPERATORS),
    value: z.union([scalar, list]).optional(),
  })
  .refine(({ operator, value }) => VALUES[operator].safeParse(value).success, {
    error: "the operator takes another kind of value",
    path: ["value"],
  });

const filterSchema: z.ZodType<Filter> = z.lazy(() =>
  z.union([z.strictObject({ all: parts }), z.strictObject({ any: parts }), condition]),
);
const parts = z.array(filterSchema).min(1).max(MAX_CONDITIONS);

export function parseFilter(stored: unknown): Filter {
  if (depthOf(stored) > MAX_DEPTH) throw filterRefusal(`its groups are nested more than ${MAX_DEPTH} deep`);
  const parsed = filterSchema.safeParse(stored);
  if (!parsed.success)
    throw filterRefusal("it is not made of all, any and conditions with a field, an operator and a value");
  if (sizeOf(parsed.data) > MAX_CONDITIONS) throw filterRefusal(`it has more than ${MAX_CONDITIONS} conditions`);
  return parsed.data;
}

/** Looked at before anything recurses without end. */
function depthOf(stored: unknown, depth = 1): number {
  const inner = partsOf(stored);
  if (inner === null || depth > MAX_DEPTH) return depth;
  return Math.max(depth, ...inner.map((part) => depthOf(part, depth + 1)));
}

function partsOf(stored: unknown): unknown[] | null {
  if (typeof stored !== "object" || stored === null) return null;
  const group = "all" in stored ? stored.all : "any" in stored ? stored.any : null;
  return Array.isArray(group) ? group : null;
}

function sizeOf(filter: Filter): number {
  return partsOf(filter)?.reduce<number>((sum, part) => sum + sizeOf(part as Filter), 0) ?? 1;
}
