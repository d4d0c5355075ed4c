import { CrmFailure } from "../crm/contract.ts";
import { DbFailure, isPassing } from "../db/types.ts";

export interface Waiting {
  sleep: (ms: number) => Promise<void>;
  /** 0 to 1. */
  random: () => number;
  /** How long this slice may still take. */
  remainingMs: () => number;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;
const TRIES = 5;
const DATABASE_TRIES = 3;

/** Asks the CRM again while the trouble passes by itself and there is time; else the failure goes to the slice. */
export function patiently<T>(waiting: Waiting, call: () => Promise<T>): Promise<T> {
  return asking(waiting, call, () => true);
}

/**
 * For calls that must not be done twice. A call that was refused for its rate has not been looked at and is asked again; of
 * one that got lost nobody knows.
 */
export function onceAtMost<T>(waiting: Waiting, call: () => Promise<T>): Promise<T> {
  return asking(waiting, call, ({ detail }) => detail.kind === "rate_limited");
}

async function asking<T>(
  waiting: Waiting,
  call: () => Promise<T>,
  mayAgain: (failure: CrmFailure) => boolean,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const wait = error instanceof CrmFailure && mayAgain(error) ? waitFor(error, attempt, waiting.random) : null;
      if (wait === null || wait >= waiting.remainingMs()) throw error;
      await waiting.sleep(wait);
    }
  }
}

function waitFor({ detail }: CrmFailure, attempt: number, random: () => number): number | null {
  if (detail.kind === "rate_limited") return detail.retryAfterMs ?? backOff(attempt, random);
  if (detail.kind !== "transient" || attempt >= TRIES) return null;
  return Math.max(detail.retryAfterMs ?? 0, backOff(attempt, random));
}

/** Full jitter on the upper half: a thousand slices that failed together do not come back together. */
export function backOff(attempt: number, random: () => number): number {
  const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
  return Math.round(most * (0.5 + random() / 2));
}

/** Two merges that created the same record at one moment: the second finds it the next time. */
const UNIQUE_VIOLATION = "23505";

/** A deadlock, a race or a lost database connection: merging a page again gives the same result, so it is safe. */
export async function onceMore<T>(waiting: Waiting, call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (!mayPass(error) || attempt >= DATABASE_TRIES) throw error;
      await waiting.sleep(backOff(attempt, waiting.random));
    }
  }
}

function mayPass(error: unknown): boolean {
  return isPassing(error) || (error instanceof DbFailure && error.code === UNIQUE_VIOLATION);
}
