import { normalQuantile } from "../stats/normal.ts";
import { type Percentiles, percentilesInPlace } from "../stats/quantile.ts";
import { type Drawable, type Draws, dealScratch, drawDeals } from "./drawDeal.ts";
import type { Correlation, DrawnDeal } from "./model.ts";
import { DEALS_PER_STEP } from "./simulateRevenue.ts";

/** Hours of one group (skill and level) that winning a deal asks for. */
export interface DemandProfile {
  dealId: string;
  group: string;
  /** Made when the deal's turn has come, and dropped after it. */
  mover: () => Mover;
}

/** What work asks for in the periods of the horizon when it begins so many weeks later. */
export type Mover = (weeks: number) => Moved;

/** Hours of the periods from `first` on. */
export interface Moved {
  first: number;
  hours: Float64Array;
}

export interface DemandModel {
  periods: number;
  deals: readonly DrawnDeal[];
  profiles: readonly DemandProfile[];
  correlation: Correlation;
}

export interface DemandForecast {
  group: string;
  periods: Percentiles[];
}

interface DemandDeal extends Drawable {
  profiles: DemandProfile[];
  /** Whole weeks that the work begins later, by place in the timing table. Early closing does not pull work forward. */
  slip: Int16Array;
}

/** Numbers kept at once: 32 MB. */
const MOST_CELLS = 8_000_000;

/** Runs that a demand forecast of so many groups and periods has room for. */
export function demandRuns(runs: number, groups: number, periods: number): number {
  return Math.max(1, Math.min(runs, Math.floor(MOST_CELLS / Math.max(1, groups * periods))));
}

/** Hours by week; week i of the horizon is at i + `lead`, and the weeks before it count when a deal slips into the horizon. */
export function moverOfWeeks(hours: Float64Array, lead: number, weeks: number): Mover {
  return (later) => {
    const first = Math.max(0, later - lead);
    return { first, hours: hours.subarray(first + lead - later, Math.max(0, weeks + lead - later)) };
  };
}

/**
 * Hours by group and period over the same draws as the revenue: a deal that is won in a run brings its money and its
 * work in that run. The work moves with the closing day, later by whole weeks.
 */
export function* forecastDemand(model: DemandModel, { runs, seed }: Draws): Generator<number, DemandForecast[], void> {
  const groups = [...new Set(model.profiles.map(({ group }) => group))].sort();
  const kept = demandRuns(runs, groups.length, model.periods);
  const size = model.periods * kept;
  const cells = new Float32Array(groups.length * size);
  const offsets = new Map(groups.map((group, index) => [group, index * size]));
  const scratch = dealScratch(kept);
  let done = 0;
  for (const { deal, wins } of drawDeals(demandDeals(model), model.correlation, { runs: kept, seed }, scratch)) {
    for (const { group, mover } of deal.profiles) {
      const move = mover();
      const moved = new Map<number, Moved>();
      const offset = offsets.get(group) as number;
      for (let win = 0; win < wins; win++) {
        const slip = deal.slip[scratch.places[win] as number] as number;
        const known = moved.get(slip);
        const work = known ?? move(slip);
        if (known === undefined) moved.set(slip, work);
        addWork(work, cells, offset + (scratch.winners[win] as number), kept);
      }
    }
    done++;
    if (done % DEALS_PER_STEP === 0) yield done;
  }
  yield done;
  return groups.map((group, index) => ({
    group,
    periods: periodsOf(cells.subarray(index * size, (index + 1) * size), kept),
  }));
}

function addWork({ first, hours }: Moved, cells: Float32Array, at: number, runs: number): void {
  for (let index = 0; index < hours.length; index++) {
    const place = at + (first + index) * runs;
    cells[place] = (cells[place] as number) + (hours[index] as number);
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

function periodsOf(cells: Float32Array, runs: number): Percentiles[] {
  return Array.from({ length: cells.length / runs }, (_, period) =>
    percentilesInPlace(cells.subarray(period * runs, (period + 1) * runs)),
  );
}
