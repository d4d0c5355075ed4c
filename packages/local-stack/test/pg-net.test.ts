import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { asRole, eventually, PORT_BASE, rejection, useStack } from "./support/stack.ts";

const stack = useStack({
  "supabase/migrations/20260101000000_pg_net.sql": "create extension if not exists pg_net with schema extensions;",
});

interface Received {
  method: string;
  url: string;
  headers: http.IncomingHttpHeaders;
  body: string;
}

const received: Received[] = [];
let target = "";
const server = http.createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { method = "", url = "", headers } = request;
  received.push({ method, url, headers, body: Buffer.concat(chunks).toString("utf8") });
  if (url.startsWith("/never")) return;
  response.writeHead(url.startsWith("/teapot") ? 418 : 200, { "content-type": "text/plain", "x-answer": "yes" });
  response.end("answered");
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  received.length = 0;
});

async function answerTo(id: string | undefined) {
  let row: Record<string, unknown> | undefined;
  await eventually("the answer is written", async () => {
    [row] = await stack.sql`select * from net._http_response where id = ${id ?? null}`;
    return row !== undefined;
  });
  return row;
}

describe("pg_net", () => {
  test("a request is sent when its transaction commits, and the answer is kept", async () => {
    let id: string | undefined;
    await stack.sql.begin(async (tx) => {
      [{ id } = { id: undefined }] = await tx<{ id: string }[]>`
        select net.http_post(url := ${`${target}/hook`}, body := '{"a": 1}', params := '{"q": "x y"}') as id`;
      await tx`select pg_sleep(0.3)`;
      expect(received).toHaveLength(0);
    });
    expect(await answerTo(id)).toMatchObject({
      status_code: 200,
      content: "answered",
      content_type: "text/plain",
      timed_out: false,
      error_msg: null,
      headers: { "x-answer": "yes" },
    });
    expect(received).toEqual([
      {
        method: "POST",
        url: "/hook?q=x%20y",
        body: '{"a": 1}',
        headers: expect.objectContaining({
          "content-type": "application/json",
          "user-agent": expect.stringContaining("pg_net/"),
        }),
      },
    ]);
    expect(await stack.sql`select * from net.http_request_queue`).toHaveLength(0);
  });

  test("a request of a transaction that rolls back is never sent", async () => {
    await rejection(
      stack.sql.begin(async (tx) => {
        await tx`select net.http_get(${`${target}/rolled-back`})`;
        throw new Error("rolled back");
      }),
    );
    const [later] = await stack.sql<{ id: string }[]>`select net.http_get(${`${target}/later`}) as id`;
    await answerTo(later?.id);
    expect(received.map((each) => each.url)).toEqual(["/later"]);
  });

  test("http_post takes no other content type than JSON, and adds it when it is left out", async () => {
    const error = await rejection(
      stack.sql`select net.http_post(${target}, headers := '{"content-type": "text/plain"}')`,
    );
    expect(error).toMatchObject({ code: "P0001", message: 'Content-Type header must be "application/json"' });
    const [row] = await stack.sql<
      { id: string }[]
    >`select net.http_post(${target}, headers := '{"x-mine": "1"}') as id`;
    await answerTo(row?.id);
    expect(received[0]?.headers).toMatchObject({ "content-type": "application/json", "x-mine": "1" });
  });

  test("http_delete and http_get send what they are given", async () => {
    const [a] = await stack.sql<
      { id: string }[]
    >`select net.http_delete(${`${target}/gone`}, body := '{"b": 2}') as id`;
    await answerTo(a?.id);
    const [b] = await stack.sql<
      { id: string }[]
    >`select net.http_get(${`${target}/x?a=1`}, '{"b": "2"}', '{"apikey": "k"}') as id`;
    await answerTo(b?.id);
    expect(received).toMatchObject([
      { method: "DELETE", url: "/gone", body: '{"b": 2}' },
      { method: "GET", url: "/x?a=1&b=2", headers: { apikey: "k" } },
    ]);
  });

  test("an error status is an answer like any other", async () => {
    const [row] = await stack.sql<{ id: string }[]>`select net.http_get(${`${target}/teapot`}) as id`;
    expect(await answerTo(row?.id)).toMatchObject({ status_code: 418, timed_out: false, error_msg: null });
  });

  test("a slow server is given up after the time allowed", async () => {
    const [row] = await stack.sql<
      { id: string }[]
    >`select net.http_get(${`${target}/never`}, timeout_milliseconds := 200) as id`;
    expect(await answerTo(row?.id)).toMatchObject({
      status_code: null,
      timed_out: true,
      error_msg: expect.stringMatching(/^Timeout of 200 ms reached/),
    });
  });

  test("a server that is down leaves an error message", async () => {
    const nobody = `http://127.0.0.1:${PORT_BASE + 49}/`;
    const [row] = await stack.sql<{ id: string }[]>`select net.http_get(${nobody}) as id`;
    expect(await answerTo(row?.id)).toMatchObject({ timed_out: false, error_msg: "Couldn't connect to server" });
  });

  test("every SQL role may call it, and read queue and answers: hosted grants them to PUBLIC", async () => {
    await asRole(stack.sql, "anon", {}, async (tx) => {
      await tx`select net.http_get('http://127.0.0.1:1/')`;
      await tx`select headers from net.http_request_queue`;
      await tx`select content from net._http_response`;
    });
    const rows = await stack.sql`select proname from pg_proc where pronamespace = 'net'::regnamespace and prosecdef`;
    expect(rows).toHaveLength(0);
  });

  test("the tables are unlogged, and the worker can be seen", async () => {
    const rows =
      await stack.sql`select relname from pg_class where relnamespace = 'net'::regnamespace and relkind = 'r' and relpersistence = 'u'`;
    expect(rows.map((row) => row.relname).sort()).toEqual(["_http_response", "http_request_queue"]);
    await stack.sql`select net.check_worker_is_up()`;
  });
});
