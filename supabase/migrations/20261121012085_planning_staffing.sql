-- Planning: how far the free time of the people goes round, and whom that leaves to be hired.

-- Demands that ask for the same in the same order of importance are met as one: a team's hours have no names.
create function private.demand_profiles(p_workspace uuid)
returns table (demand_id uuid, profile int, skill_key text, category text, level text, alternatives jsonb, is_critical boolean)
language sql stable set search_path = '' rows 5000 as $$
  select d.id,
    dense_rank() over (order by d.is_critical desc, d.priority desc, d.skill_key, d.skill_category, d.level, d.alternatives)::int,
    d.skill_key, d.skill_category, d.level, d.alternatives, d.is_critical
  from public.pipeline_resource_demands d
  where d.workspace_id = p_workspace
$$;
comment on function private.demand_profiles(uuid) is 'Demands by what they ask for. A lower profile comes first: critical ones, then by priority, then by name, so that the answer is always the same.';

-- Which people a profile may be met by, in order: the skill asked for (of a category: anybody of it), then each
-- alternative; within each the level asked for, then higher ones, the nearest first, then one level below and last an
-- unknown one, which counts as one below. Who asks for no level gets the least senior first. pass: when it is its turn; pool:
-- the people of a skill or category and level, as a number.
create function private.profile_options(p_workspace uuid)
returns table (profile int, pass int, pool int, by_category boolean, key text, level text)
language sql stable set search_path = '' rows 5000 as $$
  with profile as materialized (
    select distinct d.profile, d.skill_key, d.category, d.level, d.alternatives from private.demand_profiles(p_workspace) d
  ),
  kind as (
    select distinct s.key as skill, s.category, h.level
    from public.employee_skills h
    join public.skills s on s.workspace_id = h.workspace_id and s.key = h.skill_key
    where h.workspace_id = p_workspace and h.is_primary
  ),
  wish as (
    select p.profile, p.level, 0 as step, p.skill_key is null as by_category, coalesce(p.skill_key, p.category) as key
    from profile p
    union all
    select p.profile, p.level, a.place::int, false, a.skill
    from profile p
    cross join lateral jsonb_array_elements_text(p.alternatives) with ordinality a (skill, place)
  ),
  offer as (
    select distinct false as by_category, k.skill as key, k.level from kind k
    union all
    select distinct true, k.category, k.level from kind k
  )
  select w.profile, dense_rank() over (order by w.step, w.by_category, f.fit)::int,
    dense_rank() over (order by w.by_category, w.key, o.level)::int, w.by_category, w.key, o.level
  from wish w
  join offer o on o.by_category = w.by_category and o.key = w.key
  cross join lateral (select case
    when w.level is null then coalesce(private.level_rank(o.level), 0)
    when o.level is null then 11
    when private.level_rank(o.level) = private.level_rank(w.level) - 1 then 10
    when private.level_rank(o.level) >= private.level_rank(w.level) then private.level_rank(o.level) - private.level_rank(w.level) end) f (fit)
  where f.fit is not null
$$;

-- Pass by pass over profiles and free hours at once: in each pass those that now ask for the same people share what is left
-- of them.
create function private.cover_weeks(p_workspace uuid, p_from date, p_weeks int, p_weighted boolean)
returns table (week date, profile int, asked double precision, pass int, by_category boolean, key text, level text, hours double precision)
language sql stable set search_path = '' set enable_nestloop = off set enable_mergejoin = off set jit = off rows 10000 as $$
  with recursive ask as materialized (
    select d.profile, (h.week - p_from) / 7 as n, sum(h.unstaffed * case when p_weighted then h.rate else 1 end) as hours
    from private.demand_hours(p_workspace, p_from, p_weeks) h
    join private.demand_profiles(p_workspace) d on d.demand_id = h.demand_id
    group by d.profile, h.week
  ),
  option as materialized (
    select o.* from private.profile_options(p_workspace) o
  ),
  pool as materialized (
    select o.pool, o.by_category, o.key, o.level, max(o.pass) as last_pass from option o group by o.pool, o.by_category, o.key, o.level
  ),
  turn as materialized (
    select o.pass, bool_or(o.by_category) as by_category from option o group by o.pass
  ),
  free as (
    select (s.first_day - p_from) / 7 as n, b.pool as of_skill, c.pool as of_category, s.capacity - s.allocated as hours,
      greatest(b.last_pass, c.last_pass) as last_pass
    from private.supply_periods(p_workspace, private.week_borders(p_from, p_weeks), 'skill') s
    join public.skills k on k.workspace_id = p_workspace and k.key = s.key
    left join pool b on not b.by_category and b.key = s.key and coalesce(b.level, '') = coalesce(s.level, '')
    left join pool c on c.by_category and c.key = k.category and coalesce(c.level, '') = coalesce(s.level, '')
  ),
  -- What is asked for has a profile, what is free has none. Each takes part as long as there is a pass for it.
  state (pass, last_pass, profile, n, of_skill, of_category, pool, amount, moved) as (
    select 0, l.last_pass, a.profile, a.n, null::int, null::int, null::int, a.hours, 0::double precision
    from ask a
    join (select o.profile, max(o.pass) as last_pass from option o group by o.profile) l on l.profile = a.profile
    union all
    select 0, f.last_pass, null, f.n, f.of_skill, f.of_category, null, f.hours, 0 from free f
    union all
    select g.pass, g.last_pass, g.profile, g.n, g.of_skill, g.of_category, g.pool, g.amount - g.moved, g.moved
    from (
      select r.*, greatest(0, least(r.amount,
        case when r.profile is null then least(r.offered, r.asked) - coalesce(r.offered_before, 0) else r.offered - coalesce(r.asked_before, 0) end)) as moved
      from (
        select u.*,
          coalesce(sum(u.amount) filter (where u.profile is null) over whole, 0) as offered,
          coalesce(sum(u.amount) filter (where u.profile is not null) over whole, 0) as asked,
          sum(u.amount) filter (where u.profile is null) over before as offered_before,
          sum(u.amount) filter (where u.profile is not null) over before as asked_before
        from (
          select s.pass + 1 as pass, s.last_pass, s.profile, s.n, s.of_skill, s.of_category, s.amount,
            -- Who asks for nobody in this pass and whom nobody asks for do not meet.
            case when s.profile is not null then coalesce(o.pool, 0) when k.by_category then coalesce(s.of_category, -1) else coalesce(s.of_skill, -1) end as pool
          from state s
          join turn k on k.pass = s.pass + 1
          left join option o on o.profile = s.profile and o.pass = s.pass + 1
          where s.amount > 0.000001 and s.pass < s.last_pass
        ) u
        window whole as (partition by u.n, u.pool),
          -- Of a category first those whom nobody asks for by name, who would only be idle.
          before as (partition by u.n, u.pool order by u.profile, u.of_skill nulls first rows between unbounded preceding and 1 preceding)
      ) r
    ) g
  ),
  met as materialized (
    select s.profile, s.n, s.pass, s.pool, s.moved from state s where s.profile is not null and s.moved > 0
  )
  select p_from + 7 * a.n, a.profile, a.hours, m.pass, p.by_category, p.key, p.level, m.moved
  from met m
  join pool p on p.pool = m.pool
  join ask a on a.profile = m.profile and a.n = m.n
  union all
  select p_from + 7 * a.n, a.profile, a.hours, null, null, null, null, a.hours - coalesce(m.moved, 0)
  from ask a
  left join (select m.profile, m.n, sum(m.moved) as moved from met m group by m.profile, m.n) m on m.profile = a.profile and m.n = a.n
  where a.hours - coalesce(m.moved, 0) > 0.000001
$$;
comment on function private.cover_weeks(uuid, date, int, boolean) is
  'What is asked for in each week and not firmly allocated: by whom it is met, pass after pass, and what nobody is free for (pass null).';

create function public.demand_cover(workspace_id uuid, from_date date default null, weeks int default 26, weighting text default 'weighted')
returns table (
  week date, skill_key text, category text, level text, alternatives jsonb, is_critical boolean, asked numeric,
  pass int, used_skill text, used_category text, used_level text, hours numeric
)
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_from date;
begin
  perform private.require_role(demand_cover.workspace_id, 'viewer');
  perform private.check_choice('weighting', demand_cover.weighting, '{weighted,unweighted}');
  v_from := private.check_weeks(demand_cover.workspace_id, demand_cover.from_date, demand_cover.weeks);
  return query
  select c.week, d.skill_key, d.category, d.level, d.alternatives, d.is_critical, round(c.asked::numeric, 4),
    c.pass, case when not c.by_category then c.key end, case when c.by_category then c.key end, c.level, round(c.hours::numeric, 4)
  from private.cover_weeks(demand_cover.workspace_id, v_from, demand_cover.weeks, demand_cover.weighting = 'weighted') c
  join (
    select distinct p.profile, p.skill_key, p.category, p.level, p.alternatives, p.is_critical from private.demand_profiles(demand_cover.workspace_id) p
  ) d on d.profile = c.profile
  order by c.week, c.profile, c.pass nulls last;
end
$$;
comment on function public.demand_cover(uuid, date, int, text) is
  'How the demand of each ISO week is met by free people: by the skill and level asked for first, then by higher levels, one level below, and the alternatives in their order. A row without a pass is what nobody is free for.';

-- Hiring ---------------------------------------------------------------------------------------------------------------------
-- In week w ⌈missing hours ÷ weekly hours⌉ people are missing; those that are missing for hiring_min_weeks on end are hired
-- for the first of them, and who was hired for an earlier week is there. Below 5 % of a person is rounding.

create function public.hiring_need(workspace_id uuid, from_date date default null, weeks int default 26, weighting text default 'weighted')
returns table (skill_key text, category text, level text, people int, needed_by date, open_by date, late boolean, is_critical boolean)
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_from date;
  v_rules public.planning_settings;
  v_hours double precision;
  v_today date;
begin
  perform private.require_role(hiring_need.workspace_id, 'viewer');
  perform private.check_choice('weighting', hiring_need.weighting, '{weighted,unweighted}');
  v_from := private.check_weeks(hiring_need.workspace_id, hiring_need.from_date, hiring_need.weeks);
  v_today := private.workspace_today(hiring_need.workspace_id);
  select s.* into v_rules from public.planning_settings s where s.workspace_id = hiring_need.workspace_id;
  select (select sum(h.hours) from unnest(c.hours) h (hours)) * v_rules.hiring_availability into v_hours
  from public.working_calendars c where c.id = v_rules.default_calendar_id;
  return query
  with missing as (
    select d.skill_key, d.category, d.level, c.week, sum(c.hours) as hours, bool_or(d.is_critical) as is_critical
    from private.cover_weeks(hiring_need.workspace_id, v_from, hiring_need.weeks, hiring_need.weighting = 'weighted') c
    join (
      select distinct p.profile, p.skill_key, p.category, p.level, p.is_critical from private.demand_profiles(hiring_need.workspace_id) p
    ) d on d.profile = c.profile
    where c.pass is null
    group by d.skill_key, d.category, d.level, c.week
  ),
  gap as (
    select k.skill_key, k.category, k.level, v_from + 7 * w.n as week, w.n, coalesce(m.is_critical, false) as is_critical,
      greatest(0, coalesce(ceil(m.hours / nullif(v_hours, 0) - 0.05), 0))::int as people
    from (select distinct m.skill_key, m.category, m.level from missing m) k
    cross join generate_series(0, hiring_need.weeks - 1) w (n)
    left join missing m on (m.skill_key, m.category, m.level) is not distinct from (k.skill_key, k.category, k.level) and m.week = v_from + 7 * w.n
  ),
  lasting as (
    select g.*, min(g.people) over ahead as lasting, bool_or(g.is_critical) over ahead as critical
    from gap g
    window ahead as (partition by g.skill_key, g.category, g.level order by g.n rows between current row and v_rules.hiring_min_weeks - 1 following)
  ),
  hire as (
    select l.*, l.lasting - greatest(0, max(l.lasting) over (partition by l.skill_key, l.category, l.level order by l.n
      rows between unbounded preceding and 1 preceding)) as more
    from lasting l
    -- At the end of the horizon nobody knows how long it lasts.
    where l.n + v_rules.hiring_min_weeks <= hiring_need.weeks
  )
  select h.skill_key, h.category, h.level, h.more, h.week, h.week - 7 * v_rules.hiring_lead_weeks, h.week - 7 * v_rules.hiring_lead_weeks < v_today, h.critical
  from hire h
  where h.more > 0
  order by h.week, h.skill_key nulls last, h.category, h.level;
end
$$;
comment on function public.hiring_need(uuid, date, int, text) is
  'People to hire by skill (or category) and level: for which Monday, and when the position must be open. late: that day has passed. Only what no free person covers, alternatives included, for as many weeks as the settings say.';

revoke execute on function private.demand_profiles(uuid), private.profile_options(uuid), private.cover_weeks(uuid, date, int, boolean)
  from public, anon, authenticated, service_role;
revoke execute on function public.demand_cover(uuid, date, int, text), public.hiring_need(uuid, date, int, text) from public, anon;
grant execute on function public.demand_cover(uuid, date, int, text), public.hiring_need(uuid, date, int, text) to authenticated, service_role;

-- Who could take a place -----------------------------------------------------------------------------------------------------
-- Score as in _shared/planning/people: 100 for what was asked, 5 less for each level above, 25 less one level below (an
-- unknown level counts as one below, two below is another person), an alternative 20 less and each further one 5; times
-- the share of the asked hours for which the person is free.

create function private.candidate_matches(p_demand public.pipeline_resource_demands)
returns table (employee_id uuid, skill_key text, level text, years numeric, match int)
language sql stable set search_path = '' as $$
  with wish as (
    select p_demand.skill_key as skill, 0::bigint as place where p_demand.skill_key is not null
    union all
    select s.key, 0 from public.skills s
    where p_demand.skill_key is null and s.workspace_id = p_demand.workspace_id and s.category = p_demand.skill_category
    union all
    select a.skill, a.place from jsonb_array_elements_text(p_demand.alternatives) with ordinality a (skill, place)
  )
  select distinct on (h.employee_id) h.employee_id, h.skill_key, h.level, h.years, m.match
  from wish w
  join public.employee_skills h on h.workspace_id = p_demand.workspace_id and h.skill_key = w.skill
  cross join lateral (select case
    when p_demand.level is null then 0
    else coalesce(private.level_rank(h.level) - private.level_rank(p_demand.level), -1) end) f (levels)
  cross join lateral (select greatest(1, 100 - case when f.levels >= 0 then 5 * f.levels else 25 end
    - case when w.place = 0 then 0 else 15 + 5 * w.place end)::int) m (match)
  where f.levels >= -1
  order by h.employee_id, m.match desc, h.skill_key
$$;

-- Without a beginning it could begin today; without an end a year is looked at, and never more than five.
create function private.place_days(p_demand public.pipeline_resource_demands, out first_day date, out last_day date)
language plpgsql stable set search_path = '' as $$
begin
  select coalesce(p_demand.start_date, t.day, private.workspace_today(p.workspace_id)),
    coalesce(p_demand.end_date, private.work_end(t.day, p.estimated_duration))
  into first_day, last_day
  from public.pipeline_projects p
  cross join lateral (select private.plausible_day(p.estimated_start_date)) t (day)
  where p.id = p_demand.pipeline_project_id;
  perform private.check_weeks(p_demand.workspace_id, first_day, 1);
  last_day := greatest(least(coalesce(last_day, first_day + 363), first_day + 7 * 259), first_day - 1);
end
$$;

-- Week by week, of the first and the last only the days of the demand: who is away on its Friday is not free on Monday for it.
create function private.place_hours(p_demand public.pipeline_resource_demands, p_first date, p_last date, p_people uuid[])
returns table (employee_id uuid, asked double precision, free double precision)
language sql stable set search_path = '' as $$
  with span as materialized (
    select p_first || array(
      select private.week_start(p_first) + 7 * g.n
      from generate_series(1, (p_last - private.week_start(p_first)) / 7) g (n)) || (p_last + 1) as borders
  ),
  asked as materialized (
    select s.borders[g.n] as first_day, p_demand.allocation_percentage / 100::double precision
      * (t.running[s.borders[g.n + 1] - p_first + 1] - t.running[s.borders[g.n] - p_first + 1]) as hours
    from span s
    join public.planning_settings o on o.workspace_id = p_demand.workspace_id
    cross join lateral private.calendar_totals(o.workspace_id, p_first, p_last, o.default_calendar_id) t
    cross join lateral generate_series(1, cardinality(s.borders) - 1) g (n)
  ),
  free as (
    select w.key::uuid as employee_id, sum(least(greatest(w.capacity - w.allocated, 0), a.hours)) as hours
    from span s
    cross join lateral private.supply_periods(p_demand.workspace_id, s.borders, 'person', false, p_people) w
    join asked a on a.first_day = w.first_day
    group by w.key
  )
  select p.id, (select sum(a.hours) from asked a), coalesce(f.hours, 0)
  from unnest(p_people) p (id)
  left join free f on f.employee_id = p.id
$$;
comment on function private.place_hours(public.pipeline_resource_demands, date, date, uuid[]) is 'Hours that one place of a demand asks for on these days, and for how many of them each of these people is free.';

create function public.staffing_candidates(demand_id uuid, max_results int default 20)
returns table (
  employee_id uuid, name text, team_id uuid, skill_key text, level text, years numeric, match int,
  asked_hours numeric, free_hours numeric, free_share numeric, score int
)
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_demand public.pipeline_resource_demands;
  v_days record;
begin
  select d.* into v_demand from public.pipeline_resource_demands d where d.id = staffing_candidates.demand_id;
  -- An id that there is not and one of strangers get the same answer.
  perform private.require_role(v_demand.workspace_id, 'viewer');
  if staffing_candidates.max_results is null or staffing_candidates.max_results not between 1 and 200 then
    raise exception 'From 1 to 200 people can be asked for.' using errcode = 'PC004', hint = 'max_results';
  end if;
  select * into v_days from private.place_days(v_demand);
  return query
  with fit as materialized (
    select m.* from private.candidate_matches(v_demand) m
  ),
  ranked as (
    select e.id, e.name, e.team_id, f.skill_key, f.level, f.years, f.match, h.asked, h.free,
      case when h.asked > 0 then h.free / h.asked else 0 end as share
    from fit f
    join public.employees e on e.workspace_id = v_demand.workspace_id and e.id = f.employee_id and e.deleted_at is null
    join private.place_hours(v_demand, v_days.first_day, v_days.last_day, array(select p.employee_id from fit p)) h on h.employee_id = f.employee_id
  )
  select r.id, r.name, r.team_id, r.skill_key, r.level, r.years, r.match, round(r.asked::numeric, 4), round(r.free::numeric, 4),
    round(r.share::numeric, 4), round((r.match * r.share)::numeric)::int
  from ranked r
  order by round((r.match * r.share)::numeric) desc, r.match desc, r.id
  limit staffing_candidates.max_results;
end
$$;
comment on function public.staffing_candidates(uuid, int) is
  'Who could take one place of a demand, best first: their best fitting skill, the hours of it for which they are free, week by week, and the score of both. Whoever lacks the time is listed with 0.';

revoke execute on function private.candidate_matches(public.pipeline_resource_demands), private.place_days(public.pipeline_resource_demands),
  private.place_hours(public.pipeline_resource_demands, date, date, uuid[]) from public, anon, authenticated, service_role;
revoke execute on function public.staffing_candidates(uuid, int) from public, anon;
grant execute on function public.staffing_candidates(uuid, int) to authenticated, service_role;
