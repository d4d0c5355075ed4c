import { CrmFailure, type EntityType } from "../crm/contract.ts";
import { DbFailure, FENCED } from "../db/types.ts";
import { createLogger } from "../log/logger.ts";
import type { CallStore } from "./gate.ts";
import { NOTHING } from "./mergeBatch.ts";
import type { StoredSession } from "./session.ts";
import type { SliceDeps, SliceLimits } from "./slice.ts";
import type { Claim, Outcome, Page, RunError, StoredHighWater, SyncStore } from "./store.ts";
import { type FakeCrm, providerOf } from "./testing.crm.ts";
import { FakeOutbox } from "./testing.outbox.ts";

export { crmWith, type FakeCrm, fieldOf } from "./testing.crm.ts";
export { FakeOutbox } from "./testing.outbox.ts";

/** Doubles for the tests of this folder: a CRM that is three arrays, a database that is a few maps, a clock that is set by hand. */

export interface FakeClock {
  ms: number;
  /** Every wait, in order. Waiting moves the clock. */
  slept: number[];
}

export const clockAt = (ms = Date.parse("2026-11-21T12:00:00.000Z")): FakeClock => ({ ms, slept: [] });

/** One operation, as the database keeps it. */
export interface FakeRun {
  status: "queued" | "running" | Outcome | "cancelled";
  fence: number;
  slice: number;
  /** A phase's, or the journal's. */
  checkpoint: Page["checkpoint"] | { journal: number };
  message: string | null;
  resumeAt: string | null;
  /** Who has it; null when a slice gave it back. */
  held: boolean;
  merged: Map<string, number>;
  rejected: Map<string, string>;
  errors: RunError[];
  totals: Record<string, number | null> | null;
  cursors: Map<string, StoredHighWater>;
  wasLinked: boolean;
  connectionReason: string | null;
  pages: Page[];
  outbox: FakeOutbox;
  /** Changes of the run that is undone, and how many of them have been taken back. */
  journal: { size: number; undone: number };
  session: StoredSession;
  /** Runs before each verb; throwing is a crash. */
  before: (verb: string) => void;
}

export function newRun(): FakeRun {
  return {
    status: "queued",
    fence: 0,
    slice: 0,
    checkpoint: null,
    message: null,
    resumeAt: null,
    held: false,
    merged: new Map(),
    rejected: new Map(),
    errors: [],
    totals: null,
    cursors: new Map(),
    wasLinked: false,
    connectionReason: null,
    pages: [],
    outbox: new FakeOutbox(),
    journal: { size: 0, undone: 0 },
    session: {
      environment: "production",
      instance_url: "https://crm.example",
      external_account_id: "org",
      access_token: "token-0",
      refresh_token: "refresh",
      expires_at: null,
      version: 1,
    },
    before: () => {},
  };
}

export function storeOf(run: FakeRun, claim: Partial<Claim> = {}): SyncStore {
  const guarded = (verb: string, fence: string) => {
    run.before(verb);
    if (Number(fence) !== run.fence || run.status !== "running")
      throw new DbFailure({ code: FENCED, message: "fenced" });
  };
  const release = (status: FakeRun["status"]) => {
    run.status = status;
    run.fence += 1;
    run.held = false;
  };
  const mapping = (entity_type: EntityType, app_field: string) =>
    ({
      entity_type,
      crm_field: "Name",
      app_field,
      data_type: "string",
      sync_direction: "bidirectional",
      is_required: true,
    }) as const;
  const store: SyncStore = {
    async claim() {
      run.before("claim");
      if (run.status !== "queued" && run.status !== "running") return null;
      run.status = "running";
      run.fence += 1;
      run.slice += 1;
      run.held = true;
      return {
        operation_id: "op",
        operation: "sync",
        config_id: "config",
        workspace_id: "workspace",
        crm_provider: "salesforce",
        environment: "production",
        direction: "bidirectional",
        entities: ["accounts", "contacts", "opportunities"],
        phases: ["dirty", "pull", "push"],
        fence: String(run.fence),
        slice: run.slice,
        checkpoint: structuredClone(run.checkpoint),
        mappings: [mapping("accounts", "name"), mapping("contacts", "last_name"), mapping("opportunities", "name")],
        stages: [],
        settings: { sync_rules: {}, conflict_resolution: "crm_wins", sync_direction: "bidirectional" },
        ...claim,
      };
    },
    async renew(ref) {
      guarded("renew", ref.fence);
    },
    async handOver(ref) {
      guarded("handOver", ref.fence);
      release("running");
    },
    async finish(ref, outcome, message, resumeAt) {
      guarded("finish", ref.fence);
      run.message = message;
      run.resumeAt = resumeAt ?? null;
      release(outcome);
    },
    async noteError(ref, error) {
      guarded("noteError", ref.fence);
      run.errors.push(error);
    },
    async setTotals(ref, totals) {
      guarded("setTotals", ref.fence);
      run.totals = totals;
    },
    async keepCheckpoint(ref, checkpoint) {
      guarded("keepCheckpoint", ref.fence);
      run.checkpoint = structuredClone(checkpoint);
      run.before("keepCheckpoint committed");
    },
    async mergePage(ref, page) {
      guarded("mergePage", ref.fence);
      run.outbox.merge(page);
      run.pages.push(structuredClone(page));
      for (const one of page.rejected) run.rejected.set(one.crm_id, one.message);
      if (page.checkpoint === null) return { ...NOTHING, updated: page.records.length };
      for (const record of page.records) run.merged.set(record.crm_id, (run.merged.get(record.crm_id) ?? 0) + 1);
      run.checkpoint = structuredClone(page.checkpoint);
      if (page.cursor !== null) run.cursors.set(page.entity, page.cursor);
      run.before("mergePage committed");
      return {
        created: page.records.length,
        updated: 0,
        unchanged: 0,
        deleted: 0,
        failed: page.rejected.length,
        conflicts: 0,
      };
    },
    async dueDirty(ref, entity, limit) {
      guarded("dueDirty", ref.fence);
      return run.outbox.dueDirty(entity, limit);
    },
    async settleDirty(ref, entity, done) {
      guarded("settleDirty", ref.fence);
      run.outbox.settleDirty(entity, done);
      run.before("settleDirty committed");
    },
    async beginPush(ref, entity) {
      guarded("beginPush", ref.fence);
      return run.outbox.due(entity).length;
    },
    async takeOutbound(ref, entity, limit, which) {
      guarded("takeOutbound", ref.fence);
      const items = run.outbox.take(entity, limit, which);
      run.before("takeOutbound committed");
      return { items, more: false };
    },
    async isUnchanged(ref, _entity, records) {
      guarded("isUnchanged", ref.fence);
      return run.outbox.isUnchanged(records);
    },
    async settleOutbound(ref, entity, results) {
      guarded("settleOutbound", ref.fence);
      const counts = run.outbox.settle(entity, results);
      run.before("settleOutbound committed");
      return counts;
    },
    async undoPage(ref, limit) {
      guarded("undoPage", ref.fence);
      if (run.checkpoint !== null && !("journal" in run.checkpoint)) throw new Error("The undo would begin anew.");
      const left = run.journal.size - run.journal.undone;
      run.journal.undone += Math.min(limit, left);
      run.checkpoint = { journal: run.journal.undone };
      run.before("undoPage committed");
      return left > limit;
    },
    plan: {
      page: () => Promise.reject(new Error("not part of a sync")),
      push: () => Promise.reject(new Error("not part of a sync")),
    },
    incrementalCursor: async (_config, entity) => run.cursors.get(entity) ?? null,
    wasLinked: async () => run.wasLinked,
    upsertOwners: async () => run.before("upsertOwners"),
    async connectionFailed(_config, reason) {
      run.connectionReason = reason;
    },
    calls: () => freeCalls,
    tokens: () => ({
      load: async () => structuredClone(run.session),
      async store(version, tokens) {
        if (version !== run.session.version) return false;
        run.session = { ...run.session, access_token: tokens.access_token, version: version + 1 };
        return true;
      },
      clientSecret: async () => "secret",
      exclusively: (work) => work(store.tokens("config", "salesforce")),
    }),
  };
  return store;
}

export const LIMITS: SliceLimits = { sliceMs: 25_000, sliceRecords: 1_000, mergeRecords: 1, leaseSeconds: 30 };

export function depsOf(
  run: FakeRun,
  crm: FakeCrm,
  clock: FakeClock,
  more: { limits?: Partial<SliceLimits>; claim?: Partial<Claim> } = {},
): SliceDeps {
  run.outbox.now = () => clock.ms;
  return {
    store: storeOf(run, more.claim),
    provider: () => providerOf(crm),
    now: () => new Date(clock.ms),
    sleep: async (ms) => {
      clock.slept.push(ms);
      clock.ms += ms;
    },
    random: () => 0.5,
    every: () => () => {},
    log: createLogger({ write: () => {}, now: () => new Date(clock.ms) }),
    limits: { ...LIMITS, ...more.limits },
  };
}

export const trouble = (
  kind: "transient" | "rate_limited" | "revoked" | "rejected",
  more: { code?: string; retryAfterMs?: number; until?: string } = {},
) => new CrmFailure({ kind, code: more.code ?? kind, userMessage: `The CRM says ${kind}.`, ...more });

/** As many calls as anybody wants. */
export const freeCalls: CallStore = {
  take: async ({ wanted }) => ({
    granted: wanted,
    wait_ms: 0,
    spacing_ms: 0,
    tolerance_ms: 60_000,
    until: null,
    bucket: "calls",
  }),
  tell: async () => {},
};
