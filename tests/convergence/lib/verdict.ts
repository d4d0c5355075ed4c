import { ENTITY_TYPES, type EntityType } from "../../../supabase/functions/_shared/crm/contract.ts";
import { comparable, type CrmName, ENTITIES } from "./fields.ts";
import type { Edit } from "./ledger.ts";
import { CRMS, type Stage } from "./play.ts";
import { runConnection } from "./run.ts";
import type { Row } from "./systems.ts";

/** Rounds over both CRMs in which what is left must come to rest. */
const ROUNDS = 8;

/** Lets everything settle without trouble. Answers how many rounds it took until nobody wrote anything any more. */
export async function settle(stage: Stage): Promise<number> {
  for (const name of CRMS) {
    stage.bed.mocks[name].control.knobs({ next429: 0, errorRate: 0, lostReplyRate: 0, searchLagMs: 0, clockOffsetMs: 0 });
  }
  for (let round = 1; round <= ROUNDS; round += 1) {
    const before = await writes(stage);
    for (const name of CRMS) await runConnection(stage.bed, { config: stage.configs[name], random: stage.random, deaths: [] });
    if ((await writes(stage)) === before) return round;
  }
  throw new Error(`Writes went on after ${ROUNDS} rounds without any edit.`);
}

/** Record versions written so far, in both CRMs and here. */
async function writes({ bed, workspace }: Stage): Promise<string> {
  const theirs = CRMS.map((name) => bed.mocks[name].control.counters().rows_written);
  const [ours] = await bed.sql<{ n: number }[]>`
    select count(*)::int as n from public.crm_activities where workspace_id = ${workspace} and activity_type <> 'note'`;
  return [...theirs, ours?.n].join(",");
}

/** Everything that is wrong at the end, in words. */
export async function faults(stage: Stage): Promise<string[]> {
  const found: string[] = [];
  for (const entity of ENTITY_TYPES) {
    const rows = await allRows(stage, entity);
    found.push(...doubles(stage, entity, rows), ...(await differences(stage, entity, rows)));
    found.push(...(await lost(stage, entity, rows)));
  }
  return [...found, ...(await refusals(stage))];
}

/** Nothing here is unfit for a CRM, so no record may be left out. */
async function refusals({ bed, workspace }: Stage): Promise<string[]> {
  const errors = await bed.sql<{ entity_type: string; message: string }[]>`
    select entity_type, message from public.crm_sync_errors where workspace_id = ${workspace} and status in ('open', 'dead')`;
  return errors.map((error) => `${error.entity_type}: ${error.message}`);
}

type Rows = Record<"app" | CrmName, Row[]>;

async function allRows(stage: Stage, entity: EntityType): Promise<Rows> {
  return {
    app: await stage.app.list(entity),
    salesforce: await stage.crms.salesforce.list(entity),
    hubspot: await stage.crms.hubspot.list(entity),
  };
}

/** A record is nowhere twice, and everywhere once unless somebody removed or merged it. */
function doubles({ ledger }: Stage, entity: EntityType, rows: Rows): string[] {
  const markers = new Set(ledger.edits.filter((edit) => edit.entity === entity).map((edit) => edit.marker));
  return [...markers].flatMap((marker) =>
    Object.entries(rows).flatMap(([system, list]) => {
      const count = list.filter((row) => row.marker === marker).length;
      if (count > 1) return [`${entity} ${marker} is in ${system} ${count} times`];
      return count === 0 && !ledger.touchy.has(marker) ? [`${entity} ${marker} is not in ${system}`] : [];
    }),
  );
}

interface Linked {
  crm_record_id: string;
  record_id: string;
  conflicting: string[];
}

/** Linked records agree on every field that no pending conflict names. */
async function differences(stage: Stage, entity: EntityType, rows: Rows): Promise<string[]> {
  const found: string[] = [];
  for (const name of CRMS) {
    const links = await stage.bed.sql<Linked[]>`
      select l.crm_record_id, l.record_id, coalesce(k.conflicting_fields, '{}') as conflicting
        from private.crm_record_links l
        left join public.crm_sync_conflicts k
          on k.config_id = l.config_id and k.entity_type = l.entity_type and k.crm_record_id = l.crm_record_id and k.status = 'pending'
       where l.config_id = ${stage.configs[name]} and l.entity_type = ${entity} and l.crm_deleted_at is null`;
    for (const link of links) {
      const ours = rows.app.find((row) => row.id === link.record_id);
      const theirs = rows[name].find((row) => row.id === link.crm_record_id);
      if (ours === undefined || theirs === undefined) continue;
      for (const field of ENTITIES[entity].fields) {
        if (link.conflicting.includes(field.app) || ours.values[field.app] === theirs.values[field.app]) continue;
        found.push(`${entity} ${ours.marker} ${field.app}: "${ours.values[field.app]}" here, "${theirs.values[field.app]}" in ${name}`);
      }
    }
  }
  return found;
}

/** An edit that nobody wrote over is somewhere: in a system, in a conflict, or in what a strategy is on record to have overruled. */
async function lost(stage: Stage, entity: EntityType, rows: Rows): Promise<string[]> {
  const standing = stage.ledger.standing().filter((edit) => edit.entity === entity);
  const shown = new Set(Object.values(rows).flatMap((list) => list.flatMap((row) => Object.values(row.values))));
  const missing = standing.filter((edit) => !shown.has(edit.value));
  const traced = await Promise.all(missing.map((edit) => onRecord(stage, edit)));
  return missing
    .filter((_, index) => !traced[index])
    .map((edit) => `${entity} ${edit.marker}: "${edit.value}" that ${edit.by} gave ${edit.field} is lost`);
}

async function onRecord({ bed, workspace }: Stage, edit: Edit): Promise<boolean> {
  const field = ENTITIES[edit.entity].fields.find((one) => one.app === edit.field);
  if (field === undefined) throw new Error(`${edit.entity} has no field ${edit.field}.`);
  const conflicts = await bed.sql<{ app: unknown; crm: unknown }[]>`
    select app_data -> ${edit.field} as app, crm_data -> ${edit.field} as crm
      from public.crm_sync_conflicts where workspace_id = ${workspace} and entity_type = ${edit.entity}`;
  return conflicts.some(({ app, crm }) => [app, crm].some((value) => comparable(field.kind, value) === edit.value));
}
