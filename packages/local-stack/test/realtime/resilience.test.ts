import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, joined, userToken } from "./support/clients.ts";
import { type RealtimeFixture, startRealtime } from "./support/fixture.ts";
import { ANNA, ANNAS_WORKSPACE, createTables } from "./support/tables.ts";
import { newRows, watch } from "./support/watch.ts";

let fixture: RealtimeFixture;

beforeAll(async () => {
  fixture = await startRealtime();
  await createTables(fixture.sql);
});
afterAll(() => fixture.close());

describe("when things go wrong", () => {
  it("a lost replication connection is reported, replaced and followed by new changes", async () => {
    const { client, changes, system } = await watch(fixture, null, { table: "notices" });
    await fixture.sql`
      select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name like 'supabase_realtime_%'`;
    expect((await system.count(3)).map(({ status }) => status)).toEqual(["ok", "error", "ok"]);
    expect(system.items[1]?.message).toBe("The connection to the database was lost");
    await fixture.sql`insert into public.notices values (1, 'after', false)`;
    expect(newRows(await changes.count(1))[0]).toMatchObject({ body: "after" });
    client.realtime.disconnect();
  });

  it("the slot is temporary, so that the log does not pile up behind a stopped stack", async () => {
    const slots = await fixture.sql`select slot_name, temporary, active from pg_replication_slots`;
    expect(slots).toMatchObject([{ temporary: true, active: true }]);
  });

  it("a policy that fails spares the other subscribers and is reported to those it concerns", async () => {
    const anna = await watch(fixture, ANNA, { table: "deals" });
    const service = await watch(fixture, null, { table: "deals" }, fixture.stack.secretKey);
    await fixture.sql`
      create policy "Broken" on public.deals as restrictive for select to authenticated using (1 / (id - id) = 1)`;
    await fixture.sql`insert into public.deals (workspace_id, title) values (${ANNAS_WORKSPACE}, 'A')`;
    expect(newRows(await service.changes.count(1))[0]).toMatchObject({ title: "A" });
    expect((await anna.system.count(2))[1]).toMatchObject({
      status: "error",
      message: "Changes of public.deals could not be delivered",
    });
    expect(fixture.log.join("\n")).toContain("could not be delivered: division by zero");
    await fixture.sql`drop policy "Broken" on public.deals`;
    await fixture.sql`insert into public.deals (workspace_id, title) values (${ANNAS_WORKSPACE}, 'B')`;
    expect(newRows(await anna.changes.until((all) => all.length > 0)).at(-1)).toMatchObject({ title: "B" });
    for (const one of [anna, service]) one.client.realtime.disconnect();
  });

  it("without realtime.messages private channels are refused and public ones work", async () => {
    await fixture.sql`alter table realtime.messages rename to absent`;
    const client = await connect(fixture, await userToken(fixture, ANNA));
    await expect(joined(client.channel("club", { config: { private: true } }))).rejects.toThrow(
      "Unauthorized: You do not have permissions to read from this Channel topic: club",
    );
    await joined(client.channel("hall"));
    await fixture.sql`alter table realtime.absent rename to messages`;
    client.realtime.disconnect();
  });

  it("a client that reconnects gets changes again", async () => {
    const { client, channel, changes, system } = await watch(fixture, null, { table: "notices" });
    const transport = client.realtime as unknown as { socketAdapter: { getSocket(): { conn: { close(): void } } } };
    transport.socketAdapter.getSocket().conn.close();
    await system.count(2);
    await fixture.sql`insert into public.notices values (2, 'again', false)`;
    expect(newRows(await changes.count(1))[0]).toMatchObject({ body: "again" });
    expect(channel.state).toBe("joined");
    client.realtime.disconnect();
  });
});
