import type { Pgoutput } from "pg-logical-replication";
import type { Sql } from "postgres";

export interface TableColumn {
  name: string;
  /** `pg_type.typname`, which clients use to convert values. */
  type: string;
  /** The same type as SQL writes it. */
  sqlType: string;
  isKey: boolean;
  /** The expression of a stored generated column; pgoutput leaves those out of the log. */
  generated: string | null;
  selectableBy: string[];
}

export interface TableFacts {
  rowSecurity: boolean;
  columns: TableColumn[];
  /** SQL names of the types the logged values are cast to, by oid. */
  typeNames: Record<string, string>;
}

/**
 * What the catalogue says about a table now. It is read once per batch, because a grant, a policy or a role membership
 * changed a moment ago must count at once. Null when the table is gone.
 */
export async function readTableFacts(
  sql: Sql,
  relation: Pgoutput.MessageRelation,
  roles: string[],
): Promise<TableFacts | null> {
  const types = [...new Set(relation.columns.map((column) => column.typeOid))];
  const [facts] = await sql<TableFacts[]>`
    select c.relrowsecurity as "rowSecurity",
           (select json_agg(json_build_object(
                     'name', a.attname,
                     'type', t.typname,
                     'sqlType', format_type(a.atttypid, -1),
                     'isKey', coalesce(a.attnum = any (k.conkey), false),
                     'generated', case when a.attgenerated = 's' then pg_get_expr(d.adbin, d.adrelid) end,
                     'selectableBy', array(select r.rolname from pg_roles r
                                            where r.rolname = any (${roles}::text[])
                                              and has_column_privilege(r.oid, c.oid, a.attnum, 'select')))
                   order by a.attnum)
              from pg_attribute a
              join pg_type t on t.oid = a.atttypid
              left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
              left join pg_constraint k on k.conrelid = a.attrelid and k.contype = 'p'
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
           (select json_object_agg(o, format_type(o, -1)) from unnest(${types}::oid[]) o) as "typeNames"
      from pg_class c
     where c.oid = ${relation.relationOid}::oid`;
  return facts?.columns ? facts : null;
}

export function keyColumns(facts: TableFacts): TableColumn[] {
  return facts.columns.filter((column) => column.isKey);
}
