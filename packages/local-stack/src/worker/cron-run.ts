import postgres, { type Sql } from "postgres";
import { messageOf } from "../errors.ts";
import { databaseUrl } from "../settings.ts";

export interface Job {
  jobid: string;
  schedule: string;
  command: string;
  database: string;
  username: string;
  active: boolean;
}

/** Runs a job once over a fresh connection as the job's user, and writes cron.job_run_details as pg_cron does. */
export async function runJob(sql: Sql, job: Job, dbPort: number): Promise<void> {
  const [run] = await sql<{ runid: string }[]>`
    insert into cron.job_run_details (jobid, database, username, command, status)
    values (${job.jobid}, ${job.database}, ${job.username}, ${job.command}, 'starting') returning runid::text`;
  const runid = run?.runid ?? null;
  const session = postgres(databaseUrl(job.username === "postgres" ? "postgres" : "supabase_admin", dbPort), {
    max: 1,
    database: job.database,
    prepare: false,
    onnotice: () => {},
    connection: { application_name: "pg_cron" },
  });
  try {
    const pid = await beginSession(session, job.username);
    await sql`update cron.job_run_details set status = 'running', job_pid = ${pid}, start_time = clock_timestamp() where runid = ${runid}`;
    const message = describeResult(await session.unsafe(job.command));
    await sql`
      update cron.job_run_details set status = 'succeeded', return_message = ${message}, end_time = clock_timestamp()
      where runid = ${runid}`;
  } catch (error) {
    await sql`
      update cron.job_run_details
      set status = 'failed', return_message = ${describeError(error)},
          start_time = coalesce(start_time, clock_timestamp()), end_time = clock_timestamp()
      where runid = ${runid}`;
  } finally {
    await session.end({ timeout: 1 });
  }
}

/** `postgres` logs in; any other user is taken on by the superuser, with the settings of its role. */
async function beginSession(session: Sql, username: string): Promise<number> {
  if (username !== "postgres") {
    await session.unsafe(`set session authorization ${quoteIdentifier(username)}`);
    await session`
      select set_config(split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1), false)
      from pg_roles, unnest(rolconfig) as setting where rolname = ${username}`;
  }
  const [row] = await session<{ pid: number }[]>`select pg_backend_pid() as pid`;
  return (row as { pid: number }).pid;
}

function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

interface CommandResult {
  command: string | null;
  count: number | null;
  columns?: unknown;
}

/** pg_cron keeps the tag of the last command, or the number of rows it returned. */
function describeResult(result: unknown): string {
  const results = Array.isArray((result as unknown[])[0]) ? (result as CommandResult[]) : [result as CommandResult];
  const last = results.at(-1);
  if (!last?.command) return "";
  const rows = (last as unknown as unknown[]).length;
  if (last.command === "SELECT" || rows > 0) return rows === 1 ? "1 row" : `${rows} rows`;
  const counted = ["UPDATE", "DELETE", "MERGE", "COPY"].includes(last.command);
  if (last.command === "INSERT") return `INSERT 0 ${last.count ?? 0}`;
  return counted ? `${last.command} ${last.count ?? 0}` : last.command;
}

function describeError(error: unknown): string {
  return `${(error as { severity?: string }).severity ?? "ERROR"}:  ${messageOf(error)}\n`;
}
