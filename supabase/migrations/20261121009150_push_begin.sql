-- Push, begin: what a run may write to the CRM, and our records that the CRM does not have.

create type private.crm_push_context as (
  merge private.crm_merge_context, entities text[], is_bidirectional boolean, may_create boolean, delete_in_crm boolean, excluded text[]
);

-- Records are created only once the CRM has been read: until then any of ours may be one of theirs.
create function private.crm_push_begin(p_operation uuid, p_fence bigint, p_entity text) returns private.crm_push_context
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations := private.crm_check_fence(p_operation, p_fence);
  v_merge constant private.crm_merge_context := private.crm_merge_settings(v_operation.config_id, p_entity, p_operation, v_operation.started_at);
  v_config public.crm_sync_configs;
begin
  perform private.crm_forget_bases(v_operation.config_id, p_entity);
  select * into v_config from public.crm_sync_configs c where c.id = v_operation.config_id;
  return (v_merge, v_operation.entities, v_config.sync_direction = 'bidirectional',
    coalesce((v_config.sync_rules ->> 'create_in_crm')::boolean, true) and (v_config.sync_direction = 'push'
      or exists (select from private.crm_cursors r where r.config_id = v_config.id and r.entity_type = p_entity)),
    coalesce((v_config.sync_rules ->> 'delete_in_crm')::boolean, false),
    private.crm_excluded_fields(v_config.sync_rules, p_entity))::private.crm_push_context;
end
$$;

-- Progress of what goes to the CRM: done by the log, and so many that are still due.
create function private.crm_push_total(p_context private.crm_merge_context, p_due int) returns void
language sql
set search_path = ''
as $$
  update public.crm_sync_operations o
  set progress = private.crm_progress(o.progress, p_context.entity || '_to_crm', jsonb_build_object('done', d.done, 'total', d.done + p_due), o.started_at)
  from (select coalesce(sum(g.records_processed), 0) as done from public.crm_sync_logs g
        where g.operation_id = p_context.operation_id and g.entity_type = p_context.entity and g.sync_direction = 'push') d
  where o.id = p_context.operation_id and (p_due > 0 or o.progress -> 'entities' ? (p_context.entity || '_to_crm'))
$$;

-- Puts our unlinked records and those that were restored here since their CRM record went into the outbox, once, and the first of
-- those that are to be looked at again; answers how many rows are due.
create function private.crm_begin_push(p_operation uuid, p_fence bigint, p_entity text) returns int
language plpgsql
set search_path = ''
-- Each link by its record, also where the table of links is small enough for reading it whole to seem cheaper.
set enable_seqscan = off
set jit = off
as $$
declare
  v_context private.crm_push_context := private.crm_push_begin(p_operation, p_fence, p_entity);
  v_merge private.crm_merge_context := v_context.merge;
  v_due int;
  v_seen int;
begin
  if (select o.operation = 'undo' from public.crm_sync_operations o where o.id = p_operation) then
    return private.crm_begin_compensations(p_operation, p_entity);
  end if;
  if not v_context.may_create then
    delete from private.crm_push_starts s where s.config_id = v_merge.config_id and s.entity_type = p_entity;
  else
    insert into private.crm_push_starts (config_id, entity_type) values (v_merge.config_id, p_entity) on conflict do nothing;
    -- Each by its record, and by no other index (which the comparisons rule out): of a new connection statistics know nothing, and
    -- a plan made for no links would compare every record with every link.
    if found then
      execute format($sql$
        insert into private.crm_outbox (config_id, entity_type, record_id, workspace_id)
        select $1, $2, t.id, $3
        from public.%I t
        where t.workspace_id = $3 and t.deleted_at is null and not exists (
          select from private.crm_record_links l
          where l.record_id = t.id and l.config_id is not distinct from $1 and l.entity_type is not distinct from $2
            and (l.crm_deleted_at is null or l.deleted_by is distinct from 'app' and not l.took_ours) offset 0)
        order by t.created_at, t.id
        on conflict do nothing
      $sql$, v_merge.target) using v_merge.config_id, p_entity, v_merge.workspace_id;
    end if;
  end if;
  v_seen := private.crm_review_part(v_merge.config_id, p_entity, v_merge.target);
  select count(*) into v_due
  from private.crm_outbox o
  where o.config_id = v_merge.config_id and o.entity_type = p_entity and o.not_before <= clock_timestamp();
  if v_due > 0 then
    perform private.crm_push_total(v_merge, v_due);
  end if;
  -- A review may go on after a part in which nothing was due.
  return greatest(v_due, least(v_seen, 1));
end
$$;

revoke execute on function private.crm_push_total(private.crm_merge_context, int), private.crm_push_begin(uuid, bigint, text),
  private.crm_begin_push(uuid, bigint, text) from public, anon, authenticated, service_role;
