import { endpoint, required, SettingsError } from "../../settings.ts";
import type { CrmFilter, CrmProvider, CrmSession, EntityType, ProviderDeps } from "../contract.ts";
import { fieldCache } from "../fieldCache.ts";
import { hostRules } from "../hosts.ts";
import { createWire } from "../wire.ts";
import { type HubSpotSettings, hubspotAuth } from "./auth.ts";
import { connect } from "./client.ts";
import { describeEntity } from "./describe.ts";
import { CRM, classify, limits } from "./errors.ts";
import { fetchRecords } from "./fetch.ts";
import { compileFilter } from "./filter.ts";
import { lookUp } from "./lookup.ts";
import { readOwners } from "./owners.ts";
import { countRecords, readPage } from "./read.ts";
import { readStages } from "./stages.ts";
import { AT_ONCE, BATCH, createRecords, deleteRecords, updateRecords } from "./write.ts";

const HOSTS = ["api.hubapi.com", "*.hubapi.com"];

export function createHubSpot(deps: ProviderDeps): CrmProvider {
  const settings = readSettings(deps);
  const hosts = hostRules(HOSTS, [settings.apiUrl], deps.env.CRM_ALLOWED_HOSTS);
  const wire = createWire({ crm: CRM, deps, hosts, classify, limits });
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
    batch: BATCH,
    atOnce: AT_ONCE,
    lookUpLagMs: settings.searchSettleMs,
    fetchRecords: async (session, request) =>
      fetchRecords(open(session), request, (await knownFields(session, request.entity)).names),
    createRecords: (session, request) => createRecords(open(session), request),
    updateRecords: (session, request) => updateRecords(open(session), request),
    deleteRecords: (session, request) => deleteRecords(open(session), request),
    lookUp: (session, request) => lookUp(open(session), request),
  };
}

function readSettings({ env }: ProviderDeps): HubSpotSettings & { searchSettleMs: number } {
  return {
    clientId: required(env, "HUBSPOT_CLIENT_ID"),
    authorizeUrl: endpoint(env, "HUBSPOT_AUTHORIZE_URL", "https://app.hubspot.com/oauth/authorize"),
    apiUrl: endpoint(env, "HUBSPOT_API_URL", "https://api.hubapi.com"),
    searchSettleMs: seconds(env.HUBSPOT_SEARCH_SETTLE_SECONDS, 60) * 1000,
  };
}

function seconds(text: string | undefined, fallback: number): number {
  const value = text?.trim() ? Number(text) : fallback;
  if (Number.isFinite(value) && value >= 0 && value <= 3600) return value;
  throw new SettingsError(`HUBSPOT_SEARCH_SETTLE_SECONDS has to be a number from 0 to 3600, not "${text}".`);
}
