import { z } from "zod";
import type { Db } from "../types.ts";
import { parseOne } from "./rows.ts";

export interface OAuthBegin {
  actor: string;
  workspace: string;
  provider: string;
  environment: string;
  /** Hex SHA-256; the state itself is never stored. */
  stateHash: string;
  browserKeyHash: string;
  codeVerifier: string;
  returnUrl: string;
  redirectUri: string;
}

/** Answers when the state expires. */
export async function oauthBegin(db: Db, begin: OAuthBegin): Promise<Date> {
  const rows = await db.query(
    `select private.crm_oauth_begin($1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text,
                                    $9::text) as expires_at`,
    [
      begin.actor,
      begin.workspace,
      begin.provider,
      begin.environment,
      begin.stateHash,
      begin.browserKeyHash,
      begin.codeVerifier,
      begin.returnUrl,
      begin.redirectUri,
    ],
  );
  return parseOne(z.object({ expires_at: z.date() }), rows, "crm_oauth_begin").expires_at;
}

const peeked = z.object({ return_url: z.string(), provider: z.enum(["salesforce", "hubspot"]) });

/** For the browser's redirect: reads without using the state up. */
export async function oauthPeek(db: Db, stateHash: string): Promise<z.infer<typeof peeked>> {
  const rows = await db.query("select return_url, provider from private.crm_oauth_peek($1::text)", [stateHash]);
  return parseOne(peeked, rows, "crm_oauth_peek");
}

const consumed = z.object({
  workspace_id: z.string(),
  provider: z.enum(["salesforce", "hubspot"]),
  environment: z.enum(["production", "sandbox"]),
  code_verifier: z.string(),
  redirect_uri: z.string(),
  return_url: z.string(),
});

export type OAuthConsumed = z.infer<typeof consumed>;

export async function oauthConsume(
  db: Db,
  request: { actor: string; stateHash: string; browserKeyHash: string },
): Promise<OAuthConsumed> {
  const rows = await db.query(
    `select workspace_id, provider, environment, code_verifier, redirect_uri, return_url
       from private.crm_oauth_consume($1::uuid, $2::text, $3::text)`,
    [request.actor, request.stateHash, request.browserKeyHash],
  );
  return parseOne(consumed, rows, "crm_oauth_consume");
}
