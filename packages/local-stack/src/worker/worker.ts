import postgres from "postgres";
import { databaseUrl } from "../settings.ts";
import { CronWorker } from "./cron.ts";
import { NetWorker } from "./net.ts";

/** What the background workers of pg_net and pg_cron do on hosted, in the stack's own process. */
export async function startWorkers(dbPort: number, log: (line: string) => void): Promise<{ stop(): Promise<void> }> {
  const sql = postgres(databaseUrl("supabase_admin", dbPort), {
    max: 4,
    onnotice: () => {},
    // net.check_worker_is_up() looks for this name.
    connection: { application_name: "pg_net and pg_cron worker" },
  });
  const net = new NetWorker(sql, log);
  const cron = new CronWorker(sql, dbPort, log);
  await sql.listen("pg_net_worker", () => net.wake());
  await sql.listen("pg_cron_worker", () => cron.reload());
  return {
    async stop() {
      await Promise.all([net.stop(), cron.stop()]);
      await sql.end({ timeout: 1 });
    },
  };
}
