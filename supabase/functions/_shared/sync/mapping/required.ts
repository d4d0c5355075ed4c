import type { CrmField, EntityType } from "../../crm/contract.ts";
import { APP_FIELDS } from "../appFields.ts";
import { IDENTITY, type MappingRow } from "./plan.ts";
import { sourceParts } from "./source.ts";

export interface Unmapped {
  /** Whose field it is. */
  side: "crm" | "app";
  field: string;
}

type Row = Pick<MappingRow, "entity_type" | "crm_field" | "app_field" | "sync_direction">;

/** What a new record cannot do without and no mapping fills. crm_unmapped_required_fields says the same of saved mappings. */
export function unmappedRequired(entity: EntityType, fields: readonly CrmField[], rows: readonly Row[]): Unmapped[] {
  const ways = (...directions: Row["sync_direction"][]) =>
    rows.filter((row) => row.entity_type === entity && directions.includes(row.sync_direction));
  const sent = new Set(
    ways("push", "bidirectional").flatMap((row) => sourceParts(row.crm_field).map(({ field }) => field)),
  );
  const read = new Set(ways("pull", "bidirectional").map((row) => row.app_field));
  const theirs = fields.filter((field) => field.required && !field.readOnly && !sent.has(field.name));
  return [
    ...theirs.map((field): Unmapped => ({ side: "crm", field: field.name })),
    ...ourRequired(entity)
      .filter((either) => !either.some((name) => read.has(name)))
      .map(([name]): Unmapped => ({ side: "app", field: name })),
  ];
}

/** Of each list one is enough. */
function ourRequired(entity: EntityType): (readonly [string, ...string[]])[] {
  if (entity === "contacts") return [IDENTITY];
  const columns = Object.entries(APP_FIELDS[entity]);
  return columns.filter(([, column]) => column.required).map(([name]): [string] => [name]);
}
