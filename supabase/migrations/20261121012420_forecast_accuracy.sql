-- Forecast: what was predicted on which day, beside what came.

create table public.pipeline_forecast_points (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  made_on date not null,
  grain text not null check (grain in ('month', 'week')),
  period_start date not null,
  currency char(3) not null,
  closed numeric(24, 2) not null,
  commit numeric(24, 2) not null,
  best numeric(24, 2) not null,
  weighted numeric(24, 2) not null,
  p10 numeric(24, 2) not null,
  p50 numeric(24, 2) not null,
  p90 numeric(24, 2) not null,
  naive numeric(24, 2) not null,
  run_id uuid,
  primary key (workspace_id, made_on, grain, period_start, currency),
  foreign key (workspace_id, run_id) references public.pipeline_forecast_runs (workspace_id, id) on delete set null (run_id)
);
comment on table public.pipeline_forecast_points is 'The daily forecast, month by month. Stays when its run is gone. Read only for clients.';
comment on column public.pipeline_forecast_points.closed is 'Won already on that day.';
comment on column public.pipeline_forecast_points.naive is 'Value times the default probability of the stage: what a forecast has to be better than.';
create index pipeline_forecast_points_run_idx on public.pipeline_forecast_points (workspace_id, run_id) where run_id is not null;
create index pipeline_forecast_points_period_idx on public.pipeline_forecast_points (workspace_id, period_start, made_on);
select private.apply_engine_rules('public.pipeline_forecast_points', 'forecast points');

create function private.forecast_keep_points(p_run uuid) returns void
language sql
set search_path = ''
as $$
  insert into public.pipeline_forecast_points
    (workspace_id, made_on, grain, period_start, currency, closed, commit, best, weighted, p10, p50, p90, naive, run_id)
  select r.workspace_id, r.as_of, 'month', (p ->> 'period' || '-01')::date, k.result ->> 'currency', (p ->> 'closed')::numeric, (p ->> 'commit')::numeric,
    (p ->> 'best')::numeric, (p ->> 'weighted')::numeric, (p ->> 'p10')::numeric, (p ->> 'p50')::numeric, (p ->> 'p90')::numeric,
    (p ->> 'naive')::numeric, r.id
  from public.pipeline_forecast_runs r
  join public.pipeline_forecast_results k on k.run_id = r.id
  cross join lateral jsonb_array_elements(k.result -> 'periods') p
  where r.id = p_run
  on conflict (workspace_id, made_on, grain, period_start, currency) do nothing;
  insert into private.forecast_workspaces as f (workspace_id, daily_on)
  select r.workspace_id, r.as_of from public.pipeline_forecast_runs r where r.id = p_run
  on conflict (workspace_id) do update set daily_on = greatest(f.daily_on, excluded.daily_on)
$$;

-- Won value of a month in one currency, by the workspace's rates; null where a rate is missing.
create view public.forecast_accuracy with (security_invoker = true) as
with actual as (
  select o.workspace_id, o.month, f.currency,
    case when bool_and(o.currency = f.currency or s.exchange_rates ? o.currency::text)
      then sum(o.won_value * case when o.currency = f.currency then 1 else (s.exchange_rates ->> o.currency)::numeric end) end as won_value
  from public.analytics_outcome_months o
  join public.planning_settings s on s.workspace_id = o.workspace_id
  join public.workspaces w on w.id = o.workspace_id
  cross join lateral (select coalesce(s.reporting_currency, w.default_currency) as currency) f
  where o.dimension = 'all' and (o.won > 0 or o.currency = f.currency)
  group by o.workspace_id, o.month, f.currency
)
select p.workspace_id, p.made_on, p.period_start, p.currency,
  ((extract(year from p.period_start) - extract(year from p.made_on)) * 12 + extract(month from p.period_start) - extract(month from p.made_on))::int as horizon_months,
  p.weighted, p.commit, p.best, p.p10, p.p50, p.p90, p.naive, p.closed, x.actual,
  p.p50 - x.actual as error, p.naive - x.actual as naive_error, x.actual between p.p10 and p.p90 as inside, p.run_id
from public.pipeline_forecast_points p
left join actual a on a.workspace_id = p.workspace_id and a.month = p.period_start and a.currency = p.currency
-- A month in which nothing was won has no row.
cross join lateral (select case when a.workspace_id is null then 0 else round(a.won_value, 2) end as actual) x
where p.grain = 'month' and (p.period_start + interval '1 month')::date <= private.workspace_today(p.workspace_id);
comment on view public.forecast_accuracy is 'Each daily forecast of a month that is over, beside what was won in it. inside: between P10 and P90, which should be true for 8 of 10.';

revoke all on public.forecast_accuracy from public, anon, authenticated, service_role;
grant select on public.forecast_accuracy to authenticated, service_role;

revoke execute on function private.forecast_keep_points(uuid) from public, anon, authenticated, service_role;
