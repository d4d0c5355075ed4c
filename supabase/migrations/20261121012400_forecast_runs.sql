-- Forecast: calculations, with what they were made of. One that is asked again with the same inputs is not made again.

create table public.pipeline_forecast_runs (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  kind text not null check (kind in ('forecast', 'what_if', 'resource_forecast', 'daily')),
  status text not null default 'queued' check (status in ('queued', 'running', 'completed', 'failed', 'cancelled')),
  progress jsonb not null default '{}' check (jsonb_typeof(progress) = 'object'),
  request jsonb not null default '{}' check (jsonb_typeof(request) = 'object'),
  as_of date not null,
  inputs_hash text not null check (char_length(inputs_hash) between 1 and 64),
  engine_version int not null,
  seed bigint not null check (seed between 0 and 4294967295),
  runs int not null check (runs between 1 and 50000),
  requested_by uuid references auth.users (id) on delete set null,
  error_code text check (char_length(error_code) <= 50),
  error_message text check (char_length(error_message) <= 1000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  unique (workspace_id, id)
);
comment on table public.pipeline_forecast_runs is 'Forecasts and what-if calculations: asked for, under way and done. Written by the function pipeline-forecast; subscribe to a row to see its progress.';
comment on column public.pipeline_forecast_runs.progress is '{done, total, phase}: deals drawn of all deals to draw, over all scenarios.';
comment on column public.pipeline_forecast_runs.request is 'What was asked, with every default written out.';
comment on column public.pipeline_forecast_runs.as_of is 'The day that counts as today.';
comment on column public.pipeline_forecast_runs.inputs_hash is 'SHA-256 of everything that decides the digits. Equal hash, version and seed: equal result. Of a daily forecast that could not begin: of the reason.';
comment on column public.pipeline_forecast_runs.requested_by is 'Null for the daily forecast.';

create index pipeline_forecast_runs_created_at_idx on public.pipeline_forecast_runs (workspace_id, created_at desc);
create index pipeline_forecast_runs_requested_by_idx on public.pipeline_forecast_runs (requested_by) where requested_by is not null;
create index pipeline_forecast_runs_live_idx on public.pipeline_forecast_runs (created_at) where status in ('queued', 'running');
create index pipeline_forecast_runs_finished_at_idx on public.pipeline_forecast_runs (finished_at);
-- Two equal requests are one calculation.
create unique index pipeline_forecast_runs_same_idx on public.pipeline_forecast_runs (workspace_id, kind, inputs_hash, engine_version)
  where status in ('queued', 'running', 'completed');

create trigger set_updated_at before update on public.pipeline_forecast_runs
  for each row execute function private.set_updated_at();

-- Apart from the run, whose changes are sent to every subscriber.
create table public.pipeline_forecast_results (
  run_id uuid primary key,
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  result jsonb not null check (octet_length(result::text) <= 4194304),
  created_at timestamptz not null default now(),
  foreign key (workspace_id, run_id) references public.pipeline_forecast_runs (workspace_id, id) on delete cascade
);
comment on table public.pipeline_forecast_results is 'What a completed forecast answered, at most 4 MiB. Read only for clients.';
create index pipeline_forecast_results_workspace_idx on public.pipeline_forecast_results (workspace_id, run_id);

select private.apply_engine_rules('public.pipeline_forecast_runs', 'forecasts');
select private.apply_engine_rules('public.pipeline_forecast_results', 'results of forecasts');

-- What a worker needs: the inputs, and the lease. Each claim raises the fence; who has an old one writes nothing any more.
create table private.forecast_state (
  run_id uuid primary key references public.pipeline_forecast_runs (id) on delete cascade,
  inputs jsonb not null,
  fence bigint not null default 0,
  attempts int not null default 0,
  lease_expires_at timestamptz,
  dispatched_at timestamptz
);
alter table private.forecast_state enable row level security;
revoke all on private.forecast_state from public, anon, authenticated, service_role;
comment on table private.forecast_state is 'The inputs that make a run repeatable after the deals have moved on, kept as long as retention_settings says, and who works on it.';

-- How often a workspace may ask, kept as the time from which on it has asked for nothing (as the buckets of CRM calls are).
create table private.forecast_workspaces (
  workspace_id uuid primary key references public.workspaces (id) on delete cascade,
  next_at timestamptz not null default now(),
  daily_on date,
  daily_called_at timestamptz,
  daily_refused_at timestamptz,
  daily_refused_on date,
  availability_called_at timestamptz
);
alter table private.forecast_workspaces enable row level security;
revoke all on private.forecast_workspaces from public, anon, authenticated, service_role;

insert into private.crm_engine_settings (name, value, about) values
  ('max_forecasts', 2, 'Forecasts that workers calculate in the background at once, over all workspaces.'),
  ('forecasts_per_minute', 30, 'Calculations that one workspace may ask for in a minute.');

-- 0: go ahead. Else the seconds after which to ask again.
create function private.forecast_take_token(p_workspace uuid, p_now timestamptz default clock_timestamp()) returns int
language plpgsql
set search_path = ''
as $$
declare
  v_spacing constant interval := make_interval(secs => (60 / private.crm_setting('forecasts_per_minute'))::double precision);
begin
  insert into private.forecast_workspaces as f (workspace_id, next_at)
  values (p_workspace, p_now + v_spacing)
  on conflict (workspace_id) do update set next_at = greatest(f.next_at, p_now) + v_spacing
  where greatest(f.next_at, p_now) + v_spacing <= p_now + interval '1 minute';
  if found then
    return 0;
  end if;
  return (
    select greatest(1, ceil(extract(epoch from f.next_at + v_spacing - interval '1 minute' - p_now)))::int
    from private.forecast_workspaces f
    where f.workspace_id = p_workspace);
end
$$;

-- Results ------------------------------------------------------------------------------------------------------------

create function public.forecast_result(run_id uuid) returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_status text;
begin
  select r.status into v_status from public.pipeline_forecast_runs r where r.id = forecast_result.run_id;
  if v_status is null then
    raise exception 'There is nothing under this id, or you are not a member of its workspace.' using errcode = 'PC001';
  end if;
  return (select r.result from public.pipeline_forecast_results r where r.run_id = forecast_result.run_id);
end
$$;
comment on function public.forecast_result(uuid) is 'What a forecast answered; null as long as it is not completed.';

-- Retention --------------------------------------------------------------------------------------------------------------

insert into private.retention_settings (subject, keep, about) values
  ('forecast_inputs', '90 days', 'What forecasts were calculated from. Without it a run cannot be made again.'),
  ('forecasts', '400 days', 'Forecasts with their results.');

create function private.retain_forecasts(p_most int default 1000) returns jsonb
language sql
set search_path = ''
as $$
  with old_runs as (
    delete from public.pipeline_forecast_runs r
    where r.id in (
      select d.id from public.pipeline_forecast_runs d
      where d.finished_at < private.retention_cutoff('forecasts') order by d.finished_at limit p_most)
    returning 1
  ),
  old_inputs as (
    delete from private.forecast_state s
    where s.run_id in (
      select d.id from public.pipeline_forecast_runs d
      join private.forecast_state k on k.run_id = d.id
      where d.finished_at < private.retention_cutoff('forecast_inputs') and d.finished_at >= coalesce(private.retention_cutoff('forecasts'), '-infinity')
      order by d.finished_at limit p_most)
    returning 1
  )
  select jsonb_build_object('forecasts', (select count(*) from old_runs), 'forecast_inputs', (select count(*) from old_inputs))
$$;

revoke execute on function private.forecast_take_token(uuid, timestamptz), private.retain_forecasts(int) from public, anon, authenticated, service_role;
revoke execute on function public.forecast_result(uuid) from public, anon;
grant execute on function public.forecast_result(uuid) to authenticated, service_role;

select cron.schedule('forecast-retention', '*/5 2-4 * * *', 'select private.retain_forecasts()');
