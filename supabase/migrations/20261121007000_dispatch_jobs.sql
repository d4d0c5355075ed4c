-- Dispatch: how a queued run reaches a worker. The database calls the Edge Function through pg_net; pg_cron sweeps up what
-- a lost call or a dead worker left lying.

create extension if not exists pg_net with schema extensions;
create extension if not exists pg_cron with schema pg_catalog;

-- Every SQL role can read pg_net's queue, so the only secret sent through it is one that can do nothing but wake a worker.
-- It is made here once; nobody needs to know it.
select vault.create_secret(
  replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'crm_sync_dispatch_secret', 'Lets the database wake the crm-sync function, nothing else')
where not exists (select from vault.secrets s where s.name = 'crm_sync_dispatch_secret');

create function private.crm_dispatch_secret() returns text
language sql
stable
set search_path = ''
as $$
  select private.vault_secret('crm_sync_dispatch_secret')
$$;

-- Wakes an Edge Function, through pg_net: nothing leaves before the transaction is committed.
create function private.call_function(p_path text, p_body jsonb) returns void
language sql
set search_path = ''
as $$
  select net.http_post(
    url := rtrim(private.vault_secret('project_url'), '/') || '/functions/v1/' || p_path,
    body := p_body,
    headers := jsonb_build_object('Content-Type', 'application/json', 'x-dispatch-secret', private.crm_dispatch_secret()),
    timeout_milliseconds := 10000)
$$;

-- Calls a worker for a run.
create function private.crm_call_worker(p_operation uuid, p_now timestamptz) returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.call_function('crm-sync', jsonb_build_object('operation_id', p_operation));
  update private.crm_operation_state s set dispatched_at = p_now where s.operation_id = p_operation;
end
$$;

-- Live runs that may go on, and whether each is in somebody's hands: a worker has the lease, or was called a moment ago.
create function private.crm_ready_runs(p_now timestamptz)
returns table (operation_id uuid, workspace_id uuid, in_hand boolean, waits_since timestamptz)
language sql
stable
set search_path = ''
as $$
  select s.operation_id, o.workspace_id,
    coalesce(s.lease_expires_at >= p_now, s.dispatched_at >= p_now - interval '30 seconds', false), s.updated_at
  from public.crm_sync_operations o
  join private.crm_operation_state s on s.operation_id = o.id
  join public.crm_sync_configs c on c.id = o.config_id and c.status = 'connected' and c.is_active
  join public.workspaces w on w.id = o.workspace_id and w.deleted_at is null
  where o.status in ('queued', 'running')
$$;

-- Calls workers for as many waiting runs as there are free places. A workspace gets its first run before another gets its
-- second, and each run comes back to the end of the queue after a slice: a long one holds nobody up.
create function private.crm_fill_places(p_now timestamptz) returns int
language plpgsql
set search_path = ''
as $$
declare
  v_called int;
begin
  -- Two at once would both see the same free place. Taken last in every transaction, so nobody waits in a circle.
  perform pg_advisory_xact_lock(hashtextextended('crm_fill_places', 0));
  with ready as materialized (
    select * from private.crm_ready_runs(p_now)
  ),
  turns as (
    select r.operation_id, r.waits_since,
      row_number() over (partition by r.workspace_id order by r.waits_since, r.operation_id)
        + (select count(*) from ready h where h.in_hand and h.workspace_id = r.workspace_id) as turn
    from ready r
    where not r.in_hand
  ),
  chosen as materialized (
    select t.operation_id from turns t
    order by t.turn, t.waits_since, t.operation_id
    limit greatest(0, private.crm_setting('max_running') - (select count(*) from ready h where h.in_hand))::bigint
  ),
  -- A run that somebody else holds just now is in good hands.
  held as materialized (
    select s.operation_id
    from chosen c
    join private.crm_operation_state s on s.operation_id = c.operation_id
    for update of s skip locked
  )
  select count(*) into v_called
  from (select private.crm_call_worker(h.operation_id, p_now) from held h offset 0) called;
  return v_called;
end
$$;

-- Asks for a worker: at once where a place is free and it is this run's turn, else when it is.
create function private.crm_dispatch(p_operation uuid) returns void
language plpgsql
set search_path = ''
as $$
begin
  update private.crm_operation_state s set dispatched_at = null where s.operation_id = p_operation;
  perform private.crm_fill_places(clock_timestamp());
end
$$;

-- Each minute: runs whose wait for the CRM's quota is over, runs whose worker never came, and runs whose worker died.
create function private.crm_dispatch_waiting(p_now timestamptz default clock_timestamp()) returns int
language plpgsql
set search_path = ''
as $$
begin
  update public.crm_sync_operations o
  set status = 'queued', error_message = null
  from private.crm_operation_state s, public.crm_sync_configs c
  where s.operation_id = o.id and c.id = o.config_id
    and o.status = 'paused' and s.resume_at <= p_now and c.status = 'connected' and c.is_active;
  return private.crm_fill_places(p_now);
end
$$;

create function private.crm_purge_job_history() returns void
language sql
set search_path = ''
as $$
  delete from cron.job_run_details d where d.end_time < now() - interval '7 days'
$$;

revoke execute on function private.crm_dispatch_secret(), private.call_function(text, jsonb), private.crm_call_worker(uuid, timestamptz),
  private.crm_ready_runs(timestamptz), private.crm_fill_places(timestamptz), private.crm_dispatch(uuid),
  private.crm_dispatch_waiting(timestamptz), private.crm_purge_job_history() from public, anon, authenticated, service_role;

select cron.schedule('crm-dispatch', '* * * * *', 'select private.crm_dispatch_waiting()');
select cron.schedule('crm-oauth-states', '*/10 * * * *', 'select private.crm_purge_oauth_states()');
select cron.schedule('crm-job-history', '17 3 * * *', 'select private.crm_purge_job_history()');
