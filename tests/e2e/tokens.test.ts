import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { crmFunctionsEnv } from "../../scripts/lib/crm-env.ts";
import { portsFrom } from "../../scripts/lib/ports.ts";
import { createProvider } from "../../supabase/functions/_shared/crm/registry.ts";
import { openDb } from "../../supabase/functions/_shared/db/connect.ts";
import { tokenStore } from "../../supabase/functions/_shared/db/tokenStore.ts";
import { keepSession } from "../../supabase/functions/_shared/sync/session.ts";
import { bench } from "../support/bench.ts";
import { connect, control, newWorld, openSql, type Provider, sync, type World } from "../support/world.ts";

/** Every worker is a process of its own in life: here each has a database connection and a session of its own. */
const WORKERS = 6;

describe.each(["salesforce", "hubspot"] as const)("the tokens of %s, with several workers at once", (provider) => {
  const sql = openSql();
  const dbs = Array.from({ length: WORKERS }, () => openDb(bench().dbUrl));
  let world: World;
  let config: string;

  beforeAll(async () => {
    world = await newWorld();
    config = await connect(world, provider);
    await control(provider, "knobs", { rotateRefreshTokens: true });
  });
  beforeEach(() => control(provider, "reset", { data: false, knobs: false, counters: true }));
  afterAll(async () => {
    await control(provider, "knobs", { rotateRefreshTokens: false, tokenLifeSeconds: 1800 });
    await Promise.all(dbs.map((db) => db.end()));
    await sql.end();
  });

  const refreshes = async () => (await control<{ token_calls: number }>(provider, "counters")).token_calls;
  const workers = () => {
    const env = crmFunctionsEnv(portsFrom(bench().portBase));
    const now = () => new Date();
    return dbs.map((db) => {
      const crm = createProvider(provider as Provider, { fetch, env, now });
      const session = keepSession({ store: tokenStore(db, config, provider), provider: crm, now });
      return () => session.use((one) => crm.owners(one));
    });
  };

  test("a storm of refusals makes one refresh, also where the CRM rotates refresh tokens", async () => {
    const ask = workers();
    await Promise.all(ask.map((one) => one()));
    expect(await refreshes()).toBe(0);
    await control(provider, "tokens", { action: "expire" });
    const answers = await Promise.all(ask.flatMap((one) => [one(), one(), one()]));
    expect(answers.every((owners) => owners.length > 0)).toBe(true);
    expect(await refreshes()).toBe(1);
    await control(provider, "tokens", { action: "expire" });
    await Promise.all(ask.map((one) => one()));
    expect(await refreshes()).toBe(2);
    const [held] = await sql`select version from private.crm_credentials where config_id = ${config}`;
    expect(held?.version).toBe(3);
  });

  test("a disconnect waits for the refresh that is under way, and revokes the newest token", async () => {
    const [person] =
      await sql`select user_id as id from public.workspace_members where workspace_id = ${world.workspaceId} and role = 'admin'`;
    const [held] = await sql`select version from private.crm_credentials where config_id = ${config}`;
    let answered = false;
    const disconnected = await sql.begin(async (refresh) => {
      await refresh`select private.crm_lock_tokens(${config})`;
      const [{ pid } = { pid: 0 }] = await refresh`select pg_backend_pid() as pid`;
      const answer = openSql();
      const leaving = answer`select private.crm_disconnect(${person?.id}, ${config}) as tokens`.then((rows) => {
        answered = true;
        return rows[0]?.tokens as { refresh_token: string };
      });
      const waits = async () =>
        (
          await sql`select from pg_stat_activity where ${pid}::int = any (pg_blocking_pids(pid)) and query like '%crm_disconnect%'`
        ).length;
      await expect.poll(waits).toBe(1);
      expect(answered).toBe(false);
      const tokens = { access_token: "newest", refresh_token: "newest-refresh" };
      await refresh`select private.crm_store_tokens(${config}, ${held?.version}, ${JSON.stringify(tokens)}::text::jsonb)`;
      return { leaving, end: () => answer.end() };
    });
    expect((await disconnected.leaving).refresh_token).toBe("newest-refresh");
    await disconnected.end();
    await connect(world, provider);
  });

  test("an access that was withdrawn puts the connection into error, and a reconnect keeps what it had", async () => {
    await sync(world, config);
    const kept = () => sql`
      select (select count(*) from private.crm_record_links where config_id = ${config})::int as links,
        (select md5(string_agg(m::text, ',' order by id)) from public.crm_field_mappings m where config_id = ${config}) as mappings`;
    const before = await kept();
    await control(provider, "tokens", { action: "revoke" });
    const run = await sync(world, config);
    expect(run.status).toBe("failed");
    // The worker marks the connection after it has ended the run.
    await expect
      .poll(async () => (await sql`select status from public.crm_sync_configs where id = ${config}`)[0]?.status)
      .toBe("error");
    const { data } = await world.people.viewer
      .from("crm_sync_health")
      .select("status, advice")
      .eq("config_id", config)
      .single();
    expect(data?.status).toBe("broken");
    expect(data?.advice).toMatch(/[Rr]econnect|Connect/);
    expect(await connect(world, provider)).toBe(config);
    expect(await kept()).toEqual(before);
    expect(["completed", "partial"]).toContain((await sync(world, config)).status);
  });
});
