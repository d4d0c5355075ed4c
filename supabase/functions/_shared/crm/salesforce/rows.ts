import type { EntityType, RecordWrite, RelationName } from "../contract.ts";
import { OBJECTS } from "./objects.ts";

export type WriteRow = Record<string, unknown>;

/**
 * A write as a row. Relations that may not be set are left out: an opportunity's contact is chosen once, when it is
 * created. A record always has an owner, so there is nothing to clear.
 */
export function toRow(entity: EntityType, write: RecordWrite, writable: ReadonlySet<string>): WriteRow {
  const { stage } = OBJECTS[entity];
  const set = RELATIONS.flatMap((name) => {
    const field = settable(entity, write, writable, name);
    return field === undefined ? [] : [[field, write[name]] as const];
  });
  const moved = stage !== undefined && write.stage !== undefined && writable.has(stage);
  return { ...write.fields, ...Object.fromEntries(set), ...(moved ? { [stage]: write.stage?.id } : {}) };
}

/** The relations of a write that its row leaves out. */
export function leftOut(entity: EntityType, write: RecordWrite, writable: ReadonlySet<string>): RelationName[] {
  return RELATIONS.filter((name) => write[name] !== undefined && settable(entity, write, writable, name) === undefined);
}

const RELATIONS: readonly RelationName[] = ["company", "contact", "owner"];

/** The field that a relation goes into, if it is given and may be set. */
function settable(
  entity: EntityType,
  write: RecordWrite,
  writable: ReadonlySet<string>,
  name: RelationName,
): string | undefined {
  if (write[name] === undefined || (name === "owner" && write.owner === null)) return undefined;
  const { company, contact } = OBJECTS[entity];
  const field = { company, contact, owner: "OwnerId" }[name];
  return field !== undefined && writable.has(field) ? field : undefined;
}

/** Rows of one parent side by side: rows that lock the same parent do not meet in different transactions. */
export function byParent<W extends RecordWrite>(writes: readonly W[]): W[] {
  const parent = ({ company, contact }: RecordWrite) => company ?? contact ?? "";
  return [...writes].sort((left, right) => (parent(left) < parent(right) ? -1 : Number(parent(left) > parent(right))));
}
