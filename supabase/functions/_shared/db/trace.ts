import { json } from "./sql/rows.ts";
import type { CallerTrace, Db } from "./types.ts";

/**
 * Runs a call so that the audit log knows where it came from, as it does for calls through the Data API: both leave the
 * headers of the request in the same setting.
 */
export function traced<T>(db: Db, caller: CallerTrace, run: (db: Db) => Promise<T>): Promise<T> {
  const headers = { "x-forwarded-for": caller.ip, "user-agent": caller.userAgent };
  return db.tx(async (tx) => {
    await tx.query("select set_config('request.headers', $1, true)", [json(headers)]);
    return run(tx);
  });
}
