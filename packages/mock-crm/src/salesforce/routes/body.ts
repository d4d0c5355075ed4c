import type { Context } from "hono";
import { SalesforceError } from "../errors.ts";
import type { SalesforceEnv } from "../org.ts";
import type { Body } from "../write.ts";

/** The JSON object of a request; chunked or not, the server has read it whole. */
export async function jsonBody(context: Context<SalesforceEnv>): Promise<Body> {
  const text = await context.req.text();
  const value = parse(text);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Body;
  throw new SalesforceError("JSON_PARSER_ERROR", "The HTTP entity body must be a JSON object");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new SalesforceError("JSON_PARSER_ERROR", `Unexpected content in the request body: ${message}`);
  }
}
