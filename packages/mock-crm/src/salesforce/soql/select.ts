import type { FieldType as SelectedField } from "@jetstreamapp/soql-parser-js";
import { malformedQuery } from "../errors.ts";
import type { FieldValue, Row } from "../row.ts";
import type { FieldDef } from "../schema/field.ts";
import type { ObjectDef } from "../schema/object.ts";
import type { SalesforceStore } from "../store.ts";
import { noSuchColumn, noSuchRelation } from "./path.ts";

export type Output = { [name: string]: FieldValue | Output | { type: string; url: string } };
export type Project = (row: Row) => Output;

interface Shape {
  object: ObjectDef;
  fields: FieldDef[];
  parents: { relation: FieldDef; name: string; shape: Shape }[];
}

/** Turns the SELECT list into a function from row to JSON, nested where it names parents. */
export function compileSelect(
  store: SalesforceStore,
  object: ObjectDef,
  selected: readonly SelectedField[],
  base: string,
): Project {
  const shape: Shape = { object, fields: [], parents: [] };
  for (const item of selected) addPath(store, shape, namesOf(item));
  return projectShape(store, shape, base);
}

/** The same projection for a plain list of field names, as retrieve calls give it. */
export function compileFields(
  store: SalesforceStore,
  object: ObjectDef,
  names: readonly string[],
  base: string,
): Project {
  const shape: Shape = { object, fields: [], parents: [] };
  for (const name of names) addPath(store, shape, name.split("."));
  return projectShape(store, shape, base);
}

function namesOf(item: SelectedField): string[] {
  if (item.type === "Field") return [item.field];
  if (item.type === "FieldRelationship") return [...item.relationships, item.field];
  throw malformedQuery("child subqueries, TYPEOF and this function in SELECT are beyond this mock's SOQL");
}

function addPath(store: SalesforceStore, shape: Shape, names: readonly string[]): void {
  const [head = "", ...rest] = names;
  if (rest.length === 0) shape.fields.push(column(shape.object, head));
  else if (shape.object.name.toLowerCase() === head.toLowerCase()) addPath(store, shape, rest);
  else addPath(store, parentShape(store, shape, head), rest);
}

function column(object: ObjectDef, name: string): FieldDef {
  const field = object.byName.get(name.toLowerCase());
  if (field !== undefined) return field;
  throw noSuchColumn(object, name);
}

function parentShape(store: SalesforceStore, shape: Shape, name: string): Shape {
  const known = shape.parents.find((parent) => parent.name.toLowerCase() === name.toLowerCase());
  if (known !== undefined) return known.shape;
  const relation = shape.object.byRelationship.get(name.toLowerCase());
  if (relation === undefined || relation.referenceTo === null) throw noSuchRelation(shape.object, name);
  const parent = {
    relation,
    name: relation.relationshipName ?? name,
    shape: { object: store.object(relation.referenceTo), fields: [], parents: [] },
  };
  shape.parents.push(parent);
  return parent.shape;
}

function projectShape(store: SalesforceStore, shape: Shape, base: string): Project {
  const { object, fields } = shape;
  const prefix = `${base}/sobjects/${object.name}/`;
  const parents = shape.parents.map(({ relation, name, shape: inner }) => ({
    name,
    column: relation.name,
    table: store.table(inner.object.name),
    project: projectShape(store, inner, base),
  }));
  return (row) => {
    const output: Output = { attributes: { type: object.name, url: prefix + row.Id } };
    for (const field of fields)
      output[field.name] = field.parts === null ? (row[field.name] ?? null) : compound(field, row);
    for (const { name, column: idColumn, table, project } of parents) {
      const id = row[idColumn];
      const parent = typeof id === "string" ? table.get(id) : undefined;
      output[name] = parent === undefined ? null : project(parent);
    }
    return output;
  };
}

function compound(field: FieldDef, row: Row): Output | null {
  const entries = Object.entries(field.parts ?? {}).map(([key, name]) => [key, row[name] ?? null] as const);
  if (entries.every(([, value]) => value === null)) return null;
  return { ...Object.fromEntries(entries), geocodeAccuracy: null, latitude: null, longitude: null };
}
