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

create function private.crm_dispatch(p_operation uuid) returns void
language plpgsql
set search_path = ''
as $$
begin
  perform net.http_post(
    url := rtrim(private.vault_secret('project_url'), '/') || '/functions/v1/crm-sync',
    body := jsonb_build_object('operation_id', p_operation),
    headers := jsonb_build_object('Content-Type', 'application/json', 'x-dispatch-secret', private.crm_dispatch_secret()),
    timeout_milliseconds := 10000);
  update private.crm_operation_state s set dispatched_at = clock_timestamp() where s.operation_id = p_operation;
end
$$;

-- Runs whose worker never came or died, and runs whose wait for the CRM's quota is over. Few at a time, one per workspace
-- before the second of any.
create function private.crm_dispatch_waiting() returns int
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_dispatched int;
begin
  update public.crm_sync_operations o
  set status = 'queued', error_message = null
  from private.crm_operation_state s, public.crm_sync_configs c
  where s.operation_id = o.id and c.id = o.config_id
    and o.status = 'paused' and s.resume_at <= v_now and c.status = 'connected';

  with waiting as (
    select s.operation_id, s.dispatched_at, o.workspace_id
    from private.crm_operation_state s
    join public.crm_sync_operations o on o.id = s.operation_id and o.status in ('queued', 'running')
    join public.crm_sync_configs c on c.id = o.config_id and c.status = 'connected' and c.is_active
    join public.workspaces w on w.id = o.workspace_id and w.deleted_at is null
    where (s.lease_expires_at is null or s.lease_expires_at < v_now)
      and (s.dispatched_at is null or s.dispatched_at < v_now - interval '30 seconds')
    for update of s skip locked
  ),
  turns as (
    select w.operation_id, w.dispatched_at,
      row_number() over (partition by w.workspace_id order by w.dispatched_at nulls first) as turn
    from waiting w
  ),
  chosen as materialized (
    select t.operation_id from turns t order by t.turn, t.dispatched_at nulls first limit 20
  )
  select count(*) into v_dispatched
  from (select private.crm_dispatch(c.operation_id) from chosen c offset 0) sent;
  return v_dispatched;
end
$$;

create function private.crm_purge_job_history() returns void
language sql
set search_path = ''
as $$
  delete from cron.job_run_details d where d.end_time < now() - interval '7 days'
$$;

revoke execute on function private.crm_dispatch_secret(), private.crm_dispatch(uuid), private.crm_dispatch_waiting(),
  private.crm_purge_job_history() from public, anon, authenticated, service_role;

select cron.schedule('crm-dispatch', '* * * * *', 'select private.crm_dispatch_waiting()');
select cron.schedule('crm-oauth-states', '*/10 * * * *', 'select private.crm_purge_oauth_states()');
select cron.schedule('crm-job-history', '17 3 * * *', 'select private.crm_purge_job_history()');
