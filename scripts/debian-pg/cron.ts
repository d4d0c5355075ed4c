import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "@pipeline-crm/local-stack";
import type postgres from "postgres";
import { PROJECT_ROOT } from "../lib/workbench.ts";
import type { Report } from "./report.ts";

const PROBE = "debian-pg-probe";
/** A job fires at the turn of a minute; the rest is slack for a busy machine. */
const PATIENCE_MS = 100_000;

/** A job of role postgres that writes a row. Every minute is the shortest schedule that Debian's pg_cron (1.4) has. */
export async function scheduleProbe(sql: postgres.Sql): Promise<void> {
  await sql`create schema debian_pg_lane`;
  await sql`create table debian_pg_lane.fired (fired_by text not null, fired_at timestamptz not null)`;
  await sql`select cron.schedule(${PROBE}, '* * * * *', 'insert into debian_pg_lane.fired values (current_user, clock_timestamp())')`;
}

interface ProbeState {
  status: string | null;
  return_message: string | null;
  username: string | null;
  fired_by: string | null;
}

async function probeState(sql: postgres.Sql): Promise<ProbeState | undefined> {
  const [state] = await sql<ProbeState[]>`
    select details.status, details.return_message, details.username, fired.fired_by
    from cron.job job
    left join cron.job_run_details details on details.jobid = job.jobid
    left join debian_pg_lane.fired on true
    where job.jobname = ${PROBE}
    order by details.runid, fired.fired_at
    limit 1`;
  return state;
}

/** Waits for the probe's first run, checks what it left, and takes it away again. */
export async function checkProbe(report: Report, sql: postgres.Sql, signal: AbortSignal): Promise<void> {
  let state: ProbeState | undefined;
  const settled = async () => {
    signal.throwIfAborted();
    state = await probeState(sql);
    return state?.status === "failed" || (state?.status === "succeeded" && state.fired_by !== null);
  };
  await until(settled, PATIENCE_MS, 250);
  const seen = JSON.stringify(state ?? "no such job");
  report.check("a cron job fired as postgres and wrote its row", state?.fired_by === "postgres", seen);
  report.check(
    "cron.job_run_details records its success",
    state?.status === "succeeded" && state.username === "postgres",
    seen,
  );
  await sql`select cron.unschedule(${PROBE})`;
  await sql`drop schema debian_pg_lane cascade`;
  const left = await sql`select jobid from cron.job where jobname = ${PROBE}`;
  report.check("unscheduling removed it", left.length === 0);
}

/** The names that the migrations give to cron.schedule. */
async function scheduledByMigrations(): Promise<string[]> {
  const folder = join(PROJECT_ROOT, "supabase", "migrations");
  const texts = await Promise.all((await readdir(folder)).map((file) => readFile(join(folder, file), "utf8")));
  const named = texts.flatMap((text) => [...text.matchAll(/cron\.schedule\(\s*'([^']+)'\s*,\s*'[^']+'\s*,/g)]);
  return [...new Set(named.map((match) => match[1] ?? ""))].sort();
}

/** The project's own jobs are there, active, and belong to postgres. */
export async function checkProjectJobs(report: Report, sql: postgres.Sql): Promise<void> {
  const expected = await scheduledByMigrations();
  const jobs = await sql<{ jobname: string }[]>`
    select jobname::text from cron.job where active and username = 'postgres' and database = 'postgres'`;
  const missing = expected.filter((name) => !jobs.some((job) => job.jobname === name));
  report.check(
    `the project's jobs are in cron.job: ${expected.join(", ")}`,
    expected.length > 0 && missing.length === 0,
    expected.length === 0 ? "the migrations schedule no job by name" : `missing: ${missing.join(", ")}`,
  );
}

/** A connection that has been due for three hours, so that the project's own job has something to start. */
export async function makeDueConnection(sql: postgres.Sql): Promise<string> {
  await sql`
    select vault.create_secret('http://127.0.0.1:9', 'project_url')
    where not exists (select from vault.secrets where name = 'project_url')`;
  const [workspace] = await sql<{ id: string }[]>`
    insert into public.workspaces (name, slug) values ('Lane', 'debian-pg-lane') returning id`;
  const [config] = await sql<{ id: string }[]>`
    insert into public.crm_sync_configs (workspace_id, crm_provider, name, external_account_id, oauth_instance_url)
    values (${workspace?.id ?? null}, 'hubspot', 'Lane', 'debian-pg-lane', 'https://hubspot.example')
    returning id`;
  await sql`update public.crm_sync_configs set next_sync_at = now() - interval '3 hours' where name = 'Lane'`;
  return config?.id ?? "";
}

/** Waits until pg_cron has run the project's schedule, and looks what came of it. */
export async function checkSchedule(
  report: Report,
  sql: postgres.Sql,
  config: string,
  signal: AbortSignal,
): Promise<void> {
  let runs: { trigger: string }[] = [];
  const started = async () => {
    signal.throwIfAborted();
    runs = await sql<{ trigger: string }[]>`select trigger from public.crm_sync_operations where config_id = ${config}`;
    return runs.length > 0;
  };
  await until(started, PATIENCE_MS, 250);
  const [job] = await sql<{ status: string; return_message: string }[]>`
    select d.status, d.return_message from cron.job j join cron.job_run_details d on d.jobid = j.jobid
    where j.jobname = 'crm-schedule' order by d.runid desc limit 1`;
  const seen = JSON.stringify({ runs, job });
  report.check("the job crm-schedule started one run for three missed hours", runs.length === 1, seen);
  report.check("it says that the schedule did it", runs[0]?.trigger === "schedule", seen);
  const [next] = await sql<{ later: boolean }[]>`
    select next_sync_at > now() as later from public.crm_sync_configs where id = ${config}`;
  report.check("the connection's next time is ahead", next?.later === true);
}
