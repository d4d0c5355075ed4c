/** The function's environment, as it is. */
export type Env = Readonly<Record<string, string | undefined>>;

/** Whoever deploys left something out. The message is safe to show and says what to set. */
export class SettingsError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "SettingsError";
  }
}

/** The value of a setting that must be there. */
export function required(env: Env, name: string): string {
  const value = env[name]?.trim();
  if (value === undefined || value === "") {
    throw new SettingsError(`${name} is not set. Set it with \`supabase secrets set ${name}=…\` and try again.`);
  }
  return value;
}

/** An absolute http(s) address without a trailing slash. */
export function endpoint(env: Env, name: string, fallback: string): string {
  const value = env[name]?.trim() || fallback;
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol)) {
    throw new SettingsError(`${name} is not a web address: "${value}". Set it to something like ${fallback}.`);
  }
  return value.replace(/\/+$/, "");
}
