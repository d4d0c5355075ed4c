import { randomBytes } from "node:crypto";
import { buildControl } from "../control/control.ts";
import { controlRoutes, isControl } from "../control/routes.ts";
import { loadSalesforceData, type SalesforceDataOptions } from "../data/salesforce-data.ts";
import { createClock } from "../shared/clock.ts";
import { Counters } from "../shared/counters.ts";
import { DEFAULT_KNOBS, type Knobs, knobsPatchSchema } from "../shared/knobs.ts";
import type { Mock } from "../shared/mock.ts";
import { type OAuthClient, OAuthStore, randomToken } from "../shared/oauth-store.ts";
import { DailyQuota } from "../shared/quota.ts";
import { createRandom } from "../shared/random.ts";
import { listen } from "../shared/server.ts";
import { openStateFile } from "../shared/state-file.ts";
import { salesforceActions } from "./actions.ts";
import { salesforceApp } from "./app.ts";
import { Cursors } from "./cursors.ts";
import { makeId } from "./ids.ts";
import type { Org } from "./org.ts";
import { OutboundMessages } from "./outbound-messages.ts";
import { type ExtraField, orgSchema } from "./schema/org-schema.ts";
import { SalesforceStore } from "./store.ts";
import { Writer } from "./write.ts";

export interface SalesforceMockOptions extends SalesforceDataOptions {
  /** 0, the default, takes any free port. */
  port?: number;
  knobs?: Partial<Knobs>;
  client?: Partial<OAuthClient>;
  /** The number in the organization id; two mocks with different numbers are two orgs. */
  organization?: number;
  extraFields?: readonly ExtraField[];
  /** A file that keeps consents and tokens over a restart. */
  stateFile?: string;
}

/** Salesforce lets an app hold this many consents of one person. */
const MOST_GRANTS = 5;

export async function startSalesforceMock(options: SalesforceMockOptions = {}): Promise<Mock> {
  const initialKnobs: Knobs = {
    ...DEFAULT_KNOBS,
    tokenLifeSeconds: 7200,
    dailyQuota: 100_000,
    ...knobsPatchSchema.parse(options.knobs ?? {}),
  };
  let origin = "";
  const org = buildOrg(options, { ...initialKnobs }, () => origin);
  const app = salesforceApp(org, createRandom(options.seed ?? 1));
  const control = buildControl({
    provider: "salesforce",
    knobs: org.knobs,
    initialKnobs,
    counters: org.counters,
    oauth: org.oauth,
    quota: org.quota,
    holder: { id: null, clientId: org.client.clientId, userId: org.userId, scopes: ["api", "refresh_token"] },
    now: () => org.clock.now(),
    reload: (mostDeals) => {
      const { rows } = loadSalesforceData(options);
      org.store.load({ ...rows, Opportunity: (rows.Opportunity ?? []).slice(0, mostDeals) });
      org.cursors.reset();
    },
    ...salesforceActions(org),
  });
  const levers = controlRoutes(control);
  const listening = await listen(
    (request, env) => (isControl(request) ? levers.fetch(request) : app.fetch(request, env)),
    options.port ?? 0,
  );
  origin = listening.url;
  return { ...listening, control };
}

function buildOrg(options: SalesforceMockOptions, knobs: Knobs, origin: () => string): Org {
  const clock = createClock(() => knobs);
  const counters = new Counters();
  const data = loadSalesforceData(options);
  const schema = orgSchema(data.stages, options.extraFields ?? []);
  const organizationId = makeId("00D", options.organization ?? 1);
  const outbound = new OutboundMessages(organizationId, () => knobs.webhooks);
  const store = new SalesforceStore({
    schema,
    stages: data.stages,
    clock,
    wrote: () => counters.wroteRow(),
    changed: (object, row) => outbound.changed(object, row),
  });
  store.load(data.rows);
  return {
    organizationId,
    userId: data.userId,
    client: { clientId: "pipeline-crm-local", clientSecret: "local-only-secret", ...options.client },
    store,
    outbound,
    writer: new Writer(store, data.userId, () => knobs.readOnly),
    oauth: oauthStore(options, knobs, clock, organizationId),
    clock,
    knobs,
    counters,
    quota: new DailyQuota(clock, () => knobs.dailyQuota),
    cursors: new Cursors(clock, () => knobs.locatorLifeSeconds),
    origin,
  };
}

function oauthStore(
  options: SalesforceMockOptions,
  knobs: Knobs,
  clock: Org["clock"],
  organizationId: string,
): OAuthStore {
  const file = options.stateFile === undefined ? null : openStateFile(options.stateFile);
  const store = new OAuthStore({
    clock,
    tokenLifeSeconds: () => knobs.tokenLifeSeconds,
    newAccessToken: () => `${organizationId.slice(0, 15)}!${randomBytes(72).toString("base64url")}`,
    newRefreshToken: () => `5Aep861${randomToken(56)}`,
    codeLifeSeconds: 900,
    maxGrantsPerUser: MOST_GRANTS,
    changed: (state) => file?.save(state),
  });
  const kept = file?.load() ?? null;
  if (kept !== null) store.import(kept);
  return store;
}
