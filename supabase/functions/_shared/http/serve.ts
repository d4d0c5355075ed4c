import { openDb } from "../db/connect.ts";
import { dispatchSecret, healthSecret } from "../db/sql/tokens.ts";
import type { Db } from "../db/types.ts";
import { createLogger, type Logger } from "../log/logger.ts";
import type { Env } from "../settings.ts";
import { authenticate } from "./auth.ts";
import { handle, type Route } from "./handle.ts";
import { platformSettings } from "./platform.ts";

/** What a function gets from where it runs. The only file that touches the runtime. */
export interface Runtime {
  env: Env;
  db: Db;
  log: Logger;
  fetch: typeof fetch;
  now: () => Date;
  random: (length: number) => Uint8Array<ArrayBuffer>;
  /** Goes on after the answer was sent; a failure there ends in the log. */
  background: (work: Promise<unknown>) => void;
}

export function serve(name: string, routes: (runtime: Runtime) => readonly Route[]): void {
  const env = Deno.env.toObject();
  const log = createLogger({ write: writeLine, now: () => new Date() }, { function: name });
  const settings = platformSettings(env);
  const db = openDb(settings.databaseUrl, { log: (notice) => log.info("database notice", { notice }) });
  const runtime: Runtime = {
    env: { ...env, SUPABASE_URL: settings.supabaseUrl },
    db,
    log,
    fetch: globalThis.fetch,
    now: () => new Date(),
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    background: (work) => background(work.catch((error: unknown) => log.error("background work failed", { error }))),
  };
  Deno.serve(
    handle(name, routes(runtime), {
      authenticate: (request) => authenticate(request, { ...settings, fetch: globalThis.fetch }),
      dispatchSecret: () => dispatchSecret(db),
      healthSecret: () => healthSecret(db),
      newRequestId: () => crypto.randomUUID(),
      log,
    }),
  );
}

declare const EdgeRuntime: { waitUntil(work: Promise<unknown>): void } | undefined;

function background(work: Promise<unknown>): void {
  if (typeof EdgeRuntime !== "undefined") EdgeRuntime.waitUntil(work);
}

const WRITERS = { info: console.log, warn: console.warn, error: console.error };

function writeLine(line: string, level: keyof typeof WRITERS): void {
  WRITERS[level](line);
}
