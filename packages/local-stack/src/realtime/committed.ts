import { setTimeout as pause } from "node:timers/promises";
import type { Sql } from "postgres";

const LOOK_AGAIN_MS = 1;

/**
 * A commit is in the log a moment before other sessions see its rows. Judged in that moment, a row would look as if row
 * level security hid it, and its change would be lost. The log has the low 32 bits of a transaction id, the snapshot all 64:
 * the nearest id is meant.
 */
export async function untilVisible(sql: Sql, transactions: readonly number[]): Promise<void> {
  for (;;) {
    const [row] = await sql<{ missing: number }[]>`
      select count(*)::int as missing
        from (select pg_current_snapshot() as seen) now
       cross join lateral (select pg_snapshot_xmax(now.seen)::text::bigint as next) following
       cross join unnest(${[...new Set(transactions)]}::bigint[]) low
       cross join lateral (select following.next + ((low - following.next % 4294967296 + 6442450944) % 4294967296) - 2147483648 as id) nearest
       where not pg_visible_in_snapshot(nearest.id::text::xid8, now.seen)`;
    if (row?.missing === 0) return;
    await pause(LOOK_AGAIN_MS);
  }
}
