import { z } from "zod";
import type { Db } from "../types.ts";
import { type ForecastInputs, inputs } from "./forecast.ts";
import { json, parseOne, parseRow } from "./rows.ts";

/** Runs of a forecast: begun, held while they draw, and kept. */

export type RunKind = "forecast" | "what_if" | "resource_forecast" | "daily";

export interface NewRun {
  workspace: string;
  actor: string | null;
  kind: RunKind;
  request: object;
  inputs: ForecastInputs;
  hash: string;
  version: number;
  seed: number;
  runs: number;
  /** For a worker instead of being calculated at once. */
  queued: boolean;
}

const begun = z.object({
  run_id: z.string(),
  status: z.enum(["queued", "running", "completed"]),
  reused: z.boolean(),
  /** A bigint, so text. Null: the run is not ours to calculate. */
  fence: z.string().nullable(),
});

export type BegunRun = z.infer<typeof begun>;

export async function beginRun(db: Db, run: NewRun, leaseSeconds: number): Promise<BegunRun> {
  const rows = await db.query(
    `select run_id, status, reused, fence::text as fence
       from private.forecast_begin($1::uuid, $2::uuid, $3::text, $4::text::jsonb, $5::text::jsonb, $6::text::date, $7::text, $8::integer,
                                   $9::text::bigint, $10::integer, $11::boolean, $12::integer)`,
    [
      run.workspace,
      run.actor,
      run.kind,
      json(run.request),
      json(run.inputs),
      run.inputs.as_of,
      run.hash,
      run.version,
      String(run.seed),
      run.runs,
      run.queued,
      leaseSeconds,
    ],
  );
  return parseOne(begun, rows, "forecast_begin");
}

const claimed = z.object({
  run_id: z.string(),
  workspace_id: z.string(),
  kind: z.enum(["forecast", "what_if", "resource_forecast", "daily"]),
  request: z.record(z.string(), z.json()),
  inputs,
  seed: z.coerce.number(),
  runs: z.number(),
  fence: z.string(),
});

export type ClaimedRun = z.infer<typeof claimed>;

/** null: it is in other hands, or there is nothing left to do. */
export async function claimRun(db: Db, run: string, leaseSeconds: number): Promise<ClaimedRun | null> {
  const [row] = await db.query(
    `select run_id, workspace_id, kind, request, inputs, seed::text as seed, runs, fence::text as fence
       from private.forecast_claim($1::uuid, $2::integer)`,
    [run, leaseSeconds],
  );
  return row === undefined ? null : parseRow(claimed, row, "forecast_claim");
}

/** Whose run it is; every verb but the first answers false to a fence that is not current. */
export interface HeldRun {
  id: string;
  fence: string;
}

const held = z.object({ held: z.boolean() });

export async function tellProgress(db: Db, run: HeldRun, progress: object, leaseSeconds: number): Promise<boolean> {
  const rows = await db.query(
    "select private.forecast_progress($1::uuid, $2::text::bigint, $3::text::jsonb, $4::integer) as held",
    [run.id, run.fence, json(progress), leaseSeconds],
  );
  return parseOne(held, rows, "forecast_progress").held;
}

export async function finishRun(db: Db, run: HeldRun, result: object, progress: object): Promise<boolean> {
  const rows = await db.query(
    "select private.forecast_finish($1::uuid, $2::text::bigint, $3::text::jsonb, $4::text::jsonb) as held",
    [run.id, run.fence, json(result), json(progress)],
  );
  return parseOne(held, rows, "forecast_finish").held;
}

export async function failRun(db: Db, run: HeldRun, code: string, message: string): Promise<boolean> {
  const rows = await db.query("select private.forecast_fail($1::uuid, $2::text::bigint, $3::text, $4::text) as held", [
    run.id,
    run.fence,
    code,
    message,
  ]);
  return parseOne(held, rows, "forecast_fail").held;
}

export interface Refusal {
  workspace: string;
  request: object;
  version: number;
  runs: number;
  code: string;
  message: string;
}

/** A daily forecast that cannot be made, where people see it. */
export async function refuseDaily(db: Db, refusal: Refusal): Promise<void> {
  const { workspace, request, version, runs, code, message } = refusal;
  await db.query(
    "select private.forecast_refuse_daily($1::uuid, $2::text::jsonb, $3::integer, $4::integer, $5::text, $6::text)",
    [workspace, json(request), version, runs, code, message],
  );
}

const kept = z.object({ result: z.record(z.string(), z.json()), seed: z.coerce.number() });

/** As it was calculated, by whoever. */
export async function keptResult(db: Db, run: string): Promise<z.infer<typeof kept>> {
  const rows = await db.query(
    `select k.result, r.seed::text as seed
       from public.pipeline_forecast_results k
       join public.pipeline_forecast_runs r on r.id = k.run_id
      where k.run_id = $1::uuid`,
    [run],
  );
  return parseOne(kept, rows, "pipeline_forecast_results");
}
