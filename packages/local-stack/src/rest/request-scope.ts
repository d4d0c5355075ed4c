import { AsyncLocalStorage } from "node:async_hooks";
import type { IntrospectResult } from "@supabase/lite";

/**
 * What belongs to one request to the REST server. Lite asks its connection for the schema first and hands over the parsed
 * query later; only this tells the connection that both are of the same request.
 */
export interface RequestScope {
  /** The schema as this request sees it. */
  schema?: IntrospectResult;
  /** Made-up table names of the query, and the tables that they stand for. */
  aliases: ReadonlyMap<string, string>;
}

const scopes = new AsyncLocalStorage<RequestScope>();

export function inRequestScope<T>(run: () => T): T {
  return scopes.run({ aliases: new Map() }, run);
}

export function requestScope(): RequestScope | undefined {
  return scopes.getStore();
}
