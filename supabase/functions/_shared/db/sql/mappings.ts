import { z } from "zod";
import type { EntityType } from "../../crm/contract.ts";
import { traced } from "../trace.ts";
import type { CallerTrace, Db } from "../types.ts";
import type { NewMapping } from "./connections.ts";
import { json, parseOne, parseRow } from "./rows.ts";
import { connectionRules } from "./run.ts";

export type ConnectionRules = z.infer<typeof connectionRules>;

/** Mappings, stages and settings of a connection, as a run gets them. */
export async function rulesOf(db: Db, config: string): Promise<ConnectionRules> {
  const rows = await db.query("select mappings, stages, settings from private.crm_claim_settings($1::uuid)", [config]);
  return parseOne(connectionRules, rows, "crm_claim_settings");
}

/** As the user: policies decide, and the audit log knows who it was. Answers our fields that were free, and are mapped now. */
export function addMappings(
  db: Db,
  by: { user: string; caller: CallerTrace },
  config: string,
  mappings: readonly NewMapping[],
): Promise<string[]> {
  return traced(db, by.caller, (traceable) =>
    traceable.asUser({ sub: by.user }, async (tx) => {
      const added = await tx.query<{ app_field: string }>(
        `insert into public.crm_field_mappings
           (config_id, entity_type, crm_field, app_field, data_type, sync_direction, is_required, confidence, reason, position)
         select $1::uuid, m.entity_type, m.crm_field, m.app_field, m.data_type, m.sync_direction, m.is_required, m.confidence, m.reason,
           (select coalesce(max(o.position), 0) from public.crm_field_mappings o where o.config_id = $1::uuid) + row_number() over ()
           from jsonb_to_recordset($2::text::jsonb) as m (
             entity_type text, crm_field text, app_field text, data_type text, sync_direction text, is_required boolean,
             confidence numeric, reason text)
         on conflict (config_id, entity_type, app_field) do nothing
         returning app_field`,
        [config, json(mappings)],
      );
      return added.map((row) => row.app_field);
    }),
  );
}

const ourRecord = z.object({
  crm_id: z.string().nullable(),
  record_id: z.string(),
  name: z.string(),
  fields: z.record(z.string(), z.json()),
});

export type OurRecordRow = z.infer<typeof ourRecord>;

/** Records of ours beside those of the CRM: linked ones by either id, others by ours. */
export async function oursFor(
  db: Db,
  config: string,
  entity: EntityType,
  ids: { crm: readonly string[]; ours: readonly string[] },
): Promise<OurRecordRow[]> {
  const rows = await db.query(
    `select crm_id, record_id, name, fields
       from private.crm_preview_ours($1::uuid, $2::text, array(select jsonb_array_elements_text($3::text::jsonb)),
              array(select jsonb_array_elements_text($4::text::jsonb)::uuid))`,
    [config, entity, json(ids.crm), json(ids.ours)],
  );
  return rows.map((row) => parseRow(ourRecord, row, "crm_preview_ours"));
}
