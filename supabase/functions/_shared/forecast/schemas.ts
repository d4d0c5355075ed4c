import { z } from "zod";
import { parseDay } from "../planning/time/days.ts";
import { MAX_PERIODS } from "../planning/time/periods.ts";

/** Bodies of pipeline-forecast. How many runs a person may ask for depends on who they are: limits.ts. */

/** To the year 2199, as the days of deals. */
const LAST_DAY = "2199-12-31";
const day = z
  .string()
  .refine((text) => parseDay(text) !== null && text <= LAST_DAY, `A day is written as 2026-11-21, until ${LAST_DAY}.`);
/** No control characters, and no half of a character: the database keeps neither. */
const name = z
  .string()
  .trim()
  .min(1)
  .max(255)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, "A name has letters, digits and signs only.");
const share = z.number().min(0).max(1);
const currencyCode = z.string().regex(/^[A-Z]{3}$/, "A currency is three capital letters, such as EUR.");
const ids = z.array(z.uuid()).min(1).max(1_000);
const rates = z.record(z.string().min(1).max(100), share);
const months = z.int().min(1).max(MAX_PERIODS.month);

const about = { workspace_id: z.uuid() };

/** What decides the digits besides the deals. */
const drawing = {
  runs: z.int().min(1).default(10_000),
  /** Left out, it follows from the inputs, so that the same question has the same answer. */
  seed: z.int().min(0).max(0xffff_ffff).nullable().default(null),
  /** Deals of one client are won and lost together more often. */
  correlate_clients: z.boolean().default(false),
  /** Also deals that nobody has entered yet. */
  include_new_business: z.boolean().default(false),
  /** Deals below this probability are left out; null: as the workspace is set. */
  confidence_threshold: share.nullable().default(null),
  currency: currencyCode.nullable().default(null),
  /** What one unit is worth in the currency of the forecast, before the workspace's own rates. */
  exchange_rates: z.record(currencyCode, z.number().positive().max(1e9)).default({}),
  /** The day that counts as today; null: today in the workspace's time zone. */
  as_of: day.nullable().default(null),
};

/** Whether the answer waits for the result, as far as the calculation is small enough. */
const waiting = { wait: z.boolean().default(true) };

const span = {
  grain: z.enum(["month", "week"]).default("month"),
  /** null: as far as the scenario looks, else twelve months. */
  periods: z.int().min(1).max(MAX_PERIODS.week).nullable().default(null),
};
const inReach = ({ grain, periods }: { grain: "month" | "week"; periods: number | null }) =>
  (periods ?? 1) <= MAX_PERIODS[grain];
const tooFar = { path: ["periods"], error: "A forecast covers 1 to 60 months or 1 to 260 weeks." };

export const forecastInput = z
  .strictObject({
    ...about,
    ...drawing,
    ...waiting,
    ...span,
    scenario_id: z.uuid().nullable().default(null),
    pipeline_project_ids: ids.nullable().default(null),
    conversion_rates: rates.default({}),
  })
  .refine(inReach, tooFar);

export const whatIfInput = z
  .strictObject({
    ...about,
    ...drawing,
    ...waiting,
    ...span,
    pipeline_project_ids: ids.nullable().default(null),
    conversion_scenarios: z
      .array(z.strictObject({ name, conversion_rates: rates }))
      .min(1)
      .max(10)
      .nullable()
      .default(null),
    scenario_ids: z.array(z.uuid()).min(1).max(10).nullable().default(null),
    /** What the others are compared with: the pipeline as it is, or the first of the list. */
    compare_with: z.enum(["pipeline", "first"]).default("pipeline"),
  })
  .refine(inReach, tooFar)
  .refine((input) => (input.conversion_scenarios === null) !== (input.scenario_ids === null), {
    path: ["conversion_scenarios"],
    error: "Give conversion_scenarios or scenario_ids, one of them.",
  });

export const resourceForecastInput = z.strictObject({
  ...about,
  ...waiting,
  grain: z.enum(["week", "month"]).default("week"),
  /** True: only active scenarios count; false: drafts too. */
  include_active_scenarios_only: z.boolean().default(true),
  forecast_months: months.default(12),
  confidence_threshold: drawing.confidence_threshold,
  group_by: z.enum(["skill", "skill_level"]).default("skill"),
  runs: drawing.runs,
  seed: drawing.seed,
  correlate_clients: drawing.correlate_clients,
  as_of: drawing.as_of,
});

export const availabilityInput = z.strictObject({
  ...about,
  pipeline_project_ids: z.array(z.uuid()).min(1).max(100),
});

export const candidatesInput = z.strictObject({ demand_id: z.uuid(), limit: z.int().min(1).max(100).default(20) });

/** From the database's dispatcher: one thing to do. */
export const workInput = z.strictObject({
  run_id: z.uuid().optional(),
  availability: z.uuid().optional(),
  daily: z.uuid().optional(),
});

export type ForecastInput = z.infer<typeof forecastInput>;
export type WhatIfInput = z.infer<typeof whatIfInput>;
export type ResourceForecastInput = z.infer<typeof resourceForecastInput>;
export type AvailabilityInput = z.infer<typeof availabilityInput>;
export type CandidatesInput = z.infer<typeof candidatesInput>;
export type WorkInput = z.infer<typeof workInput>;
