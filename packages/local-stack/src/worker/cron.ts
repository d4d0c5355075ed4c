import type { Sql } from "postgres";
import { messageOf } from "../errors.ts";
import { type Job, runJob } from "./cron-run.ts";
import { onSchedule } from "./cron-schedule.ts";

/** A job in memory. While one run lasts, further firings wait in line: never two at once. */
interface Scheduled {
  job: Job;
  timer: { stop(): void };
  running?: Promise<void>;
  waiting: number;
}

const FAREWELL_MS = 500;

/** Does what pg_cron's background worker does: keeps the jobs of cron.job in memory and runs each when it is due. */
export class CronWorker {
  readonly #sql: Sql;
  readonly #dbPort: number;
  readonly #log: (line: string) => void;
  readonly #scheduled = new Map<string, Scheduled>();
  #loading: Promise<void>;
  #stopped = false;

  constructor(sql: Sql, dbPort: number, log: (line: string) => void) {
    this.#sql = sql;
    this.#dbPort = dbPort;
    this.#log = log;
    this.#loading = failRunsOfEarlierStart(sql).catch((error) => this.#report(error));
    this.reload();
  }

  /** Reads cron.job again. */
  reload(): void {
    if (!this.#stopped) this.#loading = this.#loading.then(() => this.#load()).catch((error) => this.#report(error));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const entry of this.#scheduled.values()) entry.timer.stop();
    await this.#loading;
    const runs = [...this.#scheduled.values()].map((entry) => entry.running);
    await Promise.race([Promise.all(runs), new Promise((resolve) => setTimeout(resolve, FAREWELL_MS))]);
  }

  async #load(): Promise<void> {
    const jobs = new Map((await readJobs(this.#sql)).map((job) => [job.jobid, job]));
    for (const [jobid, entry] of this.#scheduled) {
      if (jobs.get(jobid)?.schedule === entry.job.schedule) continue;
      entry.timer.stop();
      this.#scheduled.delete(jobid);
    }
    for (const job of jobs.values()) {
      const existing = this.#scheduled.get(job.jobid);
      if (existing) existing.job = job;
      else this.#schedule(job);
    }
  }

  #schedule(job: Job): void {
    const entry: Scheduled = { job, timer: { stop: () => {} }, waiting: 0 };
    this.#scheduled.set(job.jobid, entry);
    entry.timer = onSchedule(job.schedule, () => this.#fire(entry));
  }

  #fire(entry: Scheduled): void {
    if (this.#stopped) return;
    if (entry.running) {
      entry.waiting++;
      return;
    }
    entry.running = this.#runIfStillThere(entry.job.jobid)
      .catch((error) => this.#report(error))
      .finally(() => {
        entry.running = undefined;
        if (entry.waiting === 0) return;
        entry.waiting--;
        this.#fire(entry);
      });
  }

  /** The job may have gone with its extension, of which no notice is sent. */
  async #runIfStillThere(jobid: string): Promise<void> {
    const job = (await readJobs(this.#sql)).find((each) => each.jobid === jobid);
    if (job) await runJob(this.#sql, job, this.#dbPort);
  }

  #report(error: unknown): void {
    if (!this.#stopped) this.#log(`pg_cron: ${messageOf(error)}`);
  }
}

async function isInstalled(sql: Sql): Promise<boolean> {
  const [row] = await sql`select to_regclass('cron.job') is not null as installed`;
  return row?.installed === true;
}

async function readJobs(sql: Sql): Promise<Job[]> {
  if (!(await isInstalled(sql))) return [];
  return sql<Job[]>`
    select jobid::text, schedule, command, database, username, active from cron.job where active`;
}

async function failRunsOfEarlierStart(sql: Sql): Promise<void> {
  if (!(await isInstalled(sql))) return;
  await sql`
    update cron.job_run_details set status = 'failed', return_message = 'server restarted'
    where status in ('starting', 'connecting', 'sending', 'running')`;
}
