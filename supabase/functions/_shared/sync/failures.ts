import { type CrmError, type CrmErrorKind, CrmFailure } from "../crm/contract.ts";
import { DbFailure } from "../db/types.ts";
import { SettingsError } from "../settings.ts";
import type { Ending, Slice } from "./slice.ts";

/** Slices in a row that got nothing done before a run is given up. */
const SLICES_WITHOUT_PROGRESS = 6;
/** A wait that a following slice can sit out; anything longer pauses the run. */
const SHORT_WAIT_MS = 20_000;
const RESUME_JITTER_MS = 60_000;

/** What ends a slice, by kind of failure. Refusals of single records never come here. */
const ENDINGS: Record<CrmErrorKind, (slice: Slice, error: CrmError) => Promise<Ending>> = {
  transient: tryLater,
  rate_limited: async (slice, error) => {
    if ((error.retryAfterMs ?? 0) <= SHORT_WAIT_MS && error.until === undefined) return tryLater(slice, error);
    await slice.deps.store.finish(slice.run, "paused", error.userMessage, resumeAt(slice, error));
    return "paused";
  },
  revoked: async (slice, error) => {
    await fail(slice, error.userMessage);
    await slice.deps.store.connectionFailed(slice.claim.config_id, error.userMessage);
    return "failed";
  },
  rejected: async (slice, error) => {
    await fail(slice, error.userMessage);
    return "failed";
  },
};

export async function endAfter(slice: Slice, error: unknown): Promise<Ending> {
  const { deps, run } = slice;
  const failure = error instanceof CrmFailure ? error.detail : null;
  if (failure !== null) {
    deps.log.warn("the CRM failed", { kind: failure.kind, code: failure.code, message: failure.userMessage });
    await deps.store.noteError(run, {
      entity: null,
      kind: failure.kind,
      code: failure.code,
      message: failure.userMessage,
    });
    return ENDINGS[failure.kind](slice, failure);
  }
  deps.log.error("the slice failed", {
    error: String(error),
    code: error instanceof DbFailure ? error.code : undefined,
  });
  await fail(slice, explain(error));
  return "failed";
}

async function tryLater(slice: Slice, error: CrmError): Promise<Ending> {
  const stuck = slice.claim.slice - (slice.checkpoint?.slice ?? 0);
  if (stuck >= SLICES_WITHOUT_PROGRESS) {
    await fail(slice, `${error.userMessage} Given up after ${stuck} tries; start the sync again once it works.`);
    return "failed";
  }
  await slice.deps.store.handOver(slice.run);
  return "handed_over";
}

/** A little later than stated, each run differently: all that wait for one quota must not come back at once. */
function resumeAt({ deps }: Slice, error: CrmError): string {
  const now = deps.now().getTime();
  const stated = error.until === undefined ? now + (error.retryAfterMs ?? 0) : Date.parse(error.until);
  const spread = Math.min(RESUME_JITTER_MS, Math.max(0, stated - now) / 2);
  return new Date(stated + Math.round(deps.random() * spread)).toISOString();
}

function fail({ deps, run }: Slice, message: string): Promise<void> {
  return deps.store.finish(run, "failed", message);
}

function explain(error: unknown): string {
  if (error instanceof SettingsError) return error.message;
  if (error instanceof DbFailure) {
    return error.code.startsWith("PC")
      ? error.message
      : `The database stopped this sync (${error.code}). What was merged stays; start the sync again.`;
  }
  return "Something unexpected stopped this sync. What was merged stays; start the sync again, and look at the function's log if it happens twice.";
}
