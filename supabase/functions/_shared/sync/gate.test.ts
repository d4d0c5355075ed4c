import { describe, expect, it } from "vitest";
import { CrmFailure } from "../crm/contract.ts";
import { quotaGone } from "../crm/errors.ts";
import { type CallNews, type CallStore, type Gate, openGate } from "./gate.ts";
import { keepSession, type TokenStore } from "./session.ts";

/** HubSpot's limit for apps with OAuth. */
const CALLS = 110;
const WINDOW_MS = 10_000;
const START = Date.parse("2026-11-21T12:00:00.000Z");

/** Time that only passes when everybody waits. */
function virtualTime() {
  let now = START;
  const sleepers: { at: number; wake: () => void }[] = [];
  return {
    now: () => new Date(now),
    ms: () => now,
    sleep: (ms: number) =>
      new Promise<void>((wake) => {
        sleepers.push({ at: now + ms, wake });
        sleepers.sort((a, b) => a.at - b.at);
      }),
    async until(end: number) {
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve));
        const next = sleepers[0];
        if (next === undefined || next.at > end) break;
        sleepers.shift();
        now = Math.max(now, next.at);
        next.wake();
      }
      now = end;
    },
  };
}

/** The bucket of private.crm_take_calls, whose arithmetic sync/11_limits checks, with a round trip before each answer. */
function sharedBucket(time: ReturnType<typeof virtualTime>, lot = 5) {
  const spacing = WINDOW_MS / (CALLS * 0.98);
  const seen = { trips: 0, news: [] as CallNews[], until: null as string | null };
  let nextAt = START;
  const store: CallStore = {
    async take({ wanted, news }) {
      seen.trips += 1;
      if (news !== null) seen.news.push(news);
      await time.sleep(2);
      if (seen.until !== null)
        return { granted: 0, wait_ms: 0, spacing_ms: 0, tolerance_ms: 0, bucket: "calls", until: seen.until };
      const first = Math.max(nextAt, time.ms());
      const granted = Math.min(wanted, lot);
      nextAt = first + granted * spacing;
      return {
        granted,
        wait_ms: first - time.ms(),
        spacing_ms: spacing,
        tolerance_ms: 100,
        bucket: "calls",
        until: null,
      };
    },
    async tell(news) {
      seen.news.push(news);
      nextAt = Math.max(nextAt, time.ms() + (news.retry_after_ms ?? WINDOW_MS));
    },
  };
  return { store, seen };
}

function mostInAnyWindow(calls: readonly number[]): number {
  return Math.max(...calls.map((from) => calls.filter((at) => at >= from && at < from + WINDOW_MS).length));
}

/** Calls one after another, each taking so long, until the time is over. */
async function work(gate: Gate, time: ReturnType<typeof virtualTime>, calls: number[], callMs: number): Promise<void> {
  for (;;) {
    await gate.enter("read");
    calls.push(time.ms());
    await time.sleep(callMs);
  }
}

const open = (time: ReturnType<typeof virtualTime>, store: CallStore, remainingMs = 60_000) =>
  openGate({ store, now: time.now, sleep: time.sleep, remainingMs: () => remainingMs }, "hubspot", "incremental");

describe("the gate before a CRM", () => {
  it.each([
    ["one worker that calls eight at a time", 1, 8, 400],
    ["four workers that share the connection", 4, 2, 250],
  ])("%s: uses more than 90 % of what is allowed and never more than all of it", async (_, workers, each, callMs) => {
    const time = virtualTime();
    const { store, seen } = sharedBucket(time);
    const calls: number[] = [];
    for (let worker = 0; worker < workers; worker += 1) {
      const gate = open(time, store);
      for (let lane = 0; lane < each; lane += 1) void work(gate, time, calls, callMs);
    }
    await time.until(START + 60_000);
    expect(mostInAnyWindow(calls)).toBeLessThanOrEqual(CALLS);
    expect(calls.length / (CALLS * 6)).toBeGreaterThanOrEqual(0.9);
    expect(calls.length / seen.trips).toBeGreaterThan(3);
  });

  it("reading and writing in turn, a few at a time, uses more than 90 % as well: no turn of either is lost to the other", async () => {
    const time = virtualTime();
    const { store, seen } = sharedBucket(time);
    const calls: number[] = [];
    const gate = open(time, store);
    const lane = async () => {
      for (;;) {
        for (const family of ["read", "write"] as const) {
          await gate.enter(family);
          calls.push(time.ms());
          await time.sleep(150);
        }
      }
    };
    for (let at = 0; at < 4; at += 1) void lane();
    await time.until(START + 60_000);
    expect(mostInAnyWindow(calls)).toBeLessThanOrEqual(CALLS);
    expect(calls.length / (CALLS * 6)).toBeGreaterThanOrEqual(0.9);
    expect(calls.length / seen.trips).toBeGreaterThan(3);
  });

  it("a worker that was busy for long does not make up for its lost turns", async () => {
    const time = virtualTime();
    const { store, seen } = sharedBucket(time);
    const gate = open(time, store);
    const first = gate.enter("read");
    await time.until(START + 100);
    await first;
    await time.until(START + 5_000);
    const second = gate.enter("read");
    await time.until(START + 5_010);
    await second;
    expect(seen.trips).toBe(2);
  });

  it("after a refusal nobody calls before the time the CRM named, not even who was already waiting", async () => {
    const time = virtualTime();
    const { store, seen } = sharedBucket(time);
    const calls: number[] = [];
    const [one, other] = [open(time, store), open(time, store)];
    for (let lane = 0; lane < 3; lane += 1) void work(one, time, calls, 10);
    await time.until(START + 300);
    one.report({ family: "read", status: 429, isTooMany: true, retryAfterMs: 4_000 });
    void work(other, time, calls, 10);
    await time.until(START + 12_000);
    const after = calls.filter((at) => at > START + 300);
    expect(Math.min(...after)).toBeGreaterThanOrEqual(START + 4_300);
    expect(after.length).toBeGreaterThan(20);
    expect(seen.news).toContainEqual({ family: "read", too_many: true, retry_after_ms: 4_000 });
  });

  it("tells what the CRM said about the day with the next lot", async () => {
    const time = virtualTime();
    const { store, seen } = sharedBucket(time, 1);
    const gate = open(time, store);
    gate.report({ family: "read", status: 200, dailyRemaining: 41, dailyLimit: 100 });
    const entered = gate.enter("write");
    await time.until(START + 100);
    await entered;
    expect(seen.news).toEqual([{ family: "read", daily_left: 41, daily_limit: 100 }]);
  });

  it("says until when the day's quota is gone", async () => {
    const time = virtualTime();
    const { store, seen } = sharedBucket(time);
    seen.until = "2026-11-22T00:00:00.000Z";
    const gate = open(time, store);
    gate.purpose = "backfill";
    const refused = gate.enter("read").catch((error: unknown) => error);
    await time.until(START + 100);
    expect((await refused) as CrmFailure).toMatchObject({
      detail: {
        kind: "rate_limited",
        until: "2026-11-22T00:00:00.000Z",
        userMessage:
          "The day's HubSpot requests that a first reading may use are used up; the rest is kept for changes. Nothing is lost; the sync waits and goes on by itself at 2026-11-22 00:00 UTC.",
      },
    });
  });

  it("does not wait longer than the slice has", async () => {
    const time = virtualTime();
    const { store } = sharedBucket(time);
    await store.tell({ family: "read", too_many: true, retry_after_ms: 9_000 });
    const refused = open(time, store, 5_000)
      .enter("read")
      .catch((error: unknown) => error);
    await time.until(START + 100);
    expect(((await refused) as CrmFailure).detail).toMatchObject({ kind: "rate_limited", code: "rate_limit" });
  });
});

describe("a session with a gate", () => {
  const tokens: TokenStore = {
    load: async () => ({
      environment: "production",
      instance_url: "https://crm.example",
      external_account_id: "org",
      access_token: "token",
      refresh_token: "refresh",
      expires_at: null,
      version: 1,
    }),
    store: async () => true,
    clientSecret: async () => "secret",
    exclusively: (run) => run(tokens),
  };
  const refresh = () => Promise.reject(new Error("not needed"));

  it("hands it to the provider, and gives the CRM's own refusal the right time", async () => {
    const time = virtualTime();
    const { store, seen } = sharedBucket(time);
    const gate = open(time, store);
    const keeper = keepSession({ store: tokens, provider: { refresh }, now: time.now, gate });
    expect(await keeper.use(async (session) => session.gate)).toBe(gate);
    seen.until = "2026-11-21T23:00:00.000Z";
    const refused = keeper
      .use(() => Promise.reject(new CrmFailure(quotaGone("HubSpot", "It returns at midnight.", time.now()))))
      .catch((error: unknown) => error);
    await time.until(START + 100);
    expect(((await refused) as CrmFailure).detail).toMatchObject({ kind: "rate_limited", until: seen.until });
    expect(seen.news).toEqual([{ family: "read", quota_gone: true }]);
  });
});
