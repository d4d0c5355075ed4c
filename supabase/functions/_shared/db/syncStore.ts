import type { SyncStore } from "../sync/store.ts";
import { callStore } from "./sql/calls.ts";
import { incrementalCursor, mergePage, upsertOwners, wasLinked } from "./sql/merge.ts";
import { beginPush, dueDirty, isUnchanged, settleDirty, settleOutbound, takeOutbound } from "./sql/outbound.ts";
import { planPage, planPush } from "./sql/plan.ts";
import { claim, finish, handOver, keepCheckpoint, noteError, renew, setTotals } from "./sql/run.ts";
import { connectionFailed } from "./sql/tokens.ts";
import { undoPage } from "./sql/undo.ts";
import { tokenStore } from "./tokenStore.ts";
import type { Db } from "./types.ts";

export function syncStore(db: Db): SyncStore {
  return {
    claim: (request) => claim(db, request),
    renew: (run, leaseSeconds) => renew(db, run, leaseSeconds),
    handOver: (run) => handOver(db, run),
    finish: (run, outcome, message, resumeAt) => finish(db, run, outcome, message, resumeAt),
    noteError: (run, error) => noteError(db, run, error),
    setTotals: (run, totals) => setTotals(db, run, totals),
    keepCheckpoint: (run, checkpoint) => keepCheckpoint(db, run, checkpoint),
    mergePage: (run, page) => mergePage(db, run, page),
    plan: {
      page: (run, page) => planPage(db, run, page),
      push: (run, entity, limit) => planPush(db, run, entity, limit),
    },
    dueDirty: (run, entity, limit) => dueDirty(db, run, entity, limit),
    settleDirty: (run, entity, done) => settleDirty(db, run, entity, done),
    beginPush: (run, entity) => beginPush(db, run, entity),
    takeOutbound: (run, entity, limit, which) => takeOutbound(db, run, entity, limit, which),
    isUnchanged: (run, entity, records) => isUnchanged(db, run, entity, records),
    settleOutbound: (run, entity, results) => settleOutbound(db, run, entity, results),
    undoPage: (run, limit) => undoPage(db, run, limit),
    incrementalCursor: (config, entity) => incrementalCursor(db, config, entity),
    wasLinked: (run, entity) => wasLinked(db, run, entity),
    upsertOwners: (config, owners) => upsertOwners(db, config, owners),
    connectionFailed: (config, reason) => connectionFailed(db, config, reason),
    tokens: (config, provider) => tokenStore(db, config, provider),
    calls: (config, provider) => callStore(db, config, provider),
  };
}
