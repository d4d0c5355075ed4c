import { z } from "zod";
import { parseOne, parseRow } from "../db/sql/rows.ts";
import type { Db } from "../db/types.ts";
import type { User } from "../http/auth.ts";

const connectionRow = z.object({
  id: z.string(),
  crm_provider: z.enum(["salesforce", "hubspot"]),
  environment: z.enum(["production", "sandbox"]),
  status: z.string(),
});

export type ConnectionRow = z.infer<typeof connectionRow>;

/** The connection, if this user has that role in its workspace; the database decides and explains. */
export async function connectionFor(
  db: Db,
  user: User,
  configId: string,
  role: "member" | "admin",
): Promise<ConnectionRow> {
  const [row] = await db.query<{ workspace_id: string }>(
    "select workspace_id, id, crm_provider, environment, status from public.crm_sync_configs where id = $1::uuid",
    [configId],
  );
  // Also without a row: the answer must not tell which connections of strangers exist.
  await db.query("select private.require_role($1::uuid, $2::text, $3::uuid)", [
    row?.workspace_id ?? null,
    role,
    user.id,
  ]);
  return parseRow(connectionRow, row, "crm_sync_configs");
}

/** The connection as its own people see it: through row level security. */
export function shownConnection(db: Db, user: User, configId: string): Promise<Record<string, unknown>> {
  return db.asUser({ sub: user.id }, async (tx) => {
    const rows = await tx.query(
      `select id, workspace_id, crm_provider, name, environment, external_account_id, external_account_name,
              oauth_instance_url, oauth_user_email, sync_direction, sync_frequency, sync_entities, conflict_resolution,
              status, status_reason, is_active, created_at, updated_at
         from public.crm_sync_configs
        where id = $1::uuid`,
      [configId],
    );
    return parseOne(z.record(z.string(), z.unknown()), rows, "crm_sync_configs");
  });
}
