import { describe, expect, it } from "vitest";
import type { CrmProvider } from "../crm/contract.ts";
import { failure } from "../crm/errors.ts";
import { codeChallenge } from "./secrets.ts";
import { ADMIN, CONFIG, MEMBER, OTHER_ADMIN, RETURN_URL, STRANGER, setUp, WORKSPACE } from "./testing.ts";

describe("starting to connect", () => {
  it("hands the browser an address, a key of its own and the time that is left", async () => {
    const { start, database } = setUp();
    const { status, body, state, browser_key } = await start();
    expect(status).toBe(200);
    expect(body.expires_at).toBe("2026-11-21T12:10:00.000Z");
    expect(state.length).toBeGreaterThanOrEqual(43);
    expect(browser_key).not.toBe(state);
    const [hash = "", kept] = [...database.states][0] ?? [];
    if (kept === undefined) throw new Error("no state was kept");
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(kept.browserKeyHash).toMatch(/^[0-9a-f]{64}$/);
    expect(String(body.authorize_url)).toContain(await codeChallenge(kept.verifier));
    expect(String(body.authorize_url)).not.toContain(kept.verifier);
  });

  it.each([
    ["another origin", "https://evil.example/settings"],
    ["a path beside the listed one", "https://app.example/settings-evil"],
    ["a way out of the listed path", "https://app.example/settings/../admin"],
    ["a way out that only some servers see", "https://app.example/settings/..%2fadmin"],
    ["a user part that looks like the app", "https://app.example@evil.example/settings"],
    ["plain http to the app", "http://app.example/settings"],
    ["another port on this machine", "http://127.0.0.1:4000/"],
  ])("does not promise to send a code to %s", async (_, return_url) => {
    const { start, database } = setUp();
    const { status, body } = await start({ return_url });
    expect([status, body.code]).toEqual([422, "return_url_not_allowed"]);
    expect(database.states.size).toBe(0);
  });

  it.each([
    ["a fragment", { return_url: "https://app.example/settings#x" }],
    ["a script", { return_url: "javascript:alert(1)" }],
    ["an unknown CRM", { provider: "sugar" }],
    ["a workspace that is no id", { workspace_id: "x" }],
  ])("refuses %s", async (_, input) => {
    const { status, body } = await setUp().start(input);
    expect([status, body.code]).toEqual([422, "invalid_input"]);
  });

  it("is for admins: a member may not, and for a stranger the workspace does not exist", async () => {
    const { start, as } = setUp();
    as(MEMBER);
    expect((await start()).body.code).toBe("role_too_low");
    as(STRANGER);
    expect((await start()).body.code).toBe("not_found");
  });
});

describe("the browser coming back from the CRM", () => {
  it("is sent to the app with code and state, whatever the app had in its address", async () => {
    const { start, get } = setUp();
    const { state } = await start();
    const response = await get(`/callback?code=abc&state=${state}`);
    expect(response.status).toBe(303);
    expect(response.headers.get("location")).toBe(`${RETURN_URL}&crm_code=abc&crm_state=${state}`);
    expect(response.headers.get("referrer-policy")).toBe("no-referrer");
  });

  it("brings the CRM's refusal to the app", async () => {
    const { start, get } = setUp();
    const { state } = await start();
    const response = await get(`/callback?error=access_denied&error_description=no&state=${state}`);
    const location = new URL(response.headers.get("location") ?? "");
    expect(Object.fromEntries(location.searchParams)).toMatchObject({ crm_error: "access_denied", crm_state: state });
    expect(location.searchParams.has("crm_code")).toBe(false);
  });

  it("goes nowhere with a state that is unknown, missing or too old", async () => {
    const { start, get, database } = setUp();
    expect((await get("/callback?code=abc&state=unknown-state-unknown")).status).toBe(400);
    expect(await (await get("/callback?code=abc")).json()).toMatchObject({ code: "state_missing" });
    const { state } = await start();
    database.expired = true;
    const late = await get(`/callback?code=abc&state=${state}`);
    expect(late.headers.get("location")).toBeNull();
    expect(await late.json()).toMatchObject({ status: 400, code: "state_invalid" });
  });

  it("uses nothing up", async () => {
    const { start, get, post } = setUp();
    const { state, browser_key } = await start();
    await get(`/callback?code=abc&state=${state}`);
    expect((await post("/callback", { code: "abc", state, browser_key })).status).toBe(201);
  });
});

describe("finishing the connection", () => {
  it("stores tokens, account, default mappings, stages and owners in one call", async () => {
    const { start, post, database } = setUp();
    const { state, browser_key } = await start();
    const { status, body } = await post("/callback", { code: "abc", state, browser_key });
    expect(status).toBe(201);
    expect(body.config).toMatchObject({ id: CONFIG, workspace_id: WORKSPACE });
    expect(database.connections).toEqual([
      {
        actor: ADMIN.id,
        account: expect.objectContaining({ external_account_id: "00D000000000001AAA", user_email: "ada@acme.example" }),
        tokens: { access_token: "access-1", refresh_token: "refresh-1", expires_at: null, scopes: ["api"] },
        mappings: expect.arrayContaining([expect.objectContaining({ entity_type: "accounts", crm_field: "Name" })]),
        stages: [expect.objectContaining({ crm_stage_id: "Won", stage_key: "won" })],
        owners: [{ crm_user_id: "005000000000001AAA", email: "ada@acme.example", name: "Ada" }],
      },
    ]);
  });

  it("keeps the fields that the CRM described, for whoever maps them", async () => {
    const { start, post, database } = setUp();
    const { state, browser_key } = await start();
    await post("/callback", { code: "abc", state, browser_key });
    expect([...database.fields.keys()]).toEqual([
      `${CONFIG} accounts`,
      `${CONFIG} contacts`,
      `${CONFIG} opportunities`,
    ]);
    expect(database.fields.get(`${CONFIG} contacts`)).toMatchObject([{ name: "Name", crm_type: "string" }]);
  });

  it("shows no token and logs none", async () => {
    const { start, post, lines } = setUp();
    const { state, browser_key } = await start();
    const { body } = await post("/callback", { code: "abc", state, browser_key });
    expect(JSON.stringify(body) + lines.join()).not.toMatch(/access-1|refresh-1|hush/);
  });

  it("works once: the same state is refused the second time", async () => {
    const { start, post, database } = setUp();
    const { state, browser_key } = await start();
    await post("/callback", { code: "abc", state, browser_key });
    const again = await post("/callback", { code: "abc", state, browser_key });
    expect([again.status, again.body.code]).toEqual([400, "state_invalid"]);
    expect(database.connections).toHaveLength(1);
  });

  it("is for the user who started, in the browser that started; nobody else uses the state up", async () => {
    const { start, post, as, database } = setUp();
    const { state, browser_key } = await start();
    as(OTHER_ADMIN);
    expect((await post("/callback", { code: "abc", state, browser_key })).body.code).toBe("state_invalid");
    as(ADMIN);
    const stolen = await post("/callback", { code: "abc", state, browser_key: "k".repeat(43) });
    expect(stolen.body.code).toBe("state_invalid");
    expect(database.connections).toHaveLength(0);
    expect((await post("/callback", { code: "abc", state, browser_key })).status).toBe(201);
  });

  it("says that access was declined and gives the attempt up", async () => {
    const { start, post, database } = setUp();
    const { state, browser_key } = await start();
    const { status, body } = await post("/callback", { error: "access_denied", state, browser_key });
    expect([status, body.code]).toEqual([400, "consent_denied"]);
    expect((await post("/callback", { code: "abc", state, browser_key })).body.code).toBe("state_invalid");
    expect(database.connections).toHaveLength(0);
  });

  it("wants either a code or an error", async () => {
    const { start, post } = setUp();
    const { state, browser_key } = await start();
    expect((await post("/callback", { state, browser_key })).status).toBe(422);
  });

  const faults: [string, Partial<CrmProvider>, number, string][] = [
    [
      "the CRM is down",
      { exchangeCode: () => Promise.reject(failure("transient", "network_error", "Salesforce cannot be reached.")) },
      503,
      "crm_network_error",
    ],
    [
      "the redirect address does not match",
      {
        exchangeCode: () =>
          Promise.reject(failure("rejected", "redirect_uri_mismatch", "The redirect address differs.")),
      },
      422,
      "crm_redirect_uri_mismatch",
    ],
    [
      "the data lives on a host that is not allowed",
      { exchangeCode: () => Promise.reject(failure("rejected", "host_not_allowed", "Not on the list.")) },
      422,
      "crm_host_not_allowed",
    ],
    [
      "the CRM goes down after the code was exchanged",
      { describe: () => Promise.reject(failure("transient", "timeout", "No answer.")) },
      503,
      "crm_timeout",
    ],
    [
      "the CRM gives no lasting access",
      {
        exchangeCode: async () => ({
          accessToken: "a",
          refreshToken: null,
          expiresAt: null,
          scopes: [],
          instanceUrl: "https://x",
        }),
      },
      422,
      "no_refresh_token",
    ],
  ];

  it.each(faults)("leaves nothing half-made when %s", async (_, overrides, status, code) => {
    const { start, post, database } = setUp(overrides);
    const { state, browser_key } = await start();
    const answer = await post("/callback", { code: "abc", state, browser_key });
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(database.connections).toHaveLength(0);
  });
});
