import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CRM_NAMES } from "../support/crm-names.ts";
import { finished, inMock, rowsWritten } from "../support/two-way.ts";
import { connect, editMock, newWorld, openSql, type Provider, sync, type World } from "../support/world.ts";

describe("two CRMs in one workspace", () => {
  const sql = openSql();
  let world: World;
  let configs: Record<Provider, string>;

  beforeAll(async () => {
    world = await newWorld();
    configs = { salesforce: await connect(world, "salesforce"), hubspot: await connect(world, "hubspot") };
    for (const provider of ["salesforce", "hubspot"] as const) {
      // What only one of them has stays there: this is about what they share.
      const { error } = await world.people.owner
        .from("crm_sync_configs")
        .update({ sync_entities: ["accounts"], sync_rules: { create_in_crm: false } })
        .eq("id", configs[provider]);
      expect(error).toBeNull();
      await sync(world, configs[provider], () => {}, { direction: "from_crm" });
    }
    await settle();
  });
  afterAll(() => sql.end());

  /** Both, one after the other, until each has seen what the other brought. */
  async function settle(): Promise<void> {
    for (let round = 0; round < 2; round += 1)
      for (const provider of ["salesforce", "hubspot"] as const) await sync(world, configs[provider]);
  }

  let next = 0;
  /** A company that both CRMs have and agree on, another one each time. */
  async function shared(): Promise<Record<"id" | Provider, string>> {
    const [row] = await sql<Record<"id" | Provider, string>[]>`
      select s.record_id as id, s.crm_record_id as salesforce, h.crm_record_id as hubspot
      from private.crm_record_links s
      join private.crm_record_links h on h.record_id = s.record_id and h.config_id = ${configs.hubspot}
      where s.config_id = ${configs.salesforce} and s.entity_type = 'accounts'
        and not exists (select from crm_sync_errors e where e.record_id = s.record_id and e.status <> 'resolved')
      order by s.crm_record_id offset ${next} limit 1`;
    next += 1;
    if (row === undefined) throw new Error("There is no company that both CRMs have.");
    return row;
  }
  const written = async () => [await rowsWritten("salesforce"), await rowsWritten("hubspot")];
  const described = async (provider: Provider, id: string) =>
    (await inMock(provider, CRM_NAMES[provider].account.type)).get(id)?.[CRM_NAMES[provider].account.description];

  test("an edit here arrives in both, once in each", async () => {
    const one = await shared();
    const [salesforce = 0, hubspot = 0] = await written();
    await world.people.owner.from("crm_companies").update({ description: "Ours" }).eq("id", one.id);
    await settle();
    expect([await described("salesforce", one.salesforce), await described("hubspot", one.hubspot)]).toEqual([
      "Ours",
      "Ours",
    ]);
    expect(await written()).toEqual([salesforce + 1, hubspot + 1]);
  });

  test.each([
    ["salesforce", "hubspot"],
    ["hubspot", "salesforce"],
  ] as const)("an edit in %s arrives here and in %s, once, and never comes back", async (source, target) => {
    const one = await shared();
    const text = `From ${source}`;
    await editMock(source, {
      action: "edit",
      type: CRM_NAMES[source].account.type,
      id: one[source],
      fields: { [CRM_NAMES[source].account.description]: text },
    });
    const before = { source: await rowsWritten(source), target: await rowsWritten(target) };
    await finished(world, configs[source]);
    await finished(world, configs[target]);
    const { data } = await world.people.owner.from("crm_companies").select("description").eq("id", one.id).single();
    expect([data?.description, await described(target, one[target])]).toEqual([text, text]);
    await settle();
    expect({ source: await rowsWritten(source), target: await rowsWritten(target) }).toEqual({
      source: before.source,
      target: before.target + 1,
    });
  });

  /** Of the mock HubSpot, which takes these industries and no other. */
  const industryOf = async ({ hubspot }: Record<Provider, string>) =>
    (await inMock("hubspot", CRM_NAMES.hubspot.account.type)).get(hubspot)?.industry;
  const edited = async (id: string, values: { industry: string; description: string }) => {
    const { error } = await world.people.owner.from("crm_companies").update(values).eq("id", id);
    expect(error).toBeNull();
  };

  test("an industry that HubSpot writes in its way arrives in its way, and stays ours here", async () => {
    const one = await shared();
    await edited(one.id, { industry: "Computer software", description: "Spelled" });
    await finished(world, configs.salesforce);
    await finished(world, configs.hubspot);
    expect(await industryOf(one)).toBe("COMPUTER_SOFTWARE");
    const before = await written();
    await settle();
    expect(await written()).toEqual(before);
    const { data } = await world.people.owner.from("crm_companies").select("industry").eq("id", one.id).single();
    expect(data?.industry).toBe("Computer software");
  });

  test("an industry that HubSpot does not offer stays here with a reason, and the rest of the record goes", async () => {
    const one = await shared();
    const was = await industryOf(one);
    await edited(one.id, { industry: "Beekeeping", description: "With bees" });
    await finished(world, configs.salesforce);
    expect((await sync(world, configs.hubspot)).status).toBe("partial");
    expect([await described("hubspot", one.hubspot), await industryOf(one)]).toEqual(["With bees", was]);
    const errors = () =>
      world.people.viewer
        .from("crm_sync_errors")
        .select("code, field, message, direction, status")
        .match({ config_id: configs.hubspot, record_id: one.id });
    expect((await errors()).data).toEqual([
      {
        code: "not_an_option",
        field: "industry",
        message: expect.stringMatching(
          /without industry: .* does not offer "Beekeeping"; it offers ACCOUNTING, BANKING/,
        ),
        direction: "push",
        status: "open",
      },
    ]);
    const before = await written();
    await settle();
    expect(await written()).toEqual(before);
    await edited(one.id, { industry: "Banking", description: "Without" });
    await settle();
    expect([await described("hubspot", one.hubspot), await industryOf(one)]).toEqual(["Without", "BANKING"]);
    expect((await errors()).data).toMatchObject([{ status: "resolved" }]);
  });

  test("nothing is written when nothing changes", async () => {
    const before = await written();
    await settle();
    expect(await written()).toEqual(before);
  });
});
