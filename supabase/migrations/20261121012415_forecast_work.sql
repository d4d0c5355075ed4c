-- Forecast: what a calculation reads of work, and all of it together.

create function private.forecast_demands(p_workspace uuid, p_deals uuid[]) returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', d.id, 'deal_id', d.pipeline_project_id, 'skill', coalesce(d.skill_key, d.skill_category), 'is_category', d.skill_key is null,
    'level', d.level, 'count', d.required_count, 'percentage', d.allocation_percentage,
    'start_date', d.start_date, 'end_date', d.end_date,
    'critical', d.is_critical, 'alternatives', d.alternatives,
    'staffed', (
      select coalesce(jsonb_agg(jsonb_build_object('start_date', private.plausible_day(l.start_date), 'end_date', private.plausible_day(l.end_date),
        'percentage', l.percentage) order by l.id), '[]')
      from public.employee_allocations l
      where l.workspace_id = p_workspace and l.demand_id = d.id and l.status = 'firm')) order by d.id), '[]')
  from public.pipeline_resource_demands d
  where d.workspace_id = p_workspace and d.pipeline_project_id = any (p_deals)
$$;

-- The workspace's default calendar: the hours of a full day of work that is asked for.
create function private.forecast_calendar(p_workspace uuid, p_from date, p_to date) returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('hours', to_jsonb(c.hours), 'holidays', coalesce((
    select jsonb_agg(jsonb_build_object('day', h.day, 'share', h.share) order by h.day)
    from public.calendar_holidays h
    where h.workspace_id = p_workspace and h.calendar_id = c.id and h.day between p_from and p_to), '[]'))
  from public.planning_settings p
  join public.working_calendars c on c.workspace_id = p.workspace_id and c.id = p.default_calendar_id
  where p.workspace_id = p_workspace
$$;

-- The weeks from a Monday on; for months, all weeks that they touch, cut where a month begins.
create function private.forecast_borders(p_from date, p_weeks int, p_month date, p_months int) returns date[]
language sql
immutable
set search_path = ''
as $$
  select array_agg(distinct b.day order by b.day)
  from (select private.week_start(least(p_from, p_month)) as first_day,
      greatest(p_from + 7 * p_weeks, private.week_start((p_month + make_interval(months => p_months))::date - 1) + 7) as end_day) s
  cross join lateral (
    select s.first_day + 7 * g.n from generate_series(0, (s.end_day - s.first_day) / 7) g (n)
    union all
    select (p_month + make_interval(months => g.n))::date from generate_series(0, p_months) g (n)) b (day)
$$;

-- Free hours by period of people with the same skills, added up: two thousand people are a few hundred rows. hours: [[period, hours]],
-- the first period is 0. The first border is a Monday. Of a week in parts, what is promised beyond one part's time is taken from the other.
create function private.forecast_supply(p_workspace uuid, p_borders date[]) returns jsonb
language sql
stable
set search_path = ''
as $$
  with person as materialized (
    select s.employee_id, jsonb_agg(jsonb_build_object('skill', s.skill_key, 'category', k.category, 'level', s.level)
      order by s.is_primary desc, s.skill_key) as skills
    from public.employee_skills s
    join public.skills k on k.workspace_id = s.workspace_id and k.key = s.skill_key
    join public.employees e on e.workspace_id = s.workspace_id and e.id = s.employee_id and e.deleted_at is null
    where s.workspace_id = p_workspace
    group by s.employee_id
  ),
  -- By number: to compare what a person knows for each of their weeks takes most of the time.
  profile as materialized (
    select p.employee_id, p.skills, dense_rank() over (order by p.skills) as n from person p
  ),
  part as (
    select s.key::uuid as employee_id, s.first_day, greatest(0, s.capacity - s.allocated) as hours,
      sum(greatest(0, s.capacity - s.allocated)) over week as parts, greatest(0, sum(s.capacity - s.allocated) over week) as whole
    from private.supply_periods(p_workspace, p_borders, 'person') s
    window week as (partition by s.key::uuid, (s.first_day - p_borders[1]) / 7)
  ),
  free as (
    select f.n as profile, width_bucket(p.first_day, p_borders) - 1 as n, sum(p.hours * (p.whole / p.parts)) as hours
    from part p
    join profile f on f.employee_id = p.employee_id
    where p.parts > 0
    group by f.n, p.first_day
  ),
  line as (
    select f.profile, jsonb_agg(jsonb_build_array(f.n, round(f.hours::numeric, 4)) order by f.n) filter (where f.hours > 0) as hours
    from free f
    group by f.profile
    having max(f.hours) > 0
  )
  select coalesce(jsonb_agg(jsonb_build_object('skills', f.skills, 'hours', l.hours) order by f.n), '[]')
  from line l
  join (select distinct on (p.n) p.n, p.skills from profile p order by p.n) f on f.n = l.profile
$$;

-- All together -----------------------------------------------------------------------------------------------------------

create function private.forecast_work(p_workspace uuid, p_deals uuid[], p_from date, p_weeks int, p_month date, p_months int) returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('demands', private.forecast_demands(p_workspace, p_deals),
    'calendar', private.forecast_calendar(p_workspace, p_from - 1100, p_from + 7 * p_weeks + 400), 'supply', private.forecast_supply(p_workspace, b.days))
    || case when p_month is not null then jsonb_build_object('borders', b.days) else '{}' end
  from (select private.forecast_borders(p_from, p_weeks, p_month, p_months) as days offset 0) b
$$;

create function private.require_deals(p_workspace uuid, p_ids uuid[]) returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  v_missing constant text := (
    select min(i.id::text) from unnest(p_ids) i (id)
    where not exists (select from public.pipeline_projects p where p.workspace_id = p_workspace and p.id = i.id and p.deleted_at is null));
begin
  if v_missing is not null then
    raise exception 'There is no deal % in this workspace.', v_missing using errcode = 'PC001';
  end if;
end
$$;

-- Those that are named, and those of the statuses that are asked for.
create function private.forecast_asked_scenarios(p_workspace uuid, p_ask jsonb) returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_ids constant uuid[] := array(
    select s.id from public.pipeline_scenarios s
    where s.workspace_id = p_workspace and s.deleted_at is null
      and (p_ask -> 'scenario_ids' ? s.id::text or p_ask -> 'scenario_statuses' ? s.status));
begin
  if cardinality(v_ids) < (select count(distinct i) from jsonb_array_elements_text(p_ask -> 'scenario_ids') i) then
    raise exception 'There is no such scenario in this workspace.' using errcode = 'PC001';
  end if;
  if cardinality(v_ids) > 100 then
    raise exception 'There are % scenarios to combine; a forecast takes 100 at most. Archive those that count no more.', cardinality(v_ids)
      using errcode = 'PC004', hint = 'Field: scenario_statuses';
  end if;
  return case when v_ids = '{}' then '[]' else private.forecast_scenarios(p_workspace, v_ids) end;
end
$$;

-- p_ask: {as_of, grain, periods (left out: as far as the scenarios look), pipeline_project_ids, scenario_ids, scenario_statuses, work, months (of work; periods are weeks then), timing, new_business}. Stable, so
-- that everything is read from the snapshot of one statement: the very text that is hashed, kept and calculated with.
create function private.forecast_inputs(p_workspace uuid, p_actor uuid, p_ask jsonb) returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_as_of constant date := coalesce((p_ask ->> 'as_of')::date, private.workspace_today(p_workspace));
  v_from constant date := date_trunc(p_ask ->> 'grain', v_as_of::timestamp)::date;
  v_periods constant int := (p_ask ->> 'periods')::int;
  v_month constant date := case when p_ask ? 'months' then date_trunc('month', v_as_of::timestamp)::date end;
  v_work constant boolean := coalesce((p_ask ->> 'work')::boolean, false);
  v_asked uuid[] := (select array_agg(distinct i::uuid order by i::uuid) from jsonb_array_elements_text(p_ask -> 'pipeline_project_ids') i);
  v_scenarios jsonb;
  v_months int;
  v_deals uuid[];
begin
  if p_actor is not null then
    perform private.require_role(p_workspace, 'viewer', p_actor);
  end if;
  perform private.require_deals(p_workspace, v_asked);
  v_scenarios := private.forecast_asked_scenarios(p_workspace, p_ask);
  v_months := coalesce(case p_ask ->> 'grain' when 'month' then v_periods else ceil(v_periods / 4.345) end,
    (select max((s ->> 'forecast_months')::int) from jsonb_array_elements(v_scenarios) s), 12);
  -- Scenarios about named deals are compared over those; one about all open deals needs all of them.
  if v_asked is null and p_ask ? 'scenario_ids' and not exists (select from jsonb_array_elements(v_scenarios) s where s -> 'deal_ids' = '[]') then
    v_asked := (select array_agg(distinct i::uuid) from jsonb_array_elements(v_scenarios) s, jsonb_array_elements_text(s -> 'deal_ids') i);
  end if;
  v_deals := private.forecast_deal_ids(p_workspace, v_asked, least(v_from, v_month), v_work);
  if cardinality(v_deals) > 5000 then
    raise exception 'This is about % deals; a forecast takes 5,000 at most. Name the deals, or put those that will not come on hold.', cardinality(v_deals)
      using errcode = 'PC004', hint = 'Field: pipeline_project_ids';
  end if;
  return jsonb_build_object(
    'as_of', v_as_of, 'settings', private.forecast_settings(p_workspace), 'stages', private.forecast_stages(p_workspace),
    'learned', private.forecast_learned(p_workspace), 'scenarios', v_scenarios, 'deals', private.forecast_deals(p_workspace, v_deals),
    'shifts', private.forecast_shifts(p_workspace, v_as_of),
    'lives', private.forecast_lives(p_workspace, v_as_of, 30, 5))
    || case when (p_ask ->> 'new_business')::boolean
      then jsonb_build_object('new_business', private.forecast_new_business(p_workspace, v_as_of, v_months)) else '{}' end
    || case when v_work then private.forecast_work(p_workspace, v_deals, v_from, v_periods, v_month, (p_ask ->> 'months')::int) else '{}' end;
end
$$;

revoke execute on function private.forecast_demands(uuid, uuid[]), private.forecast_calendar(uuid, date, date), private.forecast_borders(date, int, date, int),
  private.forecast_supply(uuid, date[]), private.forecast_work(uuid, uuid[], date, int, date, int), private.require_deals(uuid, uuid[]),
  private.forecast_asked_scenarios(uuid, jsonb), private.forecast_inputs(uuid, uuid, jsonb)
  from public, anon, authenticated, service_role;
