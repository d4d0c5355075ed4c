import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bench } from "../support/bench.ts";
import { eventually } from "../support/eventually.ts";
import { connect, control, newWorld, openSql, sync, type World } from "../support/world.ts";

/** A CRM that allows few calls: nothing breaks, nothing is asked of the person, and what is allowed is used. */

const sql = openSql();
let world: World;

interface Counters {
  requests: number;
  statuses: Record<string, number>;
}

beforeAll(async () => {
  world = await newWorld();
});

afterAll(async () => {
  await control("salesforce", "reset", { data: false });
  await control("hubspot", "reset", { data: false });
  await sql`update private.crm_engine_settings set value = 0.6 where name = 'share_backfill'`;
  await sql.end();
});

const statusOf = async (operation: string) =>
  (await sql<{ status: string }[]>`select status from public.crm_sync_operations where id = ${operation}`)[0]?.status;

/** As if that much time had passed: the run's own alarm is due. */
const wakeUp = async (operation: string) => {
  await sql`update private.crm_operation_state set resume_at = clock_timestamp() where operation_id = ${operation}`;
  await sql`select private.crm_dispatch_waiting()`;
};

describe("the calls of a day", () => {
  it("a first reading leaves the rest of the day's calls to changes: it pauses, says so, and goes on by itself", async () => {
    const config = await connect(world, "salesforce");
    await control("salesforce", "reset", { data: false });
    // Nothing of the day may go to a first reading: it stops at the CRM's first word about the quota.
    await sql`update private.crm_engine_settings set value = 0 where name = 'share_backfill'`;
    const paused = await sync(world, config);
    expect(paused.status).toBe("paused");
    expect(paused.error_message).toMatch(
      /^The day's Salesforce requests that a first reading may use are used up; the rest is kept for changes\. Nothing is lost; the sync waits and goes on by itself at \d{4}-\d\d-\d\d \d\d:\d\d UTC\.$/,
    );
    const [state] = await sql<{ minutes: number }[]>`
      select extract(epoch from resume_at - clock_timestamp())::float8 / 60 as minutes
      from private.crm_operation_state where operation_id = ${paused.id}`;
    expect(state?.minutes).toBeGreaterThan(55);
    expect(state?.minutes).toBeLessThan(65);
    await sql`update private.crm_engine_settings set value = 0.6 where name = 'share_backfill'`;
    await wakeUp(paused.id);
    await eventually("the run to end", async () => ((await statusOf(paused.id)) === "completed" ? true : null));
  });

  it("HubSpot's day is over: the run waits for midnight in the account's time zone", async () => {
    const other = await newWorld();
    const config = await connect(other, "hubspot");
    await control("hubspot", "reset", { data: false });
    await control("hubspot", "knobs", { dailyQuota: 3 });
    const paused = await sync(other, config);
    expect(paused.status).toBe("paused");
    expect(paused.error_message).toContain("goes on by itself at");
    const [waits] = await sql<{ right: boolean }[]>`
      select s.resume_at >= m.midnight and s.resume_at < m.midnight + interval '2 minutes' as right
      from private.crm_operation_state s
      cross join (select private.crm_next_daily('00:00', 'Europe/London', clock_timestamp()) as midnight) m
      where s.operation_id = ${paused.id}`;
    expect(waits?.right).toBe(true);
    await control("hubspot", "knobs", { dailyQuota: null });
    // Midnight.
    await sql`update private.crm_quotas set as_of = as_of - interval '1 day' where config_id = ${config}`;
    await wakeUp(paused.id);
    await eventually("the run to end", async () => ((await statusOf(paused.id)) === "completed" ? true : null));
  });
});

describe("calls that take long", () => {
  it("too many of them in a Salesforce org, whoever makes them: the run waits half a minute and goes on by itself", async () => {
    const other = await newWorld();
    const config = await connect(other, "salesforce");
    await control("salesforce", "reset", { data: false });
    const { access_token } = await control<{ access_token: string }>("salesforce", "tokens", { action: "issue" });
    await control("salesforce", "knobs", { latencyMs: 1_500, longRequests: { most: 1, afterMs: 20 } });
    // Another app's long reports, one or the other of them at any time.
    const headers = { authorization: `Bearer ${access_token}` };
    const slow = () => fetch(`${bench().salesforceUrl}/services/data/v62.0/limits`, { headers });
    let going = true;
    const others = [0, 500, 1_000].map(async (ms) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      while (going) await slow();
    });
    const paused = await sync(other, config);
    going = false;
    await Promise.all(others);
    expect(paused.status).toBe("paused");
    expect(paused.error_message).toMatch(/too many long requests of this org. The sync goes on in half a minute/);
    await control("salesforce", "knobs", { latencyMs: 0, longRequests: null });
    const [state] = await sql<{ seconds: number; held: number }[]>`
      select extract(epoch from s.resume_at - clock_timestamp())::float8 as seconds,
        extract(epoch from b.next_at - clock_timestamp())::float8 as held
      from private.crm_operation_state s, private.crm_buckets b
      where s.operation_id = ${paused.id} and b.config_id = ${config} and b.bucket = 'calls'`;
    expect(state?.seconds).toBeLessThan(50);
    expect(state?.held).toBeGreaterThan(5);
    // Half a minute later.
    await sql`update private.crm_buckets set next_at = clock_timestamp() where config_id = ${config}`;
    await wakeUp(paused.id);
    await eventually("the run to end", async () => ((await statusOf(paused.id)) === "completed" ? true : null));
  });
});

describe("the calls of ten seconds", () => {
  it("two workers of one connection share a bucket: the second's calls come after the first's", async () => {
    const config = await connect(await newWorld(), "hubspot");
    // At the same moment, however long the machine takes.
    const now = new Date();
    const take = () => sql<{ granted: number; wait_ms: number }[]>`
      select granted, wait_ms from private.crm_take_calls(${config}, 'hubspot', 'read', 'push', 25, p_now => ${now})`;
    const [[one], [other]] = await Promise.all([take(), take()]);
    expect([one?.granted, other?.granted]).toEqual([5, 5]);
    expect(Math.abs((one?.wait_ms ?? 0) - (other?.wait_ms ?? 0))).toBeGreaterThan(300);
  });

  it("a refusal for too many is waited out, and the run completes", async () => {
    const other = await newWorld();
    const config = await connect(other, "hubspot");
    await control("hubspot", "reset", { data: false });
    await control("hubspot", "knobs", { next429: 2 });
    const operation = await sync(other, config);
    expect(operation.status).toBe("completed");
    const { statuses } = await control<Counters>("hubspot", "counters");
    expect(statuses["429"]).toBe(2);
  });

  it("a sync under HubSpot's real limits is never refused", async () => {
    const other = await newWorld();
    const config = await connect(other, "hubspot");
    await control("hubspot", "reset", { data: false });
    await control("hubspot", "knobs", { rateLimits: true });
    const operation = await sync(other, config);
    expect(operation.status).toBe("completed");
    const { statuses } = await control<Counters>("hubspot", "counters");
    expect(statuses["429"] ?? 0).toBe(0);
    expect(statuses["200"]).toBeGreaterThan(5);
  });
});
