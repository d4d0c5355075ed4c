import type { EntityType, RecordWrite } from "../contract.ts";
import { OBJECTS } from "./objects.ts";

export type WriteRow = Record<string, unknown>;

/**
 * A write as a row. Relations that may not be set are left out: an opportunity's contact is chosen once, when it is
 * created. A record always has an owner, so there is nothing to clear.
 */
export function toRow(entity: EntityType, write: RecordWrite, writable: ReadonlySet<string>): WriteRow {
  const { company, contact, stage } = OBJECTS[entity];
  const relations: [string | undefined, unknown][] = [
    [company, write.company],
    [contact, write.contact],
    ["OwnerId", write.owner ?? undefined],
    [stage, write.stage?.id],
  ];
  const set = relations.filter(
    ([field, value]) => field !== undefined && value !== undefined && writable.has(field),
  ) as [string, unknown][];
  return { ...write.fields, ...Object.fromEntries(set) };
}

/** Rows of one parent side by side: rows that lock the same parent do not meet in different transactions. */
export function byParent<W extends RecordWrite>(writes: readonly W[]): W[] {
  const parent = ({ company, contact }: RecordWrite) => company ?? contact ?? "";
  return [...writes].sort((left, right) => (parent(left) < parent(right) ? -1 : Number(parent(left) > parent(right))));
}
