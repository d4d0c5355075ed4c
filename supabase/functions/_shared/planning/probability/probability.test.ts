import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PlanningError } from "../failure.ts";
import { clusteredRate, commonShareOf, latentCorrelation } from "./clusters.ts";
import { countStages, type StageEntry, type StageKind } from "./history.ts";
import { type RateRules, rateOf, readConversionRates, type StageRule } from "./rates.ts";
import { smoothedRate } from "./smoothing.ts";

describe("smoothed rates", () => {
  it("3 of 4 with a prior of 40 % worth 10 deals: Beta(7, 7), mean ½", () => {
    const { rate, n, low, high } = smoothedRate(3, 4, { rate: 0.4, weight: 10 });
    expect([rate, n]).toEqual([0.5, 4]);
    // Symmetric, so the interval is too.
    expect(low + high).toBeCloseTo(1, 10);
    expect(low).toBeGreaterThan(0.28);
    expect(low).toBeLessThan(0.3);
  });

  it("of a uniform prior and no deal: the interval is the middle nine tenths", () => {
    const { low, high } = smoothedRate(0, 0, { rate: 0.5, weight: 2 });
    expect(low).toBeCloseTo(0.05, 10);
    expect(high).toBeCloseTo(0.95, 10);
  });

  it("lie between what was believed and what was seen, within their interval, which narrows", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 0, max: 200 }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        (wins, losses, prior) => {
          fc.pre(wins + losses > 0);
          const seen = wins / (wins + losses);
          const { rate, low, high } = smoothedRate(wins, wins + losses, { rate: prior, weight: 10 });
          expect(rate).toBeGreaterThanOrEqual(Math.min(prior, seen) - 1e-12);
          expect(rate).toBeLessThanOrEqual(Math.max(prior, seen) + 1e-12);
          expect(low).toBeLessThan(high);
          expect(low).toBeGreaterThanOrEqual(0);
          expect(high).toBeLessThanOrEqual(1);
          const more = smoothedRate(wins * 10, (wins + losses) * 10, { rate: prior, weight: 10 });
          expect(Math.abs(more.rate - seen)).toBeLessThanOrEqual(Math.abs(rate - seen) + 1e-12);
        },
      ),
      { seed: 7 },
    );
  });

  it("a template of 0 or 1 still learns", () => {
    expect(smoothedRate(10, 10, { rate: 0, weight: 10 }).rate).toBeCloseTo(0.5, 2);
    expect(smoothedRate(0, 10, { rate: 1, weight: 10 }).rate).toBeCloseTo(0.5, 2);
  });
});

describe("rates from deals that closed together", () => {
  it("one month of 600 with 492 wins counts as 600 / (1 + 599/20) = 19.4 deals", () => {
    const { rate, n } = clusteredRate([{ wins: 492, trials: 600 }], { rate: 0.4, weight: 10 }, 0.05);
    const counted = 600 / 30.95;
    expect(rate).toBeCloseTo((4 + 0.82 * counted) / (10 + counted), 12);
    expect(n).toBe(600);
  });

  it("deals that have nothing in common, and single ones, count in full", () => {
    const prior = { rate: 0.4, weight: 10 };
    const alone = Array.from({ length: 8 }, (_, i) => ({ wins: i % 2, trials: 1 }));
    expect(clusteredRate(alone, prior)).toEqual(smoothedRate(4, 8, prior));
    expect(clusteredRate([{ wins: 4, trials: 8 }], prior, 0)).toEqual(smoothedRate(4, 8, prior));
    expect(clusteredRate([], prior).n).toBe(0);
  });
});

const STAGES = new Map<string, { kind: StageKind; position: number }>([
  ["lead", { kind: "open", position: 1 }],
  ["proposal", { kind: "open", position: 2 }],
  ["won", { kind: "won", position: 3 }],
  ["lost", { kind: "lost", position: 4 }],
  ["on_hold", { kind: "on_hold", position: 5 }],
]);
const walk = (dealId: string, ...path: string[]): StageEntry[] =>
  path.map((to, index) => ({ dealId, from: path[index - 1] ?? null, to, at: index }));

describe("how alike deals of one time are", () => {
  it("without two clusters it is the usual, of clusters that agree next to nothing, of clusters that are all or nothing everything", () => {
    expect(commonShareOf([{ wins: 3, trials: 10 }], 0.1)).toBe(0.1);
    const alike = Array.from({ length: 50 }, () => ({ wins: 5, trials: 10 }));
    expect(commonShareOf(alike, 0.1)).toBeCloseTo(0.1 / 50, 12);
    const allOrNothing = Array.from({ length: 50 }, (_, i) => ({ wins: i % 2 === 0 ? 10 : 0, trials: 10 }));
    expect(commonShareOf(allOrNothing, 0.1)).toBeCloseTo((0.1 + 49) / 50, 12);
  });

  it("by hand: 8 and 4 of 10 make 0.206, and the usual share draws half way back", () => {
    // Between: 8²/10 + 4²/10 - 12²/20 = 0.8; within: (12 - 8)/18 = 2/9; (0.8 - 2/9)/(0.8 + 9·2/9) = 0.20635.
    expect(
      commonShareOf(
        [
          { wins: 8, trials: 10 },
          { wins: 4, trials: 10 },
        ],
        0.1,
      ),
    ).toBeCloseTo((0.1 + 0.2063492) / 2, 6);
  });

  it("a share of 1/3 is a latent correlation of ½", () => {
    expect(latentCorrelation(1 / 3)).toBeCloseTo(0.5, 12);
    expect(latentCorrelation(0)).toBe(0);
  });
});

describe("conversion from history", () => {
  it("counts what became of the deals that were once in a stage", () => {
    const counts = countStages(
      [
        ...walk("a", "lead", "proposal", "won"),
        ...walk("b", "lead", "proposal", "lead", "lost"),
        ...walk("c", "lead"),
        ...walk("d", "proposal", "on_hold"),
        ...walk("e", "lead", "won", "lost"),
      ],
      STAGES,
    );
    expect(counts.get("lead")).toEqual({ entered: 4, won: 1, lost: 2, open: 1, advanced: 3 });
    expect(counts.get("proposal")).toEqual({ entered: 3, won: 1, lost: 1, open: 1, advanced: 1 });
    expect(counts.get("won")).toMatchObject({ entered: 2, won: 1, lost: 1 });
  });

  it("every deal in a stage is won, lost or open, whatever path it took", () => {
    const path = fc.array(fc.constantFrom(...STAGES.keys()), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(path, { minLength: 1, maxLength: 20 }), (paths) => {
        const counts = countStages(
          paths.flatMap((steps, index) => walk(`${index}`, ...steps)),
          STAGES,
        );
        for (const { entered, won, lost, open, advanced } of counts.values()) {
          expect(won + lost + open).toBe(entered);
          expect(advanced).toBeLessThanOrEqual(entered);
        }
      }),
      { seed: 8 },
    );
  });
});

const RULES: StageRule[] = [
  { key: "prospect", kind: "open", defaultRate: 0.2, aliases: ["prospecting"] },
  { key: "proposal", kind: "open", defaultRate: 0.6 },
  { key: "won", kind: "won", defaultRate: 1 },
  { key: "lost", kind: "lost", defaultRate: 0 },
];
const rules = (more: Partial<RateRules> = {}): RateRules => ({
  stages: new Map(RULES.map((rule) => [rule.key, rule])),
  overrides: new Map(),
  learned: new Map(),
  template: new Map(),
  trustDeals: false,
  minDeals: 5,
  ...more,
});

describe("the probability of a deal", () => {
  const learned = new Map([["proposal", { rate: 0.55, n: 8, low: 0.3, high: 0.8 }]]);
  const template = new Map([["proposal", 0.65]]);
  const overrides = new Map([["proposal", 0.9]]);
  const deal = { stage: "proposal", rate: 0.75 };

  it("is the stage's own, until something stronger is known", () => {
    expect(rateOf(deal, rules())).toMatchObject({ rate: 0.6, source: "stage" });
    expect(rateOf(deal, rules({ template }))).toMatchObject({ rate: 0.65, source: "template" });
    expect(rateOf(deal, rules({ template, learned }))).toEqual({
      rate: 0.55,
      n: 8,
      low: 0.3,
      high: 0.8,
      source: "learned",
    });
    expect(rateOf(deal, rules({ template, learned, minDeals: 9 }))).toMatchObject({ source: "template" });
    expect(rateOf(deal, rules({ template, learned, trustDeals: true }))).toMatchObject({ rate: 0.75, source: "deal" });
    expect(rateOf(deal, rules({ template, learned, trustDeals: true, overrides }))).toMatchObject({
      rate: 0.9,
      source: "conversion_rates",
    });
  });

  it("is 1 and 0 for closed deals, whatever the rates say", () => {
    const all = new Map(RULES.map(({ key }) => [key, 0.5]));
    expect(rateOf({ stage: "won", rate: 0.1 }, rules({ overrides: all })).rate).toBe(1);
    expect(rateOf({ stage: "lost", rate: 0.9 }, rules({ overrides: all, trustDeals: true })).rate).toBe(0);
  });

  it("conversion rates come in any spelling, and a wrong one is named", () => {
    expect(readConversionRates({ Prospecting: 0.3, " proposal ": 0.8 }, RULES)).toEqual(
      new Map([
        ["prospect", 0.3],
        ["proposal", 0.8],
      ]),
    );
    const failure = (given: Record<string, number>) => {
      try {
        readConversionRates(given, RULES);
      } catch (error) {
        return error instanceof PlanningError ? [error.fault, error.field] : error;
      }
      return null;
    };
    expect(failure({ proposal: 0.5, " Proposal": 0.6 })).toEqual(["duplicate_id", "conversion_rates. Proposal"]);
    expect(failure({ closing: 0.5 })).toEqual(["unknown_stage", "conversion_rates.closing"]);
    expect(failure({ proposal: 60 })).toEqual(["probability_out_of_range", "conversion_rates.proposal"]);
    expect(failure({ proposal: Number.NaN })).toEqual(["probability_out_of_range", "conversion_rates.proposal"]);
  });
});
