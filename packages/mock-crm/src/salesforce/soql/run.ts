import type { OrderByClause, Query } from "@jetstreamapp/soql-parser-js";
import { malformedQuery, SalesforceError } from "../errors.ts";
import type { FieldValue, Row } from "../row.ts";
import type { ObjectDef } from "../schema/object.ts";
import type { SalesforceStore } from "../store.ts";
import type { ObjectTable } from "../table.ts";
import { type Condition, conditionTree } from "./ast.ts";
import { idsAskedFor, lowerBound } from "./bounds.ts";
import { readPath, resolvePath } from "./path.ts";
import { CASELESS, compilePredicate } from "./predicate.ts";

const MAX_OFFSET = 2000;

/** The rows a query names, in its order, after LIMIT and OFFSET. */
export function runQuery(store: SalesforceStore, object: ObjectDef, query: Query, withDeleted: boolean): Row[] {
  if (query.groupBy !== undefined || query.having !== undefined) {
    throw malformedQuery("GROUP BY and HAVING are beyond this mock's SOQL");
  }
  const { offset = 0, limit = Number.POSITIVE_INFINITY } = query;
  if (offset > MAX_OFFSET) {
    throw new SalesforceError("NUMBER_OUTSIDE_VALID_RANGE", `Maximum SOQL offset allowed is ${MAX_OFFSET}`);
  }
  const condition = query.where === undefined ? null : conditionTree(query.where);
  const matches = condition === null ? () => true : compilePredicate(store, object, condition);
  const plan = planRead(store.table(object.name), object, condition, orderOf(query));
  const wanted = plan.sorted ? offset + limit : Number.POSITIVE_INFINITY;
  const rows: Row[] = [];
  for (let at = plan.from; at < plan.rows.length && rows.length < wanted; at += 1) {
    const row = plan.rows[at] as Row;
    if ((withDeleted || row.IsDeleted !== true) && matches(row)) rows.push(row);
  }
  if (!plan.sorted) rows.sort(comparator(store, object, orderOf(query)));
  return offset === 0 && rows.length <= limit ? rows : rows.slice(offset, offset + limit);
}

interface Plan {
  rows: readonly Row[];
  from: number;
  /** True when the rows already come in the order asked for. */
  sorted: boolean;
}

function planRead(
  table: ObjectTable,
  object: ObjectDef,
  condition: Condition | null,
  order: readonly OrderByClause[],
): Plan {
  const ids = condition === null ? null : idsAskedFor(object, condition);
  if (ids !== null) {
    const rows = [...new Set(ids)].map((id) => table.get(id)).filter((row) => row !== undefined);
    return { rows, from: 0, sorted: order.length === 0 };
  }
  const byModified = ordersBy(order, ["systemmodstamp", "id"]);
  const since = condition === null ? null : lowerBound(object, "SystemModstamp", condition);
  if (byModified || (since !== null && order.length > 0 && !ordersBy(order, ["id"]))) {
    const from = since === null ? 0 : table.byModified.lowerBound((row) => row.SystemModstamp >= since);
    return { rows: table.byModified.all, from, sorted: byModified };
  }
  const after = condition === null ? null : lowerBound(object, "Id", condition);
  const from = after === null ? 0 : table.byId.lowerBound((row) => row.Id >= after);
  return { rows: table.byId.all, from, sorted: order.length === 0 || ordersBy(order, ["id"]) };
}

/** True when the clause is a non-empty, ascending start of these fields. */
function ordersBy(order: readonly OrderByClause[], fields: readonly string[]): boolean {
  if (order.length === 0 || order.length > fields.length) return false;
  return order.every(
    (clause, at) => "field" in clause && clause.field.toLowerCase() === fields[at] && clause.order !== "DESC",
  );
}

function orderOf(query: Query): readonly OrderByClause[] {
  if (query.orderBy === undefined) return [];
  return Array.isArray(query.orderBy) ? query.orderBy : [query.orderBy];
}

function comparator(store: SalesforceStore, object: ObjectDef, order: readonly OrderByClause[]) {
  const keys = order.map((clause) => {
    if (!("field" in clause)) throw malformedQuery("functions in ORDER BY are beyond this mock's SOQL");
    const path = resolvePath(store, object, clause.field);
    const read = CASELESS.has(path.field.type) ? caseless(readPath(store, path)) : readPath(store, path);
    const sign = clause.order === "DESC" ? -1 : 1;
    // Nulls come first unless the query says otherwise, whatever the direction.
    const nullSide = clause.nulls === "LAST" ? 1 : -1;
    return (left: Row, right: Row) => compareValues(read(left), read(right), sign, nullSide);
  });
  return (left: Row, right: Row) => {
    for (const key of keys) {
      const result = key(left, right);
      if (result !== 0) return result;
    }
    return 0;
  };
}

function compareValues(left: FieldValue, right: FieldValue, sign: number, nullSide: number): number {
  if (left === null || right === null) return left === right ? 0 : left === null ? nullSide : -nullSide;
  if (left === right) return 0;
  return left < right ? -sign : sign;
}

function caseless(read: (row: Row) => FieldValue): (row: Row) => FieldValue {
  return (row) => {
    const value = read(row);
    return typeof value === "string" ? value.toLowerCase() : value;
  };
}
