import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { finished, inMock, rowsWritten } from "../support/two-way.ts";
import { connect, editMock, newWorld, openSql, type Provider, sync, type World } from "../support/world.ts";

const TYPES = { salesforce: "Account", hubspot: "companies" } as const;
const NAMES = { salesforce: "Description", hubspot: "description" } as const;

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
      // They offer different industries: one that the other does not know would be refused.
      const industries = await world.people.owner
        .from("crm_field_mappings")
        .update({ sync_direction: "pull" })
        .match({ config_id: configs[provider], app_field: "industry" });
      expect([error, industries.error]).toEqual([null, null]);
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
  async function shared(): Promise<Record<"id" | Provider, string>> {
    const [row] = await sql<Record<"id" | Provider, string>[]>`
      select s.record_id as id, s.crm_record_id as salesforce, h.crm_record_id as hubspot
      from private.crm_record_links s
      join private.crm_record_links h on h.record_id = s.record_id and h.config_id = ${configs.hubspot}
      where s.config_id = ${configs.salesforce} and s.entity_type = 'accounts' order by s.crm_record_id offset ${next} limit 1`;
    next += 1;
    if (row === undefined) throw new Error("There is no company that both CRMs have.");
    return row;
  }
  const written = async () => [await rowsWritten("salesforce"), await rowsWritten("hubspot")];
  const described = async (provider: Provider, id: string) =>
    (await inMock(provider, TYPES[provider])).get(id)?.[NAMES[provider]];

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
    await editMock(source, { action: "edit", type: TYPES[source], id: one[source], fields: { [NAMES[source]]: text } });
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

  test("nothing is written when nothing changes", async () => {
    const before = await written();
    await settle();
    expect(await written()).toEqual(before);
  });
});
