import fc from "fast-check";
import { ENTITY_TYPES, type EntityType } from "../../../supabase/functions/_shared/crm/contract.ts";
import { type CrmName, ENTITIES } from "./fields.ts";
import { anyPick, type Deed, DOINGS, deed, edit, type Merging, mergeTwo, merging } from "./people.ts";
import type { Scene } from "./scene.ts";
import { type CrmSystem, MARKER } from "./systems.ts";

/** What somebody does in the middle of a run. A record that is due to go out is where it can hurt. */
export type Meddling =
  | Deed
  | ({ do: "merge" } & Merging)
  | { do: "edit_due"; where: "here" | "there"; pick: number; field: number };

export const meddling: fc.Arbitrary<Meddling> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("edit_due" as const),
      where: fc.constantFrom("here" as const, "there" as const, "there" as const),
      pick: anyPick,
      field: fc.nat({ max: 1 }),
    }),
  },
  { weight: 2, arbitrary: deed },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("merge" as const), ...merging }) },
);

/**
 * Called at the border of a step. `inHand`: ids of records of the CRM at which the worker has looked and which it has not
 * written yet. An edit there in just that moment may be overwritten (docs/decisions, "a look before each write"), so people
 * keep their hands off these.
 */
export type Meddler = (meddling: Meddling, inHand: ReadonlySet<string>) => Promise<void>;

export async function meddled(
  scene: Scene,
  system: CrmName,
  meddling: Meddling,
  inHand: ReadonlySet<string>,
): Promise<void> {
  const crms = { ...scene.crms, [system]: without(scene.crms[system], inHand) };
  const around = { ...scene, crms };
  if (meddling.do === "merge") return mergeTwo(around, meddling);
  if (meddling.do !== "edit_due") return DOINGS[meddling.do](around, meddling as never);
  const due = await dueMarkers(scene, system);
  const one = due[meddling.pick % Math.max(1, due.length)];
  if (one === undefined) return;
  const where = meddling.where === "here" ? around.app : crms[system];
  const row = (await where.list(one.entity)).find(({ marker }) => marker === one.marker);
  if (row !== undefined) await edit(around, { system: where.name, entity: one.entity, row, field: meddling.field });
}

function without(crm: CrmSystem, ids: ReadonlySet<string>): CrmSystem {
  return { ...crm, list: async (entity) => (await crm.list(entity)).filter(({ id }) => !ids.has(id)) };
}

/** Records of ours that the connection has yet to tell its CRM about. */
async function dueMarkers({ sql, configs }: Scene, system: CrmName): Promise<{ entity: EntityType; marker: string }[]> {
  const due = await Promise.all(
    ENTITY_TYPES.map(async (entity) => {
      const rows = await sql<{ marker: string }[]>`
        select t.${sql(MARKER[entity])} as marker
          from private.crm_outbox x join public.${sql(ENTITIES[entity].table)} t on t.id = x.record_id
         where x.config_id = ${configs[system]} and x.entity_type = ${entity} and t.deleted_at is null order by t.created_at, t.id`;
      return rows.map(({ marker }) => ({ entity, marker }));
    }),
  );
  return due.flat();
}
