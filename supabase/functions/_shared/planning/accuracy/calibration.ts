/** Deals of about the same probability, and how many of them were won. */
export interface CalibrationBin {
  from: number;
  to: number;
  n: number;
  predicted: number;
  observed: number;
}

/** A reliability diagram in numbers: bins of equal width, empty ones left out. 1 belongs to the last. */
export function calibrationBins(pairs: readonly { rate: number; won: boolean }[], bins = 10): CalibrationBin[] {
  const sums = Array.from({ length: bins }, () => ({ n: 0, predicted: 0, won: 0 }));
  for (const { rate, won } of pairs) {
    const bin = sums[Math.min(bins - 1, Math.floor(rate * bins))];
    if (bin === undefined) continue;
    bin.n++;
    bin.predicted += rate;
    bin.won += won ? 1 : 0;
  }
  return sums.flatMap(({ n, predicted, won }, index) =>
    n === 0 ? [] : [{ from: index / bins, to: (index + 1) / bins, n, predicted: predicted / n, observed: won / n }],
  );
}
