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
comment on column public.pipeline_forecast_runs.inputs_hash is 'SHA-256 of everything that decides the digits. Equal hash, version and seed: equal result.';
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

-- Life of a run --------------------------------------------------------------------------------------------------------

-- The run of these inputs: the one that is there, else a new one. A small one is calculated by who asks (the fence is
-- theirs), a large one waits for a worker.
create function private.forecast_begin(
  p_workspace uuid, p_actor uuid, p_kind text, p_request jsonb, p_inputs jsonb, p_as_of date, p_hash text, p_version int,
  p_seed bigint, p_runs int, p_queued boolean, p_lease_seconds int
) returns table (run_id uuid, status text, reused boolean, fence bigint)
language plpgsql
set search_path = ''
as $$
declare
  v_run public.pipeline_forecast_runs;
begin
  -- Twice: the run in the way may end between the two statements.
  for attempt in 1..2 loop
    insert into public.pipeline_forecast_runs
      (workspace_id, kind, status, request, as_of, inputs_hash, engine_version, seed, runs, requested_by, started_at, progress)
    values (p_workspace, p_kind, case when p_queued then 'queued' else 'running' end, p_request, p_as_of, p_hash, p_version, p_seed, p_runs,
      p_actor, case when not p_queued then clock_timestamp() end, jsonb_build_object('done', 0, 'total', 0, 'phase', 'waiting'))
    on conflict do nothing
    returning * into v_run;
    if v_run.id is not null then
      insert into private.forecast_state (run_id, inputs, fence, attempts, lease_expires_at)
      values (v_run.id, p_inputs, case when p_queued then 0 else 1 end, case when p_queued then 0 else 1 end,
        case when not p_queued then clock_timestamp() + make_interval(secs => p_lease_seconds) end);
      if p_queued then
        perform private.forecast_fill_places(clock_timestamp());
      end if;
      return query select v_run.id, v_run.status, false, case when not p_queued then 1::bigint end;
      return;
    end if;
    select * into v_run from public.pipeline_forecast_runs r
    where r.workspace_id = p_workspace and r.kind = p_kind and r.inputs_hash = p_hash and r.engine_version = p_version
      and r.status in ('queued', 'running', 'completed');
    if found then
      return query select v_run.id, v_run.status, true, null::bigint;
      return;
    end if;
  end loop;
  raise exception 'The same forecast was just stopped. Ask again.' using errcode = 'PC008';
end
$$;

-- A run that kills its worker each time must not be tried for ever.
create function private.forecast_claim(p_run uuid, p_lease_seconds int)
returns table (run_id uuid, workspace_id uuid, kind text, request jsonb, inputs jsonb, seed bigint, runs int, fence bigint)
language plpgsql
set search_path = ''
as $$
declare
  v_state private.forecast_state;
begin
  select s.* into v_state
  from private.forecast_state s
  join public.pipeline_forecast_runs r on r.id = s.run_id and r.status in ('queued', 'running')
  where s.run_id = p_run and (s.lease_expires_at is null or s.lease_expires_at < clock_timestamp())
  for update of s skip locked;
  if not found then
    return;
  end if;
  if v_state.attempts >= 2 then
    update public.pipeline_forecast_runs r
    set status = 'failed', finished_at = clock_timestamp(), error_code = 'stopped_unexpectedly',
      error_message = 'The calculation stopped unexpectedly twice. Ask for fewer runs, periods or scenarios.'
    where r.id = p_run;
    return;
  end if;
  update private.forecast_state s
  set fence = s.fence + 1, attempts = s.attempts + 1, dispatched_at = null,
    lease_expires_at = clock_timestamp() + make_interval(secs => p_lease_seconds)
  where s.run_id = p_run;
  -- Cancelled in this very moment: nothing to do.
  update public.pipeline_forecast_runs r
  set status = 'running', started_at = coalesce(r.started_at, clock_timestamp())
  where r.id = p_run and r.status in ('queued', 'running');
  if not found then
    return;
  end if;
  return query
    select r.id, r.workspace_id, r.kind, r.request, s.inputs, r.seed, r.runs, s.fence
    from public.pipeline_forecast_runs r
    join private.forecast_state s on s.run_id = r.id
    where r.id = p_run;
end
$$;

-- Locks the run for whoever holds the fence; false for everybody else, and for a run that was cancelled.
create function private.forecast_holds(p_run uuid, p_fence bigint) returns boolean
language plpgsql
set search_path = ''
as $$
begin
  perform from private.forecast_state s
  join public.pipeline_forecast_runs r on r.id = s.run_id and r.status = 'running'
  where s.run_id = p_run and s.fence = p_fence
  for update of s;
  return found;
end
$$;

-- False: stop, the run was cancelled or is in other hands.
create function private.forecast_progress(p_run uuid, p_fence bigint, p_progress jsonb, p_lease_seconds int) returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if not private.forecast_holds(p_run, p_fence) then
    return false;
  end if;
  update private.forecast_state s
  set lease_expires_at = clock_timestamp() + make_interval(secs => p_lease_seconds)
  where s.run_id = p_run;
  update public.pipeline_forecast_runs r set progress = p_progress where r.id = p_run;
  return true;
end
$$;

-- A run that has ended makes room for one that waits.
create function private.forecast_leave(p_run uuid) returns void
language plpgsql
set search_path = ''
as $$
begin
  update private.forecast_state s set lease_expires_at = null where s.run_id = p_run;
  perform private.forecast_fill_places(clock_timestamp());
end
$$;

create function private.forecast_finish(p_run uuid, p_fence bigint, p_result jsonb, p_progress jsonb) returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_run public.pipeline_forecast_runs;
begin
  if not private.forecast_holds(p_run, p_fence) then
    return false;
  end if;
  update public.pipeline_forecast_runs r
  set status = 'completed', finished_at = clock_timestamp(), progress = p_progress
  where r.id = p_run
  returning * into v_run;
  insert into public.pipeline_forecast_results (run_id, workspace_id, result) values (p_run, v_run.workspace_id, p_result);
  if v_run.kind = 'daily' then
    perform private.forecast_keep_points(p_run);
  end if;
  perform private.forecast_leave(p_run);
  return true;
end
$$;

create function private.forecast_fail(p_run uuid, p_fence bigint, p_code text, p_message text) returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if not private.forecast_holds(p_run, p_fence) then
    return false;
  end if;
  update public.pipeline_forecast_runs r
  set status = 'failed', finished_at = clock_timestamp(), error_code = left(p_code, 50), error_message = left(p_message, 1000)
  where r.id = p_run;
  perform private.forecast_leave(p_run);
  return true;
end
$$;

-- Security definer: clients read runs, and this one change of them is theirs.
create function public.cancel_forecast(run_id uuid) returns public.pipeline_forecast_runs
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_run public.pipeline_forecast_runs;
begin
  select * into v_run from public.pipeline_forecast_runs r where r.id = cancel_forecast.run_id;
  perform private.require_role(v_run.workspace_id, 'viewer');
  if v_run.requested_by is distinct from private.actor_id() then
    perform private.require_role(v_run.workspace_id, 'admin');
  end if;
  -- In the order of the workers: the state first, then the run.
  perform from private.forecast_state s where s.run_id = v_run.id for update;
  update public.pipeline_forecast_runs r
  set status = 'cancelled', finished_at = clock_timestamp()
  where r.id = v_run.id and r.status in ('queued', 'running');
  update private.forecast_state s set fence = s.fence + 1, lease_expires_at = null where s.run_id = v_run.id;
  select * into v_run from public.pipeline_forecast_runs r where r.id = v_run.id;
  return v_run;
end
$$;
comment on function public.cancel_forecast(uuid) is 'Stops a forecast that waits or is being calculated; nothing of it is kept. By who asked for it, or an admin. One that has ended stays as it is.';

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

-- Workers ----------------------------------------------------------------------------------------------------------------

-- Calls workers for the runs that wait longest, as many as there are free places; a workspace gets its first before another
-- gets its second. A call that is lost is made again.
create function private.forecast_fill_places(p_now timestamptz) returns int
language plpgsql
set search_path = ''
as $$
declare
  v_called int;
begin
  perform pg_advisory_xact_lock(hashtextextended('forecast_fill_places', 0));
  with live as materialized (
    select s.run_id, r.workspace_id, r.created_at,
      coalesce(s.lease_expires_at >= p_now, s.dispatched_at >= p_now - interval '30 seconds', false) as in_hand
    from private.forecast_state s
    join public.pipeline_forecast_runs r on r.id = s.run_id and r.status in ('queued', 'running')
    join public.workspaces w on w.id = r.workspace_id and w.deleted_at is null
  ),
  turns as (
    select l.*, row_number() over (partition by l.workspace_id order by l.in_hand desc, l.created_at) as turn from live l
  ),
  held as materialized (
    select s.run_id
    from private.forecast_state s
    where s.run_id in (
      select t.run_id from turns t where not t.in_hand order by t.turn, t.created_at
      limit greatest(0, private.crm_setting('max_forecasts') - (select count(*) from live h where h.in_hand))::bigint)
    for update of s skip locked
  ),
  marked as (
    update private.forecast_state s set dispatched_at = p_now from held h where s.run_id = h.run_id
  )
  select count(*) into v_called
  from (select private.call_function('pipeline-forecast/work', jsonb_build_object('run_id', h.run_id)) from held h offset 0) called;
  return v_called;
end
$$;

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

revoke execute on function private.forecast_take_token(uuid, timestamptz),
  private.forecast_begin(uuid, uuid, text, jsonb, jsonb, date, text, int, bigint, int, boolean, int), private.forecast_claim(uuid, int),
  private.forecast_holds(uuid, bigint), private.forecast_leave(uuid), private.forecast_progress(uuid, bigint, jsonb, int), private.forecast_finish(uuid, bigint, jsonb, jsonb),
  private.forecast_fail(uuid, bigint, text, text), private.forecast_fill_places(timestamptz),
  private.retain_forecasts(int)
  from public, anon, authenticated, service_role;
revoke execute on function public.cancel_forecast(uuid), public.forecast_result(uuid) from public, anon;
grant execute on function public.cancel_forecast(uuid), public.forecast_result(uuid) to authenticated, service_role;

select cron.schedule('forecast-retention', '*/5 2-4 * * *', 'select private.retain_forecasts()');
