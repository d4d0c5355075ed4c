import type { Connection } from "jsforce/lib/connection.js";
import { z } from "zod";
import { CrmFailure, type EntityType, type HighWater, type ReadPage, type ReadRequest } from "../contract.ts";
import { OBJECTS } from "./objects.ts";
import { firstPage, nextPage, type QueryPage } from "./query.ts";
import { columns, toRecord } from "./records.ts";
import { dateTime, text } from "./soql.ts";

/**
 * Rows in order of (SystemModstamp, Id). The stamp has whole seconds, so ties are normal and every comparison includes
 * them; a transaction may become visible after a later stamp was read, hence the overlap.
 */
export const OVERLAP_MS = 5 * 60_000;

/** The locator is Salesforce's own place in the result; the stamp and id take over when it is lost. */
const cursorSchema = z.object({
  locator: z.string().nullable(),
  modifiedAt: z.string().nullable(),
  id: z.string().nullable(),
  total: z.number().nullable(),
});
type Cursor = z.infer<typeof cursorSchema>;

interface Selection {
  known: ReadonlySet<string>;
  entity: EntityType;
  since: HighWater | null;
}

export async function readPage(
  connection: Connection,
  request: ReadRequest,
  known: ReadonlySet<string>,
): Promise<ReadPage> {
  const { entity, since, fields } = request;
  const cursor = request.cursor === null ? null : cursorSchema.parse(request.cursor);
  const page = await fetchPage(connection, request, cursor, { known, entity, since });
  const records = page.rows.map((row) =>
    toRecord(
      row,
      entity,
      fields.filter((field) => known.has(field)),
    ),
  );
  const last = records.at(-1);
  const total = cursor?.total ?? page.total;
  const next: Cursor = {
    locator: page.locator,
    modifiedAt: last?.modifiedAt ?? cursor?.modifiedAt ?? null,
    id: last?.id ?? cursor?.id ?? null,
    total,
  };
  return {
    records,
    next: page.locator === null ? null : next,
    total,
    highWater: next.modifiedAt !== null && next.id !== null ? { modifiedAt: next.modifiedAt, id: next.id } : since,
    missingFields: fields.filter((field) => !known.has(field)),
  };
}

async function fetchPage(
  connection: Connection,
  request: ReadRequest,
  cursor: Cursor | null,
  selection: Selection,
): Promise<QueryPage> {
  if (cursor?.locator != null) {
    try {
      return await nextPage(connection, cursor.locator);
    } catch (error) {
      if (!isLostLocator(error)) throw error;
    }
  }
  const soql = selectSoql(selection, request.fields, cursor);
  return firstPage(connection, soql, { includeDeleted: request.since !== null, pageSize: request.pageSize });
}

/** Locators expire after two days, and the oldest goes when a user has too many open. */
function isLostLocator(error: unknown): boolean {
  return error instanceof CrmFailure && error.detail.code === "INVALID_QUERY_LOCATOR";
}

export function selectSoql(selection: Selection, fields: readonly string[], after: Cursor | null): string {
  const where = whereClause(selection.since, after);
  return [
    `SELECT ${columns(selection, fields, selection.since !== null).join(", ")}`,
    `FROM ${OBJECTS[selection.entity].name}`,
    ...(where === "" ? [] : [`WHERE ${where}`]),
    "ORDER BY SystemModstamp, Id",
  ].join(" ");
}

export function countSoql(entity: EntityType, since: HighWater | null): string {
  const where = whereClause(since, null);
  return `SELECT COUNT() FROM ${OBJECTS[entity].name}${where === "" ? "" : ` WHERE ${where}`}`;
}

function whereClause(since: HighWater | null, after: Cursor | null): string {
  if (after?.modifiedAt != null && after.id !== null) {
    const stamp = dateTime(after.modifiedAt);
    return `(SystemModstamp > ${stamp} OR (SystemModstamp = ${stamp} AND Id > ${text(after.id)}))`;
  }
  return since === null ? "" : `SystemModstamp >= ${dateTime(Date.parse(since.modifiedAt) - OVERLAP_MS)}`;
}
