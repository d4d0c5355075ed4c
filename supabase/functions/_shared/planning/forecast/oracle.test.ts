import { describe, expect, it } from "vitest";
import { formatDay } from "../time/days.ts";
import { periodsFrom } from "../time/periods.ts";
import { tableOfShifts } from "../timing/shifts.ts";
import { dealScratch, drawDeals } from "./drawDeal.ts";
import { type DrawnDeal, INDEPENDENT, type RevenueModel } from "./model.ts";
import { finish, forecastRevenue } from "./revenue.ts";
import { drawRevenue, revenueScratch } from "./simulateRevenue.ts";

/**
 * The simulation against answers that are reckoned without it: all outcomes of a small pipeline one by one, integrals over the
 * common factor, percentiles and drivers by sorting anew.
 */

const AS_OF = 20_789; // 2026-12-02
const RUNS = 40_000;
/** Five standard errors of a share: fixed seeds, so it fails for good or never. */
const near = (found: number, share: number, runs = RUNS) =>
  expect(Math.abs(found - share), `${found} is not ${share}`).toBeLessThan(
    5 * Math.sqrt((share * (1 - share)) / runs) + 1e-9,
  );

/** A generator that has nothing in common with the one of the product. */
function randoms(seed: number): (below: number) => number {
  let state = BigInt(seed);
  return (below) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffff_ffff_ffff_ffffn;
    return Number((state >> 33n) % BigInt(below));
  };
}

function smallPipeline(seed: number, deals: number): DrawnDeal[] {
  const next = randoms(seed);
  return Array.from({ length: deals }, (_, n) => ({
    id: `deal ${n} of ${seed} 漢字`,
    clientId: null,
    value: [0, 1, 99, 100_000, 12_345_678_90][next(5)] as number,
    rate: [0.01, 0.25, 0.5, 0.8, 0.99, 1][next(6)] as number,
    closeDay: AS_OF - 40 + next(150),
    timing: next(3) === 0 ? null : tableOfShifts([-30, -3, 0, 0, 14, 14, 45, 200].slice(0, 1 + next(8))),
  }));
}

const model = (deals: readonly DrawnDeal[], more: Partial<RevenueModel> = {}): RevenueModel => ({
  asOf: AS_OF,
  periods: periodsFrom(AS_OF, 3, "month"),
  deals,
  newBusiness: null,
  correlation: INDEPENDENT,
  ...more,
});

function drawn(given: RevenueModel, seed = 3, runs = RUNS): Float64Array {
  const scratch = revenueScratch(runs, given.periods.count);
  finish(drawRevenue(given, { runs, seed }, scratch));
  return scratch.byPeriod;
}

/** Where a deal may close, with what probability: by calendar month, from dates and not from the product's tables of periods. */
function monthsOf({ closeDay, timing }: DrawnDeal): Map<string, number> {
  const shifts = timing === null ? [0] : [...timing];
  const left = timing === null ? shifts : shifts.filter((shift) => closeDay + shift >= AS_OF);
  const days = left.length > 0 ? left.map((shift) => closeDay + shift) : shifts.map((s) => AS_OF + Math.max(0, s));
  const months = new Map<string, number>();
  for (const day of days) {
    const month = formatDay(day).slice(0, 7);
    months.set(month, (months.get(month) ?? 0) + 1 / days.length);
  }
  return months;
}

/** The law of what comes in within the months: every deal is lost, or won in one of its months. */
function exactLaw(deals: readonly DrawnDeal[], months: ReadonlySet<string>): Map<number, number> {
  return deals.reduce(
    (law, deal) => {
      let inside = 0;
      for (const [month, share] of monthsOf(deal)) if (months.has(month)) inside += share * deal.rate;
      const next = new Map<number, number>();
      const add = (value: number, share: number) => next.set(value, (next.get(value) ?? 0) + share);
      for (const [value, share] of law) {
        add(value, share * (1 - inside));
        if (inside > 0) add(value + deal.value, share * inside);
      }
      return next;
    },
    new Map([[0, 1]]),
  );
}

const shareOf = (values: Float64Array, test: (value: number) => boolean) => values.filter(test).length / values.length;

describe("small pipelines, all outcomes one by one", () => {
  it.each(Array.from({ length: 12 }, (_, n) => [n + 1]))("pipeline %i: each month, and all three", (seed) => {
    const deals = smallPipeline(seed, 1 + (seed % 8));
    const byPeriod = drawn(model(deals));
    const labels = ["2026-12", "2027-01", "2027-02"];
    const parts = labels.map((_, n) => byPeriod.slice(n * RUNS, (n + 1) * RUNS));
    const total = (parts[0] as Float64Array).map((_, run) =>
      parts.reduce((sum, part) => sum + (part[run] as number), 0),
    );
    const cases: [Float64Array, string[]][] = [
      ...parts.map((p, n): [Float64Array, string[]] => [p, [labels[n] as string]]),
      [total, labels],
    ];
    for (const [values, months] of cases) {
      const law = [...exactLaw(deals, new Set(months))].sort(([a], [b]) => a - b);
      expect(law.reduce((sum, [, share]) => sum + share, 0)).toBeCloseTo(1, 9);
      let below = 0;
      for (const [value, share] of law) {
        below += share;
        near(
          shareOf(values, (found) => found <= value),
          Math.min(1, below),
        );
      }
      // Nothing comes that cannot come.
      const possible = new Set(law.map(([value]) => value));
      expect(values.every((value) => possible.has(value))).toBe(true);
    }
  });
});

describe("the copula", () => {
  const one = (id: string, rate: number, clientId: string | null, value: number): DrawnDeal => ({
    id,
    clientId,
    value,
    rate,
    closeDay: AS_OF,
    timing: null,
  });
  const phi = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  /** Φ by adding up the density, Φ⁻¹ by halving: neither is the product's. */
  const STEP = 1e-3;
  const table = (() => {
    const sums = [0];
    for (let x = -9; x < 9; x += STEP)
      sums.push((sums.at(-1) as number) + (STEP * (phi(x) + 4 * phi(x + STEP / 2) + phi(x + STEP))) / 6);
    return sums;
  })();
  const cdf = (x: number) => {
    const place = Math.min(17.999, Math.max(0, x + 9)) / STEP;
    const at = Math.floor(place);
    return (table[at] as number) + ((table[at + 1] as number) - (table[at] as number)) * (place - at);
  };
  const quantile = (p: number) => {
    let [low, high] = [-9, 9];
    for (let n = 0; n < 60; n++)
      if (cdf((low + high) / 2) < p) low = (low + high) / 2;
      else high = (low + high) / 2;
    return low;
  };
  /** P(both) = ∫ Φ((a - √ρ·m)/√(1-ρ))·Φ((b - √ρ·m)/√(1-ρ)) φ(m) dm: given what they have in common they are independent. */
  const bothWon = (p: number, q: number, rho: number) => {
    let sum = 0;
    const given = (t: number, m: number) => cdf((t - Math.sqrt(rho) * m) / Math.sqrt(1 - rho));
    const [a, b] = [quantile(p), quantile(q)];
    for (let m = -8; m < 8; m += 0.005) sum += 0.005 * phi(m) * given(a, m) * given(b, m);
    return sum;
  };

  it.each([
    [0.5, 0.5, 0.1, 0, "a", "b"],
    [0.02, 0.9, 0.1564, 0, null, null],
    [0.3, 0.3, 0.05, 0.4, "a", "a"],
    [0.3, 0.3, 0.05, 0.4, "a", "b"],
    [0.8, 0.05, 0.15, 0.8, "a", "a"],
    [0.7, 0.6, 0, 0.5, "a", "a"],
    [0.7, 0.6, 0, 0.5, null, null],
  ])(
    "p = %d and %d, market %d, client %d, clients %s and %s: marginals stay, pairs as integrated",
    (p, q, market, client, c, d) => {
      const values = drawn(model([one("x", p, c, 1), one("y", q, d, 100)], { correlation: { market, client } })).slice(
        0,
        RUNS,
      );
      near(
        shareOf(values, (v) => v % 2 === 1),
        p,
      );
      near(
        shareOf(values, (v) => v >= 100),
        q,
      );
      const rho = market + (c !== null && c === d ? client : 0);
      near(
        shareOf(values, (v) => v === 101),
        rho === 0 ? p * q : bothWon(p, q, rho),
      );
    },
  );

  it("many deals of one market: the number won has the law that integration over the market gives", () => {
    const [n, p, rho] = [12, 0.35, 0.2];
    const deals = Array.from({ length: n }, (_, i) => one(`d${i}`, p, null, 1));
    const values = drawn(model(deals, { correlation: { market: rho, client: 0 } })).slice(0, RUNS);
    const choose = (k: number) => Array.from({ length: k }, (_, i) => (n - i) / (i + 1)).reduce((a, b) => a * b, 1);
    const t = quantile(p);
    for (let k = 0; k <= n; k++) {
      let share = 0;
      for (let m = -8; m < 8; m += 0.005) {
        const w = cdf((t - Math.sqrt(rho) * m) / Math.sqrt(1 - rho));
        share += 0.005 * phi(m) * choose(k) * w ** k * (1 - w) ** (n - k);
      }
      near(
        shareOf(values, (v) => v === k),
        share,
      );
    }
  });
});

describe("what is read off the runs", () => {
  /** Type 7 by its definition: h = (n - 1)p + 1, the ⌊h⌋-th and the next, linear between. */
  const type7 = (values: Iterable<number>, p: number) => {
    const sorted = [...values].sort((a, b) => a - b);
    const h = (sorted.length - 1) * p + 1;
    const low = sorted[Math.floor(h) - 1] as number;
    const high = sorted[Math.min(sorted.length, Math.floor(h) + 1) - 1] as number;
    return low + (h - Math.floor(h)) * (high - low);
  };

  it("percentiles, means and the swing of drivers, sorted and counted anew", () => {
    for (const seed of [5, 6, 7, 8, 9, 10]) {
      const deals = smallPipeline(seed, 9).map((deal) => ({ ...deal, clientId: `c${deal.value % 2}` }));
      const given = model(deals, { correlation: { market: 0.1, client: 0.3 } });
      const runs = 801;
      const { periods, total, drivers } = finish(forecastRevenue(given, { runs, seed, drivers: 4 }));
      const byPeriod = drawn(given, seed, runs);
      const totals = Array.from({ length: runs }, (_, run) =>
        [0, 1, 2].reduce((sum, n) => sum + (byPeriod[n * runs + run] as number), 0),
      );
      const rows = [
        ...periods.map((row, n) => ({ row, values: [...byPeriod.slice(n * runs, (n + 1) * runs)] })),
        { row: total, values: totals },
      ];
      for (const { row, values } of rows) {
        expect(row.p10).toBeCloseTo(type7(values, 0.1), 4);
        expect(row.p50).toBeCloseTo(type7(values, 0.5), 4);
        expect(row.p90).toBeCloseTo(type7(values, 0.9), 4);
        expect(row.mean).toBeCloseTo(values.reduce((a, b) => a + b, 0) / runs, 4);
      }
      const spread = ({ value, rate }: DrawnDeal) => value * Math.sqrt(rate * (1 - rate));
      const widest = deals
        .filter((deal) => spread(deal) > 0)
        .sort((a, b) => spread(b) - spread(a) || (a.id < b.id ? -1 : 1));
      const expected = widest.slice(0, 4).flatMap((deal) => {
        const alone = drawn({ ...given, deals: [deal] }, seed, runs);
        const won = totals.map((_, run) => [0, 1, 2].some((n) => (alone[n * runs + run] as number) > 0));
        const half = (wanted: boolean) => totals.filter((_, run) => won[run] === wanted);
        if (half(true).length === 0 || half(false).length === 0) return [];
        return [{ dealId: deal.id, swing: Math.round(type7(half(true), 0.5)) - Math.round(type7(half(false), 0.5)) }];
      });
      expect(
        drivers.map(({ dealId, swing }) => ({ dealId, swing })).sort((a, b) => (a.dealId < b.dealId ? -1 : 1)),
      ).toEqual(expected.sort((a, b) => (a.dealId < b.dealId ? -1 : 1)));
      expect(drivers.map(({ swing }) => Math.abs(swing))).toEqual(
        drivers.map(({ swing }) => Math.abs(swing)).sort((a, b) => b - a),
      );
    }
  });

  it("weeks and months of the same days bring the same in every run", () => {
    // 1 February 2027 is a Monday, and the 28 days after it are the month.
    const asOf = AS_OF + 61;
    expect(formatDay(asOf)).toBe("2027-02-01");
    const deals = smallPipeline(21, 9).map((deal) => ({ ...deal, closeDay: deal.closeDay + 50 }));
    const by = (grain: "month" | "week", count: number) => {
      const values = drawn({ ...model(deals), asOf, periods: periodsFrom(asOf, count, grain) }, 4, 500);
      return Array.from({ length: 500 }, (_, run) => {
        let sum = 0;
        for (let n = 0; n < count; n++) sum += values[n * 500 + run] as number;
        return sum;
      });
    };
    const months = by("month", 1);
    expect(by("week", 4)).toEqual(months);
    expect(months.some((value) => value > 0)).toBe(true);
  });

  it("a win takes each place of its timing table equally often, the last one too", () => {
    const scratch = dealScratch(RUNS);
    const deal = { id: "a", clientId: null, rate: 1, threshold: Number.POSITIVE_INFINITY, tableSize: 5 };
    for (const { wins } of drawDeals([deal], INDEPENDENT, { runs: RUNS, seed: 9 }, scratch)) expect(wins).toBe(RUNS);
    for (let place = 0; place < 5; place++) near(scratch.places.filter((one) => one === place).length / RUNS, 1 / 5);
  });
});
