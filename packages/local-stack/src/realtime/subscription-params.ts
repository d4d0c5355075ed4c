import { type Filter, FilterError, parseFilters } from "./filters.ts";
import type { ChangeParams } from "./payloads.ts";
import type { ChangeKind } from "./subscriptions.ts";

export interface SubscriptionRequest {
  event: ChangeKind | "*";
  schema: string;
  table: string;
  filters: Filter[];
  select: string[] | null;
}

/** Refused parameters; the message is shown to the client in a system message. */
export class SubscriptionError extends Error {}

const EVENTS: ReadonlySet<string> = new Set(["INSERT", "UPDATE", "DELETE"]);

export function parseSubscription(params: ChangeParams): SubscriptionRequest {
  const select = parseSelect(params.select);
  const { schema, table } = parseTarget(params);
  const filters = typeof params.filter === "string" ? parseFilterParam(params.filter) : [];
  if (select && (schema === "*" || table === "*")) {
    throw new SubscriptionError(
      "Column selection is not supported for wildcard subscriptions. Provide an explicit schema and table name.",
    );
  }
  return { event: parseEvent(params.event), schema, table, filters, select };
}

/** A filter needs both schema and table, a missing table means all of the schema, a missing schema means public. */
function parseTarget(params: ChangeParams): { schema: string; table: string } {
  const given = (key: string) => params[key] !== undefined && params[key] !== null;
  const { schema, table } = params;
  const filtered = given("filter");
  if (filtered && typeof params.filter !== "string") throw noParams(params);
  if (typeof schema === "string" && typeof table === "string") return { schema, table };
  if (typeof schema === "string" && !given("table") && !filtered) return { schema, table: "*" };
  if (typeof table === "string" && !given("schema") && !filtered) return { schema: "public", table };
  throw noParams(params);
}

function noParams(params: ChangeParams): SubscriptionError {
  return new SubscriptionError(
    `No subscription params provided. Please provide at least a \`schema\` or \`table\` to subscribe to: ${JSON.stringify(params)}`,
  );
}

function parseEvent(event: unknown): ChangeKind | "*" {
  const upper = typeof event === "string" ? event.toUpperCase() : "*";
  return EVENTS.has(upper) ? (upper as ChangeKind) : "*";
}

function parseSelect(select: unknown): string[] | null {
  if (typeof select === "string") {
    throw new SubscriptionError(
      'Error parsing `select` params: expected a list of column name strings, e.g. select: ["col1", "col2"]',
    );
  }
  const columns = Array.isArray(select) ? select.filter((column) => typeof column === "string") : [];
  return columns.length > 0 ? columns.sort() : null;
}

function parseFilterParam(text: string): Filter[] {
  try {
    return parseFilters(text);
  } catch (error) {
    if (error instanceof FilterError) {
      throw new SubscriptionError(`Error parsing \`filter\` params: ${error.message}`);
    }
    throw error;
  }
}

/** The way the hosted server names the parameters of a refused subscription. */
export function describeRequest(request: SubscriptionRequest): string {
  const filters = request.filters.map(
    ({ column, operator, value, negate }) =>
      `{${JSON.stringify(column)}, ${JSON.stringify(operator)}, ${JSON.stringify(value)}, ${negate}}`,
  );
  const select = request.select ? JSON.stringify(request.select) : "nil";
  return `event: ${request.event}, schema: ${request.schema}, table: ${request.table}, filters: [${filters.join(", ")}], select: ${select}`;
}
