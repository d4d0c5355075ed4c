import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { AS_OF, addDeals, askForecast, forecastOf } from "../support/forecast.ts";
import { newWorld, openSql, type World } from "../support/world.ts";

/** What becomes of a run that nobody waits for: background, progress, cancelling, death, the day's own. */

const sql = openSql();
afterAll(() => sql.end());

describe("a large forecast", () => {
  const DEALS = 1_100;
  // 55 million draws: a second or more, so that there is something to watch and to stop.
  const LARGE = { runs: 50_000, periods: 24 };
  let world: World;
  beforeAll(async () => {
    world = await newWorld();
    await addDeals(
      world,
      Array.from({ length: DEALS }, (_, n) => ({
        name: `Deal ${n}`,
        stage_key: "proposal",
        estimated_value: 1_000 + n,
        expected_close_date: "2027-03-01",
      })),
    );
  });

  const run = async (id: string) => {
    const { data, error } = await world.people.viewer.from("pipeline_forecast_runs").select().eq("id", id).single();
    if (error) throw error;
    return data;
  };

  test("is begun at once, shows its progress to subscribers, and its result when it is done", async () => {
    const { viewer } = world.people;
    const seen: { status: string; progress: { done: number; total: number } }[] = [];
    const ready = new Promise<void>((resolve) => {
      viewer
        .channel("forecasts")
        .on(
          "postgres_changes",
          { event: "UPDATE", schema: "public", table: "pipeline_forecast_runs" },
          ({ new: row }) => seen.push(row as (typeof seen)[number]),
        )
        .on("system", {}, (message) => message.extension === "postgres_changes" && resolve())
        .subscribe();
    });
    await ready;
    const begun = await forecastOf(world, LARGE);
    expect([begun.status, begun.body.status]).toEqual([202, "queued"]);
    const done = await eventually("the end of the forecast", async () => {
      const row = await run(begun.body.run_id);
      return row.status === "completed" ? row : null;
    });
    expect(done.progress).toEqual({ done: DEALS, total: DEALS, phase: "done" });
    await eventually("the last change", async () => seen.find(({ status }) => status === "completed"));
    const steps = seen.filter(({ status }) => status === "running").map(({ progress }) => progress.done);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(steps.at(-1)).toBeGreaterThan(0);
    const answer = await forecastOf(world, LARGE);
    expect([answer.status, answer.body.reused, answer.body.total.best]).toEqual([200, true, 1_704_450]);
    await viewer.removeAllChannels();
  });

  test("stops when it is cancelled, by who asked or an admin, and keeps nothing", async () => {
    const { viewer, member } = world.people;
    const begun = await forecastOf(world, { ...LARGE, seed: 1 });
    const id: string = begun.body.run_id;
    await eventually("its first progress", async () => {
      const { progress } = await run(id);
      return (progress as { done: number }).done > 0 ? true : null;
    });
    const refused = await viewer.rpc("cancel_forecast", { run_id: id });
    expect(refused.error?.code).toBe("PC002");
    const { data, error } = await member.rpc("cancel_forecast", { run_id: id });
    expect([error, data?.status]).toEqual([null, "cancelled"]);
    // The same question is a new calculation, and the old one does not come back to life.
    const again = await forecastOf(world, { ...LARGE, seed: 1 });
    expect(again.body.run_id).not.toBe(id);
    await eventually("the end of the second", async () =>
      (await run(again.body.run_id)).status === "completed" ? true : null,
    );
    expect((await run(id)).status).toBe("cancelled");
    expect((await viewer.rpc("forecast_result", { run_id: id })).data).toBeNull();
  });

  test("that would be too large for a function says how to make it smaller", async () => {
    const answer = await askForecast(world.people.member, "what-if", {
      workspace_id: world.workspaceId,
      as_of: AS_OF,
      runs: 50_000,
      conversion_scenarios: [1, 2, 3].map((n) => ({ name: `Case ${n}`, conversion_rates: { proposal: n / 10 } })),
    });
    expect([answer.status, answer.body.code]).toEqual([422, "too_many_runs"]);
    // (1,100 deals + 2 × 12 months) × 4 × 50,000.
    expect(answer.body.detail).toMatch(/225 million draws.*60 million.*fewer runs/);
  });

  test("whose worker died is taken over, and fails for good when that one dies as well", async () => {
    const begun = await forecastOf(world, { ...LARGE, seed: 2, wait: false });
    const id: string = begun.body.run_id;
    await eventually("the end", async () => ((await run(id)).status === "completed" ? true : null));
    const result = async () => (await world.people.viewer.rpc("forecast_result", { run_id: id })).data;
    const first = await result();
    // The deals move on; what it is calculated from does not.
    await sql`update pipeline_projects set estimated_value = 1 where workspace_id = ${world.workspaceId}`;
    // As it would be found: in somebody's hands whose lease is out.
    const dead = async (attempts: number) => {
      await sql`delete from pipeline_forecast_results where run_id = ${id}`;
      await sql`update pipeline_forecast_runs set status = 'running', finished_at = null where id = ${id}`;
      await sql`update private.forecast_state set attempts = ${attempts}, dispatched_at = null, lease_expires_at = now() - interval '1 second' where run_id = ${id}`;
      await sql`select private.forecast_sweep()`;
    };
    await dead(1);
    await eventually("the second worker", async () => ((await run(id)).status === "completed" ? true : null));
    expect(first).not.toBeNull();
    expect(await result()).toEqual(first);
    await dead(2);
    const failed = await eventually("the end of patience", async () => {
      const row = await run(id);
      return row.status === "failed" ? row : null;
    });
    expect(failed.error_code).toBe("stopped_unexpectedly");
  });
});

describe("the daily forecast", () => {
  test("is made by itself, once a day, and kept month by month", async () => {
    const world = await newWorld();
    await addDeals(world, [
      { name: "Soon", stage_key: "negotiation", estimated_value: 5_000, expected_close_date: "2099-01-01" },
    ]);
    await sql`select private.forecast_daily()`;
    const points = await eventually("the points of the day", async () => {
      const { data } = await world.people.viewer
        .from("pipeline_forecast_points")
        .select("period_start, currency, best, p50")
        .eq("workspace_id", world.workspaceId)
        .order("period_start");
      return data?.length ? data : null;
    });
    // The deal is far away: twelve months of nothing.
    expect(points).toHaveLength(12);
    expect(new Set(points.map(({ best, p50 }) => `${best} ${p50}`))).toEqual(new Set(["0 0"]));
    await sql`update private.forecast_workspaces set daily_called_at = null where workspace_id = ${world.workspaceId}`;
    const due = await sql`select from private.forecast_daily_due(now(), 10000) d where d = ${world.workspaceId}`;
    expect(due).toHaveLength(0);
    const { data } = await world.people.viewer
      .from("pipeline_forecast_runs")
      .select("kind, status, requested_by")
      .eq("workspace_id", world.workspaceId);
    expect(data).toEqual([{ kind: "daily", status: "completed", requested_by: null }]);
  });

  test("that cannot be made says why, once, and is made when there is a rate", async () => {
    const world = await newWorld();
    await addDeals(world, [{ name: "Euros", stage_key: "lead", estimated_value: 5_000, currency: "EUR" }]);
    const { viewer, owner } = world.people;
    const daily = async () => {
      const runs = viewer.from("pipeline_forecast_runs").select("status, error_code, error_message, updated_at");
      const { data } = await runs
        .match({ workspace_id: world.workspaceId, kind: "daily" })
        .order("created_at", { ascending: false })
        .throwOnError();
      return data;
    };
    const callWorker = () =>
      sql`select private.call_function('pipeline-forecast/work', ${sql.json({ daily: world.workspaceId })})`;
    await sql`select private.forecast_daily()`;
    const [said] = await eventually("the reason", async () => ((await daily()).length > 0 ? daily() : null));
    expect(said).toMatchObject({ status: "failed", error_code: "currency_without_rate" });
    expect(said?.error_message).toMatch(/Some deals are in EUR and the forecast is in USD. Give a rate for EUR/);
    await callWorker();
    await eventually("the next attempt", async () =>
      (await daily())[0]?.updated_at !== said?.updated_at ? true : null,
    );
    expect(await daily()).toHaveLength(1);
    await owner
      .from("planning_settings")
      .update({ exchange_rates: { EUR: 1.1 } })
      .eq("workspace_id", world.workspaceId)
      .throwOnError();
    await sql`select private.forecast_daily()`;
    await eventually("the forecast", async () => ((await daily())[0]?.status === "completed" ? true : null));
    expect((await daily()).map(({ status }) => status)).toEqual(["completed", "failed"]);
  });
});
