import type { AnyAST, EmbedDef, FunctionInfo, IntrospectResult, JoinMap, SelectEntry } from "@supabase/lite";
import { findRelationship } from "./find.ts";
import type { Relationship } from "./relationships.ts";
import { SchemaView } from "./schema-view.ts";
import { tableOf } from "./type-names.ts";

type Embedded = Pick<AnyAST, "select" | "join">;

/** The table whose rows embed others: its name in the database, and in the query. */
interface Parent {
  table: string;
  name: string;
}

/**
 * Decides, by PostgREST's rules, what each embedded resource of a query is. Lite's own rules differ: it joins on the first
 * column of a key, and takes every table with two keys for a junction. It is therefore shown a schema in which each
 * embedded resource is a table of its own (named as PostgREST names its aliases) with exactly one relationship.
 * Changes the query, and returns the tables that it names now by their names in the database.
 */
export function resolveEmbeds(ast: AnyAST, shown: IntrospectResult, all: readonly Relationship[]): Map<string, string> {
  const schema = ast.schema ?? shown.default_schema ?? "public";
  const view = new SchemaView(shown, schema);
  const table = ast.from ?? returnedTable(ast, shown, schema);
  if (table !== undefined) resolveLevel(ast, { table, name: table }, { view, schema, all });
  return view.finish();
}

interface Resolution {
  view: SchemaView;
  schema: string;
  all: readonly Relationship[];
}

function resolveLevel(query: Embedded, parent: Parent, resolution: Resolution): void {
  for (const [alias, embed] of embedsOf(query.select)) {
    const join = query.join?.[alias] ?? {};
    const target = join.from ?? alias;
    const child = computed(target, parent, resolution) ?? related({ target, hint: join.hint }, parent, resolution);
    const { hint: _, ...rest } = join;
    const joins: JoinMap = query.join ?? {};
    joins[alias] = { ...rest, from: child.embedAs };
    query.join = joins;
    resolveLevel(embed, child, resolution);
  }
}

interface Child extends Parent {
  embedAs: string;
}

function related(wanted: { target: string; hint: string | undefined }, parent: Parent, resolution: Resolution): Child {
  const { view, schema, all } = resolution;
  const relationship = findRelationship(all, { schema, origin: parent.table, ...wanted });
  const name = view.addRelated(parent.name, relationship);
  return { table: relationship.target, name, embedAs: name };
}

/** A function from a row of the parent to rows of another table goes before keys, and Lite knows how to call it. */
function computed(name: string, parent: Parent, { view, schema }: Resolution): Child | undefined {
  const relation = view.functionsOf(parent.table).find((each) => each.name === name && each.schema === schema);
  const table = relation && tableOf(relation.return_type);
  return table !== undefined && view.has(table) ? { table, name: table, embedAs: name } : undefined;
}

function* embedsOf(select: readonly SelectEntry[] | undefined): Generator<[string, EmbedDef]> {
  for (const entry of select ?? []) {
    if (typeof entry === "string") continue;
    for (const [alias, value] of Object.entries(entry)) {
      if ("select" in value || "spread" in value || "join" in value) yield [alias, value as EmbedDef];
    }
  }
}

/** A function that returns rows of a table embeds as that table does. */
function returnedTable(ast: AnyAST, { functions = [], tables, views }: IntrospectResult, schema: string) {
  const called = functions.filter((each) => each.schema === schema && each.name === ast.function);
  const returned = new Set(called.map((each: FunctionInfo) => tableOf(each.return_type)));
  return [...tables, ...views].find((each) => each.schema === schema && returned.has(each.name))?.name;
}
