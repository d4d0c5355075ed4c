import { normalQuantile } from "../stats/normal.ts";
import type { Day } from "../time/days.ts";
import { type Periods, periodByDay } from "../time/periods.ts";
import type { ShiftTable } from "../timing/shifts.ts";
import type { Drawable } from "./drawDeal.ts";
import type { Cents } from "./money.ts";

/** A deal ready to be drawn. */
export interface DrawnDeal {
  id: string;
  clientId: string | null;
  value: Cents;
  /** 0 to 1. */
  rate: number;
  closeDay: Day;
  /** How the closing day moves; null: it does not (a closed deal). */
  timing: ShiftTable | null;
}

/** Wins that are not in the pipeline yet. Money per period in cents. */
export interface NewBusiness {
  /** Expected wins by period. */
  wins: readonly number[];
  meanValue: Cents;
  /** Standard deviation of the value of one win. */
  valueSpread: Cents;
  /** How much a period's number of wins swings beyond chance, as the standard deviation of its logarithm. */
  swing: number;
}

export interface RevenueModel {
  asOf: Day;
  periods: Periods;
  deals: readonly DrawnDeal[];
  newBusiness: NewBusiness | null;
  correlation: Correlation;
}

/** Shares of the variance of the latent variable behind a win. The rest is the deal's own. */
export interface Correlation {
  /** Common to all deals. */
  market: number;
  /** Common to the deals of one client. */
  client: number;
}

export const INDEPENDENT: Correlation = { market: 0, client: 0 };

/** The same as numbers for the inner loop. */
export interface CompiledDeal extends Drawable {
  value: Cents;
  /** Period by equally likely place; `periods.count` is after the horizon. */
  periodTable: Int16Array;
}

export function compileDeals({ asOf, periods, deals }: RevenueModel): CompiledDeal[] {
  const byDay = periodByDay(periods);
  return deals.map((deal) => {
    const periodTable = closingPeriods(deal, asOf, periods, byDay);
    const { id, clientId, value, rate } = deal;
    return {
      id,
      clientId,
      value,
      rate,
      threshold: normalQuantile(rate),
      periodTable,
      tableSize: periodTable.length,
    };
  });
}

/**
 * An open deal cannot have closed before today: of its possible days only those to come remain. One that is overdue by
 * more than any deal of the history starts anew today.
 */
function closingPeriods({ closeDay, timing }: DrawnDeal, asOf: Day, periods: Periods, byDay: Int16Array): Int16Array {
  if (timing === null) return Int16Array.of(lookUp(closeDay, periods, byDay));
  const firstLeft = timing.findIndex((shift) => closeDay + shift >= asOf);
  const days =
    firstLeft === -1
      ? timing.map((shift) => asOf + Math.max(0, shift))
      : timing.subarray(firstLeft).map((shift) => closeDay + shift);
  return Int16Array.from(days, (day) => lookUp(day, periods, byDay));
}

/** -1, closed before the first period, and `count`, after the last, are places of their own: neither is counted. */
function lookUp(day: Day, { starts, count }: Periods, byDay: Int16Array): number {
  const offset = day - (starts[0] as number);
  if (offset < 0) return -1;
  return offset < byDay.length ? (byDay[offset] as number) : count;
}
