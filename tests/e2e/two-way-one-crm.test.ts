import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CRM_NAMES } from "../support/crm-names.ts";
import { finished, inMock, rowsWritten } from "../support/two-way.ts";
import { connect, editMock, newWorld, openSql, sync, type World } from "../support/world.ts";

describe.each(["salesforce", "hubspot"] as const)("two-way sync with %s", (provider) => {
  const sql = openSql();
  const names = CRM_NAMES[provider];
  let world: World;
  let config: string;

  beforeAll(async () => {
    world = await newWorld();
    config = await connect(world, provider);
    const first = await sync(world, config, () => {}, { direction: "from_crm" });
    expect(["completed", "partial"], first.error_message ?? "").toContain(first.status);
  });
  afterAll(() => sql.end());

  /** A deal that is in both, ours and theirs; another one each time. */
  let next = 0;
  async function deal(): Promise<{ id: string; crmId: string }> {
    const [row] = await sql<{ id: string; crmId: string }[]>`
      select record_id as id, crm_record_id as "crmId" from private.crm_record_links
      where config_id = ${config} and entity_type = 'opportunities' and crm_deleted_at is null
      order by crm_record_id offset ${next} limit 1`;
    next += 1;
    if (row === undefined) throw new Error("There is no such deal.");
    return row;
  }

  async function edit(id: string, values: { next_steps: string }): Promise<void> {
    const { error } = await world.people.owner.from("pipeline_projects").update(values).eq("id", id);
    if (error) throw new Error(error.message);
  }

  async function ours(id: string) {
    const { data, error } = await world.people.owner.from("pipeline_projects").select("*").eq("id", id).single();
    if (error) throw new Error(error.message);
    return data;
  }

  async function theirs(crmId: string) {
    return (await inMock(provider, names.deal.type)).get(crmId);
  }

  const edited = (crmId: string, fields: Record<string, unknown>) =>
    editMock(provider, { action: "edit", type: names.deal.type, id: crmId, fields });

  async function configure(values: { conflict_resolution?: string; sync_rules?: Record<string, boolean> }) {
    const { error } = await world.people.owner.from("crm_sync_configs").update(values).eq("id", config);
    if (error) throw new Error(error.message);
  }

  test("an edit here arrives there, in that field alone, and is written once", async () => {
    const one = await deal();
    const before = await theirs(one.crmId);
    const written = await rowsWritten(provider);
    await edit(one.id, { next_steps: "Call on Monday" });
    await finished(world, config);
    const after = await theirs(one.crmId);
    expect(after?.[names.deal.nextStep]).toBe("Call on Monday");
    expect(after?.[names.deal.name]).toBe(before?.[names.deal.name]);
    expect(await rowsWritten(provider)).toBe(written + 1);
  });

  test("an edit there arrives here, and is not sent back", async () => {
    const one = await deal();
    await edited(one.crmId, { [names.deal.nextStep]: "Theirs" });
    const written = await rowsWritten(provider);
    await finished(world, config);
    expect((await ours(one.id)).next_steps).toBe("Theirs");
    await finished(world, config);
    expect(await rowsWritten(provider)).toBe(written);
  });

  test("edits of different fields on both sides survive both", async () => {
    const one = await deal();
    await edited(one.crmId, { [names.deal.amount]: 4711 });
    await edit(one.id, { next_steps: "Ours" });
    await finished(world, config);
    expect(await ours(one.id)).toMatchObject({ next_steps: "Ours", estimated_value: 4711 });
    const there = await theirs(one.crmId);
    expect([there?.[names.deal.nextStep], Number(there?.[names.deal.amount])]).toEqual(["Ours", 4711]);
  });

  test.each([
    ["crm_wins", "Theirs", "Theirs"],
    ["app_wins", "Ours", "Ours"],
    ["manual_review", "Ours", "Theirs"],
  ])("edits of the same field under %s: here %s, there %s", async (strategy, here, there) => {
    const one = await deal();
    await configure({ conflict_resolution: strategy });
    await edited(one.crmId, { [names.deal.nextStep]: "Theirs" });
    await edit(one.id, { next_steps: "Ours" });
    await finished(world, config);
    await configure({ conflict_resolution: "crm_wins" });
    expect((await ours(one.id)).next_steps).toBe(here);
    expect((await theirs(one.crmId))?.[names.deal.nextStep]).toBe(there);
  });

  test("what is new here is created there with its relations and owner, once", async () => {
    const { owner } = world.people;
    const workspace_id = world.workspaceId;
    const tag = `New ${provider}`;
    const [person] =
      await sql`select crm_user_id as id, name from private.crm_owners where config_id = ${config} limit 1`;
    const company = await owner
      .from("crm_companies")
      .insert({ workspace_id, name: tag, website: `https://new-${provider}.example` })
      .select("id")
      .single();
    const contact = await owner
      .from("crm_contacts")
      .insert({
        workspace_id,
        first_name: "Nova",
        last_name: tag,
        email: `n@new-${provider}.example`,
        company_id: company.data?.id,
      })
      .select("id")
      .single();
    const made = await owner
      .from("pipeline_projects")
      .insert({
        workspace_id,
        name: tag,
        stage_key: "prospect",
        expected_close_date: "2027-03-31",
        estimated_value: 1234,
        company_id: company.data?.id,
        contact_id: contact.data?.id,
        owner_label: person?.name,
      })
      .select("id")
      .single();
    expect([company.error, contact.error, made.error]).toEqual([null, null, null]);
    await finished(world, config);
    const links = await sql`
      select entity_type, crm_record_id as id from private.crm_record_links
      where config_id = ${config} and record_id in (${company.data?.id ?? ""}, ${contact.data?.id ?? ""}, ${made.data?.id ?? ""})`;
    const idOf = (entity: string) => links.find((link) => link.entity_type === entity)?.id as string;
    const there = await theirs(idOf("opportunities"));
    expect(there).toMatchObject({ [names.deal.name]: tag, [names.deal.owner]: person?.id });
    if (provider === "salesforce") {
      expect(there).toMatchObject({ AccountId: idOf("accounts") });
      expect((await inMock(provider, names.contact.type)).get(idOf("contacts"))).toMatchObject({
        AccountId: idOf("accounts"),
      });
    }
    const written = await rowsWritten(provider);
    await finished(world, config);
    await finished(world, config);
    expect(await rowsWritten(provider)).toBe(written);
    const all = [...(await inMock(provider, names.deal.type)).values()];
    expect(all.filter((record) => record[names.deal.name] === tag)).toHaveLength(1);
    // What came back from the CRM is what we have: the relations too.
    expect(await ours(made.data?.id ?? "")).toMatchObject({
      company_id: company.data?.id,
      contact_id: contact.data?.id,
    });
  });

  test("what is new there is created here, and not sent back", async () => {
    const id = await editMock(provider, {
      action: "create",
      type: names.account.type,
      fields: { [names.account.name]: `Theirs ${provider}` },
    });
    const written = await rowsWritten(provider);
    await finished(world, config);
    const links = await sql`
      select c.name, l.crm_record_id as id from public.crm_companies c join private.crm_record_links l on l.record_id = c.id
      where c.workspace_id = ${world.workspaceId} and c.name = ${`Theirs ${provider}`}`;
    expect(links).toMatchObject([{ id }]);
    expect(await rowsWritten(provider)).toBe(written);
  });

  test("deletions stay on their side unless the connection says otherwise, and then go over", async () => {
    const [kept, deleted, lost] = [await deal(), await deal(), await deal()];
    await world.people.owner
      .from("pipeline_projects")
      .update({ deleted_at: new Date().toISOString() })
      .eq("id", kept.id);
    await finished(world, config);
    expect(await theirs(kept.crmId)).toBeDefined();
    await configure({ sync_rules: { delete_in_crm: true, delete_when_deleted: true } });
    await world.people.owner
      .from("pipeline_projects")
      .update({ deleted_at: new Date().toISOString() })
      .eq("id", deleted.id);
    await editMock(provider, { action: "delete", type: names.deal.type, id: lost.crmId });
    await finished(world, config);
    expect(await theirs(deleted.crmId)).toBeUndefined();
    const [gone] = await sql`select deleted_at from public.pipeline_projects where id = ${lost.id}`;
    expect(gone?.deleted_at).not.toBeNull();
  });
});
