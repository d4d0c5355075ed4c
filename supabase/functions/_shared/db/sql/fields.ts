import { z } from "zod";
import type { CrmField, EntityType } from "../../crm/contract.ts";
import type { Db } from "../types.ts";
import { dataType } from "./dataType.ts";
import { json, parseRow } from "./rows.ts";

const fieldRow = z.object({
  name: z.string(),
  label: z.string(),
  type: dataType,
  crm_type: z.string(),
  required: z.boolean(),
  read_only: z.boolean(),
  custom: z.boolean(),
  options: z.array(z.object({ value: z.string(), label: z.string() })).nullable(),
  max_length: z.number().nullable(),
});

/** A row of crm_available_fields, and what a client sees of a field. */
export type FieldRow = z.infer<typeof fieldRow>;

export interface KeptFields {
  rows: FieldRow[];
  /** When the CRM was asked last; null: never. */
  refreshedAt: Date | null;
}

/** What the CRM has just described takes the place of what it described before. */
export async function keepFields(
  db: Db,
  config: string,
  entity: EntityType,
  fields: readonly CrmField[],
): Promise<void> {
  await db.query("select private.crm_keep_fields($1::uuid, $2::text, $3::text::jsonb)", [
    config,
    entity,
    json(fields.map(fieldRowOf)),
  ]);
}

export async function keptFields(db: Db, config: string, entity: EntityType): Promise<KeptFields> {
  const rows = await db.query<{ refreshed_at: Date }>(
    `select name, label, type, crm_type, required, read_only, custom, options, max_length, refreshed_at
       from public.crm_available_fields
      where config_id = $1::uuid and entity_type = $2::text
      order by position, name`,
    [config, entity],
  );
  return {
    rows: rows.map((row) => parseRow(fieldRow, row, "crm_available_fields")),
    refreshedAt: rows[0]?.refreshed_at ?? null,
  };
}

export function fieldRowOf({
  name,
  label,
  type,
  crmType,
  required,
  readOnly,
  custom,
  options,
  maxLength,
}: CrmField): FieldRow {
  return {
    name,
    label,
    type,
    crm_type: crmType,
    required,
    read_only: readOnly,
    custom,
    options: options ?? null,
    max_length: maxLength ?? null,
  };
}

export function fromRow(row: FieldRow): CrmField {
  const { name, label, type, required, custom, options, max_length: maxLength } = row;
  return {
    name,
    label,
    type,
    crmType: row.crm_type,
    required,
    readOnly: row.read_only,
    custom,
    ...(options === null ? {} : { options }),
    ...(maxLength === null ? {} : { maxLength }),
  };
}
