/** What was predicted, and what came. */
export interface Outcome {
  p10: number;
  p50: number;
  p90: number;
  actual: number;
}

export interface Accuracy {
  n: number;
  /** Mean absolute error. */
  mae: number;
  /** Absolute errors in per cent of what came: Σ|error| / Σ|actual| × 100. Null where nothing came. */
  wape: number | null;
  /** Σ(predicted - actual) in per cent of what came: above 0 is too high. */
  bias: number | null;
}

/**
 * Weighted, not the mean of percentages: that one explodes where little came (Hyndman and Koehler, Int. J. Forecasting
 * 22, 2006).
 */
export function accuracyOf(pairs: readonly { predicted: number; actual: number }[]): Accuracy {
  const sum = (of: (pair: { predicted: number; actual: number }) => number) =>
    pairs.reduce((total, pair) => total + of(pair), 0);
  const errors = sum(({ predicted, actual }) => Math.abs(predicted - actual));
  const came = sum(({ actual }) => Math.abs(actual));
  const percent = (value: number) => (came === 0 ? null : (100 * value) / came);
  return {
    n: pairs.length,
    mae: pairs.length === 0 ? 0 : errors / pairs.length,
    wape: percent(errors),
    bias: percent(sum(({ predicted, actual }) => predicted - actual)),
  };
}

/** Share of outcomes from P10 to P90: 0.8 when the forecast knows how little it knows. Null without outcomes. */
export function coverage(outcomes: readonly Outcome[]): number | null {
  if (outcomes.length === 0) return null;
  return outcomes.filter(({ p10, p90, actual }) => actual >= p10 && actual <= p90).length / outcomes.length;
}

/**
 * The pinball loss of a quantile forecast: smallest on average for the true quantile (Koenker and Bassett,
 * Econometrica 46, 1978). Rewards an interval that is narrow and right at once.
 */
export function pinballLoss(p: number, predicted: number, actual: number): number {
  return actual >= predicted ? p * (actual - predicted) : (1 - p) * (predicted - actual);
}

export function meanPinballLoss(outcomes: readonly Outcome[]): number {
  if (outcomes.length === 0) return 0;
  const loss = outcomes.reduce(
    (sum, { p10, p50, p90, actual }) =>
      sum + pinballLoss(0.1, p10, actual) + pinballLoss(0.5, p50, actual) + pinballLoss(0.9, p90, actual),
    0,
  );
  return loss / (3 * outcomes.length);
}

/** Mean squared difference between a probability and what became of it (Brier 1950): 0 is all-knowing, 0.25 a coin. */
export function brierScore(pairs: readonly { rate: number; won: boolean }[]): number | null {
  if (pairs.length === 0) return null;
  return pairs.reduce((sum, { rate, won }) => sum + (rate - (won ? 1 : 0)) ** 2, 0) / pairs.length;
}
