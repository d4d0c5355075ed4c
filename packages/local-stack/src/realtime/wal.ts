import type { Pgoutput } from "pg-logical-replication";
import type { ChangeKind } from "./subscriptions.ts";

/** Column values as Postgres wrote them; a missing key means the value was not in the log (unchanged TOAST). */
export type Tuple = Record<string, string | null | undefined>;

/** The transaction that a message belongs to. */
export interface Commit {
  transaction: number;
  /** UTC, in milliseconds. */
  at: string;
}

export interface Change {
  kind: ChangeKind;
  relation: Pgoutput.MessageRelation;
  transaction: number;
  /** Commit time, UTC, in milliseconds. */
  committedAt: string;
  /** The new row of an INSERT or UPDATE. */
  record: Tuple | null;
  /** The replica identity of the row before an UPDATE or DELETE; null when it is part of `record`. */
  identity: Tuple | null;
  oversized: boolean;
}

type RowMessage = Pgoutput.MessageInsert | Pgoutput.MessageUpdate | Pgoutput.MessageDelete;

/** The hosted limit of one change; larger ones lose their long values. */
const MAX_CHANGE_BYTES = 1024 * 1024;

const KINDS = { insert: "INSERT", update: "UPDATE", delete: "DELETE" } as const;

export function isRowMessage(message: Pgoutput.Message): message is RowMessage {
  return message.tag in KINDS;
}

export function toChange(message: RowMessage, commit: Commit): Change {
  const record: Tuple | null = message.tag === "delete" ? null : message.new;
  const identity: Tuple | null = message.tag === "insert" ? null : (message.old ?? message.key);
  return {
    kind: KINDS[message.tag],
    relation: message.relation,
    transaction: commit.transaction,
    committedAt: commit.at,
    record,
    identity,
    oversized: byteLength(record) + byteLength(identity) > MAX_CHANGE_BYTES,
  };
}

/** Text of `n` UTF-16 units has at least `n` bytes, so only long rows are measured exactly. */
function byteLength(tuple: Tuple | null): number {
  const values = Object.values(tuple ?? {}).filter((value) => typeof value === "string");
  const units = values.reduce((sum, value) => sum + value.length, 0);
  return units * 3 < MAX_CHANGE_BYTES ? units : values.reduce((sum, value) => sum + Buffer.byteLength(value), 0);
}

/** Microseconds since 1970, as the log has them, to the ISO form with milliseconds that clients get. */
export function commitTimestamp(microseconds: bigint): string {
  return new Date(Number(microseconds / 1000n)).toISOString();
}
