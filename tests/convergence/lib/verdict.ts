import { ENTITY_TYPES, type EntityType } from "../../../supabase/functions/_shared/crm/contract.ts";
import { type CrmName, comparable, ENTITIES } from "./fields.ts";
import type { Edit } from "./ledger.ts";
import { CRMS, type Scene } from "./scene.ts";
import type { Row } from "./systems.ts";

/** Runs in which what is left must come to rest. */
const MOST_RUNS = 16;

/** Syncs one CRM after the other until a run of each has written nothing. Answers how many runs it took. */
export async function untilQuiet(scene: Scene, sync: (name: CrmName) => Promise<unknown>): Promise<number> {
  let quiet = 0;
  for (let runs = 1; runs <= MOST_RUNS; runs += 1) {
    const before = await writes(scene);
    await sync(CRMS[runs % CRMS.length] ?? CRMS[0]);
    quiet = (await writes(scene)) === before ? quiet + 1 : 0;
    if (quiet === CRMS.length) return runs;
  }
  throw new Error(`Writes went on after ${MOST_RUNS} runs without any edit.`);
}

/** Record versions written so far, in both CRMs and here. */
async function writes({ sql, workspace, crms }: Scene): Promise<string> {
  const theirs = await Promise.all(CRMS.map((name) => crms[name].rowsWritten()));
  const [ours] = await sql<{ n: number }[]>`
    select count(*)::int as n from public.crm_activities where workspace_id = ${workspace} and activity_type <> 'note'`;
  return [...theirs, ours?.n].join(",");
}

/** Everything that is wrong at the end, in words. */
export async function faults(scene: Scene): Promise<string[]> {
  const found: string[] = [];
  for (const entity of ENTITY_TYPES) {
    const rows = await allRows(scene, entity);
    found.push(...doubles(scene, entity, rows), ...(await differences(scene, entity, rows)));
    found.push(...(await lost(scene, entity, rows)));
  }
  return [...found, ...(await refusals(scene))];
}

/** Nothing here is unfit for a CRM, so no record may be left out. */
async function refusals({ sql, workspace }: Scene): Promise<string[]> {
  const errors = await sql<{ entity_type: string; message: string }[]>`
    select entity_type, message from public.crm_sync_errors where workspace_id = ${workspace} and status in ('open', 'dead')`;
  return errors.map((error) => `${error.entity_type}: ${error.message}`);
}

type Rows = Record<"app" | CrmName, Row[]>;

async function allRows(scene: Scene, entity: EntityType): Promise<Rows> {
  return {
    app: await scene.app.list(entity),
    salesforce: await scene.crms.salesforce.list(entity),
    hubspot: await scene.crms.hubspot.list(entity),
  };
}

/** A record is nowhere twice, and everywhere once unless somebody removed or merged it. */
function doubles({ ledger }: Scene, entity: EntityType, rows: Rows): string[] {
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
async function differences(scene: Scene, entity: EntityType, rows: Rows): Promise<string[]> {
  const found: string[] = [];
  for (const name of CRMS) {
    const links = await scene.sql<Linked[]>`
      select l.crm_record_id, l.record_id, coalesce(k.conflicting_fields, '{}') as conflicting
        from private.crm_record_links l
        left join public.crm_sync_conflicts k
          on k.config_id = l.config_id and k.entity_type = l.entity_type and k.crm_record_id = l.crm_record_id and k.status = 'pending'
       where l.config_id = ${scene.configs[name]} and l.entity_type = ${entity} and l.crm_deleted_at is null`;
    for (const link of links) {
      const ours = rows.app.find((row) => row.id === link.record_id);
      const theirs = rows[name].find((row) => row.id === link.crm_record_id);
      if (ours === undefined || theirs === undefined) continue;
      for (const field of ENTITIES[entity].fields) {
        if (link.conflicting.includes(field.app) || ours.values[field.app] === theirs.values[field.app]) continue;
        found.push(
          `${entity} ${ours.marker} ${field.app}: "${ours.values[field.app]}" here, "${theirs.values[field.app]}" in ${name}`,
        );
      }
    }
  }
  return found;
}

/** An edit that nobody wrote over is somewhere: in a system, in a conflict, or in what a strategy is on record to have overruled. */
async function lost(scene: Scene, entity: EntityType, rows: Rows): Promise<string[]> {
  const standing = scene.ledger.standing().filter((edit) => edit.entity === entity);
  const shown = new Set(Object.values(rows).flatMap((list) => list.flatMap((row) => Object.values(row.values))));
  const missing = standing.filter((edit) => !shown.has(edit.value));
  const traced = await Promise.all(missing.map((edit) => onRecord(scene, edit)));
  return missing
    .filter((_, index) => !traced[index])
    .map((edit) => `${entity} ${edit.marker}: "${edit.value}" that ${edit.by} gave ${edit.field} is lost`);
}

async function onRecord({ sql, workspace }: Scene, edit: Edit): Promise<boolean> {
  const field = ENTITIES[edit.entity].fields.find((one) => one.app === edit.field);
  if (field === undefined) throw new Error(`${edit.entity} has no field ${edit.field}.`);
  const conflicts = await sql<{ app: unknown; crm: unknown }[]>`
    select app_data -> ${edit.field} as app, crm_data -> ${edit.field} as crm
      from public.crm_sync_conflicts where workspace_id = ${workspace} and entity_type = ${edit.entity}`;
  return conflicts.some(({ app, crm }) => [app, crm].some((value) => comparable(field.kind, value) === edit.value));
}
