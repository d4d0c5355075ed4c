import type { ForeignKeyInfo, FunctionInfo, IntrospectResult } from "@supabase/lite";
import type { ColumnPairs } from "./catalog.ts";
import type { Join, Relationship } from "./relationships.ts";
import { tableOf } from "./type-names.ts";

/** Names are cut at 63 bytes by the server; a number must still fit. */
const LONGEST_BASE = 56;

/** The schema as one request shows it to Lite: the real tables without relationships, plus one table for each embedded resource. */
export class SchemaView {
  readonly #shown: IntrospectResult;
  readonly #real: IntrospectResult;
  readonly #schema: string;
  readonly #names = new Map<string, string>();

  constructor(shown: IntrospectResult, schema: string) {
    this.#shown = shown;
    this.#real = { ...shown };
    this.#schema = schema;
    shown.foreign_keys = [];
  }

  has(table: string): boolean {
    const { tables, views } = this.#real;
    return [...tables, ...views].some((each) => each.name === table && each.schema === this.#schema);
  }

  /** Functions of one argument, which is a row of the table: computed columns and relationships. */
  functionsOf(table: string): FunctionInfo[] {
    return (this.#real.functions ?? []).filter(({ schema, arg_types: [first, ...more] }) => {
      return schema === this.#schema && first !== undefined && more.length === 0 && tableOf(first) === table;
    });
  }

  /** Adds what the relationship leads to, as a table related to the parent in this way only. */
  addRelated(parent: string, { target, join }: Relationship): string {
    const name = this.#add(target);
    if (join.kind !== "many-to-many") {
      this.#relate(parent, name, join);
      return name;
    }
    const junction = this.#add(join.junction);
    this.#addKey(junction, parent, swap(join.source.columns));
    this.#addKey(junction, name, swap(join.target.columns));
    return name;
  }

  /** Which table each added one is. */
  finish(): Map<string, string> {
    return this.#names;
  }

  #relate(parent: string, name: string, join: Exclude<Join, { kind: "many-to-many" }>): void {
    const keyIsHere = join.kind === "many-to-one" || (join.kind === "one-to-one" && !join.parent);
    if (keyIsHere) this.#addKey(parent, name, join.columns);
    else this.#addKey(name, parent, swap(join.columns));
    if (keyIsHere || join.kind !== "one-to-one") return;
    // Lite takes the other side for one row when the first column of the key is unique.
    this.#addUnique(name, (join.columns[0] as readonly [string, string])[1]);
  }

  #add(table: string): string {
    const name = this.#freeName(table);
    const schema = this.#schema;
    const shown = this.#shown;
    const ofTable = (each: { schema: string; table: string }) => each.schema === schema && each.table === table;
    const called = <T extends { schema: string; name: string }>(all: T[]) =>
      all.filter((each) => each.schema === schema && each.name === table).map((each) => ({ ...each, name }));
    this.#names.set(name, table);
    shown.tables = [...shown.tables, ...called(this.#real.tables)];
    shown.views = [...shown.views, ...called(this.#real.views)];
    shown.columns = [...shown.columns, ...this.#real.columns.filter(ofTable).map((each) => ({ ...each, table: name }))];
    const keys = this.#real.primary_keys.filter(ofTable).map((each) => ({ ...each, table: name }));
    shown.primary_keys = [...shown.primary_keys, ...keys];
    const functions = this.functionsOf(table).map((each) => ({ ...each, arg_types: [name] }));
    shown.functions = [...(shown.functions ?? []), ...functions];
    return name;
  }

  /** PostgREST numbers its aliases too, so that the server's messages about a column read the same. */
  #freeName(table: string): string {
    const base = table.slice(0, LONGEST_BASE);
    let number = 1;
    while (this.has(`${base}_${number}`) || this.#names.has(`${base}_${number}`)) number++;
    return `${base}_${number}`;
  }

  #addKey(table: string, target: string, columns: ColumnPairs): void {
    const rows = columns.map(
      ([column, ref_column]): ForeignKeyInfo => ({
        schema: this.#schema,
        table,
        column,
        ref_schema: this.#schema,
        ref_table: target,
        ref_column,
        foreign_key_name: `${table} to ${target}`,
        fk_def: "",
        on_update: "",
        on_delete: "",
      }),
    );
    this.#shown.foreign_keys = [...this.#shown.foreign_keys, ...rows];
  }

  #addUnique(table: string, column: string): void {
    const constraint = { schema: this.#schema, table, name: `${table} unique`, columns: [column] };
    this.#shown.unique_constraints = [...this.#shown.unique_constraints, constraint];
  }
}

function swap(columns: ColumnPairs): ColumnPairs {
  return columns.map(([own, other]) => [other, own] as const);
}
