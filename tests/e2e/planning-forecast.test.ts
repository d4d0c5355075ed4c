import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refreshAnalytics } from "../../scripts/demo/planning/numbers.ts";
import { type Answer, AS_OF, addDeals, askForecast, forecastOf } from "../support/forecast.ts";
import { newWorld, openSql, type World } from "../support/world.ts";

const sql = openSql();
afterAll(() => sql.end());

async function runsOf({ workspaceId }: World): Promise<number> {
  const [row] = await sql`select count(*)::int as n from pipeline_forecast_runs where workspace_id = ${workspaceId}`;
  return row?.n ?? -1;
}

interface Period {
  period: string;
  closed: number;
  commit: number;
  best: number;
  weighted: number;
  p10: number;
  p50: number;
  p90: number;
  mean: number;
  naive: number;
}
const period = ({ body }: Answer, label: string) => (body.periods as Period[]).find((one) => one.period === label);

describe("the forecast of a few deals", () => {
  let world: World;
  let ids: string[];
  beforeAll(async () => {
    world = await newWorld();
    ids = await addDeals(world, [
      { name: "Likely", stage_key: "proposal", estimated_value: 100_000, expected_close_date: "2026-12-15" },
      {
        name: "Surer",
        stage_key: "negotiation",
        probability: 75,
        estimated_value: 50_000,
        expected_close_date: "2027-01-20",
      },
      { name: "Won", stage_key: "won", estimated_value: 20_000, actual_close_date: "2026-11-01" },
      { name: "Lost", stage_key: "lost", estimated_value: 999_000, actual_close_date: "2026-11-01" },
      { name: "Waiting", stage_key: "on_hold", estimated_value: 888_000, expected_close_date: "2026-12-01" },
      { name: "Bare", stage_key: "lead" },
      { name: "Late", stage_key: "lead", estimated_value: 1_000, expected_close_date: "2026-10-01" },
    ]);
  });

  test("is what can be reckoned by hand", async () => {
    const answer = await forecastOf(world);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ status: "completed", as_of: AS_OF, currency: "USD", grain: "month", deals: 5 });
    expect(answer.body.periods).toHaveLength(12);
    // Closed 20,000; the late lead of 1,000 at 10 % counts now.
    expect(period(answer, "2026-11")).toMatchObject({ closed: 20_000, commit: 20_000, best: 21_000, weighted: 20_100 });
    // 100,000 × 60 %: below the commit line of 70 %. Won in six of ten futures, so P50 and P90 are all of it.
    expect(period(answer, "2026-12")).toMatchObject({ commit: 0, best: 100_000, weighted: 60_000, naive: 60_000 });
    expect(period(answer, "2026-12")).toMatchObject({ p10: 0, p50: 100_000, p90: 100_000 });
    // 50,000 × 75 %, as somebody wrote; the stage by itself would say 80 %.
    expect(period(answer, "2027-01")).toMatchObject({ commit: 50_000, weighted: 37_500, naive: 40_000, p50: 50_000 });
    // The mean of 10,000 draws lies within four standard errors: 100,000 × √(0.24 / 10,000) × 4.
    expect(Math.abs((period(answer, "2026-12")?.mean ?? 0) - 60_000)).toBeLessThan(1_960);
    expect(answer.body.total).toMatchObject({ closed: 20_000, commit: 70_000, best: 171_000, weighted: 117_600 });
    expect(answer.body.undated).toEqual({ deals: 1, value: 0, not_drawn: 1 });
    expect(answer.body.overdue).toEqual({ deals: 1, value: 1_000 });
    expect(answer.body.unvalued).toBe(1);
    // With it 20,000 + 100,000 + 50,000, which comes with it more often than not; without it 100,000 less.
    expect(answer.body.drivers).toContainEqual({
      pipeline_project_id: ids[0],
      name: "Likely",
      won_p50: 170_000,
      lost_p50: 70_000,
      swing: 100_000,
    });
    expect(answer.body.rates).toContainEqual({
      stage: "proposal",
      rate: 0.6,
      source: "stage",
      n: null,
      low: null,
      high: null,
    });
  });

  test("is kept, and the same question gets the same answer without being reckoned again", async () => {
    const first = await forecastOf(world);
    const count = await runsOf(world);
    const again = await forecastOf(world, {}, "viewer");
    expect(again.body).toEqual({ ...first.body, reused: true });
    expect(await runsOf(world)).toBe(count);
    const { data } = await world.people.viewer.rpc("forecast_result", { run_id: first.body.run_id });
    expect(data).toMatchObject({ total: first.body.total });
  });

  test("comes out the same to the digit when it is reckoned anew, and otherwise with another seed", async () => {
    const first = await forecastOf(world, { runs: 5_000 });
    await sql`delete from pipeline_forecast_runs where workspace_id = ${world.workspaceId}`;
    const anew = await forecastOf(world, { runs: 5_000 });
    expect(anew.body.run_id).not.toBe(first.body.run_id);
    expect({ ...anew.body, run_id: "" }).toEqual({ ...first.body, run_id: "", reused: false });
    const other = await forecastOf(world, { runs: 5_000, seed: 7 });
    expect(other.body.seed).toBe(7);
    expect(other.body.total.mean).not.toBe(first.body.total.mean);
  });

  test("is reckoned again when a deal or the engine has changed", async () => {
    const first = await forecastOf(world, { seed: 11 });
    await sql`update pipeline_forecast_runs set engine_version = 0 where id = ${first.body.run_id}`;
    const newer = await forecastOf(world, { seed: 11 });
    expect([newer.body.reused, newer.body.run_id === first.body.run_id]).toEqual([false, false]);
    const { people } = world;
    await people.member
      .from("pipeline_projects")
      .update({ estimated_value: 110_000 })
      .eq("id", ids[0] ?? "");
    const changed = await forecastOf(world, { seed: 11 });
    await people.member
      .from("pipeline_projects")
      .update({ estimated_value: 100_000 })
      .eq("id", ids[0] ?? "");
    expect(changed.body.inputs_hash).not.toBe(first.body.inputs_hash);
    expect(period(changed, "2026-12")?.best).toBe(110_000);
  });

  test("honours months, weeks, a threshold, named deals and rates of its own", async () => {
    const few = await forecastOf(world, { periods: 2, confidence_threshold: 0.7 });
    expect(few.body.periods.map((one: Period) => one.period)).toEqual(["2026-11", "2026-12"]);
    expect(period(few, "2026-12")?.best).toBe(0);
    const weeks = await forecastOf(world, { grain: "week", periods: 8 });
    expect(period(weeks, "2026-12-14")?.best).toBe(100_000);
    const named = await forecastOf(world, { pipeline_project_ids: [ids[1]] });
    expect(named.body.total.best).toBe(50_000);
    const rates = await forecastOf(world, { conversion_rates: { Proposal: 0.2 } });
    expect(period(rates, "2026-12")?.weighted).toBe(20_000);
  });
});

describe("deals that nobody has dated", () => {
  /** Deals that were all opened on 1 August, so of one age on 1 September, the only first of a month on which they were open. */
  async function past(world: World, ends: { stage_key: "won" | "lost"; day: string; deals: number }[]): Promise<void> {
    const ids = await addDeals(
      world,
      ends.flatMap(({ stage_key, day, deals }) =>
        Array.from({ length: deals }, (_, n) => ({ name: `${day} ${n}`, stage_key, actual_close_date: day })),
      ),
    );
    await sql`
      update pipeline_stage_history set from_stage = 'lead', changed_at = p.actual_close_date + interval '12 hours'
      from pipeline_projects p where p.id = pipeline_project_id and p.id = any (${ids})`;
    await sql`
      insert into pipeline_stage_history (workspace_id, pipeline_project_id, to_stage, changed_at)
      select ${world.workspaceId}, i, 'lead', '2026-08-01 12:00Z' from unnest(${ids}::uuid[]) i`;
  }

  /** Forty days old on the day of the forecast: of the age of those above. */
  async function undated(world: World, more: { probability?: number } = {}): Promise<void> {
    const ids = await addDeals(world, [{ name: "Undated", stage_key: "lead", estimated_value: 100_000, ...more }]);
    await sql`update pipeline_stage_history set changed_at = '2026-09-22 12:00Z' where pipeline_project_id = any (${ids})`;
    await refreshAnalytics(world.people.owner, world.workspaceId, () => {});
  }
  /** Four standard errors of the mean of 50,000 draws, at most. */
  const NEAR = 4 * Math.sqrt(0.25 / 50_000) * 100_000;
  const far = (found: number | undefined, expected: number) => Math.abs((found ?? Number.NaN) - expected);

  test("go the way of earlier deals of their age", async () => {
    const world = await newWorld();
    await past(world, [
      { stage_key: "won", day: "2026-09-10", deals: 30 },
      { stage_key: "won", day: "2026-09-30", deals: 10 },
      { stage_key: "lost", day: "2026-09-20", deals: 60 },
    ]);
    await undated(world);
    const answer = await forecastOf(world, { periods: 3, runs: 50_000 });
    // The deal itself was open on 1 October, too, 8 days old, and is so still: of ages below 30 days (10 × 42 % + 0) ÷ 11 =
    // 38.18 % are won, 42 % being the mean of the stages. Of its own age 40 of 100 were, which at ρ = 0.1 are worth
    // 100 ÷ 10.9 = 9.17 deals, and it is one more: (3.818 + 0.4 × 10.174) ÷ 20.174 = 39.10 %. Three quarters of them on the
    // 10th day, which is 11 November, the others on the 30th, which is 1 December.
    expect(far(period(answer, "2026-11")?.mean, 29_324)).toBeLessThan(NEAR);
    expect(far(period(answer, "2026-12")?.mean, 9_775)).toBeLessThan(NEAR);
    expect(period(answer, "2027-01")?.mean).toBe(0);
    // Who sums up expected days has none to sum up.
    expect(answer.body.total).toMatchObject({ best: 0, weighted: 0, p90: 100_000 });
    expect(answer.body.undated).toEqual({ deals: 1, value: 100_000, not_drawn: 0 });
  });

  test("keep the probability that somebody wrote, and take from the past when they close", async () => {
    const world = await newWorld();
    await past(world, [
      { stage_key: "won", day: "2026-09-10", deals: 15 },
      { stage_key: "won", day: "2026-09-30", deals: 15 },
    ]);
    await undated(world, { probability: 80 });
    const answer = await forecastOf(world, { periods: 2, runs: 50_000 });
    expect(far(period(answer, "2026-11")?.mean, 40_000)).toBeLessThan(NEAR);
    expect(far(period(answer, "2026-12")?.mean, 40_000)).toBeLessThan(NEAR);
  });

  test("are in no future while fewer than twenty have closed", async () => {
    const world = await newWorld();
    await past(world, [{ stage_key: "won", day: "2026-09-10", deals: 19 }]);
    await undated(world);
    const answer = await forecastOf(world, { periods: 2 });
    expect([answer.body.total.mean, answer.body.undated.not_drawn]).toEqual([0, 1]);
  });
});

describe("what cannot be forecast", () => {
  let world: World;
  beforeAll(async () => {
    world = await newWorld();
    await addDeals(world, [
      { name: "Dollars", stage_key: "proposal", estimated_value: 1_000, expected_close_date: "2026-12-01" },
      {
        name: "Euros",
        stage_key: "proposal",
        estimated_value: 1_000,
        currency: "EUR",
        expected_close_date: "2026-12-01",
      },
    ]);
  });

  test("is refused with a sentence, and leaves nothing behind", async () => {
    const rated = { exchange_rates: { EUR: 1 } };
    const refusals: [object, number, string, RegExp][] = [
      [{}, 422, "invalid_input", /Give a rate for EUR/],
      [{ periods: 0 }, 422, "invalid_input", /periods/],
      [{ periods: 61 }, 422, "invalid_input", /1 to 60 months/],
      [{ conversion_rates: { proposal: 1.2 } }, 422, "invalid_input", /conversion_rates.proposal/],
      [{ ...rated, conversion_rates: { handshake: 0.5 } }, 422, "invalid_input", /no stage "handshake"/],
      [{ as_of: "2026-02-30" }, 422, "invalid_input", /as_of/],
      [{ runs: 0 }, 422, "invalid_input", /runs/],
      [{ runs: 100_000 }, 422, "too_many_runs", /at most 50,000 runs/],
      [{ pipeline_project_ids: ["00000000-0000-4000-8000-000000000001"] }, 404, "not_found", /no deal/],
      [{ scenario_id: "00000000-0000-4000-8000-000000000001" }, 404, "not_found", /no such scenario/],
      [{ weeks: 4 }, 422, "invalid_input", /weeks/],
    ];
    for (const [body, status, code, words] of refusals) {
      const answer = await forecastOf(world, body);
      expect([answer.status, answer.body.code], JSON.stringify(body)).toEqual([status, code]);
      expect(answer.body.detail).toMatch(words);
    }
    expect(await runsOf(world)).toBe(0);
  });

  test("becomes possible with a rate, of the request or of the workspace", async () => {
    const given = await forecastOf(world, { exchange_rates: { EUR: 1.1 } });
    expect(given.body.total.best).toBe(2_100);
    const euros = await forecastOf(world, { currency: "EUR", exchange_rates: { USD: 0.5 } });
    expect([euros.body.currency, euros.body.total.best]).toEqual(["EUR", 1_500]);
    await world.people.owner
      .from("planning_settings")
      .update({ exchange_rates: { EUR: 2 } })
      .eq("workspace_id", world.workspaceId);
    expect((await forecastOf(world)).body.total.best).toBe(3_000);
    // The workspace's rate, turned over.
    expect((await forecastOf(world, { currency: "EUR" })).body.total.best).toBe(1_500);
  });

  test("is limited by role: a viewer asks for 10,000 runs, a member for 50,000, a stranger for none", async () => {
    const rated = { exchange_rates: { EUR: 1 } };
    expect((await forecastOf(world, { ...rated, runs: 10_000 }, "viewer")).status).toBe(200);
    const many = await forecastOf(world, { ...rated, runs: 10_001 }, "viewer");
    expect([many.status, many.body.code]).toEqual([403, "role_too_low"]);
    const tooMany = await forecastOf(world, { ...rated, runs: 100_000 }, "viewer");
    expect([tooMany.status, tooMany.body.code]).toEqual([422, "too_many_runs"]);
    expect((await forecastOf(world, { ...rated, runs: 50_000 })).status).toBe(200);
    const stranger = await newWorld();
    const foreign = await askForecast(stranger.people.owner, "forecast", { workspace_id: world.workspaceId });
    expect([foreign.status, foreign.body.code]).toEqual([404, "not_found"]);
  });

  test("of an empty pipeline is a row of zeros", async () => {
    const empty = await newWorld();
    const answer = await forecastOf(empty, { periods: 3 });
    const zeros = { closed: 0, commit: 0, best: 0, weighted: 0, p10: 0, p50: 0, p90: 0, mean: 0, naive: 0 };
    expect([answer.status, answer.body.total, answer.body.drivers]).toEqual([200, zeros, []]);
    expect(answer.body.periods).toEqual(
      ["2026-11", "2026-12", "2027-01"].map((label) => ({ period: label, ...zeros })),
    );
  });

  test("more than thirty times a minute has to wait", async () => {
    const busy = await newWorld();
    await sql`insert into private.forecast_workspaces (workspace_id, next_at) values (${busy.workspaceId}, now() + interval '59 seconds')`;
    const answer = await forecastOf(busy);
    expect([answer.status, answer.body.code]).toEqual([429, "too_many_requests"]);
  });
});
