import { type ConnectionRow, connectionFor } from "../connect/access.ts";
import type { EntityType } from "../crm/contract.ts";
import { type KeptFields, keepFields, keptFields } from "../db/sql/fields.ts";
import type { User } from "../http/auth.ts";
import type { MapperDeps } from "./deps.ts";
import type { FieldsInput } from "./schemas.ts";

export async function availableFields(deps: MapperDeps, user: User, input: FieldsInput) {
  const connection = await connectionFor(deps.db, user, input.config_id, input.refresh ? "admin" : "member");
  const { rows, refreshedAt } = input.refresh
    ? await refreshFields(deps, connection, input.entity_type)
    : await fieldsOf(deps, connection, input.entity_type);
  return { entity_type: input.entity_type, fields: rows, refreshed_at: refreshedAt };
}

/** As the CRM described them last; asked now where it never was. */
export async function fieldsOf(deps: MapperDeps, connection: ConnectionRow, entity: EntityType): Promise<KeptFields> {
  const kept = await keptFields(deps.db, connection.id, entity);
  return kept.refreshedAt === null ? refreshFields(deps, connection, entity) : kept;
}

async function refreshFields(deps: MapperDeps, connection: ConnectionRow, entity: EntityType): Promise<KeptFields> {
  const { id, crm_provider: provider } = connection;
  const fields = await deps.withSession({ id, provider }, (session, crm) => crm.describe(session, entity));
  await keepFields(deps.db, id, entity, fields);
  return keptFields(deps.db, id, entity);
}
