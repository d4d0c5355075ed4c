/**
 * The quantile of sorted numbers, with straight lines between them: type 7 of Hyndman and Fan (1996), the one of
 * percentile_cont in PostgreSQL, R and NumPy.
 */
export function quantileOfSorted(sorted: ArrayLike<number>, p: number): number {
  if (sorted.length === 0) return 0;
  const place = (sorted.length - 1) * Math.min(1, Math.max(0, p));
  const below = Math.floor(place);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (high - low) * (place - below);
}

export interface Percentiles {
  p10: number;
  p50: number;
  p90: number;
  mean: number;
}

/** Sorts the numbers where they are: the caller gives its scratch. */
export function percentilesInPlace(values: Float64Array | Float32Array): Percentiles {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index] as number;
  values.sort();
  const at = (p: number) => quantileOfSorted(values, p);
  return { p10: at(0.1), p50: at(0.5), p90: at(0.9), mean: values.length === 0 ? 0 : sum / values.length };
}
