import { z } from "zod";
import type { Db } from "../types.ts";
import { shownMessage } from "./message.ts";
import { json, parseOne, parseRow } from "./rows.ts";
import type { RunRef } from "./run.ts";

const merged = z.object({
  created: z.number(),
  updated: z.number(),
  unchanged: z.number(),
  deleted: z.number(),
  failed: z.number(),
  conflicts: z.number(),
});

export type MergeCounts = z.infer<typeof merged>;

const deletionsRead = z.object({ readAt: z.string(), calls: z.number(), upTo: z.string() });
const highWater = z.object({ modified_at: z.string(), id: z.string(), deletions: deletionsRead.optional() });

export type StoredHighWater = z.infer<typeof highWater>;

export interface MergePage {
  entity: string;
  records: readonly object[];
  rejected: readonly { message: string }[];
  /** null: fetched by name. */
  checkpoint: object | null;
  /** Kept for the next incremental run once the entity is done. */
  cursor: StoredHighWater | null;
}

/** One page, one transaction: records, links, conflicts, errors, journal, counts, checkpoint and progress. */
export function mergePage(db: Db, run: RunRef, page: MergePage): Promise<MergeCounts> {
  return sendPage(db, "private.crm_merge_page", run, page);
}

/** Merging and planning take the same page. */
export async function sendPage(
  db: Db,
  verb: "private.crm_merge_page" | "private.crm_plan_page",
  run: RunRef,
  page: MergePage,
): Promise<MergeCounts> {
  const rows = await db.query<{ result: unknown }>(
    `select ${verb}($1::uuid, $2::text::bigint, $3::text, $4::text::jsonb, $5::text::jsonb,
                                   $6::text::jsonb, $7::text::jsonb) as result`,
    [
      run.operation,
      run.fence,
      page.entity,
      json(page.records),
      json(page.rejected.map((one) => ({ ...one, message: shownMessage(one.message) }))),
      page.checkpoint === null ? null : json(page.checkpoint),
      page.cursor === null ? null : json(page.cursor),
    ],
  );
  return parseOne(z.object({ result: merged }), rows, verb).result;
}

/** Where the last finished run of this entity stopped; null means read everything. */
export async function incrementalCursor(db: Db, config: string, entity: string): Promise<StoredHighWater | null> {
  const rows = await db.query<{ cursor: unknown }>(
    "select private.crm_incremental_cursor($1::uuid, $2::text) as cursor",
    [config, entity],
  );
  return parseRow(highWater.nullable(), rows[0]?.cursor ?? null, "crm_incremental_cursor");
}

export async function wasLinked(db: Db, { operation }: RunRef, entity: string): Promise<boolean> {
  const rows = await db.query<{ was_linked: unknown }>(
    "select private.crm_was_linked($1::uuid, $2::text) as was_linked",
    [operation, entity],
  );
  return parseRow(z.boolean(), rows[0]?.was_linked, "crm_was_linked");
}

export interface OwnerRow {
  crm_user_id: string;
  email: string | null;
  name: string;
}

export async function upsertOwners(db: Db, config: string, owners: readonly OwnerRow[]): Promise<void> {
  await db.query("select private.crm_upsert_owners($1::uuid, $2::text::jsonb)", [config, json(owners)]);
}
