-- Operations: counts, progress and how a run ends.

-- Progress of one entity, and from it that of the whole run. The rate is over the run's life, so it is calm to look at.
create function private.crm_progress(p_progress jsonb, p_entity text, p_entity_progress jsonb, p_started_at timestamptz) returns jsonb
language sql
stable
set search_path = ''
as $$
  with entities as (
    select (p_progress -> 'entities') || jsonb_build_object(p_entity, coalesce(p_progress #> array['entities', p_entity], '{}') || p_entity_progress) as all_of_them
  ),
  sums as (
    select sum((e.value ->> 'done')::int) as done,
      case when bool_and(e.value ->> 'total' is not null) then sum((e.value ->> 'total')::int) end as total
    from entities, jsonb_each(all_of_them) e
  ),
  rates as (
    select round(s.done / greatest(extract(epoch from clock_timestamp() - p_started_at)::numeric, 0.001), 1) as per_second from sums s
  )
  select jsonb_build_object(
    'entity', p_entity, 'entities', e.all_of_them, 'done', coalesce(s.done, 0), 'total', s.total, 'rate_per_second', r.per_second,
    'eta_seconds', case when r.per_second > 0 then ceil(greatest(s.total - s.done, 0) / r.per_second) end)
  from entities e, sums s, rates r
$$;

create function private.crm_set_totals(p_operation uuid, p_fence bigint, p_totals jsonb) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations := private.crm_check_fence(p_operation, p_fence);
  v_progress jsonb := v_operation.progress;
  v_entity text;
begin
  for v_entity in select jsonb_object_keys(p_totals) loop
    v_progress := private.crm_progress(v_progress, v_entity, jsonb_build_object(
      'done', coalesce(v_progress #> array['entities', v_entity, 'done'], '0'), 'total', p_totals -> v_entity), v_operation.started_at);
  end loop;
  update public.crm_sync_operations o
  set progress = v_progress || jsonb_build_object('entity', v_operation.progress -> 'entity')
  where o.id = p_operation;
end
$$;

-- An error of the run rather than of a record: the CRM did not answer, its quota is used up, …
create function private.crm_note_error(p_operation uuid, p_fence bigint, p_entity text, p_kind text, p_code text, p_message text) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations := private.crm_check_fence(p_operation, p_fence);
begin
  insert into public.crm_sync_errors as e (workspace_id, config_id, operation_id, entity_type, kind, code, message)
  values (v_operation.workspace_id, v_operation.config_id, p_operation, p_entity, p_kind, p_code, p_message)
  on conflict (operation_id, entity_type, code) where status = 'open' and crm_record_id is null and record_id is null and operation_id is not null do update
  set attempts = e.attempts + 1, message = excluded.message, kind = excluded.kind, last_seen_at = clock_timestamp();
end
$$;

-- What an undo came to in all: nothing for other runs.
create function private.crm_undo_totals(p_operation uuid) returns jsonb
language sql
stable
set search_path = ''
as $$
  select case when o.operation = 'undo' then (
    select jsonb_build_object('restored', coalesce(sum(g.records_created + g.records_updated + g.records_deleted), 0),
      'kept_because_edited', coalesce(sum(g.records_skipped), 0), 'failed', coalesce(sum(g.records_failed), 0))
    from public.crm_sync_logs g where g.operation_id = o.id) else '{}' end
  from public.crm_sync_operations o
  where o.id = p_operation
$$;

-- One log as an object of counts.
create function private.crm_counts(p_log public.crm_sync_logs) returns jsonb
language sql
immutable
set search_path = ''
as $$
  select jsonb_build_object(
    'processed', p_log.records_processed, 'created', p_log.records_created, 'updated', p_log.records_updated,
    'unchanged', p_log.records_unchanged, 'deleted', p_log.records_deleted, 'failed', p_log.records_failed,
    'skipped', p_log.records_skipped, 'conflicts', p_log.conflicts_detected)
$$;

-- Counts of a run per entity, from its logs: those of the pull, and under push those of what went to the CRM.
create function private.crm_results(p_operation uuid) returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(e.entity_type, e.counts), '{}') || private.crm_undo_totals(p_operation)
  from (
    select g.entity_type, jsonb_object_agg(k.key, k.value) as counts
    from public.crm_sync_logs g
    cross join lateral jsonb_each(
      case g.sync_direction when 'push' then jsonb_build_object('push', private.crm_counts(g)) else private.crm_counts(g) end) k
    where g.operation_id = p_operation
    group by g.entity_type
  ) e
$$;

-- The failures of a run by cause, the most frequent first, each with one of its sentences.
create function private.crm_error_details(p_operation uuid, p_entity text, p_direction text) returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_agg(to_jsonb(c) order by c.records desc, c.code)
  from (
    select e.code, e.field, count(*) as records, min(e.message) as message
    from public.crm_sync_errors e
    join public.crm_sync_operations o on o.id = e.operation_id
    where e.workspace_id = o.workspace_id and e.operation_id = p_operation and e.entity_type = p_entity and e.direction = p_direction
      and e.status <> 'resolved' and num_nonnulls(e.crm_record_id, e.record_id) > 0
    group by e.code, e.field
    order by count(*) desc, e.code
    limit 20
  ) c
$$;

-- What a log says of itself when its run has ended.
create function private.crm_close_logs(p_operation uuid, p_outcome text) returns void
language sql
set search_path = ''
as $$
  update public.crm_sync_logs l
  set status = case
      when p_outcome in ('completed', 'partial') and l.records_failed = 0 then 'completed'
      when p_outcome = 'failed' then 'failed'
      else 'partial'
    end,
    error_message = case when l.records_failed > 0 then format('%s records could not be synced.', l.records_failed) end,
    error_details = private.crm_error_details(l.operation_id, l.entity_type, l.sync_direction), completed_at = clock_timestamp(),
    sync_duration_ms = (extract(epoch from clock_timestamp() - l.started_at) * 1000)::int
  where l.operation_id = p_operation and l.completed_at is null
$$;

-- The worker says how it ended; the counts decide whether that was the whole truth. paused ends nothing: the run waits.
create function private.crm_finish(
  p_operation uuid, p_fence bigint, p_outcome text, p_error_message text, p_resume_at timestamptz default null
) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations;
  v_failed int;
  v_outcome text := p_outcome;
begin
  -- The order of locks: see operations_control.
  perform from public.crm_sync_configs c
  where c.id = (select o.config_id from public.crm_sync_operations o where o.id = p_operation)
  for no key update;
  v_operation := private.crm_check_fence(p_operation, p_fence);
  if p_outcome not in ('completed', 'partial', 'failed', 'paused') then
    raise exception 'A run cannot end as "%".', p_outcome using errcode = 'PC004';
  end if;
  perform private.crm_fence_off(p_operation);
  if p_outcome = 'paused' then
    update private.crm_operation_state s set resume_at = p_resume_at where s.operation_id = p_operation;
    update public.crm_sync_operations o set status = 'paused', error_message = p_error_message where o.id = p_operation;
    return;
  end if;

  perform private.crm_undo_left(p_operation, p_error_message);
  select coalesce(sum(l.records_failed), 0) into v_failed from public.crm_sync_logs l where l.operation_id = p_operation;
  if v_outcome = 'completed' and v_failed > 0 then
    v_outcome := 'partial';
  end if;
  v_outcome := private.crm_undo_outcome(p_operation, v_outcome);
  perform private.crm_close_logs(p_operation, v_outcome);
  update public.crm_sync_operations o
  set status = v_outcome, completed_at = clock_timestamp(),
    results = case o.operation when 'plan' then private.crm_plan_totals(p_operation) else private.crm_results(p_operation) end,
    progress = o.progress || '{"eta_seconds": 0}',
    error_message = coalesce(p_error_message, case when v_failed > 0 then format('%s records could not be synced.', v_failed) end)
  where o.id = p_operation
  returning o.* into v_operation;
  if v_operation.operation not in ('plan', 'undo') then
    perform private.crm_note_outcome(v_operation, p_outcome);
  end if;
  perform private.crm_follow_up(p_operation);
end
$$;

-- What a sync that has ended means for its connection. A plan did nothing and an undo is none, so they mean nothing.
create function private.crm_note_outcome(p_operation public.crm_sync_operations, p_outcome text) returns void
language plpgsql
set search_path = ''
as $$
begin
  update public.crm_sync_configs c
  set last_sync_at = p_operation.completed_at, last_sync_error = p_operation.error_message,
    last_sync_status = case p_operation.status when 'completed' then 'success' else p_operation.status end
  where c.id = p_operation.config_id;
  -- A run that got through shows that what disturbed it, or an earlier one, has passed. One that left something out says
  -- so in its own errors, which take the place of those before.
  update public.crm_sync_errors e
  set status = 'resolved', last_seen_at = clock_timestamp()
  where e.workspace_id = p_operation.workspace_id and e.config_id = p_operation.config_id
    and e.status = 'open' and e.crm_record_id is null and e.record_id is null
    and (p_outcome = 'completed' or p_outcome = 'partial' and e.operation_id is distinct from p_operation.id);
end
$$;

-- Ends a run for good from outside, whatever its worker is doing.
create function private.crm_stop_run(p_operation uuid, p_reason text) returns public.crm_sync_operations
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations;
begin
  perform private.crm_fence_off(p_operation);
  perform private.crm_undo_left(p_operation, p_reason);
  perform private.crm_close_logs(p_operation, 'cancelled');
  update public.crm_sync_operations o
  set status = 'cancelled', completed_at = clock_timestamp(), results = private.crm_results(p_operation), error_message = p_reason
  where o.id = p_operation
  returning o.* into v_operation;
  return v_operation;
end
$$;

revoke execute on function
  private.crm_progress(jsonb, text, jsonb, timestamptz), private.crm_set_totals(uuid, bigint, jsonb),
  private.crm_note_error(uuid, bigint, text, text, text, text), private.crm_counts(public.crm_sync_logs), private.crm_undo_totals(uuid),
  private.crm_results(uuid),
  private.crm_error_details(uuid, text, text), private.crm_close_logs(uuid, text),
  private.crm_finish(uuid, bigint, text, text, timestamptz), private.crm_note_outcome(public.crm_sync_operations, text),
  private.crm_stop_run(uuid, text)
  from public, anon, authenticated, service_role;
