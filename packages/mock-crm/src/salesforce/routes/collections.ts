import { type Context, Hono } from "hono";
import { listParameter } from "../../shared/text.ts";
import { type RowError, SalesforceError } from "../errors.ts";
import { apiBase, type Org, type SalesforceEnv } from "../org.ts";
import type { ObjectDef } from "../schema/object.ts";
import { compileFields } from "../soql/select.ts";
import type { Body } from "../write.ts";
import { jsonBody } from "./body.ts";

const MAX_ROWS = 200;
const MAX_RETRIEVED = 2000;

interface RowResult {
  id?: string;
  success: boolean;
  created?: boolean;
  errors: RowError[];
}
type Step = () => RowResult;

export function collectionRoutes(org: Org): Hono<SalesforceEnv> {
  const routes = new Hono<SalesforceEnv>();
  routes.post("/composite/sobjects", (context) =>
    collection(org, context, (object, record) => saved(org.writer.create(object, record).Id)),
  );
  routes.patch("/composite/sobjects", (context) =>
    collection(org, context, (object, { id, Id, ...fields }) =>
      saved(org.writer.update(object, String(id ?? Id ?? ""), fields).Id),
    ),
  );
  routes.patch("/composite/sobjects/:object/:field", (context) => upsertAll(org, context));
  routes.delete("/composite/sobjects", (context) => deleteAll(org, context));
  routes.post("/composite/sobjects/:object", (context) => retrieveAll(org, context));
  return routes;
}

async function collection(
  org: Org,
  context: Context<SalesforceEnv>,
  write: (object: ObjectDef, record: Body) => RowResult,
): Promise<Response> {
  const body = await jsonBody(context);
  const steps = recordsOf(body).map((record) => () => write(typeOf(org, record), record));
  return context.json(runAll(org, steps, body.allOrNone === true));
}

async function upsertAll(org: Org, context: Context<SalesforceEnv>): Promise<Response> {
  const body = await jsonBody(context);
  const field = context.req.param("field") ?? "";
  const object = org.store.object(context.req.param("object") ?? "");
  const steps = recordsOf(body).map((record) => () => {
    const { [field]: value, ...fields } = record;
    const { row, created } = org.writer.upsert(object, field, String(value ?? ""), fields);
    return { ...saved(row.Id), created };
  });
  return context.json(runAll(org, steps, body.allOrNone === true));
}

function deleteAll(org: Org, context: Context<SalesforceEnv>): Response {
  const ids = listParameter(context.req.queries("ids"));
  checkSize(ids.length, MAX_ROWS);
  const steps = ids.map((id) => () => saved(org.writer.delete(objectOfId(org, id), id).Id));
  return context.json(runAll(org, steps, context.req.query("allOrNone") === "true"));
}

async function retrieveAll(org: Org, context: Context<SalesforceEnv>): Promise<Response> {
  const { ids, fields } = await jsonBody(context);
  if (!Array.isArray(ids) || !Array.isArray(fields)) {
    throw new SalesforceError("JSON_PARSER_ERROR", "ids and fields must be lists");
  }
  checkSize(ids.length, MAX_RETRIEVED);
  const object = org.store.object(context.req.param("object") ?? "");
  const project = compileFields(org.store, object, fields.map(String), apiBase(context));
  const rows = ids.map((id) => org.store.table(object.name).get(String(id)));
  return context.json(rows.map((row) => (row === undefined || row.IsDeleted === true ? null : project(row))));
}

/** Rows succeed or fail one by one; with allOrNone one failure takes back the others. */
function runAll(org: Org, steps: readonly Step[], allOrNone: boolean): RowResult[] {
  if (!allOrNone) return steps.map(attempt);
  return org.store.transaction(() => {
    const results = steps.map(attempt);
    return { keep: results.every((result) => result.success), value: results };
  }, rolledBack);
}

function attempt(step: Step): RowResult {
  try {
    return step();
  } catch (error) {
    if (error instanceof SalesforceError) return { success: false, errors: [error.rowError()] };
    throw error;
  }
}

function rolledBack(results: RowResult[]): RowResult[] {
  const message = "Record rolled back because not all records were valid and the request was using AllOrNone header";
  const error = { statusCode: "ALL_OR_NONE_OPERATION_ROLLED_BACK", message, fields: [] };
  return results.map((result) => (result.success ? { success: false, errors: [error] } : result));
}

function recordsOf(body: Body): Body[] {
  if (!Array.isArray(body.records)) throw new SalesforceError("JSON_PARSER_ERROR", "records must be a list");
  checkSize(body.records.length, MAX_ROWS);
  return body.records as Body[];
}

function checkSize(count: number, most: number): void {
  if (count <= most) return;
  throw new SalesforceError(
    "EXCEEDED_MAX_SIZE_REQUEST",
    `record limit reached. cannot submit more than ${most} records in this type of message`,
  );
}

function typeOf(org: Org, record: Body): ObjectDef {
  const type = (record.attributes as { type?: unknown } | undefined)?.type;
  const object = typeof type === "string" ? org.store.schema.get(type.toLowerCase()) : undefined;
  if (object !== undefined) return object;
  throw new SalesforceError("INVALID_TYPE", `sObject type '${String(type)}' is not supported.`);
}

function objectOfId(org: Org, id: string): ObjectDef {
  for (const object of org.store.schema.values()) if (id.startsWith(object.keyPrefix)) return object;
  throw new SalesforceError("MALFORMED_ID", `bad id ${id}`, 400, ["Id"]);
}

function saved(id: string): RowResult {
  return { id, success: true, errors: [] };
}
