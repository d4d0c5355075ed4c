import { keepPlace } from "./budget.ts";
import type { EntityEnd } from "./phases.ts";
import { waiting } from "./prepare.ts";
import { onceMore } from "./retry.ts";
import type { Slice } from "./slice.ts";

/** Changes in the journal of the run to be undone, of which one call takes back as many. */
const WINDOW = 2_000;

/** Whether an undo has yet to go through the journal. Until it has, the place it keeps is the database's own and none of a phase. */
export function isRewinding({ operation, checkpoint }: Pick<Slice["claim"], "operation" | "checkpoint">): boolean {
  return operation === "undo" && checkpoint?.phase === undefined;
}

/** Takes back what a run changed here. What it changed in the CRM is then pushed, as ours is. */
export async function rewind(slice: Slice): Promise<EntityEnd> {
  const { deps, run } = slice;
  while (await onceMore(waiting(slice), () => deps.store.undoPage(run, WINDOW))) {
    if (slice.remainingMs() <= 0) return "out_of_budget";
  }
  await keepPlace(slice, "push", "accounts", "made");
  return "done";
}
