-- Undo, apply: what is put back here, and what it leaves behind.

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

revoke execute on function
  private.crm_undo_links(private.crm_merge_context, private.crm_journal[]),
  private.crm_undo_journal(private.crm_merge_context, private.crm_journal[], private.crm_undo_change[]),
  private.crm_undo_conflicts(private.crm_merge_context, uuid[], jsonb),
  private.crm_undo_list(private.crm_merge_context, text, private.crm_undo_change[]),
  private.crm_undo_entity(private.crm_merge_context, private.crm_journal[])
  from public, anon, authenticated, service_role;
