import { z } from "zod";
import type { Db } from "../types.ts";
import { shownMessage } from "./message.ts";
import { json, parseOne } from "./rows.ts";

const session = z.object({
  config_id: z.string(),
  workspace_id: z.string(),
  crm_provider: z.enum(["salesforce", "hubspot"]),
  environment: z.enum(["production", "sandbox"]),
  instance_url: z.string(),
  external_account_id: z.string(),
  access_token: z.string(),
  refresh_token: z.string().nullable(),
  expires_at: z.date().nullable(),
  version: z.number(),
});

export type StoredSession = z.infer<typeof session>;

export interface TokenSet {
  access_token: string;
  refresh_token: string | null;
  /** ISO, UTC. */
  expires_at: string | null;
  scopes: readonly string[];
}

export async function loadSession(db: Db, config: string): Promise<StoredSession> {
  const rows = await db.query(
    `select config_id, workspace_id, crm_provider, environment, instance_url, external_account_id, access_token,
            refresh_token, expires_at, version
       from private.crm_session($1::uuid)`,
    [config],
  );
  return parseOne(session, rows, "crm_session");
}

/** Compare-and-set: false when somebody stored newer tokens meanwhile. */
export async function storeTokens(db: Db, config: string, version: number, tokens: TokenSet): Promise<boolean> {
  const rows = await db.query("select private.crm_store_tokens($1::uuid, $2::integer, $3::text::jsonb) as stored", [
    config,
    version,
    json(tokens),
  ]);
  return parseOne(z.object({ stored: z.boolean() }), rows, "crm_store_tokens").stored;
}

/** One refresh at a time per connection over all workers; the lock goes with the transaction, or with a crash. */
export async function lockTokens(db: Db, config: string): Promise<void> {
  await db.query("select private.crm_lock_tokens($1::uuid)", [config]);
}

export async function connectionFailed(db: Db, config: string, reason: string): Promise<void> {
  await db.query("select private.crm_connection_failed($1::uuid, $2::text)", [config, shownMessage(reason)]);
}

export async function clientSecret(db: Db, provider: string): Promise<string> {
  const rows = await db.query("select private.crm_client_secret($1::text) as secret", [provider]);
  return parseOne(z.object({ secret: z.string() }), rows, "crm_client_secret").secret;
}

/** The client secret, and for a while the one before it. */
export async function signingSecrets(db: Db, provider: string): Promise<string[]> {
  const rows = await db.query("select private.crm_signing_secrets($1::text) as secrets", [provider]);
  return parseOne(z.object({ secrets: z.array(z.string()).nonempty() }), rows, "crm_signing_secrets").secrets;
}

export async function dispatchSecret(db: Db): Promise<string> {
  const rows = await db.query("select private.crm_dispatch_secret() as secret");
  return parseOne(z.object({ secret: z.string() }), rows, "crm_dispatch_secret").secret;
}

export async function healthSecret(db: Db): Promise<string> {
  const rows = await db.query("select private.health_secret() as secret");
  return parseOne(z.object({ secret: z.string() }), rows, "health_secret").secret;
}
