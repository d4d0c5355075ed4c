-- Forecast: what a calculation reads. Each function answers one subject as JSON, in an order that never changes, and
-- private.forecast_inputs puts them together from one snapshot: the very text that is hashed, kept and calculated with.

create function private.forecast_settings(p_workspace uuid) returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'currency', coalesce(p.reporting_currency, w.default_currency), 'exchange_rates', coalesce(p.exchange_rates, '{}'),
    'commit_from', p.commit_from / 100.0, 'confidence_threshold', p.confidence_threshold, 'min_deals', p.min_deals,
    'prior_weight', p.prior_weight, 'trust_deals', p.trust_deals, 'client_correlation', p.client_correlation,
    'template_rates', coalesce(private.template_rates(p_workspace, p.template_key), '{}'),
    'hiring', jsonb_build_object('lead_weeks', p.hiring_lead_weeks, 'availability', p.hiring_availability, 'min_weeks', p.hiring_min_weeks))
  from public.workspaces w
  join public.planning_settings p on p.workspace_id = w.id
  where w.id = p_workspace
$$;

create function private.forecast_stages(p_workspace uuid) returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object('key', s.key, 'label', s.label, 'kind', s.kind, 'default_rate', s.default_probability / 100.0,
    'aliases', coalesce((select jsonb_agg(a.alias order by a.alias) from private.stage_aliases a where a.key = s.key), '[]')) order by s.position, s.key), '[]')
  from public.pipeline_stages s
  where s.workspace_id = p_workspace
$$;

create function private.forecast_learned(p_workspace uuid) returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object('stage', r.stage_key, 'rate', r.rate, 'n', r.trials, 'low', r.low, 'high', r.high,
    'common_share', r.common_share) order by r.stage_key), '[]')
  from public.analytics_stage_rates r
  -- A stage without a closed deal says nothing, and is no reason to calculate anew.
  where r.workspace_id = p_workspace and r.trials > 0
$$;

-- Deals ------------------------------------------------------------------------------------------------------------------

-- Open ones, and those won from p_from on: what has come in already. With p_work also older ones whose work is still to do.
create function private.forecast_deal_ids(p_workspace uuid, p_ids uuid[], p_from date, p_work boolean) returns uuid[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(p.id), '{}')
  from public.pipeline_projects p
  join public.pipeline_stages s on s.workspace_id = p.workspace_id and s.key = p.stage_key
  where p.workspace_id = p_workspace and p.deleted_at is null and (p_ids is null or p.id = any (p_ids))
    and (s.kind = 'open'
      or s.kind = 'won' and private.plausible_day(coalesce(p.actual_close_date, p.expected_close_date)) >= p_from
      or s.kind = 'won' and p_work and exists (
        select from public.pipeline_resource_demands d
        where d.workspace_id = p.workspace_id and d.pipeline_project_id = p.id
          and coalesce(d.end_date, coalesce(private.plausible_day(p.estimated_start_date), d.start_date) + least(coalesce(p.estimated_duration, 365), 100000)) >= p_from))
$$;

-- A slip of the pen like the year 20226 is no day, as in the analytics: one deal must not stop the forecast of all.
create function private.forecast_deals(p_workspace uuid, p_ids uuid[]) returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', p.id, 'name', p.name, 'client', coalesce(p.company_id::text, nullif(lower(btrim(p.client_name)), '')), 'stage', p.stage_key,
    'value', p.estimated_value, 'currency', p.currency, 'probability', p.probability,
    'close_date', private.plausible_day(case s.kind when 'won' then coalesce(p.actual_close_date, p.expected_close_date) else p.expected_close_date end),
    'start_date', private.plausible_day(p.estimated_start_date), 'duration', least(p.estimated_duration, 100000),
    'opened_on', coalesce(a.created_day, (p.created_at at time zone 'UTC')::date)) order by p.id), '[]')
  from public.pipeline_projects p
  join public.pipeline_stages s on s.workspace_id = p.workspace_id and s.key = p.stage_key
  left join public.analytics_deals a on a.workspace_id = p.workspace_id and a.deal_id = p.id
  where p.workspace_id = p_workspace and p.id = any (p_ids)
$$;

-- Days between the closing day that was expected on coming to a stage and the real one, of won deals, as counts.
create function private.forecast_shifts(p_workspace uuid, p_as_of date) returns jsonb
language sql
stable
set search_path = ''
as $$
  with won as materialized (
    select a.deal_id, a.closed_day, a.expected_close_date
    from public.analytics_deals a
    where a.workspace_id = p_workspace and a.kind = 'won' and a.closed_day between p_as_of - 1095 and p_as_of
    order by a.closed_day desc, a.deal_id
    limit 5000
  ),
  expected as (
    select v.stage_key as stage, w.closed_day - coalesce(m.old_date, w.expected_close_date) as days
    from won w
    join public.analytics_stage_visits v on v.workspace_id = p_workspace and v.deal_id = w.deal_id and v.first_visit
    join public.pipeline_stages s on s.workspace_id = p_workspace and s.key = v.stage_key and s.kind = 'open'
    left join lateral (
      -- The first move after that day tells what was expected before it.
      select h.old_date from public.pipeline_date_history h
      where h.workspace_id = p_workspace and h.pipeline_project_id = w.deal_id and h.field = 'expected_close_date' and h.changed_at > v.entered_at
      order by h.changed_at, h.id
      limit 1
    ) m on true
  ),
  counts as (
    select e.stage, e.days, count(*) as n from expected e where e.days is not null group by e.stage, e.days
  )
  select coalesce(jsonb_agg(jsonb_build_object('stage', c.stage, 'days', c.days, 'n', c.n) order by c.stage, c.days), '[]') from counts c
$$;

-- What became of the deals that were open at the start of each of the last eight months: for deals that nobody has dated.
create function private.forecast_lives(p_workspace uuid, p_as_of date, p_band_days int, p_bands int) returns jsonb
language sql
stable
set search_path = ''
as $$
  with landmarks as (
    select (date_trunc('month', p_as_of::timestamp) - make_interval(months => g.back))::date as day from generate_series(1, 8) g (back)
  ),
  followed as (
    select l.day as landmark, least(p_bands - 1, (l.day - 1 - a.created_day) / p_band_days) as band,
      coalesce(c.closed_day, p_as_of - 1) - l.day + 1 as days,
      case when c.closed_day is null then 'open' else a.kind end as outcome
    from landmarks l
    join public.analytics_deals a on a.workspace_id = p_workspace and a.created_day < l.day
    cross join lateral (select case when a.kind in ('won', 'lost') and a.closed_day < p_as_of then a.closed_day end as closed_day) c
    where c.closed_day is null or c.closed_day >= l.day
  ),
  counts as (
    select f.landmark, f.band, f.days, f.outcome, count(*) as n from followed f group by f.landmark, f.band, f.days, f.outcome
  )
  select coalesce(jsonb_agg(jsonb_build_object('landmark', c.landmark, 'band', c.band, 'days', c.days, 'end', c.outcome, 'n', c.n)
    order by c.landmark, c.band, c.days, c.outcome), '[]')
  from counts c
$$;

-- Deals that were opened and won within the first months after an earlier day like today: wins of month i by how far back.
create function private.forecast_new_business(p_workspace uuid, p_as_of date, p_months int) returns jsonb
language sql
stable
set search_path = ''
as $$
  with origins as (
    select g.turn, (date_trunc('month', p_as_of::timestamp) - make_interval(months => g.turn * greatest(3, p_months)))::date as day
    from generate_series(1, 3) g (turn)
  ),
  -- Before the first deal ever nobody was watching.
  watched as (
    select o.turn, o.day from origins o
    where o.day >= (select date_trunc('month', min(a.created_day)::timestamp)::date from public.analytics_deals a where a.workspace_id = p_workspace)
  ),
  wins as (
    select w.turn, a.currency, count(*) as n, sum(a.value) as total, sum(a.value * a.value) as squares,
      (extract(year from a.closed_day) - extract(year from w.day)) * 12 + extract(month from a.closed_day) - extract(month from w.day) as month
    from watched w
    join public.analytics_deals a on a.workspace_id = p_workspace and a.kind = 'won' and a.created_day >= w.day
      and a.closed_day < (w.day + make_interval(months => greatest(3, p_months)))::date and a.value is not null
    group by w.turn, a.currency, month
  )
  select jsonb_build_object('origins', (select count(*) from watched),
    'wins', coalesce((select jsonb_agg(jsonb_build_object('turn', w.turn, 'month', w.month, 'currency', w.currency, 'n', w.n, 'total', w.total,
      'squares', w.squares) order by w.turn, w.month, w.currency) from wins w), '[]'))
$$;

-- Scenarios --------------------------------------------------------------------------------------------------------------

-- Each with what it has from its bases: their edits first, the nearest word on everything else.
create function private.forecast_scenarios(p_workspace uuid, p_ids uuid[]) returns jsonb
language sql
stable
set search_path = ''
as $$
  with asked as (
    select s.id, s.name, s.status, s.updated_at, s.forecast_months, s.seed from public.pipeline_scenarios s
    where s.workspace_id = p_workspace and s.id = any (p_ids) and s.deleted_at is null
  ),
  chain as (
    select a.id, c.depth, b.conversion_rates, b.template_key, b.confidence_threshold
    from asked a
    cross join lateral private.scenario_chain(a.id) c
    join public.pipeline_scenarios b on b.id = c.id
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', a.id, 'name', a.name, 'status', a.status, 'updated_at', a.updated_at, 'forecast_months', a.forecast_months, 'seed', a.seed,
    'conversion_rates', (
      select coalesce(jsonb_object_agg(r.key, r.value), '{}')
      from (select distinct on (r.key) r.key, r.value from chain c, jsonb_each(c.conversion_rates) r where c.id = a.id order by r.key, c.depth) r),
    'template_rates', (
      select private.template_rates(p_workspace, c.template_key) from chain c where c.id = a.id and c.template_key is not null order by c.depth limit 1),
    'confidence_threshold', (
      select c.confidence_threshold from chain c where c.id = a.id and c.confidence_threshold is not null order by c.depth limit 1),
    'deal_ids', coalesce(to_jsonb(private.scenario_deals(a.id)), '[]'),
    'edits', (
      select coalesce(jsonb_agg(jsonb_build_object('id', e.edit_id, 'kind', e.kind, 'deal_id', e.pipeline_project_id, 'payload', e.payload,
        'skipped', e.skipped) order by e.place), '[]')
      from private.scenario_plan(a.id) e)) order by a.updated_at, a.id), '[]')
  from asked a
$$;

-- Work ---------------------------------------------------------------------------------------------------------------------

create function private.forecast_demands(p_workspace uuid, p_deals uuid[]) returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', d.id, 'deal_id', d.pipeline_project_id, 'skill', coalesce(d.skill_key, d.skill_category), 'is_category', d.skill_key is null,
    'level', d.level, 'count', d.required_count, 'percentage', d.allocation_percentage, 'start_date', d.start_date, 'end_date', d.end_date,
    'critical', d.is_critical, 'alternatives', d.alternatives,
    'staffed', (
      select coalesce(jsonb_agg(jsonb_build_object('start_date', l.start_date, 'end_date', l.end_date, 'percentage', l.percentage) order by l.id), '[]')
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
  with profile as materialized (
    select s.employee_id, jsonb_agg(jsonb_build_object('skill', s.skill_key, 'category', k.category, 'level', s.level)
      order by s.is_primary desc, s.skill_key) as skills
    from public.employee_skills s
    join public.skills k on k.workspace_id = s.workspace_id and k.key = s.skill_key
    join public.employees e on e.workspace_id = s.workspace_id and e.id = s.employee_id and e.deleted_at is null
    where s.workspace_id = p_workspace
    group by s.employee_id
  ),
  part as (
    select s.key::uuid as employee_id, s.first_day, greatest(0, s.capacity - s.allocated) as hours,
      sum(greatest(0, s.capacity - s.allocated)) over week as parts, greatest(0, sum(s.capacity - s.allocated) over week) as whole
    from private.supply_periods(p_workspace, p_borders, 'person') s
    window week as (partition by s.key::uuid, (s.first_day - p_borders[1]) / 7)
  ),
  free as (
    select f.skills, width_bucket(p.first_day, p_borders) - 1 as n, sum(p.hours * (p.whole / p.parts)) as hours
    from part p
    join profile f on f.employee_id = p.employee_id
    where p.parts > 0
    group by f.skills, p.first_day
  )
  select coalesce(jsonb_agg(g.line order by g.skills), '[]')
  from (
    select f.skills, jsonb_build_object('skills', f.skills,
      'hours', jsonb_agg(jsonb_build_array(f.n, round(f.hours::numeric, 4)) order by f.n) filter (where f.hours > 0)) as line
    from free f
    group by f.skills
    having max(f.hours) > 0
  ) g
$$;

-- All together -----------------------------------------------------------------------------------------------------------

-- p_ask: {as_of, grain, periods (left out: as far as the scenarios look), pipeline_project_ids, scenario_ids, scenario_statuses, work, months (of work; periods are weeks then), timing, new_business}. Stable, so
-- that everything is read from the snapshot of one statement.
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
  v_borders date[];
  v_months int := case p_ask ->> 'grain' when 'month' then v_periods else ceil(v_periods / 4.345) end;
  v_asked uuid[] := (select array_agg(distinct i::uuid order by i::uuid) from jsonb_array_elements_text(p_ask -> 'pipeline_project_ids') i);
  v_scenario_ids uuid[];
  v_scenarios jsonb := '[]';
  v_deals uuid[];
begin
  if p_actor is not null then
    perform private.require_role(p_workspace, 'viewer', p_actor);
  end if;
  if exists (
    select from unnest(v_asked) i (id)
    where not exists (select from public.pipeline_projects p where p.workspace_id = p_workspace and p.id = i.id and p.deleted_at is null))
  then
    raise exception 'There is no deal % in this workspace.', (
      select min(i.id::text) from unnest(v_asked) i (id)
      where not exists (select from public.pipeline_projects p where p.workspace_id = p_workspace and p.id = i.id and p.deleted_at is null))
      using errcode = 'PC001';
  end if;

  select array_agg(s.id) into v_scenario_ids from public.pipeline_scenarios s
  where s.workspace_id = p_workspace and s.deleted_at is null
    and (p_ask -> 'scenario_ids' ? s.id::text or p_ask -> 'scenario_statuses' ? s.status);
  if coalesce(cardinality(v_scenario_ids), 0) < coalesce((select count(distinct i) from jsonb_array_elements_text(p_ask -> 'scenario_ids') i), 0) then
    raise exception 'There is no such scenario in this workspace.' using errcode = 'PC001';
  end if;
  if cardinality(v_scenario_ids) > 100 then
    raise exception 'There are % scenarios to combine; a forecast takes 100 at most. Archive those that count no more.', cardinality(v_scenario_ids)
      using errcode = 'PC004', hint = 'Field: scenario_statuses';
  end if;
  if v_scenario_ids is not null then
    v_scenarios := private.forecast_scenarios(p_workspace, v_scenario_ids);
  end if;
  v_months := coalesce(v_months, (select max((s ->> 'forecast_months')::int) from jsonb_array_elements(v_scenarios) s), 12);
  -- Scenarios about named deals are compared over those; one about all open deals needs all of them.
  if v_asked is null and p_ask ? 'scenario_ids' and not exists (select from jsonb_array_elements(v_scenarios) s where s -> 'deal_ids' = '[]') then
    v_asked := (select array_agg(distinct i::uuid) from jsonb_array_elements(v_scenarios) s, jsonb_array_elements_text(s -> 'deal_ids') i);
  end if;

  v_deals := private.forecast_deal_ids(p_workspace, v_asked, least(v_from, v_month), coalesce((p_ask ->> 'work')::boolean, false));
  if cardinality(v_deals) > 5000 then
    raise exception 'This is about % deals; a forecast takes 5,000 at most. Name the deals, or put those that will not come on hold.', cardinality(v_deals)
      using errcode = 'PC004', hint = 'Field: pipeline_project_ids';
  end if;
  if (p_ask ->> 'work')::boolean then
    v_borders := private.forecast_borders(v_from, v_periods, v_month, (p_ask ->> 'months')::int);
  end if;
  return jsonb_build_object(
    'as_of', v_as_of, 'settings', private.forecast_settings(p_workspace), 'stages', private.forecast_stages(p_workspace),
    'learned', private.forecast_learned(p_workspace), 'scenarios', v_scenarios, 'deals', private.forecast_deals(p_workspace, v_deals),
    'shifts', private.forecast_shifts(p_workspace, v_as_of),
    'lives', private.forecast_lives(p_workspace, v_as_of, 30, 5))
    || case when (p_ask ->> 'new_business')::boolean
      then jsonb_build_object('new_business', private.forecast_new_business(p_workspace, v_as_of, v_months)) else '{}' end
    || case when (p_ask ->> 'work')::boolean
      then jsonb_build_object('demands', private.forecast_demands(p_workspace, v_deals),
        'calendar', private.forecast_calendar(p_workspace, v_from - 1100, v_from + 7 * v_periods + 400),
        'supply', private.forecast_supply(p_workspace, v_borders)) else '{}' end
    || case when v_month is not null then jsonb_build_object('borders', v_borders) else '{}' end;
end
$$;

revoke execute on function private.forecast_settings(uuid), private.forecast_stages(uuid), private.forecast_learned(uuid),
  private.forecast_deal_ids(uuid, uuid[], date, boolean), private.forecast_deals(uuid, uuid[]), private.forecast_shifts(uuid, date),
  private.forecast_lives(uuid, date, int, int), private.forecast_new_business(uuid, date, int), private.forecast_scenarios(uuid, uuid[]),
  private.forecast_demands(uuid, uuid[]), private.forecast_calendar(uuid, date, date), private.forecast_borders(date, int, date, int), private.forecast_supply(uuid, date[]),
  private.forecast_inputs(uuid, uuid, jsonb)
  from public, anon, authenticated, service_role;
