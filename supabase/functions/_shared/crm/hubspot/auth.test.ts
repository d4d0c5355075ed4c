import { beforeEach, describe, expect, it } from "vitest";
import type { CrmProvider } from "../contract.ts";
import { createHubSpot } from "./provider.ts";

const session = { accessToken: "a1", instanceUrl: "https://api.hubapi.com", externalAccountId: "" };
const exchange = {
  code: "c0de",
  codeVerifier: "v".repeat(86),
  redirectUri: "https://p/cb",
  clientSecret: "hush",
  environment: "production",
} as const;
const token = { refreshToken: "r1", clientSecret: "hush", environment: "production" } as const;
const granted = {
  access_token: "a1",
  refresh_token: "r1",
  expires_in: 1800,
  token_type: "bearer",
  hub_id: 7,
  scopes: ["oauth"],
};

let sent: { url: string; form: Record<string, string> }[];
let answer: (path: string) => Response;
let provider: CrmProvider;

beforeEach(() => {
  sent = [];
  provider = createHubSpot({
    env: { HUBSPOT_CLIENT_ID: "app", HUBSPOT_AUTHORIZE_URL: "https://app-eu1.hubspot.com/oauth/authorize" },
    now: () => new Date("2026-11-21T12:00:00Z"),
    sleep: async () => {},
    fetch: async (input, init) => {
      const url = new URL(String(input));
      sent.push({
        url: url.origin + url.pathname + url.search,
        form: Object.fromEntries(new URLSearchParams(String(init?.body ?? ""))),
      });
      return answer(url.pathname);
    },
  });
});

describe("signing in with HubSpot", () => {
  it("asks for consent with PKCE and no more scopes than it needs", () => {
    const url = new URL(
      provider.authorizeUrl({
        state: "s",
        codeChallenge: "ch",
        redirectUri: "https://p/cb",
        environment: "production",
      }),
    );
    expect(url.origin + url.pathname).toBe("https://app-eu1.hubspot.com/oauth/authorize");
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      client_id: "app",
      state: "s",
      code_challenge: "ch",
      code_challenge_method: "S256",
    });
    const scopes = url.searchParams.get("scope")?.split(" ") ?? [];
    expect(scopes).toEqual(expect.arrayContaining(["crm.objects.deals.read", "crm.objects.deals.write"]));
    expect(
      scopes.filter(
        (scope) => !/^(oauth|crm\.(objects|schemas)\.(companies|contacts|deals|owners)\.(read|write))$/.test(scope),
      ),
    ).toEqual([]);
  });

  it("exchanges the code at the dated endpoint, everything in the body", async () => {
    answer = () => Response.json(granted);
    expect(await provider.exchangeCode(exchange)).toEqual({
      accessToken: "a1",
      refreshToken: "r1",
      expiresAt: "2026-11-21T12:30:00.000Z",
      scopes: ["oauth"],
      instanceUrl: "https://api.hubapi.com",
    });
    expect(sent).toEqual([
      {
        url: "https://api.hubapi.com/oauth/2026-03/token",
        form: {
          grant_type: "authorization_code",
          code: "c0de",
          code_verifier: exchange.codeVerifier,
          redirect_uri: "https://p/cb",
          client_id: "app",
          client_secret: "hush",
        },
      },
    ]);
  });

  it.each([
    [{ status: "BAD_AUTH_CODE", message: "x" }, "BAD_AUTH_CODE"],
    [{ error: "invalid_grant" }, "invalid_code"],
    [{ status: "BAD_REDIRECT_URI" }, "BAD_REDIRECT_URI"],
  ])("says what is wrong with a code (%j)", async (body, code) => {
    answer = () => Response.json(body, { status: 400 });
    await expect(provider.exchangeCode(exchange)).rejects.toMatchObject({ detail: { kind: "rejected", code } });
    expect(sent).toHaveLength(1);
  });

  it.each([
    ["not JSON", "<html>"],
    ["without a token", "{}"],
  ])("does not take an answer that is %s", async (_, text) => {
    answer = () => new Response(text);
    await expect(provider.exchangeCode(exchange)).rejects.toMatchObject({
      detail: { kind: "transient", code: "malformed_answer" },
    });
  });
});

describe("keeping and ending access", () => {
  it.each([
    [{ status: "BAD_REFRESH_TOKEN" }],
    [{ error: "invalid_grant" }],
    [{ status: "error", category: "VALIDATION_ERROR", message: "missing or unknown refresh token" }],
  ])("takes a refused refresh token (%j) for a withdrawn access", async (body) => {
    answer = () => Response.json(body, { status: 400 });
    await expect(provider.refresh(token)).rejects.toMatchObject({ detail: { kind: "revoked" } });
  });

  it("does not end a connection because our own credentials are wrong or HubSpot is down", async () => {
    answer = () => Response.json({ status: "BAD_CLIENT_SECRET" }, { status: 400 });
    await expect(provider.refresh(token)).rejects.toMatchObject({ detail: { kind: "rejected" } });
    answer = () => new Response("", { status: 502 });
    await expect(provider.refresh(token)).rejects.toMatchObject({ detail: { kind: "transient" } });
    expect(sent).toHaveLength(2);
  });

  it("revokes, and is content when that was done already", async () => {
    answer = () => new Response(null, { status: 204 });
    await provider.revoke(token);
    expect(sent[0]).toMatchObject({
      url: "https://api.hubapi.com/oauth/2026-03/token/revoke",
      form: { token: "r1", client_secret: "hush" },
    });
    answer = () => Response.json({ status: "error", category: "VALIDATION_ERROR" }, { status: 400 });
    await provider.revoke(token);
    answer = () => new Response("", { status: 500 });
    await expect(provider.revoke(token)).rejects.toMatchObject({ detail: { kind: "transient" } });
  });
});

describe("whose access it is", () => {
  it("comes from introspection and the account's details; no token is in an address", async () => {
    answer = (path) =>
      path.endsWith("/introspect")
        ? Response.json({
            active: true,
            hub_id: 7,
            hub_domain: "acme.hubspot.com",
            user: "ada@acme.example",
            user_id: 42,
          })
        : Response.json({ portalId: 7, timeZone: "Europe/Berlin" });
    expect(await provider.identify(session, "hush")).toEqual({
      externalAccountId: "7",
      externalAccountName: "acme.hubspot.com",
      instanceUrl: "https://api.hubapi.com",
      userId: "42",
      userEmail: "ada@acme.example",
      timeZone: "Europe/Berlin",
    });
    expect(sent.map((one) => one.url)).toEqual([
      "https://api.hubapi.com/oauth/2026-03/token/introspect",
      "https://api.hubapi.com/account-info/v3/details",
    ]);
  });

  it("is refused for a token that is not active", async () => {
    answer = () => Response.json({ active: false });
    await expect(provider.identify(session, "hush")).rejects.toMatchObject({ detail: { kind: "revoked" } });
  });
});
