import { type Env, endpoint, required } from "../settings.ts";

export interface WebhookSettings {
  /** Address of this function as the CRMs know it, without a slash at the end. */
  publicUrl: string;
  /** Tells our own writes from those of others; null: nobody said. */
  hubspotAppId: string | null;
}

export function webhookSettings(env: Env): WebhookSettings {
  const own = `${required(env, "SUPABASE_URL").replace(/\/+$/, "")}/functions/v1/crm-webhook`;
  return {
    publicUrl: endpoint(env, "CRM_WEBHOOK_PUBLIC_URL", own),
    hubspotAppId: env.HUBSPOT_APP_ID?.trim() || null,
  };
}
