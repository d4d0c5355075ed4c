import { type CallFamily, type CallGate, type CallReport, CrmFailure, type ProviderId } from "../crm/contract.ts";
import { failure } from "../crm/errors.ts";
import { CRM_NAMES } from "./names.ts";

/** What calls are made for decides how much of a day's quota they may use: push all, incremental most, backfill a part. */
export type CallPurpose = "push" | "incremental" | "backfill";

/** What a CRM said about its limits, as the database takes it. */
export interface CallNews {
  family: CallFamily;
  daily_left?: number;
  daily_limit?: number;
  quota_gone?: boolean;
  too_many?: boolean;
  retry_after_ms?: number;
}

/** Calls that may be made: the first after wait_ms, the others spacing_ms apart, each late by tolerance_ms at most. */
export interface CallGrant {
  granted: number;
  wait_ms: number;
  spacing_ms: number;
  tolerance_ms: number;
  /** Families of one bucket share their calls. */
  bucket: string;
  /** The quota of the day is gone for this purpose, until then (ISO). */
  until: string | null;
}

/** Where all workers take their calls from. */
export interface CallStore {
  take(request: {
    family: CallFamily;
    purpose: CallPurpose;
    wanted: number;
    news: CallNews | null;
  }): Promise<CallGrant>;
  tell(news: CallNews): Promise<void>;
}

export interface GateDeps {
  store: CallStore;
  now: () => Date;
  sleep: (ms: number) => Promise<void>;
  remainingMs: () => number;
}

export interface Gate extends CallGate {
  /** Set when a slice turns to another phase. */
  purpose: CallPurpose;
  /** A failure as it is; one for the day's quota with the time at which there is a new one. */
  explain(error: unknown): Promise<unknown>;
}

/** Most calls to ask for at once; the database gives what fits the CRM. */
const LARGEST_LOT = 25;
/** Lots in a row that were used up before a larger one is asked for. */
const LOTS_BEFORE_MORE = 4;

/** Times (ms) at which calls of one bucket may go out. */
interface Lot {
  times: number[];
  toleranceMs: number;
  used: number;
  lost: number;
}

export function openGate(deps: GateDeps, provider: ProviderId, purpose: CallPurpose): Gate {
  /** By bucket and purpose: a turn that was granted for changes is no turn for a first reading. */
  const lots = new Map<string, Lot>();
  /** Known with a family's first lot. */
  const buckets = new Map<CallFamily, string>();
  const key = (family: CallFamily) => `${buckets.get(family) ?? family} ${gate.purpose}`;
  /** One asks the database, the others wait for what it brings. */
  let queue: Promise<unknown> = Promise.resolve();
  let news: CallNews | null = null;
  let telling: Promise<void> = Promise.resolve();
  const sizes = new Map<string, LotSize>();
  /** Raised when the CRM refuses: turns that were given out before it are void. */
  let refusals = 0;

  const takeLot = async (family: CallFamily): Promise<number> => {
    await telling;
    const told = news;
    news = null;
    const size = nextSize(sizes.get(key(family)), lots.get(key(family)));
    const grant = await deps.store.take({ family, purpose: gate.purpose, wanted: size.wanted, news: told });
    if (grant.until !== null) throw quotaGone(provider, gate.purpose, grant.until);
    if (grant.granted === 0 || grant.wait_ms > deps.remainingMs()) throw tooFarOff(provider, grant.wait_ms);
    const first = deps.now().getTime() + grant.wait_ms;
    const times = Array.from({ length: grant.granted }, (_, index) => first + index * grant.spacing_ms);
    buckets.set(family, grant.bucket);
    sizes.set(key(family), size);
    const left = lots.get(key(family))?.times ?? [];
    lots.set(key(family), {
      times: [...left, ...times.slice(1)],
      toleranceMs: grant.tolerance_ms,
      used: 1,
      lost: 0,
    });
    return first;
  };
  const turn = (family: CallFamily): Promise<number> => {
    const mine = queue.then(() => nextOf(lots.get(key(family)), deps.now().getTime()) ?? takeLot(family));
    queue = mine.catch(() => {});
    return mine;
  };

  const gate: Gate = {
    purpose,
    async enter(family) {
      for (;;) {
        const before = refusals;
        const wait = (await turn(family)) - deps.now().getTime();
        if (wait > 0) await deps.sleep(wait);
        if (before === refusals) return;
      }
    },
    report(report) {
      const heard = asNews(report);
      if (heard === null) return;
      if (!heard.too_many) {
        news = heard;
        return;
      }
      refusals += 1;
      lots.clear();
      // The other workers should hear at once. Should that fail, they hear it from the CRM.
      telling = deps.store.tell(heard).catch(() => {});
    },
    async explain(error) {
      if (!(error instanceof CrmFailure) || error.detail.code !== "daily_quota") return error;
      lots.clear();
      const family = "read";
      const gone: CallNews = { family, quota_gone: true };
      const { until } = await deps.store.take({ family, purpose: gate.purpose, wanted: 0, news: gone });
      return until === null ? error : quotaGone(provider, gate.purpose, until, error);
    },
  };
  return gate;
}

/** The next turn that is not over. */
function nextOf(lot: Lot | undefined, now: number): number | undefined {
  if (lot === undefined) return undefined;
  const left = lot.times.filter((time) => time + lot.toleranceMs >= now);
  lot.lost += lot.times.length - left.length;
  const next = left.shift();
  lot.times = left;
  if (next !== undefined) lot.used += 1;
  return next;
}

interface LotSize {
  wanted: number;
  usedUp: number;
}

/** A turn that a worker loses is lost to all, so it asks for as many as it got to use, and for more once it uses them all. */
function nextSize(size: LotSize = { wanted: LARGEST_LOT, usedUp: 0 }, last?: Lot): LotSize {
  if (last === undefined) return size;
  if (last.lost > 0) return { wanted: last.used, usedUp: 0 };
  if (size.usedUp + 1 < LOTS_BEFORE_MORE) return { ...size, usedUp: size.usedUp + 1 };
  return { wanted: Math.min(LARGEST_LOT, size.wanted + 1), usedUp: 0 };
}

/** A longer wait is about the day, not about the moment: the failure itself tells of that, and when the day ends. */
const LONGEST_WINDOW_MS = 60_000;

function asNews({ family, isTooMany, dailyRemaining, dailyLimit, retryAfterMs }: CallReport): CallNews | null {
  const daily = { daily_left: dailyRemaining, daily_limit: dailyLimit };
  const momentary = (retryAfterMs ?? 0) <= LONGEST_WINDOW_MS;
  if (isTooMany && momentary) return { family, ...daily, too_many: true, retry_after_ms: retryAfterMs };
  return dailyRemaining === undefined ? null : { family, ...daily };
}

const KEPT: Record<CallPurpose, string> = {
  push: "are used up",
  incremental: "are used up, except for those kept for sending changes",
  backfill: "that a first reading may use are used up; the rest is kept for changes",
};

function quotaGone(provider: ProviderId, purpose: CallPurpose, until: string, cause?: unknown): CrmFailure {
  const at = new Date(until).toISOString();
  const clock = `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`;
  return failure(
    "rate_limited",
    "daily_calls",
    `The day's ${CRM_NAMES[provider]} requests ${KEPT[purpose]}. Nothing is lost; the sync waits and goes on by itself at ${clock}.`,
    { until: at, cause },
  );
}

function tooFarOff(provider: ProviderId, waitMs: number): CrmFailure {
  return failure(
    "rate_limited",
    "rate_limit",
    `${CRM_NAMES[provider]} takes no more requests just now. Nothing is lost; the sync goes on in a moment.`,
    { retryAfterMs: Math.ceil(waitMs) },
  );
}
