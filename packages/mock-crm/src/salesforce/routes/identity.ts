import { Hono } from "hono";
import { notFound } from "../errors.ts";
import type { Org, SalesforceEnv } from "../org.ts";

/** Both need a session, which the app checks before it comes here. */
export function identityRoutes(org: Org): Hono<SalesforceEnv> {
  const routes = new Hono<SalesforceEnv>();
  routes.on(["GET", "POST"], "/services/oauth2/userinfo", (context) =>
    context.json(userInfo(org, context.get("token").userId)),
  );
  routes.get("/id/:org/:user", (context) => {
    const { org: organizationId, user } = context.req.param();
    if (organizationId !== org.organizationId) throw notFound();
    return context.json(identity(org, user));
  });
  return routes;
}

export function userInfo(org: Org, userId: string) {
  const user = org.store.live("User", userId);
  return {
    sub: `${org.origin()}/id/${org.organizationId}/${user.Id}`,
    user_id: user.Id,
    organization_id: org.organizationId,
    preferred_username: user.Username ?? null,
    nickname: user.Name ?? null,
    name: user.Name ?? null,
    email: user.Email ?? null,
    email_verified: true,
    given_name: user.FirstName ?? null,
    family_name: user.LastName ?? null,
    zoneinfo: "Europe/London",
    photos: {},
    urls: urls(org),
    active: user.IsActive ?? null,
    user_type: "STANDARD",
    language: "en_US",
    locale: "en_GB",
    utcOffset: 0,
    updated_at: user.LastModifiedDate ?? null,
  };
}

function identity(org: Org, userId: string) {
  const info = userInfo(org, userId);
  return {
    id: info.sub,
    asserted_user: true,
    user_id: info.user_id,
    organization_id: info.organization_id,
    username: info.preferred_username,
    nick_name: info.nickname,
    display_name: info.name,
    email: info.email,
    email_verified: true,
    first_name: info.given_name,
    last_name: info.family_name,
    urls: info.urls,
    active: info.active,
    user_type: info.user_type,
    last_modified_date: info.updated_at,
  };
}

function urls(org: Org) {
  const rest = `${org.origin()}/services/data/v{version}/`;
  return { rest, query: `${rest}query/`, sobjects: `${rest}sobjects/`, recent: `${rest}recent/` };
}
