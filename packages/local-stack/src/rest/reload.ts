import type { Sql } from "postgres";

const QUIET_MS = 30;

/** Reads the schema again after DDL. A migration sends many notices: one reload once they have stopped. */
export async function reloadOnNotify(sql: Sql, reload: () => Promise<void>): Promise<{ now(): Promise<void> }> {
  let running: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const now = () => {
    running = running.then(reload);
    return running;
  };
  await sql.listen("pgrst", () => {
    clearTimeout(timer);
    timer = setTimeout(() => void now(), QUIET_MS);
  });
  return { now };
}
