-- Push, restored: records of ours that went with the CRM's, deleted or merged away, and that a person has brought back.

-- Where nothing is created in the CRM they stay here, and a person is told. They leave the outbox here and now: what leaves it with
-- nothing to say closes its error.
create function private.crm_keep_here(p_context private.crm_push_context, p_new private.crm_push_row[]) returns void
language plpgsql
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
  v_merge constant private.crm_merge_context := p_context.merge;
  v_restored private.crm_push_row[];
  v_rows tid[];
begin
  if (select coalesce((c.sync_rules ->> 'create_in_crm')::boolean, true) from public.crm_sync_configs c where c.id = v_merge.config_id) then
    return;
  end if;
  v_restored := array(
    select r
    from unnest(p_new) r
    cross join lateral (
      select from private.crm_record_links k
      where k.record_id = (r).record_id and k.config_id is not distinct from v_merge.config_id and k.entity_type is not distinct from v_merge.entity
        and k.took_ours
      offset 0
    ) l);
  v_rows := private.crm_lock_outbox(v_merge, array(select r.record_id from unnest(v_restored) r), array(select r.version from unnest(v_restored) r));
  with gone as (
    delete from private.crm_outbox o where o.ctid = any (v_rows) returning o.record_id
  ),
  kept as (
    select g.record_id, l.merged_into
    from gone g
    cross join lateral (
      select k.merged_into from private.crm_record_links k
      where k.record_id = g.record_id and k.config_id is not distinct from v_merge.config_id and k.entity_type is not distinct from v_merge.entity
      offset 0
    ) l
  )
  insert into public.crm_sync_errors as e (workspace_id, config_id, operation_id, entity_type, direction, record_id, kind, code, message)
  select v_merge.workspace_id, v_merge.config_id, v_merge.operation_id, v_merge.entity, 'push', k.record_id, 'rejected', 'kept_here',
    format('This %s was %s in %s and restored here. It stays here only, because this connection creates nothing there. Let it (create_in_crm), restore the %1$s in %3$s, or delete it here.',
      v_merge.noun, coalesce('merged into ' || k.merged_into, 'deleted'), v_merge.crm_name)
  from kept k
  on conflict (config_id, entity_type, record_id) where status = 'open' and direction = 'push' do update
  set operation_id = excluded.operation_id, kind = excluded.kind, code = excluded.code, message = excluded.message,
    last_seen_at = clock_timestamp();
end
$$;

-- The CRM has records back that it had deleted. What was edited here meanwhile left the outbox unsent, and is due now.
create function private.crm_wake_back(p_context private.crm_merge_context, p_rows private.crm_merge_row[], p_ours private.crm_merge_ours[]) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_back constant uuid[] := array(select r.record_id from unnest(p_rows) r where r.crm_deleted_at is not null and not r.deleted);
begin
  if v_back = '{}' then
    return;
  end if;
  perform private.crm_enqueue_records(c.id, c.workspace_id, p_context.entity, array(
    select r.record_id
    from unnest(p_rows) r
    join unnest(p_ours) o on o.record_id = r.record_id
    where r.record_id = any (v_back) and o.deleted_at is null and o.updated_at > r.merged_at))
  from public.crm_sync_configs c
  where c.id = p_context.config_id and c.sync_direction <> 'pull' and p_context.entity = any (c.sync_entities);
end
$$;

-- Records that were deleted in the CRM, created anew by us, and are back there under their old id: two of one, of which only a
-- person can say which is to go.
create function private.crm_merge_back_again(p_context private.crm_merge_context, p_records jsonb) returns private.crm_merge_problem[]
language plpgsql
stable
set search_path = ''
as $$
begin
  if not exists (
    select from private.crm_former_ids f
    where f.config_id = p_context.config_id and f.entity_type = p_context.entity and f.replaced_by is not null) then
    return '{}';
  end if;
  return array(
    select distinct on (f.crm_record_id) (f.crm_record_id, 'back_again', format(
      'This %s was gone from %s, created there anew from ours as %s, and has been restored there since. Merge the two in %2$s, or delete one of them.',
      p_context.noun, p_context.crm_name, f.replaced_by), null)::private.crm_merge_problem
    from jsonb_array_elements(p_records) r
    join private.crm_former_ids f
      on f.config_id = p_context.config_id and f.entity_type = p_context.entity and f.crm_record_id = r ->> 'crm_id' and f.replaced_by is not null
    where (r ->> 'deleted')::boolean is not true and (r ->> 'only_linked')::boolean is not true
      and (r ->> 'modified_at')::timestamptz > coalesce(f.modified::timestamptz, '-infinity')
      and not exists (
        select from private.crm_record_links l
        where l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.crm_record_id = f.crm_record_id));
end
$$;

revoke execute on function
  private.crm_keep_here(private.crm_push_context, private.crm_push_row[]),
  private.crm_wake_back(private.crm_merge_context, private.crm_merge_row[], private.crm_merge_ours[]),
  private.crm_merge_back_again(private.crm_merge_context, jsonb)
  from public, anon, authenticated, service_role;
