import { z } from "zod";
import type { Db } from "../types.ts";
import { type MergeCounts, type MergePage, sendPage } from "./merge.ts";
import { parseOne } from "./rows.ts";
import type { RunRef } from "./run.ts";

/** Merges a page and takes it back: what it would have done is added to the plan. */
export function planPage(db: Db, run: RunRef, page: MergePage): Promise<MergeCounts> {
  return sendPage(db, "private.crm_plan_page", run, page);
}

/** Looks at the next of our records that would be pushed; false when those were the last. */
export async function planPush(db: Db, run: RunRef, entity: string, limit: number): Promise<boolean> {
  const rows = await db.query(
    "select private.crm_plan_push($1::uuid, $2::text::bigint, $3::text, $4::integer) as more",
    [run.operation, run.fence, entity, limit],
  );
  return parseOne(z.object({ more: z.boolean() }), rows, "crm_plan_push").more;
}
