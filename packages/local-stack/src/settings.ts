import path from "node:path";
import { StackError } from "./errors.ts";

export const DEFAULT_PORT_BASE = 54320;
const FUNCTION_PORTS_OFFSET = 10;
/** Room for the fixed ports and forty functions. */
export const PORT_SPAN = 50;

export interface Ports {
  api: number;
  db: number;
  rest: number;
  functionsFrom: number;
}

export function portsFrom(base: number): Ports {
  return { api: base + 1, db: base + 2, rest: base + 5, functionsFrom: base + FUNCTION_PORTS_OFFSET };
}

export function parsePortBase(text: string, source: string): number {
  const base = Number(text);
  if (!Number.isInteger(base) || base < 1024 || base > 65535 - PORT_SPAN) {
    throw new StackError(
      "bad_setting",
      `${source} must be a whole number from 1024 to ${65535 - PORT_SPAN}, not "${text}".`,
    );
  }
  return base;
}

/** Fixed, well-known secrets: they protect nothing but a database on this machine's loopback address. */
export const LOCAL_KEYS = {
  jwtSecret: "super-secret-jwt-token-with-at-least-32-characters-long",
  publishableKey: "sb_publishable_local_pipeline_crm",
  secretKey: "sb_secret_local_pipeline_crm",
  databasePassword: "postgres",
} as const;

export function databaseUrl(role: "postgres" | "supabase_admin", port: number): string {
  return `postgresql://${role}:${LOCAL_KEYS.databasePassword}@127.0.0.1:${port}/postgres`;
}

export interface Folders {
  dataDir: string;
  logs: string;
  state: string;
}

export function foldersOf(dataDir: string): Folders {
  const root = path.resolve(dataDir);
  return { dataDir: root, logs: path.join(root, "logs"), state: path.join(root, "stack.json") };
}
