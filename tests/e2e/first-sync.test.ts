import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readPipeline } from "../../scripts/demo/summary.ts";
import type { Operation } from "../../scripts/lib/sync-run.ts";
import { connect, control, newWorld, openSql, sync, type World } from "../support/world.ts";

const RECORD_TABLES = ["crm_companies", "crm_contacts", "pipeline_projects"] as const;

describe("the first sync of a workspace with two CRMs", () => {
  const sql = openSql();
  let world: World;
  let configs: { salesforce: string; hubspot: string };
  const progress: Operation[] = [];

  beforeAll(async () => {
    world = await newWorld();
    await control("salesforce", "reset", {});
    configs = { salesforce: await connect(world, "salesforce"), hubspot: await connect(world, "hubspot") };
    const first = await sync(world, configs.salesforce, (operation) => progress.push(operation));
    expect(first.status, first.error_message ?? "").toBe("completed");
  });
  afterAll(() => sql.end());

  test("brings the Maven data with its true totals", async () => {
    const { salesforce } = await readPipeline(world.people.viewer, world.workspaceId);
    expect(salesforce).toMatchObject({ won: 4238, lost: 2473, open: 2089, won_value: 10_005_534, win_rate: 63.15 });
    const count = (stage: string) => salesforce.by_stage.find((row) => row.stage === stage)?.opportunities;
    expect([count("prospect"), count("opportunity")]).toEqual([500, 1589]);
    const { count: accounts } = await world.people.viewer
      .from("crm_companies")
      .select("*", { count: "exact", head: true })
      .eq("workspace_id", world.workspaceId);
    expect(accounts).toBe(85);
  });

  test("keeps dirty values as they are", async () => {
    const { count: withoutAccount } = await world.people.viewer
      .from("pipeline_projects")
      .select("*", { count: "exact", head: true })
      .eq("workspace_id", world.workspaceId)
      .is("company_id", null);
    expect(withoutAccount).toBe(1425);
    const { data: sectors } = await world.people.viewer
      .from("crm_companies")
      .select("industry")
      .eq("workspace_id", world.workspaceId)
      .eq("industry", "technolgy");
    expect(sectors?.length).toBeGreaterThan(0);
    const [products] = await sql`
      select count(*)::int as n from public.pipeline_projects
      where workspace_id = ${world.workspaceId} and custom_fields ->> 'product' = 'GTXPro'`;
    expect(products?.n).toBeGreaterThan(0);
  });

  test("shows its progress per entity while it runs", () => {
    const entities = new Set(progress.flatMap(({ progress: state }) => Object.keys(state?.entities ?? {})));
    expect([...entities].sort()).toEqual(["accounts", "contacts", "opportunities"]);
    expect(progress.at(-1)?.progress.entities.opportunities?.done).toBe(8800);
    expect(progress.length).toBeGreaterThan(3);
  });

  test("shows a company of both CRMs once, and keeps ambiguous ones apart with a note", async () => {
    const second = await sync(world, configs.hubspot, () => {}, { direction: "from_crm" });
    expect(["completed", "partial"]).toContain(second.status);
    const shared = await sql`
      select record_id from private.crm_record_links
      where workspace_id = ${world.workspaceId} and entity_type = 'accounts'
      group by record_id having count(distinct config_id) = 2`;
    expect(shared.length).toBeGreaterThanOrEqual(30);
    const twice = await sql`
      select domain from public.crm_companies c
      where workspace_id = ${world.workspaceId} and domain is not null and deleted_at is null
        and not exists (select 1 from public.crm_notes n where n.workspace_id = c.workspace_id and n.related_to_id = c.id)
      group by domain having count(*) > 1`;
    expect(twice).toEqual([]);
  });

  test("writes no record row when nothing changed", async () => {
    const versions = async () =>
      Promise.all(
        RECORD_TABLES.map(
          (table) =>
            sql`select md5(string_agg(id::text || xmin::text, ',' order by id)) as v from ${sql(`public.${table}`)} where workspace_id = ${world.workspaceId}`,
        ),
      );
    const before = await versions();
    for (const config of Object.values(configs))
      expect(["completed", "partial"]).toContain(
        (await sync(world, config, () => {}, { direction: "from_crm" })).status,
      );
    expect(await versions()).toEqual(before);
  });
});
