import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PlanningError } from "../failure.ts";
import { INDEPENDENT } from "../forecast/model.ts";
import type { DemandLine, Plan, PlanDeal } from "../forecast/plan.ts";
import { finish } from "../forecast/revenue.ts";
import type { StageRule } from "../probability/rates.ts";
import { periodsFrom } from "../time/periods.ts";
import { applyEdits, type Edit } from "./edits.ts";
import { type ForecastSetting, toModel } from "./toModel.ts";
import { type NamedScenario, whatIf } from "./whatIf.ts";

const AS_OF = 20_454;
const deal = (id: string, more: Partial<PlanDeal> = {}): PlanDeal => ({
  id,
  name: id,
  clientId: null,
  stage: "proposal",
  value: 10_000,
  rate: null,
  closeDay: AS_OF + 20,
  startDay: AS_OF + 50,
  durationDays: 30,
  ...more,
});
const line = (id: string, dealId: string): DemandLine => ({
  id,
  dealId,
  skill: "react",
  level: null,
  count: 1,
  allocation: 1,
  startDay: AS_OF + 50,
  endDay: null,
  critical: false,
  alternatives: [],
});
const base: Plan = {
  deals: [deal("a"), deal("b"), deal("c", { stage: "won", closeDay: AS_OF - 2 })],
  demands: [line("l1", "a"), line("l2", "b")],
  addedPeople: [],
  conversionRates: new Map(),
};
const STAGES: StageRule[] = [
  { key: "proposal", kind: "open", defaultRate: 0.6 },
  { key: "won", kind: "won", defaultRate: 1 },
];
const setting: ForecastSetting = {
  asOf: AS_OF,
  periods: periodsFrom(AS_OF - 5, 3, "month"),
  rates: {
    stages: new Map(STAGES.map((stage) => [stage.key, stage])),
    learned: new Map(),
    template: new Map(),
    trustDeals: true,
    minDeals: 5,
  },
  timing: new Map(),
  correlation: INDEPENDENT,
  newBusiness: null,
  countFrom: 0,
};
const run = (scenarios: NamedScenario[], plan = base) =>
  finish(whatIf(plan, scenarios, setting, { runs: 500, seed: 4 }));

describe("edits", () => {
  it("leave the plan as it was, and share what they do not touch", () => {
    const before = structuredClone(base);
    const edited = applyEdits(base, [{ kind: "shift_start", dealId: "a", days: 7 }]);
    expect(base).toEqual(before);
    expect(edited.deals[0]).toMatchObject({ startDay: AS_OF + 57, closeDay: AS_OF + 20 });
    expect(edited.demands[0]?.startDay).toBe(AS_OF + 57);
    expect(edited.deals[1]).toBe(base.deals[1]);
    expect(edited.demands[1]).toBe(base.demands[1]);
    expect(edited.conversionRates).toBe(base.conversionRates);
  });

  it("one after the other: what was dropped cannot be changed, what was added can", () => {
    const added = deal("n", { value: 5 });
    const edited = applyEdits(base, [
      { kind: "drop_deal", dealId: "a" },
      { kind: "add_deal", deal: added, demands: [line("l3", "n")] },
      { kind: "set_probability", dealId: "n", rate: 0.25 },
    ]);
    expect(edited.deals.map(({ id }) => id)).toEqual(["b", "c", "n"]);
    expect(edited.deals[2]?.editedRate).toBe(0.25);
    expect(edited.demands.map(({ id }) => id)).toEqual(["l2", "l3"]);
  });

  it.each<[string, Edit, string]>([
    ["a deal that is not there", { kind: "drop_deal", dealId: "x" }, "unknown_deal"],
    ["a probability of 150 %", { kind: "set_probability", dealId: "a", rate: 1.5 }, "probability_out_of_range"],
    ["a deal twice", { kind: "add_deal", deal: deal("a"), demands: [] }, "duplicate_id"],
    [
      "people who leave before they come",
      {
        kind: "add_people",
        people: { skill: "react", level: null, count: 1, hoursPerWeek: 40, startDay: 10, endDay: 9 },
      },
      "end_before_start",
    ],
  ])("%s is refused, with the place of the edit", (_, edit, fault) => {
    const attempt = () => applyEdits(base, [{ kind: "drop_deal", dealId: "b" }, edit]);
    expect(attempt).toThrow(PlanningError);
    try {
      attempt();
    } catch (error) {
      expect(error).toMatchObject({ fault, field: "edits.1" });
    }
  });
});

describe("rates of a plan", () => {
  it("an edit of the deal beats the scenario's rates, which beat the deal's own; won stays won", () => {
    const edited = applyEdits(base, [
      {
        kind: "set_rates",
        rates: new Map([
          ["proposal", 0.3],
          ["won", 0.1],
        ]),
      },
      { kind: "set_probability", dealId: "b", rate: 0.9 },
      { kind: "set_probability", dealId: "c", rate: 0.1 },
    ]);
    const { rates } = toModel(edited, setting);
    expect([...rates].map(([id, { rate, source }]) => [id, rate, source])).toEqual([
      ["a", 0.3, "conversion_rates"],
      ["b", 0.9, "edit"],
      ["c", 1, "stage"],
    ]);
  });

  it.each([
    ["a value that is no number", { value: Number.NaN }, "not_a_number"],
    ["60 where 0.6 is meant", { rate: 60 }, "probability_out_of_range"],
  ])("%s is refused, by the id of the deal", (_, more, fault) => {
    expect(() => toModel({ ...base, deals: [deal("a", more)] }, setting)).toThrow(
      expect.objectContaining({ fault, field: "deals.a" }),
    );
  });

  it("leaves out what is below the threshold of confidence, and names what has no day", () => {
    const plan = {
      ...base,
      deals: [deal("a", { rate: 0.4 }), deal("b", { rate: 0.8 }), deal("n", { rate: 0.9, closeDay: null })],
    };
    const { model, undated } = toModel(plan, { ...setting, countFrom: 0.5 });
    expect(model.deals.map(({ id }) => id)).toEqual(["b"]);
    expect(undated.map(({ id }) => id)).toEqual(["n"]);
    expect(toModel(plan, { ...setting, countFrom: 0.8 }).model.deals.map(({ id }) => id)).toEqual(["b"]);
  });
});

describe("a deal that nobody has dated", () => {
  const undated = deal("u", { closeDay: null, openedDay: AS_OF - 45 });
  const outlook = (won: number, day: number) => ({
    won,
    lost: 0,
    daysToWin: new Int32Array(256).fill(day),
    rate: { rate: won, n: 50, low: won - 0.1, high: won + 0.1 },
  });
  // Bands of thirty days: at 45 days of age it is in the second.
  const known = { ...setting, outlooks: { bandDays: 30, byBand: [outlook(0.9, 1), outlook(0.25, 10)] } };

  it("goes the way of earlier ones of its age", () => {
    const { model, rates, undated: left } = toModel({ ...base, deals: [undated] }, known);
    expect(model.deals).toMatchObject([{ id: "u", rate: 0.25, closeDay: AS_OF - 1 }]);
    expect(new Set(model.deals[0]?.timing)).toEqual(new Set([10]));
    expect(rates.get("u")).toMatchObject({ rate: 0.25, source: "learned", n: 50 });
    expect(left).toEqual([]);
  });

  it("keeps the probability that a person wrote", () => {
    const { rates } = toModel({ ...base, deals: [{ ...undated, rate: 0.7 }] }, known);
    expect(rates.get("u")).toMatchObject({ rate: 0.7, source: "deal" });
  });

  it("is in no period without such a past, and one that is dated needs none", () => {
    expect(toModel({ ...base, deals: [undated] }, setting)).toMatchObject({ model: { deals: [] }, undated: [undated] });
    expect(toModel({ ...base, deals: [deal("d", { openedDay: AS_OF - 45 })] }, known).rates.get("d")?.rate).toBe(0.6);
  });
});

describe("what if", () => {
  it("no edits, no difference", () => {
    const [first, second] = run([
      { name: "base", edits: [] },
      { name: "same", edits: [] },
    ]);
    expect(second?.forecast).toEqual(first?.forecast);
    expect(second?.change.total).toEqual({ p10: 0, p50: 0, p90: 0, mean: 0 });
  });

  it("a certain deal more is exactly its value more, in every percentile", () => {
    const [, second] = run([
      { name: "base", edits: [] },
      { name: "more", edits: [{ kind: "add_deal", deal: deal("n", { rate: 1, value: 777 }), demands: [] }] },
    ]);
    expect(second?.change.total).toMatchObject({ p10: 777, p50: 777, p90: 777 });
    expect(second?.change.total.mean).toBeCloseTo(777, 6);
  });

  it("moving a start moves demand and leaves revenue as it was", () => {
    fc.assert(
      fc.property(fc.integer({ min: -400, max: 400 }), (days) => {
        const [, second] = run([
          { name: "base", edits: [] },
          { name: "later", edits: [{ kind: "shift_start", dealId: "a", days }] },
        ]);
        expect(second?.change.total.mean).toBe(0);
      }),
      { numRuns: 20, seed: 24 },
    );
  });

  it("an empty pipeline is an empty answer", () => {
    const [only] = run([{ name: "base", edits: [] }], { ...base, deals: [], demands: [] });
    expect(only?.forecast.total).toEqual({ p10: 0, p50: 0, p90: 0, mean: 0 });
  });

  it("draws nothing before every edit is known to be right", () => {
    const work = whatIf(
      base,
      [
        { name: "base", edits: [] },
        { name: "wrong", edits: [{ kind: "drop_deal", dealId: "x" }] },
      ],
      setting,
      { runs: 10, seed: 1 },
    );
    expect(() => work.next()).toThrow(/no deal x/);
  });

  it("counts the deals of all scenarios", () => {
    const seen = [
      ...whatIf(
        base,
        [
          { name: "a", edits: [] },
          { name: "b", edits: [] },
        ],
        setting,
        { runs: 10, seed: 1 },
      ),
    ];
    expect(seen.at(-1)).toEqual({ done: 6, total: 6 });
  });

  it("a scenario may keep some deals, and count by a threshold of its own", () => {
    const [all, kept, sure] = finish(
      whatIf(
        base,
        [
          { name: "all", edits: [] },
          { name: "kept", edits: [{ kind: "keep_deals", dealIds: new Set(["a", "c"]) }] },
          { name: "sure", edits: [], own: { countFrom: 0.7 } },
        ],
        setting,
        { runs: 10, seed: 1 },
      ),
    );
    expect([all, kept, sure].map((one) => one?.rates.size)).toEqual([3, 2, 3]);
    // Of all that is below 70 % only the deal that is won remains.
    expect(sure?.forecast.total).toMatchObject({ p10: 10_000, p90: 10_000 });
    expect(applyEdits(base, [{ kind: "keep_deals", dealIds: new Set(["a"]) }]).demands.map(({ id }) => id)).toEqual([
      "l1",
    ]);
  });
});
