import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { followRun, type Operation } from "../../scripts/lib/sync-run.ts";
import { CRM_NAMES } from "../support/crm-names.ts";
import { finished, inMock, rowsWritten } from "../support/two-way.ts";
import { connect, editMock, newWorld, openSql, sync, type World } from "../support/world.ts";

interface Both {
  id: string;
  crmId: string;
}

describe.each(["salesforce", "hubspot"] as const)("a run that pulled from %s and pushed to it", (provider) => {
  const sql = openSql();
  const names = CRM_NAMES[provider].contact;
  const tag = `Undo ${provider}`;
  let world: World;
  let config: string;
  let done: Operation;
  let undo: Operation;
  /** Pulled and pushed by the run, and of each kind one that somebody edited since. */
  let records: Record<"pulled" | "pushed" | "pulledKept" | "pushedKept", Both>;
  let before: Record<keyof typeof records, unknown>;

  beforeAll(async () => {
    world = await newWorld();
    config = await connect(world, provider);
    await sync(world, config, () => {}, { direction: "from_crm", entities: ["contacts"] });
    const [pulled, pushed, pulledKept, pushedKept] = await sql<Both[]>`
      select record_id as id, crm_record_id as "crmId" from private.crm_record_links
      where config_id = ${config} and crm_deleted_at is null order by crm_record_id limit 4`;
    if (!pulled || !pushed || !pulledKept || !pushedKept) throw new Error("There are too few contacts.");
    records = { pulled, pushed, pulledKept, pushedKept };
    before = await titlesHere();
    await editTheirs(pulled, "Theirs");
    await editTheirs(pulledKept, "Theirs");
    await editOurs(pushed, "Ours");
    await editOurs(pushedKept, "Ours");
    await editMock(provider, { action: "create", type: names.type, fields: { [names.lastName]: `${tag} theirs` } });
    const { owner } = world.people;
    const made = await owner.from("crm_contacts").insert({ workspace_id: world.workspaceId, last_name: `${tag} ours` });
    expect(made.error).toBeNull();
    done = await finished(world, config, ["contacts"]);
    expect(await titlesHere()).toMatchObject({ pulled: "Theirs", pushed: "Ours" });
    expect(await titlesThere()).toMatchObject({ pulled: "Theirs", pushed: "Ours" });
    expect([await alive("theirs"), await inCrm("ours")]).toEqual([1, 1]);
  });
  afterAll(() => sql.end());

  const editTheirs = ({ crmId }: Both, title: string) =>
    editMock(provider, { action: "edit", type: names.type, id: crmId, fields: { [names.title]: title } });

  async function editOurs({ id }: Both, title: string): Promise<void> {
    const { error } = await world.people.owner.from("crm_contacts").update({ title }).eq("id", id);
    if (error) throw new Error(error.message);
  }

  async function titlesHere(): Promise<typeof before> {
    const all = Object.values(records).map(({ id }) => id);
    const { data, error } = await world.people.viewer.from("crm_contacts").select("id, title").in("id", all);
    if (error) throw new Error(error.message);
    return each(({ id }) => data.find((row) => row.id === id)?.title ?? null);
  }

  async function titlesThere(): Promise<typeof before> {
    const all = await inMock(provider, names.type);
    return each(({ crmId }) => all.get(crmId)?.[names.title] || null);
  }

  function each(value: (one: Both) => unknown): typeof before {
    const { pulled, pushed, pulledKept, pushedKept } = records;
    return {
      pulled: value(pulled),
      pushed: value(pushed),
      pulledKept: value(pulledKept),
      pushedKept: value(pushedKept),
    };
  }

  async function alive(whose: "ours" | "theirs"): Promise<number> {
    const { data } = await world.people.viewer
      .from("crm_contacts")
      .select("id")
      .eq("workspace_id", world.workspaceId)
      .eq("last_name", `${tag} ${whose}`)
      .is("deleted_at", null);
    return data?.length ?? 0;
  }

  async function inCrm(whose: "ours" | "theirs"): Promise<number> {
    const all = [...(await inMock(provider, names.type)).values()];
    return all.filter((record) => record[names.lastName] === `${tag} ${whose}`).length;
  }

  const undone = (operation_id: string) =>
    followRun(
      world.people.admin,
      config,
      () => {},
      () => world.people.admin.rpc("crm_undo_sync", { operation_id }),
    );

  test("is not undone by a member", async () => {
    const { error } = await world.people.member.rpc("crm_undo_sync", { operation_id: done.id });
    expect(error?.code).toBe("PC002");
  });

  test("is taken back on both sides, but for what somebody edited since", async () => {
    await editOurs(records.pulledKept, "Edited since");
    await editTheirs(records.pushedKept, "Edited since");
    undo = await undone(done.id);
    expect([undo.status, undo.error_message]).toEqual(["completed", null]);
    expect(await titlesHere()).toMatchObject({ pulled: before.pulled, pulledKept: "Edited since" });
    expect(await titlesThere()).toMatchObject({ pushed: before.pushed, pushedKept: "Edited since" });
    // What the run had made is gone from where it made it, and stays where it came from.
    expect([await alive("theirs"), await inCrm("ours")]).toEqual([0, 0]);
    expect([await alive("ours"), await inCrm("theirs")]).toEqual([1, 1]);
  });

  test("says what was kept", async () => {
    const { data } = await world.people.viewer
      .from("crm_sync_errors")
      .select("record_id, code, message")
      .eq("operation_id", undo.id);
    const kept = data?.filter(({ code }) => code === "kept_because_edited").map(({ record_id }) => record_id);
    expect(kept?.sort()).toEqual([records.pulledKept.id, records.pushedKept.id].sort());
    expect(data?.find(({ record_id }) => record_id === records.pulledKept.id)?.message).toMatch(/Title/);
  });

  test("stays taken back: the next run moves nothing of it to and fro", async () => {
    const written = await rowsWritten(provider);
    await finished(world, config, ["contacts"]);
    expect(await titlesHere()).toMatchObject({ pulled: before.pulled });
    expect(await titlesThere()).toMatchObject({ pulled: "Theirs", pushed: before.pushed });
    expect([await alive("theirs"), await inCrm("ours")]).toEqual([0, 0]);
    // The edit since of ours is one like any other, and goes out.
    expect((await rowsWritten(provider)) - written).toBeLessThanOrEqual(1);
  });

  test("is there again when the undo is undone", async () => {
    const again = await undone(undo.id);
    expect([again.status, again.error_message]).toEqual(["completed", null]);
    expect(await titlesHere()).toMatchObject({ pulled: "Theirs", pulledKept: "Edited since" });
    expect(await titlesThere()).toMatchObject({ pulled: "Theirs", pushed: "Ours" });
    expect([await alive("theirs"), await inCrm("ours")]).toEqual([1, 1]);
  });
});
