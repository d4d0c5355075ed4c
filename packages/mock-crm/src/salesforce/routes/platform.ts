import { Hono } from "hono";
import { describeGlobal, describeObject } from "../describe.ts";
import { apiBase, type Org, type SalesforceEnv } from "../org.ts";

const VERSIONS = [
  { label: "Winter '21", version: "50.0" },
  { label: "Spring '23", version: "57.0" },
  { label: "Winter '25", version: "62.0" },
  { label: "Winter '27", version: "68.0" },
];

/** Known without a session. */
export function versionRoutes(): Hono<SalesforceEnv> {
  const routes = new Hono<SalesforceEnv>();
  routes.get("/services/data", (context) =>
    context.json(VERSIONS.map((entry) => ({ ...entry, url: `/services/data/v${entry.version}` }))),
  );
  return routes;
}

export function platformRoutes(org: Org): Hono<SalesforceEnv> {
  const routes = new Hono<SalesforceEnv>();
  routes.get("/", (context) => {
    const base = apiBase(context);
    const names = ["sobjects", "query", "queryAll", "limits", "composite"];
    const identity = `${org.origin()}/id/${org.organizationId}/${context.get("token").userId}`;
    return context.json({ ...Object.fromEntries(names.map((name) => [name, `${base}/${name}`])), identity });
  });
  routes.get("/limits", (context) => context.json(limits(org)));
  routes.get("/sobjects", (context) => context.json(describeGlobal(org.store.schema, apiBase(context))));
  routes.get("/sobjects/:object/describe", (context) => {
    const object = org.store.object(context.req.param("object"));
    return context.json(describeObject(org.store.schema, object, apiBase(context)));
  });
  return routes;
}

export function limits(org: Org) {
  const { used, limit } = org.quota.state();
  const max = limit ?? UNLIMITED;
  const untouched = (value: number) => ({ Max: value, Remaining: value });
  return {
    DailyApiRequests: { Max: max, Remaining: Math.max(0, max - used) },
    DailyBulkV2QueryJobs: untouched(10_000),
    DailyBulkV2QueryFileStorageMB: untouched(976_562),
    DailyBulkApiBatches: untouched(15_000),
    DailyStreamingApiEvents: untouched(1_000_000),
    HourlyPublishedPlatformEvents: untouched(250_000),
  };
}

/** What an org without a quota knob reports: a number no test reaches. */
export const UNLIMITED = 1_000_000;
