import { z } from "zod";
import { failed, forOneRecord, written } from "../batch.ts";
import type { WriteResult } from "../contract.ts";
import { malformed } from "../errors.ts";
import { CRM, classifyRow } from "./errors.ts";
import { id18 } from "./ids.ts";

const rowError = z.looseObject({
  statusCode: z.string(),
  message: z.string().nullish(),
  fields: z.array(z.string()).nullish(),
});
const rowResult = z.object({
  id: z.string().nullish(),
  success: z.boolean(),
  errors: z.array(rowError).nullish(),
});
type RowResult = z.infer<typeof rowResult>;
type RowError = z.infer<typeof rowError>;

/** What became of the row of one write. */
export type ReadRow<W> = (write: W, row: RowResult) => WriteResult;

/** The rows of an answer come in the order of the request. */
export function readRows<W>(answer: unknown, writes: readonly W[], read: ReadRow<W>): WriteResult[] {
  const rows = z.array(rowResult).safeParse(answer);
  if (!rows.success) throw malformed(CRM, z.prettifyError(rows.error));
  if (rows.data.length !== writes.length)
    throw malformed(CRM, `${rows.data.length} results of ${writes.length} writes`);
  return rows.data.map((row, at) => read(writes[at] as W, row));
}

export function createdRow(object: string, now: Date): ReadRow<{ key: string }> {
  return ({ key }, row) => {
    if (row.success) return written(key, idOf(row));
    const id = duplicateOf(row, object);
    return id === null ? refused(key, null, row, now) : { key, outcome: "exists", id };
  };
}

export function updatedRow(now: Date): ReadRow<{ key: string; id: string }> {
  return ({ key, id }, row) => {
    if (row.success) return written(key, id);
    return isGone(row) ? { key, outcome: "gone", id } : refused(key, id, row, now);
  };
}

/** What is gone needs no deletion any more. */
export function deletedRow(now: Date): ReadRow<string> {
  return (id, row) => (row.success || isGone(row) ? written(id, id) : refused(id, id, row, now));
}

const UNEXPLAINED: RowError = { statusCode: "UNKNOWN_EXCEPTION" };

function firstError(row: RowResult): RowError {
  return row.errors?.[0] ?? UNEXPLAINED;
}

function refused(key: string, id: string | null, row: RowResult, now: Date): WriteResult {
  const { statusCode, message, fields } = firstError(row);
  const error = classifyRow({ statusCode, message: message ?? "", fields: fields ?? [] }, now);
  return failed(key, forOneRecord(error), id);
}

function idOf({ id }: RowResult): string {
  if (!id) throw malformed(CRM, "a record was written, and its id is missing");
  return id18(id);
}

const GONE = new Set(["ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY"]);

/** The same codes speak of a relation that is gone; then they name its field, mostly. */
function isGone(row: RowResult): boolean {
  const { statusCode, fields } = firstError(row);
  return GONE.has(statusCode) && (fields ?? []).every((field) => field.toLowerCase() === "id");
}

const matches = z.object({
  matchResults: z.array(
    z.object({
      entityType: z.string().nullish(),
      matchRecords: z.array(z.object({ record: z.object({ Id: z.string() }) })),
    }),
  ),
});

/** The record that stands in the way, if the answer names exactly one of the same kind. */
function duplicateOf(row: RowResult, object: string): string | null {
  const error = firstError(row);
  const ids = error.statusCode === "DUPLICATE_VALUE" ? idsInText(error.message ?? "") : matchedIds(error, object);
  const [only] = ids;
  return only !== undefined && ids.size === 1 ? only : null;
}

/** "duplicate value found: Ext__c duplicates value on record with id: 001…" */
function idsInText(message: string): Set<string> {
  const found = message.matchAll(/\bid:?\s+([a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?)\b/g);
  return new Set([...found].map(([, id = ""]) => id18(id)));
}

/** A duplicate rule may match other kinds of records too, such as leads. */
function matchedIds(error: RowError, object: string): Set<string> {
  if (error.statusCode !== "DUPLICATES_DETECTED") return new Set();
  const parsed = matches.safeParse(error.duplicateResult);
  const same = (parsed.data?.matchResults ?? []).filter(({ entityType }) => (entityType ?? object) === object);
  return new Set(same.flatMap(({ matchRecords }) => matchRecords.map(({ record }) => id18(record.Id))));
}
