import type { Clock } from "../shared/clock.ts";
import type { Counters } from "../shared/counters.ts";
import type { Knobs } from "../shared/knobs.ts";
import type { AccessToken, OAuthClient, OAuthStore } from "../shared/oauth-store.ts";
import type { DailyQuota } from "../shared/quota.ts";
import type { MockEnv } from "../shared/traffic.ts";
import type { Searcher } from "./search/run.ts";
import type { HubSpotStore } from "./store.ts";
import type { HubSpotWebhooks } from "./webhooks.ts";

/** One running mock HubSpot account: what the routes share. */
export interface Portal {
  portalId: number;
  userId: number;
  userEmail: string;
  client: OAuthClient;
  appId: number;
  store: HubSpotStore;
  searchers: ReadonlyMap<string, Searcher>;
  oauth: OAuthStore;
  clock: Clock;
  knobs: Knobs;
  counters: Counters;
  quota: DailyQuota;
  webhooks: HubSpotWebhooks;
}

export type HubSpotEnv = MockEnv & { Variables: { token: AccessToken } };
