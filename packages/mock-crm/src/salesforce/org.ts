import type { Context } from "hono";
import type { Clock } from "../shared/clock.ts";
import type { Counters } from "../shared/counters.ts";
import type { Knobs } from "../shared/knobs.ts";
import type { AccessToken, OAuthClient, OAuthStore } from "../shared/oauth-store.ts";
import type { DailyQuota } from "../shared/quota.ts";
import type { MockEnv } from "../shared/traffic.ts";
import type { Cursors } from "./cursors.ts";
import type { OutboundMessages } from "./outbound-messages.ts";
import type { SalesforceStore } from "./store.ts";
import type { Writer } from "./write.ts";

/** One running mock org: what the routes share. */
export interface Org {
  organizationId: string;
  /** The person who consents and in whose name everything is read and written. */
  userId: string;
  client: OAuthClient;
  store: SalesforceStore;
  writer: Writer;
  oauth: OAuthStore;
  clock: Clock;
  knobs: Knobs;
  counters: Counters;
  quota: DailyQuota;
  outbound: OutboundMessages;
  cursors: Cursors;
  origin: () => string;
}

export type SalesforceEnv = MockEnv & { Variables: { token: AccessToken; isCrowded: boolean } };

/** "/services/data/v62.0" of the request at hand. */
export function apiBase(context: Context<SalesforceEnv>): string {
  return `/services/data/v${context.req.path.match(/^\/services\/data\/v(\d+\.\d)/)?.[1] ?? ""}`;
}
