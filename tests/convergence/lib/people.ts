import fc from "fast-check";
import { ENTITY_TYPES, type EntityType } from "../../../supabase/functions/_shared/crm/contract.ts";
import { type CrmName, ENTITIES, nthValue, type SystemName } from "./fields.ts";
import { type Scene, systemOf } from "./scene.ts";
import type { Row, System } from "./systems.ts";

/** What a person does in a system. `pick` chooses among the records there are, so every deed is possible on every state. */
export type Deed =
  | { do: "create"; system: SystemName; entity: EntityType; field: number; under: number | null }
  | { do: "edit"; system: SystemName; entity: EntityType; pick: number; field: number }
  | { do: "remove"; system: SystemName; entity: EntityType; pick: number };

export const anyEntity = fc.constantFrom(...ENTITY_TYPES);
export const anyPick = fc.nat({ max: 50 });
const system = fc.constantFrom<SystemName>("app", "app", "salesforce", "hubspot");
const field = fc.nat({ max: 1 });

/** How often people do what, among everything that happens. */
export const DEEDS = [
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("create" as const),
      system,
      entity: anyEntity,
      field,
      under: fc.option(anyPick, { freq: 2 }),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constant("edit" as const), system, entity: anyEntity, pick: anyPick, field }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), system, entity: anyEntity, pick: anyPick }) },
];

export const deed: fc.Arbitrary<Deed> = fc.oneof(...DEEDS);

type Doings = { [D in Deed["do"]]: (scene: Scene, deed: Extract<Deed, { do: D }>) => Promise<void> };

export const DOINGS: Doings = {
  async create(scene, { system, entity, field, under }) {
    const place = systemOf(scene, system);
    const company = entity === "contacts" && under !== null ? await chosenRow(place, "accounts", under) : null;
    const number = scene.ledger.next();
    const marker = `${entity.slice(0, 1)}${number}-${scene.workspace.slice(0, 8)}`;
    const chosen = fieldOf(entity, field);
    const value = nthValue(chosen.kind, number);
    await place.create(entity, { marker, field: chosen, value, companyId: company?.id ?? null });
    if (company !== null) scene.ledger.under(marker, company.marker);
    scene.ledger.edited({ entity, marker, field: chosen.app, value, by: system }, null);
  },
  async edit(scene, { system, entity, pick, field }) {
    const row = await chosenRow(systemOf(scene, system), entity, pick);
    if (row !== null) await edit(scene, { system, entity, row, field });
  },
  async remove(scene, { system, entity, pick }) {
    const row = await chosenRow(systemOf(scene, system), entity, pick);
    if (row === null) return;
    await systemOf(scene, system).remove(entity, row.id);
    scene.ledger.removed(row.marker, system);
  },
};

export interface RowEdit {
  system: SystemName;
  entity: EntityType;
  row: Row;
  field: number;
}

export async function edit(scene: Scene, { system, entity, row, field }: RowEdit): Promise<void> {
  const chosen = fieldOf(entity, field);
  const value = nthValue(chosen.kind, scene.ledger.next());
  await systemOf(scene, system).edit(entity, row.id, chosen, value);
  const by = { entity, marker: row.marker, field: chosen.app, value, by: system };
  scene.ledger.edited(by, row.values[chosen.app] ?? null);
}

/** Two records of a CRM become one there. */
export interface Merging {
  system: CrmName;
  entity: "accounts" | "contacts";
  pick: number;
  other: number;
}

export const merging = {
  system: fc.constantFrom<CrmName>("salesforce", "hubspot"),
  entity: fc.constantFrom("accounts" as const, "contacts" as const),
  pick: anyPick,
  other: anyPick,
};

export async function mergeTwo({ crms, ledger }: Scene, { system, entity, pick, other }: Merging): Promise<void> {
  const winner = await chosenRow(crms[system], entity, pick);
  const loser = await chosenRow(crms[system], entity, other);
  if (winner === null || loser === null || winner.id === loser.id) return;
  await crms[system].merge(entity, winner.id, loser.id);
  for (const row of [winner, loser]) ledger.removed(row.marker, system);
}

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
