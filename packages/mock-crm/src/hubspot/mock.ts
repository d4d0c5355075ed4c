import { buildControl } from "../control/control.ts";
import { controlRoutes, isControl } from "../control/routes.ts";
import { type HubSpotDataOptions, loadHubSpotData, withDeals } from "../data/hubspot-data.ts";
import { createClock } from "../shared/clock.ts";
import { Counters } from "../shared/counters.ts";
import { DEFAULT_KNOBS, type Knobs, knobsPatchSchema } from "../shared/knobs.ts";
import type { Mock } from "../shared/mock.ts";
import { type OAuthClient, OAuthStore, randomToken } from "../shared/oauth-store.ts";
import { DailyQuota } from "../shared/quota.ts";
import { createRandom } from "../shared/random.ts";
import { listen } from "../shared/server.ts";
import { openStateFile } from "../shared/state-file.ts";
import { hubspotActions } from "./actions.ts";
import { hubspotApp } from "./app.ts";
import type { Portal } from "./portal.ts";
import { Searcher } from "./search/run.ts";
import { HubSpotStore } from "./store.ts";
import { HubSpotWebhooks } from "./webhooks.ts";

export interface HubSpotMockOptions extends HubSpotDataOptions {
  /** 0, the default, takes any free port. */
  port?: number;
  knobs?: Partial<Knobs>;
  client?: Partial<OAuthClient>;
  /** Two mocks with different numbers are two HubSpot accounts. */
  portalId?: number;
  /** A file that keeps consents and tokens over a restart. */
  stateFile?: string;
}

const OBJECTS = ["companies", "contacts", "deals"];
const SCOPES = ["oauth", ...OBJECTS.flatMap((name) => [`crm.objects.${name}.read`, `crm.objects.${name}.write`])];

export async function startHubSpotMock(options: HubSpotMockOptions = {}): Promise<Mock> {
  const initialKnobs: Knobs = { ...DEFAULT_KNOBS, ...knobsPatchSchema.parse(options.knobs ?? {}) };
  const portal = buildPortal(options, { ...initialKnobs });
  const app = hubspotApp(portal, createRandom(options.seed ?? 1));
  const control = buildControl({
    provider: "hubspot",
    knobs: portal.knobs,
    initialKnobs,
    counters: portal.counters,
    oauth: portal.oauth,
    quota: portal.quota,
    holder: { id: null, clientId: portal.client.clientId, userId: String(portal.userId), scopes: SCOPES },
    now: () => portal.clock.now(),
    reload: (mostDeals) => portal.store.load(withDeals(loadHubSpotData(options), mostDeals)),
    ...hubspotActions(portal),
  });
  const levers = controlRoutes(control);
  const listening = await listen(
    (request, env) => (isControl(request) ? levers.fetch(request) : app.fetch(request, env)),
    options.port ?? 0,
  );
  return { ...listening, control };
}

function buildPortal(options: HubSpotMockOptions, knobs: Knobs): Portal {
  const clock = createClock(() => knobs);
  const counters = new Counters();
  const app = {
    portalId: options.portalId ?? 24_680_135,
    appId: 1_357_911,
    client: { clientId: "pipeline-crm-local", clientSecret: "local-only-secret", ...options.client },
  };
  const webhooks = new HubSpotWebhooks({ ...app, clientSecret: app.client.clientSecret }, () => knobs.webhooks);
  const store = new HubSpotStore({
    clock,
    searchLagMs: () => knobs.searchLagMs,
    wrote: () => counters.wroteRow(),
    changed: (change) => webhooks.changed(change),
  });
  store.load(loadHubSpotData(options));
  const searchers = store.types.map(({ name }) => [name, new Searcher(store.collection(name), clock.now)] as const);
  return {
    ...app,
    userId: 9_000_001,
    userEmail: "admin@demo.example",
    store,
    webhooks,
    searchers: new Map(searchers),
    oauth: oauthStore(options, knobs, clock),
    clock,
    knobs,
    counters,
    quota: new DailyQuota(clock, () => knobs.dailyQuota),
  };
}

function oauthStore(options: HubSpotMockOptions, knobs: Knobs, clock: Portal["clock"]): OAuthStore {
  const file = options.stateFile === undefined ? null : openStateFile(options.stateFile);
  const store = new OAuthStore({
    clock,
    tokenLifeSeconds: () => knobs.tokenLifeSeconds,
    // Real access tokens vary in length and exceed 300 characters.
    newAccessToken: () => `CMock${randomToken(240)}`,
    newRefreshToken: () => `na1-${randomToken(32)}`,
    codeLifeSeconds: 600,
    changed: (state) => file?.save(state),
  });
  const kept = file?.load() ?? null;
  if (kept !== null) store.import(kept);
  return store;
}
