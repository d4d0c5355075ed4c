import type postgres from "postgres";
import { type Mock, startHubSpotMock, startSalesforceMock } from "../../packages/mock-crm/src/index.ts";
import type { CrmProvider, CrmSession, PageCursor, ProviderId } from "../../supabase/functions/_shared/crm/contract.ts";
import { createProvider } from "../../supabase/functions/_shared/crm/registry.ts";
import { parseFilter } from "../../supabase/functions/_shared/sync/filters/parse.ts";
import { toCrmFilter } from "../../supabase/functions/_shared/sync/filters/toCrm.ts";
import type { MappingRow } from "../../supabase/functions/_shared/sync/mapping/plan.ts";
import type { StageRow } from "../../supabase/functions/_shared/sync/mapping/stages.ts";
import { type Entity, type Filter, OWNERS, type Sample, STAGES, type Value } from "./filter-records.ts";
import { newWorld } from "./world.ts";

/** The same records in a mock CRM and in our database, and one filter asked of each. */

type Fields = Record<string, [crmField: string, type: MappingRow["data_type"]]>;

interface Dialect {
  types: Record<Entity, string>;
  fields: Record<Entity, Fields>;
  owner: string;
  stage: (row: StageRow) => Record<string, string>;
  /** What the CRM wants besides. */
  extra: Record<Entity, Record<string, unknown>>;
  start: () => Promise<Mock>;
  env: (url: string) => Record<string, string>;
  /** A day as this CRM keeps it. */
  date: (day: string, key: number) => string;
}

const pad = (key: number) => String(key % 24).padStart(2, "0");

export const DIALECTS: Record<ProviderId, Dialect> = {
  salesforce: {
    types: { accounts: "Account", opportunities: "Opportunity" },
    fields: {
      accounts: {
        name: ["Name", "string"],
        industry: ["Industry", "picklist"],
        description: ["Description", "string"], // a long text, which SOQL cannot be asked for
        annual_revenue: ["AnnualRevenue", "number"],
        founded_year: ["YearStarted", "number"], // a text in Salesforce
        phone: ["Phone", "phone"],
        website: ["Website", "url"],
        tags: ["AccountNumber", "array"],
        billing_address: ["city=BillingCity,state=BillingState", "object"],
        "custom_fields.flag": ["BillingPostalCode", "boolean"],
      },
      opportunities: {
        name: ["Name", "string"],
        stage_key: ["StageName", "picklist"],
        estimated_value: ["Amount", "number"],
        expected_close_date: ["Engage_Date__c", "date"],
        "custom_fields.signed": ["NextStep", "datetime"],
      },
    },
    owner: "OwnerId",
    stage: (row) => ({ StageName: row.crm_stage_id }),
    extra: { accounts: {}, opportunities: { CloseDate: "2026-12-31" } },
    start: () => startSalesforceMock({ data: "generated", records: 20, seed: 7 }),
    env: (url) => ({ SALESFORCE_CLIENT_ID: "pipeline-crm-local", SALESFORCE_LOGIN_URL: url }),
    date: (day) => day,
  },
  hubspot: {
    types: { accounts: "companies", opportunities: "deals" },
    fields: {
      accounts: {
        name: ["name", "string"],
        industry: ["industry", "picklist"],
        description: ["description", "string"],
        annual_revenue: ["annualrevenue", "number"],
        founded_year: ["founded_year", "number"],
        phone: ["phone", "phone"],
        website: ["website", "url"],
        tags: ["country", "array"],
        billing_address: ["city=city,state=state", "object"],
        "custom_fields.flag": ["zip", "boolean"],
      },
      opportunities: {
        name: ["dealname", "string"],
        stage_key: ["dealstage", "picklist"],
        estimated_value: ["amount", "number"],
        expected_close_date: ["closedate", "date"], // an instant in HubSpot
        "custom_fields.signed": ["hs_next_step", "datetime"],
      },
    },
    owner: "hubspot_owner_id",
    stage: (row) => ({ pipeline: row.crm_pipeline_id, dealstage: row.crm_stage_id }),
    extra: { accounts: {}, opportunities: {} },
    start: () => startHubSpotMock({ data: "generated", records: 20, seed: 7 }),
    env: (url) => ({
      HUBSPOT_CLIENT_ID: "pipeline-crm-local",
      HUBSPOT_AUTHORIZE_URL: `${url}/oauth/authorize`,
      HUBSPOT_API_URL: url,
    }),
    date: (day, key) => `${day}T${pad(key)}:15:00.000Z`,
  },
};

export interface CrmSide {
  id: ProviderId;
  mock: Mock;
  provider: CrmProvider;
  session: CrmSession;
  mappings: MappingRow[];
  stages: StageRow[];
  owners: string[];
  /** Ours by theirs. */
  keys: Record<Entity, Map<string, number>>;
}

export async function crmSide(id: ProviderId, records: Record<Entity, Sample[]>): Promise<CrmSide> {
  const dialect = DIALECTS[id];
  const mock = await dialect.start();
  const provider = createProvider(id, { fetch, env: dialect.env(mock.url), now: () => new Date() });
  const session = { accessToken: mock.control.issueToken().token, instanceUrl: mock.url, externalAccountId: id };
  const owners = (await provider.owners(session)).slice(0, OWNERS.length).map((owner) => owner.id);
  if (owners.length < OWNERS.length) throw new Error(`The mock ${id} has too few owners.`);
  const found = (await provider.stages(session)).slice(0, STAGES.length + 1);
  // One more stage there than here: two mean the same.
  const stages = found.map((stage, at) => ({
    crm_pipeline_id: stage.pipelineId,
    crm_stage_id: stage.id,
    stage_key: STAGES[at % STAGES.length] ?? "",
  }));
  const keys = { accounts: new Map<string, number>(), opportunities: new Map<string, number>() };
  const side: CrmSide = { id, mock, provider, session, mappings: mappingsOf(dialect), stages, owners, keys };
  for (const entity of ["accounts", "opportunities"] as const) fill(side, entity, records[entity]);
  return side;
}

function mappingsOf({ fields }: Dialect): MappingRow[] {
  return (["accounts", "opportunities"] as const).flatMap((entity_type) =>
    Object.entries(fields[entity_type]).map(
      ([app_field, [crm_field, data_type]]): MappingRow => ({
        entity_type,
        app_field,
        crm_field,
        data_type,
        sync_direction: "bidirectional",
        is_required: false,
      }),
    ),
  );
}

function fill(side: CrmSide, entity: Entity, records: readonly Sample[]): void {
  const type = DIALECTS[side.id].types[entity];
  const actions = records.map((sample) => ({
    action: "create" as const,
    type,
    fields: crmFields(side, entity, sample),
  }));
  const made = side.mock.control.records(actions);
  made.forEach(({ id }, at) => void side.keys[entity].set(String(id), records[at]?.key ?? -1));
}

function crmFields(side: CrmSide, entity: Entity, { key, values }: Sample): Record<string, unknown> {
  const dialect = DIALECTS[side.id];
  const fields: Record<string, unknown> = { ...dialect.extra[entity] };
  for (const [app, [crm]] of Object.entries(dialect.fields[entity])) {
    const value = values[app] ?? null;
    if (value === null) continue;
    if (app === "stage_key") {
      const fitting = side.stages.filter((row) => row.stage_key === value);
      Object.assign(fields, dialect.stage(fitting[key % fitting.length] as StageRow));
    } else if (app === "billing_address") Object.assign(fields, addressFields(crm, value as Record<string, string>));
    else if (app === "expected_close_date") fields[crm] = dialect.date(String(value), key);
    else
      fields[crm] = Array.isArray(value)
        ? value.join(";")
        : typeof value === "number" && app !== "founded_year"
          ? value
          : String(value);
  }
  if (typeof values.owner === "string") fields[dialect.owner] = side.owners[OWNERS.indexOf(values.owner)];
  return fields;
}

function addressFields(mapping: string, address: Record<string, string>): Record<string, string> {
  const parts = new Map(mapping.split(",").map((pair) => pair.split("=") as [string, string]));
  return Object.fromEntries(Object.entries(address).map(([part, value]) => [parts.get(part) ?? part, value]));
}

/** Owners by number become the CRM's ids, which is what a connection's filter holds. */
export function withOwners(filter: Filter, owners: readonly string[]): Filter {
  if ("all" in filter) return { all: filter.all.map((part) => withOwners(part, owners)) };
  if ("any" in filter) return { any: filter.any.map((part) => withOwners(part, owners)) };
  if (filter.field !== "owner" || filter.value === undefined) return filter;
  const named = (value: unknown) =>
    value === OWNERS[0] ? String(value) : (owners[OWNERS.indexOf(String(value))] ?? "");
  return { ...filter, value: Array.isArray(filter.value) ? filter.value.map(named) : named(filter.value) };
}

/** Reads as a first sync does, and answers which of the records came. What the CRM counts, where it claims to, is as many. */
export async function askCrm(side: CrmSide, entity: Entity, filter: Filter): Promise<number[]> {
  const { provider, session, mappings, stages, owners } = side;
  const stored = parseFilter(JSON.parse(JSON.stringify(withOwners(filter, owners))));
  const asked = toCrmFilter(stored, { entity, mappings, stages, currentUser: owners[0] ?? null });
  const found: number[] = [];
  let read = 0;
  let cursor: PageCursor | null = null;
  do {
    const page = await provider.readPage(session, {
      entity,
      fields: ["Name", "name"],
      cursor,
      since: null,
      filter: asked,
    });
    found.push(...page.records.flatMap((record) => side.keys[entity].get(record.id) ?? []));
    read += page.records.length;
    cursor = page.next;
  } while (cursor !== null);
  const counted = await provider.count(session, entity, null, asked);
  if (counted !== null && counted !== read) throw new Error(`${side.id} counts ${counted} records and gave ${read}.`);
  return found.sort((a, b) => a - b);
}

export interface OwnSide {
  configs: Record<ProviderId, string>;
  ids: Record<Entity, Map<string, number>>;
}

/** A workspace with one connection per CRM and the records as ours. */
export async function ownSide(
  sql: postgres.Sql,
  sides: readonly CrmSide[],
  records: Record<Entity, Sample[]>,
): Promise<OwnSide> {
  const world = await newWorld();
  const [actor] =
    await sql`select user_id, email from public.workspace_members where workspace_id = ${world.workspaceId} and role = 'owner'`;
  const sellers = [
    { name: "Seller 0", email: "seller@test.example" },
    { name: "Owner", email: String(actor?.email) },
    { name: "Seller 2", email: null },
  ];
  const configs: Partial<Record<ProviderId, string>> = {};
  for (const side of sides) {
    const account = {
      external_account_id: side.id,
      instance_url: "https://x.example",
      user_id: side.owners[0],
      user_email: sellers[0]?.email ?? null,
    };
    const owners = side.owners.map((crm_user_id, at) => ({ crm_user_id, ...(sellers[at] ?? {}) }));
    const [row] = await sql`
      select private.crm_connect(${actor?.user_id}::uuid, ${world.workspaceId}::uuid, ${side.id}, 'production', ${sql.json(account as never)},
        '{"access_token": "at", "refresh_token": "rt", "scopes": []}', ${sql.json(side.mappings as never)}, ${sql.json(side.stages as never)},
        ${sql.json(owners as never)}) as id`;
    configs[side.id] = String(row?.id);
  }
  const owner = (value: Value) =>
    value === OWNERS[1]
      ? { owner_id: actor?.user_id, owner_label: null }
      : { owner_id: null, owner_label: value === OWNERS[0] ? "Seller 0" : "Seller 2" };
  const ids: OwnSide["ids"] = { accounts: new Map(), opportunities: new Map() };
  for (const { key, values: v } of records.accounts) {
    const [row] = await sql`
      insert into public.crm_companies (workspace_id, name, industry, description, annual_revenue, founded_year, phone, website, tags, billing_address, custom_fields)
      values (${world.workspaceId}, ${v.name as string}, ${v.industry as string}, ${v.description as string}, ${v.annual_revenue as number},
        ${v.founded_year as number}, ${v.phone as string}, ${v.website as string}, ${sql.json((v.tags ?? []) as never)},
        ${sql.json((v.billing_address ?? {}) as never)}, ${sql.json({ flag: v["custom_fields.flag"] ?? null } as never)})
      returning id`;
    ids.accounts.set(String(row?.id), key);
  }
  for (const { key, values: v } of records.opportunities) {
    const { owner_id, owner_label } = owner(v.owner ?? null);
    const [row] = await sql`
      insert into public.pipeline_projects (workspace_id, name, stage_key, estimated_value, expected_close_date, custom_fields, owner_id, owner_label)
      values (${world.workspaceId}, ${v.name as string}, ${v.stage_key as string}, ${v.estimated_value as number}, ${v.expected_close_date as string}::text::date,
        ${sql.json({ signed: v["custom_fields.signed"] ?? null } as never)}, ${owner_id ?? null}, ${owner_label})
      returning id`;
    ids.opportunities.set(String(row?.id), key);
  }
  return { configs: configs as Record<ProviderId, string>, ids };
}

/** Stores the filter as an admin would, and asks which of our records it lets through. */
export async function askOwn(
  sql: postgres.Sql,
  own: OwnSide,
  side: CrmSide,
  entity: Entity,
  filter: Filter,
): Promise<number[]> {
  const rules = { [entity]: { filter: withOwners(filter, side.owners) } };
  const config = own.configs[side.id];
  await sql`update public.crm_sync_configs set sync_rules = ${sql.json(rules as never)} where id = ${config}`;
  const [row] =
    await sql`select private.crm_filter_allows(${config}::uuid, ${entity}, ${[...own.ids[entity].keys()]}::uuid[]) as ids`;
  return ((row?.ids ?? []) as string[]).map((id) => own.ids[entity].get(id) ?? -1).sort((a, b) => a - b);
}
