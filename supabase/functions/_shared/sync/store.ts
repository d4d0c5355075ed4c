import type { EntityType, ProviderId } from "../crm/contract.ts";
import type { MergeCounts, OwnerRow, StoredHighWater } from "../db/sql/merge.ts";
import type { Claim, Outcome, RunError, RunRef } from "../db/sql/run.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { CallStore } from "./gate.ts";
import type { MergeRecord, Rejection } from "./mapping/plan.ts";
import type { TokenStore } from "./session.ts";

export type { Claim, MergeCounts, Outcome, OwnerRow, RunError, RunRef, StoredHighWater };

export interface Page {
  entity: EntityType;
  records: readonly MergeRecord[];
  rejected: readonly Rejection[];
  checkpoint: Checkpoint;
  cursor: StoredHighWater | null;
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
  mergePage(run: RunRef, page: Page): Promise<MergeCounts>;
  incrementalCursor(config: string, entity: EntityType): Promise<StoredHighWater | null>;
  upsertOwners(config: string, owners: readonly OwnerRow[]): Promise<void>;
  connectionFailed(config: string, reason: string): Promise<void>;
  tokens(config: string, provider: ProviderId): TokenStore;
  calls(config: string, provider: ProviderId): CallStore;
}
