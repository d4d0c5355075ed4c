import { endpoint, required } from "../../settings.ts";
import type { CrmProvider, CrmSession, EntityType, ProviderDeps } from "../contract.ts";
import { fieldCache } from "../fieldCache.ts";
import { hostRules } from "../hosts.ts";
import { createWire } from "../wire.ts";
import { type HubSpotSettings, hubspotAuth } from "./auth.ts";
import { connect } from "./client.ts";
import { describeEntity } from "./describe.ts";
import { CRM, classify } from "./errors.ts";
import { readOwners } from "./owners.ts";
import { countRecords, readPage } from "./read.ts";
import { readStages } from "./stages.ts";

const HOSTS = ["api.hubapi.com", "*.hubapi.com"];

export function createHubSpot(deps: ProviderDeps): CrmProvider {
  const settings = readSettings(deps);
  const hosts = hostRules(HOSTS, [settings.apiUrl], deps.env.CRM_ALLOWED_HOSTS);
  const wire = createWire({ crm: CRM, deps, hosts, classify });
  const open = (session: CrmSession) => connect(session, wire);
  const describe = (session: CrmSession, entity: EntityType) => describeEntity(open(session), entity);
  const knownFields = fieldCache(describe, deps.now);
  return {
    id: "hubspot",
    ...hubspotAuth(settings, wire, deps.now),
    describe,
    stages: (session) => readStages(open(session)),
    owners: (session) => readOwners(open(session)),
    count: (session, entity, since) => countRecords(open(session), { entity, since }),
    readPage: async (session, request) =>
      readPage(open(session), request, await knownFields(session, request.entity), deps.now()),
  };
}

function readSettings({ env }: ProviderDeps): HubSpotSettings {
  return {
    clientId: required(env, "HUBSPOT_CLIENT_ID"),
    authorizeUrl: endpoint(env, "HUBSPOT_AUTHORIZE_URL", "https://app.hubspot.com/oauth/authorize"),
    apiUrl: endpoint(env, "HUBSPOT_API_URL", "https://api.hubapi.com"),
  };
}
