import type { ForecastInputs } from "../db/sql/forecast.ts";
import type { Correlation, NewBusiness } from "../planning/forecast/model.ts";
import { type Exchange, inReportingCurrency } from "../planning/forecast/money.ts";
import { type Cluster, COMMON_SHARE, commonShareOf, latentCorrelation } from "../planning/probability/clusters.ts";
import type { Outlooks } from "../planning/scenario/toModel.ts";
import { type Day, monthStart, parseDay } from "../planning/time/days.ts";
import type { Periods } from "../planning/time/periods.ts";
import { type FollowedLife, outlooksOf } from "../planning/timing/landmarks.ts";
import { type ShiftTable, tableOfShifts } from "../planning/timing/shifts.ts";

/** What the workspace's past says about when, how surely together, and what is not entered yet. */

/** Won deals of a stage from which on their delays speak for it; below, all stages together speak. */
const ENOUGH_DELAYS = 20;

/** Closed deals from which on the fate of earlier open deals is told to undated ones. */
const ENOUGH_LIVES = 20;

/** Bands of age of private.forecast_lives. */
const BAND_DAYS = 30;
const BANDS = 5;

/** How much a month's new business swings beyond chance. There is too little history to learn it. */
const NEW_BUSINESS_SWING = 0.2;

/** Client and market together leave something for the deal itself. */
const MOST_IN_COMMON = 0.95;

export function timingOf(shifts: ForecastInputs["shifts"]): Map<string, ShiftTable> {
  const byStage = new Map<string, number[]>([["", []]]);
  for (const { stage, days, n } of shifts) {
    const delays = Array.from({ length: n }, () => days);
    byStage.set(stage, [...(byStage.get(stage) ?? []), ...delays]);
    byStage.set("", [...(byStage.get("") ?? []), ...delays]);
  }
  const enough = [...byStage].filter(([, delays]) => delays.length >= ENOUGH_DELAYS);
  return new Map(enough.map(([stage, delays]) => [stage, tableOfShifts(delays)]));
}

/** null as long as too few of the deals that were followed have closed. */
export function outlooksOfLives(inputs: ForecastInputs, asOf: Day, periods: Periods): Outlooks | null {
  const closed = inputs.lives.filter(({ end }) => end !== "open").reduce((sum, { n }) => sum + n, 0);
  if (closed < ENOUGH_LIVES) return null;
  const lives = inputs.lives.map(
    ({ landmark, band, days, end, n }): FollowedLife => ({
      landmark: parseDay(landmark) ?? asOf,
      band,
      entered: 0,
      left: days,
      end,
      weight: n,
    }),
  );
  // Nobody was followed for longer than since the first landmark.
  const followed = Math.max(...lives.map(({ landmark }) => asOf - landmark));
  const daysAhead = Math.min(followed, (periods.starts[periods.count] as number) - asOf);
  const open = inputs.stages.filter(({ kind }) => kind === "open").map(({ default_rate }) => default_rate);
  const usual = open.reduce((sum, rate) => sum + rate, 0) / Math.max(1, open.length);
  const rules = {
    daysAhead,
    bandDays: BAND_DAYS,
    bands: BANDS,
    prior: { rate: usual, weight: inputs.settings.prior_weight },
    commonShare: commonShareOf(clustersOf(lives, daysAhead)),
  };
  return { bandDays: BAND_DAYS, byBand: outlooksOf(lives, rules) };
}

function clustersOf(lives: readonly FollowedLife[], daysAhead: number): Cluster[] {
  const clusters = new Map<Day, Cluster>();
  for (const { landmark, left, end, weight = 1 } of lives) {
    const { wins, trials } = clusters.get(landmark) ?? { wins: 0, trials: 0 };
    const won = end === "won" && left <= daysAhead ? weight : 0;
    clusters.set(landmark, { wins: wins + won, trials: trials + weight });
  }
  return [...clusters.values()];
}

/** How alike the deals of one time are, as the stages say, each with the weight of its deals. */
export function correlationOf({ learned, settings }: ForecastInputs, clients: boolean): Correlation {
  const trials = learned.reduce((sum, { n }) => sum + n, 0);
  const shared = learned.reduce((sum, { n, common_share }) => sum + n * common_share, 0);
  const market = latentCorrelation(trials === 0 ? COMMON_SHARE : shared / trials);
  return { market, client: clients ? Math.min(settings.client_correlation, MOST_IN_COMMON - market) : 0 };
}

/** Wins a month after up to three earlier days like today, spread over the days of each period. null: nobody watched. */
export function newBusinessOf(
  { new_business: past }: ForecastInputs,
  asOf: Day,
  periods: Periods,
  exchange: Exchange,
): NewBusiness | null {
  if (past === undefined || past.origins === 0) return null;
  const perMonth = new Map<number, number>();
  for (const { month, n } of past.wins) perMonth.set(month, (perMonth.get(month) ?? 0) + n / past.origins);
  const wins = Array.from({ length: periods.count }, (_, period) => {
    let expected = 0;
    const from = Math.max(asOf, periods.starts[period] as number);
    for (let day = from; day < (periods.starts[period + 1] as number); day++)
      expected += (perMonth.get(monthsBetween(asOf, day)) ?? 0) / (monthStart(day, 1) - monthStart(day));
    return expected;
  });
  return { wins, ...valuesOf(past.wins, exchange), swing: NEW_BUSINESS_SWING };
}

type PastWins = NonNullable<ForecastInputs["new_business"]>["wins"];

function valuesOf(past: PastWins, exchange: Exchange): Pick<NewBusiness, "meanValue" | "valueSpread"> {
  let [n, total, squares] = [0, 0, 0];
  for (const wins of past) {
    // Of a million, so that the rate keeps its digits.
    const cents = inReportingCurrency(1e6, wins.currency, exchange) / 1e6;
    n += wins.n;
    total += wins.total * cents;
    squares += wins.squares * cents ** 2;
  }
  const mean = total / Math.max(1, n);
  const variance = Math.max(0, squares / Math.max(1, n) - mean ** 2);
  return { meanValue: Math.round(mean), valueSpread: Math.round(Math.sqrt(variance)) };
}

function monthsBetween(from: Day, to: Day): number {
  const [a, b] = [from, to].map((day) => new Date(day * 86_400_000));
  if (a === undefined || b === undefined) return 0;
  return (b.getUTCFullYear() - a.getUTCFullYear()) * 12 + b.getUTCMonth() - a.getUTCMonth();
}
