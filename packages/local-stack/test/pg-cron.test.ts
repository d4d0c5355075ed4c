import { describe, expect, test } from "vitest";
import { nextRun } from "../src/worker/cron-schedule.ts";
import { asRole, eventually, rejection, useStack } from "./support/stack.ts";

const stack = useStack({
  "supabase/migrations/20260101000000_extensions.sql": `
    create extension if not exists pg_cron with schema pg_catalog;
    create table public.ticks (id bigint generated always as identity primary key, who text not null default current_user);
    create role worker_bee login;
    grant usage on schema public, cron to worker_bee;
    grant insert on public.ticks to worker_bee;
    grant usage on all sequences in schema public to worker_bee;
    select cron.schedule('from a migration', '* * * * *', 'select 1');
  `,
});

describe("pg_cron", () => {
  test("a job runs as the role that scheduled it, over a connection of its own, and its runs are recorded", async () => {
    const [job] =
      await stack.sql`select cron.schedule('tick', '1 second', 'insert into public.ticks default values') as id`;
    await eventually("two runs", async () => (await stack.sql`select * from public.ticks`).length >= 2);
    await stack.sql`select cron.unschedule('tick')`;
    const [run] = await stack.sql`select * from cron.job_run_details where jobid = ${job?.id} order by runid limit 1`;
    expect(run).toMatchObject({
      database: "postgres",
      username: "postgres",
      command: "insert into public.ticks default values",
      status: "succeeded",
      return_message: "INSERT 0 1",
      job_pid: expect.any(Number),
      start_time: expect.any(Date),
      end_time: expect.any(Date),
    });
    expect(new Set((await stack.sql`select who from public.ticks`).map((row) => row.who))).toEqual(
      new Set(["postgres"]),
    );
  });

  test("a job of another role runs as that role", async () => {
    await stack.sql`truncate public.ticks`;
    await asUser("worker_bee", "select cron.schedule('bee', '1 second', 'insert into public.ticks default values')");
    await eventually(
      "a tick",
      async () => (await stack.sql`select * from public.ticks where who = 'worker_bee'`).length > 0,
    );
    await asUser("worker_bee", "select cron.unschedule('bee')");
  });

  test("nobody schedules as somebody else, also not past the public functions", async () => {
    for (const attempt of [
      "select cron._schedule('supabase_admin', 'x', '* * * * *', 'select 1', null, null, true)",
      "insert into cron._calls (caller, action, schedule, command) values ('supabase_admin', 'schedule', '* * * * *', 'select 1')",
      "insert into cron.job (username, schedule, command) values ('supabase_admin', '* * * * *', 'select 1')",
    ]) {
      expect(await rejection(stack.sql.unsafe(attempt))).toMatchObject({ code: "42501" });
      expect(await rejection(asUser("worker_bee", attempt))).toMatchObject({ code: "42501" });
    }
    await asUser("worker_bee", "select cron.schedule('mine', '* * * * *', 'select 1')");
    const [job] = await stack.admin`select username, command from cron.job where jobname = 'mine'`;
    expect(job).toEqual({ username: "worker_bee", command: "select 1" });
    const error = await rejection(stack.sql`select cron.unschedule('mine')`);
    expect(error.message).toBe("could not find valid entry for job 'mine'");
    await asUser("worker_bee", "select cron.unschedule('mine')");
  });

  async function asUser(role: string, statement: string) {
    await stack.admin.begin(async (tx) => {
      await tx.unsafe(`set local session authorization ${role}`);
      await tx.unsafe(statement);
    });
  }

  test("a job that fails says why, and one run never overlaps the next", async () => {
    const [bad] = await stack.sql`select cron.schedule('bad', '1 second', 'select 1/0') as id`;
    await eventually("a failed run", async () => {
      const [run] = await stack.sql`select * from cron.job_run_details where jobid = ${bad?.id} and status = 'failed'`;
      return run?.return_message === "ERROR:  division by zero\n";
    });
    await stack.sql`select cron.unschedule('bad')`;
    const [slow] = await stack.sql`select cron.schedule('slow', '1 second', 'select pg_sleep(1.3)') as id`;
    await eventually("two slow runs", async () => {
      const runs =
        await stack.sql`select 1 from cron.job_run_details where jobid = ${slow?.id} and status = 'succeeded'`;
      return runs.length >= 2;
    });
    await stack.sql`select cron.unschedule('slow')`;
    const [overlap] = await stack.sql`
      select count(*)::int as n from cron.job_run_details a join cron.job_run_details b
        on a.jobid = b.jobid and a.runid < b.runid and b.start_time < a.end_time
      where a.jobid = ${slow?.id}`;
    expect(overlap?.n).toBe(0);
  });

  test("the same name again replaces the job; an inactive one does not run", async () => {
    const [first] = await stack.sql`select cron.schedule('one', '0 0 * * *', 'select 1') as id`;
    const [second] = await stack.sql`select cron.schedule('one', '5 0 * * *', 'select 2') as id`;
    expect(second?.id).toBe(first?.id);
    const [job] = await stack.sql`select * from cron.job where jobname = 'one'`;
    expect(job).toMatchObject({
      schedule: "5 0 * * *",
      command: "select 2",
      username: "postgres",
      active: true,
      nodename: "localhost",
    });
    await stack.sql`select cron.alter_job(${first?.id}, schedule := '1 second', active := false)`;
    const [changed] = await stack.sql`select schedule, active from cron.job where jobid = ${first?.id}`;
    expect(changed).toEqual({ schedule: "1 second", active: false });
    expect(await stack.sql`select 1 from cron.job_run_details where jobid = ${first?.id}`).toHaveLength(0);
    await stack.sql`select cron.unschedule(${first?.id}::bigint)`;
  });

  test.each([
    "61 * * * *",
    "* * *",
    "60 seconds",
    "0 seconds",
    "every minute",
    "* * 32 * *",
    "5-1 * * * *",
    "*/0 * * * *",
    "* * * * foo",
  ])("refuses the schedule %s with the hosted message", async (schedule) => {
    const error = await rejection(stack.sql`select cron.schedule('x', ${schedule}, 'select 1')`);
    expect(error).toMatchObject({
      code: "22023",
      message: `invalid schedule: ${schedule}`,
      hint: "Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'",
    });
  });

  test.each([
    "* * * * *",
    "*/5 0-6 1,15 * mon-fri",
    "0 0 $ * *",
    "0 12 * jan,jul 7",
    "59 seconds",
    "1 second",
    "@hourly",
  ])("takes the schedule %s", async (schedule) => {
    await stack.sql`select cron.schedule('valid', ${schedule}, 'select 1')`;
    await stack.sql`select cron.unschedule('valid')`;
  });

  test("times are GMT, and $ is the last day of the month", () => {
    const at = new Date("2026-02-10T10:00:30Z");
    expect(nextRun("0 12 * * *", at)?.toISOString()).toBe("2026-02-10T12:00:00.000Z");
    expect(nextRun("0 0 $ * *", at)?.toISOString()).toBe("2026-02-28T00:00:00.000Z");
    expect(nextRun("* * * * *", at)?.toISOString()).toBe("2026-02-10T10:01:00.000Z");
  });

  test("an unknown job cannot be unscheduled", async () => {
    expect((await rejection(stack.sql`select cron.unschedule('nothing')`)).message).toBe(
      "could not find valid entry for job 'nothing'",
    );
    expect((await rejection(stack.sql`select cron.unschedule(4711)`)).message).toBe(
      "could not find valid entry for job 4711",
    );
  });

  test("postgres changes jobs by function only, and may clean up the run details", async () => {
    for (const statement of [
      "insert into cron.job (schedule, command) values ('* * * * *', 'select 1')",
      "update cron.job set active = false where true",
      "delete from cron.job where true",
    ]) {
      expect(await rejection(stack.sql.unsafe(statement))).toMatchObject({ code: "42501" });
    }
    await stack.sql`delete from cron.job_run_details where true`;
    expect(
      await rejection(stack.sql`select cron.schedule_in_database('j', '* * * * *', 'select 1', 'postgres', 'anon')`),
    ).toMatchObject({
      message: "must be superuser to create a job for another role",
    });
  });

  test.each(["anon", "authenticated", "service_role"])("%s cannot reach it", async (role) => {
    const error = await rejection(
      asRole(stack.sql, role, {}, (tx) => tx`select cron.schedule('* * * * *', 'select 1')`),
    );
    expect(error).toMatchObject({ code: "42501", message: "permission denied for schema cron" });
  });

  test("a migration schedules, and the job is there", async () => {
    expect(await stack.sql`select 1 from cron.job where jobname = 'from a migration'`).toHaveLength(1);
  });
});
