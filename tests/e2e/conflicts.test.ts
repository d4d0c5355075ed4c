import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CRM_NAMES } from "../support/crm-names.ts";
import { finished, inMock, rowsWritten } from "../support/two-way.ts";
import { connect, editMock, newWorld, openSql, sync, type World } from "../support/world.ts";

interface Both {
  id: string;
  crmId: string;
}

/** A contact whose title was edited on both sides, and the conflict that came of it. */
interface Clash extends Both {
  conflict: string;
  before: unknown;
  our: string;
  their: string;
}

const CLASHES = 11;

describe.each(["salesforce", "hubspot"] as const)("both sides edited the same field, with %s", (provider) => {
  const sql = openSql();
  const names = CRM_NAMES[provider];
  let world: World;
  let config: string;

  beforeAll(async () => {
    world = await newWorld();
    config = await connect(world, provider);
    await sync(world, config, () => {}, { direction: "from_crm", entities: ["contacts", "opportunities"] });
    await configure({ conflict_resolution: "manual_review" });
    await prepare();
  });
  afterAll(() => sql.end());

  const next = { contacts: 0, opportunities: 0 };
  /** A record that is in both, ours and theirs; another one each time. */
  async function record(entity: "contacts" | "opportunities"): Promise<Both> {
    const [row] = await sql<Both[]>`
      select record_id as id, crm_record_id as "crmId" from private.crm_record_links
      where config_id = ${config} and entity_type = ${entity} and crm_deleted_at is null
      order by crm_record_id offset ${next[entity]} limit 1`;
    next[entity] += 1;
    if (row === undefined) throw new Error("There is no such record.");
    return row;
  }

  async function configure(values: { conflict_resolution?: string; sync_rules?: Record<string, never> }) {
    const { error } = await world.people.owner.from("crm_sync_configs").update(values).eq("id", config);
    if (error) throw new Error(error.message);
  }

  const run = () => finished(world, config, ["contacts", "opportunities"]);
  const theirs = async (one: Both) =>
    (await inMock(provider, names.contact.type)).get(one.crmId)?.[names.contact.title];
  const editTheirs = ({ crmId }: Both, title: string) =>
    editMock(provider, {
      action: "edit",
      type: names.contact.type,
      id: crmId,
      fields: { [names.contact.title]: title },
    });

  async function ours({ id }: Both): Promise<string | null> {
    const { data, error } = await world.people.member.from("crm_contacts").select("title").eq("id", id).single();
    if (error) throw new Error(error.message);
    return data.title;
  }

  async function editOurs({ id }: Both, title: string): Promise<void> {
    const { error } = await world.people.owner.from("crm_contacts").update({ title }).eq("id", id);
    if (error) throw new Error(error.message);
  }

  async function conflictOf({ id }: Both) {
    const { data, error } = await world.people.member
      .from("crm_conflict_list")
      .select("*")
      .eq("config_id", config)
      .eq("entity_id", id)
      .order("detected_at", { ascending: false })
      .limit(1)
      .single();
    if (error) throw new Error(error.message);
    return data as typeof data & { id: string };
  }

  const clashes: Clash[] = [];
  /** All in one run: one for each story below. */
  async function prepare(): Promise<void> {
    const titles = await inMock(provider, names.contact.type);
    for (let at = 0; at < CLASHES; at += 1) {
      const one = await record("contacts");
      const [our, their] = [`Ours ${at}`, `Theirs ${at}`];
      await Promise.all([editOurs(one, our), editTheirs(one, their)]);
      clashes.push({ ...one, our, their, conflict: "", before: titles.get(one.crmId)?.[names.contact.title] });
    }
    await run();
    for (const one of clashes) one.conflict = (await conflictOf(one)).id;
  }

  async function clash(): Promise<Clash> {
    const one = clashes.pop();
    if (one === undefined) throw new Error("There are fewer prepared conflicts than stories.");
    expect(await conflictOf(one)).toMatchObject({ id: one.conflict, status: "pending" });
    return one;
  }

  const resolve = (conflict_id: string, strategy: string, more: { merged_data?: { title: string } } = {}) =>
    world.people.member.rpc("crm_resolve_conflict", { conflict_id, strategy, ...more });

  test("a person is asked, and sees both values and what both had agreed on; until then both keep theirs", async () => {
    const one = await clash();
    const { our, their } = one;
    const fields = await world.people.viewer.from("crm_conflict_fields").select("*").eq("conflict_id", one.conflict);
    expect(fields.data).toMatchObject([
      { field: "title", label: "Title", app_value: our, crm_value: their, base_value: one.before || null },
    ]);
    await run();
    expect([await ours(one), await theirs(one)]).toEqual([our, their]);
  });

  test("ours is chosen: the next run takes it to the CRM, once", async () => {
    const one = await clash();
    const { data, error } = await resolve(one.conflict, "use_app");
    expect([error, data?.status]).toEqual([null, "resolved"]);
    const written = await rowsWritten(provider);
    await run();
    expect([await ours(one), await theirs(one)]).toEqual([one.our, one.our]);
    expect((await conflictOf(one)).applied_at).not.toBeNull();
    await run();
    expect(await rowsWritten(provider)).toBe(written + 1);
  });

  test("theirs is chosen: it is ours at once, and nothing is written to the CRM", async () => {
    const one = await clash();
    const written = await rowsWritten(provider);
    expect((await resolve(one.conflict, "use_crm")).error).toBeNull();
    expect(await ours(one)).toBe(one.their);
    await run();
    expect(await theirs(one)).toBe(one.their);
    expect((await conflictOf(one)).applied_at).not.toBeNull();
    expect(await rowsWritten(provider)).toBe(written);
  });

  test("a value of one's own reaches both", async () => {
    const one = await clash();
    expect((await resolve(one.conflict, "manual", { merged_data: { title: "Merged" } })).error).toBeNull();
    expect(await ours(one)).toBe("Merged");
    await run();
    expect([await ours(one), await theirs(one)]).toEqual(["Merged", "Merged"]);
  });

  test("it is ignored: both keep theirs, and nobody is asked again", async () => {
    const one = await clash();
    const { error } = await world.people.member.rpc("crm_ignore_conflict", { conflict_id: one.conflict });
    expect(error).toBeNull();
    await run();
    await run();
    expect([await ours(one), await theirs(one)]).toEqual([one.our, one.their]);
    expect(await conflictOf(one)).toMatchObject({ id: one.conflict, status: "ignored" });
  });

  test("the CRM moved on before it heard of the decision: the same conflict is open again, and nothing is lost", async () => {
    const one = await clash();
    expect((await resolve(one.conflict, "use_app")).error).toBeNull();
    await editTheirs(one, "Moved on");
    await run();
    expect([await ours(one), await theirs(one)]).toEqual([one.our, "Moved on"]);
    expect(await conflictOf(one)).toMatchObject({ id: one.conflict, status: "pending" });
    const { data } = await world.people.member.from("crm_conflict_fields").select("*").eq("conflict_id", one.conflict);
    expect(data).toMatchObject([{ app_value: one.our, crm_value: "Moved on" }]);
  });

  test("many are decided at once", async () => {
    const three = [await clash(), await clash(), await clash()];
    const { data, error } = await world.people.member.rpc("crm_resolve_conflicts", {
      config_id: config,
      strategy: "use_app",
      conflict_ids: three.map(({ conflict }) => conflict),
    });
    expect([error, data]).toEqual([null, { resolved: 3, edited_since: 0, refused: 0, more: false }]);
    await run();
    expect(await Promise.all(three.map(theirs))).toEqual(three.map(({ our }) => our));
  });

  test("a viewer sees conflicts and decides none", async () => {
    const one = await clash();
    const { viewer } = world.people;
    const [resolved, ignored, bulk] = await Promise.all([
      viewer.rpc("crm_resolve_conflict", { conflict_id: one.conflict, strategy: "use_app" }),
      viewer.rpc("crm_ignore_conflict", { conflict_id: one.conflict }),
      viewer.rpc("crm_resolve_conflicts", { config_id: config, strategy: "use_app" }),
    ]);
    expect([resolved, ignored, bulk].map(({ error }) => error?.code)).toEqual(["PC002", "PC002", "PC002"]);
    expect(await conflictOf(one)).toMatchObject({ status: "pending" });
  });

  test("a deal shows that a conflict waits, and no longer once it is ignored", async () => {
    const deal = await record("opportunities");
    await editMock(provider, {
      action: "edit",
      type: names.deal.type,
      id: deal.crmId,
      fields: { [names.deal.nextStep]: "Theirs" },
    });
    await world.people.owner.from("pipeline_projects").update({ next_steps: "Ours" }).eq("id", deal.id);
    await run();
    const status = async () =>
      (await world.people.viewer.from("pipeline_projects").select("sync_status").eq("id", deal.id).single()).data
        ?.sync_status;
    expect(await status()).toBe("conflict");
    await world.people.member.rpc("crm_ignore_conflict", { conflict_id: (await conflictOf(deal)).id });
    expect(await status()).toBe("synced");
    await run();
    expect(await status()).toBe("synced");
  });

  test("an admin makes it a rule: the next one is decided without asking", async () => {
    const first = await clash();
    const asked = { conflict_id: first.conflict, strategy: "use_crm", always: true };
    expect((await world.people.member.rpc("crm_resolve_conflict", asked)).error?.code).toBe("PC002");
    expect((await world.people.admin.rpc("crm_resolve_conflict", asked)).error).toBeNull();
    const second = await record("contacts");
    await editTheirs(second, "Theirs by rule");
    await editOurs(second, "Ours");
    await run();
    await configure({ sync_rules: {} });
    expect([await ours(second), await theirs(second)]).toEqual(["Theirs by rule", "Theirs by rule"]);
    expect(await conflictOf(second)).toMatchObject({ status: "resolved", resolution_strategy: "crm_wins" });
  });
});
