-- Planning: what the deals ask for, week by week, as it stands and weighted by how likely they are.

-- How likely -----------------------------------------------------------------------------------------------------------------
-- One order everywhere: a closed deal is certain; then what a person wrote on the deal; then the stage. Which rate a stage
-- has says effective_rates alone. The chapter of learned rates replaces it (create or replace) with one that looks at the
-- workspace's own history before the template.

create function private.effective_rates(p_workspace uuid)
returns table (stage_key text, kind text, default_rate double precision, rate double precision, source text)
language sql stable set search_path = '' rows 10 as $$
  select s.key, s.kind, s.default_probability / 100.0,
    case s.kind when 'won' then 1 when 'lost' then 0 else coalesce((t.rates ->> s.key)::double precision, s.default_probability / 100.0) end,
    case when s.kind in ('won', 'lost') or t.rates ->> s.key is null then 'stage' else 'template' end
  from public.pipeline_stages s
  left join public.planning_settings o on o.workspace_id = s.workspace_id
  left join lateral (select private.template_rates(s.workspace_id, o.template_key)) t (rates) on o.template_key is not null
  where s.workspace_id = p_workspace
$$;
comment on function private.effective_rates(uuid) is 'The rate of each stage, 0 to 1, for deals on which nobody wrote one, with where it comes from: stage, template or learned.';

create function private.deal_rates(p_workspace uuid, p_deals uuid[] default null)
returns table (pipeline_project_id uuid, kind text, rate double precision, source text)
language sql stable set search_path = '' rows 1000 as $$
  select p.id, r.kind,
    case when d.counts then p.probability / 100.0 else r.rate end,
    case when d.counts then 'deal' else r.source end
  from public.pipeline_projects p
  join public.planning_settings s on s.workspace_id = p.workspace_id
  join private.effective_rates(p_workspace) r on r.stage_key = p.stage_key
  -- The default of the stage is what a deal has on which nobody wrote anything.
  cross join lateral (select s.trust_deals and r.kind in ('open', 'on_hold') and p.probability / 100.0 <> r.default_rate) d (counts)
  where p.workspace_id = p_workspace and p.deleted_at is null and (p_deals is null or p.id = any (p_deals))
$$;
comment on function private.deal_rates(uuid, uuid[]) is 'How likely each live deal is, 0 to 1, and why: deal (a person wrote it) or the source of its stage''s rate.';

-- How much --------------------------------------------------------------------------------------------------------------------

-- n days from the first end on first + n - 1; none needs nobody. Bounded, for a date ends where numbers go on.
create function private.work_end(p_first date, p_days int) returns date
language sql immutable strict parallel safe set search_path = '' as $$
  select least(p_first, date '9999-12-31') + least(p_days, 100000) - 1
$$;
comment on function private.work_end(date, int) is 'The last day of work of so many days; null: open-ended.';

create function private.demand_spans(p_workspace uuid, p_deals uuid[] default null, p_threshold numeric default null)
returns table (
  demand_id uuid, pipeline_project_id uuid, skill_key text, category text, level text, first_day date, last_day date,
  people double precision, rate double precision, is_critical boolean
)
language sql stable set search_path = '' rows 5000 as $$
  select d.id, p.id, d.skill_key, d.skill_category, d.level, n.first_day, n.last_day,
    d.required_count * d.allocation_percentage / 100.0, r.rate, d.is_critical
  from public.pipeline_resource_demands d
  join public.pipeline_projects p on p.workspace_id = d.workspace_id and p.id = d.pipeline_project_id
  join private.deal_rates(p_workspace, p_deals) r on r.pipeline_project_id = p.id
  join public.planning_settings s on s.workspace_id = d.workspace_id
  cross join lateral (select private.plausible_day(p.estimated_start_date)) t (day)
  cross join lateral (select coalesce(d.start_date, t.day),
    coalesce(d.end_date, private.work_end(t.day, p.estimated_duration))) n (first_day, last_day)
  where d.workspace_id = p_workspace
    and (r.kind = 'won' or r.kind = 'open' and r.rate >= coalesce(p_threshold, s.confidence_threshold))
    and n.first_day is not null and (n.last_day >= n.first_day or n.last_day is null)
$$;
comment on function private.demand_spans(uuid, uuid[], numeric) is
  'What live deals that are won or open ask for: days (the demand''s own, else the deal''s; null: open-ended), full-time people, rate. Without a beginning it asks for nobody yet; on hold and below the threshold neither.';

create function private.demand_hours(
  p_workspace uuid, p_from date, p_weeks int, p_deals uuid[] default null, p_threshold numeric default null
)
returns table (
  demand_id uuid, pipeline_project_id uuid, skill_key text, category text, level text, is_critical boolean,
  rate double precision, week date, hours double precision, unstaffed double precision
)
language sql stable set search_path = '' set enable_mergejoin = off set jit = off rows 50000 as $$
  with total as materialized (
    select t.running
    from public.planning_settings s
    cross join lateral private.calendar_totals(p_workspace, p_from, p_from + 7 * p_weeks - 1, s.default_calendar_id) t
    where s.workspace_id = p_workspace
  ),
  span as (
    select s.*, greatest(s.first_day - p_from, 0) as a, coalesce(least(s.last_day - p_from, 7 * p_weeks - 1), 7 * p_weeks - 1) as b
    from private.demand_spans(p_workspace, p_deals, p_threshold) s
    where s.first_day < p_from + 7 * p_weeks and (s.last_day >= p_from or s.last_day is null)
  ),
  asked as (
    select s.*, p_from + 7 * w.n as week,
      s.people * (t.running[least(s.b, 7 * w.n + 6) + 2] - t.running[greatest(s.a, 7 * w.n) + 1]) as hours
    from span s
    cross join total t
    cross join lateral generate_series(s.a / 7, s.b / 7) w (n)
    offset 0
  )
  select a.demand_id, a.pipeline_project_id, a.skill_key, a.category, a.level, a.is_critical, a.rate, a.week,
    a.hours, greatest(a.hours - coalesce(g.hours, 0), 0)
  from asked a
  left join private.staffed_weeks(p_workspace, p_from, p_weeks) g on g.demand_id = a.demand_id and g.week = a.week
  where a.hours > 0
$$;
comment on function private.demand_hours(uuid, date, int, uuid[], numeric) is
  'Hours by demand and week from a Monday on, on the workspace''s default calendar; unstaffed: what firm allocations to the demand do not give yet.';

create function private.check_choice(p_name text, p_value text, p_choices text[]) returns void
language plpgsql immutable set search_path = '' as $$
begin
  if p_value is null or p_value <> all (p_choices) then
    raise exception '% can be %; "%" is none of them.', p_name, array_to_string(p_choices, ', '), coalesce(p_value, 'null') using errcode = 'PC004', hint = p_name;
  end if;
end
$$;

create function private.check_deals(p_workspace uuid, p_deals uuid[]) returns void
language plpgsql stable set search_path = '' as $$
declare
  v_unknown uuid;
begin
  if cardinality(p_deals) > 5000 then
    raise exception 'At most 5,000 deals can be named at once, not %.', cardinality(p_deals) using errcode = 'PC004', hint = 'deal_ids';
  end if;
  select i.id into v_unknown
  from unnest(p_deals) i (id)
  where not exists (select from public.pipeline_projects p where p.workspace_id = p_workspace and p.id = i.id and p.deleted_at is null)
  limit 1;
  if v_unknown is not null then
    raise exception 'There is no deal % in this workspace.', v_unknown using errcode = 'PC001', hint = 'deal_ids';
  end if;
end
$$;
comment on function private.check_deals(uuid, uuid[]) is 'PC004 for more than 5,000, PC001 for the first id that is no live deal of the workspace: nothing is silently left out.';

-- Security definer: a viewer's answer counts time off, whose reasons a viewer does not read.
create function public.demand_weeks(
  workspace_id uuid, from_date date default null, weeks int default 26, group_by text default 'skill', weighting text default 'weighted',
  deal_ids uuid[] default null, confidence_threshold numeric default null
)
returns table (week date, key text, level text, hours numeric, critical_hours numeric, unstaffed_hours numeric, deals int)
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_from date;
begin
  perform private.require_role(demand_weeks.workspace_id, 'viewer');
  perform private.check_choice('group_by', demand_weeks.group_by, '{skill,category,level,deal}');
  perform private.check_choice('weighting', demand_weeks.weighting, '{weighted,unweighted}');
  if demand_weeks.confidence_threshold not between 0 and 1 then
    raise exception 'confidence_threshold lies between 0 and 1; % does not.', demand_weeks.confidence_threshold using errcode = 'PC004', hint = 'confidence_threshold';
  end if;
  v_from := private.check_weeks(demand_weeks.workspace_id, demand_weeks.from_date, demand_weeks.weeks);
  perform private.check_deals(demand_weeks.workspace_id, demand_weeks.deal_ids);
  return query
  select g.week, g.key, g.level, round(sum(g.hours)::numeric, 4), round(sum(g.critical_hours)::numeric, 4),
    round(sum(g.unstaffed)::numeric, 4), count(*)::int
  from (
    select h.week, k.key, k.level, sum(h.hours * k.share) as hours, sum(h.unstaffed * k.share) as unstaffed,
      sum(case when h.is_critical then h.hours * k.share else 0 end) as critical_hours
    from private.demand_hours(demand_weeks.workspace_id, v_from, demand_weeks.weeks, demand_weeks.deal_ids, demand_weeks.confidence_threshold) h
    cross join lateral (select
      case demand_weeks.group_by when 'skill' then coalesce(h.skill_key, h.category) when 'category' then h.category
        when 'level' then h.level else h.pipeline_project_id::text end,
      case when demand_weeks.group_by = 'skill' then h.level end,
      case when demand_weeks.weighting = 'weighted' then h.rate else 1 end) k (key, level, share)
    group by h.week, k.key, k.level, h.pipeline_project_id
  ) g
  group by g.week, g.key, g.level
  order by g.week, g.key, g.level;
end
$$;
comment on function public.demand_weeks(uuid, date, int, text, text, uuid[], numeric) is
  'Hours that won and open deals ask for, by ISO week and skill (with level), category, level or deal; weighted by how likely the deals are, or as they stand. unstaffed_hours: without what is firmly allocated to the demands.';

revoke execute on function private.effective_rates(uuid), private.deal_rates(uuid, uuid[]), private.work_end(date, int), private.demand_spans(uuid, uuid[], numeric),
  private.demand_hours(uuid, date, int, uuid[], numeric), private.check_choice(text, text, text[]), private.check_deals(uuid, uuid[])
  from public, anon, authenticated, service_role;
revoke execute on function public.demand_weeks(uuid, date, int, text, text, uuid[], numeric) from public, anon;
grant execute on function public.demand_weeks(uuid, date, int, text, text, uuid[], numeric) to authenticated, service_role;
