import { createPostgresConnection, type PostgresConnection } from "@supabase/lite/postgres";
import { sql } from "kysely";
import { databaseUrl } from "../settings.ts";
import { AliasTables } from "./embedding/alias-tables.ts";
import { readCatalog } from "./embedding/catalog.ts";
import { findRelationships, type Relationship } from "./embedding/relationships.ts";
import { resolveEmbeds } from "./embedding/resolve.ts";
import { asPostgrestError } from "./errors.ts";
import { readJsonFilters } from "./json-filters.ts";
import { createLanePool, silenceGrants } from "./lanes.ts";
import { requestScope } from "./request-scope.ts";
import { refuseWithoutWhere } from "./safe-update.ts";
import { createSessionSettings, type Setting } from "./session-settings.ts";

type WithContext = PostgresConnection["withContext"];

export interface ApiConnection {
  connection: PostgresConnection;
  /** Reads the schema and the role settings again, as PostgREST does on NOTIFY pgrst. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The connection that Lite works on, as role `postgres` (Lite sees only tables that its own role may see). What PostgREST
 * and hosted sessions do and Lite does not is added around each request: the role's settings (statement_timeout, …),
 * the safe-update rule, embedding by PostgREST's rules, and the HTTP status of every SQLSTATE.
 */
export function createApiConnection(dbPort: number, schemas: readonly string[]): ApiConnection {
  const url = databaseUrl("postgres", dbPort);
  const main = silenceGrants(createPostgresConnection({ url, postgresOptions: { max: 4, onnotice: () => {} } }));
  const lanes = createLanePool(url);
  const settings = createSessionSettings(main.driver, schemas);
  const reader = readAsPostgrest(main);
  main.withContext = (async (vars, run, options) => {
    if (!vars) return run(main.kysely);
    const role = (vars.auth as { role?: string } | undefined)?.role ?? "anon";
    const lane = await lanes.take();
    try {
      return await lane.connection.withContext(
        vars,
        async (db) => {
          await applySettings(db, await settings.of(role, options?.rpc?.path.replace("/rpc/", "")));
          const result = await run(withAliases(db));
          await refuseWithoutWhere([...lane.statements], (name) => definitionsOf(db, name));
          return result;
        },
        options,
      );
    } catch (error) {
      throw asPostgrestError(error);
    } finally {
      lanes.give(lane);
    }
  }) as WithContext;
  return {
    connection: main,
    reload: async () => {
      settings.forget();
      await reader.reload();
      await main.introspect();
    },
    close: async () => {
      await Promise.all([main.close(), lanes.close()]);
    },
  };
}

/** Each request gets a schema of its own to change; what the query says is then read in it as PostgREST reads it. */
function readAsPostgrest(connection: PostgresConnection): { reload(): Promise<void> } {
  let relationships: Relationship[] = [];
  const introspect = connection.introspect.bind(connection);
  const checkRelation = connection.onPostgrestAST.bind(connection);
  connection.introspect = async (options) => {
    const schema = await introspect(options);
    const scope = requestScope();
    if (!scope || !options?.useCache) return schema;
    scope.schema ??= { ...schema };
    return scope.schema;
  };
  connection.onPostgrestAST = async (ast) => {
    const checked = await checkRelation(ast);
    const scope = requestScope();
    if (!scope?.schema) return checked;
    scope.aliases = resolveEmbeds(checked, scope.schema, relationships);
    readJsonFilters(checked, checked.from, scope.schema);
    return checked;
  };
  return {
    reload: async () => {
      relationships = findRelationships(await readCatalog(connection.driver));
    },
  };
}

type Db = Parameters<Parameters<WithContext>[1]>[0];

function withAliases(db: Db): Db {
  const aliases = requestScope()?.aliases;
  return aliases && aliases.size > 0 ? db.withPlugin(new AliasTables(aliases)) : db;
}

async function applySettings(db: Db, settings: readonly Setting[]): Promise<void> {
  for (const [name, value] of settings) {
    await sql`select set_config(${name}, ${value}, true)`.execute(db);
  }
}

async function definitionsOf(db: Db, functionName: string): Promise<string[]> {
  const { rows } = await sql<{ definition: string }>`
    select pg_get_functiondef(oid) as definition from pg_proc
    where proname = ${functionName} and prosqlbody is not null`.execute(db);
  return rows.map((row) => row.definition);
}
