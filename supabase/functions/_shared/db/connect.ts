import postgres from "postgres";
import { type Db, DbFailure, type UserClaims } from "./types.ts";

type Executor = Pick<postgres.Sql, "unsafe">;

/**
 * The direct connection of the functions. Prepared statements stay off so that a transaction pooler in between works.
 * Two connections: one merges a page while the other may renew a token.
 */
export function openDb(url: string, options: { max?: number; log?: (notice: string) => void } = {}): Db {
  const sql = postgres(url, {
    max: options.max ?? 2,
    prepare: false,
    idle_timeout: 20,
    connect_timeout: 10,
    connection: { application_name: "pipeline-crm-functions" },
    onnotice: (notice) => options.log?.(notice.message ?? ""),
  });
  const begin = <T>(run: (db: Db) => Promise<T>) => wrapped(() => sql.begin((tx) => run(bound(tx))) as Promise<T>);
  return {
    query: (text, params) => execute(sql, text, params),
    tx: begin,
    asUser: (claims, run) => begin((db) => actAs(db, claims, run)),
    end: () => sql.end({ timeout: 5 }),
  };
}

/** Inside a transaction: further `tx` calls join it. */
function bound(tx: Executor): Db {
  const db: Db = {
    query: (text, params) => execute(tx, text, params),
    tx: (run) => run(db),
    asUser: (claims, run) => actAs(db, claims, run),
    end: () => Promise.resolve(),
  };
  return db;
}

async function actAs<T>(db: Db, claims: UserClaims, run: (db: Db) => Promise<T>): Promise<T> {
  const json = JSON.stringify({ role: "authenticated", ...claims });
  await db.query("select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)", [
    json,
  ]);
  return run(db);
}

function execute<T>(sql: Executor, text: string, params: readonly unknown[] = []): Promise<T[]> {
  return wrapped(async () => {
    const rows = await sql.unsafe(text, params as postgres.ParameterOrJSON<never>[]);
    return rows as unknown as T[];
  });
}

async function wrapped<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw asFailure(error);
  }
}

/** Errors of Postgres and of the connection become one type; anything else (our own code's) passes unchanged. */
function asFailure(error: unknown): unknown {
  if (error instanceof postgres.PostgresError) {
    const { code, message, detail, hint, table_name: table, column_name: column, constraint_name: constraint } = error;
    return new DbFailure({ code, message, detail, hint, table, column, constraint, cause: error });
  }
  if (error instanceof Error && "code" in error && CONNECTION_CODES.has(String(error.code))) {
    return new DbFailure({ code: "connection", message: "The database cannot be reached.", cause: error });
  }
  return error;
}

const CONNECTION_CODES = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ENOTFOUND",
]);
