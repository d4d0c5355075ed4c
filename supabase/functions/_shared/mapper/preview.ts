import { type ConnectionRow, connectionFor } from "../connect/access.ts";
import type { CrmField, CrmFilter, CrmProvider, CrmRecord, CrmSession, EntityType } from "../crm/contract.ts";
import { type ConnectionRules, oursFor, rulesOf } from "../db/sql/mappings.ts";
import type { User } from "../http/auth.ts";
import { problem } from "../http/problem.ts";
import { appField } from "../sync/appFields.ts";
import { reads } from "../sync/mapping/plan.ts";
import { openPreview, type Preview } from "../sync/mapping/preview.ts";
import { unmappedRequired } from "../sync/mapping/required.ts";
import { openTransforms, type Transforms } from "../sync/mapping/transform/index.ts";
import { CRM_NAMES } from "../sync/names.ts";
import { crmFilter, excludedFields } from "../sync/rules.ts";
import type { MapperDeps } from "./deps.ts";
import type { PreviewInput } from "./schemas.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

type Mapping = ConnectionRules["mappings"][number];

/** Pages without a record that the filter lets through; a person waits for the answer. */
const MOST_PAGES = 5;

/** What a mapping would do to a few live records, in both directions. Reads only: it leaves nothing behind on either side. */
export async function preview(deps: MapperDeps, user: User, input: PreviewInput) {
  const connection = await connectionFor(deps.db, user, input.config_id, "member");
  const rules = await rulesOf(deps.db, connection.id);
  const mappings = tried(rules.mappings, input);
  const transforms = await openTransforms(mappings.filter((row) => reads(row.sync_direction)));
  try {
    return await previewed(deps, { connection, rules, mappings, transforms }, input);
  } finally {
    transforms.close();
  }
}

interface Setting {
  connection: ConnectionRow;
  rules: ConnectionRules;
  /** Of one entity, rows to try included. */
  mappings: readonly Mapping[];
  transforms: Transforms;
}

async function previewed(deps: MapperDeps, setting: Setting, input: PreviewInput) {
  const { id, crm_provider: provider } = setting.connection;
  const entity = input.entity_type;
  const asked = input.record_ids?.map((one) => (UUID.test(one) ? one.toLowerCase() : one)) ?? [];
  const named = asked.length === 0 ? null : await namedRecords(deps, id, entity, asked);
  const read = await deps.withSession({ id, provider }, async (session, crm) => {
    const fields = await crm.describe(session, entity);
    const view = openView(setting, entity, fields);
    const source = { session, crm, entity, view };
    const records = await (named === null
      ? firstRecords(source, filterOf(setting, entity), input.limit)
      : recordsOf(source, named.crmIds));
    return { fields, view, records };
  });
  const linked = await oursFor(deps.db, id, entity, { crm: read.records.map((record) => record.id), ours: [] });
  const records = [
    ...read.records.map((record) => read.view.show(record, linked.find(({ crm_id }) => crm_id === record.id) ?? null)),
    ...(named?.unlinked ?? []).map((record) => read.view.show(null, record)),
  ];
  const shown = new Set(records.flatMap((record) => [record.crm_id, record.record_id]));
  return {
    entity_type: entity,
    records,
    not_found: asked.filter((one) => !shown.has(one)),
    unmapped_required: unmappedRequired(entity, read.fields, used(setting, entity)),
  };
}

function openView(setting: Setting, entity: EntityType, fields: readonly CrmField[]): Preview {
  const { connection, rules, mappings, transforms } = setting;
  const country = rules.settings.sync_rules?.phone_country;
  return openPreview(
    { entity, mappings, stages: rules.stages, fields },
    {
      crmName: CRM_NAMES[connection.crm_provider],
      phoneCountry: typeof country === "string" ? country : undefined,
      exclude: excludedFields(rules.settings.sync_rules, entity),
      transforms,
      knownFields: new Set(fields.map(({ name }) => name)),
    },
  );
}

function used({ rules, mappings }: Setting, entity: EntityType): Mapping[] {
  const excluded = excludedFields(rules.settings.sync_rules, entity);
  return mappings.filter((row) => !excluded.includes(row.app_field));
}

/** The saved mapping, with the rows to try in the place of theirs. */
function tried(saved: readonly Mapping[], { entity_type: entity, mappings }: PreviewInput): Mapping[] {
  const drafts = mappings.map((row) => ({ ...row, entity_type: entity }));
  const strange = drafts.find((row) => appField(entity, row.app_field) === null);
  if (strange !== undefined) {
    const detail = `mappings: there is no field "${strange.app_field}" on ${entity} to map to. Use one of crm_app_fields() or custom_fields.<name>.`;
    throw problem(422, "invalid_input", detail);
  }
  const replaced = new Set(drafts.map((row) => row.app_field));
  return [...saved.filter((row) => row.entity_type === entity && !replaced.has(row.app_field)), ...drafts];
}

function filterOf({ rules, mappings }: Setting, entity: EntityType): CrmFilter | undefined {
  const { sync_rules, crm_user } = rules.settings;
  return crmFilter(sync_rules, { entity, mappings, stages: rules.stages, currentUser: crm_user ?? null });
}

/** Of the records that were asked for: the ids that the CRM knows them by, and ours that it does not have. */
async function namedRecords(deps: MapperDeps, config: string, entity: EntityType, asked: readonly string[]) {
  const own = asked.filter((id) => UUID.test(id));
  const ours = own.length === 0 ? [] : await oursFor(deps.db, config, entity, { crm: [], ours: own });
  const linked = ours.flatMap(({ crm_id }) => crm_id ?? []);
  return {
    crmIds: [...new Set([...asked.filter((id) => !UUID.test(id)), ...linked])],
    unlinked: ours.filter(({ crm_id }) => crm_id === null),
  };
}

interface Source {
  session: CrmSession;
  crm: CrmProvider;
  entity: EntityType;
  view: Preview;
}

async function recordsOf({ session, crm, entity, view }: Source, ids: readonly string[]): Promise<CrmRecord[]> {
  return ids.length === 0 ? [] : crm.fetchRecords(session, { entity, ids, fields: view.crmFields });
}

async function firstRecords(source: Source, filter: CrmFilter | undefined, limit: number): Promise<CrmRecord[]> {
  const { session, crm, entity, view } = source;
  const request = { entity, fields: view.crmFields, since: null, pageSize: limit, ...(filter ? { filter } : {}) };
  const records: CrmRecord[] = [];
  let page = await crm.readPage(session, { ...request, cursor: null });
  records.push(...page.records);
  for (let pages = 1; pages < MOST_PAGES && records.length < limit && page.next !== null; pages += 1) {
    page = await crm.readPage(session, { ...request, cursor: page.next });
    records.push(...page.records);
  }
  return records.slice(0, limit);
}
