import { seedFor } from "../random/streams.ts";

/**
 * A distribution over days as a table of equally likely values: a draw is one look-up. 256 values hold each percentile
 * of a history to within its own noise.
 */
export type ShiftTable = Int32Array;

export const TABLE_SIZE = 256;

/** The value in the middle of each of the table's equal shares. */
export function tableOfQuantiles(quantile: (p: number) => number): ShiftTable {
  return Int32Array.from({ length: TABLE_SIZE }, (_, index) => Math.round(quantile((index + 0.5) / TABLE_SIZE)));
}

/** Days between the expected and the real closing day of past deals: negative is early. Without history nothing moves. */
export function tableOfShifts(days: readonly number[]): ShiftTable {
  if (days.length === 0) return new Int32Array(TABLE_SIZE);
  const sorted = Float64Array.from(days).sort();
  // The observed value itself, never a mean of two: half the deals on time and half a quarter late is not "six weeks late".
  return tableOfQuantiles((p) => sorted[Math.floor(p * sorted.length)] as number);
}

/** Where in its table a deal starts to read. Draw r of a deal is a mix of this and r, so it needs no state of its own. */
export function timingSeed(seed: number, dealId: string): number {
  return seedFor(seed, "timing", dealId);
}
