import type { MiddlewareHandler } from "hono";
import type { Org, SalesforceEnv } from "./org.ts";

/** An org answers so many requests that take long at one time; while it does, it takes no others. Real time: its clock may stand still. */
export function longRequests({ knobs }: Org): MiddlewareHandler<SalesforceEnv> {
  const underWay = new Set<{ since: number }>();
  return async (context, next) => {
    const limit = knobs.longRequests;
    const request = { since: performance.now() };
    const long = [...underWay].filter(({ since }) => request.since - since > (limit?.afterMs ?? 0));
    context.set("isCrowded", limit !== null && long.length >= limit.most);
    underWay.add(request);
    await next();
    underWay.delete(request);
  };
}
