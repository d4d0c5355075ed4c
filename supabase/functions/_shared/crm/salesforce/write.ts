import type { Connection } from "jsforce/lib/connection.js";
import {
  assertBatchSize,
  failed,
  forOneRecord,
  inRounds,
  knowingSome,
  type Sending,
  sendInParts,
  sendRounds,
  withLeft,
  written,
} from "../batch.ts";
import {
  type CreateRequest,
  type CrmError,
  CrmFailure,
  type DeleteRequest,
  type EntityType,
  type RecordWrite,
  type UpdateRequest,
  type WriteResult,
} from "../contract.ts";
import { failure, statusOf } from "../errors.ts";
import type { KnownFields } from "../fieldCache.ts";
import { call } from "./connection.ts";
import { CRM } from "./errors.ts";
import { rowsByIds } from "./fetch.ts";
import { id18 } from "./ids.ts";
import { OBJECTS } from "./objects.ts";
import { createdRow, deletedRow, type ReadRow, readRows, updatedRow } from "./rowResults.ts";
import { byParent, leftOut, toRow } from "./rows.ts";

/** Collections: up to 200 rows in one call, each of which succeeds or fails for itself. */
export const BATCH = { fetch: 200, write: 200 };

/** Rows of one parent lock it: two writes at once would make each other's rows fail. */
export const AT_ONCE = { batches: 2, writes: 1 };

const OPTIONS = { allOrNone: false };

type Update = UpdateRequest["writes"][number];

export interface Writing {
  connection: Connection;
  known: KnownFields;
  now: Date;
}

export async function createRecords(writing: Writing, request: CreateRequest): Promise<WriteResult[]> {
  const { entity, writes, externalIdField } = request;
  assertBatchSize(writes.length, BATCH.write, CRM);
  const { connection, known, now } = writing;
  const { name } = OBJECTS[entity];
  const rowsOf = (part: readonly RecordWrite[]) => part.map((write) => toRow(entity, write, known.names));
  const read = createdRow(name, now);
  const create = sending<RecordWrite>((part) => connection.create(name, rowsOf(part), OPTIONS), read);
  const told = (results: readonly WriteResult[]) =>
    withLeft(results, writes, (write) => leftOut(entity, write, known.names));
  if (externalIdField === undefined) return told(await sendInParts(byParent(writes), create));
  const upsert = sending<RecordWrite>((part) => connection.upsert(name, rowsOf(part), externalIdField, OPTIONS), read);
  const ours = ({ fields }: RecordWrite) => String(fields[externalIdField] ?? "");
  const marked = byParent(writes.filter((write) => ours(write) !== ""));
  const bare = byParent(writes.filter((write) => ours(write) === ""));
  const results = await sendRounds(inRounds(marked, ours), upsert);
  return told([...results, ...(await after(results, bare, create))]);
}

export async function updateRecords(writing: Writing, { entity, writes }: UpdateRequest): Promise<WriteResult[]> {
  assertBatchSize(writes.length, BATCH.write, CRM);
  const { connection, known, now } = writing;
  const { name } = OBJECTS[entity];
  const writable = new Set([...known.names].filter((field) => !known.readOnly.has(field)));
  const rowOf = (write: Update) => ({ ...toRow(entity, write, writable), Id: write.id });
  const changes = (write: Update) => Object.keys(rowOf(write)).length > 1;
  const update = sending<Update>((part) => connection.update(name, part.map(rowOf), OPTIONS), updatedRow(now));
  const rounds = inRounds(byParent(writes.filter(changes)), (write) => id18(write.id));
  const results = await sendRounds(rounds, update);
  const unchanged = writes.filter((write) => !changes(write)).map(({ key, id }) => written(key, id));
  const all = [...unchanged, ...(await withoutFalseAlarms(connection, entity, results))];
  return withLeft(all, writes, (write) => leftOut(entity, write, writable));
}

export async function deleteRecords({ connection, now }: Writing, request: DeleteRequest): Promise<WriteResult[]> {
  assertBatchSize(request.ids.length, BATCH.write, CRM);
  const { name } = OBJECTS[request.entity];
  return sendInParts([...new Set(request.ids)], {
    send: async (part) =>
      readRows(await call(() => connection.destroy(name, [...part], OPTIONS)), part, deletedRow(now)),
    refused: (id, error) => failed(id, error, id),
    blamesRecords,
  });
}

function sending<W extends { key: string; id?: string }>(
  send: (part: readonly W[]) => PromiseLike<unknown>,
  read: ReadRow<W>,
): Sending<W> {
  return {
    send: async (part) => readRows(await call(() => send(part)), part, read),
    refused: ({ key, id }, error) => failed(key, error, id ?? null),
    blamesRecords,
  };
}

/** A failure of what follows must not hide what is known already. */
function after<W>(results: readonly WriteResult[], writes: readonly W[], how: Sending<W>): Promise<WriteResult[]> {
  const send = () => sendInParts(writes, how);
  return results.length === 0 ? send() : knowingSome(writes, how, send);
}

/** A kind of record that the user cannot see is no fault of a row. */
function blamesRecords(error: CrmError): boolean {
  return error.kind === "rejected" && error.code !== "INVALID_TYPE" && statusOf(error) === 400;
}

/** "Deleted" may be said of a relation, without a word about which: what is still there is not gone. */
async function withoutFalseAlarms(
  connection: Connection,
  entity: EntityType,
  results: readonly WriteResult[],
): Promise<WriteResult[]> {
  const alarms = results.filter((result) => result.outcome === "gone");
  if (alarms.length === 0) return [...results];
  try {
    const rows = await rowsByIds(
      connection,
      entity,
      alarms.map(({ id }) => id ?? ""),
      ["Id", "IsDeleted"],
    );
    const alive = new Set(rows.filter((row) => row.IsDeleted === false).map((row) => id18(String(row.Id))));
    return results.map((result) => (alive.has(id18(result.id ?? "")) ? relationGone(result) : result));
  } catch (error) {
    if (!(error instanceof CrmFailure)) throw error;
    return results.map((result) =>
      result.outcome === "gone" ? failed(result.key, forOneRecord(error.detail), result.id) : result,
    );
  }
}

function relationGone(result: WriteResult): WriteResult {
  if (result.outcome !== "gone") return result;
  const { detail } = failure(
    "rejected",
    "INVALID_CROSS_REFERENCE_KEY",
    "Salesforce does not find what the record is linked to: a company, a contact or an owner. Choose another one and try again.",
  );
  return failed(result.key, detail, result.id);
}
