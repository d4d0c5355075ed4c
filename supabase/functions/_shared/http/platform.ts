import { z } from "zod";
import { type Env, required, SettingsError } from "../settings.ts";

export interface PlatformSettings {
  supabaseUrl: string;
  databaseUrl: string;
  publishableKey: string;
}

const keys = z.object({ default: z.string().min(1) });

/** What the platform gives every function. */
export function platformSettings(env: Env): PlatformSettings {
  return {
    supabaseUrl: required(env, "SUPABASE_URL").replace(/\/+$/, ""),
    databaseUrl: required(env, "SUPABASE_DB_URL"),
    publishableKey: publishableKey(env),
  };
}

/** New projects have SUPABASE_PUBLISHABLE_KEYS, a JSON object by name; older ones the anon key only. */
function publishableKey(env: Env): string {
  const { SUPABASE_PUBLISHABLE_KEYS: json, SUPABASE_ANON_KEY: legacy } = env;
  if (json) return keys.parse(JSON.parse(json)).default;
  if (legacy) return legacy;
  throw new SettingsError(
    "Neither SUPABASE_PUBLISHABLE_KEYS nor SUPABASE_ANON_KEY is set; the platform normally sets both.",
  );
}
