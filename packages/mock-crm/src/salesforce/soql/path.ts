import { SalesforceError } from "../errors.ts";
import type { FieldValue, Row } from "../row.ts";
import type { FieldDef } from "../schema/field.ts";
import type { ObjectDef } from "../schema/object.ts";
import type { SalesforceStore } from "../store.ts";

/** `Owner.Email` resolved against the schema: the relations to walk and the field at the end. */
export interface FieldPath {
  steps: readonly { field: FieldDef; object: ObjectDef }[];
  field: FieldDef;
}

export function resolvePath(store: SalesforceStore, object: ObjectDef, text: string): FieldPath {
  const names = text.split(".");
  const last = names.pop() ?? "";
  if (names[0]?.toLowerCase() === object.name.toLowerCase()) names.shift();
  let at = object;
  const steps = names.map((name) => {
    const relation = at.byRelationship.get(name.toLowerCase());
    if (relation === undefined || relation.referenceTo === null) throw noSuchRelation(at, name);
    at = store.object(relation.referenceTo);
    return { field: relation, object: at };
  });
  const field = at.byName.get(last.toLowerCase());
  if (field === undefined) throw noSuchColumn(at, last);
  return { steps, field };
}

export function readPath(store: SalesforceStore, path: FieldPath): (row: Row) => FieldValue {
  const { steps, field } = path;
  if (steps.length === 0) return (row) => row[field.name] ?? null;
  return (row) => {
    let at: Row | undefined = row;
    for (const step of steps) {
      const id: FieldValue | undefined = at[step.field.name];
      at = typeof id === "string" ? store.table(step.object.name).get(id) : undefined;
      if (at === undefined) return null;
    }
    return at[field.name] ?? null;
  };
}

export function noSuchColumn(object: ObjectDef, name: string): SalesforceError {
  const message = `No such column '${name}' on entity '${object.name}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.`;
  return new SalesforceError("INVALID_FIELD", message);
}

export function noSuchRelation(object: ObjectDef, name: string): SalesforceError {
  const message = `Didn't understand relationship '${name}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names. (${object.name})`;
  return new SalesforceError("INVALID_FIELD", message);
}
