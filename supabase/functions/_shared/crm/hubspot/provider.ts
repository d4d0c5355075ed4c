import { endpoint, required } from "../../settings.ts";
import type { CrmFilter, CrmProvider, CrmSession, EntityType, ProviderDeps } from "../contract.ts";
import { fieldCache } from "../fieldCache.ts";
import { hostRules } from "../hosts.ts";
import { createWire } from "../wire.ts";
import { type HubSpotSettings, hubspotAuth } from "./auth.ts";
import { connect } from "./client.ts";
import { describeEntity } from "./describe.ts";
import { CRM, classify } from "./errors.ts";
import { compileFilter } from "./filter.ts";
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
  const narrowing = async (session: CrmSession, entity: EntityType, filter: CrmFilter | undefined) =>
    filter && compileFilter(filter, (await knownFields(session, entity)).fields);
  return {
    id: "hubspot",
    ...hubspotAuth(settings, wire, deps.now),
    describe,
    stages: (session) => readStages(open(session)),
    owners: (session) => readOwners(open(session)),
    count: async (session, entity, since, filter) => {
      const asked = await narrowing(session, entity, filter);
      return asked?.exact === false ? null : countRecords(open(session), { entity, since }, asked);
    },
    readPage: async (session, request) => {
      const { names } = await knownFields(session, request.entity);
      const asked = await narrowing(session, request.entity, request.filter);
      return readPage(open(session), request, names, deps.now(), asked);
    },
  };
}

function readSettings({ env }: ProviderDeps): HubSpotSettings {
  return {
    clientId: required(env, "HUBSPOT_CLIENT_ID"),
    authorizeUrl: endpoint(env, "HUBSPOT_AUTHORIZE_URL", "https://app.hubspot.com/oauth/authorize"),
    apiUrl: endpoint(env, "HUBSPOT_API_URL", "https://api.hubapi.com"),
  };
}
