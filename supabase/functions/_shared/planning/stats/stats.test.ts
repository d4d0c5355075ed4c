import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { betaCdf, betaQuantile, logGamma } from "./beta.ts";
import { normalCdf, normalQuantile } from "./normal.ts";
import { percentilesInPlace, quantileOfSorted } from "./quantile.ts";

describe("normal distribution", () => {
  it.each([
    // Abramowitz and Stegun, table 26.1.
    [0, 0.5],
    [1, 0.841344746068543],
    [-1.96, 0.0249978951482204],
    [3, 0.99865010196837],
    [-6, 9.86587645037698e-10],
  ])("up to %d there is %d", (x, p) => {
    expect(normalCdf(x)).toBeCloseTo(p, 14);
    expect(normalQuantile(p)).toBeCloseTo(x, 8);
  });

  it("the quantile undoes the distribution function, and says where it ends", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-12, max: 1 - 1e-9, noNaN: true }), (p) => {
        expect(Math.abs(normalCdf(normalQuantile(p)) - p)).toBeLessThan(1e-13);
      }),
      { seed: 2 },
    );
    expect(normalQuantile(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(normalQuantile(1)).toBe(Number.POSITIVE_INFINITY);
    expect(normalQuantile(1.2)).toBeNaN();
  });
});

describe("beta distribution", () => {
  it("ln Γ: 4! = 24, Γ(½) = √π", () => {
    expect(logGamma(5)).toBeCloseTo(Math.log(24), 13);
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI)), 13);
  });

  it.each([
    // Closed forms: Beta(1, 1) is uniform, Beta(2, 1) is x², Beta(1, 3) is 1 - (1 - x)³; symmetric ones are ½ in the middle.
    [0.3, 1, 1, 0.3],
    [0.6, 2, 1, 0.36],
    [0.2, 1, 3, 1 - 0.8 ** 3],
    [0.5, 40, 40, 0.5],
    // Beta(3, 2): 4x³ - 3x⁴.
    [0.7, 3, 2, 4 * 0.7 ** 3 - 3 * 0.7 ** 4],
  ])("I(%d; %d, %d) is %d", (x, a, b, expected) => {
    expect(betaCdf(x, a, b)).toBeCloseTo(expected, 13);
  });

  it("equals the binomial tail it stands for, for all whole numbers", () => {
    const binomialTail = (n: number, k: number, p: number) => {
      let sum = 0;
      for (let j = k; j <= n; j++)
        sum += Math.exp(
          logGamma(n + 1) - logGamma(j + 1) - logGamma(n - j + 1) + j * Math.log(p) + (n - j) * Math.log(1 - p),
        );
      return sum;
    };
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        (a, b, x) => {
          expect(betaCdf(x, a, b)).toBeCloseTo(binomialTail(a + b - 1, a, x), 10);
        },
      ),
      { seed: 3 },
    );
  });

  it("the quantile undoes it", () => {
    const shape = fc.double({ min: 0.5, max: 500, noNaN: true });
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), shape, shape, (p, a, b) => {
        expect(betaCdf(betaQuantile(p, a, b), a, b)).toBeCloseTo(p, 7);
      }),
      { seed: 4 },
    );
  });
});

describe("quantiles", () => {
  it("lie on straight lines between the sorted numbers (type 7)", () => {
    expect(quantileOfSorted([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantileOfSorted([10, 20, 30], 0.1)).toBeCloseTo(12, 12);
    expect(quantileOfSorted([7], 0.9)).toBe(7);
    expect(quantileOfSorted([], 0.9)).toBe(0);
  });

  it("are ordered and within the numbers, whatever they are", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1e12, max: 1e12, noNaN: true }), { minLength: 1 }), (numbers) => {
        const { p10, p50, p90 } = percentilesInPlace(Float64Array.from(numbers));
        expect(p10).toBeLessThanOrEqual(p50);
        expect(p50).toBeLessThanOrEqual(p90);
        expect(p10).toBeGreaterThanOrEqual(Math.min(...numbers));
        expect(p90).toBeLessThanOrEqual(Math.max(...numbers));
      }),
      { seed: 5 },
    );
  });
});
