import type { DrawnDeal, NewBusiness, RevenueModel } from "../../supabase/functions/_shared/planning/forecast/model.ts";
import {
  finish,
  forecastRevenue,
  type RevenueForecast,
} from "../../supabase/functions/_shared/planning/forecast/revenue.ts";
import { latentCorrelation } from "../../supabase/functions/_shared/planning/probability/clusters.ts";
import { type Day, monthStart } from "../../supabase/functions/_shared/planning/time/days.ts";
import { periodsFrom } from "../../supabase/functions/_shared/planning/time/periods.ts";
import { type AgeOutlook, bandOf } from "../../supabase/functions/_shared/planning/timing/landmarks.ts";
import { BANDS, type KnownDeal, type Lessons, total } from "./asOf.ts";

export interface PredictOptions {
  runs: number;
  seed: number;
  /** Also the deals that are not there yet. */
  newBusiness: boolean;
}

/** How much a quarter's new business swings beyond chance: a default, there is too little history to learn it. */
const NEW_BUSINESS_SWING = 0.2;

/**
 * The quarter that begins on the day, from what was known then. The lessons are those of all deals, the forecast is of
 * the given ones.
 */
export function predictQuarter(
  known: readonly KnownDeal[],
  lessons: Lessons,
  day: Day,
  options: PredictOptions,
): RevenueForecast {
  const deals = known
    .filter(({ open }) => open)
    .map(({ deal }) =>
      drawn(deal.id, deal.listPrice * lessons.priceRatio, day, lessons.outlooks[bandOf(day - 1 - deal.engaged, BANDS)]),
    );
  const model: RevenueModel = {
    asOf: day,
    periods: periodsFrom(day, 3, "month"),
    deals,
    newBusiness: options.newBusiness ? newBusiness(known, day) : null,
    correlation: { market: latentCorrelation(lessons.commonShare), client: 0 },
  };
  return finish(forecastRevenue(model, { runs: options.runs, seed: options.seed }));
}

/**
 * The rate is that of winning within the quarter, and the days run from its start: a deal that takes longer brings
 * nothing in it.
 */
function drawn(id: string, value: number, day: Day, outlook: AgeOutlook | undefined): DrawnDeal {
  return {
    id,
    clientId: null,
    value: Math.round(value),
    rate: outlook?.won ?? 0,
    closeDay: day - 1,
    timing: outlook?.daysToWin ?? null,
  };
}

/**
 * Deals engaged and won within one quarter, of the last quarters, by month. A month before the first closing ever was
 * not watched.
 */
function newBusiness(known: readonly KnownDeal[], day: Day): NewBusiness {
  const won = known.filter(({ deal, open }) => !open && deal.end === "won").map(({ deal }) => deal);
  const firstMonth = monthStart(Math.min(...known.filter(({ open }) => !open).map(({ deal }) => deal.closed as Day)));
  const wins = [0, 1, 2].map((month) => {
    const earlier = [3, 6, 9].map((back) => monthStart(day, month - back)).filter((start) => start >= firstMonth);
    const counts = earlier.map(
      (start) =>
        won.filter(
          ({ engaged, closed }) =>
            (closed as Day) >= start && (closed as Day) < monthStart(start, 1) && engaged >= monthStart(start, -month),
        ).length,
    );
    return counts.length === 0 ? null : total(counts) / counts.length;
  });
  const watched = wins.filter((count) => count !== null);
  const typical = total(watched) / Math.max(1, watched.length);
  return {
    wins: wins.map((count) => count ?? typical),
    ...valuesOf(won.map(({ value }) => value)),
    swing: NEW_BUSINESS_SWING,
  };
}

function valuesOf(values: readonly number[]): Pick<NewBusiness, "meanValue" | "valueSpread"> {
  const mean = total(values) / Math.max(1, values.length);
  const variance = total(values.map((value) => (value - mean) ** 2)) / Math.max(1, values.length);
  return { meanValue: Math.round(mean), valueSpread: Math.round(Math.sqrt(variance)) };
}
