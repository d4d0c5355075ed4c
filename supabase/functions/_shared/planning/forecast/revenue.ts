import { PlanningError } from "../failure.ts";
import { type Percentiles, percentilesInPlace } from "../stats/quantile.ts";
import type { Draws } from "./drawDeal.ts";
import { type Driver, DriverRecorder } from "./drivers.ts";
import type { RevenueModel } from "./model.ts";
import { drawRevenue, type RevenueScratch, revenueScratch } from "./simulateRevenue.ts";

export interface RevenueForecast {
  periods: Percentiles[];
  /** Of the whole horizon: not the sum of the periods' percentiles, which would be too wide. */
  total: Percentiles;
  drivers: Driver[];
}

export interface RevenueOptions extends Draws {
  /** Deals looked at as drivers; 0 leaves them out. */
  drivers?: number;
}

/** What a person may ask for in one call: the largest run that stays within the memory and the time of a function. */
export const MAX_RUNS = 50_000;

/** Yields the number of deals done; sorting, too, takes its time. */
export function* forecastRevenue(
  model: RevenueModel,
  options: RevenueOptions,
  scratch?: RevenueScratch,
): Generator<number, RevenueForecast, void> {
  checkRuns(options.runs);
  const space = scratch ?? revenueScratch(options.runs, model.periods.count);
  const recorder = new DriverRecorder(model.deals, options.drivers ?? 0, options.runs);
  yield* drawRevenue(model, options, space, recorder);
  const totals = totalsOf(space, model.periods.count);
  const drivers = recorder.drivers(totals);
  const periods: Percentiles[] = [];
  for (let period = 0; period < model.periods.count; period++) {
    periods.push(percentilesInPlace(space.byPeriod.subarray(period * options.runs, (period + 1) * options.runs)));
    yield model.deals.length;
  }
  return { periods, total: percentilesInPlace(totals), drivers };
}

export function checkRuns(runs: number, most = MAX_RUNS): void {
  if (Number.isInteger(runs) && runs >= 1 && runs <= most) return;
  throw new PlanningError("too_many_runs", `A simulation has 1 to ${most} runs, not ${runs}.`, "runs");
}

/**
 * By period first, so that both arrays are walked in order. The factors of the clients are not needed any more: their
 * room is.
 */
function totalsOf({ byPeriod, client, runs }: RevenueScratch, periods: number): Float64Array {
  client.fill(0);
  for (let period = 0; period < periods; period++)
    for (let run = 0; run < runs; run++)
      client[run] = (client[run] as number) + (byPeriod[period * runs + run] as number);
  return client;
}

/** Drives a calculation to its end when nobody watches. */
export function finish<T>(work: Generator<unknown, T, void>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}
