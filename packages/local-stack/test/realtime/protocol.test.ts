import { request } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { Inbox, userToken } from "./support/clients.ts";
import { type RealtimeFixture, startRealtime } from "./support/fixture.ts";
import { ANNA, createTables } from "./support/tables.ts";

let fixture: RealtimeFixture;
const sockets: WebSocket[] = [];

beforeAll(async () => {
  fixture = await startRealtime();
  await createTables(fixture.sql);
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.terminate();
});
afterAll(() => fixture.close());

const address = (query: string) => `${fixture.stack.apiUrl.replace("http", "ws")}/realtime/v1/websocket?${query}`;

async function open(version = "2.0.0") {
  const socket = new WebSocket(address(`apikey=${fixture.stack.publishableKey}&vsn=${version}`));
  sockets.push(socket);
  const frames = new Inbox<unknown>();
  const binary = new Inbox<Buffer>();
  const closed = new Inbox<number>();
  socket.on("message", (data, isBinary) => {
    if (isBinary) binary.put(data as Buffer);
    else frames.put(JSON.parse(String(data)));
  });
  socket.on("close", closed.put);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return { send: (frame: unknown) => socket.send(JSON.stringify(frame)), socket, frames, binary, closed };
}

const JOIN = { config: { broadcast: { self: true }, presence: { key: "" }, postgres_changes: [] } };

describe("protocol 2.0.0", () => {
  it("answers a heartbeat", async () => {
    const { send, frames } = await open();
    send([null, "7", "phoenix", "heartbeat", {}]);
    expect(await frames.count(1)).toEqual([[null, "7", "phoenix", "phx_reply", { status: "ok", response: {} }]]);
  });

  it("answers a join with the given bindings in order, each with an integer id, then reports", async () => {
    const { send, frames } = await open();
    const bindings = [
      { event: "INSERT", schema: "public", table: "notices", filter: "id=eq.1" },
      { event: "*", schema: "public", table: "notices" },
    ];
    send(["1", "1", "realtime:changes", "phx_join", { config: { postgres_changes: bindings } }]);
    const [reply, system] = (await frames.count(2)) as [unknown[], unknown[]];
    const changes = bindings.map((binding) => ({ ...binding, id: expect.any(Number) }));
    expect(reply).toEqual([
      "1",
      "1",
      "realtime:changes",
      "phx_reply",
      { status: "ok", response: { postgres_changes: changes } },
    ]);
    expect(system).toEqual([
      "1",
      null,
      "realtime:changes",
      "system",
      { extension: "postgres_changes", status: "ok", message: "Subscribed to PostgreSQL", channel: "changes" },
    ]);
    await fixture.sql`insert into public.notices values (1, 'a', true)`;
    const { response } = reply[4] as { response: { postgres_changes: { id: number }[] } };
    expect((await frames.count(3))[2]).toEqual([
      null,
      null,
      "realtime:changes",
      "postgres_changes",
      {
        ids: response.postgres_changes.map(({ id }) => id),
        data: {
          schema: "public",
          table: "notices",
          type: "INSERT",
          commit_timestamp: expect.any(String),
          columns: [
            { name: "id", type: "int8" },
            { name: "body", type: "text" },
            { name: "pinned", type: "bool" },
          ],
          record: { id: 1, body: "a", pinned: true },
          errors: null,
        },
      },
    ]);
  });

  it("holds a join back until changes are watched when the client asks to wait", async () => {
    const { send, frames } = await open();
    const config = {
      postgres_changes: [{ event: "*", schema: "public", table: "unpublished" }],
      postgres_changes_options: { wait: true },
    };
    send(["1", "1", "realtime:waiting", "phx_join", { config }]);
    expect((await frames.count(1))[0]).toMatchObject({
      4: { status: "error", response: { reason: expect.stringMatching(/^RealtimeDisabledForConfiguration: Unable/) } },
    });
  });

  it("answers a leave, then closes the channel", async () => {
    const { send, frames } = await open();
    send(["1", "1", "realtime:a", "phx_join", JOIN]);
    send(["1", "2", "realtime:a", "phx_leave", {}]);
    expect((await frames.count(3)).slice(1)).toEqual([
      ["1", "2", "realtime:a", "phx_reply", { status: "ok", response: {} }],
      ["1", "1", "realtime:a", "phx_close", {}],
    ]);
  });

  it("replaces a channel that is joined again", async () => {
    const { send, frames } = await open();
    send(["1", "1", "realtime:a", "phx_join", JOIN]);
    send(["2", "2", "realtime:a", "phx_join", JOIN]);
    const closed = (await frames.count(3))[1];
    expect(closed).toEqual(["1", "1", "realtime:a", "phx_close", {}]);
    send(["1", "3", "realtime:a", "phx_leave", {}]);
    send(["2", "4", "realtime:a", "broadcast", { type: "broadcast", event: "still", payload: {} }]);
    expect((await frames.count(5))[4]).toMatchObject({ 3: "broadcast", 4: { event: "still" } });
  });

  it("returns a binary broadcast as a binary frame of kind 4", async () => {
    const { send, socket, frames, binary } = await open();
    send(["1", "1", "realtime:é", "phx_join", JOIN]);
    await frames.count(1);
    const fields = ["1", "2", "realtime:é", "ev", ""].map((text) => Buffer.from(text));
    const header = Buffer.from([3, ...fields.map((field) => field.length), 1]);
    socket.send(Buffer.concat([header, ...fields, Buffer.from('{"n":1}')]));
    const [frame] = await binary.count(1);
    const topic = Buffer.from("realtime:é");
    const expected = [Buffer.from([4, topic.length, 2, 0, 1]), topic, Buffer.from('ev{"n":1}')];
    expect(frame).toEqual(Buffer.concat(expected));
  });

  it.each([
    ["an unknown topic", ["1", "1", "elsewhere", "phx_join", {}], "unmatched topic"],
    [
      "a topic without a name",
      ["1", "1", "realtime:", "phx_join", {}],
      "TopicNameRequired: You must provide a topic name",
    ],
    [
      "a token that is none",
      ["1", "1", "realtime:a", "phx_join", { access_token: "nonsense" }],
      "MalformedJWT: The token provided is not a valid JWT",
    ],
    ["a message before the join", [null, "1", "realtime:a", "broadcast", {}], "unmatched topic"],
  ])("refuses %s", async (_, frame, reason) => {
    const { send, frames } = await open();
    send(frame);
    expect((await frames.count(1))[0]).toMatchObject({ 3: "phx_reply", 4: { status: "error", response: { reason } } });
  });

  it("refuses a join with an expired token", async () => {
    const { send, frames } = await open();
    send(["1", "1", "realtime:a", "phx_join", { access_token: await userToken(fixture, ANNA, -5) }]);
    const reason = expect.stringMatching(/^InvalidJWTToken: Token has expired \d+ seconds ago$/);
    expect((await frames.count(1))[0]).toMatchObject({ 4: { status: "error", response: { reason } } });
  });

  it("allows a hundred channels on one connection", async () => {
    const { send, frames } = await open();
    for (let index = 0; index <= 100; index++) send([`${index}`, `${index}`, `realtime:${index}`, "phx_join", JOIN]);
    const replies = (await frames.count(101)) as { 4: { status: string; response: unknown } }[];
    expect(replies.filter((reply) => reply[4].status === "ok")).toHaveLength(100);
    expect(replies[100]).toMatchObject({ 4: { response: { reason: "ChannelRateLimitReached: Too many channels" } } });
  });

  it.each([["{"], ["{}"], ["[1]"]])("closes a connection that sends %s", async (text) => {
    const { socket, closed } = await open();
    socket.send(text);
    expect(await closed.count(1)).toEqual([1002]);
  });
});

describe("protocol 1.0.0", () => {
  it("speaks in objects", async () => {
    const { send, frames } = await open("1.0.0");
    send({ topic: "realtime:old", event: "phx_join", payload: JOIN, ref: "1", join_ref: "1" });
    send({ topic: "phoenix", event: "heartbeat", payload: {}, ref: "2" });
    const broadcast = { type: "broadcast", event: "hi", payload: { n: 1 } };
    send({ topic: "realtime:old", event: "broadcast", payload: broadcast, ref: "3", join_ref: "1" });
    expect(await frames.count(3)).toMatchObject([
      {
        topic: "realtime:old",
        event: "phx_reply",
        ref: "1",
        payload: { status: "ok", response: { postgres_changes: [] } },
      },
      { topic: "phoenix", event: "phx_reply", ref: "2", payload: { status: "ok", response: {} } },
      { topic: "realtime:old", event: "broadcast", payload: broadcast },
    ]);
  });

  it("gets the JSON broadcasts of 2.0.0 clients, but not the binary ones", async () => {
    const old = await open("1.0.0");
    old.send({ topic: "realtime:mixed", event: "phx_join", payload: JOIN, ref: "1", join_ref: "1" });
    await old.frames.count(1);
    const post = (body: BodyInit, type: string) =>
      fetch(`${fixture.stack.apiUrl}/realtime/v1/api/broadcast/mixed/events/ev`, {
        method: "POST",
        headers: { apikey: fixture.stack.publishableKey, "content-type": type },
        body,
      });
    await post(Uint8Array.from([1]), "application/octet-stream");
    await post('{"n":1}', "application/json");
    expect((await old.frames.count(2))[1]).toMatchObject({
      event: "broadcast",
      payload: { type: "broadcast", event: "ev", payload: { n: 1 } },
    });
  });
});

describe("the handshake", () => {
  it.each([
    ["without a key", "vsn=2.0.0", 401, "API key is missing"],
    ["with a wrong key", "apikey=sb_publishable_wrong", 401, "The token provided is not a valid JWT"],
    ["with an unknown protocol", "apikey=sb&vsn=3.0.0", 403, "Protocol version 3.0.0 is not supported"],
  ])("fails %s", async (_, query, status, error) => {
    const answer = await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      const socket = new WebSocket(address(query));
      socket.on("error", () => {});
      socket.on("unexpected-response", (_request, response) => {
        let body = "";
        response.on("data", (chunk) => {
          body += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode, body }));
        response.on("error", reject);
      });
    });
    expect(answer).toEqual({ status, body: JSON.stringify({ error }) });
  });

  it("leaves other requests to the server", async () => {
    const status = await new Promise((resolve) => {
      request(`${fixture.stack.apiUrl}/realtime/v1/other`, { method: "POST" }, (response) =>
        resolve(response.statusCode),
      ).end();
    });
    expect(status).toBe(404);
  });
});
