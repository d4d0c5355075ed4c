/** Two forecasts over the same periods: the second less the first. */
export interface Comparison {
  total: Difference;
  periods: Difference[];
}

export interface Difference {
  p10: number;
  p50: number;
  p90: number;
  mean: number;
}

interface Forecast {
  total: Difference;
  periods: readonly Difference[];
}

/** Drawn with the same seed the same deals are won in both, so what is left is what the edits did and not chance. */
export function compareForecasts(first: Forecast, second: Forecast): Comparison {
  if (first.periods.length !== second.periods.length)
    throw new RangeError("Forecasts are compared over the same periods.");
  return {
    total: difference(first.total, second.total),
    periods: second.periods.map((period, index) => difference(first.periods[index] as Difference, period)),
  };
}

function difference(a: Difference, b: Difference): Difference {
  return { p10: b.p10 - a.p10, p50: b.p50 - a.p50, p90: b.p90 - a.p90, mean: b.mean - a.mean };
}
