import { afterEach, describe, expect, it } from "vitest";
import { connect, subscribeToChanges, userToken } from "./support/clients.ts";
import { useRealtime } from "./support/fixture.ts";
import { ANNA, ANNAS_WORKSPACE, createTables } from "./support/tables.ts";
import { type ChangeParams, listen, newRows, watch as watchTable } from "./support/watch.ts";

const { fixture, connections } = useRealtime(({ sql }) => createTables(sql));
afterEach(() => fixture.sql`truncate public.deals, public.notices, public.samples, public.keyless, public.forbidden`);

async function watch(user: string | null, params: ChangeParams) {
  const watching = await watchTable(fixture, user, params);
  connections.push(watching.client.realtime);
  return watching;
}

describe("changes of a table", () => {
  it("arrive with typed values when rows are inserted, updated and deleted", async () => {
    const { changes, system } = await watch(ANNA, { table: "deals" });
    expect(system.items[0]).toMatchObject({
      extension: "postgres_changes",
      status: "ok",
      message: "Subscribed to PostgreSQL",
      channel: "changes",
    });
    await fixture.sql`
      insert into public.deals (id, workspace_id, title, amount, tags, details, due_at, secret)
      values (1, ${ANNAS_WORKSPACE}, 'Räder', 12.50, array['a', 'b'], '{"x": [1, null]}', '2026-11-21 10:00+01', 'hidden')`;
    // One at a time: a row is checked as it is now, so one that is gone already is told to nobody.
    await changes.count(1);
    await fixture.sql`update public.deals set status = 'won', won = true where id = 1`;
    await changes.count(2);
    await fixture.sql`delete from public.deals where id = 1`;
    const [inserted, updated, deleted] = await changes.count(3);
    expect(inserted).toMatchObject({
      schema: "public",
      table: "deals",
      eventType: "INSERT",
      errors: null,
      old: {},
      new: {
        id: 1,
        workspace_id: ANNAS_WORKSPACE,
        title: "Räder",
        amount: 12.5,
        status: "open",
        won: null,
        tags: ["a", "b"],
        details: { x: [1, null] },
        due_at: "2026-11-21T09:00:00+00:00",
        label: "Räder (open)",
      },
    });
    expect(inserted?.commit_timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(updated).toMatchObject({ eventType: "UPDATE", old: { id: 1 }, new: { won: true, label: "Räder (won)" } });
    expect(deleted).toMatchObject({ eventType: "DELETE", old: { id: 1 }, new: {} });
  });

  it("leave out columns the role may not read", async () => {
    const { changes } = await watch(ANNA, { table: "deals" });
    await fixture.sql`
      insert into public.deals (workspace_id, title, secret) values (${ANNAS_WORKSPACE}, 'A', 'hidden')`;
    const [row] = newRows(await changes.count(1));
    expect(row).toMatchObject({ title: "A" });
    expect(row).not.toHaveProperty("secret");
  });

  it("bring only the selected columns and the key", async () => {
    const { changes } = await watch(ANNA, { table: "deals", select: ["status"] });
    await fixture.sql`insert into public.deals (id, workspace_id, title) values (7, ${ANNAS_WORKSPACE}, 'A')`;
    expect(newRows(await changes.count(1))).toEqual([{ id: 7, status: "open" }]);
  });

  it("hold the whole old row under replica identity full", async () => {
    const { changes } = await watch(null, { table: "notices" });
    await fixture.sql`insert into public.notices values (1, 'first', true)`;
    await changes.count(1);
    await fixture.sql`update public.notices set body = 'second' where id = 1`;
    await fixture.sql`delete from public.notices where id = 1`;
    const [, updated, deleted] = await changes.count(3);
    expect(updated?.old).toEqual({ id: 1, body: "first", pinned: true });
    expect(deleted?.old).toEqual({ id: 1, body: "second", pinned: true });
  });

  it("tell only the key of a deleted row when the table has row level security", async () => {
    await fixture.sql`alter table public.deals replica identity full`;
    const { changes } = await watch(ANNA, { table: "deals", event: "DELETE" });
    await fixture.sql`insert into public.deals (id, workspace_id, title) values (3, ${ANNAS_WORKSPACE}, 'A')`;
    await fixture.sql`delete from public.deals where id = 3`;
    await fixture.sql`alter table public.deals replica identity default`;
    const [deleted] = await changes.count(1);
    expect(deleted).toMatchObject({ eventType: "DELETE", old: { id: 3 } });
    expect(Object.keys(deleted?.old ?? {})).toEqual(["id"]);
  });

  it("reach each listener of a channel by its event and table", async () => {
    const client = await connect(fixture, await userToken(fixture, ANNA));
    connections.push(client.realtime);
    const channel = client.channel("several");
    const inserts = listen(channel, { event: "INSERT", table: "notices" });
    const updates = listen(channel, { event: "UPDATE", table: "notices" });
    const schema = listen(channel, { event: "*" });
    await subscribeToChanges(channel);
    await fixture.sql`insert into public.notices values (1, 'a', false)`;
    await fixture.sql`update public.notices set body = 'b' where id = 1`;
    await fixture.sql`insert into public.samples (id) values (1)`;
    await schema.count(3);
    expect(inserts.items.map((change) => change.eventType)).toEqual(["INSERT"]);
    expect(updates.items.map((change) => change.eventType)).toEqual(["UPDATE"]);
    expect(schema.items.map((change) => change.table)).toEqual(["notices", "notices", "samples"]);
  });

  it("survive a column added while they are watched", async () => {
    const { changes } = await watch(null, { table: "notices" });
    await fixture.sql`insert into public.notices values (1, 'a', false)`;
    await fixture.sql`alter table public.notices add column color text default 'red'`;
    await fixture.sql`insert into public.notices values (2, 'b', false, 'blue')`;
    await fixture.sql`alter table public.notices drop column color`;
    expect(newRows(await changes.count(2))[1]).toMatchObject({ id: 2, body: "b" });
  });

  it("carry an unchanged long value only when the log holds it", async () => {
    const { changes: withIdentity } = await watch(null, { table: "notices" });
    const { changes: withoutIdentity } = await watch(ANNA, { table: "samples", select: ["name", "flag"] });
    await fixture.sql`alter table public.notices alter column body set storage external`;
    await fixture.sql`alter table public.samples alter column name set storage external`;
    const long = "long ".repeat(2_000);
    await fixture.sql`insert into public.notices values (1, ${long}, false)`;
    await fixture.sql`insert into public.samples values (1, 5, ${long}, false)`;
    await Promise.all([withIdentity.count(1), withoutIdentity.count(1)]);
    await fixture.sql`update public.notices set pinned = true where id = 1`;
    await fixture.sql`update public.samples set flag = true where id = 1`;
    expect(newRows(await withIdentity.count(2))[1]).toEqual({ id: 1, body: long, pinned: true });
    expect(newRows(await withoutIdentity.count(2))[1]).toEqual({ id: 1, flag: true });
  });

  it("above a megabyte lose their long values and say so", async () => {
    const { changes } = await watch(null, { table: "notices" });
    await fixture.sql`insert into public.notices values (1, repeat('x', 1100000), true)`;
    const [change] = await changes.count(1);
    expect(change).toMatchObject({ new: { id: 1, pinned: true }, errors: ["Error 413: Payload Too Large"] });
    expect(change?.new).not.toHaveProperty("body");
  });
});

describe("a table that cannot be watched", () => {
  it("without a primary key reports error 400", async () => {
    const { changes } = await watch(ANNA, { table: "keyless" });
    await fixture.sql`insert into public.keyless values ('a')`;
    expect((await changes.count(1))[0]).toMatchObject({ errors: ["Error 400: Bad Request, no primary key"], new: {} });
  });

  it("without permission to read the key reports error 401", async () => {
    const { changes } = await watch(ANNA, { table: "forbidden" });
    await fixture.sql`insert into public.forbidden values (1, 'a')`;
    expect((await changes.count(1))[0]).toMatchObject({ errors: ["Error 401: Unauthorized"], new: {} });
  });

  it.each([
    ["outside the publication", { table: "unpublished" }, /Please check Realtime is enabled .*table: unpublished/],
    ["filtered by a hidden column", { table: "deals", filter: "secret=eq.x" }, /invalid column for filter secret/],
    ["filtered by a value of the wrong type", { table: "deals", filter: "id=eq.x" }, /invalid input syntax.*integer/],
    ["filtered by an unknown operator", { table: "deals", filter: "id=foo.1" }, /Error parsing `filter` params/],
    ["filtered by a bad expression", { table: "deals", filter: "title=match.(" }, /invalid regular expression/],
    ["with a hidden column selected", { table: "deals", select: ["secret"] }, /invalid column for select secret/],
    ["with columns selected of every table", { select: ["id"] }, /Column selection is not supported for wildcard/],
  ])("%s is refused in a system message", async (_, params, message) => {
    const { system } = await watch(ANNA, params);
    expect(system.items[0]).toMatchObject({ extension: "postgres_changes", status: "error" });
    expect(system.items[0]?.message).toMatch(message);
  });
});
