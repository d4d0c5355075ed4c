import type { Connection } from "jsforce/lib/connection.js";
import { z } from "zod";
import { malformed } from "../errors.ts";
import { call } from "./connection.ts";
import { CRM } from "./errors.ts";

export type Row = Record<string, unknown>;

export interface QueryPage {
  rows: Row[];
  total: number;
  /** null: that was all. */
  locator: string | null;
}

const page = z.object({
  totalSize: z.number().int().nonnegative(),
  done: z.boolean(),
  nextRecordsUrl: z.string().optional(),
  records: z.array(z.custom<Row>((row) => typeof row === "object" && row !== null)),
});

/** Page by page, by hand: the library's automatic fetching stops at 10,000 rows without a word. */
export async function firstPage(
  connection: Connection,
  soql: string,
  options: { includeDeleted?: boolean; pageSize?: number } = {},
): Promise<QueryPage> {
  const headers = options.pageSize ? { "Sforce-Query-Options": `batchSize=${clamp(options.pageSize)}` } : undefined;
  return readPage(
    await call(() => connection.query(soql, { autoFetch: false, scanAll: options.includeDeleted ?? false, headers })),
  );
}

export async function nextPage(connection: Connection, locator: string): Promise<QueryPage> {
  return readPage(await call(() => connection.queryMore(locator)));
}

/** Everything at once: for short lists only. */
export async function queryAll(
  connection: Connection,
  soql: string,
  options: { includeDeleted?: boolean } = {},
): Promise<Row[]> {
  let current = await firstPage(connection, soql, options);
  const rows = [...current.rows];
  while (current.locator !== null) {
    current = await nextPage(connection, current.locator);
    rows.push(...current.rows);
  }
  return rows;
}

/** `done: false` without a way on would drop the rest silently, so it counts as unreadable. */
function readPage(answer: unknown): QueryPage {
  const result = page.safeParse(answer);
  if (!result.success) throw malformed(CRM, z.prettifyError(result.error));
  const { totalSize, done, nextRecordsUrl, records } = result.data;
  const locator = done ? null : (nextRecordsUrl?.split("/").pop() ?? "");
  if (locator === "") throw malformed(CRM, "a page that is not the last one has no link to the next");
  return { rows: records, total: totalSize, locator };
}

function clamp(size: number): number {
  return Math.min(2000, Math.max(200, Math.round(size)));
}
