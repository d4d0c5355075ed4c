import type { Sql } from "postgres";
import { quoteIdentifier } from "./filter-sql.ts";
import { keyColumns, type TableFacts } from "./table-facts.ts";
import type { Tuple } from "./wal.ts";

/** Whose eyes a row is seen with. Subscribers with equal claims share one check. */
export interface Viewer {
  readonly role: string;
  readonly claimsText: string;
}

export interface CheckedTable {
  schema: string;
  name: string;
  facts: TableFacts;
}

/**
 * Which of the rows row level security lets the viewer see now: one query for all of them, run as the viewer's role
 * with the viewer's claims. Returns positions in `rows`.
 */
export async function visibleRows(sql: Sql, table: CheckedTable, viewer: Viewer, rows: Tuple[]): Promise<Set<number>> {
  if (rows.length === 0) return new Set();
  const keys = keyColumns(table.facts);
  const names = keys.map((_, index) => `k${index}`);
  const matches = keys.map((key, index) => `t.${quoteIdentifier(key.name)} = k.k${index}::${key.sqlType}`);
  const text = `
    select k.position::int as position
      from unnest(${names.map((_, index) => `$${index + 1}::text[]`).join(", ")})
             with ordinality as k (${names.join(", ")}, position)
     where exists (select from ${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)} t
                    where ${matches.join(" and ")})`;
  const values = keys.map((key) => rows.map((row) => row[key.name] ?? null));
  const [, visible] = await sql.begin((transaction) =>
    // Sent together, run in order.
    Promise.all([
      transaction`
        select set_config('role', ${viewer.role}, true), set_config('request.jwt.claims', ${viewer.claimsText}, true)`,
      transaction.unsafe<{ position: number }[]>(text, values, { prepare: true }),
    ]),
  );
  return new Set(visible.map((row) => row.position - 1));
}
