-- Undo, apply: one window of the journal at a time, newest first.

-- What is to be done about one record of ours. problems: {field: why it cannot go back}, kept: fields that were edited since.
create type private.crm_undo_change as (
  record_id uuid, crm_record_id text, written jsonb, before jsonb, kept text[], problems jsonb
);

-- A person is known by a name or an address; fields that would take away the last of them stay.
create function private.crm_undo_nameless(p_ours jsonb, p_written jsonb) returns boolean
language sql
immutable
set search_path = ''
as $$
  select p_written ?| '{first_name,last_name,email}' and coalesce(nullif(n.fields ->> 'first_name', ''), nullif(n.fields ->> 'last_name', ''), nullif(n.fields ->> 'email', '')) is null
  from (select p_ours || p_written as fields) n
$$;

create function private.crm_undo_changes(
  p_context private.crm_merge_context, p_rows private.crm_journal[], p_ours private.crm_merge_ours[]
) returns private.crm_undo_change[]
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
  return (with fields as (
    select f.record_id, min(f.crm_record_id) as crm_record_id,
      jsonb_object_agg(f.field, coalesce(f.before, 'null')) filter (where not f.is_kept and f.problem is null) as written,
      jsonb_object_agg(f.field, coalesce(f.ours, 'null')) filter (where not f.is_kept and f.problem is null) as before,
      jsonb_object_agg(coalesce(a.label, substr(f.field, 15)), true) filter (where f.is_kept) as kept,
      jsonb_object_agg(coalesce(a.label, substr(f.field, 15)), f.problem) filter (where not f.is_kept and f.problem is not null) as problems
    from unnest(private.crm_undo_fields(p_context, p_rows, p_ours)) f
    left join private.crm_app_fields a on a.entity_type = p_context.entity and a.app_field = f.field
    group by f.record_id
  ),
  both_kinds as (
    select f.record_id, f.crm_record_id,
      case when p_context.entity = 'contacts' and private.crm_undo_nameless(o.fields, f.written) then f.written - '{first_name,last_name,email}'::text[] else f.written end as written,
      f.before, f.kept,
      case when p_context.entity = 'contacts' and private.crm_undo_nameless(o.fields, f.written) then '{"Name": "would be empty."}'::jsonb else '{}' end
        || coalesce(f.problems, '{}') as problems
    from fields f
    join unnest(p_ours) o using (record_id)
    union all
    select c.record_id, c.crm_record_id, case when not c.is_kept then jsonb_build_object('$deleted_at', now()) end, '{"$deleted_at": null}',
      case when c.is_kept then '{"The new record": true}'::jsonb end, '{}'
    from unnest(private.crm_undo_created(p_context, p_rows, p_ours)) c
    union all
    -- Links are always put back: '{}' stands for a change without fields.
    select j.record_id, j.crm_record_id, '{}', '{}', null, '{}' from unnest(p_rows) j where j.action in ('linked', 'unlinked')
    union all
    select j.record_id, j.crm_record_id, null, null, '{"The record": true}', '{}'
    from unnest(p_rows) j
    where not exists (select from unnest(p_ours) o where o.record_id = j.record_id)
  )
  select coalesce(array_agg((b.record_id, b.crm_record_id, b.written, b.before, b.kept, nullif(b.problems, '{}'))::private.crm_undo_change), '{}')
  from (
    select k.record_id, min(k.crm_record_id) as crm_record_id,
      case when count(k.written) > 0 then coalesce(private.crm_overlaid(array_agg(k.written)), '{}') end as written,
      coalesce(private.crm_overlaid(array_agg(k.before)), '{}') as before,
      array(select jsonb_object_keys(private.crm_overlaid(array_agg(k.kept)))) as kept,
      coalesce(private.crm_overlaid(array_agg(k.problems)), '{}') as problems
    from both_kinds k
    group by k.record_id
  ) b);
end
$$;

-- Links: what the run linked is separate again. The CRM record keeps a link, to a record that is not here, so that it is not
-- matched anew as long as it stays the same.
create function private.crm_undo_links(p_context private.crm_merge_context, p_rows private.crm_journal[]) returns void
language sql
set search_path = ''
as $$
  update public.crm_sync_conflicts k
  set status = 'resolved', resolution_strategy = 'agreed', resolved_at = now()
  from unnest(p_rows) j
  where j.action = 'linked' and k.status = 'pending'
    and (k.config_id, k.entity_type, k.crm_record_id) = (p_context.config_id, p_context.entity, j.crm_record_id);

  update private.crm_record_links l
  set record_id = gen_random_uuid(), matched_on = null, has_conflict = false, app_edited_at = null, updated_at = now()
  from unnest(p_rows) j
  where j.action = 'linked'
    and (l.config_id, l.entity_type, l.crm_record_id, l.record_id) = (p_context.config_id, p_context.entity, j.crm_record_id, j.record_id);

  update private.crm_record_links l
  set record_id = j.record_id, matched_on = null, updated_at = now()
  from unnest(p_rows) j
  where j.action = 'unlinked' and (l.config_id, l.entity_type, l.crm_record_id) = (p_context.config_id, p_context.entity, j.crm_record_id)
    and not exists (
      select from private.crm_record_links o where (o.record_id, o.config_id, o.entity_type) = (j.record_id, l.config_id, l.entity_type));
$$;

create function private.crm_undo_journal(
  p_context private.crm_merge_context, p_rows private.crm_journal[], p_changes private.crm_undo_change[]
) returns void
language sql
set search_path = ''
as $$
  insert into private.crm_journal (operation_id, entity_type, record_id, crm_record_id, action, before, after)
  select p_context.operation_id, p_context.entity, c.record_id, c.crm_record_id,
    case
      when l.action = 'linked' then 'unlinked'
      when l.action = 'unlinked' then 'linked'
      when not c.written ? '$deleted_at' then 'updated'
      when c.written -> '$deleted_at' = 'null' then 'restored'
      else 'deleted'
    end, case when c.written <> '{}' then c.before end, nullif(c.written, '{}')
  from unnest(p_changes) c
  left join (
    select distinct on (j.record_id) j.record_id, j.action
    from unnest(p_rows) j
    where j.action in ('linked', 'unlinked')
    order by j.record_id, j.id desc
  ) l on l.record_id = c.record_id
  where c.written is not null
$$;

-- Where ours went back and the CRM did not, both values stand, held, until a person decides or one of them changes.
create function private.crm_undo_conflicts(p_context private.crm_merge_context, p_records uuid[], p_fields jsonb) returns void
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_looks constant public.crm_sync_conflicts[] := array(
    select jsonb_populate_record(null::public.crm_sync_conflicts, jsonb_build_object('id', gen_random_uuid(), 'config_id', l.config_id,
      'entity_type', l.entity_type, 'entity_id', l.record_id, 'crm_record_id', l.crm_record_id, 'app_data', '{}'::jsonb,
      'conflicting_fields', array(select f from jsonb_object_keys(p_fields -> l.record_id::text) f where l.base ? f)))
    from private.crm_record_links l
    where l.record_id = any (p_records) and l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.crm_deleted_at is null);
begin
  insert into public.crm_sync_conflicts as k (workspace_id, config_id, operation_id, entity_type, entity_id, crm_record_id, origin,
    app_data, crm_data, crm_values, base, conflicting_fields)
  select p_context.workspace_id, p_context.config_id, p_context.operation_id, p_context.entity, l.record_id, l.crm_record_id, 'undo',
    jsonb_object_agg(s.field, coalesce(s.a, 'null')), jsonb_object_agg(s.field, coalesce(s.b, 'null')),
    jsonb_object_agg(s.field, l.base -> s.field), jsonb_object_agg(s.field, l.base -> s.field), array_agg(s.field order by s.field)
  from private.crm_conflict_sides(p_context, v_looks) s
  join private.crm_record_links l on (l.record_id, l.config_id, l.entity_type) = (s.record_id, p_context.config_id, p_context.entity)
  where s.a is distinct from s.b
  group by l.record_id, l.crm_record_id
  on conflict (config_id, entity_type, crm_record_id) where status = 'pending' do update
  set app_data = k.app_data || excluded.app_data, crm_data = k.crm_data || excluded.crm_data, crm_values = k.crm_values || excluded.crm_values,
    base = k.base || excluded.base, operation_id = excluded.operation_id,
    conflicting_fields = array(select unnest(k.conflicting_fields) union select unnest(excluded.conflicting_fields) order by 1);

  update public.crm_sync_conflicts k
  set status = 'resolved', resolution_strategy = 'agreed', resolved_at = now()
  from (
    select s.conflict_id
    from private.crm_conflict_sides(p_context, array(
      select o::public.crm_sync_conflicts
      from unnest(v_looks) w
      join public.crm_sync_conflicts o on (o.config_id, o.entity_type, o.crm_record_id) = (w.config_id, w.entity_type, w.crm_record_id)
      where o.status = 'pending' and o.origin = 'undo')) s
    group by s.conflict_id
    having bool_and(s.a is not distinct from s.b)
  ) agreed
  where k.id = agreed.conflict_id;
end
$$;

-- Kept and failed records are listed among the errors of the undo; they call for nothing, so they are not open.
create function private.crm_undo_list(
  p_context private.crm_merge_context, p_direction text, p_changes private.crm_undo_change[]
) returns void
language sql
set search_path = ''
as $$
  insert into public.crm_sync_errors (workspace_id, config_id, operation_id, entity_type, direction, record_id, crm_record_id, kind, code, message, status)
  select p_context.workspace_id, p_context.config_id, p_context.operation_id, p_context.entity, p_direction, c.record_id, c.crm_record_id, 'rejected',
    m.code, left(m.message, 1000), 'resolved'
  from unnest(p_changes) c
  cross join lateral (
    select 'kept_because_edited' as code, format('Edited since and kept: %s.', array_to_string(c.kept, ', ')) as message where c.kept <> '{}'
    union all
    select 'not_restored', string_agg(p.key || ' ' || p.value, ' ') from jsonb_each_text(c.problems) p having count(*) > 0
  ) m;

  insert into public.crm_sync_logs as l (workspace_id, config_id, operation_id, sync_direction, entity_type, records_processed, records_synced,
    records_updated, records_skipped, records_failed)
  select p_context.workspace_id, p_context.config_id, p_context.operation_id, p_direction, p_context.entity, count(*), count(*) filter (where c.written is not null),
    count(*) filter (where c.written is not null), count(*) filter (where c.kept <> '{}'), count(*) filter (where c.problems is not null)
  from unnest(p_changes) c
  having count(*) > 0
  on conflict (operation_id, entity_type, sync_direction) do update
  set records_processed = l.records_processed + excluded.records_processed, records_synced = l.records_synced + excluded.records_synced,
    records_updated = l.records_updated + excluded.records_updated, records_skipped = l.records_skipped + excluded.records_skipped,
    records_failed = l.records_failed + excluded.records_failed;
$$;

create function private.crm_undo_entity(p_context private.crm_merge_context, p_rows private.crm_journal[]) returns void
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_ours constant private.crm_merge_ours[] := private.crm_merge_ours(p_context, array(
    select (j.crm_record_id, null, false, false, null, 'linked', j.record_id, null, null, null, null, null, null, null
    )::private.crm_merge_row
    from unnest(p_rows) j));
  v_changes constant private.crm_undo_change[] := private.crm_undo_changes(p_context, p_rows, v_ours);
  v_touched private.crm_merge_ours[];
  v_fields jsonb;
begin
  v_touched := private.crm_merge_update(p_context, array(
    select (c.crm_record_id, null, 'updated', c.record_id, c.written, null, null, null, null, null, null, null, null, null)::private.crm_merge_change
    from unnest(v_changes) c
    where c.written is not null));
  perform private.crm_undo_links(p_context, p_rows), private.crm_undo_journal(p_context, p_rows, v_changes);
  update private.crm_record_links l
  set merged_at = t.updated_at, app_edited_at = case when o.updated_at > l.merged_at then o.updated_at else l.app_edited_at end
  from unnest(v_touched) t
  join unnest(v_ours) o on o.record_id = t.record_id
  where (l.record_id, l.config_id, l.entity_type) = (t.record_id, p_context.config_id, p_context.entity);
  select jsonb_object_agg(c.record_id, c.written) into v_fields from unnest(v_changes) c where c.written <> '{}';
  if v_fields is not null then
    perform private.crm_undo_conflicts(p_context, array(select t.record_id from unnest(v_touched) t), v_fields);
  end if;
  perform private.crm_undo_list(p_context, 'pull', v_changes);
end
$$;

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
  private.crm_undo_nameless(jsonb, jsonb),
  private.crm_undo_changes(private.crm_merge_context, private.crm_journal[], private.crm_merge_ours[]),
  private.crm_undo_links(private.crm_merge_context, private.crm_journal[]),
  private.crm_undo_journal(private.crm_merge_context, private.crm_journal[], private.crm_undo_change[]),
  private.crm_undo_conflicts(private.crm_merge_context, uuid[], jsonb),
  private.crm_undo_list(private.crm_merge_context, text, private.crm_undo_change[]),
  private.crm_undo_entity(private.crm_merge_context, private.crm_journal[]),
  private.crm_undo_compensate(private.crm_merge_context, private.crm_journal[]),
  private.crm_undo_window(uuid, int), private.crm_undo_page(uuid, bigint, int)
  from public, anon, authenticated, service_role;
