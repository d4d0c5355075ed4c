import { type ShiftTable, tableOfQuantiles } from "./shifts.ts";

/** How long a deal lived, as far as it was seen: from `entered` (late entry) to `left` days of age. */
export interface Lifetime {
  /** Age at which watching began, 0 for a deal seen from its start. */
  entered: number;
  /** Age at the end, by closing or because watching stopped. */
  left: number;
  end: "won" | "lost" | "open";
  /** Share of this life in the estimate: 1 for all of it. */
  weight?: number;
}

/** Of those that reach an age open: the share won, and the share lost, on that day. By day of age. */
export interface Hazards {
  won: Float64Array;
  lost: Float64Array;
}

/**
 * Won and lost as competing ends, from lives of which many are still going on: at each age, ends divided by those at
 * risk (Aalen and Johansen, Scand. J. Statist. 5, 1978; in discrete time Kalbfleisch and Prentice, 2002, ch. 8). Open
 * deals count as long as they were seen open, so a young pipeline does not look like a losing one.
 */
export function hazardsOf(lives: readonly Lifetime[], maxAge: number): Hazards {
  const atRisk = new Float64Array(maxAge + 2);
  const ends = { won: new Float64Array(maxAge + 1), lost: new Float64Array(maxAge + 1) };
  for (const { entered, left, end, weight = 1 } of lives) {
    if (left < entered || entered > maxAge) continue;
    const last = Math.min(left, maxAge);
    atRisk[entered] = (atRisk[entered] as number) + weight;
    atRisk[last + 1] = (atRisk[last + 1] as number) - weight;
    if (end !== "open" && left <= maxAge) ends[end][left] = (ends[end][left] as number) + weight;
  }
  const present = runningSum(atRisk);
  const rate = (events: Float64Array) => events.map((count, age) => share(count, present[age]));
  return { won: rate(ends.won), lost: rate(ends.lost) };
}

function runningSum(steps: Float64Array): Float64Array {
  let sum = 0;
  return steps.map((step) => {
    sum += step;
    return sum;
  });
}

function share(part: number, whole: number | undefined): number {
  return whole === undefined || whole < 1e-9 ? 0 : Math.min(1, part / whole);
}

/** What is to come of a deal that is open at an age. */
export interface Outlook {
  /** Won within the days looked ahead. */
  won: number;
  lost: number;
  /** Days from now to the win, of those won; all zero when none is. */
  daysToWin: ShiftTable;
}

/** `scale` multiplies the day's win hazard at the expense of the loss hazard, for what is known of the time of year. */
export function outlookAt(
  hazards: Hazards,
  age: number,
  daysAhead: number,
  scale: (dayAhead: number) => number = () => 1,
): Outlook {
  const winBy = new Float64Array(daysAhead + 1);
  let open = 1;
  let won = 0;
  let lost = 0;
  for (let ahead = 1; ahead <= daysAhead; ahead++) {
    const winNow = hazards.won[age + ahead] ?? 0;
    const endNow = Math.min(1, winNow + (hazards.lost[age + ahead] ?? 0));
    const scaled = Math.min(endNow, winNow * scale(ahead));
    won += open * scaled;
    lost += open * (endNow - scaled);
    open *= 1 - endNow;
    winBy[ahead] = won;
  }
  return { won, lost, daysToWin: tableOfQuantiles((p) => firstDayReaching(winBy, p * won)) };
}

function firstDayReaching(cumulative: Float64Array, wanted: number): number {
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cumulative[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
