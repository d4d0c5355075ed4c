import type { EntityType, ProviderId } from "../crm/contract.ts";
import type { MergeCounts, OwnerRow, StoredHighWater } from "../db/sql/merge.ts";
import type { DirtyRow, OutboundItem, OutboundResult, PushCounts, Taken, WhichItems } from "../db/sql/outbound.ts";
import type { Claim, Outcome, RunError, RunRef } from "../db/sql/run.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { CallStore } from "./gate.ts";
import type { MergeRecord, Rejection } from "./mapping/plan.ts";
import type { TokenStore } from "./session.ts";

export type {
  Claim,
  DirtyRow,
  MergeCounts,
  OutboundItem,
  OutboundResult,
  Outcome,
  OwnerRow,
  PushCounts,
  RunError,
  RunRef,
  StoredHighWater,
  WhichItems,
};

export interface Page {
  entity: EntityType;
  records: readonly MergeRecord[];
  rejected: readonly Rejection[];
  /** null: the records were fetched by name, and the place of the reader stays. */
  checkpoint: Checkpoint | null;
  cursor: StoredHighWater | null;
}

/** In place of merging and pushing, for a run that only plans. */
export interface PlanVerbs {
  page(run: RunRef, page: Page): Promise<MergeCounts>;
  /** Looks at the next records of ours; false when those were the last. */
  push(run: RunRef, entity: EntityType, limit: number): Promise<boolean>;
}

/** What a slice needs from the database. Every verb that names a run fails once the run belongs to another worker. */
export interface SyncStore {
  claim(request: { operation: string | null; holder: string; leaseSeconds: number }): Promise<Claim | null>;
  renew(run: RunRef, leaseSeconds: number): Promise<void>;
  handOver(run: RunRef): Promise<void>;
  /** A paused run goes on by itself at `resumeAt` (ISO), or when a person says so. */
  finish(run: RunRef, outcome: Outcome, message: string | null, resumeAt?: string): Promise<void>;
  noteError(run: RunRef, error: RunError): Promise<void>;
  setTotals(run: RunRef, totals: Record<string, number | null>): Promise<void>;
  keepCheckpoint(run: RunRef, checkpoint: Checkpoint): Promise<void>;
  mergePage(run: RunRef, page: Page): Promise<MergeCounts>;
  plan: PlanVerbs;
  dueDirty(run: RunRef, entity: EntityType, limit: number): Promise<DirtyRow[]>;
  settleDirty(run: RunRef, entity: EntityType, done: readonly DirtyRow[]): Promise<void>;
  /** How many of our records are due to go to the CRM. */
  beginPush(run: RunRef, entity: EntityType): Promise<number>;
  /** The next items that are due, or exactly those of certain records. They come again until they are settled. */
  takeOutbound(run: RunRef, entity: EntityType, limit: number, which?: WhichItems): Promise<Taken>;
  /** Whether the CRM shows these records just as it did when they were merged last. */
  isUnchanged(run: RunRef, entity: EntityType, records: readonly MergeRecord[]): Promise<boolean>;
  /** Takes back the next changes of the run that is undone, at most `limit`; answers whether any are left. */
  undoPage(run: RunRef, limit: number): Promise<boolean>;
  settleOutbound(run: RunRef, entity: EntityType, results: readonly OutboundResult[]): Promise<PushCounts>;
  incrementalCursor(config: string, entity: EntityType): Promise<StoredHighWater | null>;
  /** Whether an earlier run has linked records of it. */
  wasLinked(run: RunRef, entity: EntityType): Promise<boolean>;
  upsertOwners(config: string, owners: readonly OwnerRow[]): Promise<void>;
  connectionFailed(config: string, reason: string): Promise<void>;
  tokens(config: string, provider: ProviderId): TokenStore;
  calls(config: string, provider: ProviderId): CallStore;
}
