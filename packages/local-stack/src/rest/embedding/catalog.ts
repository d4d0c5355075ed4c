import type { Sql } from "postgres";

/** Columns in pairs: of the table that has the key, and of the one it points to. */
export type ColumnPairs = readonly (readonly [string, string])[];

export interface ForeignKey {
  schema: string;
  table: string;
  targetSchema: string;
  target: string;
  constraint: string;
  columns: ColumnPairs;
  /** Its columns are those of a primary key or unique constraint. */
  unique: boolean;
}

/** A column of a view that is nothing but a column of a table, through however many views. */
export interface ViewColumn {
  schema: string;
  view: string;
  column: string;
  baseSchema: string;
  baseTable: string;
  baseColumn: string;
}

export interface PrimaryKey {
  schema: string;
  table: string;
  columns: string[];
}

/** What relationships follow from. */
export interface Catalog {
  foreignKeys: ForeignKey[];
  viewColumns: ViewColumn[];
  primaryKeys: PrimaryKey[];
}

export async function readCatalog(sql: Sql): Promise<Catalog> {
  const [foreignKeys, viewColumns, primaryKeys] = await Promise.all([
    readForeignKeys(sql),
    readViewColumns(sql),
    readPrimaryKeys(sql),
  ]);
  return { foreignKeys, viewColumns, primaryKeys };
}

async function readForeignKeys(sql: Sql): Promise<ForeignKey[]> {
  return sql<ForeignKey[]>`
    with keys as (
      select k.conrelid, array_agg(col order by col) as cols
      from pg_constraint k, unnest(k.conkey) as col
      where k.contype in ('p', 'u')
      group by k.oid
    )
    select t.relnamespace::regnamespace::text as schema, t.relname as "table",
      r.relnamespace::regnamespace::text as "targetSchema", r.relname as target, f.conname as "constraint",
      pairs.columns, exists (select from keys where keys.conrelid = f.conrelid and keys.cols = pairs.cols) as unique
    from pg_constraint f
    join pg_class t on t.oid = f.conrelid
    join pg_class r on r.oid = f.confrelid
    cross join lateral (
      select jsonb_agg(jsonb_build_array(a.attname, b.attname) order by ord) as columns, array_agg(a.attnum order by a.attnum) as cols
      from unnest(f.conkey, f.confkey) with ordinality as _ (col, ref, ord)
      join pg_attribute a on a.attrelid = f.conrelid and a.attnum = col
      join pg_attribute b on b.attrelid = f.confrelid and b.attnum = ref
    ) as pairs
    where f.contype = 'f' and f.conparentid = 0
    order by f.conrelid, f.conname`;
}

/**
 * The server notes in a view's parse tree which table column each of its columns comes from. The tree of the whole query
 * comes after those of its parts, so the last entry that has the column's number and name is the view's own.
 */
async function readViewColumns(sql: Sql): Promise<ViewColumn[]> {
  return sql<ViewColumn[]>`
    with recursive entries as (
      select distinct on (a.attrelid, a.attnum) a.attrelid as view, a.attnum as num, a.attname as name,
        entry[3]::oid as base, entry[4]::int as base_num
      from pg_class v
      join pg_rewrite r on r.ev_class = v.oid
      cross join lateral regexp_matches(
        r.ev_action::text, ':resno (\\d+) :resname (\\S+) :ressortgroupref \\d+ :resorigtbl (\\d+) :resorigcol (\\d+)', 'g'
      ) with ordinality as _ (entry, ord)
      join pg_attribute a on a.attrelid = v.oid and a.attnum = entry[1]::int and a.attname = entry[2]
      where v.relkind in ('v', 'm') and v.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
      order by a.attrelid, a.attnum, ord desc
    ), origins as (
      select view, name, base, base_num from entries where base <> 0
      union all
      select o.view, o.name, e.base, e.base_num
      from origins o join entries e on e.view = o.base and e.num = o.base_num where e.base <> 0
    )
    select v.relnamespace::regnamespace::text as schema, v.relname as view, o.name as column,
      t.relnamespace::regnamespace::text as "baseSchema", t.relname as "baseTable", a.attname as "baseColumn"
    from origins o
    join pg_class v on v.oid = o.view
    join pg_class t on t.oid = o.base and t.relkind in ('r', 'p', 'f')
    join pg_attribute a on a.attrelid = o.base and a.attnum = o.base_num
    order by v.oid, o.name`;
}

async function readPrimaryKeys(sql: Sql): Promise<PrimaryKey[]> {
  return sql<PrimaryKey[]>`
    select t.relnamespace::regnamespace::text as schema, t.relname as "table", array_agg(a.attname::text) as columns
    from pg_constraint k
    join pg_class t on t.oid = k.conrelid
    join pg_attribute a on a.attrelid = t.oid and a.attnum = any (k.conkey)
    where k.contype = 'p'
    group by t.oid`;
}
