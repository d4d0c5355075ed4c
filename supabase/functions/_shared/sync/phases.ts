import type { EntityType } from "../crm/contract.ts";
import { type Phase, type Place, placesLeft } from "./checkpoint.ts";
import { mergeNamed } from "./dirty.ts";
import { planPush } from "./dryRun.ts";
import { isRefusal } from "./prepare.ts";
import { pullEntity } from "./pull.ts";
import { pushEntity } from "./push/entity.ts";
import type { Slice } from "./slice.ts";

export type EntityEnd = "done" | "out_of_budget";
export type PhaseEnd = EntityEnd | "refused";

/** Each does one entity of its phase, until it is done or the slice's budget is. A refusal by the CRM may be thrown. */
const WORK: Record<Phase, (slice: Slice, place: Place) => Promise<EntityEnd>> = {
  dirty: mergeNamed,
  pull: pullEntity,
  push: pushEntity,
};

const PLAN_WORK: typeof WORK = { ...WORK, push: planPush };

/** An entity that the CRM refuses is left out and noted; "refused" means that it refused them all. */
export async function runPhase(slice: Slice, phase: Phase): Promise<PhaseEnd> {
  const places = placesLeft(slice.checkpoint, phase, slice.claim.entities);
  const work = slice.claim.operation === "plan" ? PLAN_WORK : WORK;
  let refused = 0;
  for (const place of places) {
    try {
      if ((await work[phase](slice, place)) === "out_of_budget") return "out_of_budget";
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refused += 1;
      await leaveOut(slice, place.entity, error.detail);
    }
  }
  return places.length > 0 && refused === places.length ? "refused" : "done";
}

async function leaveOut(slice: Slice, entity: EntityType, error: { code: string; userMessage: string }): Promise<void> {
  slice.partial = true;
  const { code, userMessage } = error;
  await slice.deps.store.noteError(slice.run, { entity, kind: "rejected", code, message: userMessage });
}
