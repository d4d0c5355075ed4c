import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bench } from "../support/bench.ts";
import { connect, newWorld, openSql, sync, type World } from "../support/world.ts";

describe("the health function", () => {
  const sql = openSql();
  afterAll(() => sql.end());

  async function ask(headers: Record<string, string> = {}) {
    const response = await fetch(`${bench().apiUrl}/functions/v1/health`, { headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }
  const secret = async () =>
    ((await sql`select decrypted_secret as s from vault.decrypted_secrets where name = 'health_secret'`)[0]?.s ??
      "") as string;
  /** As pg_cron notes it each minute. */
  const dispatcherRan = (ago: string) => sql`
    insert into cron.job_run_details (jobid, runid, job_pid, database, username, command, status, return_message, start_time, end_time)
    select jobid, 900000 + floor(random() * 99999), 1, 'postgres', 'postgres', command, 'succeeded', '1 row', now() - ${ago}::interval, now() - ${ago}::interval
    from cron.job where jobname = 'crm-dispatch'`;

  test("says ok, and to strangers no more than that", async () => {
    await dispatcherRan("0 seconds");
    expect(await ask()).toEqual({ status: 200, body: { ok: true } });
  });

  test("says its numbers to a monitor that knows the secret", async () => {
    const { status, body } = await ask({ "x-health-secret": await secret() });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ok: true,
      checks: { dispatcher_age_seconds: { ok: true }, stuck_leases: { value: 0 } },
    });
    expect(Object.keys(body).sort()).toEqual(["checks", "connections", "ok", "runs"]);
  });

  test("refuses a wrong secret", async () => {
    expect(await ask({ "x-health-secret": "guess" })).toMatchObject({ status: 401, body: { code: "not_the_monitor" } });
  });

  test("answers 503 when the dispatcher has stopped", async () => {
    // In one transaction that others do not see until the end: the real dispatcher may run at any moment.
    await sql`delete from cron.job_run_details where jobid = (select jobid from cron.job where jobname = 'crm-dispatch')`;
    await dispatcherRan("1 hour");
    const { status, body } = await ask({ "x-health-secret": await secret() });
    const ran = await sql`
      select from cron.job_run_details d join cron.job j using (jobid)
      where j.jobname = 'crm-dispatch' and d.start_time > now() - interval '5 minutes'`;
    if (ran.length > 0) throw new Error("The minute passed during this test: the dispatcher ran.");
    expect(status).toBe(503);
    expect(body).toMatchObject({ ok: false, checks: { dispatcher_age_seconds: { ok: false } } });
    await dispatcherRan("0 seconds");
  });
});

describe("the health of connections", () => {
  let world: World;
  let config: string;
  beforeAll(async () => {
    world = await newWorld();
    config = await connect(world, "hubspot");
  });

  test("is there for everybody in the workspace, and for nobody else", async () => {
    const finished = await sync(world, config);
    const { data } = await world.people.viewer.from("crm_sync_health").select("*").eq("config_id", config).single();
    expect(data).toMatchObject({ name: expect.any(String), dead_errors: 0 });
    expect(data?.lag_seconds).toBeLessThan(60);
    expect(Number(data?.p95_duration_seconds)).toBeGreaterThan(0);
    expect(data?.status).toBe(finished.status === "completed" ? "ok" : "attention");
    const stranger = await newWorld();
    const seen = await stranger.people.owner.from("crm_sync_health").select("config_id").eq("config_id", config);
    expect(seen.data).toEqual([]);
  });

  test("says what to do when a connection is paused", async () => {
    await world.people.admin.rpc("crm_pause_sync", { config_id: config });
    const { data } = await world.people.viewer
      .from("crm_sync_health")
      .select("status, advice")
      .eq("config_id", config)
      .single();
    expect(data).toEqual({ status: "attention", advice: "Paused. Resume it when it may sync again." });
  });
});
