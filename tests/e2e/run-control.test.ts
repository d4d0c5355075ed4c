import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Client } from "../../scripts/lib/people.ts";
import { bench } from "../support/bench.ts";
import { connect, control, editMock, newWorld, openSql, sync, type World } from "../support/world.ts";

describe("control over runs", () => {
  const sql = openSql();
  let world: World;
  let config: string;

  beforeAll(async () => {
    world = await newWorld();
    config = await connect(world, "salesforce");
    const first = await sync(world, config);
    expect(first.status).toBe("completed");
  });
  afterAll(async () => {
    await control("salesforce", "knobs", { latencyMs: 0 });
    await sql.end();
  });

  const status = async (id: string) =>
    (await sql`select status from public.crm_sync_operations where id = ${id}`)[0]?.status as string;
  const ended = (id: string) =>
    expect.poll(() => status(id), { timeout: 60_000, interval: 200 }).toMatch(/completed|partial/);
  async function start(more: object = {}, who: Client = world.people.member) {
    const { data, error } = await who.rpc("crm_start_sync", { config_id: config, ...more });
    if (error) throw error;
    return data;
  }

  test("a request for what the live run does not do is done after it", async () => {
    await control("salesforce", "knobs", { latencyMs: 2_000 });
    const accounts = await start({ entities: ["accounts"], direction: "from_crm" });
    await expect.poll(() => status(accounts.id), { interval: 20 }).toBe("running");
    const both = await start({ entities: ["contacts"], direction: "from_crm" });
    await control("salesforce", "knobs", { latencyMs: 0 });
    expect(both).toMatchObject({ id: accounts.id, joined: 1, follow_up: true });
    await ended(accounts.id);
    const [next] = await sql`
      select id, entities from public.crm_sync_operations where config_id = ${config} order by created_at desc limit 1`;
    expect(next?.entities).toEqual(["contacts"]);
    await ended(next?.id as string);
  });

  test("a full resync reads everything again and changes nothing", async () => {
    const links = () => sql`select count(*)::int as n from private.crm_record_links where config_id = ${config}`;
    const before = await links();
    const run = await start({ entities: ["accounts"], direction: "from_crm", full: true });
    expect(run.estimated_records).toBe(85);
    await ended(run.id);
    const [log] =
      await sql`select records_processed as n, records_unchanged as same from public.crm_sync_logs where operation_id = ${run.id}`;
    expect(log).toEqual({ n: 85, same: 85 });
    expect(await links()).toEqual(before);
  });

  test("failed records are tried again by name", async () => {
    const id = await editMock("salesforce", { action: "create", type: "Contact", fields: { LastName: "Retry" } });
    await editMock("salesforce", { action: "dirty", type: "Contact", id, fields: { LastName: "N".repeat(300) } });
    await ended((await start({ direction: "from_crm" })).id);
    const error = async () =>
      (
        await sql`select status, attempts from public.crm_sync_errors where config_id = ${config} and crm_record_id = ${id}`
      )[0];
    expect(await error()).toMatchObject({ status: "open", attempts: 1 });
    const again = await world.people.member.rpc("crm_retry_failed", { config_id: config });
    expect(again.error).toBeNull();
    await ended(again.data?.id ?? "");
    expect(await error()).toMatchObject({ status: "open", attempts: 2 });
    // Mended without a trace in the order of changes, so that only a look by name finds it.
    await editMock("salesforce", { action: "dirty", type: "Contact", id, fields: { LastName: "Mended" } });
    const last = await world.people.member.rpc("crm_retry_failed", { config_id: config });
    await ended(last.data?.id ?? "");
    expect(await error()).toMatchObject({ status: "resolved" });
    const timeline = await world.people.viewer.rpc("crm_operation_timeline", { operation_id: last.data?.id ?? "" });
    expect(timeline.data?.map(({ event }) => event)).toEqual(expect.arrayContaining(["queued", "slice", "completed"]));
    await editMock("salesforce", { action: "delete", type: "Contact", id });
  });

  test("starting, pausing, resuming, cancelling and ending at the same time never block each other", async () => {
    const failures: string[] = [];
    const note = async (call: PromiseLike<unknown>) => {
      await Promise.resolve(call).catch((error: { code?: string; message?: string }) =>
        failures.push(`${error.code} ${error.message}`),
      );
    };
    const rpc = (who: Client, name: "crm_start_sync" | "crm_pause_sync" | "crm_resume_sync") =>
      note(who.rpc(name, { config_id: config }).then(({ error }) => (error ? Promise.reject(error) : null)));
    for (let round = 0; round < 15; round += 1) {
      const finish = sql`
        select private.crm_finish(s.operation_id, s.fence, 'completed', null)
        from private.crm_operation_state s join public.crm_sync_operations o on o.id = s.operation_id
        where o.config_id = ${config} and o.status = 'running'`;
      const cancel =
        sql`select id from public.crm_sync_operations where config_id = ${config} and status in ('queued', 'running', 'paused')`.then(
          async ([live]) => {
            if (!live) return;
            const { error } = await world.people.member.rpc("crm_cancel_sync", { operation_id: live.id as string });
            if (error) throw error;
          },
        );
      await Promise.all([
        rpc(world.people.member, "crm_start_sync"),
        rpc(world.people.admin, "crm_pause_sync"),
        note(finish),
        note(cancel),
        rpc(world.people.admin, "crm_resume_sync"),
        rpc(world.people.owner, "crm_start_sync"),
      ]);
    }
    // A paused connection refuses a start, and a run that was taken over refuses its worker: both are answers.
    expect(failures.filter((failure) => !/^PC00[578]/.test(failure))).toEqual([]);
    await world.people.admin.rpc("crm_resume_sync", { config_id: config });
  });

  test("the end of a connection: disconnected with a trace, then removed; the records stay", async () => {
    const removed = await world.people.admin.rpc("crm_remove_connection", { config_id: config });
    expect(removed.error?.code).toBe("PC008");
    const deals = async () =>
      (
        await world.people.viewer
          .from("pipeline_projects")
          .select("*", { count: "exact", head: true })
          .eq("workspace_id", world.workspaceId)
      ).count;
    const before = await deals();
    expect(before).toBeGreaterThan(100);
    const { data: session } = await world.people.admin.auth.getSession();
    const response = await fetch(`${bench().apiUrl}/functions/v1/crm-oauth/disconnect`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${session.session?.access_token ?? ""}`,
        "user-agent": "run-control-test",
      },
      body: JSON.stringify({ config_id: config }),
    });
    expect(response.status).toBe(200);
    const [audit] = await sql`
      select actor_id is not null as known, ip_address, user_agent from public.crm_audit_log where config_id = ${config} and action = 'disconnected'`;
    expect(audit).toMatchObject({ known: true, user_agent: "run-control-test" });
    expect(audit?.ip_address).toBeTruthy();
    expect((await world.people.admin.rpc("crm_remove_connection", { config_id: config })).error).toBeNull();
    expect(await deals()).toBe(before);
    const [gone] =
      await sql`select detail ->> 'provider' as provider, user_agent is not null as traced from public.crm_audit_log where workspace_id = ${world.workspaceId} and action = 'removed'`;
    expect(gone).toMatchObject({ provider: "salesforce" });
  });
});
