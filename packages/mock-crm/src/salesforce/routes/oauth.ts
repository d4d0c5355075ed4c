import { createHmac } from "node:crypto";
import { type Context, Hono } from "hono";
import type { AccessToken, Grant, RedeemFailure } from "../../shared/oauth-store.ts";
import { redirectAllowed, withQuery } from "../../shared/redirects.ts";
import type { Org, SalesforceEnv } from "../org.ts";
import { userInfo } from "./identity.ts";

const REFRESH_SCOPES = ["refresh_token", "offline_access"];

const REDEEM_ERRORS: Record<RedeemFailure, [error: string, description: string]> = {
  unknown_code: ["invalid_grant", "expired authorization code"],
  wrong_client: ["invalid_grant", "authentication failure"],
  wrong_redirect: ["redirect_uri_mismatch", "redirect_uri must match configuration"],
  wrong_verifier: ["invalid_grant", "invalid code verifier"],
};

export function oauthRoutes(org: Org): Hono<SalesforceEnv> {
  const routes = new Hono<SalesforceEnv>();
  routes.get("/services/oauth2/authorize", (context) => authorize(org, context));
  routes.post("/services/oauth2/token", async (context) => token(org, context, await form(context)));
  routes.on(["GET", "POST"], "/services/oauth2/revoke", async (context) => revoke(org, context, await form(context)));
  routes.post("/services/oauth2/introspect", async (context) => introspect(org, context, await form(context)));
  return routes;
}

type SalesforceContext = Context<SalesforceEnv>;
type Form = Record<string, string | undefined>;

async function form(context: SalesforceContext): Promise<Form> {
  if (context.req.method === "GET") return context.req.query();
  return Object.fromEntries(new URLSearchParams(await context.req.text()));
}

function authorize(org: Org, context: SalesforceContext): Response {
  const query = context.req.query();
  const { redirect_uri: redirectUri, state } = query;
  if (query.client_id !== org.client.clientId)
    return oauthError(context, "invalid_client_id", "client identifier invalid");
  if (redirectUri === undefined || !redirectAllowed(redirectUri, org.client.redirectUris)) {
    return oauthError(context, "redirect_uri_mismatch", "redirect_uri must match configuration");
  }
  const refused = refusal(org, query);
  if (refused !== null) {
    return context.redirect(withQuery(redirectUri, { error: refused[0], error_description: refused[1], state }));
  }
  const code = org.oauth.issueCode({
    clientId: org.client.clientId,
    redirectUri,
    challenge: query.code_challenge ?? null,
    userId: org.userId,
    scopes: (query.scope ?? "api refresh_token").split(" ").filter((scope) => scope !== ""),
  });
  return context.redirect(withQuery(redirectUri, { code, state }));
}

/** jsforce never sends a challenge method, so a missing one means S256. */
function refusal(org: Org, query: Form): [string, string] | null {
  if (query.response_type !== "code") return ["unsupported_response_type", "response type not supported"];
  if ((query.code_challenge_method ?? "S256") !== "S256") return ["invalid_request", "invalid code challenge method"];
  if (org.knobs.consent === "deny") return ["access_denied", "end-user denied authorization"];
  return null;
}

function token(org: Org, context: SalesforceContext, body: Form): Response {
  if (body.client_id !== org.client.clientId)
    return oauthError(context, "invalid_client_id", "client identifier invalid");
  if (body.client_secret !== org.client.clientSecret)
    return oauthError(context, "invalid_client", "invalid client credentials");
  if (body.grant_type === "authorization_code") return exchangeCode(org, context, body);
  if (body.grant_type === "refresh_token") return refresh(org, context, body);
  return oauthError(context, "unsupported_grant_type", "grant type not supported");
}

function exchangeCode(org: Org, context: SalesforceContext, body: Form): Response {
  const result = org.oauth.redeem({
    code: body.code ?? "",
    clientId: body.client_id ?? "",
    redirectUri: body.redirect_uri ?? "",
    verifier: body.code_verifier,
  });
  if (!result.ok) return oauthError(context, ...REDEEM_ERRORS[result.reason]);
  const { grant } = result;
  const withRefresh = grant.scopes.some((scope) => REFRESH_SCOPES.includes(scope));
  return tokenResponse(org, context, grant, withRefresh);
}

function refresh(org: Org, context: SalesforceContext, body: Form): Response {
  const grant = org.oauth.grantByRefreshToken(body.refresh_token ?? "");
  if (grant === undefined) return oauthError(context, "invalid_grant", "expired access/refresh token");
  if (org.knobs.rotateRefreshTokens) org.oauth.rotate(grant);
  return tokenResponse(org, context, grant, org.knobs.rotateRefreshTokens);
}

function tokenResponse(org: Org, context: SalesforceContext, grant: Grant, withRefresh: boolean): Response {
  const access = org.oauth.issueAccess(grant);
  const id = `${org.origin()}/id/${org.organizationId}/${grant.userId}`;
  const issuedAt = String(access.issuedAt);
  return context.json({
    access_token: access.token,
    ...(withRefresh ? { refresh_token: grant.refreshToken } : {}),
    signature: tokenSignature(org.client.clientSecret, id, issuedAt),
    scope: grant.scopes.join(" "),
    instance_url: org.origin(),
    id,
    token_type: "Bearer",
    issued_at: issuedAt,
  });
}

/** How a client can tell that the identity address came from Salesforce. */
export function tokenSignature(clientSecret: string, id: string, issuedAt: string): string {
  return createHmac("sha256", clientSecret)
    .update(id + issuedAt)
    .digest("base64");
}

function revoke(org: Org, context: SalesforceContext, body: Form): Response {
  const value = body.token ?? "";
  const grant = org.oauth.grantByRefreshToken(value);
  if (grant !== undefined) org.oauth.revokeGrant(grant.id);
  else if (org.oauth.findAccess(value) !== undefined) org.oauth.revokeAccess(value);
  else return oauthError(context, "invalid_token", "the token is not valid");
  return context.body(null, 200);
}

function introspect(org: Org, context: SalesforceContext, body: Form): Response {
  if (body.client_id !== org.client.clientId || body.client_secret !== org.client.clientSecret) {
    return oauthError(context, "invalid_client", "invalid client credentials");
  }
  const access = org.oauth.findAccess(body.token ?? "");
  const grant = org.oauth.grantByRefreshToken(body.token ?? "");
  if (access !== undefined && org.oauth.isAlive(access)) return context.json(activeToken(org, access));
  if (grant === undefined) return context.json({ active: false });
  return context.json({ ...tokenOwner(org, grant), active: true, token_type: "refresh_token" });
}

function activeToken(org: Org, access: AccessToken) {
  const seconds = (ms: number) => Math.floor(ms / 1000);
  const times = { exp: seconds(access.expiresAt), iat: seconds(access.issuedAt), nbf: seconds(access.issuedAt) };
  return { ...tokenOwner(org, access), active: true, token_type: "access_token", ...times };
}

function tokenOwner(org: Org, holder: { scopes: string[]; clientId: string; userId: string }) {
  const sub = `${org.origin()}/id/${org.organizationId}/${holder.userId}`;
  const { preferred_username } = userInfo(org, holder.userId);
  return { scope: holder.scopes.join(" "), client_id: holder.clientId, username: preferred_username, sub };
}

function oauthError(context: SalesforceContext, error: string, description: string): Response {
  return context.json({ error, error_description: description }, 400);
}
