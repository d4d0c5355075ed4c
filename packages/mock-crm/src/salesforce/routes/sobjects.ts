import { type Context, Hono } from "hono";
import { listParameter } from "../../shared/text.ts";
import { SalesforceError } from "../errors.ts";
import { apiBase, type Org, type SalesforceEnv } from "../org.ts";
import { type Row, stampMs } from "../row.ts";
import type { ObjectDef } from "../schema/object.ts";
import { compileFields } from "../soql/select.ts";
import { jsonBody } from "./body.ts";

type SalesforceContext = Context<SalesforceEnv>;

export function sobjectRoutes(org: Org): Hono<SalesforceEnv> {
  const routes = new Hono<SalesforceEnv>();
  const object = (context: SalesforceContext) => org.store.object(context.req.param("object") ?? "");
  routes.post("/sobjects/:object", async (context) => {
    const row = org.writer.create(object(context), await jsonBody(context));
    return context.json({ id: row.Id, success: true, errors: [] }, 201);
  });
  routes.get("/sobjects/:object/:id", (context) => retrieve(org, context, object(context)));
  routes.patch("/sobjects/:object/:id", async (context) => {
    const id = context.req.param("id");
    checkUnmodified(context, org.store.live(object(context).name, id));
    org.writer.update(object(context), id, await jsonBody(context));
    return context.body(null, 204);
  });
  routes.delete("/sobjects/:object/:id", (context) => {
    org.writer.delete(object(context), context.req.param("id"));
    return context.body(null, 204);
  });
  routes.get("/sobjects/:object/:field/:value", (context) => byExternalId(org, context, object(context)));
  routes.patch("/sobjects/:object/:field/:value", async (context) => {
    const { field, value } = context.req.param();
    const updateOnly = context.req.query("updateOnly") === "true";
    const { row, created } = org.writer.upsert(object(context), field, value, await jsonBody(context), updateOnly);
    return context.json({ id: row.Id, success: true, errors: [], created }, created ? 201 : 200);
  });
  return routes;
}

function retrieve(org: Org, context: SalesforceContext, object: ObjectDef): Response {
  return context.json(wholeRow(org, context, object, org.store.live(object.name, context.req.param("id") ?? "")));
}

function byExternalId(org: Org, context: SalesforceContext, object: ObjectDef): Response {
  const { field = "", value = "" } = context.req.param() as { field?: string; value?: string };
  const definition = object.byName.get(field.toLowerCase());
  const row = org.store.table(object.name).findUnique(definition?.name ?? "", value);
  if (row === undefined)
    throw new SalesforceError(
      "NOT_FOUND",
      `Provided external ID field does not exist or is not accessible: ${field}`,
      404,
    );
  return context.json(wholeRow(org, context, object, row));
}

function wholeRow(org: Org, context: SalesforceContext, object: ObjectDef, row: Row) {
  const asked = listParameter(context.req.queries("fields"));
  const names = asked.length > 0 ? asked : object.fields.map((field) => field.name);
  return compileFields(org.store, object, names, apiBase(context))(row);
}

/** The header has whole seconds, as rows have, so a change within the same second passes. */
function checkUnmodified(context: SalesforceContext, row: Row): void {
  const header = context.req.header("If-Unmodified-Since");
  if (header === undefined || stampMs(row.SystemModstamp) <= Date.parse(header)) return;
  throw new SalesforceError("PRECONDITION_FAILED", "The record was modified after the given time", 412);
}
