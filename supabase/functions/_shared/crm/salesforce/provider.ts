import { endpoint, required } from "../../settings.ts";
import type { CrmFilter, CrmProvider, CrmSession, EntityType, ProviderDeps } from "../contract.ts";
import { fieldCache } from "../fieldCache.ts";
import { hostRules } from "../hosts.ts";
import { createWire } from "../wire.ts";
import { salesforceAuth } from "./auth.ts";
import { connect, type SalesforceSettings } from "./connection.ts";
import { describeEntity } from "./describe.ts";
import { CRM, classify, limits } from "./errors.ts";
import { fetchRecords } from "./fetch.ts";
import { compileFilter } from "./filter.ts";
import { lookUp } from "./lookup.ts";
import { readOwners } from "./owners.ts";
import { firstPage } from "./query.ts";
import { countSoql, readPage } from "./read.ts";
import { readStages } from "./stages.ts";
import { AT_ONCE, BATCH, createRecords, deleteRecords, updateRecords, type Writing } from "./write.ts";

const HOSTS = ["login.salesforce.com", "test.salesforce.com", "*.my.salesforce.com", "*.salesforce.com"];

export function createSalesforce(deps: ProviderDeps): CrmProvider {
  const settings = readSettings(deps);
  const hosts = hostRules(HOSTS, [settings.loginUrl, settings.sandboxLoginUrl], deps.env.CRM_ALLOWED_HOSTS);
  const wire = createWire({ crm: CRM, deps, hosts, classify, limits });
  const open = (session: CrmSession) => connect(session, settings, wire);
  const describe = (session: CrmSession, entity: EntityType) => describeEntity(open(session), entity);
  const knownFields = fieldCache(describe, deps.now);
  const writing = async (session: CrmSession, entity: EntityType): Promise<Writing> => ({
    connection: open(session),
    known: await knownFields(session, entity),
    now: deps.now(),
  });
  const narrowing = async (session: CrmSession, entity: EntityType, filter: CrmFilter | undefined) =>
    filter && compileFilter(filter, (await knownFields(session, entity)).fields);
  return {
    id: "salesforce",
    ...salesforceAuth(settings, wire, hosts),
    describe,
    stages: (session) => readStages(open(session)),
    owners: (session) => readOwners(open(session)),
    count: async (session, entity, since, filter) => {
      const asked = await narrowing(session, entity, filter);
      if (asked?.exact === false) return null;
      return (await firstPage(open(session), countSoql(entity, since, asked), { includeDeleted: since !== null }))
        .total;
    },
    readPage: async (session, request) => {
      const { names } = await knownFields(session, request.entity);
      return readPage(open(session), request, names, await narrowing(session, request.entity, request.filter));
    },
    batch: BATCH,
    atOnce: AT_ONCE,
    lookUpLagMs: 0, // a query sees what was written
    fetchRecords: async (session, request) =>
      fetchRecords(open(session), request, (await knownFields(session, request.entity)).names),
    createRecords: async (session, request) => createRecords(await writing(session, request.entity), request),
    updateRecords: async (session, request) => updateRecords(await writing(session, request.entity), request),
    deleteRecords: async (session, request) => deleteRecords(await writing(session, request.entity), request),
    lookUp: async (session, request) =>
      lookUp(open(session), request, (await knownFields(session, request.entity)).names),
  };
}

function readSettings({ env }: ProviderDeps): SalesforceSettings {
  return {
    clientId: required(env, "SALESFORCE_CLIENT_ID"),
    loginUrl: endpoint(env, "SALESFORCE_LOGIN_URL", "https://login.salesforce.com"),
    sandboxLoginUrl: endpoint(env, "SALESFORCE_SANDBOX_LOGIN_URL", "https://test.salesforce.com"),
    apiVersion: env.SALESFORCE_API_VERSION?.trim() || "62.0",
  };
}
