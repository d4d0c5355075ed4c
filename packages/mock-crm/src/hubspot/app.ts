import { type Context, Hono, type MiddlewareHandler } from "hono";
import { classifyBy } from "../shared/counters.ts";
import type { Random } from "../shared/random.ts";
import { traffic } from "../shared/traffic.ts";
import { HubSpotError, objectNotFound } from "./errors.ts";
import type { HubSpotEnv, Portal } from "./portal.ts";
import { rateLimits } from "./rate.ts";
import { associationRoutes } from "./routes/associations.ts";
import { batchRoutes } from "./routes/batch.ts";
import { hubDomain, oauthRoutes } from "./routes/oauth.ts";
import { objectRoutes } from "./routes/objects.ts";
import { schemaRoutes } from "./routes/schema.ts";
import { scopes } from "./scopes.ts";
import { HUBSPOT_CLASSES } from "./traffic-classes.ts";

/** The path of version 3 and the dated one answer alike. */
const OBJECT_PATHS = ["/crm/v3/objects", "/crm/objects/2026-03"];

export function hubspotApp(portal: Portal, random: Random): Hono<HubSpotEnv> {
  const app = new Hono<HubSpotEnv>();
  const { knobs, counters } = portal;
  app.use(traffic({ knobs, counters, random, classify: classifyBy(HUBSPOT_CLASSES), serverError }));
  app.onError(answerError);
  app.notFound((context) => answerError(objectNotFound(), context));
  app.route("/", oauthRoutes(portal));
  for (const path of ["/crm/*", "/account-info/*"])
    app.use(path, authenticated(portal), rateLimits(portal), scopes(portal));
  app.get("/account-info/v3/details", (context) => context.json(accountDetails(portal)));
  for (const path of OBJECT_PATHS) {
    app.route(path, batchRoutes(portal));
    app.route(path, objectRoutes(portal));
  }
  app.route("/crm/v4", associationRoutes(portal));
  app.route("/crm/v3", schemaRoutes(portal));
  return app;
}

function authenticated(portal: Portal): MiddlewareHandler<HubSpotEnv> {
  return async (context, next) => {
    const text = /^Bearer (.+)$/.exec(context.req.header("Authorization") ?? "")?.[1] ?? "";
    const access = portal.oauth.findAccess(text);
    if (access === undefined) {
      throw new HubSpotError(401, "INVALID_AUTHENTICATION", "Authentication credentials not found or not valid.");
    }
    if (!portal.oauth.isAlive(access)) {
      const seconds = Math.round((portal.clock.now() - access.expiresAt) / 1000);
      const message = `The OAuth token used to make this call expired ${seconds} second(s) ago.`;
      throw new HubSpotError(401, "EXPIRED_AUTHENTICATION", message);
    }
    context.set("token", access);
    await next();
  };
}

function accountDetails(portal: Portal) {
  return {
    portalId: portal.portalId,
    accountType: "STANDARD",
    timeZone: "Europe/London",
    companyCurrency: "USD",
    additionalCurrencies: [],
    utcOffset: "+00:00",
    utcOffsetMilliseconds: 0,
    uiDomain: hubDomain(portal),
    dataHostingLocation: "na1",
  };
}

function answerError(error: Error, context: Context<HubSpotEnv>): Response {
  if (error instanceof HubSpotError) return context.json(error.body(), error.status);
  return context.json({ status: "error", message: `The mock failed: ${error.message}` }, 500);
}

function serverError(context: { json: Context["json"] }, status: 502 | 503): Response {
  return context.json({ status: "error", message: "The service is not available" }, status);
}
