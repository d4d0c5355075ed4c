import { Hono } from "hono";
import { z } from "zod";
import { SalesforceError } from "../errors.ts";
import type { SalesforceEnv } from "../org.ts";
import { jsonBody } from "./body.ts";

const MAX_SUBREQUESTS = 25;

const requestSchema = z.object({
  allOrNone: z.literal(false).default(false),
  compositeRequest: z.array(
    z.object({ method: z.string(), url: z.string(), referenceId: z.string(), body: z.unknown().optional() }),
  ),
});

type Dispatch = (request: Request) => Response | Promise<Response>;

interface SubResponse {
  body: unknown;
  httpHeaders: Record<string, string>;
  httpStatusCode: number;
  referenceId: string;
}

/** Runs subrequests one after the other through the app itself; `@{ref.field}` takes values from earlier answers. */
export function compositeRoutes(dispatch: Dispatch): Hono<SalesforceEnv> {
  const routes = new Hono<SalesforceEnv>();
  routes.post("/composite", async (context) => {
    const parsed = requestSchema.safeParse(await jsonBody(context));
    if (!parsed.success) throw new SalesforceError("JSON_PARSER_ERROR", z.prettifyError(parsed.error));
    const { compositeRequest } = parsed.data;
    if (compositeRequest.length > MAX_SUBREQUESTS) {
      throw new SalesforceError("LIMIT_EXCEEDED", `The composite request may hold ${MAX_SUBREQUESTS} subrequests`);
    }
    const authorization = context.req.header("Authorization") ?? "";
    const compositeResponse: SubResponse[] = [];
    for (const sub of compositeRequest) {
      const { url, body } = filledIn({ url: sub.url, body: sub.body }, compositeResponse);
      const init = { method: sub.method, headers: { Authorization: authorization }, body: serialised(body) };
      const response = await dispatch(new Request(new URL(url, context.req.url), init));
      const text = await response.text();
      compositeResponse.push({
        body: text === "" ? null : JSON.parse(text),
        httpHeaders: {},
        httpStatusCode: response.status,
        referenceId: sub.referenceId,
      });
    }
    return context.json({ compositeResponse });
  });
  return routes;
}

function serialised(body: unknown): string | undefined {
  return body === undefined || body === null ? undefined : JSON.stringify(body);
}

function filledIn<T extends { url: string }>(sub: T, earlier: readonly SubResponse[]): T {
  const text = JSON.stringify(sub).replace(/@\{(\w+)\.(\w+)\}/g, (whole, reference: string, field: string) => {
    const answer = earlier.find((response) => response.referenceId === reference)?.body;
    const value =
      typeof answer === "object" && answer !== null ? (answer as Record<string, unknown>)[field] : undefined;
    if (value === undefined) throw new SalesforceError("PROCESSING_HALTED", `Invalid reference specified: ${whole}`);
    return JSON.stringify(String(value)).slice(1, -1);
  });
  return JSON.parse(text) as T;
}
