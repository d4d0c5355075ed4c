import type { Sql, TransactionSql } from "postgres";

/** Random work of many people and jobs at once, from a seed, on workspaces that are there. */

export interface Place {
  workspaceId: string;
  personId: string;
}

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Roll = (below: number) => number;
type Deed = (sql: TransactionSql, workspace: string, roll: Roll) => Promise<unknown>;

const STAGES = ["lead", "prospect", "proposal", "negotiation", "won", "lost", "on_hold"];
const SKILLS = ["react", "sql", "go"];
const pick = <T>(list: readonly T[], roll: Roll) => list[roll(list.length)] as T;

/** A row by chance: the n-th of those that there are. */
async function some(sql: TransactionSql, table: string, workspace: string, roll: Roll): Promise<string> {
  const rows = await sql.unsafe<{ id: string }[]>(
    `select id from public.${table} where workspace_id = $1 order by id offset $2 limit 1`,
    [workspace, roll(12)],
  );
  return rows[0]?.id ?? "00000000-0000-4000-8000-000000000000";
}

/** What people do, under their policies. */
export const PEOPLE: Record<string, Deed> = {
  "create a deal": (sql, w, roll) =>
    sql`select public.create_pipeline_project(${w}, ${sql.json({ name: "Deal", stage: pick(STAGES, roll), estimated_value: roll(9_000), expected_close_date: "2027-01-15", estimated_start_date: "2027-02-01", estimated_duration: roll(90) })},
      ${sql.json([{ skill_category: pick(SKILLS, roll), required_count: 1 + roll(3) }, { skill_category: pick(SKILLS, roll) }])})`,
  "edit a deal and its demand": async (sql, w, roll) =>
    sql`select public.update_pipeline_project(${await some(sql, "pipeline_projects", w, roll)}, ${sql.json({ estimated_value: roll(9_000), stage: pick(STAGES, roll) })},
      ${sql.json([{ skill_category: pick(SKILLS, roll) }])})`,
  "drop a card": async (sql, w, roll) => {
    const [card, after] = [
      await some(sql, "pipeline_projects", w, roll),
      await some(sql, "pipeline_projects", w, roll),
    ];
    return sql`select public.place_deal(${card}, case when ${roll(2) === 0} then ${after}::uuid end, null, ${pick(STAGES, roll)})`;
  },
  "number a column": (sql, w, roll) =>
    sql`select private.number_column(${w}, ${pick(STAGES, roll)}, (select id from public.pipeline_projects where workspace_id = ${w} order by id desc limit 1))`,
  "change many deals": (sql, w, roll) =>
    sql`update public.pipeline_projects set next_steps = 'Call' where workspace_id = ${w} and stage_key = ${pick(STAGES, roll)}`,
  "delete a deal": async (sql, w, roll) =>
    roll(2) === 0
      ? sql`delete from public.pipeline_projects where id = ${await some(sql, "pipeline_projects", w, roll)}`
      : sql`update public.pipeline_projects set deleted_at = now() where id = ${await some(sql, "pipeline_projects", w, roll)}`,
  "change a demand": async (sql, w, roll) =>
    sql`update public.pipeline_resource_demands set required_count = ${1 + roll(9)} where id = ${await some(sql, "pipeline_resource_demands", w, roll)}`,
  "hire somebody": (sql, w, roll) =>
    sql`with e as (insert into public.employees (workspace_id, name) values (${w}, 'New') returning workspace_id, id)
      insert into public.employee_skills (workspace_id, employee_id, skill_key) select e.workspace_id, e.id, ${pick(SKILLS, roll)} from e`,
  "learn a skill": async (sql, w, roll) =>
    sql`insert into public.employee_skills (workspace_id, employee_id, skill_key, is_primary)
      values (${w}, ${await some(sql, "employees", w, roll)}, ${pick(SKILLS, roll)}, ${roll(2) === 0})
      on conflict (workspace_id, employee_id, skill_key) do update set years = ${roll(20)}, is_primary = excluded.is_primary`,
  "let somebody go": async (sql, w, roll) =>
    sql`update public.employees set employed_to = '2030-01-01' where id = ${await some(sql, "employees", w, roll)}`,
  "remove somebody": async (sql, w, roll) =>
    sql`delete from public.employees where id = ${await some(sql, "employees", w, roll)}`,
  "take time off": async (sql, w, roll) =>
    sql`insert into public.employee_time_off (workspace_id, employee_id, start_date, end_date)
      values (${w}, ${await some(sql, "employees", w, roll)}, '2027-03-01'::date + ${roll(300)}::int, '2028-01-01')`,
  "promise time": async (sql, w, roll) =>
    sql`insert into public.employee_allocations (workspace_id, employee_id, demand_id, start_date, percentage)
      values (${w}, ${await some(sql, "employees", w, roll)}, ${await some(sql, "pipeline_resource_demands", w, roll)}, '2027-02-01', ${10 + roll(80)})`,
  "change a calendar": (sql, w, roll) =>
    sql`update public.working_calendars set hours = array_fill(${roll(9)}::numeric, array[7]) where workspace_id = ${w}`,
  "change the settings": (sql, w, roll) =>
    sql`update public.planning_settings set prior_weight = ${1 + roll(30)} where workspace_id = ${w}`,
  "begin a scenario": (sql, w, roll) =>
    sql`select public.create_scenario_from_pipeline(${w}, ${`Plan ${roll(1_000_000)}`}, '{}', '{"lead": 0.5}')`,
  "edit a scenario": async (sql, w, roll) =>
    sql`select public.add_scenario_edit(${await some(sql, "pipeline_scenarios", w, roll)}, ${pick(["shift_close", "shift_start"], roll)}, ${await some(sql, "pipeline_projects", w, roll)}, '{"days": 3}')`,
  "edit a scenario past the call": async (sql, w, roll) =>
    sql`insert into public.pipeline_scenario_edits (workspace_id, scenario_id, kind, payload)
      values (${w}, ${await some(sql, "pipeline_scenarios", w, roll)}, 'set_rates', '{"rates": {"lead": 0.1}}')`,
  "promote a scenario": async (sql, w, roll) =>
    sql`select public.promote_scenario(${await some(sql, "pipeline_scenarios", w, roll)})`,
  "copy a scenario": async (sql, w, roll) =>
    sql`select public.copy_scenario(${await some(sql, "pipeline_scenarios", w, roll)}, ${`Copy ${roll(1_000_000)}`}, ${roll(2) === 0})`,
  "ask for fresh analytics": (sql, w) => sql`select public.refresh_analytics(${w})`,
  "cancel a forecast": async (sql, w, roll) =>
    sql`select public.cancel_forecast(${await some(sql, "pipeline_forecast_runs", w, roll)})`,
  "close or open the workspace": (sql, w, roll) =>
    roll(6) === 0 ? sql`select public.delete_workspace(${w})` : sql`select public.restore_workspace(${w})`,
  "look at the weeks": (sql, w) => sql`select count(*) from public.capacity_weeks(${w})`,
};

const RESULT = JSON.stringify({
  currency: "USD",
  periods: [{ period: "2027-01", closed: 0, commit: 1, best: 1, weighted: 1, p10: 0, p50: 1, p90: 2, naive: 1 }],
});

async function forecast(sql: TransactionSql, w: string, roll: Roll): Promise<{ run_id: string; fence: string } | null> {
  const [run] = await sql<{ run_id: string; fence: string | null }[]>`
    select run_id, fence::text from private.forecast_begin(${w}, null, ${pick(["forecast", "daily"], roll)}, '{}', '{}',
      '2026-11-21'::date + ${roll(50)}::int, ${String(roll(40))}, 1, 1, 10, ${roll(3) === 0}, 30)`;
  return run?.fence ? { run_id: run.run_id, fence: run.fence } : null;
}

/** What jobs and functions do, past all policies. */
export const JOBS: Record<string, Deed> = {
  "refresh analytics": (sql, _w, roll) => sql`select private.refresh_queued(1, ${1 + roll(30)})`,
  "take snapshots": (sql, _w, roll) =>
    sql`select private.take_due_snapshots(now() + make_interval(days => ${roll(4_000)}))`,
  "sweep forecasts": (sql) => sql`select private.forecast_sweep(clock_timestamp() + interval '1 hour')`,
  "ask for daily forecasts": (sql) => sql`select private.forecast_daily(clock_timestamp() + interval '1 day')`,
  "make a forecast": async (sql, w, roll) => {
    const run = await forecast(sql, w, roll);
    if (run === null) return;
    await sql`select private.forecast_finish(${run.run_id}, ${run.fence}, ${RESULT}::jsonb, '{}')`;
  },
  "fail a forecast": async (sql, w, roll) => {
    const run = await forecast(sql, w, roll);
    if (run !== null) await sql`select private.forecast_fail(${run.run_id}, ${run.fence}, 'internal_error', 'No')`;
  },
  "score deals": async (sql, w) =>
    sql`select private.keep_availability(${w}, (
      select coalesce(jsonb_agg(jsonb_build_object('pipeline_project_id', p.id, 'score', 50, 'reasons', '[]'::jsonb, 'lines', '[]'::jsonb, 'proven', true) order by p.name, p.updated_at), '[]')
      from public.pipeline_projects p where p.workspace_id = ${w}), clock_timestamp())`,
  "read a file": (sql, w, roll) =>
    sql`select private.import_people((select created_by from public.workspaces where id = ${w}), ${w}, 'employees',
      (select jsonb_agg(jsonb_build_object('line', n, 'cells', jsonb_build_object('external_id', n::text, 'name', 'Person ' || ${roll(9)}::int))) from generate_series(1, 8) n), true, true)`,
  "remove old forecasts": (sql) => sql`select private.retain_forecasts()`,
};

export async function asPerson(sql: TransactionSql, { personId }: Place): Promise<void> {
  const claims = JSON.stringify({ sub: personId, role: "authenticated" });
  await sql`select set_config('request.jwt.claims', ${claims}, true), set_config('role', 'authenticated', true)`;
}

/** Refusals that are somebody's answer: what was there is gone, taken or closed meanwhile, or the workspace is. */
const ANSWERS = /^(PC0\d\d|23503|23P01|42501)$/;

export interface Trouble {
  deed: string;
  code: string;
  message: string;
}

/** Deeds of one session, one after the other, until it is told to stop. Answers what went wrong, and what was done. */
export async function session(
  sql: Sql,
  places: readonly Place[],
  seed: number,
  goOn: (turn: number) => boolean,
): Promise<{ troubles: Trouble[]; done: string[] }> {
  const next = dice(seed);
  const roll: Roll = (below) => Math.floor(next() * below);
  const troubles: Trouble[] = [];
  const done: string[] = [];
  for (let turn = 0; goOn(turn); turn++) {
    const place = pick(places, roll);
    const isJob = roll(4) === 0;
    const deeds = isJob ? JOBS : PEOPLE;
    const deed = pick(Object.keys(deeds), roll);
    try {
      await sql.begin(async (tx) => {
        if (!isJob) await asPerson(tx, place);
        await deeds[deed]?.(tx, place.workspaceId, roll);
      });
      done.push(deed);
    } catch (error) {
      const { code = "", message } = error as { code?: string; message: string };
      if (!ANSWERS.test(code)) troubles.push({ deed, code, message });
    }
  }
  return { troubles, done };
}
