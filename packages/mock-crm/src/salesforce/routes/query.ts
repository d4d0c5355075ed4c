import { type Context, Hono } from "hono";
import { malformedQuery, SalesforceError } from "../errors.ts";
import { apiBase, type Org, type SalesforceEnv } from "../org.ts";
import { parseSoql } from "../soql/ast.ts";
import { runQuery } from "../soql/run.ts";
import { compileSelect } from "../soql/select.ts";

const MAX_BATCH = 2000;
const MIN_BATCH = 200;

export function queryRoutes(org: Org): Hono<SalesforceEnv> {
  const routes = new Hono<SalesforceEnv>();
  routes.get("/query", (context) => query(org, context, false));
  routes.get("/queryAll", (context) => query(org, context, true));
  for (const path of ["/query/:locator", "/queryAll/:locator"]) {
    routes.get(path, (context) => context.json(org.cursors.next(apiBase(context), context.req.param("locator") ?? "")));
  }
  return routes;
}

function query(org: Org, context: Context<SalesforceEnv>, withDeleted: boolean): Response {
  const parsed = parseSoql(context.req.query("q") ?? "");
  const object = org.store.schema.get(parsed.sObject.toLowerCase());
  if (object === undefined) throw malformedType(parsed.sObject);
  const rows = runQuery(org.store, object, parsed, withDeleted);
  const fields = parsed.fields ?? [];
  const [only] = fields;
  if (only?.type === "FieldFunctionExpression") {
    if (fields.length > 1 || only.functionName.toUpperCase() !== "COUNT") {
      throw malformedQuery(`${only.rawValue ?? only.functionName} is beyond this mock's SOQL`);
    }
    return context.json(counted(rows.length, only.parameters.length === 0 ? null : (only.alias ?? "expr0")));
  }
  const base = apiBase(context);
  const project = compileSelect(org.store, object, fields, base);
  const batchSize = batchSizeOf(context.req.header("Sforce-Query-Options"));
  return context.json(org.cursors.first(base, { rows, project, batchSize }));
}

/** COUNT() answers in totalSize; COUNT(Id) is an aggregate row. */
function counted(total: number, alias: string | null) {
  if (alias === null) return { totalSize: total, done: true, records: [] };
  return { totalSize: 1, done: true, records: [{ attributes: { type: "AggregateResult" }, [alias]: total }] };
}

function batchSizeOf(header: string | undefined): number {
  const asked = Number(/batchSize\s*=\s*(\d+)/i.exec(header ?? "")?.[1] ?? MAX_BATCH);
  return Math.min(MAX_BATCH, Math.max(MIN_BATCH, asked));
}

function malformedType(name: string): SalesforceError {
  return new SalesforceError(
    "INVALID_TYPE",
    `sObject type '${name}' is not supported. Please reference your WSDL or the describe call.`,
  );
}
