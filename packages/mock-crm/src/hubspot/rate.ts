import { randomUUID } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import type { Clock } from "../shared/clock.ts";
import type { HubSpotEnv, Portal } from "./portal.ts";

export type Policy = "TEN_SECONDLY_ROLLING" | "SECONDLY" | "DAILY";

const BURST = { most: 110, withinMs: 10_000 };
const SEARCHES = { most: 5, withinMs: 1_000 };
const MESSAGES: Record<Policy, string> = {
  TEN_SECONDLY_ROLLING: "You have reached your ten_secondly_rolling limit.",
  SECONDLY: "You have reached your secondly limit.",
  DAILY: "You have reached your daily limit.",
};

/** Takes calls until a window is full; time is the provider's clock. */
class RollingWindow {
  private calls: number[] = [];
  private readonly clock: Clock;
  private readonly size: { most: number; withinMs: number };

  constructor(clock: Clock, size: { most: number; withinMs: number }) {
    this.clock = clock;
    this.size = size;
  }

  take(): boolean {
    const now = this.clock.now();
    this.calls = this.calls.filter((at) => at > now - this.size.withinMs);
    if (this.calls.length >= this.size.most) return false;
    this.calls.push(now);
    return true;
  }

  get remaining(): number {
    return this.size.most - this.calls.length;
  }
}

/** Search has a limit of its own and, like the real one, tells nothing about it in headers. */
export function rateLimits(portal: Portal): MiddlewareHandler<HubSpotEnv> {
  const burst = new RollingWindow(portal.clock, BURST);
  const searches = new RollingWindow(portal.clock, SEARCHES);
  return async (context, next) => {
    const { knobs } = portal;
    const search = context.req.path.endsWith("/search");
    const own: Policy = search ? "SECONDLY" : "TEN_SECONDLY_ROLLING";
    if (knobs.next429 > 0) {
      knobs.next429 -= 1;
      return tooMany(context, own);
    }
    if (!portal.quota.take()) return tooMany(context, "DAILY");
    if (knobs.rateLimits && !(search ? searches : burst).take()) return tooMany(context, own);
    await next();
    if (!search) rateHeaders(context, burst.remaining);
  };
}

function rateHeaders(context: Context<HubSpotEnv>, remaining: number): void {
  context.header("X-HubSpot-RateLimit-Max", String(BURST.most));
  context.header("X-HubSpot-RateLimit-Remaining", String(remaining));
  context.header("X-HubSpot-RateLimit-Interval-Milliseconds", String(BURST.withinMs));
}

function tooMany(context: Context<HubSpotEnv>, policyName: Policy): Response {
  const body = {
    status: "error",
    message: MESSAGES[policyName],
    errorType: "RATE_LIMIT",
    correlationId: randomUUID(),
    policyName,
    requestId: randomUUID(),
  };
  return context.json(body, 429);
}
