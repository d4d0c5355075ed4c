import { describe, expect, it } from "vitest";
import { z } from "zod";
import { CrmFailure } from "../crm/contract.ts";
import { DbFailure } from "../db/types.ts";
import { createLogger } from "../log/logger.ts";
import { SettingsError } from "../settings.ts";
import { authenticate } from "./auth.ts";
import { handle, route, type Services } from "./handle.ts";

const USER = { id: "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", email: "ada@demo.example" };

function functionWith(
  run: () => Promise<{ body: unknown }> = async () => ({ body: { ok: true } }),
  more: Partial<Services> = {},
) {
  const lines: string[] = [];
  const services: Services = {
    authenticate: async () => USER,
    dispatchSecret: async () => "s3cret",
    healthSecret: async () => "pulse",
    newRequestId: () => "req-1",
    log: createLogger({ write: (line) => lines.push(line), now: () => new Date(0) }),
    ...more,
  };
  const routes = [
    route({
      method: "POST",
      path: "/echo",
      auth: "user",
      schema: z.object({ n: z.number() }),
      run: async ({ input, user }) => ({ body: { ...input, by: user.id } }),
    }),
    route({ method: "POST", path: "/run", auth: "none", schema: z.object({}), run }),
    route({ method: "POST", path: "/small", auth: "none", schema: z.object({}), bodyLimit: 1024, run }),
    route({ method: "GET", path: "/run", auth: "none", schema: z.object({ q: z.string().optional() }), run }),
    route({ method: "POST", path: "/", auth: "dispatch", schema: z.object({}), run }),
    route({
      method: "GET",
      path: "/pulse",
      auth: "monitor",
      schema: z.object({}),
      run: async ({ user, caller }) => ({ body: { ...user, ...caller } }),
    }),
  ];
  return { answer: handle("crm-test", routes, services), lines };
}

const call = (path: string, init: RequestInit = {}) =>
  new Request(`http://x/crm-test${path}`, { method: "POST", ...init });

describe("the way into a function", () => {
  it("runs the route with the caller and the checked input", async () => {
    const response = await functionWith().answer(call("/echo", { body: '{"n":1}' }));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ n: 1, by: USER.id });
    expect(response.headers.get("x-request-id")).toBe("req-1");
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  it("finds its routes behind a gateway that keeps the whole path", async () => {
    const { answer } = functionWith();
    expect((await answer(new Request("http://x/functions/v1/crm-test/run/", { method: "POST" }))).status).toBe(200);
  });

  it("answers the browser's question before a call", async () => {
    const response = await functionWith().answer(call("/run", { method: "OPTIONS" }));
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-methods")).toBe("POST, GET, OPTIONS");
    expect(response.headers.get("access-control-allow-headers")).toContain("authorization");
  });

  it.each([
    ["an unknown path", call("/nothing"), 404, "no_such_route"],
    ["a wrong method", call("/run", { method: "DELETE" }), 405, "method_not_allowed"],
    ["a body that is no JSON", call("/echo", { body: "{" }), 400, "invalid_json"],
    ["a body that is no object", call("/echo", { body: "[1]" }), 400, "invalid_json"],
    ["input of the wrong type", call("/echo", { body: '{"n":"x"}' }), 422, "invalid_input"],
    [
      "a body that is too large",
      call("/echo", { body: JSON.stringify({ n: "x".repeat(70_000) }) }),
      413,
      "body_too_large",
    ],
    [
      "a body that is too large for this route",
      call("/small", { body: JSON.stringify({ n: "x".repeat(2_000) }) }),
      413,
      "body_too_large",
    ],
    ["a dispatch without its secret", call("/"), 401, "not_the_dispatcher"],
    [
      "a dispatch with a wrong secret",
      call("/", { headers: { "x-dispatch-secret": "s3cres" } }),
      401,
      "not_the_dispatcher",
    ],
  ])("refuses %s with a problem", async (_, request, status, code) => {
    const response = await functionWith().answer(request);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({
      status,
      code,
      request_id: "req-1",
      title: expect.any(String),
      detail: expect.any(String),
    });
  });

  it("lets the dispatcher in", async () => {
    const response = await functionWith().answer(call("/", { headers: { "x-dispatch-secret": "s3cret" } }));
    expect(response.status).toBe(200);
  });

  it.each([
    ["without the secret a monitor learns little", {}, 200, { trusted: false }],
    ["with it, more", { "x-health-secret": "pulse" }, 200, { trusted: true }],
    ["with a wrong one, nothing", { "x-health-secret": "guess" }, 401, { code: "not_the_monitor" }],
  ])("%s", async (_, headers, status, body) => {
    const response = await functionWith().answer(new Request("http://x/crm-test/pulse", { headers }));
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject(body);
  });

  it("tells the route where the call came from", async () => {
    const headers = { "x-forwarded-for": "203.0.113.7", "user-agent": "browser" };
    const response = await functionWith().answer(new Request("http://x/crm-test/pulse", { headers }));
    expect(await response.json()).toMatchObject({ ip: "203.0.113.7", userAgent: "browser" });
  });

  it("names the fields that are wrong", async () => {
    const response = await functionWith().answer(call("/echo", { body: '{"n":"x"}' }));
    expect(await response.json()).toMatchObject({ errors: [{ field: "n" }] });
  });
});

describe("what a failure becomes", () => {
  const failing = (error: unknown) => functionWith(() => Promise.reject(error));

  it.each([
    ["PC001", 404],
    ["PC002", 403],
    ["PC003", 400],
    ["PC004", 422],
    ["PC005", 409],
    ["PC011", 503],
    ["PC006", 409],
    ["PC010", 410],
  ])("the database's own %s becomes %i with its sentence", async (code, status) => {
    const response = await failing(new DbFailure({ code, message: "A sentence for people." })).answer(call("/run"));
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ detail: "A sentence for people." });
  });

  it("other database errors do not show their text", async () => {
    const response = await failing(new DbFailure({ code: "23505", message: "Key (email)=(a@b) exists" })).answer(
      call("/run"),
    );
    expect(response.status).toBe(409);
    expect(await response.text()).not.toContain("a@b");
  });

  it.each([
    ["transient", 503],
    ["rate_limited", 429],
    ["revoked", 409],
    ["rejected", 422],
  ] as const)("a CRM's %s becomes %i", async (kind, status) => {
    const error = new CrmFailure({ kind, code: "X", userMessage: "Said to people.", retryAfterMs: 1500 });
    const response = await failing(error).answer(call("/run"));
    expect(response.status).toBe(status);
    expect(response.headers.get("retry-after")).toBe("2");
    expect(await response.json()).toMatchObject({ detail: "Said to people.", kind });
  });

  it("a missing setting says which one", async () => {
    const response = await failing(new SettingsError("SALESFORCE_CLIENT_ID is not set.")).answer(call("/run"));
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: "not_configured", detail: "SALESFORCE_CLIENT_ID is not set." });
  });

  it("anything unforeseen says only where to look; the cause is in the log, without secrets", async () => {
    const { answer, lines } = failing(new Error("boom with Bearer abc.def"));
    const response = await answer(call("/run"));
    expect(response.status).toBe(500);
    const body = await response.text();
    expect(body).toContain("req-1");
    expect(body).not.toContain("boom");
    expect(lines.join()).toContain("boom");
    expect(lines.join()).not.toContain("abc.def");
  });
});

describe("who a user is", () => {
  const auth = (answer: () => Promise<Response>) => (request: Request) =>
    authenticate(request, { supabaseUrl: "http://auth", publishableKey: "sb_publishable_x", fetch: answer });
  const bearer = (token: string) => call("/echo", { body: '{"n":1}', headers: { authorization: `Bearer ${token}` } });
  const status = async (request: Request, answer: () => Promise<Response>) =>
    (await functionWith(undefined, { authenticate: auth(answer) }).answer(request)).status;

  it("is what the auth server says", async () => {
    expect(await status(bearer("a.b.c"), async () => Response.json(USER))).toBe(200);
  });

  it("is nobody without a token, with an API key, or with a session that has ended", async () => {
    const never = () => Promise.reject(new Error("asked for nothing"));
    expect(await status(call("/echo", { body: '{"n":1}' }), never)).toBe(401);
    expect(await status(bearer("sb_publishable_x"), never)).toBe(401);
    expect(await status(bearer("a.b.c"), async () => Response.json({}, { status: 403 }))).toBe(401);
  });

  it("cannot be told while the auth server is down", async () => {
    expect(await status(bearer("a.b.c"), async () => Response.json({}, { status: 502 }))).toBe(503);
    expect(await status(bearer("a.b.c"), () => Promise.reject(new TypeError("refused")))).toBe(503);
  });
});
