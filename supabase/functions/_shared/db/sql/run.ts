import { z } from "zod";
import type { Db } from "../types.ts";
import { dataType } from "./dataType.ts";
import { shownMessage } from "./message.ts";
import { json, parseRow } from "./rows.ts";

const entity = z.enum(["accounts", "contacts", "opportunities"]);

const mapping = z.object({
  entity_type: entity,
  crm_field: z.string(),
  app_field: z.string(),
  data_type: dataType,
  sync_direction: z.enum(["push", "pull", "bidirectional", "none"]),
  is_required: z.boolean(),
  transform_function: z.string().nullish(),
});

const stage = z.object({
  crm_pipeline_id: z.string(),
  crm_stage_id: z.string(),
  crm_stage_label: z.string().nullish(),
  stage_key: z.string(),
});

/** How a connection wants its records. */
export const connectionRules = z.object({
  mappings: z.array(mapping),
  stages: z.array(stage),
  settings: z.object({
    sync_rules: z.record(z.string(), z.unknown()).nullable(),
    conflict_resolution: z.string(),
    sync_direction: z.enum(["push", "pull", "bidirectional"]),
    /** The CRM's id of the person who connected, as owner of records. */
    crm_user: z.string().nullish(),
    /** What this run is limited to, per entity. */
    filters: z.record(z.string(), z.unknown()).nullish(),
    /** Of a limited run: it reads all that matches, not only what changed. */
    reads_all: z.boolean().optional(),
  }),
});

const claimed = connectionRules.extend({
  operation_id: z.string(),
  /** plan: show what a sync would do, and do nothing. */
  operation: z.enum(["sync", "import", "export", "plan", "undo"]),
  config_id: z.string(),
  workspace_id: z.string(),
  crm_provider: z.enum(["salesforce", "hubspot"]),
  environment: z.enum(["production", "sandbox"]),
  direction: z.enum(["bidirectional", "to_crm", "from_crm"]),
  entities: z.array(entity),
  /** What is left to do after the run's and the connection's direction, in this order. */
  phases: z.array(z.enum(["dirty", "pull", "push"])),
  /** A bigint, so text: it is only ever handed back. */
  fence: z.string(),
  slice: z.number(),
  checkpoint: z.record(z.string(), z.unknown()).nullable(),
});

export type Claim = z.infer<typeof claimed>;
export type ClaimMapping = z.infer<typeof mapping>;
export type ClaimStage = z.infer<typeof stage>;

/** Which run a verb speaks for. A stale fence makes the verb fail with PC007. */
export interface RunRef {
  operation: string;
  fence: string;
}

export type Outcome = "completed" | "partial" | "failed" | "paused";

export async function claim(
  db: Db,
  request: { operation: string | null; holder: string; leaseSeconds: number },
): Promise<Claim | null> {
  const [row] = await db.query(
    `select operation_id, operation, config_id, workspace_id, crm_provider, environment, direction, entities, phases, fence::text as fence,
            slice, checkpoint, mappings, stages, settings
       from private.crm_claim($1::uuid, $2::text, $3::integer)`,
    [request.operation, request.holder, request.leaseSeconds],
  );
  return row === undefined ? null : parseRow(claimed, row, "crm_claim");
}

export async function renew(db: Db, run: RunRef, leaseSeconds: number): Promise<void> {
  await db.query("select private.crm_renew($1::uuid, $2::text::bigint, $3::integer)", [
    run.operation,
    run.fence,
    leaseSeconds,
  ]);
}

/** Gives the lease back and starts the next slice. */
export async function handOver(db: Db, run: RunRef): Promise<void> {
  await db.query("select private.crm_yield($1::uuid, $2::text::bigint)", [run.operation, run.fence]);
}

/** A paused run goes on by itself at `resumeAt` (ISO), or when a person says so. */
export async function finish(
  db: Db,
  run: RunRef,
  outcome: Outcome,
  message: string | null,
  resumeAt?: string,
): Promise<void> {
  await db.query("select private.crm_finish($1::uuid, $2::text::bigint, $3::text, $4::text, $5::text::timestamptz)", [
    run.operation,
    run.fence,
    outcome,
    message === null ? null : shownMessage(message),
    resumeAt ?? null,
  ]);
}

export interface RunError {
  entity: string | null;
  kind: string;
  code: string;
  message: string;
}

export async function noteError(db: Db, run: RunRef, error: RunError): Promise<void> {
  await db.query("select private.crm_note_error($1::uuid, $2::text::bigint, $3::text, $4::text, $5::text, $6::text)", [
    run.operation,
    run.fence,
    error.entity,
    error.kind,
    error.code,
    shownMessage(error.message),
  ]);
}

/** Where a phase without pages has come to. */
export async function keepCheckpoint(db: Db, run: RunRef, checkpoint: object): Promise<void> {
  await db.query("select private.crm_keep_checkpoint($1::uuid, $2::text::bigint, $3::text::jsonb)", [
    run.operation,
    run.fence,
    json(checkpoint),
  ]);
}

/** How many records each entity has to read; null where the CRM does not tell. Progress needs it. */
export async function setTotals(db: Db, run: RunRef, totals: Record<string, number | null>): Promise<void> {
  await db.query("select private.crm_set_totals($1::uuid, $2::text::bigint, $3::text::jsonb)", [
    run.operation,
    run.fence,
    json(totals),
  ]);
}
