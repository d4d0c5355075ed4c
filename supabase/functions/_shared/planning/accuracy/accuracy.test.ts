import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { calibrationBins } from "./calibration.ts";
import { accuracyOf, brierScore, coverage, meanPinballLoss, pinballLoss } from "./metrics.ts";

describe("accuracy", () => {
  it("by hand: 110 for 100 and 40 for 100", () => {
    expect(
      accuracyOf([
        { predicted: 110, actual: 100 },
        { predicted: 40, actual: 100 },
      ]),
    ).toEqual({ n: 2, mae: 35, wape: 35, bias: -25 });
  });

  it("of nothing, and where nothing came, there is no percentage", () => {
    expect(accuracyOf([])).toEqual({ n: 0, mae: 0, wape: null, bias: null });
    expect(accuracyOf([{ predicted: 5, actual: 0 }])).toMatchObject({ mae: 5, wape: null });
    expect([coverage([]), brierScore([]), meanPinballLoss([])]).toEqual([null, null, 0]);
  });

  it("the ends of the interval belong to it", () => {
    const at = (actual: number) => ({ p10: 1, p50: 2, p90: 3, actual });
    expect(coverage([at(0.9), at(1), at(3), at(3.1)])).toBe(0.5);
  });

  it("the pinball loss is least at the quantile: of 1 … 9 at 5 for the middle, at 1 for a tenth", () => {
    const loss = (p: number, guess: number) =>
      [1, 2, 3, 4, 5, 6, 7, 8, 9].reduce((sum, actual) => sum + pinballLoss(p, guess, actual), 0);
    const best = (p: number) => [1, 2, 3, 4, 5, 6, 7, 8, 9].sort((a, b) => loss(p, a) - loss(p, b))[0];
    expect([best(0.1), best(0.5), best(0.9)]).toEqual([1, 5, 9]);
  });

  it("Brier: 0 for certainty that was right, 1 for certainty that was wrong, ¼ for a coin", () => {
    expect(brierScore([{ rate: 1, won: true }])).toBe(0);
    expect(brierScore([{ rate: 1, won: false }])).toBe(1);
    expect(
      brierScore([
        { rate: 0.5, won: true },
        { rate: 0.5, won: false },
      ]),
    ).toBe(0.25);
  });

  it("bins hold every deal once, certain ones included", () => {
    const pair = fc.record({ rate: fc.double({ min: 0, max: 1, noNaN: true }), won: fc.boolean() });
    fc.assert(
      fc.property(fc.array(pair), (pairs) => {
        const bins = calibrationBins(pairs);
        expect(bins.reduce((sum, { n }) => sum + n, 0)).toBe(pairs.length);
        for (const { from, to, predicted } of bins) {
          expect(predicted).toBeGreaterThanOrEqual(from - 1e-12);
          expect(predicted).toBeLessThanOrEqual(to + 1e-12);
        }
      }),
      { seed: 16 },
    );
  });
});
