import { PlanningError } from "../failure.ts";
import { type Day, formatDay, mondayOf, monthStart } from "./days.ts";

export type Grain = "month" | "week";

/**
 * Neighbouring stretches of days. Period i holds starts[i] ≤ day < starts[i + 1]; the last entry is the day after the
 * last.
 */
export interface Periods {
  grain: Grain;
  count: number;
  starts: Int32Array;
  labels: string[];
}

export const MAX_PERIODS = { month: 60, week: 260 } as const;

/** The first period is the one that `from` lies in, whole: a forecast made in mid-month speaks of that month too. */
export function periodsFrom(from: Day, count: number, grain: Grain): Periods {
  if (!Number.isInteger(count) || count < 1 || count > MAX_PERIODS[grain])
    throw new PlanningError(
      "horizon_out_of_range",
      `A forecast covers 1 to ${MAX_PERIODS[grain]} ${grain}s, not ${count}.`,
    );
  const first = grain === "week" ? mondayOf(from) : monthStart(from);
  const startAt = (index: number) => (grain === "week" ? first + 7 * index : monthStart(first, index));
  const starts = Int32Array.from({ length: count + 1 }, (_, index) => startAt(index));
  const labels = Array.from({ length: count }, (_, index) => {
    const day = formatDay(startAt(index));
    return grain === "week" ? day : day.slice(0, 7);
  });
  return { grain, count, starts, labels };
}

/** Period of each day, by distance from the first: a look-up instead of a search in the inner loop. */
export function periodByDay({ starts, count }: Periods): Int16Array {
  const first = starts[0] as number;
  const table = new Int16Array((starts[count] as number) - first);
  for (let period = 0; period < count; period++)
    table.fill(period, (starts[period] as number) - first, (starts[period + 1] as number) - first);
  return table;
}

/** -1 before the first period, `count` after the last. */
export function periodOf({ starts, count }: Periods, day: Day): number {
  if (day < (starts[0] as number)) return -1;
  let period = 0;
  while (period < count && day >= (starts[period + 1] as number)) period++;
  return period;
}
