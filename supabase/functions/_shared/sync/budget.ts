import type { EntityType } from "../crm/contract.ts";
import type { Checkpoint, Phase } from "./checkpoint.ts";
import type { Slice } from "./slice.ts";

/** Every slice gets something done; afterwards time, records and the work of transforms are bounded. */
export function spent({ deps, recordsRead, remainingMs, transforms }: Slice): boolean {
  return recordsRead > 0 && (remainingMs() <= 0 || recordsRead >= deps.limits.sliceRecords || transforms.tired());
}

/**
 * Keeps the place of a phase that has no pages. Without progress the run stays as stuck as it was: a CRM that takes nothing
 * must not keep a run alive for ever.
 */
export async function keepPlace(
  slice: Slice,
  phase: Exclude<Phase, "pull">,
  entity: EntityType,
  progress: "made" | "none",
): Promise<void> {
  const { checkpoint: last, claim, partial } = slice;
  const checkpoint: Checkpoint = {
    phase,
    entity,
    cursor: null,
    entity_done: false,
    slice: progress === "made" ? claim.slice : (last?.slice ?? 0),
    partial,
  };
  if (isSamePlace(last, checkpoint)) return;
  await slice.deps.store.keepCheckpoint(slice.run, checkpoint);
  slice.checkpoint = checkpoint;
}

function isSamePlace(last: Checkpoint | null, { phase, entity, slice, partial }: Checkpoint): boolean {
  return last?.phase === phase && last.entity === entity && last.slice === slice && last.partial === partial;
}
