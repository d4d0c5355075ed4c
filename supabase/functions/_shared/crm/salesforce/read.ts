import type { Connection } from "jsforce/lib/connection.js";
import { z } from "zod";
import { CrmFailure, type EntityType, type HighWater, type ReadPage, type ReadRequest } from "../contract.ts";
import { filteredPage } from "../filteredRead.ts";
import type { SoqlFilter } from "./filter.ts";
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
  again?: boolean;
  filter?: SoqlFilter;
}

export function readPage(
  connection: Connection,
  request: ReadRequest,
  known: ReadonlySet<string>,
  filter?: SoqlFilter,
): Promise<ReadPage> {
  return filteredPage(request, filter, (wanted) => readWhole(connection, wanted, known, filter));
}

async function readWhole(
  connection: Connection,
  request: ReadRequest,
  known: ReadonlySet<string>,
  filter?: SoqlFilter,
): Promise<ReadPage> {
  const { entity, since, again, fields } = request;
  const cursor = request.cursor === null ? null : cursorSchema.parse(request.cursor);
  const page = await fetchPage(connection, request, cursor, { known, entity, since, again, filter });
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
  return firstPage(connection, soql, { includeDeleted: includesDeleted(request), pageSize: request.pageSize });
}

/** Locators expire after two days, and the oldest goes when a user has too many open. */
function isLostLocator(error: unknown): boolean {
  return error instanceof CrmFailure && error.detail.code === "INVALID_QUERY_LOCATOR";
}

export function selectSoql(selection: Selection, fields: readonly string[], after: Cursor | null): string {
  const where = whereClause(selection, after, selection.filter);
  return [
    `SELECT ${columns(selection, fields, includesDeleted(selection)).join(", ")}`,
    `FROM ${OBJECTS[selection.entity].name}`,
    ...(where === "" ? [] : [`WHERE ${where}`]),
    "ORDER BY SystemModstamp, Id",
  ].join(" ");
}

export function countSoql(entity: EntityType, since: HighWater | null, filter?: SoqlFilter): string {
  const where = whereClause({ since }, null, filter);
  return `SELECT COUNT() FROM ${OBJECTS[entity].name}${where === "" ? "" : ` WHERE ${where}`}`;
}

type Stretch = Pick<ReadRequest, "since" | "again">;

function includesDeleted({ since, again = false }: Stretch): boolean {
  return since !== null || again;
}

/** A deletion is news whatever the record was like. */
function whereClause(stretch: Stretch, after: Cursor | null, filter?: SoqlFilter): string {
  const place = placeClause(stretch.since, after);
  if (filter === undefined || filter.where === null) return place;
  const wanted = includesDeleted(stretch) ? `(${filter.where} OR IsDeleted = true)` : filter.where;
  return place === "" ? wanted : `${place} AND ${wanted}`;
}

function placeClause(since: HighWater | null, after: Cursor | null): string {
  if (after?.modifiedAt != null && after.id !== null) {
    const stamp = dateTime(after.modifiedAt);
    return `(SystemModstamp > ${stamp} OR (SystemModstamp = ${stamp} AND Id > ${text(after.id)}))`;
  }
  return since === null ? "" : `SystemModstamp >= ${dateTime(Date.parse(since.modifiedAt) - OVERLAP_MS)}`;
}
