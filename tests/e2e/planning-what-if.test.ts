import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { addDeals, askForecast } from "../support/forecast.ts";
import { newWorld, openSql, type World } from "../support/world.ts";

const AS_OF = "2026-11-02";

/** Two deals that close in December, and one in March. */
async function pipeline(): Promise<{ world: World; ids: string[] }> {
  const world = await newWorld();
  const ids = await addDeals(world, [
    { name: "Alpha", stage_key: "proposal", estimated_value: 100_000, expected_close_date: "2026-12-10" },
    { name: "Beta", stage_key: "negotiation", estimated_value: 40_000, expected_close_date: "2026-12-20" },
    { name: "Gamma", stage_key: "lead", estimated_value: 10_000, expected_close_date: "2027-03-05" },
  ]);
  return { world, ids };
}

const whatIf = (world: World, body: object) =>
  askForecast(world.people.member, "what-if", { workspace_id: world.workspaceId, as_of: AS_OF, periods: 6, ...body });

describe("what if deals were won more or less often", () => {
  let world: World;
  let ids: string[];
  beforeAll(async () => {
    ({ world, ids } = await pipeline());
  });

  test("is told beside the pipeline as it is, with the difference that the rates make and no other", async () => {
    const { body } = await whatIf(world, {
      pipeline_project_ids: ids,
      conversion_scenarios: [
        { name: "Conservative", conversion_rates: { lead: 0.05, proposal: 0.3, negotiation: 0.5 } },
        { name: "Optimistic", conversion_rates: { lead: 0.2, proposal: 0.8, Negotiation: 0.9 } },
      ],
    });
    const [base, low, high] = body.scenarios;
    expect(body.scenarios.map((one: { name: string }) => one.name)).toEqual([
      "Pipeline as it is",
      "Conservative",
      "Optimistic",
    ]);
    // 100,000 × 60 % + 40,000 × 80 % + 10,000 × 10 %; then with the rates of each case.
    expect([base, low, high].map(({ forecast }) => forecast.total.weighted)).toEqual([93_000, 50_500, 118_000]);
    expect(base.change.total).toEqual({ p10: 0, p50: 0, p90: 0, mean: 0 });
    expect(low.change.total.mean).toBeCloseTo(low.forecast.total.mean - base.forecast.total.mean, 2);
    expect(low.change.total.mean).toBeLessThan(0);
    expect(high.change.total.mean).toBeGreaterThan(0);
  });

  test("has the same digits each time, whatever else is asked beside it", async () => {
    const optimistic = { name: "Optimistic", conversion_rates: { proposal: 0.9 } };
    const alone = await whatIf(world, { conversion_scenarios: [optimistic], seed: 5 });
    const beside = await whatIf(world, {
      conversion_scenarios: [{ name: "None", conversion_rates: { proposal: 0 } }, optimistic],
      seed: 5,
    });
    expect(beside.body.scenarios[2].forecast.total).toEqual(alone.body.scenarios[1].forecast.total);
  });

  test("asks for one kind of scenarios, of this workspace", async () => {
    const both = await whatIf(world, {});
    expect([both.status, both.body.code]).toEqual([422, "invalid_input"]);
    const foreign = await pipeline();
    const stranger = await whatIf(world, {
      pipeline_project_ids: [foreign.ids[0]],
      conversion_scenarios: [{ name: "Theirs", conversion_rates: {} }],
    });
    expect([stranger.status, stranger.body.code]).toEqual([404, "not_found"]);
  });
});

describe("stored scenarios", () => {
  let world: World;
  let ids: string[];
  const scenario: Record<string, string> = {};
  beforeAll(async () => {
    ({ world, ids } = await pipeline());
    const { member } = world.people;
    const create = async (name: string, conversion_rates: Record<string, number>) => {
      const { data, error } = await member.rpc("create_scenario_from_pipeline", {
        workspace_id: world.workspaceId,
        name,
        pipeline_project_ids: ids,
        conversion_rates,
      });
      if (error) throw error;
      scenario[name] = data.id;
    };
    await create("Late", {});
    await create("Strong", { proposal: 0.9, negotiation: 0.95 });
    const edit = async (name: string, kind: string, deal: string | undefined, payload: Record<string, number>) => {
      const { error } = await member.rpc("add_scenario_edit", {
        scenario_id: scenario[name] ?? "",
        kind,
        pipeline_project_id: deal as string,
        payload,
      });
      if (error) throw error;
    };
    await edit("Late", "shift_close", ids[0], { days: 31 });
    await edit("Late", "set_probability", ids[1], { probability: 100 });
    await edit("Strong", "set_probability", ids[2], { probability: 0 });
  });

  test("are compared two by two, with the first of them or with the pipeline", async () => {
    const two = await whatIf(world, {
      scenario_ids: [scenario.Late, scenario.Strong],
      compare_with: "first",
    });
    const [late, strong] = two.body.scenarios;
    expect([late.name, strong.name]).toEqual(["Late", "Strong"]);
    // Late: 60,000 in January instead of December, Beta for sure, Gamma 1,000.
    const weighted = late.forecast.periods.map((one: { weighted: number }) => one.weighted);
    expect(weighted).toEqual([0, 40_000, 60_000, 0, 1_000, 0]);
    expect(strong.forecast.total.weighted).toBe(128_000);
    expect(strong.change.total.mean).toBeCloseTo(strong.forecast.total.mean - late.forecast.total.mean, 2);
    const against = await whatIf(world, { scenario_ids: [scenario.Late] });
    expect(against.body.scenarios[0].name).toBe("Pipeline as it is");
    expect(against.body.scenarios[0].forecast.total.weighted).toBe(93_000);
  });

  test("say how far they look and which deals count, unless the question does", async () => {
    const { member } = world.people;
    const id = scenario.Strong ?? "";
    await member.from("pipeline_scenarios").update({ forecast_months: 3, confidence_threshold: 0.92 }).eq("id", id);
    const ask = (body: object) =>
      askForecast(member, "forecast", { workspace_id: world.workspaceId, as_of: AS_OF, scenario_id: id, ...body });
    const own = await ask({});
    // Of the two in December only Beta, at 95 %, is sure enough.
    expect([own.body.periods.length, own.body.total.best]).toEqual([3, 40_000]);
    const asked = await ask({ periods: 6, confidence_threshold: 0.5 });
    expect([asked.body.periods.length, asked.body.total.best]).toEqual([6, 140_000]);
  });

  test("keep working when one of their deals is lost: its edits are passed over, and told", async () => {
    const { member } = world.people;
    await member
      .from("pipeline_projects")
      .update({ stage_key: "lost" })
      .eq("id", ids[1] ?? "");
    const { body } = await whatIf(world, { scenario_ids: [scenario.Late] });
    expect(body.scenarios[1].passed_over).toEqual([{ edit_id: expect.any(String), why: "deal_lost" }]);
    expect(body.scenarios[1].forecast.total.best).toBe(110_000);
  });
});

describe("the people that deals would need", () => {
  const sql = openSql();
  afterAll(() => sql.end());
  let world: World;
  let deals: string[];
  let demand: string;
  beforeAll(async () => {
    world = await newWorld();
    const { owner, member } = world.people;
    const workspace_id = world.workspaceId;
    const skill = (key: string) => ({ workspace_id, key, label: key, category: "engineering" });
    await owner
      .from("skills")
      .insert([skill("react"), skill("java")])
      .throwOnError();
    const people = ["Ada", "Bob"].map((name) => ({ workspace_id, name, employed_from: "2026-01-01" }));
    const { data: staff } = await member.from("employees").insert(people).select("id, name").throwOnError();
    const idOf = (name: string) => staff.find((one) => one.name === name)?.id ?? "";
    await member
      .from("employee_skills")
      .insert([
        { workspace_id, employee_id: idOf("Ada"), skill_key: "react", level: "senior" },
        { workspace_id, employee_id: idOf("Ada"), skill_key: "java", level: "mid" },
        { workspace_id, employee_id: idOf("Bob"), skill_key: "java", level: "senior" },
      ])
      .throwOnError();
    const [today] = await sql<
      { monday: string }[]
    >`select (date_trunc('week', now()) + interval '14 days')::date::text as monday`;
    const work = { stage_key: "negotiation", probability: 50, estimated_start_date: today?.monday ?? "" };
    deals = await addDeals(world, [
      { name: "Two places", ...work, estimated_duration: 28 },
      { name: "Nobody", ...work, estimated_duration: 28 },
      { name: "Too many", ...work, estimated_duration: 28 },
    ]);
    const line = (deal: number, skill_category: string, more: object = {}) => ({
      workspace_id,
      pipeline_project_id: deals[deal] ?? "",
      skill_category,
      experience_level: "senior",
      ...more,
    });
    const { data: lines } = await member
      .from("pipeline_resource_demands")
      .insert([line(0, "react"), line(0, "java"), line(2, "react", { required_count: 2, is_critical: true })])
      .select("id, pipeline_project_id, skill_key")
      .throwOnError();
    demand = lines.find((one) => one.pipeline_project_id === deals[0] && one.skill_key === "java")?.id ?? "";
  });

  test("are looked for all at once: Ada cannot be two people", async () => {
    const { body } = await askForecast(world.people.viewer, "availability", {
      workspace_id: world.workspaceId,
      pipeline_project_ids: deals,
    });
    const scoreOf = (id: string | undefined) =>
      body.deals.find((one: { pipeline_project_id: string }) => one.pipeline_project_id === id);
    expect(scoreOf(deals[0])).toMatchObject({ score: 100, reasons: [], proven: true });
    expect(
      scoreOf(deals[0])
        .lines.flatMap((one: { people: { name: string }[] }) => one.people.map(({ name }) => name))
        .sort(),
    ).toEqual(["Ada", "Bob"]);
    expect(scoreOf(deals[1])).toMatchObject({ score: null, reasons: ["Nobody is asked for yet."] });
    // One of two critical places: 50, capped at 49.
    expect(scoreOf(deals[2]).score).toBe(49);
    expect(scoreOf(deals[2]).reasons[0]).toBe("1 of 2 react cannot be staffed, which is critical.");
    const { data } = await world.people.viewer
      .from("pipeline_availability")
      .select("score, stale")
      .eq("pipeline_project_id", deals[0] ?? "");
    expect(data).toEqual([{ score: 100, stale: false }]);
  });

  test("are ranked for one place, with reasons", async () => {
    const { body } = await askForecast(world.people.viewer, "candidates", { demand_id: demand });
    expect(body.candidates.map((one: { name: string; score: number }) => [one.name, one.score])).toEqual([
      ["Bob", 100],
      ["Ada", 75],
    ]);
    expect(body.candidates[1].reasons).toEqual([
      "java mid",
      "1 level below the senior that was asked for",
      "free for all of it",
    ]);
    const stranger = await newWorld();
    const foreign = await askForecast(stranger.people.owner, "candidates", { demand_id: demand });
    expect([foreign.status, foreign.body.code]).toEqual([404, "not_found"]);
  });

  test("become old when somebody is promised elsewhere, and are worked out again by themselves", async () => {
    const { member } = world.people;
    const { data: bob } = await member.from("employees").select("id").eq("name", "Bob").single().throwOnError();
    await member
      .from("employee_allocations")
      .insert({ workspace_id: world.workspaceId, employee_id: bob.id, start_date: "2026-01-01", percentage: 100 })
      .throwOnError();
    await sql`select private.mark_availability()`;
    const stale = await member
      .from("pipeline_availability")
      .select("stale")
      .eq("pipeline_project_id", deals[0] ?? "");
    expect(stale.data).toEqual([{ stale: true }]);
    await sql`select private.forecast_sweep()`;
    const fresh = await eventually("the new score", async () => {
      const { data } = await member
        .from("pipeline_availability")
        .select("score, stale, reasons")
        .eq("pipeline_project_id", deals[0] ?? "")
        .single();
      return data?.stale === false ? data : null;
    });
    expect(fresh).toMatchObject({ score: 50, reasons: ["1 of 1 java cannot be staffed."] });
    await member.from("employee_allocations").delete().eq("employee_id", bob.id).throwOnError();
  });

  test("are forecast by week, with who is free, and active scenarios have their say", async () => {
    const ask = (body: object) =>
      askForecast(world.people.member, "resource-forecast", {
        workspace_id: world.workspaceId,
        forecast_months: 3,
        ...body,
      });
    const plain = await ask({ include_active_scenarios_only: true });
    expect([plain.status, plain.body.weeks.length, plain.body.scenarios]).toEqual([200, 14, []]);
    const react = plain.body.demand.find((one: { key: string }) => one.key === "react");
    // From the third week on, four weeks: three people full-time at 50 %.
    expect(react.weeks[2]).toMatchObject({ hours: 120, weighted: 60, critical: 80, supply: 40 });
    expect(react.weeks[1]).toMatchObject({ hours: 0, weighted: 0, p90: 0, gap: 0 });
    expect(react.weeks[6]).toMatchObject({ hours: 0 });
    expect(react.weeks[2].gap).toBe(20);
    const monthly = await ask({ grain: "month" });
    expect([monthly.status, monthly.body.grain, monthly.body.months.length]).toEqual([200, "month", 3]);
    const reactByMonth = monthly.body.demand.find((one: { key: string }) => one.key === "react").months;
    const total = (rows: Record<string, number>[], figure: string) =>
      rows.reduce((sum, row) => sum + (row[figure] ?? 0), 0);
    // The four weeks lie within both horizons, whatever day it is.
    for (const figure of ["hours", "critical", "weighted", "gap"])
      expect(total(reactByMonth, figure), figure).toBeCloseTo(total(react.weeks, figure), 1);
    const [first] = await sql<{ month: string; hours: number }[]>`
      select to_char(monday, 'YYYY-MM') as month, 24 * count(*)::int as hours
      from (select (date_trunc('week', now()) + interval '14 days')::date as monday) d
      cross join generate_series(0, 27) g (n)
      where extract(isodow from monday + n) <= 5 and date_trunc('month', monday + n) = date_trunc('month', monday)
      group by monday`;
    expect(reactByMonth.find(({ month }: { month: string }) => month === first?.month)).toMatchObject({
      hours: first?.hours,
      weighted: (first?.hours ?? 0) / 2,
    });
    expect(monthly.body.hiring).toEqual(plain.body.hiring);
    const { data: made } = await world.people.member
      .rpc("create_scenario_from_pipeline", {
        workspace_id: world.workspaceId,
        name: "Hire",
        pipeline_project_ids: deals,
        conversion_rates: { negotiation: 0.25 },
      })
      .throwOnError();
    const drafts = await ask({ include_active_scenarios_only: false });
    expect(drafts.body.scenarios).toEqual([{ scenario_id: made.id, name: "Hire", status: "draft" }]);
    const without = await ask({ include_active_scenarios_only: true });
    expect(without.body.scenarios).toEqual([]);
    await world.people.member.rpc("activate_scenario", { scenario_id: made.id }).throwOnError();
    const active = await ask({ include_active_scenarios_only: true });
    const halved = active.body.demand.find((one: { key: string }) => one.key === "react");
    expect(halved.weeks[2]).toMatchObject({ hours: 120, weighted: 30, gap: 0 });
    const sure = await ask({ confidence_threshold: 0.5 });
    expect(sure.body.demand).toEqual([]);
  });
});
