import { z } from "zod";
import { invalid } from "../errors.ts";

export const OPERATORS = [
  "EQ",
  "NEQ",
  "LT",
  "LTE",
  "GT",
  "GTE",
  "BETWEEN",
  "IN",
  "NOT_IN",
  "HAS_PROPERTY",
  "NOT_HAS_PROPERTY",
  "CONTAINS_TOKEN",
  "NOT_CONTAINS_TOKEN",
] as const;

const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const filterSchema = z.object({
  propertyName: z.string(),
  operator: z.enum(OPERATORS),
  value: text.optional(),
  highValue: text.optional(),
  values: z.array(text).optional(),
});
export type Filter = z.infer<typeof filterSchema>;

const sortSchema = z.union([
  z
    .string()
    .transform((name) =>
      name.startsWith("-")
        ? { propertyName: name.slice(1), direction: "DESCENDING" as const }
        : { propertyName: name, direction: "ASCENDING" as const },
    ),
  z.object({ propertyName: z.string(), direction: z.enum(["ASCENDING", "DESCENDING"]).default("ASCENDING") }),
]);
export type Sort = z.infer<typeof sortSchema>;

const searchSchema = z.object({
  filterGroups: z
    .array(z.object({ filters: z.array(filterSchema).max(10) }))
    .max(5)
    .default([]),
  sorts: z.array(sortSchema).max(1).default([]),
  query: z.string().max(3000).optional(),
  properties: z.array(z.string()).default([]),
  limit: z.int().min(1).max(200).default(10),
  after: z
    .union([z.string(), z.number()])
    .nullish()
    .transform((value) => Number(value ?? 0) || 0),
});
export type SearchRequest = z.infer<typeof searchSchema>;

const MOST_FILTERS = 25;

export function parseSearch(body: unknown): SearchRequest {
  const parsed = searchSchema.safeParse(body);
  if (!parsed.success) throw invalid(`Invalid input JSON: ${z.prettifyError(parsed.error)}`);
  const count = parsed.data.filterGroups.reduce((sum, group) => sum + group.filters.length, 0);
  if (count > MOST_FILTERS) throw invalid(`A search may hold ${MOST_FILTERS} filters in all, not ${count}`);
  return parsed.data;
}
