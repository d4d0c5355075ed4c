import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from "kysely";
import type { ReservedSql, Sql } from "postgres";
import { withPlainJsonArguments } from "./json-arguments.ts";

/**
 * Rows as PostgREST answers them. It lets the server make the JSON (to_json: numeric as a number, timestamps as ISO 8601,
 * arrays and composites as JSON); Lite reads each column through the driver's own parsers, which give other texts and
 * types. So every query that returns rows is wrapped, and the rows are read from that JSON.
 */
export function jsonRowsDialect(client: Sql): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new JsonRowsDriver(client),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

/** What the statement has to be for its rows to go through to_json; raw SQL (set_config, EXPLAIN) stays as it is. */
export function asJsonRows({ query, sql }: CompiledQuery): string | undefined {
  if (query.kind === "SelectQueryNode") return `select to_json(pgrst_row) as pgrst_row from (${sql}) as pgrst_row`;
  if ("returning" in query && query.returning) {
    return `with pgrst_row as (${sql}) select to_json(pgrst_row) as pgrst_row from pgrst_row`;
  }
  return undefined;
}

class JsonRowsConnection implements DatabaseConnection {
  readonly session: ReservedSql;

  constructor(session: ReservedSql) {
    this.session = session;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const json = asJsonRows(query);
    const text = withPlainJsonArguments(json ?? query.sql, query.parameters);
    const result = await this.session.unsafe(text, [...query.parameters] as never[]);
    if (json) return { rows: result.map((row) => row.pgrst_row) };
    return { rows: [...result] as R[], numAffectedRows: BigInt(result.count ?? 0) };
  }

  streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error("the REST server does not stream rows");
  }
}

class JsonRowsDriver implements Driver {
  readonly #client: Sql;

  constructor(client: Sql) {
    this.#client = client;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<JsonRowsConnection> {
    return new JsonRowsConnection(await this.#client.reserve());
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin"));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("commit"));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("rollback"));
  }

  async releaseConnection(connection: JsonRowsConnection): Promise<void> {
    connection.session.release();
  }

  async destroy(): Promise<void> {
    await this.#client.end();
  }
}
