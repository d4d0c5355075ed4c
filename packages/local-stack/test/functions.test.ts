import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import WebSocket from "ws";
import { isAlive } from "../src/processes.ts";
import { readState } from "../src/state.ts";
import { writeFiles } from "./support/project.ts";
import { client, eventually, mintToken, signedIn, useStack } from "./support/stack.ts";

const answer = (expression: string) => `Deno.serve((request) => Response.json(${expression}));`;

const stack = useStack(
  {
    "supabase/config.toml":
      "[functions.open]\nverify_jwt = false\n[functions.off]\nenabled = false\n[functions.ws]\nverify_jwt = false\n",
    "supabase/functions/.env": 'FROM_FILE="from the file"\nSUPABASE_URL=http://nowhere.example\nBOTH=file\n',
    "supabase/functions/_shared/greeting.ts": 'export const greeting = "hello";',
    "supabase/functions/open/deno.json": '{ "imports": { "zod": "npm:zod@4.6.7", "greet": "../_shared/greeting.ts" } }',
    "supabase/functions/open/index.ts": `
      import { z } from "zod";
      import { greeting } from "greet";
      export default {
        async fetch(request: Request) {
          const url = new URL(request.url);
          if (url.pathname === "/open/crash") Deno.exit(3);
          if (url.pathname === "/open/html") return new Response("<p>hi</p>", { headers: { "content-type": "text/html" } });
          if (url.pathname === "/open/later") EdgeRuntime.waitUntil(Promise.reject(new Error("background")));
          if (url.pathname === "/open/slow") await new Promise((resolve) => setTimeout(resolve, 700));
          console.log("called", url.pathname);
          return Response.json({
            greeting: z.string().parse(greeting),
            url: request.url,
            method: request.method,
            body: await request.text(),
            apikey: request.headers.get("apikey"),
            port: Deno.pid,
          });
        },
      };`,
    "supabase/functions/checked/index.ts": answer("{ path: new URL(request.url).pathname }"),
    "supabase/functions/environment/index.ts": answer("Deno.env.toObject()"),
    "supabase/functions/limits/index.ts": `Deno.serve(async () => {
      const tries = {
        run: async () => new Deno.Command("ls").output(),
        write: () => Deno.writeTextFile("/var/tmp/mine.txt", "x"),
        read: () => Deno.readTextFile("/etc/passwd"),
        temporary: () => Deno.writeTextFile("/tmp/stack-test.txt", "x"),
      };
      const results = {};
      for (const [name, act] of Object.entries(tries)) results[name] = await act().then(() => "allowed", (error) => error.name);
      return Response.json(results);
    });`,
    "supabase/functions/broken/index.ts": "import './not-there.ts';",
    "supabase/functions/idle/index.ts": "export const nothing = 1;",
    "supabase/functions/off/index.ts": answer("{}"),
    "supabase/functions/_hidden/index.ts": answer("{}"),
    "supabase/functions/ws/index.ts": `Deno.serve((request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = (event) => socket.send("echo " + event.data);
      return response;
    });`,
  },
  { FROM_CALLER: "from the caller", BOTH: "caller" },
);

const call = (name: string, init?: RequestInit) => fetch(`${stack.functionsUrl}/${name}`, init);

describe("a function", () => {
  test("sees its name in the path, the public address, the body, and its imports", async () => {
    const response = await call("open/some/where?q=1", { method: "POST", body: "payload", headers: { apikey: "k" } });
    expect(await response.json()).toMatchObject({
      greeting: "hello",
      url: `${stack.apiUrl}/open/some/where?q=1`,
      method: "POST",
      body: "payload",
      apikey: "k",
    });
  });

  test("is called by supabase-js, as a user", async () => {
    const { api } = await signedIn(stack);
    const { data, error } = await api.functions.invoke("checked");
    expect(error).toBeNull();
    expect(data).toEqual({ path: "/checked" });
  });

  test("has the environment of hosted, the .env file and what the caller adds, and nothing of ours", async () => {
    const token = await mintToken(stack, { role: "anon" });
    const env = await (await call("environment", { headers: { authorization: `Bearer ${token}` } })).json();
    expect(env).toMatchObject({
      SUPABASE_URL: stack.apiUrl,
      SUPABASE_DB_URL: stack.dbUrl,
      SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: stack.publishableKey }),
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: stack.secretKey }),
      SUPABASE_ANON_KEY: expect.stringMatching(/^eyJ/),
      SUPABASE_SERVICE_ROLE_KEY: expect.stringMatching(/^eyJ/),
      FROM_FILE: "from the file",
      FROM_CALLER: "from the caller",
      BOTH: "caller",
    });
    expect(env).not.toHaveProperty("VITEST");
  });

  test("cannot start programs or write outside /tmp, nor read the machine", async () => {
    const token = await mintToken(stack, { role: "anon" });
    const limits = await (await call("limits", { headers: { authorization: `Bearer ${token}` } })).json();
    expect(limits).toEqual({ run: "NotCapable", write: "NotCapable", read: "NotCapable", temporary: "allowed" });
  });

  test("serves no web pages", async () => {
    const response = await call("open/html");
    expect(response.headers.get("content-type")).toBe("text/plain");
  });

  test("may leave work running, and its failure is logged, not fatal", async () => {
    expect((await call("open/later")).status).toBe(200);
    await eventually("the log", async () => (await log("open")).includes("background task failed"));
    expect((await call("open")).status).toBe(200);
  });

  test("takes WebSockets", async () => {
    const socket = new WebSocket(`${stack.functionsUrl.replace("http", "ws")}/ws`);
    const heard = await new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on("open", () => socket.send("hi"));
      socket.on("message", (data) => resolve(String(data)));
    });
    socket.close();
    expect(heard).toBe("echo hi");
  });

  test("CORS is the function's own business", async () => {
    const response = await call("open", { headers: { origin: "http://x.example" } });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect((await client(stack).functions.invoke("open")).error).toBeNull();
  });
});

describe("verify_jwt", () => {
  test("on unless config.toml says otherwise: no token or a bad one is refused before the function runs", async () => {
    expect((await call("checked")).status).toBe(401);
    const bad = await call("checked", { headers: { authorization: "Bearer nonsense" } });
    expect([bad.status, (await bad.json()).message]).toEqual([401, "Invalid JWT"]);
    const secretKey = await call("checked", { headers: { authorization: `Bearer ${stack.secretKey}` } });
    expect(secretKey.status).toBe(401);
  });

  test("a preflight passes without", async () => {
    expect((await call("checked", { method: "OPTIONS" })).status).toBe(200);
  });

  test("off: the function sees every call", async () => {
    expect((await call("open")).status).toBe(200);
  });
});

describe("what is no function", () => {
  test.each(["nothing", "_hidden", "_shared", "off", "..%2f", ""])("%j is not found", async (name) => {
    expect((await call(name)).status).toBe(404);
  });

  test("one that serves nothing says so", async () => {
    const headers = { authorization: `Bearer ${await mintToken(stack, { role: "anon" })}` };
    expect(await (await call("idle", { headers })).json()).toMatchObject({
      code: "BOOT_ERROR",
      message: expect.stringContaining("it neither calls Deno.serve nor exports a fetch handler"),
    });
  });

  test("one that does not load says so, and its log says why", async () => {
    const response = await call("broken", {
      headers: { authorization: `Bearer ${await mintToken(stack, { role: "anon" })}` },
    });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: "BOOT_ERROR" });
    expect(await log("broken")).toContain("not-there.ts");
  });
});

describe("the processes", () => {
  test("there is one for each function, started by its first call, and its pid is known", async () => {
    await call("open");
    const pid = stack.functionPid("open") ?? 0;
    expect(isAlive(pid)).toBe(true);
    await call("open");
    expect(stack.functionPid("open")).toBe(pid);
    expect(stack.functionPid("never-called")).toBeUndefined();
  });

  test("what a function prints is in its log", async () => {
    await call("open/printed");
    await eventually("the line", async () => (await log("open")).includes("called /open/printed"));
  });

  test("after a crash the next call gets a new process", async () => {
    await call("open");
    const pid = stack.functionPid("open");
    const crashed = await call("open/crash");
    expect(crashed.status).toBe(546);
    expect((await call("open")).status).toBe(200);
    expect(stack.functionPid("open")).not.toBe(pid);
  });

  test("a process that is killed in the middle of a request fails that request only", async () => {
    await call("open");
    const slow = call("open/slow");
    await eventually("it runs", () => stack.functionPid("open") !== undefined);
    process.kill(stack.functionPid("open") ?? 0, "SIGKILL");
    expect((await slow).status).toBe(546);
    expect((await call("open")).status).toBe(200);
  });

  test("stack.json names the process of each function, so that another program can end it", async () => {
    await call("open");
    const pid = (await noted()).open ?? 0;
    expect(pid).toBe(stack.functionPid("open"));
    process.kill(pid, "SIGKILL");
    await eventually("it is no longer named", async () => !("open" in (await noted())));
    await Promise.all([call("open"), call("ws")]);
    expect(await noted()).toMatchObject({ open: stack.functionPid("open"), ws: stack.functionPid("ws") });
    expect((await noted()).open).not.toBe(pid);
  });

  async function noted(): Promise<Record<string, number>> {
    const state = await readState(path.join(stack.dataDir, "stack.json"));
    if (!state) throw new Error("stack.json cannot be read");
    return state.functions;
  }

  test("a change of the code is seen by the next call, and the old code finishes what it has", async () => {
    await call("open");
    const before = stack.functionPid("open");
    const slow = call("open/slow");
    await writeFiles(stack.projectRoot, {
      "supabase/functions/_shared/greeting.ts": 'export const greeting = "good day";',
    });
    await eventually("the new greeting", async () => (await (await call("open")).json()).greeting === "good day");
    expect(stack.functionPid("open")).not.toBe(before);
    expect(await (await slow).json()).toMatchObject({ greeting: "hello" });
    await eventually("the old process ends", () => !isAlive(before ?? 0));
  });

  test("a change of config.toml is obeyed without a restart", async () => {
    await writeFiles(stack.projectRoot, { "supabase/config.toml": "[functions.checked]\nverify_jwt = false\n" });
    await eventually("open to all", async () => (await call("checked")).status === 200);
  });

  test("new functions appear", async () => {
    const token = await mintToken(stack, { role: "anon" });
    await writeFiles(stack.projectRoot, { "supabase/functions/fresh/index.ts": answer('"fresh"') });
    const response = await call("fresh", { headers: { authorization: `Bearer ${token}` } });
    expect(await response.json()).toBe("fresh");
  });
});

function log(name: string): Promise<string> {
  return readFile(path.join(stack.dataDir, "logs", "functions", `${name}.log`), "utf8");
}
