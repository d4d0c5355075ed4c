import { describe, expect, it } from "vitest";
import { STRANGER } from "../connect/testing.ts";
import { dealRow, demandRow, type ForecastWorld, inputsOf, RUN, scenarioRow, setUp, VIEWER } from "./testing.ts";

const many = (count: number) => Array.from({ length: count }, (_, n) => dealRow(`d${n}`));

describe("a forecast", () => {
  it("reads, begins, draws, and keeps what it answers", async () => {
    const { ask, world } = setUp();
    world.inputs = inputsOf({ deals: [dealRow("a")] });
    const { status, body } = await ask("forecast");
    expect([status, body.run_id, body.status, body.reused]).toEqual([200, RUN, "completed", false]);
    expect(world.calls).toEqual(["forecast_take_token", "forecast_inputs", "forecast_begin", "forecast_finish"]);
    expect(body).toMatchObject(world.kept?.result ?? { nothing: true });
  });

  it("is not drawn again for the same inputs, in whatever order the question names its rates", async () => {
    const { ask, world } = setUp();
    world.inputs = inputsOf({ deals: [dealRow("a")] });
    const first = await ask("forecast", { conversion_rates: { lead: 0.1, proposal: 0.2 } });
    const second = await ask("forecast", { conversion_rates: { proposal: 0.2, lead: 0.1 } });
    expect(second.body).toEqual({ ...first.body, reused: true });
    expect(world.calls.filter((call) => call === "forecast_finish")).toHaveLength(1);
  });

  it("takes its seed from the question, else from the scenario, else from the inputs", async () => {
    const { ask, world } = setUp();
    const id = "11111111-1111-4111-8111-111111111111";
    const free = await ask("forecast");
    expect(free.body.seed).toBe(Number.parseInt(String(free.body.inputs_hash).slice(0, 8), 16));
    world.inputs = inputsOf({ scenarios: [scenarioRow(id, { seed: 7 })] });
    expect((await ask("forecast", { scenario_id: id })).body.seed).toBe(7);
    expect((await ask("forecast", { scenario_id: id, seed: 9 })).body.seed).toBe(9);
  });

  it("waits for a worker when it is large, or when nobody waits for the answer", async () => {
    const large = setUp();
    large.world.inputs = inputsOf({ deals: many(3_001) });
    const { status, body } = await large.ask("forecast");
    expect([status, body.status, large.world.kept?.queued]).toEqual([202, "queued", true]);
    const patient = setUp();
    expect((await patient.ask("forecast", { wait: false })).status).toBe(202);
  });

  it("tells its progress every half second, and stops when it is told to", async () => {
    const watched = setUp({ tick: 300 });
    watched.world.inputs = inputsOf({ deals: many(300) });
    expect((await watched.ask("forecast", { runs: 10 })).status).toBe(200);
    const { told } = watched.world;
    expect([...new Set(told.map(({ done, total }) => `${done} of ${total}`))]).toEqual([
      "100 of 300",
      "200 of 300",
      "300 of 300",
    ]);
    const stopped = setUp({ tick: 300 });
    stopped.world.inputs = inputsOf({ deals: many(300) });
    stopped.world.patience = 1;
    const { status, body } = await stopped.ask("forecast", { runs: 10 });
    expect([status, body.code, stopped.world.told.length]).toEqual([409, "forecast_cancelled", 2]);
    expect(stopped.world.calls).not.toContain("forecast_finish");
  });
});

describe("what is refused", () => {
  const nothingWritten = (world: ForecastWorld) => expect(world.calls).not.toContain("forecast_begin");

  it.each([
    [
      "a currency without a rate",
      { deals: [dealRow("a", { currency: "EUR" })] },
      {},
      422,
      "invalid_input",
      "exchange_rates.EUR",
    ],
    [
      "a rate for no stage",
      {},
      { conversion_rates: { handshake: 1 } },
      422,
      "invalid_input",
      "conversion_rates.handshake",
    ],
    ["61 months", {}, { periods: 61 }, 422, "invalid_input", "periods"],
    ["no period", {}, { periods: 0 }, 422, "invalid_input", "periods"],
    ["an unknown word", {}, { rusn: 5 }, 422, "invalid_input", ""],
    ["100,000 runs", {}, { runs: 100_000 }, 422, "too_many_runs", "runs"],
  ])("%s, before anything is written", async (_, inputs, body, status, code, field) => {
    const { ask, world } = setUp();
    world.inputs = inputsOf(inputs);
    const answer = await ask("forecast", body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.body.errors).toEqual([{ field, message: expect.any(String) }]);
    nothingWritten(world);
  });

  it("more draws than a function has time for", async () => {
    const { ask, world } = setUp();
    world.inputs = inputsOf({ deals: many(2_000) });
    const answer = await ask("forecast", { runs: 50_000 });
    expect([answer.status, answer.body.code]).toEqual([422, "too_many_runs"]);
    nothingWritten(world);
  });

  it("many periods of many scenarios: few deals take long to sort as well", async () => {
    const { ask, world } = setUp();
    world.inputs = inputsOf({ deals: [dealRow("a")] });
    const scenarios = (count: number) => ({
      conversion_scenarios: Array.from({ length: count }, (_, n) => ({ name: `Case ${n}`, conversion_rates: {} })),
    });
    const weeks = { grain: "week", periods: 120, runs: 50_000 };
    const many = await ask("what-if", { ...weeks, ...scenarios(10) });
    expect([many.status, many.body.code]).toEqual([422, "too_many_runs"]);
    // (1 deal + 60 months × 2) × 11 scenarios × 50,000.
    const months = await ask("what-if", { periods: 60, runs: 50_000, ...scenarios(10) });
    expect([months.status, months.body.detail]).toEqual([422, expect.stringContaining("67 million draws")]);
    // 30 weeks × 2 × 2 × 50,000 are six million, with new business fifteen.
    const [few, more] = [
      { ...weeks, periods: 149 },
      { ...weeks, periods: 100 },
    ];
    expect((await ask("what-if", { ...few, ...scenarios(1) })).status).toBe(422);
    expect((await ask("what-if", { ...more, ...scenarios(1), wait: false })).status).toBe(202);
  });

  it("more runs over more periods than there is room for, with the number that there is", async () => {
    const { ask, world } = setUp();
    const answer = await ask("forecast", { grain: "week", periods: 260, runs: 50_000 });
    expect([answer.status, answer.body.code]).toEqual([422, "too_many_runs"]);
    expect(answer.body.detail).toMatch(/50,000 runs over 260 periods.*at most 23,076 runs/);
    nothingWritten(world);
    expect((await ask("forecast", { grain: "week", periods: 260, runs: 23_076 })).status).toBe(200);
  });

  it.each(["a\u0000b", "\ud800", "\u0007", "   ", "x".repeat(256)])(
    "a scenario named %j, which nobody could keep",
    async (name) => {
      const { ask, world } = setUp();
      const answer = await ask("what-if", { conversion_scenarios: [{ name, conversion_rates: {} }] });
      expect([answer.status, answer.body.errors]).toEqual([
        422,
        [{ field: "conversion_scenarios.0.name", message: expect.any(String) }],
      ]);
      nothingWritten(world);
    },
  );

  it("a day after which there are no years of four digits", async () => {
    const { ask } = setUp();
    for (const route of ["forecast", "resource-forecast"])
      expect((await ask(route, { as_of: "9999-12-31" })).body.errors).toEqual([
        { field: "as_of", message: expect.any(String) },
      ]);
  });

  it("a viewer who wants more than 10,000 runs, and a stranger who wants any, without costing the workspace a turn", async () => {
    const { ask, as, world } = setUp();
    as(VIEWER);
    const viewer = await ask("forecast", { runs: 20_000 });
    expect([viewer.status, viewer.body.code]).toEqual([403, "role_too_low"]);
    as(STRANGER);
    const stranger = await ask("forecast");
    expect([stranger.status, stranger.body.code]).toEqual([404, "not_found"]);
    const huge = await ask("forecast", { runs: 100_000 });
    expect([huge.status, huge.body.code]).toEqual([404, "not_found"]);
    expect(world.calls).toEqual([]);
  });

  it("too many questions within a minute, with the time to wait", async () => {
    const { ask, world } = setUp();
    world.wait = 3;
    const answer = await ask("forecast");
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, "3"]);
    nothingWritten(world);
  });

  it("a call to the worker without the secret", async () => {
    const { post } = setUp();
    expect((await post("/work", {})).status).toBe(401);
  });
});

describe("what-if", () => {
  it("compares with the pipeline, or with the first scenario", async () => {
    const { ask, world } = setUp();
    world.inputs = inputsOf({ deals: [dealRow("a")] });
    const cases = [0.2, 0.9].map((rate) => ({ name: `At ${rate}`, conversion_rates: { proposal: rate } }));
    type Row = { name: string; change: { total: { mean: number } } };
    const named = (answer: { body: Record<string, unknown> }) =>
      (answer.body.scenarios as Row[]).map(({ name }) => name);
    const pipeline = await ask("what-if", { conversion_scenarios: cases });
    expect(named(pipeline)).toEqual(["Pipeline as it is", "At 0.2", "At 0.9"]);
    const first = await ask("what-if", { conversion_scenarios: cases, compare_with: "first" });
    expect(named(first)).toEqual(["At 0.2", "At 0.9"]);
    expect((first.body.scenarios as Row[])[1]?.change.total.mean).toBeGreaterThan(600);
  });
});

describe("a demand forecast", () => {
  it("covers sixty months as far as weeks go, and says when there are too many groups for it", async () => {
    const { ask, world } = setUp();
    const calendar = { hours: [8, 8, 8, 8, 8, 0, 0], holidays: [] };
    const deals = [dealRow("a", { start_date: "2026-11-16", duration: 7 })];
    const demands = (count: number) =>
      Array.from({ length: count }, (_, n) => demandRow(`l${n}`, "a", { skill: `skill ${n}` }));
    world.inputs = inputsOf({ deals, demands: demands(1), calendar, supply: [] });
    const long = await ask("resource-forecast", { forecast_months: 60 });
    expect([long.status, (long.body.weeks as string[]).length]).toEqual([200, 260]);
    world.inputs = inputsOf({ deals, demands: demands(77), calendar, supply: [] });
    const wide = await ask("resource-forecast", { forecast_months: 60 });
    expect([wide.status, wide.body.errors]).toEqual([422, [{ field: "forecast_months", message: expect.any(String) }]]);
  });

  it("knows no money, so no currency stops it", async () => {
    const { ask, world } = setUp();
    const deal = dealRow("a", { currency: "EUR", start_date: "2026-11-16", duration: 7, probability: 50 });
    const calendar = { hours: [8, 8, 8, 8, 8, 0, 0], holidays: [] };
    world.inputs = inputsOf({ deals: [deal], demands: [demandRow("l", "a")], calendar, supply: [] });
    const { status, body } = await ask("resource-forecast", { forecast_months: 1 });
    const [react] = body.demand as {
      key: string;
      weeks: { week: string; hours: number; weighted: number; gap: number }[];
    }[];
    expect([status, react?.key]).toEqual([200, "react"]);
    // One person for the week of 16 November, at 50 %.
    expect(react?.weeks.map(({ week, hours, weighted, gap }) => [week, hours, weighted, gap])).toEqual([
      ["2026-11-02", 0, 0, 0],
      ["2026-11-09", 0, 0, 0],
      ["2026-11-16", 40, 20, 20],
      ["2026-11-23", 0, 0, 0],
      ["2026-11-30", 0, 0, 0],
    ]);
  });
});
