import fc from "fast-check";
import { ENTITY_TYPES, type EntityType } from "../../../supabase/functions/_shared/crm/contract.ts";
import { ENTITIES, nthValue, type SystemName } from "./fields.ts";
import { type Scene, systemOf } from "./scene.ts";
import type { Row, System } from "./systems.ts";

/** What a person does in a system. `pick` chooses among the records there are, so every deed is possible on every state. */
export type Deed =
  | { do: "create"; system: SystemName; entity: EntityType; field: number }
  | { do: "edit"; system: SystemName; entity: EntityType; pick: number; field: number }
  | { do: "remove"; system: SystemName; entity: EntityType; pick: number };

export const anyEntity = fc.constantFrom(...ENTITY_TYPES);
export const anyPick = fc.nat({ max: 50 });
const system = fc.constantFrom<SystemName>("app", "app", "salesforce", "hubspot");
const field = fc.nat({ max: 1 });

/** How often people do what, among everything that happens. */
export const DEEDS = [
  { weight: 5, arbitrary: fc.record({ do: fc.constant("create" as const), system, entity: anyEntity, field }) },
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constant("edit" as const), system, entity: anyEntity, pick: anyPick, field }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), system, entity: anyEntity, pick: anyPick }) },
];

export const deed: fc.Arbitrary<Deed> = fc.oneof(...DEEDS);

type Doings = { [D in Deed["do"]]: (scene: Scene, deed: Extract<Deed, { do: D }>) => Promise<void> };

export const DOINGS: Doings = {
  async create(scene, { system, entity, field }) {
    const number = scene.ledger.next();
    const marker = `${entity.slice(0, 1)}${number}-${scene.workspace.slice(0, 8)}`;
    const chosen = fieldOf(entity, field);
    const value = nthValue(chosen.kind, number);
    await systemOf(scene, system).create(entity, marker, chosen, value);
    scene.ledger.edited({ entity, marker, field: chosen.app, value, by: system }, null);
  },
  async edit(scene, { system, entity, pick, field }) {
    const row = await chosenRow(systemOf(scene, system), entity, pick);
    if (row === null) return;
    const chosen = fieldOf(entity, field);
    const value = nthValue(chosen.kind, scene.ledger.next());
    await systemOf(scene, system).edit(entity, row.id, chosen, value);
    scene.ledger.edited(
      { entity, marker: row.marker, field: chosen.app, value, by: system },
      row.values[chosen.app] ?? null,
    );
  },
  async remove(scene, { system, entity, pick }) {
    const row = await chosenRow(systemOf(scene, system), entity, pick);
    if (row === null) return;
    await systemOf(scene, system).remove(entity, row.id);
    scene.ledger.removed(row.marker, row.values);
  },
};

export async function act(scene: Scene, deeds: readonly Deed[]): Promise<void> {
  for (const one of deeds) await DOINGS[one.do](scene, one as never);
}

function fieldOf(entity: EntityType, field: number) {
  const { fields } = ENTITIES[entity];
  const chosen = fields[field % fields.length];
  if (chosen === undefined) throw new Error(`${entity} has no fields to edit.`);
  return chosen;
}

export async function chosenRow(system: System, entity: EntityType, pick: number): Promise<Row | null> {
  const rows = await system.list(entity);
  return rows[pick % Math.max(1, rows.length)] ?? null;
}
