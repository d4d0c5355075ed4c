import type { HttpBindings } from "@hono/node-server";
import type { Context, MiddlewareHandler } from "hono";
import type { Classified, Counters } from "./counters.ts";
import type { Knobs } from "./knobs.ts";
import type { Random } from "./random.ts";

export type MockEnv = { Bindings: HttpBindings };

export interface TrafficOptions {
  knobs: Knobs;
  counters: Counters;
  random: Random;
  classify: (method: string, path: string) => Classified;
  serverError: (context: Context<MockEnv>, status: 502 | 503) => Response;
}

/** Counts each call and makes the network as slow, flaky or dead as the knobs say. */
export function traffic(options: TrafficOptions): MiddlewareHandler<MockEnv> {
  const { knobs, counters, random, serverError } = options;
  return async (context, next) => {
    const classified = options.classify(context.req.method, context.req.path);
    counters.call(classified);
    if (knobs.down === "refuse") return hangUp(context);
    if (knobs.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, knobs.latencyMs));
    if (knobs.down === "unavailable") context.res = serverError(context, 503);
    else if (chance(random, knobs.errorRate)) context.res = serverError(context, 503);
    else await next();
    if (chance(random, knobs.lostReplyRate)) context.res = serverError(context, 502);
    counters.status(context.res.status);
  };
}

/** No draw at rate 0 or 1, so a knob that is off does not shift the seeded sequence of another. */
function chance(random: Random, rate: number): boolean {
  if (rate === 0) return false;
  return rate === 1 || random() < rate;
}

function hangUp(context: Context<MockEnv>): Response {
  context.env.incoming.socket.destroy();
  return context.body(null, 503);
}
