import { z } from "zod";
import { ENTITY_TYPES, type EntityType, type PageCursor } from "../crm/contract.ts";

/** What a run does, in this order: records that were named, what changed in the CRM, what changed here. */
export const PHASES = ["dirty", "pull", "push"] as const;
export type Phase = (typeof PHASES)[number];

const schema = z.object({
  /** Absent in checkpoints of runs that knew pulling only. */
  phase: z.enum(PHASES).default("pull"),
  entity: z.enum(ENTITY_TYPES),
  /** Where to read on; null begins the entity. */
  cursor: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).nullable(),
  entity_done: z.boolean(),
  /** The last slice that got something done. */
  slice: z.number(),
  /** A field, an entity or the owners were left out so far, so the run cannot end as a success. */
  partial: z.boolean(),
});

/** Written with every page, in the page's own transaction; by the other phases after each batch. */
export type Checkpoint = z.infer<typeof schema>;

export interface Place {
  entity: EntityType;
  cursor: PageCursor | null;
}

/** null for a run that has got nothing done yet. */
export function parseCheckpoint(stored: unknown): Checkpoint | null {
  const empty = stored === null || stored === undefined || Object.keys(stored).length === 0;
  return empty ? null : schema.parse(stored);
}

/** The phase that was reached and those after it. */
export function phasesLeft(checkpoint: Checkpoint | null, wanted: readonly Phase[]): Phase[] {
  const reached = checkpoint === null ? 0 : PHASES.indexOf(checkpoint.phase);
  return PHASES.filter((phase, index) => index >= reached && wanted.includes(phase));
}

/** What of a phase is still to be done, parents before children. */
export function placesLeft(checkpoint: Checkpoint | null, phase: Phase, wanted: readonly EntityType[]): Place[] {
  const entities = ENTITY_TYPES.filter((entity) => wanted.includes(entity));
  if (checkpoint?.phase !== phase) return entities.map((entity) => ({ entity, cursor: null }));
  const reached = ENTITY_TYPES.indexOf(checkpoint.entity);
  const left = entities.filter((entity) => {
    const index = ENTITY_TYPES.indexOf(entity);
    return index > reached || (index === reached && !checkpoint.entity_done);
  });
  return left.map((entity) => ({ entity, cursor: entity === checkpoint.entity ? checkpoint.cursor : null }));
}
