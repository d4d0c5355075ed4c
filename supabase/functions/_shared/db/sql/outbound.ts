import { z } from "zod";
import type { Json } from "../../sync/json.ts";
import type { Db } from "../types.ts";
import { shownMessage } from "./message.ts";
import { json, parseOne, parseRow } from "./rows.ts";
import type { RunRef } from "./run.ts";

const dirty = z.object({ crm_id: z.string(), version: z.string() });

/** A CRM record that somebody named. The version is handed back: named again meanwhile, it stays. */
export type DirtyRow = z.infer<typeof dirty>;

const relations = z.partialRecord(z.enum(["$company", "$contact", "$owner"]), z.string().nullable());
const value: z.ZodType<Json> = z.json();

const item = z.object({
  /** Our record's id. */
  key: z.string(),
  version: z.string(),
  /** look_up: a create whose answer never came. */
  action: z.enum(["create", "update", "delete", "look_up"]),
  crm_id: z.string().nullable(),
  intent_at: z.string().nullable(),
  /** By app field, in the form the base has. */
  values: z.record(z.string(), value),
  /** Ids of the CRM. */
  relations,
  match: z.object({ email: z.string().nullish(), domain: z.string().nullish(), name: z.string().nullish() }),
  /** To be looked at in the CRM before it is written. */
  verify: z.boolean(),
  updated_at: z.string().nullable(),
});

const taken = z.object({ items: z.array(item), more: z.boolean() });

export type OutboundItem = z.infer<typeof item>;
/** more: as much was looked at as one call may, and there may be more behind it. */
export type Taken = z.infer<typeof taken>;
export type OutboundRelations = z.infer<typeof relations>;

export interface OutboundResult {
  key: string;
  version: string;
  action: OutboundItem["action"];
  /** missing: a look-up found nothing. The others are those of the CRM's answer. */
  outcome: "written" | "exists" | "gone" | "failed" | "missing";
  crm_id: string | null;
  /** What the CRM was really given, as ours has it. */
  sent: Readonly<Record<string, Json>>;
  relations: OutboundRelations;
  updated_at: string | null;
  /** The CRM's time of the write, where it says so. */
  modified?: string;
  /** Of what was sent, values that the CRM will show in another form: `crm` as reading brings it, `app` as ours has it. */
  shown?: Readonly<Record<string, { app: Json; crm: Json }>>;
  /** Fields that a record which was written went without. */
  problems?: readonly { code: string; message: string; field: string | null }[];
  error?: { kind: "transient" | "rejected"; code: string; message: string; field: string | null };
  retry_after_ms?: number;
}

const counts = z.object({
  created: z.number(),
  updated: z.number(),
  deleted: z.number(),
  failed: z.number(),
  linked: z.number(),
  retried: z.number(),
});

export type PushCounts = z.infer<typeof counts>;

export async function dueDirty(db: Db, run: RunRef, entity: string, limit: number): Promise<DirtyRow[]> {
  const rows = await db.query(
    "select crm_id, version from private.crm_due_dirty($1::uuid, $2::text::bigint, $3::text, $4::integer)",
    [run.operation, run.fence, entity, limit],
  );
  return rows.map((row) => parseRow(dirty, row, "crm_due_dirty"));
}

export async function settleDirty(db: Db, run: RunRef, entity: string, done: readonly DirtyRow[]): Promise<void> {
  await db.query("select private.crm_settle_dirty($1::uuid, $2::text::bigint, $3::text, $4::text::jsonb)", [
    run.operation,
    run.fence,
    entity,
    json(done),
  ]);
}

export async function beginPush(db: Db, run: RunRef, entity: string): Promise<number> {
  const rows = await db.query("select private.crm_begin_push($1::uuid, $2::text::bigint, $3::text) as due", [
    run.operation,
    run.fence,
    entity,
  ]);
  return parseOne(z.object({ due: z.number() }), rows, "crm_begin_push").due;
}

/** Exactly those of certain records, or the next that are due without those that are under way. */
export type WhichItems =
  | { records: readonly string[]; except?: never }
  | { records?: never; except?: readonly string[] };

/** A create's intent is on record once this has answered. */
export async function takeOutbound(
  db: Db,
  run: RunRef,
  entity: string,
  limit: number,
  { records, except }: WhichItems = {},
): Promise<Taken> {
  const rows = await db.query(
    `select private.crm_take_outbound($1::uuid, $2::text::bigint, $3::text, $4::integer, $5::text::uuid[],
            $6::text::uuid[]) as taken`,
    [run.operation, run.fence, entity, limit, uuids(records), uuids(except)],
  );
  return parseOne(z.object({ taken }), rows, "crm_take_outbound").taken;
}

function uuids(all: readonly string[] | undefined): string | null {
  return all === undefined ? null : `{${all.join(",")}}`;
}

export async function isUnchanged(db: Db, run: RunRef, entity: string, records: readonly object[]): Promise<boolean> {
  const rows = await db.query(
    "select private.crm_push_unchanged($1::uuid, $2::text::bigint, $3::text, $4::text::jsonb) as unchanged",
    [run.operation, run.fence, entity, json(records)],
  );
  return parseOne(z.object({ unchanged: z.boolean() }), rows, "crm_push_unchanged").unchanged;
}

export async function settleOutbound(
  db: Db,
  run: RunRef,
  entity: string,
  results: readonly OutboundResult[],
): Promise<PushCounts> {
  const rows = await db.query(
    "select private.crm_settle_outbound($1::uuid, $2::text::bigint, $3::text, $4::text::jsonb) as counts",
    [run.operation, run.fence, entity, json(results.map(presentable))],
  );
  return parseOne(z.object({ counts }), rows, "crm_settle_outbound").counts;
}

function presentable(result: OutboundResult): OutboundResult {
  const { error, problems } = result;
  return {
    ...result,
    ...(error === undefined ? {} : { error: { ...error, message: shownMessage(error.message) } }),
    ...(problems === undefined
      ? {}
      : { problems: problems.map((one) => ({ ...one, message: shownMessage(one.message) })) }),
  };
}
