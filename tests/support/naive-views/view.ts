import type { TransactionSql } from "postgres";
import { PERIODS, type Period, type Records } from "../naive-analytics.ts";

export type Rows = Record<string, unknown>;

/** A view of the analytics, and the same worked out naively from the records. */
export interface View {
  view: string;
  key: string;
  columns: string;
  naive: (records: Records) => Rows;
}

export const periods = Object.keys(PERIODS) as Period[];
export const CURRENCIES = ["EUR", "USD"];

/** Rows of a view under a key of some of its columns; numbers as numbers. */
export async function shown(
  sql: TransactionSql,
  workspace: string,
  view: string,
  key: string,
  columns: string,
): Promise<Rows> {
  const rows = await sql.unsafe<{ key: string; value: unknown }[]>(
    `select concat_ws('|', ${key}) as key, to_jsonb(v) as value from public.${view} v where workspace_id = $1`,
    [workspace],
  );
  const named = columns.split(",").map((name) => name.trim());
  return Object.fromEntries(
    rows.map(({ key, value }) => [key, Object.fromEntries(named.map((name) => [name, (value as Rows)[name]]))]),
  );
}
