import { z } from "zod";
import type { Db } from "../types.ts";
import { json, parseOne } from "./rows.ts";

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

export const inputs = z.object({
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
