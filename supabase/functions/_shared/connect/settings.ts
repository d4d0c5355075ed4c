import { type Env, endpoint, required, SettingsError } from "../settings.ts";

export interface ConnectSettings {
  /** The redirect address that is registered with the CRM's app. */
  redirectUri: string;
  /** Where a browser may be sent back to, as origin and path prefix. */
  returnUrls: readonly string[];
}

export function connectSettings(env: Env): ConnectSettings {
  const own = `${required(env, "SUPABASE_URL").replace(/\/+$/, "")}/functions/v1/crm-oauth/callback`;
  return {
    redirectUri: endpoint(env, "CRM_OAUTH_REDIRECT_URL", own),
    returnUrls: (env.CRM_ALLOWED_RETURN_URLS ?? "")
      .split(",")
      .map(readReturnUrl)
      .filter((url) => url !== ""),
  };
}

function readReturnUrl(entry: string): string {
  const text = entry.trim();
  if (text === "" || URL.canParse(text)) return text;
  throw new SettingsError(`CRM_ALLOWED_RETURN_URLS has an entry that is no web address: "${text}".`);
}
