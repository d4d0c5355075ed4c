import { DbFailure } from "../db/types.ts";
import type { MergeRecord, Rejection } from "./mapping/plan.ts";
import { onceMore, type Waiting } from "./retry.ts";
import type { MergeCounts, Page, RunRef, SyncStore } from "./store.ts";

/** Classes of SQLSTATE that speak of data: one record in the page breaks a rule of its table. */
const DATA_ERROR = /^2[23]/;

export const NOTHING: MergeCounts = { created: 0, updated: 0, unchanged: 0, deleted: 0, failed: 0, conflicts: 0 };

/**
 * Merges a page. When the database refuses it because of what a record holds, the page is halved until that record is
 * alone; it becomes an error of its own and the others go on. Only the last piece moves the checkpoint.
 */
export async function mergeBatch(
  store: Pick<SyncStore, "mergePage">,
  waiting: Waiting,
  run: RunRef,
  page: Page,
  before: Page["checkpoint"],
): Promise<MergeCounts> {
  try {
    return await onceMore(waiting, () => store.mergePage(run, page));
  } catch (error) {
    if (!isDataError(error) || page.records.length === 0) throw error;
    const [only] = page.records;
    if (page.records.length === 1 && only !== undefined) {
      const rejected = [...page.rejected, refused(only, error)];
      return mergeBatch(store, waiting, run, { ...page, records: [], rejected }, before);
    }
    return mergeHalves(store, waiting, run, page, before);
  }
}

async function mergeHalves(
  store: Pick<SyncStore, "mergePage">,
  waiting: Waiting,
  run: RunRef,
  page: Page,
  before: Page["checkpoint"],
): Promise<MergeCounts> {
  const middle = Math.ceil(page.records.length / 2);
  const first = { ...page, records: page.records.slice(0, middle), rejected: [], checkpoint: before, cursor: null };
  const second = { ...page, records: page.records.slice(middle) };
  const left = await mergeBatch(store, waiting, run, first, before);
  return added(left, await mergeBatch(store, waiting, run, second, before));
}

function isDataError(error: unknown): error is DbFailure {
  return error instanceof DbFailure && DATA_ERROR.test(error.code);
}

/** The database's own words name tables and constraints: they help nobody who looks at a CRM. The code says the rest. */
function refused(record: MergeRecord, failure: DbFailure): Rejection {
  const rule = failure.code.startsWith("22") ? "has a form that cannot be stored" : "breaks a rule of our tables";
  const message = `One of its values ${rule} (${failure.code}). Change it in the CRM or map the field elsewhere, then retry the failed records.`;
  return { crm_id: record.crm_id, code: `sql_${failure.code}`, message, field: null };
}

export function added(a: MergeCounts, b: MergeCounts): MergeCounts {
  return {
    created: a.created + b.created,
    updated: a.updated + b.updated,
    unchanged: a.unchanged + b.unchanged,
    deleted: a.deleted + b.deleted,
    failed: a.failed + b.failed,
    conflicts: a.conflicts + b.conflicts,
  };
}
