import { createSecretKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { SignJWT } from "jose";
import { databaseUrl, LOCAL_KEYS } from "../settings.ts";

/** Settings of the machine that a program needs to reach the network; nothing else of our environment leaks in. */
const PASSED_ON = [
  "HOME",
  "PATH",
  "TMPDIR",
  "DENO_CERT",
  "DENO_TLS_CA_STORE",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "NPM_CONFIG_REGISTRY",
];

export interface EnvironmentOptions {
  projectRoot: string;
  apiUrl: string;
  dbPort: number;
  extra: Record<string, string>;
}

/** What every function sees, as on hosted: the SUPABASE_ variables, supabase/functions/.env, then the caller's additions. */
export async function functionEnvironment(options: EnvironmentOptions): Promise<Record<string, string>> {
  const { publishableKey, secretKey } = LOCAL_KEYS;
  const machine = Object.fromEntries(
    PASSED_ON.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
  );
  return {
    ...machine,
    TZ: "UTC",
    DENO_DIR: path.join(options.projectRoot, "node_modules", ".cache", "deno"),
    DENO_NO_UPDATE_CHECK: "1",
    NO_COLOR: "1",
    SUPABASE_URL: options.apiUrl,
    SUPABASE_DB_URL: databaseUrl("postgres", options.dbPort),
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: publishableKey }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: secretKey }),
    SUPABASE_JWKS: JSON.stringify({ keys: [] }),
    SUPABASE_ANON_KEY: await legacyKey("anon"),
    SUPABASE_SERVICE_ROLE_KEY: await legacyKey("service_role"),
    SB_REGION: "local",
    ...withoutReserved(await readDotEnv(path.join(options.projectRoot, "supabase", "functions", ".env"))),
    ...options.extra,
  };
}

function legacyKey(role: string): Promise<string> {
  return new SignJWT({ role, iss: "supabase-local" })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setExpirationTime("10y")
    .sign(createSecretKey(Buffer.from(LOCAL_KEYS.jwtSecret)));
}

function withoutReserved(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => !name.startsWith("SUPABASE_")));
}

async function readDotEnv(file: string): Promise<Record<string, string>> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  return parseDotEnv(text);
}

export function parseDotEnv(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const [, name, raw] = line.match(/^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/) ?? [];
    if (name === undefined || raw === undefined) continue;
    const quoted = raw.match(/^"((?:[^"\\]|\\.)*)"|^'([^']*)'/);
    values[name] = quoted
      ? (quoted[1]?.replace(/\\n/g, "\n").replace(/\\(["\\])/g, "$1") ?? quoted[2] ?? "")
      : raw.replace(/\s+#.*$/, "");
  }
  return values;
}
