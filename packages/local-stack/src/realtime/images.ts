import type { Pgoutput } from "pg-logical-replication";
import type { Sql } from "postgres";
import { filterSql, quoteIdentifier } from "./filter-sql.ts";
import type { Filter } from "./filters.ts";
import type { TableFacts } from "./table-facts.ts";
import type { Tuple } from "./wal.ts";

/** A logged row as JSON, and which of the filter sets it passes. */
export interface Image {
  json: string;
  /** False when the log held only some columns; the others are null in `json`. */
  complete: boolean;
  present: (column: string) => boolean;
  passes: boolean[];
}

interface TypedColumn {
  name: string;
  type: string;
}

/**
 * Casts logged texts back to their types and lets Postgres evaluate filters and write JSON, in one query for all rows
 * of a table in a batch. Comparisons, collations and JSON forms are therefore those of the database.
 */
export async function renderImages(
  sql: Sql,
  relation: Pgoutput.MessageRelation,
  facts: TableFacts,
  tuples: Tuple[],
  filterSets: readonly (readonly Filter[])[],
): Promise<Image[]> {
  if (tuples.length === 0) return [];
  const columns = relation.columns.map(({ name, typeOid }) => ({ name, type: facts.typeNames[typeOid] ?? "text" }));
  const values: (string | null)[][] = columns.map(({ name }) => tuples.map((tuple) => tuple[name] ?? null));
  const { text, parameters } = imageQuery(columns, facts, filterSets);
  const rows = await sql.unsafe<{ position: number; json: string; passes: (boolean | null)[] }[]>(text, [
    ...values,
    ...parameters,
  ]);
  const byPosition = new Map(rows.map((row) => [row.position, row]));
  return tuples.map((tuple, index) => toImage(tuple, columns, facts, filterSets, byPosition.get(index + 1)));
}

function imageQuery(columns: TypedColumn[], facts: TableFacts, filterSets: readonly (readonly Filter[])[]) {
  const parameters: string[] = [];
  const bind = (value: string) => `$${columns.length + parameters.push(value)}`;
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  const generated = facts.columns.filter((column) => column.generated !== null && !types.has(column.name));
  for (const column of generated) types.set(column.name, column.sqlType);

  const conditions = filterSets.map((filters) =>
    filters.map((filter) => {
      const type = types.get(filter.column);
      return type === undefined ? "false" : filterSql(filter, `w.${quoteIdentifier(filter.column)}`, type, bind);
    }),
  );
  const sets = conditions.map((all) => `coalesce(${all.join(" and ") || "true"}, false)`);
  const text = `
    select u.__position::int as position, row_to_json(w)::text as json, array[${sets.join(", ")}]::boolean[] as passes
      from unnest(${columns.map((_, index) => `$${index + 1}::text[]`).join(", ")})
             with ordinality as u (${columns.map((_, index) => `__${index}`).join(", ")}, __position)
      cross join lateral (select ${columns.map(castColumn).join(", ")}) v
      cross join lateral (select ${["v.*", ...generated.map(generatedColumn)].join(", ")}) w`;
  return { text, parameters };
}

function castColumn(column: TypedColumn, index: number): string {
  return `u.__${index}::${column.type} as ${quoteIdentifier(column.name)}`;
}

/** The expression names columns of its own table only, and those are the columns of `v`. */
function generatedColumn(column: { name: string; generated: string | null }): string {
  return `(${column.generated}) as ${quoteIdentifier(column.name)}`;
}

function toImage(
  tuple: Tuple,
  columns: TypedColumn[],
  facts: TableFacts,
  filterSets: readonly (readonly Filter[])[],
  row: { json: string; passes: (boolean | null)[] } | undefined,
): Image {
  if (row === undefined) throw new Error("Postgres did not answer for every row of the batch.");
  const complete = columns.every(({ name }) => tuple[name] !== undefined);
  // Generated values are computed from the whole row, so with a part of it they are unknown too.
  const known = new Set(
    facts.columns.filter((column) => complete && column.generated !== null).map(({ name }) => name),
  );
  const present = (name: string) => known.has(name) || tuple[name] !== undefined;
  // A filter on a value that was not logged fails closed, as it does when hosted.
  const passes = filterSets.map((filters, index) =>
    complete || filters.every(({ column }) => present(column)) ? row.passes[index] === true : false,
  );
  return { json: row.json, complete, present, passes };
}
