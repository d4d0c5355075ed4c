import { z } from "zod";
import type { Db } from "../types.ts";
import { parseOne } from "./rows.ts";
import type { RunRef } from "./run.ts";

/** One window of the journal, in one transaction; answers whether anything is left. */
export async function undoPage(db: Db, run: RunRef, limit: number): Promise<boolean> {
  const rows = await db.query("select private.crm_undo_page($1::uuid, $2::text::bigint, $3::integer) as page", [
    run.operation,
    run.fence,
    limit,
  ]);
  return parseOne(z.object({ page: z.object({ left: z.boolean() }) }), rows, "crm_undo_page").page.left;
}
