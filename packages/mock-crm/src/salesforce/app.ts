import { type Context, Hono, type MiddlewareHandler } from "hono";
import { classifyBy } from "../shared/counters.ts";
import type { Random } from "../shared/random.ts";
import { traffic } from "../shared/traffic.ts";
import { SalesforceError } from "./errors.ts";
import { longRequests } from "./long-requests.ts";
import type { Org, SalesforceEnv } from "./org.ts";
import { changeRoutes } from "./routes/changes.ts";
import { collectionRoutes } from "./routes/collections.ts";
import { compositeRoutes } from "./routes/composite.ts";
import { identityRoutes } from "./routes/identity.ts";
import { oauthRoutes } from "./routes/oauth.ts";
import { limits, platformRoutes, versionRoutes } from "./routes/platform.ts";
import { queryRoutes } from "./routes/query.ts";
import { sobjectRoutes } from "./routes/sobjects.ts";
import { SALESFORCE_CLASSES } from "./traffic-classes.ts";

const DATA = "/services/data/:version{v\\d+\\.\\d}";

export function salesforceApp(org: Org, random: Random): Hono<SalesforceEnv> {
  const app = new Hono<SalesforceEnv>({ strict: false });
  const { knobs, counters } = org;
  app.use(longRequests(org));
  app.use(traffic({ knobs, counters, random, classify: classifyBy(SALESFORCE_CLASSES), serverError }));
  app.onError(answerError);
  app.notFound((context) =>
    answerError(new SalesforceError("NOT_FOUND", "The requested resource does not exist", 404), context),
  );
  app.route("/", versionRoutes());
  app.route("/", oauthRoutes(org));
  for (const path of [`${DATA}/*`, "/id/*", "/services/oauth2/userinfo"]) app.use(path, session(org));
  app.use(`${DATA}/*`, quota(org));
  app.route("/", identityRoutes(org));
  const dispatch = (request: Request) => data.fetch(request);
  const groups = [platformRoutes, queryRoutes, collectionRoutes, changeRoutes, sobjectRoutes].map((make) => make(org));
  for (const group of [...groups, compositeRoutes(dispatch)]) app.route(DATA, group);
  const data = dataOnly(org, groups);
  return app;
}

/** The data routes without traffic and quota: what a composite call runs its subrequests through. */
function dataOnly(org: Org, groups: readonly Hono<SalesforceEnv>[]): Hono<SalesforceEnv> {
  const app = new Hono<SalesforceEnv>({ strict: false });
  app.onError(answerError);
  app.use("*", session(org));
  for (const group of groups) app.route(DATA, group);
  return app;
}

function session(org: Org): MiddlewareHandler<SalesforceEnv> {
  return async (context, next) => {
    const header = /^Bearer (.+)$/.exec(context.req.header("Authorization") ?? "")?.[1];
    // jsforce's identity() carries the token in the address.
    const access = org.oauth.findAccess(header ?? context.req.query("oauth_token") ?? "");
    if (access === undefined || !org.oauth.isAlive(access)) {
      throw new SalesforceError("INVALID_SESSION_ID", "Session expired or invalid", 401);
    }
    context.set("token", access);
    await next();
  };
}

function quota(org: Org): MiddlewareHandler<SalesforceEnv> {
  return async (context, next) => {
    const isNext = org.knobs.next429 > 0;
    if (isNext) org.knobs.next429 -= 1;
    if (isNext || context.get("isCrowded"))
      throw new SalesforceError("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", 403);
    if (!org.quota.take()) throw new SalesforceError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403);
    await next();
    const { Max, Remaining } = limits(org).DailyApiRequests;
    context.header("Sforce-Limit-Info", `api-usage=${Max - Remaining}/${Max}`);
  };
}

function answerError(error: Error, context: Context<SalesforceEnv>): Response {
  if (error instanceof SalesforceError) return context.json(error.body(), error.status);
  return context.json([{ message: `The mock failed: ${error.message}`, errorCode: "UNKNOWN_EXCEPTION" }], 500);
}

function serverError(context: { json: Context["json"] }, status: 502 | 503): Response {
  return context.json([{ message: "Server unavailable", errorCode: "SERVER_UNAVAILABLE" }], status);
}
