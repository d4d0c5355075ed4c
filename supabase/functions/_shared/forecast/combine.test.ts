import { describe, expect, it } from "vitest";
import type { InputEdit } from "../db/sql/forecast.ts";
import { applyEdits } from "../planning/scenario/edits.ts";
import { toModel } from "../planning/scenario/toModel.ts";
import { combine } from "./combine.ts";
import { prepare } from "./plan.ts";
import { readScenario } from "./scenarios.ts";
import { dealRow, inputsOf, scenarioRow } from "./testing.ts";

const ASK = {
  grain: "month" as const,
  periods: 12,
  currency: null,
  exchange_rates: {},
  correlate_clients: false,
  include_new_business: false,
  confidence_threshold: null,
};
const edit = (
  kind: InputEdit["kind"],
  deal: string | null,
  payload: InputEdit["payload"] = {},
  skipped: string | null = null,
): InputEdit => ({
  id: `${kind}-${deal}`,
  kind,
  deal_id: deal,
  payload,
  skipped,
});
const deals = [dealRow("a"), dealRow("b"), dealRow("c", { stage: "won", probability: 100 })];

function ratesAfter(scenarios: ReturnType<typeof scenarioRow>[]) {
  const inputs = inputsOf({ deals, scenarios });
  const prepared = prepare(inputs, ASK);
  const combined = combine(inputs, prepared);
  const { rates } = toModel(applyEdits(prepared.plan, combined.edits), prepared.setting);
  return { rates: Object.fromEntries([...rates].map(([id, { rate }]) => [id, rate])), ...combined };
}

describe("active scenarios together", () => {
  it("speak of the deals that they name: the later one has the word, and the clash is told", () => {
    const { rates, conflicts } = ratesAfter([
      scenarioRow("one", { deal_ids: ["a", "b"], conversion_rates: { Proposal: 0.3 } }),
      scenarioRow("two", { edits: [edit("set_probability", "b", { probability: 90 })] }),
    ]);
    expect(rates).toEqual({ a: 0.3, b: 0.9, c: 1 });
    expect(conflicts).toEqual([
      { pipeline_project_id: "b", name: "Deal b", scenario_ids: ["one", "two"], taken: "two" },
    ]);
  });

  it("about all deals change the rate of a stage, never of what is won", () => {
    expect(ratesAfter([scenarioRow("one", { conversion_rates: { proposal: 0.3, won: 0.1 } })]).rates).toEqual({
      a: 0.3,
      b: 0.3,
      c: 1,
    });
  });

  it("leave out edits that do not count any more", () => {
    const dropped = scenarioRow("one", { edits: [edit("drop_deal", "a", {}, "deal_deleted"), edit("drop_deal", "b")] });
    expect(Object.keys(ratesAfter([dropped]).rates)).toEqual(["a", "c"]);
  });
});

describe("one scenario", () => {
  const read = (row: ReturnType<typeof scenarioRow>, threshold: number | null = null) =>
    readScenario(row, prepare(inputsOf({ deals }), ASK), threshold);

  it("is about its own deals, with its own threshold and template unless the question says otherwise", () => {
    const row = scenarioRow("one", { deal_ids: ["a"], confidence_threshold: 0.4, template_rates: { lead: 0.2 } });
    const scenario = read(row);
    expect(scenario.own?.countFrom).toBe(0.4);
    expect(scenario.own?.rates?.template.get("lead")).toBe(0.2);
    expect(read(row, 0.9).own?.countFrom).toBe(0.9);
    const left = applyEdits(prepare(inputsOf({ deals }), ASK).plan, scenario.edits).deals;
    expect(left.map(({ id }) => id)).toEqual(["a"]);
  });

  it("adds deals and people, and says which edits it passes over", () => {
    const scenario = read(
      scenarioRow("one", {
        edits: [
          edit("add_deal", null, {
            name: "New",
            stage_key: "negotiation",
            estimated_value: 500,
            expected_close_date: "2027-01-05",
            resource_demand: [{ skill_key: "react", skill_category: "web", required_count: 2 }],
          }),
          edit("add_people", null, {
            skill_key: "react",
            level: "mid",
            count: 2,
            hours_per_week: 40,
            start_date: "2026-12-01",
            end_date: null,
          }),
          edit("shift_close", "elsewhere", { days: 3 }),
          edit("drop_deal", "b", {}, "deal_won"),
        ],
      }),
    );
    const plan = applyEdits(prepare(inputsOf({ deals }), ASK).plan, scenario.edits);
    expect(plan.deals.at(-1)).toMatchObject({ name: "New", stage: "negotiation", value: 50_000, rate: null });
    expect(plan.demands).toMatchObject([{ skill: "react", count: 2, allocation: 1 }]);
    expect(plan.addedPeople).toMatchObject([{ skill: "react", count: 2, hoursPerWeek: 40 }]);
    expect(scenario.passedOver).toEqual([
      { id: "shift_close-elsewhere", why: "not_asked_for" },
      { id: "drop_deal-b", why: "deal_won" },
    ]);
  });

  it("with an edit that cannot be read is refused with its place", () => {
    expect(() => read(scenarioRow("one", { edits: [edit("shift_close", "a", { days: "soon" })] }))).toThrow(
      /An edit \(shift_close\) cannot be read/,
    );
  });
});
