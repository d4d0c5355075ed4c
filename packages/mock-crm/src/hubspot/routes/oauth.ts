import { randomUUID } from "node:crypto";
import { type Context, Hono } from "hono";
import type { AccessToken, Grant, RedeemFailure } from "../../shared/oauth-store.ts";
import { redirectAllowed, withQuery } from "../../shared/redirects.ts";
import type { HubSpotEnv, Portal } from "../portal.ts";

type HubContext = Context<HubSpotEnv>;
type Form = Record<string, string | undefined>;
/** The legacy endpoints name the failure in `status`, the newer ones have the standard error. */
type Generation = "v1" | "current";

const GENERATIONS: readonly [path: string, generation: Generation][] = [
  ["/oauth/v1/token", "v1"],
  ["/oauth/v3/token", "current"],
  ["/oauth/2026-03/token", "current"],
];

const REDEEM_ERRORS: Record<RedeemFailure, [status: string, message: string]> = {
  unknown_code: ["BAD_AUTH_CODE", "missing or unknown auth code"],
  wrong_client: ["BAD_CLIENT_ID", "auth code does not belong to this client id"],
  wrong_redirect: ["BAD_REDIRECT_URI", "redirect URI does not match the one of the authorization"],
  wrong_verifier: ["BAD_CODE_VERIFIER", "code verifier does not match the code challenge"],
};

export function oauthRoutes(portal: Portal): Hono<HubSpotEnv> {
  const routes = new Hono<HubSpotEnv>();
  routes.get("/oauth/authorize", (context) => authorize(portal, context));
  for (const [path, generation] of GENERATIONS) {
    routes.post(path, async (context) => token(portal, context, await form(context, generation), generation));
    if (generation === "v1") continue;
    routes.post(`${path}/introspect`, async (context) => introspect(portal, context, await form(context, generation)));
    routes.post(`${path}/revoke`, async (context) => revoke(portal, context, await form(context, generation)));
  }
  routes.get("/oauth/v1/access-tokens/:token", (context) => legacyAccessToken(portal, context));
  routes.get("/oauth/v1/refresh-tokens/:token", (context) => legacyRefreshToken(portal, context));
  routes.delete("/oauth/v1/refresh-tokens/:token", (context) => {
    const grant = portal.oauth.grantByRefreshToken(context.req.param("token"));
    if (grant === undefined) return refuse(context, "v1", "BAD_REFRESH_TOKEN", "missing or unknown refresh token");
    portal.oauth.revokeGrant(grant.id);
    return context.body(null, 204);
  });
  return routes;
}

/** Only the legacy endpoint still reads parameters from the query. */
async function form(context: HubContext, generation: Generation): Promise<Form> {
  const body = Object.fromEntries(new URLSearchParams(await context.req.text()));
  return generation === "v1" ? { ...context.req.query(), ...body } : body;
}

function authorize(portal: Portal, context: HubContext): Response {
  const query = context.req.query();
  const { redirect_uri: redirectUri, state } = query;
  if (query.client_id !== portal.client.clientId)
    return refuse(context, "current", "BAD_CLIENT_ID", "unknown client id");
  if (redirectUri === undefined || !redirectAllowed(redirectUri, portal.client.redirectUris)) {
    return refuse(context, "current", "BAD_REDIRECT_URI", "redirect URI is not registered for this app");
  }
  if (portal.knobs.consent === "deny") {
    const error_description = "The user denied the request";
    return context.redirect(withQuery(redirectUri, { error: "access_denied", error_description, state }));
  }
  if ((query.code_challenge_method ?? "S256") !== "S256") {
    return refuse(context, "current", "BAD_REQUEST", "code_challenge_method must be S256");
  }
  const scopes = `${query.scope ?? ""} ${query.optional_scope ?? ""}`.split(" ").filter((scope) => scope !== "");
  const code = portal.oauth.issueCode({
    clientId: portal.client.clientId,
    redirectUri,
    challenge: query.code_challenge ?? null,
    userId: String(portal.userId),
    scopes: [...new Set(scopes)],
  });
  return context.redirect(withQuery(redirectUri, { code, state }));
}

function token(portal: Portal, context: HubContext, body: Form, generation: Generation): Response {
  if (body.client_id !== portal.client.clientId)
    return refuse(context, generation, "BAD_CLIENT_ID", "missing or unknown client id");
  if (body.client_secret !== portal.client.clientSecret) {
    return refuse(context, generation, "BAD_CLIENT_SECRET", "missing or invalid client secret");
  }
  if (body.grant_type === "authorization_code") return exchangeCode(portal, context, body, generation);
  if (body.grant_type === "refresh_token") return refresh(portal, context, body, generation);
  return refuse(context, generation, "BAD_GRANT_TYPE", "missing or unknown grant type");
}

function exchangeCode(portal: Portal, context: HubContext, body: Form, generation: Generation): Response {
  const result = portal.oauth.redeem({
    code: body.code ?? "",
    clientId: body.client_id ?? "",
    redirectUri: body.redirect_uri ?? "",
    verifier: body.code_verifier,
  });
  if (!result.ok) return refuse(context, generation, ...REDEEM_ERRORS[result.reason]);
  return context.json(tokens(portal, result.grant));
}

function refresh(portal: Portal, context: HubContext, body: Form, generation: Generation): Response {
  const grant = portal.oauth.grantByRefreshToken(body.refresh_token ?? "");
  if (grant === undefined) return refuse(context, generation, "BAD_REFRESH_TOKEN", "missing or invalid refresh token");
  if (portal.knobs.rotateRefreshTokens) portal.oauth.rotate(grant);
  return context.json(tokens(portal, grant));
}

function tokens(portal: Portal, grant: Grant) {
  const access = portal.oauth.issueAccess(grant);
  return {
    token_type: "bearer",
    token_use: "access_token",
    refresh_token: grant.refreshToken,
    access_token: access.token,
    expires_in: secondsLeft(portal, access),
    hub_id: portal.portalId,
    scopes: grant.scopes,
    user_id: portal.userId,
  };
}

function introspect(portal: Portal, context: HubContext, body: Form): Response {
  if (body.client_id !== portal.client.clientId || body.client_secret !== portal.client.clientSecret) {
    return refuse(context, "current", "BAD_CLIENT_SECRET", "missing or invalid client credentials");
  }
  const text = body.token ?? "";
  const access = portal.oauth.findAccess(text);
  if (access !== undefined && portal.oauth.isAlive(access)) {
    return context.json({
      active: true,
      ...about(portal, access),
      ...accessFacts(portal, access),
      token_use: "access_token",
    });
  }
  const grant = portal.oauth.grantByRefreshToken(text);
  if (grant === undefined) return context.json({ active: false, token: text });
  return context.json({
    active: true,
    ...about(portal, grant),
    token: text,
    token_type: "refresh",
    token_use: "refresh_token",
  });
}

function about(portal: Portal, holder: { scopes: string[]; clientId: string }) {
  return {
    app_id: portal.appId,
    client_id: holder.clientId,
    hub_id: portal.portalId,
    hub_domain: hubDomain(portal),
    scopes: holder.scopes,
    user: portal.userEmail,
    user_id: portal.userId,
  };
}

function accessFacts(portal: Portal, access: AccessToken) {
  return {
    token: access.token,
    token_type: "access",
    expires_in: secondsLeft(portal, access),
    is_private_distribution: false,
  };
}

export function hubDomain(portal: Portal): string {
  return `pipeline-${portal.portalId}.example`;
}

/** Either token of a grant ends the whole grant. */
function revoke(portal: Portal, context: HubContext, body: Form): Response {
  if (body.client_id !== portal.client.clientId || body.client_secret !== portal.client.clientSecret) {
    return refuse(context, "current", "BAD_CLIENT_SECRET", "missing or invalid client credentials");
  }
  const text = body.token ?? "";
  const grantId = portal.oauth.grantByRefreshToken(text)?.id ?? portal.oauth.findAccess(text)?.grantId;
  if (grantId === undefined || grantId === null)
    return refuse(context, "current", "BAD_TOKEN", "missing or unknown token");
  portal.oauth.revokeGrant(grantId);
  return context.body(null, 204);
}

function legacyAccessToken(portal: Portal, context: HubContext): Response {
  const access = portal.oauth.findAccess(context.req.param("token") ?? "");
  if (access === undefined || !portal.oauth.isAlive(access)) {
    return refuse(context, "v1", "BAD_ACCESS_TOKEN", "missing or expired access token");
  }
  const { client_id: _clientId, ...rest } = about(portal, access);
  return context.json({ ...rest, ...accessFacts(portal, access) });
}

function legacyRefreshToken(portal: Portal, context: HubContext): Response {
  const text = context.req.param("token") ?? "";
  const grant = portal.oauth.grantByRefreshToken(text);
  if (grant === undefined) return refuse(context, "v1", "BAD_REFRESH_TOKEN", "missing or unknown refresh token");
  return context.json({ ...about(portal, grant), token: text, token_type: "refresh" });
}

function secondsLeft(portal: Portal, access: AccessToken): number {
  return Math.max(0, Math.round((access.expiresAt - portal.clock.now()) / 1000));
}

function refuse(context: HubContext, generation: Generation, status: string, message: string): Response {
  const correlationId = randomUUID();
  if (generation === "v1") return context.json({ status, message, correlationId }, 400);
  return context.json(
    { status: "error", message, correlationId, category: "VALIDATION_ERROR", subCategory: status, links: {} },
    400,
  );
}
