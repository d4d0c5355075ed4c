import { z } from "zod";
import type { Db } from "../types.ts";
import type { OwnerRow } from "./merge.ts";
import { json, parseOne } from "./rows.ts";
import type { TokenSet } from "./tokens.ts";

export interface NewMapping {
  entity_type: string;
  crm_field: string;
  app_field: string;
  data_type: string;
  sync_direction: string;
  is_required: boolean;
  confidence: number;
  reason: string;
}

export interface NewStage {
  crm_pipeline_id: string;
  crm_stage_id: string;
  crm_stage_label: string;
  stage_key: string;
  crm_probability: number | null;
  position: number;
}

export interface ConnectRequest {
  actor: string;
  workspace: string;
  provider: string;
  environment: string;
  account: {
    external_account_id: string;
    external_account_name: string;
    instance_url: string;
    user_id: string;
    user_email: string | null;
    time_zone: string | null;
  };
  tokens: TokenSet;
  mappings: readonly NewMapping[];
  stages: readonly NewStage[];
  owners: readonly OwnerRow[];
}

/** The whole connection in one transaction. Connecting the same account again renews tokens and keeps the rest. */
export async function connect(db: Db, request: ConnectRequest): Promise<string> {
  const rows = await db.query(
    `select private.crm_connect($1::uuid, $2::uuid, $3::text, $4::text, $5::text::jsonb, $6::text::jsonb,
                                $7::text::jsonb, $8::text::jsonb, $9::text::jsonb) as config_id`,
    [
      request.actor,
      request.workspace,
      request.provider,
      request.environment,
      json(request.account),
      json(request.tokens),
      json(request.mappings),
      json(request.stages),
      json(request.owners),
    ],
  );
  return parseOne(z.object({ config_id: z.string() }), rows, "crm_connect").config_id;
}

const parting = z.object({ tokens: z.object({ refresh_token: z.string().nullish() }).loose().nullable() });

/** Answers the tokens that are still to be revoked at the CRM; the connection is already off here. */
export async function disconnect(
  db: Db,
  request: { actor: string; config: string },
): Promise<z.infer<typeof parting>["tokens"]> {
  const rows = await db.query("select private.crm_disconnect($1::uuid, $2::uuid) as tokens", [
    request.actor,
    request.config,
  ]);
  return parseOne(parting, rows, "crm_disconnect").tokens;
}

export async function forgetCredentials(db: Db, config: string): Promise<void> {
  await db.query("select private.crm_forget_credentials($1::uuid)", [config]);
}
