import { DbFailure } from "../db/types.ts";
import { CRM_NAMES } from "./names.ts";
import { waiting } from "./prepare.ts";
import { isDataError, refused } from "./refused.ts";
import { onceMore } from "./retry.ts";
import type { Slice } from "./slice.ts";
import type { MergeCounts, Page } from "./store.ts";

export const NOTHING: MergeCounts = { created: 0, updated: 0, unchanged: 0, deleted: 0, failed: 0, conflicts: 0 };

/**
 * Merges a page. When the database refuses it because of what a record holds, the page is halved until that record is
 * alone; it becomes an error of its own and the others go on. Only the last piece moves the checkpoint.
 */
export async function mergeBatch(slice: Slice, page: Page, before: Page["checkpoint"]): Promise<MergeCounts> {
  const { deps, claim, run } = slice;
  try {
    return await onceMore(waiting(slice), () => deps.store.mergePage(run, page));
  } catch (error) {
    if (!(error instanceof DbFailure && isDataError(error.code)) || page.records.length === 0) throw error;
    const [only] = page.records;
    if (page.records.length > 1 || only === undefined) return mergeHalves(slice, page, before);
    deps.log.warn("the database refused a record", { crm_id: only.crm_id, code: error.code, rule: error.constraint });
    const crmName = CRM_NAMES[claim.crm_provider];
    const rejection = refused(only, error, { entity: page.entity, crmName, mappings: claim.mappings });
    return mergeBatch(slice, { ...page, records: [], rejected: [...page.rejected, rejection] }, before);
  }
}

async function mergeHalves(slice: Slice, page: Page, before: Page["checkpoint"]): Promise<MergeCounts> {
  const middle = Math.ceil(page.records.length / 2);
  const first = { ...page, records: page.records.slice(0, middle), rejected: [], checkpoint: before, cursor: null };
  const second = { ...page, records: page.records.slice(middle) };
  const left = await mergeBatch(slice, first, before);
  return added(left, await mergeBatch(slice, second, before));
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
