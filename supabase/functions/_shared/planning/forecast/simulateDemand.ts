import { normalQuantile } from "../stats/normal.ts";
import { type Percentiles, percentilesInPlace } from "../stats/quantile.ts";
import { type Drawable, type Draws, dealScratch, drawDeals } from "./drawDeal.ts";
import type { Correlation, DrawnDeal } from "./model.ts";
import { DEALS_PER_STEP } from "./simulateRevenue.ts";

/**
 * Hours of one group (skill and level) that winning a deal asks for, by week of the horizon and of the weeks before
 * it.
 */
export interface DemandProfile {
  dealId: string;
  group: string;
  /** Week i of the horizon is at i + `lead`; the weeks before it count when a deal slips into the horizon. */
  hours: Float64Array;
}

export interface DemandModel {
  weeks: number;
  /** Weeks of the profiles that lie before the horizon. */
  lead: number;
  deals: readonly DrawnDeal[];
  profiles: readonly DemandProfile[];
  correlation: Correlation;
}

export interface DemandForecast {
  group: string;
  weeks: Percentiles[];
}

interface DemandDeal extends Drawable {
  profiles: DemandProfile[];
  /** Whole weeks that the work begins later, by place in the timing table. Early closing does not pull work forward. */
  slip: Int16Array;
}

/** Numbers kept at once: 32 MB. */
const MOST_CELLS = 8_000_000;

/** Runs that a demand forecast of so many groups and weeks has room for. */
export function demandRuns(runs: number, groups: number, weeks: number): number {
  return Math.max(1, Math.min(runs, Math.floor(MOST_CELLS / Math.max(1, groups * weeks))));
}

/**
 * Hours by group and week over the same draws as the revenue: a deal that is won in a run brings its money and its
 * work in that run. The work moves with the closing day, later by whole weeks.
 */
export function* forecastDemand(model: DemandModel, { runs, seed }: Draws): Generator<number, DemandForecast[], void> {
  const groups = [...new Set(model.profiles.map(({ group }) => group))].sort();
  const kept = demandRuns(runs, groups.length, model.weeks);
  const cells = new Float32Array(groups.length * model.weeks * kept);
  const offsets = new Map(groups.map((group, index) => [group, index * model.weeks * kept]));
  const scratch = dealScratch(kept);
  let done = 0;
  for (const { deal, wins } of drawDeals(demandDeals(model), model.correlation, { runs: kept, seed }, scratch)) {
    for (const profile of deal.profiles)
      for (let win = 0; win < wins; win++) {
        const slip = deal.slip[scratch.places[win] as number] as number;
        addProfile(
          profile.hours,
          model.lead - slip,
          model.weeks,
          cells,
          (offsets.get(profile.group) as number) + (scratch.winners[win] as number),
          kept,
        );
      }
    done++;
    if (done % DEALS_PER_STEP === 0) yield done;
  }
  yield done;
  return groups.map((group, index) => ({
    group,
    weeks: weeksOf(cells.subarray(index * model.weeks * kept, (index + 1) * model.weeks * kept), kept),
  }));
}

/** Week w of the horizon takes what the profile has at w + shift. */
function addProfile(
  hours: Float64Array,
  shift: number,
  weeks: number,
  cells: Float32Array,
  at: number,
  runs: number,
): void {
  const last = Math.min(weeks, hours.length - shift);
  for (let week = Math.max(0, -shift); week < last; week++) {
    const place = at + week * runs;
    cells[place] = (cells[place] as number) + (hours[week + shift] as number);
  }
}

function demandDeals({ deals, profiles }: DemandModel): DemandDeal[] {
  return deals.flatMap(({ id, clientId, rate, timing }) => {
    const own = profiles.filter(({ dealId }) => dealId === id);
    if (own.length === 0) return [];
    const slip =
      timing === null ? Int16Array.of(0) : Int16Array.from(timing, (days) => Math.max(0, Math.round(days / 7)));
    return [{ id, clientId, rate, threshold: normalQuantile(rate), tableSize: slip.length, profiles: own, slip }];
  });
}

function weeksOf(cells: Float32Array, runs: number): Percentiles[] {
  return Array.from({ length: cells.length / runs }, (_, week) =>
    percentilesInPlace(cells.subarray(week * runs, (week + 1) * runs)),
  );
}
