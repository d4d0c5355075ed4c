import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CRM_NAMES } from "../support/crm-names.ts";
import { finished, inMock, later } from "../support/two-way.ts";
import { connect, editMock, newWorld, openSql, type Provider, sync, type World } from "../support/world.ts";

describe.each<Provider>(["salesforce", "hubspot"])("an admin says which records of %s are wanted", (provider) => {
  const sql = openSql();
  const { account, deal } = CRM_NAMES[provider];
  const tag = `Wanted${provider}`;
  let world: World;
  let config: string;
  let steel: string;
  let wood: string;

  const company = (name: string, revenue: number) =>
    editMock(provider, {
      action: "create",
      type: account.type,
      fields: { [account.name]: `${tag} ${name}`, [account.revenue]: revenue, [account.description]: "Theirs" },
    });
  const edited = (id: string, fields: Record<string, unknown>) =>
    editMock(provider, { action: "edit", type: account.type, id, fields });
  const setRules = (sync_rules: object) =>
    world.people.admin
      .from("crm_sync_configs")
      .update({ sync_rules: sync_rules as never })
      .eq("id", config)
      .select("id");

  async function companies() {
    const { data, error } = await world.people.viewer
      .from("crm_companies")
      .select("id, name, phone, annual_revenue, description")
      .eq("workspace_id", world.workspaceId)
      .order("name");
    if (error) throw new Error(error.message);
    return data;
  }

  async function count(table: "crm_contacts" | "pipeline_projects"): Promise<number | null> {
    const { count } = await world.people.viewer
      .from(table)
      .select("*", { count: "exact", head: true })
      .eq("workspace_id", world.workspaceId);
    return count;
  }

  beforeAll(async () => {
    world = await newWorld();
    config = await connect(world, provider);
    steel = await company("Steel", 500);
    wood = await company("Wood", 5);
    const ofThisTest = { field: "name", operator: "starts_with", value: tag };
    const { data, error } = await setRules({
      accounts: {
        filter: { all: [ofThisTest, { field: "annual_revenue", operator: "greater_or_equal", value: 100 }] },
        exclude_fields: ["description"],
      },
      opportunities: {
        filter: { all: [ofThisTest, { field: "owner", operator: "equals", value: "{current_user}" }] },
      },
    });
    expect([data, error]).toEqual([[{ id: config }], null]);
  });
  afterAll(() => sql.end());

  test("a run of companies brings those, without the excluded field, and no contact or deal", async () => {
    const run = await finished(world, config, ["accounts"]);
    expect(await companies()).toMatchObject([{ name: `${tag} Steel`, annual_revenue: 500, description: null }]);
    expect([await count("crm_contacts"), await count("pipeline_projects")]).toEqual([0, 0]);
    const { data: logs } = await world.people.viewer
      .from("crm_sync_logs")
      .select("entity_type")
      .eq("operation_id", run.id);
    expect(new Set(logs?.map(({ entity_type }) => entity_type))).toEqual(new Set(["accounts"]));
  });

  test("deals come by their owner, who is named as the person who connected", async () => {
    const [me] = await sql<{ id: string }[]>`
      select settings ->> 'crm_user' as id from private.crm_claim_settings(${config})`;
    const [somebody] = await sql<{ id: string }[]>`
      select crm_user_id as id from private.crm_owners where config_id = ${config} and crm_user_id <> ${me?.id ?? ""} limit 1`;
    const made = (name: string, owner = "") =>
      editMock(provider, {
        action: "create",
        type: deal.type,
        fields: { [deal.name]: `${tag} ${name}`, [deal.owner]: owner, ...deal.needed },
      });
    await made("mine", me?.id);
    await made("another's", somebody?.id);
    await finished(world, config, ["opportunities"]);
    const { data } = await world.people.viewer.from("crm_deals").select("name").eq("workspace_id", world.workspaceId);
    expect(data).toEqual([{ name: `${tag} mine` }]);
  });

  test("of records that the CRM names, the wanted begin and the linked go on", async () => {
    await edited(steel, { [account.revenue]: 1 });
    const wool = await company("Wool", 100);
    await sql`select private.crm_mark_dirty(${config}, 'accounts', ${[steel, wood, wool]}, 'webhook')`;
    await finished(world, config, ["accounts"]);
    expect(await companies()).toMatchObject([
      { name: `${tag} Steel`, annual_revenue: 1 },
      { name: `${tag} Wool`, annual_revenue: 100 },
    ]);
  });

  test("of ours, the wanted are created there; an excluded field stays here", async () => {
    const { workspaceId: workspace_id } = world;
    const made = await world.people.owner.from("crm_companies").insert([
      { workspace_id, name: `${tag} Ours`, annual_revenue: 200, description: "Ours" },
      { workspace_id, name: `${tag} Too small`, annual_revenue: 2 },
    ]);
    const linked = await world.people.owner
      .from("crm_companies")
      .update({ description: "Ours", phone: "+12025550143" })
      .eq("workspace_id", workspace_id)
      .eq("name", `${tag} Steel`)
      .select("id");
    expect([made.error, linked.error, linked.data?.length]).toEqual([null, null, 1]);
    await finished(world, config);
    const there = [...(await inMock(provider, account.type)).values()];
    const named = (name: string) => there.filter((record) => record[account.name] === `${tag} ${name}`);
    expect([named("Ours").length, named("Too small").length]).toEqual([1, 0]);
    expect(named("Ours")[0]?.[account.description] ?? null).toBeNull();
    expect(named("Steel")[0]).toMatchObject({ [account.description]: "Theirs", [account.phone]: "+12025550143" });
  });

  test("a rule that means nothing is refused and says where it is wrong; one of a member's changes nothing", async () => {
    const wrong = { accounts: { filter: { all: [{ field: "annual_revenue", operator: "contains", value: "1" }] } } };
    const { error } = await setRules(wrong);
    expect([error?.code, error?.hint?.split(":")[0]]).toEqual(["PC004", "accounts.filter.all[0].operator"]);
    const refused = await world.people.member
      .from("crm_sync_configs")
      .update({ sync_rules: {} })
      .eq("id", config)
      .select("id");
    expect(refused.data ?? []).toEqual([]);
  });

  test("a run for some records reads and writes those, and the next one the rest", async () => {
    const { workspaceId: workspace_id, people } = world;
    expect((await setRules({})).error).toBeNull();
    await finished(world, config, ["accounts"]);
    await company("Glass", 1);
    await company("Stone", 1);
    const phone = "+12025550199";
    const ours = await people.owner
      .from("crm_companies")
      .update({ phone })
      .eq("workspace_id", workspace_id)
      .in("name", [`${tag} Steel`, `${tag} Wool`])
      .select("id");
    expect(ours.data).toHaveLength(2);
    const filters = { accounts: { field: "name", operator: "in", value: [`${tag} Glass`, `${tag} Steel`] } };
    const run = await sync(world, config, () => {}, { entities: ["accounts"], filters });
    expect([run.status, run.filters]).toEqual(["completed", filters]);

    const names = async () => (await companies()).map(({ name }) => name);
    const phones = async () => {
      const there = [...(await inMock(provider, account.type)).values()];
      return ["Steel", "Wool"].map(
        (name) => there.find((one) => one[account.name] === `${tag} ${name}`)?.[account.phone],
      );
    };
    expect([(await names()).includes(`${tag} Glass`), (await names()).includes(`${tag} Stone`)]).toEqual([true, false]);
    const [steelPhone, woolPhone] = await phones();
    expect([steelPhone, woolPhone === phone]).toEqual([phone, false]);

    await later(sql, config);
    await finished(world, config, ["accounts"]);
    expect(await names()).toContain(`${tag} Stone`);
    expect(await phones()).toEqual([phone, phone]);
  });

  test("a run does not go beyond the entities of its connection", async () => {
    const { people } = world;
    await people.admin
      .from("crm_sync_configs")
      .update({ sync_entities: ["accounts"] })
      .eq("id", config);
    const { error } = await people.member.rpc("crm_start_sync", { config_id: config, entities: ["contacts"] });
    expect(error?.code).toBe("PC004");
  });
});
