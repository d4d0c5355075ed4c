import { z } from "zod";
import type { WebhookEvent } from "../../crm/webhook.ts";
import type { Db } from "../types.ts";
import { json, parseOne } from "./rows.ts";

const counts = z.record(z.string(), z.number());

export async function acceptWebhook(
  db: Db,
  provider: string,
  events: readonly WebhookEvent[],
): Promise<Record<string, number>> {
  const rows = await db.query("select private.crm_accept_webhook($1::text, $2::text::jsonb) as counts", [
    provider,
    json(events.map(asRow)),
  ]);
  return parseOne(z.object({ counts }), rows, "crm_accept_webhook").counts;
}

/** null: no connection has this address and this organisation. */
export async function acceptOutboundMessage(
  db: Db,
  secret: string,
  organization: string,
  events: readonly WebhookEvent[],
): Promise<Record<string, number> | null> {
  const rows = await db.query(
    "select private.crm_accept_outbound_message($1::text, $2::text, $3::text::jsonb) as counts",
    [secret, organization, json(events.map(asRow))],
  );
  return parseOne(z.object({ counts: counts.nullable() }), rows, "crm_accept_outbound_message").counts;
}

function asRow({ key, account, entity, crmIds, reason }: WebhookEvent) {
  return { key, account, entity, crm_ids: crmIds, reason };
}
