import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { normalCdf } from "../stats/normal.ts";
import { seedFor, streamFor } from "./streams.ts";
import { mix32, Xoshiro128 } from "./xoshiro128.ts";
import { nextNormal } from "./ziggurat.ts";

const take = <T>(count: number, next: () => T) => Array.from({ length: count }, next);

describe("xoshiro128**", () => {
  it("makes the numbers of the authors' program (xoshiro128starstar.c 1.1, state 1 2 3 4)", () => {
    const stream = new Xoshiro128(1, 2, 3, 4);
    expect(take(10, () => stream.nextUint32())).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  it("says the same again for the same seed, and something else for the next", () => {
    const first = Xoshiro128.fromSeed(7);
    const again = Xoshiro128.fromSeed(7);
    const next = Xoshiro128.fromSeed(8);
    const numbers = take(100, () => first.nextUint32());
    expect(take(100, () => again.nextUint32())).toEqual(numbers);
    expect(take(100, () => next.nextUint32()).filter((value, index) => value === numbers[index])).toEqual([]);
  });

  it("fills a block with the numbers that single calls would give, and goes on behind it", () => {
    const single = Xoshiro128.fromSeed(5);
    const blocks = Xoshiro128.fromSeed(5);
    const block = new Uint32Array(100);
    for (let round = 0; round < 2; round++) {
      blocks.fill(block);
      expect([...block]).toEqual(take(100, () => single.nextUint32()));
    }
    expect(blocks.nextUint32()).toBe(single.nextUint32());
  });

  it("stays within [0, 1) for every seed, and spreads evenly", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const stream = Xoshiro128.fromSeed(seed);
        const values = take(2_000, () => stream.nextUniform());
        expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...values)).toBeLessThan(1);
        // Six standard errors of a mean of 2,000.
        expect(Math.abs(values.reduce((a, b) => a + b, 0) / 2_000 - 0.5)).toBeLessThan(
          (6 * Math.sqrt(1 / 12)) / Math.sqrt(2_000),
        );
      }),
      { numRuns: 50, seed: 1 },
    );
  });
});

describe("streams", () => {
  it("belong to a purpose and an id: neither neighbours nor other purposes share one", () => {
    const seeds = ["a", "b", "ab"].flatMap((id) => ["win", "client"].map((purpose) => seedFor(1, purpose, id)));
    expect(new Set(seeds).size).toBe(6);
    expect(streamFor(1, "win", "a").nextUint32()).toBe(streamFor(1, "win", "a").nextUint32());
    expect(streamFor(2, "win", "a").nextUint32()).not.toBe(streamFor(1, "win", "a").nextUint32());
  });

  it("mixing is one to one: no two of 100,000 neighbouring values meet", () => {
    const mixed = new Set(Array.from({ length: 100_000 }, (_, value) => mix32(value)));
    expect(mixed.size).toBe(100_000);
  });
});

describe("normal numbers", () => {
  it("follow the normal distribution: the largest gap of 200,000 stays within Kolmogorov's 0.1 % bound", () => {
    const stream = Xoshiro128.fromSeed(2017);
    const values = Float64Array.from({ length: 200_000 }, () => nextNormal(stream)).sort();
    const gap = values.reduce(
      (worst, x, index) => Math.max(worst, Math.abs(normalCdf(x) - (index + 0.5) / values.length)),
      0,
    );
    expect(gap).toBeLessThan(1.95 / Math.sqrt(values.length));
  });

  it("reach into the tail as often as they should", () => {
    const stream = Xoshiro128.fromSeed(3);
    const beyond = take(1_000_000, () => nextNormal(stream)).filter((x) => Math.abs(x) > 3.5).length;
    // P(|Z| > 3.5) = 4.6526e-4: 465 of a million, ± 5 × √465.
    expect(Math.abs(beyond - 465)).toBeLessThan(108);
  });
});
