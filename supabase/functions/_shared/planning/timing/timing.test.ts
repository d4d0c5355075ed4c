import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hazardsOf, type Lifetime, outlookAt } from "./lifetimes.ts";
import { TABLE_SIZE, tableOfShifts } from "./shifts.ts";

describe("shifts", () => {
  it("half on time and half 90 days late: never anything between", () => {
    const table = tableOfShifts([90, 0, 0, 90]);
    expect(new Set(table)).toEqual(new Set([0, 90]));
    expect(table.filter((days) => days === 90).length).toBe(TABLE_SIZE / 2);
  });

  it("without history nothing moves", () => {
    expect(new Set(tableOfShifts([]))).toEqual(new Set([0]));
  });
});

const life = (left: number, end: Lifetime["end"], entered = 0): Lifetime => ({ entered, left, end });

describe("lifetimes", () => {
  it("by hand: 4 deals; a win at 2, a loss at 3, one seen open to 3, a win at 5", () => {
    const hazards = hazardsOf([life(2, "won"), life(3, "lost"), life(3, "open"), life(5, "won")], 6);
    expect(hazards.won[2]).toBeCloseTo(1 / 4, 12);
    expect(hazards.lost[3]).toBeCloseTo(1 / 3, 12);
    expect(hazards.won[5]).toBeCloseTo(1, 12);
    // Aalen-Johansen: 1/4 + 3/4 · 2/3 · 1.
    const { won, lost } = outlookAt(hazards, 0, 6);
    expect(won).toBeCloseTo(0.75, 12);
    expect(lost).toBeCloseTo(0.25, 12);
  });

  it("a deal of age 2 has that past behind it: 2/3 are won, at day 3 from now", () => {
    const hazards = hazardsOf([life(2, "won"), life(3, "lost"), life(3, "open"), life(5, "won")], 6);
    const { won, daysToWin } = outlookAt(hazards, 2, 6);
    expect(won).toBeCloseTo(2 / 3, 12);
    expect(new Set(daysToWin)).toEqual(new Set([3]));
  });

  it("a deal first seen at age 4 counts from there on only (late entry)", () => {
    const hazards = hazardsOf([life(2, "won"), life(5, "won"), life(5, "open", 4)], 6);
    expect(hazards.won[2]).toBeCloseTo(1 / 2, 12);
    expect(hazards.won[5]).toBeCloseTo(1 / 2, 12);
  });

  it("without open deals the shares won and lost are those of the history", () => {
    const ends = fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.constantFrom("won" as const, "lost" as const)), {
      minLength: 1,
      maxLength: 50,
    });
    fc.assert(
      fc.property(ends, (lives) => {
        const { won, lost } = outlookAt(
          hazardsOf(
            lives.map(([left, end]) => life(left, end)),
            60,
          ),
          0,
          60,
        );
        expect(won).toBeCloseTo(lives.filter(([, end]) => end === "won").length / lives.length, 9);
        expect(won + lost).toBeCloseTo(1, 9);
      }),
      { seed: 9 },
    );
  });

  it("shares stay shares, also with lives cut on both sides, and looking further ahead never wins less", () => {
    const any = fc.record({
      entered: fc.integer({ min: 0, max: 30 }),
      left: fc.integer({ min: 0, max: 90 }),
      end: fc.constantFrom("won" as const, "lost" as const, "open" as const),
    });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 60 }), fc.integer({ min: 0, max: 80 }), (lives, age) => {
        const hazards = hazardsOf(lives, 80);
        const near = outlookAt(hazards, age, 30);
        const far = outlookAt(hazards, age, 60, () => 1.5);
        for (const { won, lost } of [near, far]) {
          expect(won).toBeGreaterThanOrEqual(0);
          expect(won + lost).toBeLessThanOrEqual(1 + 1e-9);
        }
        expect(far.won).toBeGreaterThanOrEqual(near.won - 1e-12);
        expect(Math.max(...near.daysToWin)).toBeLessThanOrEqual(30);
      }),
      { seed: 10 },
    );
  });
});
