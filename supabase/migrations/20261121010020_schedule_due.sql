-- Schedule: each minute, a run for every connection that is due. What was missed is run once, not caught up.

create function private.crm_schedule_due(p_now timestamptz default clock_timestamp()) returns int
language plpgsql
set search_path = ''
as $$
declare
  v_queued int;
begin
  with due as materialized (
    select c.id, c.workspace_id, c.sync_direction, c.sync_entities, coalesce(c.next_sync_at <= p_now, false) as by_time
    from public.crm_sync_configs c
    join public.workspaces w on w.id = c.workspace_id and w.deleted_at is null
    where c.is_active and c.status = 'connected' and c.sync_frequency <> 'manual'
      and (c.next_sync_at <= p_now or c.sync_frequency = 'realtime' and private.crm_has_work(c.id, p_now))
    for no key update of c skip locked
  ),
  -- A live run does what this one would have done.
  planned as (
    update public.crm_sync_configs c
    set next_sync_at = private.crm_next_sync(c.sync_frequency, c.sync_rules -> 'schedule', p_now, c.id)
    from due
    where c.id = due.id and due.by_time
  ),
  queued as (
    insert into public.crm_sync_operations (workspace_id, config_id, direction, entities, trigger)
    select d.workspace_id, d.id,
      case d.sync_direction when 'pull' then 'from_crm' when 'push' then 'to_crm' else 'bidirectional' end, d.sync_entities, 'schedule'
    from due d
    on conflict (config_id) where status in ('queued', 'running', 'paused') do nothing
    returning id, config_id
  ),
  started as (
    insert into private.crm_operation_state (operation_id, phases)
    select q.id, case when d.by_time then '{dirty,pull,push}'::text[] else '{dirty,push}' end
    from queued q
    join due d on d.id = q.config_id
    returning 1
  )
  select count(*) into v_queued from started;
  perform private.crm_fill_places(p_now);
  return v_queued;
end
$$;
comment on function private.crm_schedule_due(timestamptz) is 'Queues a run for each connection whose time has come, and answers how many. Called each minute.';
revoke execute on function private.crm_schedule_due(timestamptz) from public, anon, authenticated, service_role;

select cron.schedule('crm-schedule', '* * * * *', 'select private.crm_schedule_due()');
