import { ENTITY_TYPES, type EntityType } from "../../../supabase/functions/_shared/crm/contract.ts";
import { type CrmName, comparable, ENTITIES } from "./fields.ts";
import type { Edit } from "./ledger.ts";
import { CRMS, type Scene } from "./scene.ts";
import { MARKER, type Row } from "./systems.ts";

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
    found.push(...(await deletions(scene, entity, rows)));
    found.push(...(await lost(scene, entity, rows)), ...(await returned(scene, entity, rows)));
  }
  return [...found, ...(await refusals(scene)), ...(await unsent(scene))];
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
      return count === 0 && !ledger.isTouchy(marker) ? [`${entity} ${marker} is not in ${system}`] : [];
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
  const companies = await allRows(scene, "accounts");
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
      found.push(...astray(companies, name, ours, theirs).filter(() => !link.conflicting.includes("$company")));
    }
  }
  return found;
}

/** A contact belongs to the same company on both sides, as far as both sides have that company. */
function astray(companies: Rows, name: CrmName, ours: Row, theirs: Row): string[] {
  const isOnBoth = (marker: string | null) =>
    marker === null || [companies.app, companies[name]].every((list) => list.some((row) => row.marker === marker));
  if (ours.company === theirs.company || ![ours.company, theirs.company].every(isOnBoth)) return [];
  return [`contacts ${ours.marker}: of company "${ours.company}" here, of "${theirs.company}" in ${name}`];
}

interface LinkEnd {
  crm_record_id: string;
  marker: string;
  is_live_here: boolean;
  deleted_by: string | null;
  merged_into: string | null;
  removes_here: boolean;
  removes_there: boolean;
}

/** What was deleted on one side is known on the other, and goes there too where the connection says so. */
async function deletions(scene: Scene, entity: EntityType, rows: Rows): Promise<string[]> {
  const { sql, configs, ledger } = scene;
  const found: string[] = [];
  for (const name of CRMS) {
    const ends = await sql<LinkEnd[]>`
      select l.crm_record_id, t.${sql(MARKER[entity])} as marker, t.deleted_at is null as is_live_here, l.deleted_by, l.merged_into,
             coalesce((c.sync_rules ->> 'delete_when_deleted')::boolean, false) as removes_here,
             coalesce((c.sync_rules ->> 'delete_in_crm')::boolean, false) as removes_there
        from private.crm_record_links l
        join public.crm_sync_configs c on c.id = l.config_id
        join public.${sql(ENTITIES[entity].table)} t on t.id = l.record_id
       where l.config_id = ${configs[name]} and l.entity_type = ${entity}`;
    for (const end of ends) {
      const isLinked = end.deleted_by === null && end.merged_into === null;
      const isLiveThere = rows[name].some((row) => row.id === end.crm_record_id);
      const others = [...ledger.removers(end.marker)].some((by) => by !== name);
      const told = (what: string) => found.push(`${entity} ${end.marker}: ${what}`);
      if (isLinked && !isLiveThere) told(`nobody noticed that it is gone from ${name}`);
      // What a person brought back on one side stays there, and on the other as that side left it.
      if (ledger.wasRestored(end.marker)) continue;
      if (isLinked && isLiveThere && !end.is_live_here && end.removes_there) told(`deleted here, still in ${name}`);
      if (isLinked && isLiveThere && !end.is_live_here && !others)
        told(`deleted here, although only ${name} had removed it`);
      const cameOver = end.deleted_by === "crm" && end.merged_into === null;
      if (cameOver && end.removes_here && end.is_live_here) told(`deleted in ${name}, still here`);
    }
  }
  return found;
}

/** Nothing is left in an outbox once all is quiet. */
async function unsent({ sql, configs }: Scene): Promise<string[]> {
  const rows = await sql<{ entity_type: string; record_id: string }[]>`
    select entity_type, record_id from private.crm_outbox where config_id = any (${Object.values(configs)})`;
  return rows.map((row) => `${row.entity_type}: record ${row.record_id} is still to be sent`);
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

/** A value that somebody wrote over stays away, unless a strategy is on record to have preferred it to another. */
async function returned(scene: Scene, entity: EntityType, rows: Rows): Promise<string[]> {
  const shown = new Set(Object.values(rows).flatMap((list) => list.flatMap((row) => Object.values(row.values))));
  const back = scene.ledger.outdated().filter((edit) => edit.entity === entity && shown.has(edit.value));
  const traced = await Promise.all(back.map((edit) => onRecord(scene, edit)));
  return back
    .filter((_, index) => !traced[index])
    .map((edit) => `${entity} ${edit.marker}: "${edit.value}" in ${edit.field} is back although somebody replaced it`);
}

async function onRecord({ sql, workspace }: Scene, edit: Edit): Promise<boolean> {
  const field = ENTITIES[edit.entity].fields.find((one) => one.app === edit.field);
  if (field === undefined) throw new Error(`${edit.entity} has no field ${edit.field}.`);
  const conflicts = await sql<{ app: unknown; crm: unknown }[]>`
    select app_data -> ${edit.field} as app, crm_data -> ${edit.field} as crm
      from public.crm_sync_conflicts where workspace_id = ${workspace} and entity_type = ${edit.entity}`;
  return conflicts.some(({ app, crm }) => [app, crm].some((value) => comparable(field.kind, value) === edit.value));
}
