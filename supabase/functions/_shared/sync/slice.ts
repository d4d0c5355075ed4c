import type { CrmProvider, ProviderId } from "../crm/contract.ts";
import { isFenced } from "../db/types.ts";
import type { Logger } from "../log/logger.ts";
import { type Checkpoint, type Phase, parseCheckpoint, phasesLeft } from "./checkpoint.ts";
import { dryRun } from "./dryRun.ts";
import { endAfter } from "./failures.ts";
import { type Gate, openGate } from "./gate.ts";
import { NOTHING } from "./mergeBatch.ts";
import { runPhase } from "./phases.ts";
import { prepare } from "./prepare.ts";
import { NOTHING_SENT } from "./push/results.ts";
import { keepSession, type SessionKeeper } from "./session.ts";
import type { Claim, MergeCounts, PushCounts, RunRef, SyncStore } from "./store.ts";
import { keepTransforms, type TransformKeeper } from "./transforms.ts";
import { isRewinding, rewind } from "./undo.ts";

export interface SliceLimits {
  /** Wall time after which no more is read. */
  sliceMs: number;
  /** Records after which no more is read: an Edge Function has two seconds of processor time. */
  sliceRecords: number;
  /** Records that may wait for the merge, and so the size of the largest merge. */
  mergeRecords: number;
  pageSize?: number;
  leaseSeconds: number;
}

export interface SliceDeps {
  store: SyncStore;
  provider: (id: ProviderId) => CrmProvider;
  now: () => Date;
  sleep: (ms: number) => Promise<void>;
  /** 0 to 1. */
  random: () => number;
  /** Runs something again and again until the answer is called. */
  every: (ms: number, run: () => void) => () => void;
  log: Logger;
  limits: SliceLimits;
}

/** What one slice knows and counts. */
export interface Slice {
  deps: SliceDeps;
  claim: Claim;
  run: RunRef;
  crm: CrmProvider;
  session: SessionKeeper;
  gate: Gate;
  transforms: TransformKeeper;
  /** As of the last page or batch that is done; null before the first of the run. */
  checkpoint: Checkpoint | null;
  /** A field, an entity or the owners were left out, so the run cannot end as a success. Failed records the database counts itself. */
  partial: boolean;
  counts: MergeCounts;
  /** What the CRM took. */
  sent: PushCounts;
  /** Records that were read or written: what the budget counts. */
  recordsRead: number;
  /** Time spent in the database's merge; the rest of a slice is waiting for the CRM. */
  mergeMs: number;
  remainingMs: () => number;
}

export type Ending = "nothing_to_do" | "finished" | "handed_over" | "paused" | "failed" | "taken_over";

/** One slice of one run: claim, go through its phases until done or out of budget, then finish or hand over to the next slice. */
export async function runSlice(
  deps: SliceDeps,
  request: { operation: string | null; holder: string },
): Promise<Ending> {
  const claim = await deps.store.claim({ ...request, leaseSeconds: deps.limits.leaseSeconds });
  if (claim === null) return "nothing_to_do";
  const log = deps.log.with({ operation_id: claim.operation_id, config_id: claim.config_id, slice: claim.slice });
  const own = { ...deps, log };
  const slice = openSlice(claim.operation === "plan" ? dryRun(own) : own, claim);
  const stopBeating = keepLease(slice);
  const began = deps.now().getTime();
  const ending = await worked(slice).finally(() => {
    stopBeating();
    slice.transforms.close();
  });
  log.info("slice ended", {
    ending,
    ...slice.counts,
    sent: slice.sent,
    read: slice.recordsRead,
    merge_ms: slice.mergeMs,
    ms: deps.now().getTime() - began,
  });
  return ending;
}

function openSlice(deps: SliceDeps, claim: Claim): Slice {
  const crm = deps.provider(claim.crm_provider);
  const store = deps.store.tokens(claim.config_id, claim.crm_provider);
  const deadline = deps.now().getTime() + deps.limits.sliceMs;
  const remainingMs = () => deadline - deps.now().getTime();
  const calls = deps.store.calls(claim.config_id, claim.crm_provider);
  const gate = openGate({ ...deps, store: calls, remainingMs }, claim.crm_provider, "incremental");
  const checkpoint = isRewinding(claim) ? null : parseCheckpoint(claim.checkpoint);
  return {
    deps,
    claim,
    run: { operation: claim.operation_id, fence: claim.fence },
    crm,
    session: keepSession({ store, provider: crm, now: deps.now, gate }),
    gate,
    transforms: keepTransforms(claim.mappings),
    checkpoint,
    partial: checkpoint?.partial ?? false,
    counts: NOTHING,
    sent: NOTHING_SENT,
    recordsRead: 0,
    mergeMs: 0,
    remainingMs,
  };
}

/** A slow CRM must not look like a dead worker. Losing the lease needs no action here: the next write says so. */
function keepLease({ deps, run }: Slice): () => void {
  const seconds = deps.limits.leaseSeconds;
  return deps.every((seconds * 1000) / 3, () => {
    deps.store
      .renew(run, seconds)
      .catch((error: unknown) => deps.log.warn("lease not renewed", { error: String(error) }));
  });
}

async function worked(slice: Slice): Promise<Ending> {
  try {
    return await work(slice);
  } catch (error) {
    return isFenced(error) ? takenOver(slice) : endAfterFailure(slice, error);
  }
}

async function endAfterFailure(slice: Slice, error: unknown): Promise<Ending> {
  try {
    return await endAfter(slice, error);
  } catch (second) {
    if (isFenced(second)) return takenOver(slice);
    throw second;
  }
}

function takenOver({ deps }: Slice): Ending {
  deps.log.info("stopped: another worker has the run, or it was cancelled");
  return "taken_over";
}

async function work(slice: Slice): Promise<Ending> {
  const { claim, deps, run } = slice;
  if (claim.operation !== "undo") {
    if (claim.phases.length === 0) return failed(slice, NOTHING_TO_DO);
    if (slice.checkpoint === null) await prepare(slice);
  } else if (isRewinding(claim) && (await rewind(slice)) === "out_of_budget") return handedOver(slice);
  for (const phase of phasesLeft(slice.checkpoint, claim.phases)) {
    const end = await runPhase(slice, phase);
    if (end === "out_of_budget") return handedOver(slice);
    // An undo has taken back what it could here; how far it got is for the database to say.
    if (end === "refused" && claim.operation !== "undo") return failed(slice, REFUSED[phase]);
  }
  const left = claim.operation === "undo" ? NOT_TAKEN_BACK : LEFT_OUT;
  await deps.store.finish(run, slice.partial ? "partial" : "completed", slice.partial ? left : null);
  return "finished";
}

async function handedOver({ deps, run }: Slice): Promise<Ending> {
  await deps.store.handOver(run);
  return "handed_over";
}

async function failed({ deps, run }: Slice, message: string): Promise<Ending> {
  await deps.store.finish(run, "failed", message);
  return "failed";
}

const NOTHING_TO_DO =
  "The direction of this run and that of the connection leave nothing to do. Nothing was read or changed; start a run in the connection's direction, or change the connection's.";
const REFUSED_READING = "The CRM refused to hand out any of the records. The error list says why.";
const REFUSED: Record<Phase, string> = {
  dirty: REFUSED_READING,
  pull: REFUSED_READING,
  push: "The CRM refused to take any of the changes made here. The error list says why; they are kept, and the next run sends them.",
};
const LEFT_OUT =
  "The CRM did not hand out or take everything that is mapped; the error list says what is missing and why. Everything else is in step.";
const NOT_TAKEN_BACK =
  "The CRM did not take everything back. The error list says what it keeps and why; what was changed here is restored. To try again, undo this undo, then undo the run once more.";
