import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bench } from "../support/bench.ts";
import { eventually } from "../support/eventually.ts";
import { newWorld, type World } from "../support/world.ts";

/** The minute's job, people who cannot wait for it, and syncs that write meanwhile. */

const open = () => postgres(bench().dbUrl, { max: 1, onnotice: () => {} });
const [job, sync] = [open(), open()];
let world: World;

beforeAll(async () => {
  world = await newWorld();
});
afterAll(() => Promise.all([job, sync].map((sql) => sql.end())));

async function addDeals(name: string, count: number): Promise<void> {
  await sync`
    insert into public.pipeline_projects (workspace_id, name, stage_key, estimated_value)
    select ${world.workspaceId}, ${name}, 'proposal', 100 from generate_series(1, ${count}::int)`;
}

/** As the owner sees it. */
async function openDeals(): Promise<number | null | undefined> {
  const { data } = await world.people.owner
    .from("crm_dashboard")
    .select("open_opportunities")
    .eq("workspace_id", world.workspaceId)
    .single();
  return data?.open_opportunities;
}

const refresh = () => world.people.owner.rpc("refresh_analytics", { workspace_id: world.workspaceId });

/** The job of the stack may be at it just then. */
async function refreshed(): Promise<void> {
  await eventually("a refresh", async () => {
    const { data, error } = await refresh();
    if (error?.code === "PC008") return null;
    expect(error).toBeNull();
    return (data as { more: boolean }).more ? null : true;
  });
}

/** Counts some of the deals, and does not commit. */
async function beginRefresh(tx: postgres.TransactionSql, most: number): Promise<void> {
  await eventually("a turn to refresh", async () => {
    const [row] = await tx<
      { seen: number | null }[]
    >`select private.refresh_workspace(${world.workspaceId}, ${most}) as seen`;
    return row?.seen;
  });
}

describe("a refresh", () => {
  test("by the job refuses a person's with what to do, holds up no sync, and loses nothing that came meanwhile", async () => {
    await addDeals("before", 3);
    await refreshed();
    expect(await openDeals()).toBe(3);
    await addDeals("waiting", 2);
    await job.begin(async (tx) => {
      await beginRefresh(tx, 100);
      expect((await refresh()).error).toMatchObject({ code: "PC008", hint: "Read them again in a few seconds." });
      await addDeals("meanwhile", 4);
      expect(await openDeals(), "nobody sees half a refresh").toBe(3);
    });
    await refreshed();
    expect(await openDeals()).toBe(9);
  });

  test("that is killed midway has counted nothing, and the next one counts all of it once", async () => {
    const before = (await openDeals()) ?? 0;
    await addDeals("again", 5);
    const doomed = open();
    const end = doomed`select private.refresh_workspace(${world.workspaceId}, 3), pg_terminate_backend(pg_backend_pid())`;
    await expect(end).rejects.toThrow();
    await doomed.end({ timeout: 1 });
    await refreshed();
    expect(await openDeals()).toBe(before + 5);
    const { data } = await world.people.owner
      .from("analytics_freshness")
      .select("queued, seconds_behind")
      .eq("workspace_id", world.workspaceId)
      .single();
    expect(data).toEqual({ queued: 0, seconds_behind: 0 });
  });
});
