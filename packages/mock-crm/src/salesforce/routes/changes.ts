import { type Context, Hono } from "hono";
import { SalesforceError } from "../errors.ts";
import type { Org, SalesforceEnv } from "../org.ts";
import { isDeleted, type Row, stamp } from "../row.ts";

const DAY_MS = 86_400_000;
const UPDATED_WINDOW_DAYS = 30;
const DELETED_WINDOW_DAYS = 15;
const MINUTE_MS = 60_000;

export function changeRoutes(org: Org): Hono<SalesforceEnv> {
  const routes = new Hono<SalesforceEnv>();
  routes.get("/sobjects/:object/updated", (context) => {
    const { start, end } = windowOf(org, context, UPDATED_WINDOW_DAYS);
    const ids = rowsBetween(org, context, start, end)
      .filter((row) => !isDeleted(row))
      .map((row) => row.Id);
    return context.json({ ids, latestDateCovered: stamp(end) });
  });
  routes.get("/sobjects/:object/deleted", (context) => {
    const { start, end } = windowOf(org, context, DELETED_WINDOW_DAYS);
    const deletedRecords = rowsBetween(org, context, start, end)
      .filter(isDeleted)
      .map((row) => ({ id: row.Id, deletedDate: row.SystemModstamp }));
    const earliestDateAvailable = stamp(org.clock.now() - DELETED_WINDOW_DAYS * DAY_MS);
    return context.json({ deletedRecords, earliestDateAvailable, latestDateCovered: stamp(end) });
  });
  return routes;
}

/** Seconds are ignored, so a window must be longer than a minute. */
function windowOf(org: Org, context: Context<SalesforceEnv>, days: number): { start: number; end: number } {
  const start = minute(context.req.query("start"), "start");
  const end = minute(context.req.query("end"), "end");
  if (end - start < MINUTE_MS)
    throw new SalesforceError("INVALID_REPLICATION_DATE", "endDate must be greater than startDate");
  if (start < org.clock.now() - days * DAY_MS) {
    throw new SalesforceError("INVALID_REPLICATION_DATE", `startDate must be within the last ${days} days`);
  }
  return { start, end };
}

function minute(text: string | undefined, name: string): number {
  const time = Date.parse(text ?? "");
  if (Number.isNaN(time)) throw new SalesforceError("INVALID_FIELD", `${name} is not a dateTime: ${text ?? "missing"}`);
  return Math.floor(time / MINUTE_MS) * MINUTE_MS;
}

function rowsBetween(org: Org, context: Context<SalesforceEnv>, start: number, end: number): Row[] {
  const object = org.store.object(context.req.param("object") ?? "");
  if (!object.writable) throw new SalesforceError("INVALID_TYPE_FOR_OPERATION", `${object.name} is not replicateable`);
  const { byModified } = org.store.table(object.name);
  const [from, to] = [stamp(start), stamp(end)];
  const first = byModified.lowerBound((row) => row.SystemModstamp >= from);
  const last = byModified.lowerBound((row) => row.SystemModstamp >= to);
  return byModified.all.slice(first, last);
}
