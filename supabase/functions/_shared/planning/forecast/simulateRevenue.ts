import { type DealScratch, type Draws, dealScratch, drawDeals } from "./drawDeal.ts";
import type { WinRecorder } from "./drivers.ts";
import { type CompiledDeal, compileDeals, type RevenueModel } from "./model.ts";
import { addNewBusiness } from "./newBusiness.ts";

/** Money by period and run: period p of run r stands at p × runs + r. Made once, used for every scenario. */
export interface RevenueScratch extends DealScratch {
  runs: number;
  byPeriod: Float64Array;
}

export function revenueScratch(runs: number, periods: number): RevenueScratch {
  return { runs, byPeriod: new Float64Array(runs * periods), ...dealScratch(runs) };
}

/** Deals drawn between two reports: a few milliseconds of work. */
export const DEALS_PER_STEP = 50;

/**
 * Draws every run of the model into the scratch. Yields how many deals are done, so that whoever drives it may show
 * progress or stop.
 */
export function* drawRevenue(
  model: RevenueModel,
  draws: Draws,
  scratch: RevenueScratch,
  recorder: WinRecorder | null = null,
): Generator<number, void, void> {
  scratch.byPeriod.fill(0);
  let done = 0;
  for (const { deal, wins } of drawDeals(compileDeals(model), model.correlation, draws, scratch)) {
    addWins(deal, wins, model.periods.count, scratch, recorder?.flagsOf(deal.id) ?? null);
    done++;
    if (done % DEALS_PER_STEP === 0) yield done;
  }
  if (model.newBusiness !== null)
    for (const _ of addNewBusiness(model.newBusiness, model.periods.count, draws, scratch)) yield done;
  yield done;
}

function addWins(
  { value, periodTable }: CompiledDeal,
  wins: number,
  periods: number,
  scratch: RevenueScratch,
  flags: Uint8Array | null,
): void {
  const { byPeriod, runs, winners, places } = scratch;
  for (let win = 0; win < wins; win++) {
    const period = periodTable[places[win] as number] as number;
    if (period < 0 || period >= periods) continue;
    const run = winners[win] as number;
    const place = period * runs + run;
    byPeriod[place] = (byPeriod[place] as number) + value;
    if (flags !== null) flags[run] = 1;
  }
}
