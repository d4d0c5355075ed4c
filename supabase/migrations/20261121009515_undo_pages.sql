-- Undo, pages: one window of the journal at a time, newest first.

-- Later rows of the window come first in the array, so that the value from before the first change stands.
create function private.crm_undo_compensate(p_context private.crm_merge_context, p_rows private.crm_journal[]) returns void
language sql
set search_path = ''
as $$
  with records as (
    select j.record_id, (array_agg(j.crm_record_id order by j.id desc))[1] as crm_record_id,
      bool_or(j.action = 'created') as was_created, bool_or(j.action = 'deleted') as was_deleted,
      coalesce(private.crm_overlaid(array_agg(j.before order by j.id desc)), '{}') as written,
      coalesce(private.crm_overlaid(array_agg(j.after order by j.id)), '{}') as expected
    from unnest(p_rows) j
    where j.action in ('created', 'updated', 'deleted')
    group by j.record_id
  ),
  -- Made and deleted by the same run: nothing is left to do.
  over as (
    delete from private.crm_compensations k
    using records r
    where (k.operation_id, k.entity_type, k.record_id) = (p_context.operation_id, p_context.entity, r.record_id) and k.action = 'create' and r.was_created
    returning k.record_id
  )
  insert into private.crm_compensations as k (operation_id, entity_type, record_id, crm_record_id, action, written, expected)
  select p_context.operation_id, p_context.entity, r.record_id, r.crm_record_id,
    case when r.was_created then 'delete' when r.was_deleted then 'create' else 'update' end, r.written, r.expected
  from records r
  where not (r.was_created and r.was_deleted) and r.record_id not in (select o.record_id from over o)
  on conflict (operation_id, entity_type, record_id) do update
  set action = case when excluded.action = 'delete' then 'delete' else k.action end,
    written = k.written || excluded.written, expected = excluded.expected || k.expected
$$;

-- One window; answers whether anything is left.
create function private.crm_undo_window(p_operation uuid, p_limit int) returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations;
  v_before bigint;
  v_rows private.crm_journal[];
  v_entity text;
  v_context private.crm_merge_context;
begin
  select * into v_operation from public.crm_sync_operations o where o.id = p_operation;
  select (s.checkpoint ->> 'journal')::bigint into v_before from private.crm_operation_state s where s.operation_id = p_operation;
  v_rows := array(
    select j::private.crm_journal
    from private.crm_journal j
    where j.operation_id = v_operation.undoes and (v_before is null or j.id < v_before)
    order by j.id desc
    limit p_limit);
  if v_rows = '{}' then
    return false;
  end if;
  perform private.crm_merge_turn(v_operation.workspace_id),
    set_config('pipeline_crm.sync_config', v_operation.config_id::text, true),
    set_config('pipeline_crm.actor', coalesce(v_operation.requested_by::text, ''), true);
  -- Children first: a record that still has some is kept.
  foreach v_entity in array '{opportunities,contacts,accounts}'::text[] loop
    v_context := private.crm_merge_settings(v_operation.config_id, v_entity, p_operation, v_operation.started_at);
    if exists (select from unnest(v_rows) j where j.entity_type = v_entity and j.side = 'app') then
      perform private.crm_undo_entity(v_context, array(
        select j::private.crm_journal from unnest(v_rows) j where j.entity_type = v_entity and j.side = 'app'));
    end if;
    if exists (select from unnest(v_rows) j where j.entity_type = v_entity and j.side = 'crm') then
      perform private.crm_undo_compensate(v_context, array(
        select j::private.crm_journal from unnest(v_rows) j where j.entity_type = v_entity and j.side = 'crm'));
    end if;
  end loop;
  perform set_config('pipeline_crm.sync_config', '', true);
  update private.crm_operation_state s
  set checkpoint = jsonb_build_object('journal', (select min(j.id) from unnest(v_rows) j)), crashes = 0, updated_at = clock_timestamp()
  where s.operation_id = p_operation;
  update public.crm_sync_operations o
  set progress = o.progress || jsonb_build_object('entity', v_rows[cardinality(v_rows)].entity_type,
    'done', coalesce((o.progress ->> 'done')::bigint, 0) + cardinality(v_rows))
  where o.id = p_operation;
  return cardinality(v_rows) = p_limit;
end
$$;

-- For the worker: {"left": bool}. Called until nothing is left; then the push takes the rest to the CRM.
create function private.crm_undo_page(p_operation uuid, p_fence bigint, p_limit int) returns jsonb
language plpgsql
set search_path = ''
set work_mem = '64MB'
as $$
begin
  perform private.crm_check_fence(p_operation, p_fence);
  return jsonb_build_object('left', private.crm_undo_window(p_operation, p_limit));
end
$$;

revoke execute on function
  private.crm_undo_compensate(private.crm_merge_context, private.crm_journal[]),
  private.crm_undo_window(uuid, int),
  private.crm_undo_page(uuid, bigint, int)
  from public, anon, authenticated, service_role;
