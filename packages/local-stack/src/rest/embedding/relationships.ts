import type { Catalog, ColumnPairs, ForeignKey, PrimaryKey, ViewColumn } from "./catalog.ts";

/** How a table or view (`table`) can embed another one of the same schema (`target`). */
export interface Relationship {
  schema: string;
  table: string;
  target: string;
  self: boolean;
  targetIsView: boolean;
  join: Join;
}

export type Join =
  | { kind: "many-to-one" | "one-to-many"; constraint: string; columns: ColumnPairs }
  /** `parent`: the key is on the other side. */
  | { kind: "one-to-one"; constraint: string; columns: ColumnPairs; parent: boolean }
  | { kind: "many-to-many"; junction: string; source: JunctionSide; target: JunctionSide };

/** Columns in pairs: of the table, and of the junction. */
export interface JunctionSide {
  constraint: string;
  columns: ColumnPairs;
}

/** Everything that can be embedded, by PostgREST's rules: from foreign keys, through views, both ways, over junctions. */
export function findRelationships({ foreignKeys, viewColumns, primaryKeys }: Catalog): Relationship[] {
  const fromKeys = foreignKeys.flatMap((key) => [fromForeignKey(key), ...throughViews(key, viewColumns)]);
  const withKeys = fromKeys.filter((each) => each.schema === each.targetSchema);
  return [...withKeys, ...withKeys.map(inverse), ...overJunctions(withKeys, primaryKeys)].map(
    ({ targetSchema: _, tableIsView: __, ...relationship }) => relationship,
  );
}

interface KeyRelationship extends Relationship {
  targetSchema: string;
  tableIsView: boolean;
  join: Exclude<Join, { kind: "many-to-many" }>;
}

function fromForeignKey(key: ForeignKey): KeyRelationship {
  const { schema, table, targetSchema, target, constraint, columns } = key;
  return {
    schema,
    table,
    targetSchema,
    target,
    self: schema === targetSchema && table === target,
    tableIsView: false,
    targetIsView: false,
    join: key.unique
      ? { kind: "one-to-one", constraint, columns, parent: false }
      : { kind: "many-to-one", constraint, columns },
  };
}

/** A view that shows all columns of a key has its relationships, at either end or at both. */
function throughViews(key: ForeignKey, viewColumns: readonly ViewColumn[]): KeyRelationship[] {
  const base = fromForeignKey(key);
  const own = key.columns.map(([column]) => column);
  const referenced = key.columns.map(([, column]) => column);
  const from = showing(viewColumns, key.schema, key.table, own);
  const to = showing(viewColumns, key.targetSchema, key.target, referenced);
  const related = (source: Shown | undefined, target: Shown | undefined): KeyRelationship => ({
    ...base,
    ...(source && { schema: source.schema, table: source.view, tableIsView: true }),
    ...(target && { targetSchema: target.schema, target: target.view, targetIsView: true }),
    self: source !== undefined && source.schema === target?.schema && source.view === target.view,
    join: { ...base.join, columns: pair(source?.columns ?? own, target?.columns ?? referenced) },
  });
  return [
    ...from.map((view) => related(view, undefined)),
    ...to.map((view) => related(undefined, view)),
    ...from.flatMap((source) => to.map((target) => related(source, target))),
  ];
}

interface Shown {
  schema: string;
  view: string;
  columns: string[];
}

/** The views that show all these columns of a table; a view that shows one twice counts once for each way. */
function showing(all: readonly ViewColumn[], schema: string, table: string, columns: readonly string[]): Shown[] {
  const ofTable = all.filter((each) => each.baseSchema === schema && each.baseTable === table);
  const views = new Map(ofTable.map((each) => [`${each.schema}.${each.view}`, each]));
  return [...views.values()].flatMap(({ schema: viewSchema, view }) => {
    const choices = columns.map((column) =>
      ofTable.filter((each) => each.schema === viewSchema && each.view === view && each.baseColumn === column),
    );
    return combinations(choices).map((shown) => ({
      schema: viewSchema,
      view,
      columns: shown.map((each) => each.column),
    }));
  });
}

function combinations<T>(choices: readonly (readonly T[])[]): T[][] {
  return choices.reduce<T[][]>((done, next) => done.flatMap((each) => next.map((one) => [...each, one])), [[]]);
}

function pair(left: readonly string[], right: readonly string[]): ColumnPairs {
  return left.map((column, index) => [column, right[index] as string] as const);
}

function inverse(relationship: KeyRelationship): KeyRelationship {
  const { schema, table, targetSchema, target, tableIsView, targetIsView, join } = relationship;
  const columns = swapped(join.columns);
  return {
    ...relationship,
    schema: targetSchema,
    table: target,
    targetSchema: schema,
    target: table,
    tableIsView: targetIsView,
    targetIsView: tableIsView,
    join:
      join.kind === "one-to-one"
        ? { ...join, columns, parent: !join.parent }
        : { kind: "one-to-many", constraint: join.constraint, columns },
  };
}

function swapped(columns: ColumnPairs): ColumnPairs {
  return columns.map(([own, other]) => [other, own] as const);
}

/** A table joins two others when the columns of both its foreign keys are in its primary key. */
function overJunctions(relationships: KeyRelationship[], primaryKeys: readonly PrimaryKey[]) {
  const keys = new Map(primaryKeys.map((each) => [`${each.schema}.${each.table}`, new Set(each.columns)]));
  const inKey = ({ schema, table, join }: KeyRelationship) =>
    join.columns.every(([column]) => keys.get(`${schema}.${table}`)?.has(column));
  const candidates = relationships.filter((each) => each.join.kind === "many-to-one" && inKey(each));
  return candidates.flatMap((source) =>
    candidates
      .filter(
        (target) =>
          target.schema === source.schema &&
          target.table === source.table &&
          target.join.constraint !== source.join.constraint,
      )
      .map((target) => ({
        ...target,
        table: source.target,
        self: source.target === target.target,
        tableIsView: source.targetIsView,
        join: {
          kind: "many-to-many" as const,
          junction: source.table,
          source: { constraint: source.join.constraint, columns: swapped(source.join.columns) },
          target: { constraint: target.join.constraint, columns: swapped(target.join.columns) },
        },
      })),
  );
}
