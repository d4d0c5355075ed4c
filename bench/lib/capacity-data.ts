import type { Sql } from "postgres";

export interface CapacitySize {
  people: number;
  demands: number;
  weeks: number;
}

/** The first Monday that is asked for. */
export const FIRST_WEEK = "2026-11-23";
const SKILLS = 30;
const CALENDARS = 20;
const LINES_PER_DEAL = 5;

/** A number by chance that is the same in every run, 0 to most - 1. */
const chance = (what: string, most: number) => `((hashtext(${what}) & 2147483647) % ${most})`;

/**
 * One workspace: people of whom one in five is part-time, three skills and three weeks off a year each, four allocations that partly
 * overlap, and deals over two years of which one in twenty has no end.
 */
export async function fillWorkspace(sql: Sql, workspaceId: string, size: CapacitySize): Promise<void> {
  await addLists(sql, workspaceId);
  await addPeople(sql, workspaceId, size);
  await addDeals(sql, workspaceId, size);
  await addPromises(sql, workspaceId);
  await sql.unsafe(
    "analyze public.employees, public.employee_skills, public.employee_time_off, public.employee_allocations, public.pipeline_projects, public.pipeline_resource_demands, public.skills, public.calendar_holidays",
  );
}

async function addLists(sql: Sql, workspaceId: string): Promise<void> {
  await sql`insert into public.skills (workspace_id, key, label, category)
    select ${workspaceId}, 'skill_' || i, 'Skill ' || i, 'category ' || i % 6 from generate_series(1, ${SKILLS}::int) i`;
  await sql`insert into public.working_calendars (workspace_id, name, hours)
    select ${workspaceId}, 'Calendar ' || i, array[8, 8, 7.5, 8, case when i % 2 = 0 then 0 else 6 end, 0, 0]
    from generate_series(2, ${CALENDARS}::int) i`;
  await sql`insert into public.calendar_holidays (workspace_id, calendar_id, day, share)
    select ${workspaceId}, c.id, date '2026-01-01' + 31 * k, case when k % 5 = 0 then 0.5 else 1 end
    from public.working_calendars c, generate_series(0, 40) k where c.workspace_id = ${workspaceId}`;
}

async function addPeople(sql: Sql, workspaceId: string, { people }: CapacitySize): Promise<void> {
  await sql.unsafe(
    `with calendar as (
       select row_number() over (order by name) as place, id from public.working_calendars where workspace_id = $1)
     insert into public.employees (workspace_id, name, external_id, working_calendar_id, fte, employed_from, employed_to)
     select $1, 'Person ' || i, i::text, c.id, case when i % 5 = 0 then 0.6 else 1 end, date '2020-01-01' + i,
       case when i % 10 = 0 then date '2027-06-15' end
     from generate_series(1, $2::int) i
     left join calendar c on i % 4 = 0 and c.place = 1 + ${chance("i::text || 'calendar'", CALENDARS)}`,
    [workspaceId, people],
  );
  await sql.unsafe(
    `insert into public.employee_skills (workspace_id, employee_id, skill_key, level)
     select e.workspace_id, e.id, 'skill_' || 1 + ${chance("e.external_id || 'skill' || k", SKILLS)},
       (array['junior', 'mid', 'senior', 'lead', null])[1 + ${chance("e.external_id || 'level' || k", 5)}]
     from public.employees e, generate_series(1, 3) k where e.workspace_id = $1 on conflict do nothing`,
    [workspaceId],
  );
}

async function addDeals(sql: Sql, workspaceId: string, { demands }: CapacitySize): Promise<void> {
  await sql`insert into public.pipeline_projects (workspace_id, name, stage_key, probability, estimated_start_date, estimated_duration)
    select ${workspaceId}, 'Deal ' || i, (array['lead', 'prospect', 'proposal', 'negotiation', 'won'])[1 + i % 5],
      case when i % 3 = 0 then 33 end, date '2026-11-01' + i % 600, case when i % 20 = 0 then null else 30 + i % 200 end
    from generate_series(1, ${demands / LINES_PER_DEAL}::int) i`;
  await sql.unsafe(
    `insert into public.pipeline_resource_demands
       (workspace_id, pipeline_project_id, skill_category, experience_level, required_count, allocation_percentage, is_critical, alternatives)
     select $1, p.id,
       case when (p.n + k) % 10 = 0 then 'category ' || p.n % 6 else 'skill_' || 1 + (p.n * 7 + k) % ${SKILLS} end,
       (array['junior', 'mid', 'senior', null])[1 + (p.n + k) % 4], 1 + (p.n + k) % 3, 50 + 25 * (k % 3), k = 1,
       case when k > 2 then jsonb_build_array('skill_' || 1 + (p.n * 7 + k + 3) % ${SKILLS}) else '[]' end
     from (select id, substr(name, 6)::int as n from public.pipeline_projects where workspace_id = $1) p,
       generate_series(1, ${LINES_PER_DEAL}) k`,
    [workspaceId],
  );
}

async function addPromises(sql: Sql, workspaceId: string): Promise<void> {
  await sql.unsafe(
    `insert into public.employee_time_off (workspace_id, employee_id, start_date, end_date, share)
     select e.workspace_id, e.id, d.first, d.first + 9, case when k = 3 then 0.5 else 1 end
     from public.employees e, generate_series(0, 5) k,
       lateral (select date '${FIRST_WEEK}' + 120 * k + ${chance("e.external_id", 90)}) d (first)
     where e.workspace_id = $1`,
    [workspaceId],
  );
  await sql.unsafe(
    `with demand as (
       select row_number() over (order by d.id) as place, d.id from public.pipeline_resource_demands d where d.workspace_id = $1)
     insert into public.employee_allocations (workspace_id, employee_id, start_date, end_date, percentage, demand_id)
     select e.workspace_id, e.id, d.first, case when k = 3 and e.external_id::int % 10 = 0 then null else d.first + 120 end, 40 + 20 * (k % 2), r.id
     from public.employees e
     cross join generate_series(0, 3) k
     cross join lateral (select date '2026-10-01' + 100 * k + ${chance("e.external_id || k", 60)}) d (first)
     left join demand r on k = 1 and r.place = 1 + ${chance("e.external_id || 'demand'", 1000)}
     where e.workspace_id = $1`,
    [workspaceId],
  );
}

/** The same as capacity_weeks by skill, day by day and without any running total: what everybody would write first. */
export const BY_THE_DAY = `
  with day as (
    select g::date as day, date_trunc('week', g)::date as week
    from generate_series($2::date::timestamp, $2::date + 7 * $3::int - 1, interval '1 day') g
  ),
  hours as (
    select c.id as calendar_id, d.day, d.week, c.hours[extract(isodow from d.day)::int] * (1 - coalesce(h.share, 0)) as hours
    from public.working_calendars c
    cross join day d
    left join public.calendar_holidays h on h.workspace_id = c.workspace_id and h.calendar_id = c.id and h.day = d.day
    where c.workspace_id = $1
  ),
  away as (
    select o.employee_id, g::date as day, sum(o.share) as share
    from public.employee_time_off o, generate_series(o.start_date::timestamp, o.end_date, interval '1 day') g
    where o.workspace_id = $1 group by 1, 2
  ),
  promised as (
    select a.employee_id, g::date as day, a.demand_id, a.percentage / 100.0 as share
    from public.employee_allocations a,
      generate_series(greatest(a.start_date, $2::date)::timestamp, least(a.end_date, $2::date + 7 * $3::int - 1), interval '1 day') g
    where a.workspace_id = $1 and a.status = 'firm'
  ),
  present as (
    select e.id, k.skill_key, k.level, h.day, h.week, e.fte * h.hours * (1 - coalesce(o.share, 0)) as hours
    from public.employees e
    join public.planning_settings s on s.workspace_id = e.workspace_id
    join hours h on h.calendar_id = coalesce(e.working_calendar_id, s.default_calendar_id)
      and h.day >= e.employed_from and (h.day <= e.employed_to or e.employed_to is null)
    left join public.employee_skills k on k.workspace_id = e.workspace_id and k.employee_id = e.id and k.is_primary
    left join away o on o.employee_id = e.id and o.day = h.day
    where e.workspace_id = $1 and e.deleted_at is null
  ),
  supply as (
    select p.skill_key as key, p.level, p.week, sum(p.hours) as capacity, sum(p.hours * a.share) as allocated, sum(p.hours * greatest(a.share - 1, 0)) as over
    from present p
    left join (select employee_id, day, sum(share) as share from promised group by 1, 2) a on a.employee_id = p.id and a.day = p.day
    group by 1, 2, 3
  ),
  staffed as (
    select a.demand_id, p.week, sum(p.hours * a.share) as hours
    from promised a join present p on p.id = a.employee_id and p.day = a.day
    where a.demand_id is not null group by 1, 2
  ),
  asked as (
    select d.id, coalesce(d.skill_key, d.skill_category) as key, d.level, h.week,
      sum(h.hours) * d.required_count * d.allocation_percentage / 100 as hours,
      case when t.kind = 'won' then 1 else p.probability / 100.0 end as rate
    from public.pipeline_resource_demands d
    join public.pipeline_projects p on p.id = d.pipeline_project_id
    join public.pipeline_stages t on t.workspace_id = p.workspace_id and t.key = p.stage_key and t.kind in ('open', 'won')
    join public.planning_settings s on s.workspace_id = d.workspace_id
    join hours h on h.calendar_id = s.default_calendar_id
      and h.day >= p.estimated_start_date and (h.day < p.estimated_start_date + p.estimated_duration or p.estimated_duration is null)
    where d.workspace_id = $1
    group by d.id, p.id, t.kind, h.week
  ),
  demand as (
    select a.key, a.level, a.week, sum(greatest(a.hours - coalesce(s.hours, 0), 0) * a.rate) as weighted
    from asked a left join staffed s on s.demand_id = a.id and s.week = a.week
    group by 1, 2, 3
  )
  select coalesce(s.key, d.key) as key, coalesce(s.level, d.level) as level, coalesce(s.week, d.week) as week,
    coalesce(s.capacity, 0) as capacity, coalesce(s.allocated, 0) as allocated, coalesce(s.over, 0) as over, coalesce(d.weighted, 0) as weighted_demand
  from supply s
  full join demand d on d.week = s.week and d.key = s.key and coalesce(d.level, '') = coalesce(s.level, '')`;
