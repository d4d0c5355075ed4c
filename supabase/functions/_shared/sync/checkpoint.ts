import { z } from "zod";
import { ENTITY_TYPES, type EntityType, type PageCursor } from "../crm/contract.ts";

const schema = z.object({
  entity: z.enum(ENTITY_TYPES),
  /** Where to read on; null begins the entity. */
  cursor: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).nullable(),
  entity_done: z.boolean(),
  /** The last slice that got something done. */
  slice: z.number(),
  /** A field, an entity or the owners were left out so far, so the run cannot end as a success. */
  partial: z.boolean(),
});

/** Written with every page, in the page's own transaction. */
export type Checkpoint = z.infer<typeof schema>;

export interface Place {
  entity: EntityType;
  cursor: PageCursor | null;
}

/** null for a run that has merged nothing yet. */
export function parseCheckpoint(stored: unknown): Checkpoint | null {
  const empty = stored === null || stored === undefined || Object.keys(stored).length === 0;
  return empty ? null : schema.parse(stored);
}

/** What is still to be read, parents before children. */
export function placesLeft(checkpoint: Checkpoint | null, wanted: readonly EntityType[]): Place[] {
  const entities = ENTITY_TYPES.filter((entity) => wanted.includes(entity));
  if (checkpoint === null) return entities.map((entity) => ({ entity, cursor: null }));
  const reached = ENTITY_TYPES.indexOf(checkpoint.entity);
  const left = entities.filter((entity) => {
    const index = ENTITY_TYPES.indexOf(entity);
    return index > reached || (index === reached && !checkpoint.entity_done);
  });
  return left.map((entity) => ({ entity, cursor: entity === checkpoint.entity ? checkpoint.cursor : null }));
}
