import type { SyncStore } from "../sync/store.ts";
import { callStore } from "./sql/calls.ts";
import { incrementalCursor, mergePage, upsertOwners } from "./sql/merge.ts";
import { claim, finish, handOver, noteError, renew, setTotals } from "./sql/run.ts";
import { connectionFailed } from "./sql/tokens.ts";
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
    mergePage: (run, page) => mergePage(db, run, page),
    incrementalCursor: (config, entity) => incrementalCursor(db, config, entity),
    upsertOwners: (config, owners) => upsertOwners(db, config, owners),
    connectionFailed: (config, reason) => connectionFailed(db, config, reason),
    tokens: (config, provider) => tokenStore(db, config, provider),
    calls: (config, provider) => callStore(db, config, provider),
  };
}
