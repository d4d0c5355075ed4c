import type { Outcome } from "../../supabase/functions/_shared/planning/accuracy/metrics.ts";
import { type Day, monthStart } from "../../supabase/functions/_shared/planning/time/days.ts";
import { knownOn, lessonsOn, total } from "./asOf.ts";
import { type Baselines, baselinesOf } from "./baselines.ts";
import type { MavenDeal } from "./maven.ts";
import { predictQuarter } from "./predict.ts";

/** pipeline: what the deals open at the start of the quarter bring in it. all: also those that are entered later. */
export type Scope = "pipeline" | "all";
export const SCOPES: readonly Scope[] = ["pipeline", "all"];

export const LEVELS = ["total", "region", "product", "agent"] as const;
export type Level = (typeof LEVELS)[number];

/** One forecast and what came. Money in cents. */
export interface Trial extends Outcome {
  scope: Scope;
  level: Level;
  name: string;
  quarter: string;
  baselines: Baselines;
}

export interface Draws {
  runs: number;
  seed: number;
}

/** Every segment of a quarter, forecast from the deals that were known on its first day. */
export function trialsOf(
  deals: readonly MavenDeal[],
  quarter: string,
  day: Day,
  scope: Scope,
  draws: Draws,
  levels: readonly Level[] = LEVELS,
): Trial[] {
  const known = knownOn(deals, day);
  const lessons = lessonsOn(known, day);
  const came = deals.filter(
    (deal) => wonWithin(deal, day, monthStart(day, 3)) && (scope === "all" || deal.engaged < day),
  );
  const trial = (level: Level, name: string): Trial => {
    const here = (deal: MavenDeal) => level === "total" || deal[level] === name;
    const knownHere = known.filter(({ deal }) => here(deal));
    const { p10, p50, p90 } = predictQuarter(knownHere, lessons, day, { ...draws, newBusiness: scope === "all" }).total;
    const actual = total(came.filter(here).map(({ value }) => value));
    return {
      scope,
      level,
      name,
      quarter,
      p10,
      p50,
      p90,
      actual,
      baselines: baselinesOf(knownHere, lessons, day, scope),
    };
  };
  return levels.flatMap((level) =>
    namesOf(
      level,
      known.map(({ deal }) => deal),
    ).map((name) => trial(level, name)),
  );
}

function wonWithin({ end, closed }: MavenDeal, from: Day, to: Day): boolean {
  return end === "won" && closed !== null && closed >= from && closed < to;
}

function namesOf(level: Level, deals: readonly MavenDeal[]): string[] {
  return level === "total" ? ["all"] : [...new Set(deals.map((deal) => deal[level]))].sort();
}
