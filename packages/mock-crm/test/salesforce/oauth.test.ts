import { OAuth2 } from "jsforce";
import { describe, expect, it } from "vitest";
import type { Mock } from "../../src/index.ts";
import { tokenSignature } from "../../src/salesforce/routes/oauth.ts";
import { CLIENT, consent, pkcePair, postForm, REDIRECT, refusal, salesforce } from "../support.ts";

const authorizePath = (mock: Mock) => `${mock.url}/services/oauth2/authorize`;
const tokenPath = (mock: Mock) => `${mock.url}/services/oauth2/token`;
const app = { client_id: CLIENT.id, client_secret: CLIENT.secret };

async function code(mock: Mock, more: Record<string, string> = {}): Promise<string> {
  const url = await consent(authorizePath(mock), { response_type: "code", scope: "api refresh_token", ...more });
  return url.searchParams.get("code") ?? "";
}

function exchange(mock: Mock, parameters: Record<string, string>) {
  return postForm(tokenPath(mock), { grant_type: "authorization_code", redirect_uri: REDIRECT, ...app, ...parameters });
}

async function connect(mock: Mock): Promise<Record<string, string>> {
  const { body } = await exchange(mock, { code: await code(mock) });
  return body as Record<string, string>;
}

function refresh(mock: Mock, refreshToken: string) {
  return postForm(tokenPath(mock), { grant_type: "refresh_token", refresh_token: refreshToken, ...app });
}

describe("Salesforce OAuth", () => {
  it("lets jsforce connect with PKCE, which it sends without a challenge method", async () => {
    const { mock } = await salesforce();
    const oauth2 = new OAuth2({
      loginUrl: mock.url,
      clientId: CLIENT.id,
      clientSecret: CLIENT.secret,
      redirectUri: REDIRECT,
      useVerifier: true,
    });
    const address = new URL(oauth2.getAuthorizationUrl({ scope: "api refresh_token", state: "s-1" }));
    expect(address.searchParams.has("code_challenge_method")).toBe(false);
    const back = await consent(address.origin + address.pathname, Object.fromEntries(address.searchParams));
    expect(back.searchParams.get("state")).toBe("s-1");
    const tokens = await oauth2.requestToken(back.searchParams.get("code") ?? "");
    expect(tokens.instance_url).toBe(mock.url);
    expect(tokens.refresh_token).toBeTruthy();
  });

  it("answers a token request with Salesforce's keys, and no expires_in", async () => {
    const { mock } = await salesforce();
    const { verifier, challenge } = pkcePair(128);
    const { body } = await exchange(mock, {
      code: await code(mock, { code_challenge: challenge }),
      code_verifier: verifier,
    });
    expect(Object.keys(body).sort()).toEqual(
      ["access_token", "id", "instance_url", "issued_at", "refresh_token", "scope", "signature", "token_type"].sort(),
    );
    expect(typeof body.issued_at).toBe("string");
    expect(body.signature).toBe(tokenSignature(CLIENT.secret, String(body.id), String(body.issued_at)));
  });

  it("signs id and issued_at with the client secret", () => {
    const id = "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS";
    expect(tokenSignature("sec", id, "1700000000000")).toBe("Xxd2kWad6Pc9uifdxwVnxz2CD+XkbAqwyf5E90ygdPQ=");
  });

  it("gives no refresh token without the scope for it", async () => {
    const { mock } = await salesforce();
    const { body } = await exchange(mock, { code: await code(mock, { scope: "api" }) });
    expect(body).not.toHaveProperty("refresh_token");
  });

  it("takes a code once", async () => {
    const { mock } = await salesforce();
    const once = await code(mock);
    expect((await exchange(mock, { code: once })).status).toBe(200);
    const again = await exchange(mock, { code: once });
    expect(again).toMatchObject({
      status: 400,
      body: { error: "invalid_grant", error_description: "expired authorization code" },
    });
  });

  it.each([
    ["a wrong verifier", { code_verifier: pkcePair().verifier }, "invalid_grant"],
    ["no verifier", {}, "invalid_grant"],
    ["a wrong client secret", { client_secret: "guess" }, "invalid_client"],
    ["an unknown client", { client_id: "someone" }, "invalid_client_id"],
    ["another redirect", { redirect_uri: "http://127.0.0.1:9/other" }, "redirect_uri_mismatch"],
  ])("refuses %s", async (_what, wrong: Record<string, string>, error) => {
    const { mock } = await salesforce();
    const answer = await exchange(mock, { code: await code(mock, { code_challenge: pkcePair().challenge }), ...wrong });
    expect(answer).toMatchObject({ status: 400, body: { error } });
  });

  it("redirects nowhere but to a registered or loopback address", async () => {
    const open = await salesforce();
    await expect(
      consent(authorizePath(open.mock), { response_type: "code", redirect_uri: "https://evil.example/cb" }),
    ).rejects.toThrow(/redirect_uri_mismatch/);
    const closed = await salesforce({ client: { redirectUris: ["http://127.0.0.1:9/registered"] } });
    await expect(consent(authorizePath(closed.mock), { response_type: "code" })).rejects.toThrow(
      /redirect_uri_mismatch/,
    );
  });

  it("tells of a person who declines", async () => {
    const { mock } = await salesforce({ knobs: { consent: "deny" } });
    const back = await consent(authorizePath(mock), { response_type: "code", state: "s-2" });
    expect(Object.fromEntries(back.searchParams)).toEqual({
      error: "access_denied",
      error_description: "end-user denied authorization",
      state: "s-2",
    });
  });

  it("keeps the refresh token unless rotation is on, and then kills the old one", async () => {
    const { mock } = await salesforce();
    const tokens = await connect(mock);
    const plain = await refresh(mock, tokens.refresh_token ?? "");
    expect(plain.body).not.toHaveProperty("refresh_token");
    mock.control.knobs({ rotateRefreshTokens: true });
    const rotated = await refresh(mock, tokens.refresh_token ?? "");
    expect(rotated.body.refresh_token).not.toBe(tokens.refresh_token);
    const stale = await refresh(mock, tokens.refresh_token ?? "");
    expect(stale).toMatchObject({
      status: 400,
      body: { error: "invalid_grant", error_description: "expired access/refresh token" },
    });
    expect((await refresh(mock, String(rotated.body.refresh_token))).status).toBe(200);
  });

  it("revokes the refresh token and with it its access tokens", async () => {
    const { mock } = await salesforce();
    const tokens = await connect(mock);
    const oauth2 = new OAuth2({
      loginUrl: mock.url,
      clientId: CLIENT.id,
      clientSecret: CLIENT.secret,
      redirectUri: REDIRECT,
    });
    await oauth2.revokeToken(tokens.refresh_token ?? "");
    expect((await refresh(mock, tokens.refresh_token ?? "")).status).toBe(400);
    const error = await refusal(() => oauth2.revokeToken("nonsense"));
    expect(error.message).toBeTruthy();
    const data = await fetch(`${mock.url}/services/data/v62.0/limits`, {
      headers: { Authorization: `Bearer ${tokens.access_token}` },
    });
    expect(data.status).toBe(401);
  });

  it("introspects live tokens and calls dead ones inactive", async () => {
    const { mock } = await salesforce();
    const { access_token: token = "" } = await connect(mock);
    const path = `${mock.url}/services/oauth2/introspect`;
    const live = await postForm(path, { token, token_type_hint: "access_token", ...app });
    expect(live.body).toMatchObject({ active: true, client_id: CLIENT.id, scope: "api refresh_token" });
    mock.control.expireTokens();
    expect((await postForm(path, { token, ...app })).body).toEqual({ active: false });
  });

  it("says who is connected", async () => {
    const { mock, connection } = await salesforce();
    const identity = await connection.identity();
    const { organization_id: organization, user_id: user } = mock.control.state();
    expect(identity).toMatchObject({
      organization_id: organization,
      user_id: user,
      email: "pipeline.integration@salesteam.example",
    });
    const info = await connection.request<{ user_id: string }>(`${mock.url}/services/oauth2/userinfo`);
    expect(info.user_id).toBe(user);
  });

  it("silently revokes the oldest of six consents of one person", async () => {
    const { mock } = await salesforce();
    const grants = [];
    for (let nth = 0; nth < 6; nth += 1) grants.push(await connect(mock));
    const statuses = [];
    for (const { refresh_token: token = "" } of grants) statuses.push((await refresh(mock, token)).status);
    expect(statuses).toEqual([400, 200, 200, 200, 200, 200]);
  });
});
