import { beforeEach, describe, expect, it } from "vitest";
import { connect, Inbox, joined, userToken } from "./support/clients.ts";
import { useRealtime } from "./support/fixture.ts";
import { ANNA, BEN } from "./support/tables.ts";

interface Message {
  event: string;
  payload: Record<string, unknown>;
  meta?: Record<string, unknown>;
}

const { fixture, connections } = useRealtime();

async function member(user: string | null, topic: string, config: Record<string, unknown> = {}, event = "*") {
  const client = await connect(fixture, user ? await userToken(fixture, user) : undefined);
  connections.push(client.realtime);
  const channel = client.channel(topic, { config });
  const messages = new Inbox<Message>();
  channel.on("broadcast", { event }, messages.put as never);
  return { client, channel, messages };
}

async function joinedMember(...options: Parameters<typeof member>) {
  const one = await member(...options);
  await joined(one.channel);
  return one;
}

describe("broadcast", () => {
  it("reaches the other clients of the topic and not the sender", async () => {
    const anna = await joinedMember(ANNA, "room");
    const ben = await joinedMember(BEN, "room");
    const elsewhere = await joinedMember(BEN, "hall");
    await anna.channel.send({ type: "broadcast", event: "hello", payload: { text: "Grüße" } });
    await ben.channel.send({ type: "broadcast", event: "answer", payload: {} });
    await elsewhere.channel.send({ type: "broadcast", event: "lost", payload: {} });
    expect((await ben.messages.count(1))[0]).toMatchObject({ event: "hello", payload: { text: "Grüße" } });
    expect((await anna.messages.count(1)).map((message) => message.event)).toEqual(["answer"]);
    expect(elsewhere.messages.items).toEqual([]);
  });

  it("comes back to a sender that asked for its own messages, and is acknowledged", async () => {
    const anna = await joinedMember(ANNA, "echo", { broadcast: { self: true, ack: true } });
    await expect(anna.channel.send({ type: "broadcast", event: "ping", payload: { n: 1 } })).resolves.toBe("ok");
    expect((await anna.messages.count(1))[0]).toMatchObject({ event: "ping", payload: { n: 1 } });
  });

  it("carries binary payloads", async () => {
    const anna = await joinedMember(ANNA, "binary");
    const ben = await joinedMember(BEN, "binary");
    const bytes = Uint8Array.from([0, 1, 2, 250, 255]);
    await anna.channel.send({ type: "broadcast", event: "bytes", payload: bytes.buffer });
    const [message] = await ben.messages.count(1);
    expect(new Uint8Array(message?.payload as unknown as ArrayBuffer)).toEqual(bytes);
  });

  it("can be sent over REST by a client that has not joined", async () => {
    const anna = await joinedMember(ANNA, "rest");
    const sender = await member(BEN, "rest");
    await expect(sender.channel.httpSend("posted", { n: 2 })).resolves.toEqual({ success: true });
    await sender.channel.httpSend("bytes", Uint8Array.from([7]));
    const [posted, bytes] = await anna.messages.count(2);
    expect(posted).toMatchObject({ event: "posted", payload: { n: 2 } });
    expect(new Uint8Array(bytes?.payload as unknown as ArrayBuffer)).toEqual(Uint8Array.from([7]));
  });

  it("can be sent over REST to several topics at once", async () => {
    const first = await joinedMember(ANNA, "one");
    const second = await joinedMember(ANNA, "two");
    const response = await fetch(`${fixture.stack.apiUrl}/realtime/v1/api/broadcast`, {
      method: "POST",
      headers: { apikey: fixture.stack.secretKey, "content-type": "application/json" },
      body: JSON.stringify({
        messages: [
          { topic: "one", event: "e", payload: { n: 1 } },
          { topic: "two", event: "e", payload: { n: 2 } },
        ],
      }),
    });
    expect(response.status).toBe(202);
    expect((await first.messages.count(1))[0]).toMatchObject({ payload: { n: 1 } });
    expect((await second.messages.count(1))[0]).toMatchObject({ payload: { n: 2 } });
  });

  it.each([
    [401, "without a key", {}, "{}"],
    [401, "with a wrong key", { apikey: "sb_publishable_wrong" }, "{}"],
    [422, "without messages", { apikey: "publishable" }, "{}"],
    [422, "without a topic", { apikey: "publishable" }, '{"messages":[{"event":"e","payload":{}}]}'],
    [400, "with a body that is not JSON", { apikey: "publishable" }, "{"],
  ])("over REST answers %i %s", async (status, _, headers, body) => {
    const key = "apikey" in headers && headers.apikey === "publishable" ? fixture.stack.publishableKey : undefined;
    const response = await fetch(`${fixture.stack.apiUrl}/realtime/v1/api/broadcast`, {
      method: "POST",
      headers: { ...headers, ...(key ? { apikey: key } : {}) },
      body,
    });
    expect(response.status).toBe(status);
  });
});

describe("a browser", () => {
  it("may broadcast over REST from any origin", async () => {
    const preflight = await fetch(`${fixture.stack.apiUrl}/realtime/v1/api/broadcast`, {
      method: "OPTIONS",
      headers: { origin: "https://app.example", "access-control-request-method": "POST" },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("apikey");
  });
});

describe("broadcast from the database", () => {
  it("is what realtime.send writes", async () => {
    const anna = await joinedMember(ANNA, "from-sql");
    await fixture.sql`select realtime.send('{"n": 1}'::jsonb, 'made', 'from-sql', false)`;
    await fixture.sql`select realtime.send_binary('\\x0102'::bytea, 'bytes', 'from-sql', false)`;
    const [made, bytes] = await anna.messages.count(2);
    expect(made).toMatchObject({ event: "made", payload: { n: 1 }, meta: { id: expect.any(String) } });
    expect(new Uint8Array(bytes?.payload as unknown as ArrayBuffer)).toEqual(Uint8Array.from([1, 2]));
  });

  it("is not sent when its transaction is rolled back", async () => {
    const anna = await joinedMember(ANNA, "rollback");
    await expect(
      fixture.sql.begin(async (sql) => {
        await sql`select realtime.send('{}'::jsonb, 'never', 'rollback', false)`;
        throw new Error("changed my mind");
      }),
    ).rejects.toThrow("changed my mind");
    await fixture.sql`select realtime.send('{}'::jsonb, 'then', 'rollback', false)`;
    expect((await anna.messages.count(1)).map((message) => message.event)).toEqual(["then"]);
  });
});

describe("stored broadcasts", () => {
  it("can be replayed to those who join a private channel later", async () => {
    await fixture.sql`
      create policy "Members read the archive" on realtime.messages for select to authenticated
        using (realtime.topic() = 'archive')`;
    const since = Date.now() - 60_000;
    for (const n of [1, 2, 3]) await fixture.sql`select realtime.send(${fixture.sql.json({ n })}, 'entry', 'archive')`;
    const reader = await joinedMember(ANNA, "archive", { private: true, broadcast: { replay: { since, limit: 2 } } });
    expect(await reader.messages.count(2)).toMatchObject([
      { event: "entry", payload: { n: 2 }, meta: { replayed: true } },
      { event: "entry", payload: { n: 3 }, meta: { replayed: true } },
    ]);
  });
});

describe("private channels", () => {
  const UNREADABLE = /Unauthorized: You do not have permissions to read from this Channel topic: club/;

  beforeEach(async () => {
    await fixture.sql`drop policy if exists "Anna and Ben read the club" on realtime.messages`;
    await fixture.sql`drop policy if exists "Anna writes to the club" on realtime.messages`;
  });

  async function allow(): Promise<void> {
    await fixture.sql.unsafe(`
      create policy "Anna and Ben read the club" on realtime.messages for select to authenticated
        using (realtime.topic() = 'club' and extension in ('broadcast', 'presence') and (select auth.uid()) in ('${ANNA}', '${BEN}'));
      create policy "Anna writes to the club" on realtime.messages for insert to authenticated
        with check (realtime.topic() = 'club' and extension = 'broadcast' and (select auth.uid()) = '${ANNA}')`);
  }

  it("refuse everyone until a policy lets them in", async () => {
    const anna = await member(ANNA, "club", { private: true });
    await expect(joined(anna.channel)).rejects.toThrow(UNREADABLE);
  });

  it("let those read whom a select policy admits, and those write whom an insert policy admits", async () => {
    await allow();
    const anna = await joinedMember(ANNA, "club", { private: true });
    const ben = await joinedMember(BEN, "club", { private: true });
    const nobody = await member(null, "club", { private: true });
    await expect(joined(nobody.channel)).rejects.toThrow(UNREADABLE);
    await ben.channel.send({ type: "broadcast", event: "refused", payload: {} });
    await anna.channel.send({ type: "broadcast", event: "allowed", payload: {} });
    await ben.messages.count(1);
    await anna.channel.send({ type: "broadcast", event: "end", payload: {} });
    expect((await ben.messages.count(2)).map((message) => message.event)).toEqual(["allowed", "end"]);
    expect(anna.messages.items).toEqual([]);
    expect(fixture.log.join("\n")).toContain("authenticated may not broadcast to realtime:club");
  });

  it("are separate from the public channel of the same name", async () => {
    await allow();
    const inside = await joinedMember(ANNA, "club", { private: true });
    const outside = await joinedMember(BEN, "club");
    await fixture.sql`select realtime.send('{"n": 1}'::jsonb, 'inside', 'club', true)`;
    await fixture.sql`select realtime.send('{"n": 2}'::jsonb, 'outside', 'club', false)`;
    expect((await inside.messages.count(1)).map((message) => message.event)).toEqual(["inside"]);
    expect((await outside.messages.count(1)).map((message) => message.event)).toEqual(["outside"]);
  });

  it("take REST broadcasts of those who may write, and answer 202 to the others too", async () => {
    await allow();
    const ben = await joinedMember(BEN, "club", { private: true });
    const fromBen = await member(BEN, "club", { private: true });
    const fromAnna = await member(ANNA, "club", { private: true });
    await expect(fromBen.channel.httpSend("refused", {})).resolves.toEqual({ success: true });
    await expect(fromAnna.channel.httpSend("allowed", {})).resolves.toEqual({ success: true });
    expect((await ben.messages.count(1)).map((message) => message.event)).toEqual(["allowed"]);
  });

  it("close when a new token may no longer read them", async () => {
    await allow();
    const ben = await member(BEN, "club", { private: true });
    const system = new Inbox<{ message: string }>();
    ben.channel.on("system", {}, system.put);
    await joined(ben.channel);
    const stranger = await userToken(fixture, "00000000-0000-4000-8000-00000000000c");
    ben.channel.send({ type: "access_token" as never, event: "access_token", access_token: stranger });
    expect((await system.count(1))[0]).toMatchObject({
      status: "error",
      message: "You do not have permissions to read from this Channel topic: club",
    });
  });

  it("leave no trace of their checks in realtime.messages", async () => {
    await allow();
    await joinedMember(ANNA, "club", { private: true });
    expect(await fixture.sql`select from realtime.messages where event is null`).toHaveLength(0);
  });
});
