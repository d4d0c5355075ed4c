import { z } from "zod";
import type { Db } from "../types.ts";
import { json, parseOne, parseRow } from "./rows.ts";

const stage = z.object({
  key: z.string(),
  label: z.string(),
  kind: z.enum(["open", "won", "lost", "on_hold"]),
  default_rate: z.number(),
  aliases: z.array(z.string()),
});

export const deal = z.object({
  id: z.string(),
  name: z.string(),
  client: z.string().nullable(),
  stage: z.string(),
  value: z.number().nullable(),
  currency: z.string(),
  /** Per cent. */
  probability: z.number(),
  close_date: z.string().nullable(),
  start_date: z.string().nullable(),
  duration: z.number().nullable(),
  opened_on: z.string(),
});

const edit = z.object({
  id: z.string(),
  kind: z.enum(["shift_start", "shift_close", "set_probability", "drop_deal", "add_deal", "add_people", "set_rates"]),
  deal_id: z.string().nullable(),
  payload: z.record(z.string(), z.json()),
  /** Why it does not count; null: it does. */
  skipped: z.string().nullable(),
});

const scenario = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string(),
  updated_at: z.string(),
  forecast_months: z.number(),
  seed: z.number().nullable(),
  conversion_rates: z.record(z.string(), z.number()),
  template_rates: z.record(z.string(), z.number()).nullable(),
  confidence_threshold: z.number().nullable(),
  /** Empty: all open deals. */
  deal_ids: z.array(z.string()),
  edits: z.array(edit),
});

const span = { start_date: z.string().nullable(), end_date: z.string().nullable() };

export const demand = z.object({
  id: z.string(),
  deal_id: z.string(),
  skill: z.string(),
  is_category: z.boolean(),
  level: z.string().nullable(),
  count: z.number(),
  percentage: z.number(),
  ...span,
  critical: z.boolean(),
  alternatives: z.array(z.string()),
  staffed: z.array(z.object({ ...span, percentage: z.number() })),
});

const supply = z.object({
  /** The primary one first. */
  skills: z.array(z.object({ skill: z.string(), category: z.string(), level: z.string().nullable() })),
  /** Free hours by week of the horizon, or by the stretches between `borders`; those without any are left out. */
  hours: z.array(z.tuple([z.number(), z.number()])),
});

export const calendar = z.object({
  hours: z.array(z.number()).length(7),
  holidays: z.array(z.object({ day: z.string(), share: z.number() })),
});

const inputs = z.object({
  as_of: z.string(),
  settings: z.object({
    currency: z.string(),
    exchange_rates: z.record(z.string(), z.number()),
    commit_from: z.number(),
    confidence_threshold: z.number(),
    min_deals: z.number(),
    prior_weight: z.number(),
    trust_deals: z.boolean(),
    client_correlation: z.number(),
    template_rates: z.record(z.string(), z.number()),
    hiring: z.object({ lead_weeks: z.number(), availability: z.number(), min_weeks: z.number() }),
  }),
  stages: z.array(stage),
  learned: z.array(
    z.object({
      stage: z.string(),
      rate: z.number(),
      n: z.number(),
      low: z.number(),
      high: z.number(),
      common_share: z.number(),
    }),
  ),
  scenarios: z.array(scenario),
  deals: z.array(deal),
  shifts: z.array(z.object({ stage: z.string(), days: z.number(), n: z.number() })),
  lives: z.array(
    z.object({
      landmark: z.string(),
      band: z.number(),
      days: z.number(),
      end: z.enum(["won", "lost", "open"]),
      n: z.number(),
    }),
  ),
  new_business: z
    .object({
      origins: z.number(),
      wins: z.array(
        z.object({
          turn: z.number(),
          month: z.number(),
          currency: z.string(),
          n: z.number(),
          total: z.number(),
          squares: z.number(),
        }),
      ),
    })
    .optional(),
  demands: z.array(demand).optional(),
  calendar: calendar.optional(),
  supply: z.array(supply).optional(),
  /** Where months are asked for: all Mondays and first days of months, and the day after the last week. */
  borders: z.array(z.string()).optional(),
});

/** Everything that a calculation reads, as it is hashed and kept. */
export type ForecastInputs = z.infer<typeof inputs>;
export type InputDeal = z.infer<typeof deal>;
export type InputScenario = z.infer<typeof scenario>;
export type InputEdit = z.infer<typeof edit>;
export type InputDemand = z.infer<typeof demand>;
export type InputSupply = z.infer<typeof supply>;

/** What is to be read; see private.forecast_inputs. */
export interface InputsAsk {
  as_of?: string;
  grain: "month" | "week";
  periods?: number;
  /** Also by month. */
  months?: number;
  pipeline_project_ids?: readonly string[];
  scenario_ids?: readonly string[];
  scenario_statuses?: readonly string[];
  work?: boolean;
  new_business?: boolean;
}

/** A workspace's own job reads as nobody (null). */
export async function readInputs(
  db: Db,
  workspace: string,
  actor: string | null,
  ask: InputsAsk,
): Promise<ForecastInputs> {
  const rows = await db.query("select private.forecast_inputs($1::uuid, $2::uuid, $3::text::jsonb) as inputs", [
    workspace,
    actor,
    json(ask),
  ]);
  return parseOne(z.object({ inputs }), rows, "forecast_inputs").inputs;
}

export async function requireRole(db: Db, workspace: string | null, role: string, actor: string): Promise<void> {
  await db.query("select private.require_role($1::uuid, $2::text, $3::uuid)", [workspace, role, actor]);
}

/** Seconds to wait; 0 is yes. */
export async function takeToken(db: Db, workspace: string): Promise<number> {
  const rows = await db.query("select private.forecast_take_token($1::uuid) as wait", [workspace]);
  return parseOne(z.object({ wait: z.number() }), rows, "forecast_take_token").wait;
}

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
