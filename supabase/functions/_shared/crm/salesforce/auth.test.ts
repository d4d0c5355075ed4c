import { beforeEach, describe, expect, it } from "vitest";
import type { CrmProvider } from "../contract.ts";
import { createSalesforce } from "./provider.ts";

const session = { accessToken: "00Dx!token", instanceUrl: "https://acme.my.salesforce.com", externalAccountId: "" };
const exchange = {
  code: "c0de",
  codeVerifier: "v".repeat(86),
  redirectUri: "https://p/cb",
  clientSecret: "hush",
  environment: "production",
} as const;
const token = { refreshToken: "r1", clientSecret: "hush", environment: "sandbox" } as const;
const granted = {
  access_token: "a1",
  refresh_token: "r1",
  instance_url: "https://acme.my.salesforce.com",
  id: "https://x/id/00D/005",
  scope: "api refresh_token",
};

let sent: { url: string; form: Record<string, string> }[];
let answer: (url: URL) => Response;
let provider: CrmProvider;

beforeEach(() => {
  sent = [];
  provider = createSalesforce({
    env: { SALESFORCE_CLIENT_ID: "app" },
    now: () => new Date(0),
    sleep: async () => {},
    fetch: async (input, init) => {
      const url = new URL(String(input));
      sent.push({
        url: url.origin + url.pathname,
        form: Object.fromEntries(new URLSearchParams(String(init?.body ?? ""))),
      });
      return answer(url);
    },
  });
});

const refused = (error: string) => () => Response.json({ error, error_description: "said" }, { status: 400 });

describe("signing in with Salesforce", () => {
  it("asks for consent with PKCE, at the host of the environment", () => {
    const url = new URL(
      provider.authorizeUrl({ state: "s", codeChallenge: "ch", redirectUri: "https://p/cb", environment: "sandbox" }),
    );
    expect(url.origin + url.pathname).toBe("https://test.salesforce.com/services/oauth2/authorize");
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: "code",
      client_id: "app",
      redirect_uri: "https://p/cb",
      scope: "api refresh_token id",
      state: "s",
      code_challenge: "ch",
      code_challenge_method: "S256",
    });
  });

  it("proves with the verifier that it asked", async () => {
    answer = () => Response.json(granted);
    const tokens = await provider.exchangeCode(exchange);
    expect(sent).toEqual([
      {
        url: "https://login.salesforce.com/services/oauth2/token",
        form: {
          grant_type: "authorization_code",
          code: "c0de",
          client_id: "app",
          client_secret: "hush",
          redirect_uri: "https://p/cb",
          code_verifier: exchange.codeVerifier,
        },
      },
    ]);
    expect(tokens).toEqual({
      accessToken: "a1",
      refreshToken: "r1",
      expiresAt: null,
      scopes: ["api", "refresh_token"],
      instanceUrl: granted.instance_url,
    });
  });

  it("takes no address of the data that is not Salesforce's", async () => {
    answer = () => Response.json({ ...granted, instance_url: "https://evil.example" });
    await expect(provider.exchangeCode(exchange)).rejects.toMatchObject({
      detail: { kind: "rejected", code: "host_not_allowed" },
    });
  });

  it.each([
    ["invalid_grant", "invalid_code"],
    ["redirect_uri_mismatch", "redirect_uri_mismatch"],
    ["invalid_client", "invalid_client"],
  ])("says what is wrong with a code (%s)", async (error, code) => {
    answer = refused(error);
    await expect(provider.exchangeCode(exchange)).rejects.toMatchObject({ detail: { kind: "rejected", code } });
    expect(sent).toHaveLength(1);
  });
});

describe("keeping and ending access", () => {
  it("renews without the verifier and notices when no new refresh token came", async () => {
    answer = () => Response.json({ ...granted, refresh_token: undefined });
    expect(await provider.refresh(token)).toMatchObject({ accessToken: "a1", refreshToken: null });
    expect(sent[0]).toEqual({
      url: "https://test.salesforce.com/services/oauth2/token",
      form: { grant_type: "refresh_token", refresh_token: "r1", client_id: "app", client_secret: "hush" },
    });
  });

  it("hands a rotated refresh token on", async () => {
    answer = () => Response.json({ ...granted, refresh_token: "r2" });
    expect(await provider.refresh(token)).toMatchObject({ refreshToken: "r2" });
  });

  it("knows a withdrawn access from a passing fault, and asks once only", async () => {
    answer = refused("invalid_grant");
    await expect(provider.refresh(token)).rejects.toMatchObject({ detail: { kind: "revoked", code: "invalid_grant" } });
    answer = () => new Response("", { status: 503 });
    await expect(provider.refresh(token)).rejects.toMatchObject({ detail: { kind: "transient" } });
    expect(sent).toHaveLength(2);
  });

  it("revokes, and is content when that was done already", async () => {
    answer = () => new Response("");
    await provider.revoke(token);
    expect(sent[0]).toEqual({ url: "https://test.salesforce.com/services/oauth2/revoke", form: { token: "r1" } });
    answer = refused("invalid_token");
    await provider.revoke(token);
    answer = () => new Response("", { status: 500 });
    await expect(provider.revoke(token)).rejects.toMatchObject({ detail: { kind: "transient" } });
  });
});

describe("whose access it is", () => {
  const user = { user_id: "005000000000001", organization_id: "00D50000000IZ3Z", email: "ada@acme.example" };

  it("comes from the user info, and the organisation's name from a query", async () => {
    answer = (url) =>
      url.pathname.endsWith("/userinfo")
        ? Response.json(user)
        : Response.json({ totalSize: 1, done: true, records: [{ Id: "x", Name: "Acme" }] });
    expect(await provider.identify(session, "hush")).toEqual({
      externalAccountId: "00D50000000IZ3ZEAW",
      externalAccountName: "Acme",
      instanceUrl: session.instanceUrl,
      userId: "005000000000001AAA",
      userEmail: "ada@acme.example",
    });
  });

  it("goes by the domain where the user may not read the organisation", async () => {
    answer = (url) =>
      url.pathname.endsWith("/userinfo")
        ? Response.json(user)
        : Response.json([{ errorCode: "INVALID_TYPE", message: "no" }], { status: 400 });
    expect(await provider.identify(session, "hush")).toMatchObject({ externalAccountName: "acme.my.salesforce.com" });
  });
});
