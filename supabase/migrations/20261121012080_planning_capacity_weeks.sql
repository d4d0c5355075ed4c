-- Planning: supply beside demand, week by week, and what does not fit.

-- Security definer, here and below: a viewer's answer counts time off, whose reasons a viewer does not read.
create function public.capacity_weeks(
  workspace_id uuid, from_date date default null, weeks int default 26, group_by text default 'skill', weighting text default 'weighted',
  with_reach boolean default false
)
returns table (
  week date, key text, level text, capacity numeric, allocated numeric, free numeric, over numeric,
  demand numeric, weighted_demand numeric, critical_demand numeric, gap numeric, reach numeric
)
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_from date;
  -- Deals ask for skills, not for teams or persons.
  v_has_demand constant boolean := capacity_weeks.group_by in ('skill', 'category', 'level');
begin
  perform private.require_role(capacity_weeks.workspace_id, 'viewer');
  perform private.check_choice('group_by', capacity_weeks.group_by, '{skill,category,level,team,person}');
  perform private.check_choice('weighting', capacity_weeks.weighting, '{weighted,unweighted}');
  v_from := private.check_weeks(capacity_weeks.workspace_id, capacity_weeks.from_date, capacity_weeks.weeks);
  return query
  with supply as (
    select s.* from private.supply_periods(capacity_weeks.workspace_id, private.week_borders(v_from, capacity_weeks.weeks), capacity_weeks.group_by,
      capacity_weeks.with_reach and capacity_weeks.group_by = 'skill') s
  ),
  demand as (
    select h.week, k.key, k.level, sum(h.unstaffed) as hours, sum(h.unstaffed * h.rate) as weighted,
      sum(h.unstaffed * k.share) filter (where h.is_critical) as critical, sum(h.unstaffed * k.share) as counted
    from private.demand_hours(capacity_weeks.workspace_id, v_from, capacity_weeks.weeks) h
    cross join lateral (select
      case capacity_weeks.group_by when 'skill' then coalesce(h.skill_key, h.category) when 'category' then h.category else h.level end,
      case when capacity_weeks.group_by = 'skill' then h.level end,
      case when capacity_weeks.weighting = 'weighted' then h.rate else 1 end) k (key, level, share)
    where v_has_demand
    group by h.week, k.key, k.level
  ),
  -- A null key is one of its own: people without a skill, demands without a level.
  side as (
    select s.first_day as week, s.key, s.level, s.capacity, s.allocated, s.over, s.reach, 0.0 as hours, 0.0 as weighted, 0.0 as critical, 0.0 as counted from supply s
    union all
    select d.week, d.key, d.level, 0, 0, 0, 0, d.hours, d.weighted, d.critical, d.counted from demand d
  )
  select s.week, s.key, s.level, round(sum(s.capacity)::numeric, 4), round(sum(s.allocated)::numeric, 4),
    round(sum(s.capacity - s.allocated)::numeric, 4), round(sum(s.over)::numeric, 4),
    case when v_has_demand then round(sum(s.hours)::numeric, 4) end, case when v_has_demand then round(sum(s.weighted)::numeric, 4) end,
    case when v_has_demand then round(coalesce(sum(s.critical), 0)::numeric, 4) end,
    case when v_has_demand then round(sum(s.counted - s.capacity + s.allocated)::numeric, 4) end,
    case when capacity_weeks.with_reach and capacity_weeks.group_by = 'skill' then round(sum(s.reach)::numeric, 4) end
  from side s
  group by s.week, s.key, s.level
  order by s.week, s.key, s.level;
end
$$;
comment on function public.capacity_weeks(uuid, date, int, text, text, boolean) is
  'Supply and demand in hours by ISO week and skill (with level), category, level, team or person. free = capacity - allocated, gap = demand - free: above 0 people are missing. Everybody counts once, under their primary skill; reach adds up all who hold the skill.';

-- More than a day has --------------------------------------------------------------------------------------------------------

create function public.over_allocations(workspace_id uuid, from_date date default null, weeks int default 26)
returns table (employee_id uuid, employee_name text, week date, capacity numeric, allocated numeric, over numeric, allocations jsonb)
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_from date;
  v_people uuid[];
begin
  perform private.require_role(over_allocations.workspace_id, 'viewer');
  v_from := private.check_weeks(over_allocations.workspace_id, over_allocations.from_date, over_allocations.weeks);
  v_people := array(
    select distinct s.employee_id
    from private.person_stretches(over_allocations.workspace_id, v_from, v_from + 7 * over_allocations.weeks - 1) s
    where s.over > 0);
  return query
  select e.id, e.name, s.first_day, round(s.capacity::numeric, 4), round(s.allocated::numeric, 4), round(s.over::numeric, 4), a.list
  from private.supply_periods(over_allocations.workspace_id, private.week_borders(v_from, over_allocations.weeks), 'person', false, v_people) s
  join public.employees e on e.workspace_id = over_allocations.workspace_id and e.id = s.key::uuid
  cross join lateral (
    select jsonb_agg(jsonb_build_object('id', g.id, 'percentage', g.percentage, 'start_date', g.start_date, 'end_date', g.end_date,
      'crm_project_id', g.crm_project_id, 'pipeline_project_id', g.pipeline_project_id, 'demand_id', g.demand_id) order by g.start_date, g.id)
    from public.employee_allocations g
    where g.workspace_id = e.workspace_id and g.employee_id = e.id and g.status = 'firm'
      and g.start_date <= s.first_day + 6 and (g.end_date >= s.first_day or g.end_date is null)) a (list)
  where s.over > 0.005
  order by s.first_day, e.name, e.id;
end
$$;
comment on function public.over_allocations(uuid, date, int) is
  'Who is firmly promised for more than a day has, by ISO week, with the allocations of that week. over is summed by day: a free Friday does not make up for a double Thursday.';

-- How busy the teams are -----------------------------------------------------------------------------------------------------

create function private.utilisation_weeks(p_workspace uuid)
returns table (week date, team_id uuid, capacity numeric, allocated numeric, free numeric, over numeric, utilisation numeric)
language plpgsql stable security definer set search_path = '' rows 400 as $$
begin
  perform private.require_role(p_workspace, 'viewer');
  return query
  select s.first_day, s.key::uuid, round(s.capacity::numeric, 2), round(s.allocated::numeric, 2), round((s.capacity - s.allocated)::numeric, 2),
    round(s.over::numeric, 2), round((100 * s.allocated / nullif(s.capacity, 0))::numeric, 2)
  from private.supply_periods(p_workspace, private.week_borders(private.check_weeks(p_workspace, null, 39) - 7 * 12, 39), 'team') s;
end
$$;

create view public.resource_utilisation with (security_invoker = true) as
select w.id as workspace_id, u.week, u.team_id, t.name as team, u.capacity, u.allocated, u.free, u.over, u.utilisation
from public.workspaces w
cross join lateral private.utilisation_weeks(w.id) u
left join public.teams t on t.workspace_id = w.id and t.id = u.team_id
-- The secret key sees deleted ones, too.
where w.deleted_at is null;
comment on view public.resource_utilisation is 'Hours by team and ISO week, from twelve weeks ago to twenty-six ahead. Filter by workspace_id. People without a team are a row without one.';
comment on column public.resource_utilisation.utilisation is 'Firmly allocated hours in per cent of the capacity; null in a week without any.';

revoke all on table public.resource_utilisation from public, anon, authenticated, service_role;
grant select on table public.resource_utilisation to authenticated, service_role;
revoke execute on function private.utilisation_weeks(uuid) from public, anon, authenticated, service_role;
-- The view runs as the one who asks.
grant execute on function private.utilisation_weeks(uuid) to authenticated, service_role;
revoke execute on function public.capacity_weeks(uuid, date, int, text, text, boolean), public.over_allocations(uuid, date, int) from public, anon;
grant execute on function public.capacity_weeks(uuid, date, int, text, text, boolean), public.over_allocations(uuid, date, int)
  to authenticated, service_role;
