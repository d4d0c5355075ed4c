import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { periodsFrom } from "../time/periods.ts";
import { forecastLines, type LineDeal } from "./lines.ts";
import { inReportingCurrency, toCents } from "./money.ts";

/** 2026-01-15, in the first of three months. */
const AS_OF = 20_468;
const MONTHS = periodsFrom(AS_OF, 3, "month");
const RULES = { commitFrom: 0.7, countFrom: 0 };
const open = (value: number, rate: number, closeDay: number | null): LineDeal => ({
  value,
  rate,
  closeDay,
  kind: "open",
});

describe("best, commit and weighted", () => {
  const deals: LineDeal[] = [
    { value: 100, rate: 1, closeDay: AS_OF - 5, kind: "won" },
    open(1_000, 0.8, AS_OF + 3),
    open(500, 0.3, AS_OF + 4),
    open(200, 0.5, AS_OF + 20),
    open(70, 0.5, null),
    open(40, 0.9, AS_OF - 30),
  ];

  it("by hand", () => {
    const { periods, total, undated, overdue } = forecastLines(deals, MONTHS, AS_OF, RULES);
    // The overdue one counts in the month of today: 40 × 0.9 = 36.
    expect(periods[0]).toEqual({ closed: 100, commit: 1_140, best: 1_640, weighted: 100 + 800 + 150 + 36 });
    expect(periods[1]).toEqual({ closed: 0, commit: 0, best: 200, weighted: 100 });
    expect(total).toEqual({ closed: 100, commit: 1_140, best: 1_840, weighted: 1_186 });
    expect([undated, overdue]).toEqual([
      { deals: 1, value: 70 },
      { deals: 1, value: 40 },
    ]);
  });

  it("leaves out what is below the threshold of confidence, never what is won", () => {
    const { total, undated } = forecastLines(deals, MONTHS, AS_OF, { ...RULES, countFrom: 0.6 });
    expect(total).toMatchObject({ closed: 100, best: 1_140 });
    expect(undated.deals).toBe(0);
  });

  it("counts what is just as sure as it has to be, and a deal of today as not overdue", () => {
    const edge = [open(10, 0.7, AS_OF), open(1, 0.2, AS_OF)];
    const { total, overdue } = forecastLines(edge, MONTHS, AS_OF, { commitFrom: 0.7, countFrom: 0.2 });
    expect([total.commit, total.best, overdue.deals]).toEqual([10, 11, 0]);
    expect(forecastLines([open(10, 0.7, AS_OF - 1)], MONTHS, AS_OF, RULES).overdue.deals).toBe(1);
  });

  it("closed ≤ commit ≤ best and closed ≤ weighted ≤ best, and the total is the sum", () => {
    const anyDeal = fc.record({
      value: fc.integer({ min: 0, max: 1_000_000 }),
      rate: fc.double({ min: 0, max: 1, noNaN: true }),
      closeDay: fc.option(fc.integer({ min: AS_OF - 50, max: AS_OF + 150 })),
      kind: fc.constantFrom("open" as const, "won" as const),
    });
    fc.assert(
      fc.property(fc.array(anyDeal), (some) => {
        const { periods, total } = forecastLines(some, MONTHS, AS_OF, RULES);
        for (const { closed, commit, best, weighted } of [...periods, total]) {
          expect(closed).toBeLessThanOrEqual(commit);
          expect(commit).toBeLessThanOrEqual(best);
          expect(weighted).toBeGreaterThanOrEqual(closed);
          expect(weighted).toBeLessThanOrEqual(best);
        }
        expect(periods.reduce((sum, { best }) => sum + best, 0)).toBe(total.best);
      }),
      { seed: 15 },
    );
  });
});

describe("money", () => {
  it("is cents, and of another currency only with a rate", () => {
    const exchange = { currency: "EUR", rates: new Map([["USD", 0.9]]) };
    expect(toCents(19.99)).toBe(1_999);
    expect(inReportingCurrency(10, "EUR", exchange)).toBe(1_000);
    expect(inReportingCurrency(10, "USD", exchange)).toBe(900);
    expect(() => inReportingCurrency(10, "GBP", exchange)).toThrow(/Give a rate for GBP/);
  });
});
