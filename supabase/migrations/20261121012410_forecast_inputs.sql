-- Forecast: what a calculation reads of settings, deals, the past and scenarios. Each function answers one subject as JSON, in an
-- order that never changes.

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
          and coalesce(d.end_date, private.plausible_day(coalesce(p.estimated_start_date, d.start_date)) + least(coalesce(p.estimated_duration, 365), 36500)) >= p_from))
$$;

-- A slip of the pen (20226, infinity) is no day: one deal must not stop the forecast of all.
create function private.forecast_deals(p_workspace uuid, p_ids uuid[]) returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', p.id, 'name', p.name, 'client', coalesce(p.company_id::text, nullif(lower(btrim(p.client_name)), '')), 'stage', p.stage_key,
    'value', p.estimated_value, 'currency', p.currency, 'probability', p.probability,
    'close_date', private.plausible_day(case s.kind when 'won' then coalesce(p.actual_close_date, p.expected_close_date) else p.expected_close_date end),
    'start_date', private.plausible_day(p.estimated_start_date), 'duration', case when p.estimated_duration > 36500 then 36500 else p.estimated_duration end,
    'opened_on', coalesce(a.created_day, private.plausible_day((p.created_at at time zone z.zone)::date), current_date)) order by p.id), '[]')
  from (select private.workspace_zone(p_workspace) as zone offset 0) z
  cross join public.pipeline_projects p
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
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', a.id, 'name', a.name, 'status', a.status, 'updated_at', a.updated_at, 'forecast_months', a.forecast_months, 'seed', a.seed,
    'conversion_rates', s.conversion_rates, 'template_rates', private.template_rates(p_workspace, s.template_key),
    'confidence_threshold', s.confidence_threshold,
    'deal_ids', coalesce(to_jsonb(private.scenario_deals(a.id)), '[]'),
    'edits', (
      select coalesce(jsonb_agg(jsonb_build_object('id', e.edit_id, 'kind', e.kind, 'deal_id', e.pipeline_project_id, 'payload', e.payload,
        'skipped', e.skipped) order by e.place), '[]')
      from private.scenario_plan(a.id) e)) order by a.updated_at, a.id), '[]')
  from asked a
  cross join lateral private.scenario_settings(a.id) s
$$;

revoke execute on function private.forecast_settings(uuid), private.forecast_stages(uuid), private.forecast_learned(uuid),
  private.forecast_deal_ids(uuid, uuid[], date, boolean), private.forecast_deals(uuid, uuid[]), private.forecast_shifts(uuid, date),
  private.forecast_lives(uuid, date, int, int), private.forecast_new_business(uuid, date, int), private.forecast_scenarios(uuid, uuid[])
  from public, anon, authenticated, service_role;
