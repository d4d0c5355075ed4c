import postgres, { type Sql } from "postgres";
import { isKeyword } from "./filter-sql.ts";
import type { Filter, FilterOperator } from "./filters.ts";
import { describeRequest, SubscriptionError, type SubscriptionRequest } from "./subscription-params.ts";

interface WatchedColumn {
  name: string;
  type: string;
}

interface WatchedTable {
  oid: number;
  columns: WatchedColumn[];
}

/** Refused by a rule here or by a cast in Postgres, in the words of the hosted trigger. */
class InvalidRequest extends Error {}

const MAX_IN_VALUES = 100;

/** Finds the published tables a request means and checks its filters and columns as the hosted trigger does. */
export async function resolveTables(
  sql: Sql,
  publication: string,
  request: SubscriptionRequest,
  role: string,
): Promise<number[]> {
  try {
    const tables = await publishedTables(sql, publication, request, role);
    if (tables.length === 0) {
      throw new SubscriptionError(
        `Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: [${describeRequest(request)}]`,
      );
    }
    for (const table of tables) await checkRequest(sql, request, table);
    return tables.map((table) => table.oid);
  } catch (error) {
    const refused = error instanceof InvalidRequest || error instanceof postgres.PostgresError;
    if (!refused) throw error;
    const code = error instanceof InvalidRequest ? "P0001 (raise_exception)" : error.code;
    throw new SubscriptionError(
      `Unable to subscribe to changes with given parameters. An exception happened so please check your connect parameters: [${describeRequest(request)}]. Exception: ERROR ${code} ${error.message}`,
    );
  }
}

/** Only columns the role may read count: a filter on any other column would reveal its values. */
async function publishedTables(
  sql: Sql,
  publication: string,
  request: SubscriptionRequest,
  role: string,
): Promise<WatchedTable[]> {
  return sql<WatchedTable[]>`
    select c.oid::int8::float8 as oid,
           coalesce((select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, -1)) order by a.attnum)
                       from pg_attribute a
                      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                        and has_column_privilege(${role}::text, c.oid, a.attnum, 'select')), '[]') as columns
      from pg_publication_tables p
      join pg_namespace n on n.nspname = p.schemaname
      join pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
     where p.pubname = ${publication}
       and p.schemaname like (case ${request.schema} when '*' then '%' else ${request.schema} end) escape ''
       and p.tablename like (case ${request.table} when '*' then '%' else ${request.table} end) escape ''`;
}

async function checkRequest(sql: Sql, request: SubscriptionRequest, table: WatchedTable): Promise<void> {
  const types = new Map(table.columns.map((column) => [column.name, column.type]));
  for (const filter of request.filters) {
    const type = types.get(filter.column);
    if (type === undefined) throw new InvalidRequest(`invalid column for filter ${filter.column}`);
    await (CHECKS[filter.operator] ?? checkValue)(sql, filter, type);
  }
  const unknown = request.select?.find((column) => !types.has(column));
  if (unknown !== undefined) throw new InvalidRequest(`invalid column for select ${unknown}`);
}

type FilterCheck = (sql: Sql, filter: Filter, type: string) => Promise<void>;

const CHECKS: Partial<Record<FilterOperator, FilterCheck>> = {
  in: checkList,
  is: checkKeyword,
  like: (sql, filter, type) => checkPatternType(sql, filter, type, "~~"),
  ilike: (sql, filter, type) => checkPatternType(sql, filter, type, "~~*"),
  match: (sql, filter, type) => checkExpression(sql, filter, type, "~"),
  imatch: (sql, filter, type) => checkExpression(sql, filter, type, "~*"),
};

async function checkValue(sql: Sql, filter: Filter, type: string): Promise<void> {
  await sql.unsafe(`select $1::text::${type}`, [filter.value]);
}

async function checkList(sql: Sql, filter: Filter, type: string): Promise<void> {
  const [list] = await sql.unsafe<{ size: number }[]>(`select cardinality($1::text::${type}[]) as size`, [
    filter.value,
  ]);
  if ((list?.size ?? 0) > MAX_IN_VALUES) {
    throw new InvalidRequest(`too many values for \`in\` filter. Maximum ${MAX_IN_VALUES}`);
  }
}

async function checkKeyword(_sql: Sql, filter: Filter, type: string): Promise<void> {
  if (!isKeyword(filter.value)) {
    throw new InvalidRequest("invalid value for is filter: must be null, true, false, or unknown");
  }
  if (filter.value !== "null" && type !== "boolean") {
    throw new InvalidRequest(`is ${filter.value} filter requires a boolean column, got ${type}`);
  }
}

async function checkPatternType(sql: Sql, filter: Filter, type: string, operator: string): Promise<void> {
  const found = await sql`
    select 1 from pg_operator
     where oprname = ${operator} and oprleft = ${type}::text::regtype and oprresult = 'boolean'::regtype`;
  if (found.length === 0) {
    throw new InvalidRequest(`operator ${filter.operator} requires a text-compatible column type, got ${type}`);
  }
}

/** A bad pattern must fail here: later it would spoil the checks of every subscriber of the table. */
async function checkExpression(sql: Sql, filter: Filter, type: string, operator: string): Promise<void> {
  await checkPatternType(sql, filter, type, operator);
  try {
    await sql`select '' ~ ${filter.value}`;
  } catch (cause) {
    if (!(cause instanceof postgres.PostgresError)) throw cause;
    throw new InvalidRequest(`invalid regular expression for ${filter.operator} filter: ${cause.message}`, { cause });
  }
}
