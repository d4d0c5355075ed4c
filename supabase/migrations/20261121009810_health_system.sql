-- Health: of the whole, for monitors. Numbers only: nothing of any tenant.

-- Lets a monitor read the numbers; without it the health function says ok or not ok. Read it once, where the monitor is set up:
--   select decrypted_secret from vault.decrypted_secrets where name = 'health_secret';
select vault.create_secret(
  replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'health_secret', 'Lets a monitor read the numbers of the health function, nothing else')
where not exists (select from vault.secrets s where s.name = 'health_secret');

create function private.health_secret() returns text
language sql
stable
set search_path = ''
as $$
  select private.vault_secret('health_secret')
$$;

-- Each check with its figure and the most it may be. A figure that is missing counts as bad.
create function private.crm_system_checks()
returns table (name text, value bigint, most bigint, ok boolean)
language sql
stable
set search_path = ''
as $$
  select f.name, f.value, f.most, coalesce(f.value <= f.most, false)
  from (
    -- The dispatcher runs each minute.
    select 'dispatcher_age_seconds' as name, (
      select extract(epoch from clock_timestamp() - max(d.start_time))::bigint
      from cron.job_run_details d
      join cron.job j on j.jobid = d.jobid
      where j.jobname = 'crm-dispatch' and d.status = 'succeeded') as value, 300 as most
    union all
    -- Of a run that could go on; one whose connection is off waits for a person.
    select 'oldest_queued_seconds', (
      select coalesce(max(extract(epoch from clock_timestamp() - o.updated_at)), 0)::bigint
      from public.crm_sync_operations o
      join public.crm_sync_configs c on c.id = o.config_id and c.status = 'connected' and c.is_active
      join public.workspaces w on w.id = o.workspace_id and w.deleted_at is null
      where o.status = 'queued'), 900
    union all
    -- Workers that died and were not replaced by the sweep.
    select 'stuck_leases', (
      select count(*)
      from private.crm_operation_state s
      join public.crm_sync_operations o on o.id = s.operation_id and o.status = 'running'
      join public.crm_sync_configs c on c.id = o.config_id and c.status = 'connected' and c.is_active
      join public.workspaces w on w.id = o.workspace_id and w.deleted_at is null
      where s.lease_expires_at < clock_timestamp() - interval '3 minutes'), 0
  ) f
$$;

create function private.crm_system_health() returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'ok', (select bool_and(k.ok) from private.crm_system_checks() k),
    'checks', (select jsonb_object_agg(k.name, jsonb_build_object('value', k.value, 'most', k.most, 'ok', k.ok)) from private.crm_system_checks() k),
    'runs', (
      select jsonb_build_object(
        'queued', count(*) filter (where o.status = 'queued'), 'running', count(*) filter (where o.status = 'running'),
        'paused', count(*) filter (where o.status = 'paused'))
      from public.crm_sync_operations o
      where o.status in ('queued', 'running', 'paused')),
    'connections', (
      select jsonb_build_object(
        'connected', count(*) filter (where c.status = 'connected'), 'paused', count(*) filter (where c.status = 'paused'),
        'error', count(*) filter (where c.status = 'error'))
      from public.crm_sync_configs c))
$$;
comment on function private.crm_system_health() is 'Whether the machinery runs: checks with their limits, and counts over all workspaces.';

revoke execute on function private.health_secret(), private.crm_system_checks(), private.crm_system_health()
  from public, anon, authenticated, service_role;
