-- Schedule: each minute, a run for every connection that is due. What was missed is run once, not caught up.

create function private.crm_schedule_due(p_now timestamptz default clock_timestamp()) returns int
language plpgsql
set search_path = ''
as $$
declare
  v_due uuid[];
  v_queued int;
begin
  -- Held first, so that nobody else queues a run of theirs, and looked at after that. Who holds one of them is passed over.
  v_due := array(
    select c.id
    from public.crm_sync_configs c
    join public.workspaces w on w.id = c.workspace_id and w.deleted_at is null
    where c.is_active and c.status = 'connected' and c.sync_frequency <> 'manual'
      and (c.next_sync_at <= p_now or c.sync_frequency = 'realtime' and c.failed_runs = 0 and private.crm_has_work(c.id, p_now))
    for no key update of c skip locked);
  select count(*) into v_queued
  from private.crm_create_runs((
    select coalesce(jsonb_agg(jsonb_build_object(
      'config_id', c.id, 'entities', c.sync_entities, 'direction', private.crm_own_direction(c.sync_direction), 'full', false, 'trigger', 'schedule',
      'phases', case when c.next_sync_at <= p_now then '{dirty,pull,push}'::text[] else '{dirty,push}' end)), '[]')
    from public.crm_sync_configs c
    where c.id = any (v_due) and not exists (
      select from public.crm_sync_operations o where o.config_id = c.id and o.status in ('queued', 'running', 'paused'))));
  -- A connection whose live run does only part of it stays due.
  update public.crm_sync_configs c
  set next_sync_at = private.crm_next_sync(c.sync_frequency, c.sync_rules -> 'schedule', p_now, c.id, c.failed_runs)
  from public.crm_sync_operations o
  where c.id = any (v_due) and c.next_sync_at <= p_now
    and o.config_id = c.id and o.status in ('queued', 'running', 'paused') and private.crm_is_whole(o, c);
  perform private.crm_fill_places(p_now);
  return v_queued;
end
$$;
comment on function private.crm_schedule_due(timestamptz) is 'Queues a run for each connection whose time has come, and answers how many. Called each minute.';
revoke execute on function private.crm_schedule_due(timestamptz) from public, anon, authenticated, service_role;

select cron.schedule('crm-schedule', '* * * * *', 'select private.crm_schedule_due()');
