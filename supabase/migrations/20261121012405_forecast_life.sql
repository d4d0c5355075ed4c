-- Forecast: the life of a run. It is begun once for equal questions, held by one worker at a time, and ended by its result, a failure, or
-- the one who asked.

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

-- Life of a run ------------------------------------------------------------------------------------------------------

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
    perform private.forecast_leave(p_run);
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
  if found then
    update private.forecast_state s set fence = s.fence + 1 where s.run_id = v_run.id;
    perform private.forecast_leave(v_run.id);
  end if;
  select * into v_run from public.pipeline_forecast_runs r where r.id = v_run.id;
  return v_run;
end
$$;
comment on function public.cancel_forecast(uuid) is 'Stops a forecast that waits or is being calculated; nothing of it is kept. By who asked for it, or an admin. One that has ended stays as it is.';

revoke execute on function private.forecast_begin(uuid, uuid, text, jsonb, jsonb, date, text, int, bigint, int, boolean, int), private.forecast_claim(uuid, int),
  private.forecast_holds(uuid, bigint), private.forecast_leave(uuid), private.forecast_progress(uuid, bigint, jsonb, int), private.forecast_finish(uuid, bigint, jsonb, jsonb),
  private.forecast_fail(uuid, bigint, text, text), private.forecast_fill_places(timestamptz)
  from public, anon, authenticated, service_role;
revoke execute on function public.cancel_forecast(uuid) from public, anon;
grant execute on function public.cancel_forecast(uuid) to authenticated, service_role;
