import type { AnyAST, EmbedDef, IntrospectResult, Where } from "@supabase/lite";
import { type RawBuilder, sql } from "kysely";
import { answerWith } from "./errors.ts";

type Filtered = Pick<AnyAST, "select" | "join" | "where">;

/**
 * A filter on a json column, or on a part of one (`->`), compares with the JSON that is written in the query. Lite would send the
 * text as a JSON string. Changes the filters of the query and of what it embeds.
 */
export function readJsonFilters(query: Filtered, table: string | undefined, schema: IntrospectResult): void {
  if (query.where) query.where = readWhere(query.where, jsonColumns(table, schema));
  for (const entry of query.select ?? []) {
    if (typeof entry === "string") continue;
    for (const [alias, embed] of Object.entries(entry)) {
      readJsonFilters(embed as EmbedDef, query.join?.[alias]?.from ?? alias, schema);
    }
  }
}

function jsonColumns(table: string | undefined, schema: IntrospectResult): Map<string, string> {
  const ofTable = schema.columns.filter((each) => each.table === table && ["json", "jsonb"].includes(each.type));
  return new Map(ofTable.map((each) => [each.name, each.type]));
}

/** What Lite can do with a part of a JSON column; every other operator it would take for "equal". */
const ON_PARTS = new Set(
  "$eq $neq $gt $gte $lt $lte $like $notLike $ilike $notIlike $is $isNot $in $notIn $not".split(" "),
);

const GROUPS = ["$and", "$or"];

function readWhere(where: Where, columns: ReadonlyMap<string, string>): Where {
  return Object.fromEntries(
    Object.entries(where).map(([key, value]) => {
      if (GROUPS.includes(key)) return [key, (value as Where[]).map((each) => readWhere(each, columns))];
      if (key === "$not") return [key, readWhere(value as Where, columns)];
      if (key.includes("->")) requireKnown(Object.keys(value as Where), key);
      const type = jsonType(key, columns);
      return [key, type ? readOperators(value as Where, type) : value];
    }),
  );
}

function requireKnown(operators: readonly string[], key: string): void {
  const unknown = operators.find((operator) => !ON_PARTS.has(operator));
  if (unknown === undefined) return;
  throw answerWith(400, {
    code: "PGRST127",
    message: "Feature not implemented",
    details: `The local stack has no filter ${unknown.slice(1)} on a part of a JSON column (${key}).`,
    hint: null,
  });
}

/** `a->b` is JSON, `a->>b` is text. */
function jsonType(key: string, columns: ReadonlyMap<string, string>): string | undefined {
  const lastArrow = key.match(/.*->(>?)/s)?.[1];
  if (lastArrow === ">") return undefined;
  return lastArrow === "" ? "jsonb" : columns.get(key);
}

const COMPARING = new Set(["$eq", "$neq", "$gt", "$gte", "$lt", "$lte", "$contains", "$containedBy", "$in", "$notIn"]);

function readOperators(operators: Where, type: string): Where {
  return Object.fromEntries(
    Object.entries(operators).map(([operator, value]) => {
      if (operator === "$not") return [operator, readOperators(value as Where, type)];
      return [operator, COMPARING.has(operator) ? readValue(value, type) : value];
    }),
  );
}

function readValue(value: unknown, type: string): unknown {
  if (Array.isArray(value)) return value.map((each) => readValue(each, type));
  return typeof value === "string" ? asJson(value, type) : value;
}

function asJson(text: string, type: string): RawBuilder<unknown> {
  return sql`${text}::text::${sql.raw(type)}`;
}
