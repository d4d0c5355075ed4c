-- Schedule: next_sync_at follows everything that decides it.

-- A connection that does not run has no next time. One that runs again makes up for what it missed, once.
-- Definer: an admin who changes a setting may not write next_sync_at.
create function private.crm_plan_next_sync() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_runs_again constant boolean := tg_op = 'UPDATE' and not (old.status = 'connected' and old.is_active);
begin
  if v_runs_again then
    new.failed_runs := 0;
  end if;
  new.next_sync_at := case
    when new.status = 'connected' and new.is_active then
      private.crm_next_sync(new.sync_frequency, new.sync_rules -> 'schedule',
        case when v_runs_again then coalesce(new.last_sync_at, clock_timestamp()) else clock_timestamp() end, new.id, new.failed_runs)
  end;
  return new;
end
$$;
revoke execute on function private.crm_plan_next_sync() from public, anon, authenticated, service_role;

-- After check_sync_settings (triggers fire by name), so that the rules are known to be good.
create trigger plan_next_sync_of_new
  before insert on public.crm_sync_configs
  for each row execute function private.crm_plan_next_sync();
create trigger plan_next_sync
  before update of status, is_active, sync_frequency, sync_rules on public.crm_sync_configs
  for each row when (
    (old.status, old.is_active, old.sync_frequency, old.sync_rules -> 'schedule')
    is distinct from (new.status, new.is_active, new.sync_frequency, new.sync_rules -> 'schedule'))
  execute function private.crm_plan_next_sync();

-- A person had a hand in it: what failed before says nothing about the next run.
create function private.crm_forget_failures(p_config uuid) returns void
language sql
set search_path = ''
as $$
  update public.crm_sync_configs c
  set failed_runs = 0, next_sync_at = case when c.next_sync_at is not null then
    least(c.next_sync_at, private.crm_next_sync(c.sync_frequency, c.sync_rules -> 'schedule', clock_timestamp(), c.id)) end
  where c.id = p_config and c.failed_runs > 0
$$;

-- Whether a run does all that the schedule of its connection would.
create function private.crm_is_whole(p_operation public.crm_sync_operations, p_config public.crm_sync_configs) returns boolean
language sql
stable
set search_path = ''
as $$
  select p_operation.operation = 'sync' and p_operation.filters is null and p_operation.entities @> p_config.sync_entities
    and p_operation.direction in ('bidirectional', private.crm_own_direction(p_config.sync_direction))
    and exists (select from private.crm_operation_state s where s.operation_id = p_operation.id and s.phases @> '{dirty,pull,push}')
$$;

-- Whether records that were named, or edits of ours, wait for this connection.
create function private.crm_has_work(p_config uuid, p_now timestamptz) returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (select from private.crm_dirty d where d.config_id = p_config)
    or exists (select from private.crm_outbox x where x.config_id = p_config and not x.dead and x.not_before <= p_now)
$$;

-- The same, for what came while a run was under way: it may have passed the run's own look.
create function private.crm_has_new_work(p_config uuid, p_since timestamptz, p_now timestamptz) returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (select from private.crm_dirty d where d.config_id = p_config and d.noticed_at >= p_since)
    or exists (
      select from private.crm_outbox x
      where x.config_id = p_config and x.enqueued_at >= p_since and not x.dead and x.not_before <= p_now)
$$;

-- A run has left its worker's hands. Its place goes to the next; the connection's next time is set, but for one that came while
-- a run was live that did only part of it; and what came while the run was under way gets a run of its own, unless only a person
-- starts runs of this connection. A plan or an undo says nothing about whether the next sync works, nor does who cancels.
-- Definer: also a member who cancels a run ends it, and clients write neither runs nor next_sync_at.
create function private.crm_run_left() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_config public.crm_sync_configs;
begin
  if new.status <> 'paused' then
    -- Whoever holds the connection just now (pause, resume, new settings) sets the time itself; waiting for them could deadlock.
    update public.crm_sync_configs c
    set failed_runs = held.failed_runs, next_sync_at = case
        when c.sync_frequency = 'realtime' or c.next_sync_at is null or c.next_sync_at > v_now or private.crm_is_whole(new, c)
          then private.crm_next_sync(c.sync_frequency, c.sync_rules -> 'schedule', v_now, c.id, held.failed_runs)
        else c.next_sync_at
      end
    from (
      select k.id, case
          when new.operation in ('plan', 'undo') or new.status = 'cancelled' then k.failed_runs
          when new.status = 'failed' then k.failed_runs + 1
          else 0
        end as failed_runs
      from public.crm_sync_configs k
      where k.id = new.config_id and k.status = 'connected' and k.is_active
      for no key update skip locked
    ) held
    where c.id = held.id
    returning c.* into v_config;
    if new.status in ('completed', 'partial') and v_config.sync_frequency <> 'manual'
      and private.crm_has_new_work(new.config_id, new.started_at, v_now)
    then
      perform private.crm_enqueue(v_config, null, null, 'schedule', '{dirty,push}');
    end if;
  end if;
  perform private.crm_fill_places(v_now);
  return null;
end
$$;
revoke execute on function private.crm_run_left() from public, anon, authenticated, service_role;

-- At the commit: everything else that the ending transaction locks is locked by then.
create constraint trigger run_left
  after update of status on public.crm_sync_operations
  deferrable initially deferred
  for each row when (old.status in ('queued', 'running', 'paused') and new.status in ('completed', 'partial', 'failed', 'cancelled', 'paused')
    and old.status <> new.status)
  execute function private.crm_run_left();

revoke execute on function private.crm_forget_failures(uuid), private.crm_is_whole(public.crm_sync_operations, public.crm_sync_configs),
  private.crm_has_work(uuid, timestamptz), private.crm_has_new_work(uuid, timestamptz, timestamptz)
  from public, anon, authenticated, service_role;
