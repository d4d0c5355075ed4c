import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { periodsFrom } from "../time/periods.ts";
import { tableOfShifts } from "../timing/shifts.ts";
import { type DrawnDeal, INDEPENDENT, type RevenueModel } from "./model.ts";
import { finish, forecastRevenue } from "./revenue.ts";
import { drawRevenue, revenueScratch } from "./simulateRevenue.ts";

/** 2026-01-01. */
const AS_OF = 20_454;
const RUNS = 20_000;

const deal = (id: string, more: Partial<DrawnDeal> = {}): DrawnDeal => ({
  id,
  clientId: null,
  value: 10_000,
  rate: 0.5,
  closeDay: AS_OF + 10,
  timing: tableOfShifts([]),
  ...more,
});
const model = (deals: DrawnDeal[], more: Partial<RevenueModel> = {}): RevenueModel => ({
  asOf: AS_OF,
  periods: periodsFrom(AS_OF, 3, "month"),
  deals,
  newBusiness: null,
  correlation: INDEPENDENT,
  ...more,
});
const forecast = (given: RevenueModel, runs = RUNS, seed = 1) =>
  finish(forecastRevenue(given, { runs, seed, drivers: 5 }));
/** Money by run, of one period. */
const drawn = (given: RevenueModel, runs = RUNS, period = 0) => {
  const scratch = revenueScratch(runs, given.periods.count);
  finish(drawRevenue(given, { runs, seed: 1 }, scratch));
  return scratch.byPeriod.slice(period * runs, (period + 1) * runs);
};
const varianceOf = (values: Float64Array) => {
  const mean = meanOf(values);
  return meanOf(values.map((x) => (x - mean) ** 2));
};
const meanOf = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;

describe("Monte Carlo of revenue", () => {
  it("nothing in the pipeline is a forecast of nothing", () => {
    const { total, periods, drivers } = forecast(model([]));
    expect(total).toEqual({ p10: 0, p50: 0, p90: 0, mean: 0 });
    expect(periods).toHaveLength(3);
    expect(drivers).toEqual([]);
  });

  it("a won deal is there in every run, in the month of its day, also before today", () => {
    const { periods } = forecast(model([deal("a", { rate: 1, timing: null, closeDay: AS_OF + 40 })]));
    expect(periods.map(({ p10, p90 }) => [p10, p90])).toEqual([
      [0, 0],
      [10_000, 10_000],
      [0, 0],
    ]);
    const mid = model([deal("a", { rate: 1, timing: null, closeDay: AS_OF + 2 })], { asOf: AS_OF + 20 });
    expect(forecast(mid).periods[0]?.p50).toBe(10_000);
  });

  it("one deal of 50 %: nothing, something, and half on average", () => {
    const { total } = forecast(model([deal("a")]));
    expect([total.p10, total.p90]).toEqual([0, 10_000]);
    expect(Math.abs(total.mean - 5_000)).toBeLessThan((5 * 5_000) / Math.sqrt(RUNS));
  });

  it("independent deals: mean Σ v·p and variance Σ v²·p(1-p), within five standard errors", () => {
    const deals = Array.from({ length: 40 }, (_, i) =>
      deal(`d${i}`, { value: 1_000 * (i + 1), rate: (i % 9) / 10 + 0.05 }),
    );
    const totals = drawn(model(deals));
    const mean = deals.reduce((sum, { value, rate }) => sum + value * rate, 0);
    const variance = deals.reduce((sum, { value, rate }) => sum + value ** 2 * rate * (1 - rate), 0);
    expect(Math.abs(meanOf(totals) - mean)).toBeLessThan(5 * Math.sqrt(variance / RUNS));
    const seen = varianceOf(totals);
    expect(Math.abs(seen / variance - 1)).toBeLessThan(5 * Math.sqrt(2 / RUNS));
  });

  it("two deals of one client at ρ = ½ are both won in 1/4 + asin(½)/2π = 1/3 of the runs, each still in half of them", () => {
    const pair = [deal("a", { clientId: "c", value: 1 }), deal("b", { clientId: "c", value: 100 })];
    const totals = drawn(model(pair, { correlation: { market: 0, client: 0.5 } }));
    const share = (test: (value: number) => boolean) => totals.filter(test).length / RUNS;
    expect(share((value) => value === 101)).toBeCloseTo(1 / 3, 1.7);
    expect(share((value) => value % 2 === 1)).toBeCloseTo(1 / 2, 1.7);
    expect(share((value) => value >= 100)).toBeCloseTo(1 / 2, 1.7);
  });

  it("deals of two clients stay independent, unless the market moves all", () => {
    const pair = [deal("a", { clientId: "c" }), deal("b", { clientId: "d" })];
    const both = (correlation: RevenueModel["correlation"]) =>
      drawn(model(pair, { correlation })).filter((x) => x === 20_000).length / RUNS;
    expect(both({ market: 0, client: 0.9 })).toBeCloseTo(1 / 4, 1.7);
    expect(both({ market: 0.5, client: 0 })).toBeCloseTo(1 / 3, 1.7);
  });

  it("a rate of 0 never and of 1 always wins, however they hang together", () => {
    const pair = [deal("a", { clientId: "c", rate: 0, value: 1 }), deal("b", { clientId: "c", rate: 1, value: 100 })];
    expect(new Set(drawn(model(pair, { correlation: { market: 0.3, client: 0.6 } })))).toEqual(new Set([100]));
  });

  it("half on time and half 31 days late: each month has a quarter of the wins, none is lost", () => {
    const late = model([deal("a", { timing: tableOfShifts([0, 31]) })]);
    const { periods, total } = forecast(late);
    expect(Math.abs((periods[0]?.mean ?? 0) - 2_500)).toBeLessThan(200);
    expect(Math.abs((periods[1]?.mean ?? 0) - 2_500)).toBeLessThan(200);
    expect((periods[0]?.mean ?? 0) + (periods[1]?.mean ?? 0)).toBeCloseTo(total.mean, 6);
  });

  it("an open deal is never won before today: of its days only those to come remain", () => {
    // Expected 20 days ago; history says on time, or 30 or 60 days late. So 10 or 40 days from now.
    const overdue = model([deal("a", { rate: 1, closeDay: AS_OF - 20, timing: tableOfShifts([0, 30, 60]) })]);
    const { periods } = forecast(overdue);
    expect((periods[0]?.mean ?? 0) / 10_000).toBeCloseTo(0.5, 1.5);
    expect((periods[1]?.mean ?? 0) / 10_000).toBeCloseTo(0.5, 1.5);
    const forgotten = model([deal("a", { rate: 1, closeDay: AS_OF - 400, timing: tableOfShifts([0, 31]) })]);
    expect(forecast(forgotten).total.p10).toBe(10_000);
  });
});

describe("what every forecast keeps", () => {
  const anyDeal = fc.record({
    value: fc.integer({ min: 0, max: 10_000_000 }),
    rate: fc.double({ min: 0, max: 1, noNaN: true }),
    closeDay: fc.integer({ min: AS_OF - 60, max: AS_OF + 120 }),
    clientId: fc.constantFrom("c1", "c2", null),
  });
  const anyDeals = fc
    .array(anyDeal, { maxLength: 12 })
    .map((deals) => deals.map((more, i) => deal(`d${i}`, { ...more, timing: tableOfShifts([-10, 0, 25]) })));
  const anyCorrelation = fc.constantFrom(INDEPENDENT, { market: 0.1, client: 0.4 });

  it("P10 ≤ P50 ≤ P90, between nothing and everything", () => {
    fc.assert(
      fc.property(anyDeals, anyCorrelation, (deals, correlation) => {
        const { total, periods } = forecast(model(deals, { correlation }), 300);
        const all = deals.reduce((sum, { value }) => sum + value, 0);
        for (const { p10, p50, p90 } of [total, ...periods]) {
          expect(p10).toBeLessThanOrEqual(p50);
          expect(p50).toBeLessThanOrEqual(p90);
          expect(p10).toBeGreaterThanOrEqual(0);
          expect(p90).toBeLessThanOrEqual(all);
        }
      }),
      { numRuns: 60, seed: 11 },
    );
  });

  it("the same again for the same seed, to the digit, in whatever order the deals come", () => {
    fc.assert(
      fc.property(anyDeals, anyCorrelation, (deals, correlation) => {
        const first = forecast(model(deals, { correlation }), 300);
        expect(forecast(model(deals, { correlation }), 300)).toEqual(first);
        expect(forecast(model([...deals].reverse(), { correlation }), 300)).toEqual(first);
      }),
      { numRuns: 40, seed: 12 },
    );
  });

  it("a dropped deal takes away what it brought, and changes no other deal in any run", () => {
    fc.assert(
      fc.property(
        anyDeals.filter((deals) => deals.length > 1),
        anyCorrelation,
        (deals, correlation) => {
          const [one, ...rest] = deals as [DrawnDeal, ...DrawnDeal[]];
          const runs = 200;
          const all = drawn(model(deals, { correlation }), runs);
          const alone = drawn(model([one], { correlation }), runs);
          const others = drawn(model(rest, { correlation }), runs);
          expect([...others]).toEqual([...all].map((value, run) => value - (alone[run] as number)));
        },
      ),
      { numRuns: 60, seed: 13 },
    );
  });

  it("a higher probability wins in every run in which the lower one won", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        anyCorrelation,
        (a, b, correlation) => {
          const wins = (rate: number) => drawn(model([deal("a", { clientId: "c", rate })], { correlation }), 300);
          const low = wins(Math.min(a, b));
          const high = wins(Math.max(a, b));
          expect(low.every((value, run) => value <= (high[run] as number))).toBe(true);
        },
      ),
      { numRuns: 60, seed: 14 },
    );
  });

  it("refuses no runs, half a run and more than a function can bear", () => {
    for (const runs of [0, 1.5, 100_000, Number.NaN])
      expect(() => forecast(model([]), runs)).toThrow(/1 to 50000 runs/);
  });

  it("tells how far it is, and stops where nobody asks on", () => {
    const deals = Array.from({ length: 120 }, (_, i) => deal(`d${i}`));
    const work = forecastRevenue(model(deals), { runs: 10, seed: 1 });
    expect([work.next().value, work.next().value, work.next().value]).toEqual([50, 100, 120]);
    expect(forecastRevenue(model(deals), { runs: 10, seed: 1 }).return(undefined as never).done).toBe(true);
  });
});

describe("drivers", () => {
  it("the deal whose win moves the middle most comes first; certain and hopeless ones drive nothing", () => {
    const { drivers } = forecast(
      model([
        deal("small", { value: 1_000 }),
        deal("big", { value: 500_000 }),
        deal("certain", { value: 900_000, rate: 1 }),
        deal("hopeless", { value: 900_000, rate: 0 }),
        deal("later", { value: 800_000, closeDay: AS_OF + 300 }),
      ]),
    );
    expect(drivers.map(({ dealId }) => dealId)).toEqual(["big", "small"]);
    // The small one is half of the time in the middle of either half.
    expect(Math.abs((drivers[0]?.swing ?? 0) - 500_000)).toBeLessThanOrEqual(1_000);
  });
});

describe("new business", () => {
  const business = { wins: [4, 60, 0], meanValue: 5_000, valueSpread: 1_000, swing: 0 };

  it("compound Poisson: mean λμ and variance λ(μ² + σ²), few wins and many", () => {
    for (const [period, wins] of business.wins.entries()) {
      const totals = drawn(model([], { newBusiness: business }), RUNS, period);
      const variance = wins * (5_000 ** 2 + 1_000 ** 2);
      expect(Math.abs(meanOf(totals) - wins * 5_000)).toBeLessThanOrEqual(5 * Math.sqrt(variance / RUNS));
      const seen = varianceOf(totals);
      expect(Math.abs(seen - variance)).toBeLessThanOrEqual(0.1 * variance);
    }
  });

  it("a swing widens it and leaves its mean", () => {
    const calm = forecast(model([], { newBusiness: business })).total;
    const wild = forecast(model([], { newBusiness: { ...business, swing: 0.3 } })).total;
    expect(wild.mean / calm.mean).toBeCloseTo(1, 1.7);
    expect(wild.p90 - wild.p10).toBeGreaterThan(1.5 * (calm.p90 - calm.p10));
  });
});
