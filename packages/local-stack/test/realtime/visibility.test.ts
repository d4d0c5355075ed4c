import { afterEach, describe, expect, it } from "vitest";
import { connect, Inbox, joined, type SystemMessage, subscribeToChanges, userToken } from "./support/clients.ts";
import { useRealtime } from "./support/fixture.ts";
import { ANNA, ANNAS_WORKSPACE, BEN, BENS_WORKSPACE, createTables } from "./support/tables.ts";
import { type ChangeParams, listen, newRows, watch as watchTable } from "./support/watch.ts";

const { fixture, connections } = useRealtime(({ sql }) => createTables(sql));
afterEach(() => fixture.sql`truncate public.deals`);

async function watchDeals(user: string | null, params: ChangeParams = {}, key?: string) {
  const watching = await watchTable(fixture, user, { table: "deals", ...params }, key);
  connections.push(watching.client.realtime);
  return watching;
}

const addDeal = (workspace: string, title: string) =>
  fixture.sql`insert into public.deals (workspace_id, title) values (${workspace}, ${title})`;

describe("row level security", () => {
  it("shows each user the rows of its own workspace and nothing else", async () => {
    const [anna, ben] = await Promise.all([watchDeals(ANNA), watchDeals(BEN)]);
    await addDeal(ANNAS_WORKSPACE, "for Anna");
    await addDeal(BENS_WORKSPACE, "for Ben");
    await fixture.sql`update public.deals set amount = 1 where true`;
    const titles = async (user: typeof anna) => newRows(await user.changes.count(2)).map((row) => row.title);
    expect(await titles(anna)).toEqual(["for Anna", "for Anna"]);
    expect(await titles(ben)).toEqual(["for Ben", "for Ben"]);
  });

  it("applies to the row as it is after an update", async () => {
    const [anna, ben] = await Promise.all([watchDeals(ANNA), watchDeals(BEN)]);
    await addDeal(ANNAS_WORKSPACE, "moving");
    await anna.changes.count(1);
    await fixture.sql`update public.deals set workspace_id = ${BENS_WORKSPACE} where title = 'moving'`;
    expect((await ben.changes.count(1))[0]).toMatchObject({ eventType: "UPDATE", new: { title: "moving" } });
    expect(anna.changes.items).toHaveLength(1);
  });

  it("follows a membership that is taken away", async () => {
    const anna = await watchDeals(ANNA);
    const witness = await watchDeals(null, {}, fixture.stack.secretKey);
    await addDeal(ANNAS_WORKSPACE, "before");
    await anna.changes.count(1);
    await fixture.sql`delete from public.members where user_id = ${ANNA}`;
    await addDeal(ANNAS_WORKSPACE, "between");
    // A change is delivered when it has been checked for everyone, so Anna's check is over too.
    await witness.changes.count(2);
    await fixture.sql`insert into public.members values (${ANNAS_WORKSPACE}, ${ANNA})`;
    await addDeal(ANNAS_WORKSPACE, "after");
    expect(newRows(await anna.changes.count(2)).map((row) => row.title)).toEqual(["before", "after"]);
  });

  it("does not bind the service role, which also sees all columns", async () => {
    const service = await watchDeals(null, {}, fixture.stack.secretKey);
    await fixture.sql`
      insert into public.deals (workspace_id, title, secret) values (${BENS_WORKSPACE}, 'B', 'hidden')`;
    expect(newRows(await service.changes.count(1))[0]).toMatchObject({ title: "B", secret: "hidden" });
  });

  it("tells anonymous subscribers that they may not read the table", async () => {
    const nobody = await watchDeals(null);
    await addDeal(ANNAS_WORKSPACE, "A");
    expect((await nobody.changes.count(1))[0]).toMatchObject({ new: {}, errors: ["Error 401: Unauthorized"] });
  });

  it("lets deleted rows through to everyone with nothing but their key", async () => {
    const ben = await watchDeals(BEN, { event: "DELETE" });
    const [deal] = await fixture.sql`
      insert into public.deals (workspace_id, title) values (${ANNAS_WORKSPACE}, 'A') returning id`;
    await fixture.sql`delete from public.deals where id = ${deal?.id}`;
    expect((await ben.changes.count(1))[0]).toMatchObject({ eventType: "DELETE", old: { id: deal?.id } });
  });
});

describe("access tokens", () => {
  it("change what a joined channel may see when another user signs in", async () => {
    const client = await connect(fixture);
    connections.push(client.realtime);
    await client.realtime.setAuth(await userToken(fixture, ANNA));
    const channel = client.channel("switching");
    const changes = listen(channel, { table: "deals" });
    const system = await subscribeToChanges(channel);
    await client.realtime.setAuth(await userToken(fixture, BEN));
    await system.count(2);
    await addDeal(ANNAS_WORKSPACE, "for Anna");
    await addDeal(BENS_WORKSPACE, "for Ben");
    expect(newRows(await changes.count(1)).map((row) => row.title)).toEqual(["for Ben"]);
  });

  it("are renewed without losing the channel", async () => {
    const client = await connect(fixture);
    connections.push(client.realtime);
    await client.realtime.setAuth(await userToken(fixture, ANNA, 3));
    const channel = client.channel("renewed");
    const changes = listen(channel, { table: "deals" });
    const system = await subscribeToChanges(channel);
    const witness = await expiringChannel(3);
    await client.realtime.setAuth(await userToken(fixture, ANNA));
    await system.count(2);
    await witness.closed.count(1);
    await addDeal(ANNAS_WORKSPACE, "still here");
    expect(newRows(await changes.count(1)).map((row) => row.title)).toEqual(["still here"]);
  });

  it("close the channel with a reason when they expire", async () => {
    const { system, closed } = await expiringChannel(3);
    await closed.count(1);
    expect(system.items).toEqual([
      expect.objectContaining({ extension: "system", status: "error", channel: "expiring" }),
    ]);
    expect(system.items[0]?.message).toMatch(/^Token has expired \d+ seconds ago$/);
  });

  it("close the channel when a new one is not valid", async () => {
    const client = await connect(fixture, await userToken(fixture, ANNA));
    connections.push(client.realtime);
    const system = new Inbox<SystemMessage>();
    const channel = client.channel("invalid");
    channel.on("system", {}, system.put);
    await joined(channel);
    const forged = `${(await userToken(fixture, BEN)).slice(0, -8)}AAAAAAAA`;
    channel.send({ type: "access_token" as never, event: "access_token", access_token: forged });
    expect((await system.count(1))[0]).toMatchObject({ status: "error", message: "Failed to validate JWT signature" });
  });

  it("do not matter when they are API keys, which supabase-js sends while nobody is signed in", async () => {
    const client = await connect(fixture);
    connections.push(client.realtime);
    await client.realtime.setAuth();
    const channel = client.channel("anonymous");
    const changes = listen(channel, { table: "notices" });
    await subscribeToChanges(channel);
    await client.realtime.setAuth(fixture.stack.publishableKey);
    await fixture.sql`insert into public.notices values (1, 'a', false)`;
    await changes.count(1);
  });

  async function expiringChannel(seconds: number) {
    const client = await connect(fixture);
    connections.push(client.realtime);
    await client.realtime.setAuth(await userToken(fixture, ANNA, seconds));
    const system = new Inbox<SystemMessage>();
    const closed = new Inbox<string>();
    const channel = client.channel("expiring");
    channel.on("system", {}, system.put);
    await new Promise<void>((resolve) => {
      channel.subscribe((status) => (status === "SUBSCRIBED" ? resolve() : closed.put(status)));
    });
    return { system, closed };
  }
});
