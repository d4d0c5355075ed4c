import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, control, editMock, newWorld, openSql, sync, type World } from "../support/world.ts";

interface Side {
  created: number;
  updated: number;
  deleted: number;
  conflicts?: number;
}
interface Sample {
  side: string;
  action: string;
  name: string | null;
  after: Record<string, unknown> | null;
}
type Result = Record<string, { here: Side; crm: Side; samples: Sample[] }>;

describe("a plan of a sync", () => {
  const sql = openSql();
  let world: World;
  let config: string;
  const made: string[] = [];

  beforeAll(async () => {
    world = await newWorld();
    config = await connect(world, "hubspot");
  });
  afterAll(async () => {
    for (const id of made) await editMock("hubspot", { action: "delete", type: "companies", id });
    await sql.end();
  });

  /** Asks for a plan and waits for its end. */
  async function plan(): Promise<{ operation: string; result: Result }> {
    const { data, error } = await world.people.member.rpc("crm_plan_sync", { config_id: config });
    if (error) throw error;
    await expect
      .poll(
        async () =>
          (await sql`select status from public.crm_sync_operations where id = ${data.id}`)[0]?.status as string,
        { timeout: 60_000, interval: 200 },
      )
      .toBe("completed");
    const answer = await world.people.viewer.rpc("crm_plan_result", { operation_id: data.id });
    if (answer.error) throw answer.error;
    return { operation: data.id, result: answer.data as unknown as Result };
  }

  const rows = async () => {
    const [counts] = await sql`
      select (select count(*) from public.crm_companies where workspace_id = ${world.workspaceId})::int as companies,
        (select count(*) from private.crm_record_links where config_id = ${config})::int as links,
        (select count(*) from private.crm_cursors where config_id = ${config})::int as cursors,
        (select string_agg(o::text, ',' order by record_id) from private.crm_outbox o where config_id = ${config}) as outbox`;
    return counts;
  };

  test("before the first sync tells how many records would come, and brings none", async () => {
    const before = await rows();
    const { rows_written: written } = await control<{ rows_written: number }>("hubspot", "counters");
    const { result } = await plan();
    expect(result.accounts?.here.created).toBeGreaterThan(10);
    expect(result.accounts?.samples.filter(({ action }) => action === "created")).toHaveLength(20);
    expect(await rows()).toEqual(before);
    expect((await control<{ rows_written: number }>("hubspot", "counters")).rows_written).toBe(written);
    const first = await sync(world, config);
    expect(["completed", "partial"]).toContain(first.status);
    const [log] = await sql`
      select records_created::int as n from public.crm_sync_logs
      where operation_id = ${first.id} and entity_type = 'accounts' and sync_direction = 'pull'`;
    expect(log?.n).toBe(result.accounts?.here.created);
  });

  test("shows what a sync would change on either side, and the sync then does that", async () => {
    made.push(
      await editMock("hubspot", {
        action: "create",
        type: "companies",
        fields: { name: "Planned There", domain: "planned-there.example" },
      }),
    );
    const mine = await world.people.member
      .from("crm_companies")
      .insert({ workspace_id: world.workspaceId, name: "Planned Here" });
    expect(mine.error).toBeNull();
    const before = await rows();
    const { result } = await plan();
    expect(await rows()).toEqual(before);
    expect(result.accounts).toMatchObject({ here: { created: 1 }, crm: { created: 1 } });
    expect(result.accounts?.samples).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ side: "here", action: "created", name: "Planned There" }),
        expect.objectContaining({ side: "crm", action: "created", name: "Planned Here" }),
      ]),
    );
    await sync(world, config);
    const { data: arrived } = await world.people.viewer
      .from("crm_companies")
      .select("name")
      .eq("workspace_id", world.workspaceId)
      .eq("name", "Planned There");
    expect(arrived).toHaveLength(1);
    const [link] = await sql`
      select l.crm_record_id as id from private.crm_record_links l join public.crm_companies c on c.id = l.record_id
      where l.config_id = ${config} and c.name = 'Planned Here'`;
    expect(link?.id).toBeTruthy();
    made.push(link?.id as string);
  });
});
