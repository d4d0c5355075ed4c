-- Forecast: the jobs that have forecasts and scores worked out.

-- The daily forecast -----------------------------------------------------------------------------------------------------
-- The first sweep after a workspace's day has begun asks for it, and again an hour later where nothing came of it. One that was refused, for
-- want of a rate, say, would be refused again: it waits until a setting, a deal or the day is another.

create function private.forecast_daily_due(p_now timestamptz, p_most int) returns setof uuid
language sql
stable
set search_path = ''
as $$
  select w.id
  from public.workspaces w
  join public.planning_settings s on s.workspace_id = w.id
  left join private.forecast_workspaces f on f.workspace_id = w.id
  where w.deleted_at is null
    and coalesce(f.daily_called_at < p_now - interval '1 hour' or greatest(s.updated_at, w.updated_at) > f.daily_called_at, true)
    -- Cheap first: nowhere is it a later day than fourteen hours ahead.
    and coalesce(f.daily_on < ((p_now + interval '14 hours') at time zone 'UTC')::date, true)
    and coalesce(f.daily_on < private.workspace_today(w.id), true)
    and (coalesce(f.daily_refused_at < f.daily_called_at, true)
      or f.daily_refused_on < private.workspace_today(w.id)
      or greatest(s.updated_at, w.updated_at) > f.daily_refused_at
      or exists (select from public.pipeline_projects p where p.workspace_id = w.id and p.updated_at > f.daily_refused_at))
    and exists (
      select from public.pipeline_projects p
      join public.pipeline_stages s on s.workspace_id = p.workspace_id and s.key = p.stage_key and s.kind = 'open'
      where p.workspace_id = w.id and p.deleted_at is null)
  order by f.daily_called_at nulls first, w.id
  limit p_most
$$;

-- A daily forecast that could not begin, as a failed run that says why. The same reason again is the same run.
create function private.forecast_refuse_daily(p_workspace uuid, p_request jsonb, p_version int, p_runs int, p_code text, p_message text) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_today constant date := private.workspace_today(p_workspace);
  v_run public.pipeline_forecast_runs;
begin
  select * into v_run from public.pipeline_forecast_runs r
  where r.workspace_id = p_workspace and r.kind = 'daily' order by r.created_at desc limit 1;
  if v_run.status = 'failed' and (v_run.error_code, v_run.error_message) = (left(p_code, 50), left(p_message, 1000)) then
    update public.pipeline_forecast_runs r set as_of = v_today, finished_at = clock_timestamp() where r.id = v_run.id;
  else
    insert into public.pipeline_forecast_runs
      (workspace_id, kind, status, request, as_of, inputs_hash, engine_version, seed, runs, error_code, error_message, finished_at)
    values (p_workspace, 'daily', 'failed', p_request, v_today, encode(sha256(convert_to(p_message, 'UTF8')), 'hex'), p_version, 0, p_runs,
      left(p_code, 50), left(p_message, 1000), clock_timestamp());
  end if;
  insert into private.forecast_workspaces as f (workspace_id, daily_refused_at, daily_refused_on)
  values (p_workspace, clock_timestamp(), v_today)
  on conflict (workspace_id) do update set daily_refused_at = excluded.daily_refused_at, daily_refused_on = excluded.daily_refused_on;
end
$$;

create function private.forecast_daily(p_now timestamptz default clock_timestamp()) returns int
language plpgsql
set search_path = ''
as $$
declare
  v_called int;
begin
  with due as materialized (
    select d.id from private.forecast_daily_due(p_now, 100) d (id)
  ),
  called as (
    insert into private.forecast_workspaces (workspace_id, daily_called_at)
    select d.id, p_now from due d order by d.id
    on conflict (workspace_id) do update set daily_called_at = excluded.daily_called_at
  )
  select count(*) into v_called
  from (select private.call_function('pipeline-forecast/work', jsonb_build_object('daily', d.id)) from due d offset 0) c;
  return v_called;
end
$$;

-- Runs and scores --------------------------------------------------------------------------------------------------------

-- Each minute: forecasts that nobody works on, and scores of availability that are old.
create function private.forecast_sweep(p_now timestamptz default clock_timestamp()) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_marked constant bigint := private.mark_availability();
  v_runs int;
  v_scored int;
begin
  with due as materialized (
    select a.workspace_id
    from public.pipeline_availability a
    join public.workspaces w on w.id = a.workspace_id and w.deleted_at is null
    join public.pipeline_projects p on p.workspace_id = a.workspace_id and p.id = a.pipeline_project_id and p.deleted_at is null
    left join private.forecast_workspaces f on f.workspace_id = a.workspace_id
    where a.stale and coalesce(f.availability_called_at < p_now - interval '50 seconds', true)
    group by a.workspace_id
    order by min(f.availability_called_at) nulls first, a.workspace_id
    limit 20
  ),
  called as (
    insert into private.forecast_workspaces (workspace_id, availability_called_at)
    select d.workspace_id, p_now from due d order by d.workspace_id
    on conflict (workspace_id) do update set availability_called_at = excluded.availability_called_at
  )
  select count(*) into v_scored
  from (select private.call_function('pipeline-forecast/work', jsonb_build_object('availability', d.workspace_id)) from due d offset 0) c;
  -- Last: the lock of the places comes after the workspaces' rows, as when a daily forecast ends.
  v_runs := private.forecast_fill_places(p_now);
  return jsonb_build_object('marked', v_marked, 'runs', v_runs, 'availability', v_scored);
end
$$;

revoke execute on function private.forecast_daily_due(timestamptz, int), private.forecast_refuse_daily(uuid, jsonb, int, int, text, text),
  private.forecast_sweep(timestamptz), private.forecast_daily(timestamptz)
  from public, anon, authenticated, service_role;

select cron.schedule('forecast-sweep', '* * * * *', 'select private.forecast_sweep()');
select cron.schedule('forecast-daily', '*/10 * * * *', 'select private.forecast_daily()');
