import { describe, expect, it } from "vitest";
import type { Mock } from "../../src/index.ts";
import { CLIENT, call, consent, hubspot, jsonOf, pkcePair, postForm, REDIRECT, refusal } from "../support.ts";

const DATED = "/oauth/2026-03/token";
const app = { client_id: CLIENT.id, client_secret: CLIENT.secret };
const SCOPE = "oauth crm.objects.contacts.read";

async function code(mock: Mock, more: Record<string, string> = {}): Promise<string> {
  const back = await consent(`${mock.url}/oauth/authorize`, { scope: SCOPE, state: "s", ...more });
  return back.searchParams.get("code") ?? "";
}

function exchange(mock: Mock, parameters: Record<string, string>, path = DATED) {
  return postForm(mock.url + path, { grant_type: "authorization_code", redirect_uri: REDIRECT, ...app, ...parameters });
}

function refresh(mock: Mock, refreshToken: string) {
  return postForm(mock.url + DATED, { grant_type: "refresh_token", refresh_token: refreshToken, ...app });
}

async function connect(mock: Mock) {
  const { body } = await exchange(mock, { code: await code(mock) });
  return body as { access_token: string; refresh_token: string; expires_in: number };
}

describe("HubSpot OAuth", () => {
  it.each(["/oauth/v1/token", "/oauth/v3/token", DATED])("hands out tokens at %s, with PKCE", async (path) => {
    const { mock } = await hubspot();
    const { verifier, challenge } = pkcePair();
    const pkce = { code_challenge: challenge, code_challenge_method: "S256" };
    const { status, body } = await exchange(mock, { code: await code(mock, pkce), code_verifier: verifier }, path);
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: "bearer", expires_in: 1800, hub_id: 24680135, scopes: SCOPE.split(" ") });
    expect(String(body.access_token).length).toBeGreaterThan(300);
  });

  it("serves the client library's legacy token call", async () => {
    const { mock, client } = await hubspot();
    const tokens = await client.oauth.tokensApi.create(
      "authorization_code",
      await code(mock),
      REDIRECT,
      CLIENT.id,
      CLIENT.secret,
    );
    expect(tokens.expiresIn).toBe(1800);
    const about = await client.oauth.accessTokensApi.get(tokens.accessToken);
    expect(about).toMatchObject({ hubId: 24680135, user: "admin@demo.example" });
    await client.oauth.refreshTokensApi.archive(tokens.refreshToken);
    expect((await refusal(() => client.oauth.refreshTokensApi.get(tokens.refreshToken))).code).toBe(400);
  });

  it.each([
    ["a spent code", {}, "BAD_AUTH_CODE"],
    ["a wrong verifier", { code_verifier: pkcePair().verifier }, "BAD_CODE_VERIFIER"],
    ["a wrong secret", { client_secret: "guess" }, "BAD_CLIENT_SECRET"],
    ["an unknown client", { client_id: "someone" }, "BAD_CLIENT_ID"],
    ["another redirect", { redirect_uri: "http://127.0.0.1:9/other" }, "BAD_REDIRECT_URI"],
  ])("refuses %s, in the shape of each generation", async (what, wrong: Record<string, string>, name) => {
    const { mock } = await hubspot();
    const once = async () => {
      const fresh = await code(mock, { code_challenge: pkcePair().challenge });
      if (what === "a spent code") await exchange(mock, { code: fresh });
      return fresh;
    };
    const legacy = await exchange(mock, { code: await once(), ...wrong }, "/oauth/v1/token");
    expect(legacy).toMatchObject({ status: 400, body: { status: name } });
    const current = await exchange(mock, { code: await once(), ...wrong });
    expect(current).toMatchObject({
      status: 400,
      body: { status: "error", category: "VALIDATION_ERROR", subCategory: name },
    });
  });

  it("reads parameters from the body only, except at the legacy endpoint", async () => {
    const { mock } = await hubspot();
    const query = new URLSearchParams({ grant_type: "authorization_code", redirect_uri: REDIRECT, ...app });
    const ask = async (path: string) => {
      query.set("code", await code(mock));
      return (await fetch(`${mock.url}${path}?${query}`, { method: "POST" })).status;
    };
    expect([await ask(DATED), await ask("/oauth/v1/token")]).toEqual([400, 200]);
  });

  it("refreshes, and rotates when told to", async () => {
    const { mock } = await hubspot();
    const first = await connect(mock);
    const second = await refresh(mock, first.refresh_token);
    expect(second.body.refresh_token).toBe(first.refresh_token);
    mock.control.knobs({ rotateRefreshTokens: true });
    const third = await refresh(mock, first.refresh_token);
    expect(third.body.refresh_token).not.toBe(first.refresh_token);
    expect((await refresh(mock, first.refresh_token)).status).toBe(400);
  });

  it("introspects and revokes at the dated endpoints", async () => {
    const { mock } = await hubspot();
    const tokens = await connect(mock);
    const ask = (token: string) => postForm(`${mock.url}${DATED}/introspect`, { token, ...app });
    expect((await ask(tokens.access_token)).body).toMatchObject({
      active: true,
      token_use: "access_token",
      user: "admin@demo.example",
    });
    expect((await ask(tokens.refresh_token)).body).toMatchObject({ active: true, token_use: "refresh_token" });
    const revoked = await postForm(`${mock.url}${DATED}/revoke`, { token: tokens.refresh_token, ...app });
    expect(revoked.status).toBe(204);
    expect((await ask(tokens.refresh_token)).body.active).toBe(false);
    expect((await call(tokens.access_token, `${mock.url}/crm/v3/owners`)).status).toBe(401);
  });

  it("expires access tokens after half an hour of the provider's clock", async () => {
    const { mock, token } = await hubspot();
    mock.control.knobs({ clockOffsetMs: 1_801_000 });
    const response = await call(token, `${mock.url}/account-info/v3/details`);
    expect([response.status, (await jsonOf(response)).category]).toEqual([401, "EXPIRED_AUTHENTICATION"]);
    const unknown = await call("nonsense", `${mock.url}/account-info/v3/details`);
    expect((await jsonOf(unknown)).category).toBe("INVALID_AUTHENTICATION");
  });

  it("tells the account, and of a person who declines", async () => {
    const { mock, token } = await hubspot();
    const details = await jsonOf(await call(token, `${mock.url}/account-info/v3/details`));
    expect(details).toMatchObject({ portalId: 24680135, companyCurrency: "USD" });
    mock.control.knobs({ consent: "deny" });
    const back = await consent(`${mock.url}/oauth/authorize`, { scope: SCOPE, state: "s-3" });
    expect([back.searchParams.get("error"), back.searchParams.get("state")]).toEqual(["access_denied", "s-3"]);
  });
});
