import type { Connection } from "jsforce/lib/connection.js";
import type { CrmRecord, EntityType, FetchRequest } from "../contract.ts";
import { id15 } from "./ids.ts";
import { OBJECTS } from "./objects.ts";
import { queryAll, type Row } from "./query.ts";
import { columns, toRecord } from "./records.ts";
import { listsFor } from "./soql.ts";

/** Records by id, those in the recycle bin too; a loser of a merge lies there and names the winner. */
export async function fetchRecords(
  connection: Connection,
  { entity, ids, fields }: FetchRequest,
  known: ReadonlySet<string>,
): Promise<CrmRecord[]> {
  const readable = fields.filter((field) => known.has(field));
  const rows = await rowsByIds(connection, entity, ids, columns({ entity, known }, readable, true));
  return rows.map((row) => toRecord(row, entity, readable));
}

export async function rowsByIds(
  connection: Connection,
  entity: EntityType,
  ids: readonly string[],
  names: readonly string[],
): Promise<Row[]> {
  const start = `SELECT ${names.join(", ")} FROM ${OBJECTS[entity].name} WHERE Id IN (`;
  const rows: Row[] = [];
  for (const list of listsFor(start, ids.filter(isId).map(id15))) {
    rows.push(...(await queryAll(connection, `${start}${list})`, { includeDeleted: true })));
  }
  return rows;
}

/** Anything else in the list would make the query fail for all of them. */
function isId(id: string): boolean {
  return /^[a-zA-Z0-9]{15}([a-zA-Z0-9]{3})?$/.test(id);
}
