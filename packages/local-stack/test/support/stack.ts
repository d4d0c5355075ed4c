import { rm } from "node:fs/promises";
import path from "node:path";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { SignJWT } from "jose";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, inject } from "vitest";
import WebSocket from "ws";
import { findPortBase, onFreePorts } from "../../../../scripts/lib/ports.ts";
import { type Stack, startStack } from "../../src/index.ts";
import { until } from "../../src/processes.ts";
import { copyDatabase, makeProject, type ProjectFiles } from "./project.ts";

/** A block for this file alone; the numbers of the workers only save them looking at the same places. */
export const PORT_BASE = await findPortBase(inject("firstPortBase") + 200 * Number(process.env.VITEST_POOL_ID));

export interface TestStack extends Stack {
  projectRoot: string;
  dataDir: string;
  /** Role postgres. */
  sql: Sql;
  /** The superuser. */
  admin: Sql;
}

/** One stack for all tests of a file. The object is filled before the first test runs. */
export function useStack(files: ProjectFiles, functionsEnv: Record<string, string> = {}): TestStack {
  const holder = {} as TestStack;
  beforeAll(async () => {
    const projectRoot = await makeProject(files);
    const dataDir = path.join(projectRoot, ".stack");
    holder.projectRoot = projectRoot;
    await copyDatabase(inject("emptyDatabase"), dataDir);
    const stack = await onFreePorts(PORT_BASE, (portBase) =>
      startStack({ projectRoot, dataDir, portBase, functionsEnv }),
    );
    const quiet = { onnotice: () => {}, max: 4 };
    Object.assign(holder, stack, { dataDir });
    holder.sql = postgres(stack.dbUrl, quiet);
    holder.admin = postgres(stack.adminDbUrl, quiet);
  });
  afterAll(async () => {
    await Promise.all([holder.sql?.end(), holder.admin?.end()]);
    await holder.stop?.();
    if (holder.projectRoot) await rm(holder.projectRoot, { recursive: true, force: true });
  });
  return holder;
}

export function client(stack: Stack, key = stack.publishableKey): SupabaseClient {
  return createClient(stack.apiUrl, key, {
    auth: { persistSession: false, autoRefreshToken: false },
    // Node 20 has no WebSocket of its own, and the types of "ws" differ from the browser's.
    realtime: { transport: WebSocket as never },
  });
}

/** A client signed in as a new, confirmed user. */
export async function signedIn(
  stack: Stack,
  metadata = {},
): Promise<{ api: SupabaseClient; id: string; token: string }> {
  const email = `${crypto.randomUUID()}@test.example`;
  const password = "correct horse";
  const created = await client(stack, stack.secretKey).auth.admin.createUser({
    email,
    password,
    email_confirm: true,
    user_metadata: metadata,
  });
  if (created.error) throw created.error;
  const api = client(stack);
  const { data, error } = await api.auth.signInWithPassword({ email, password });
  if (error) throw error;
  return { api, id: created.data.user.id, token: data.session.access_token };
}

export function mintToken(stack: Stack, claims: Record<string, unknown>): Promise<string> {
  return new SignJWT({ aud: "authenticated", ...claims })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setIssuedAt()
    .setExpirationTime("5m")
    .sign(new TextEncoder().encode(stack.jwtSecret));
}

/** Runs statements as a role with claims, as the API does, and rolls back. */
export async function asRole<T>(
  sql: Sql,
  role: string,
  claims: object,
  run: (tx: postgres.TransactionSql) => Promise<T>,
) {
  const rollback = new Error("rollback");
  let result: T | undefined;
  await sql
    .begin(async (tx) => {
      await tx`select set_config('role', ${role}, true), set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
      result = await run(tx);
      throw rollback;
    })
    .catch((error: unknown) => {
      if (error !== rollback) throw error;
    });
  return result as T;
}

/** Waits for something that another process does. Fails the test when it does not happen. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 60_000) {
  if (!(await until(condition, timeoutMs, 25))) throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`);
}

export async function rejection(promise: PromiseLike<unknown>): Promise<{ code?: string; message: string }> {
  try {
    await promise;
  } catch (error) {
    return error as { code?: string; message: string };
  }
  throw new Error("expected an error, but it succeeded");
}
