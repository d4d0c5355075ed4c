import type { CrmField, EntityType } from "../crm/contract.ts";
import type { MappingRow } from "./mapping/plan.ts";
import { sourceParts } from "./mapping/source.ts";
import { CRM_NAMES } from "./names.ts";
import type { Slice } from "./slice.ts";

/** Fields that mappings name and the CRM does not describe. */
export function missingFields(rows: readonly MappingRow[], fields: readonly CrmField[]): string[] {
  const known = new Set(fields.map(({ name }) => name));
  const named = rows.flatMap((row) => sourceParts(row.crm_field).map(({ field }) => field));
  return [...new Set(named)].filter((name) => !known.has(name));
}

/** A mapped field that is gone from the CRM: everything else goes on, and somebody should know. */
export async function noteMissing(slice: Slice, entity: EntityType, names: readonly string[]): Promise<void> {
  const { deps, run, claim } = slice;
  for (const name of names) {
    slice.partial = true;
    const ours = claim.mappings.filter((row) => row.entity_type === entity && maps(row, name));
    const message = `${CRM_NAMES[claim.crm_provider]} no longer has the field ${name}, or hides it from the user who connected. Its mapping to ${ours.map((row) => row.app_field).join(", ")} is passed over, and the values here stay as they are; remove or change the mapping.`;
    await deps.store.noteError(run, { entity, kind: "rejected", code: `missing_field:${name}`, message });
  }
}

function maps(row: MappingRow, name: string): boolean {
  return sourceParts(row.crm_field).some(({ field }) => field === name);
}
