-- Push, begin: what a run may write to the CRM, and our records that the CRM does not have.

create type private.crm_push_context as (
  merge private.crm_merge_context, entities text[], is_bidirectional boolean, may_create boolean, delete_in_crm boolean, excluded text[]
);

-- Fields that an admin keeps from this connection.
create function private.crm_unpushed_fields(p_rules jsonb, p_entity text) returns text[]
language sql
immutable
set search_path = ''
as $$
  select array(select jsonb_array_elements_text(coalesce(p_rules #> array[p_entity, 'exclude_fields'], '[]')))
$$;

-- Records are created only once the CRM has been read: until then any of ours may be one of theirs.
create function private.crm_push_begin(p_operation uuid, p_fence bigint, p_entity text) returns private.crm_push_context
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations := private.crm_check_fence(p_operation, p_fence);
  v_config public.crm_sync_configs;
  v_merge private.crm_merge_context;
begin
  select * into v_config from public.crm_sync_configs c where c.id = v_operation.config_id;
  v_merge.operation_id := p_operation;
  v_merge.config_id := v_config.id;
  v_merge.workspace_id := v_config.workspace_id;
  v_merge.provider := v_config.crm_provider;
  v_merge.crm_name := case v_config.crm_provider when 'hubspot' then 'HubSpot' else initcap(v_config.crm_provider) end;
  v_merge.delete_when_deleted := coalesce((v_config.sync_rules ->> 'delete_when_deleted')::boolean, false);
  v_merge.started_at := v_operation.started_at;
  select e.entity_type, e.noun, e.table_name into v_merge.entity, v_merge.noun, v_merge.target
  from private.crm_entities e where e.entity_type = p_entity;
  if v_merge.entity is null then
    raise exception 'There is no entity "%".', p_entity using errcode = 'PC004';
  end if;
  select w.default_currency into v_merge.currency from public.workspaces w where w.id = v_config.workspace_id;
  return (v_merge, v_operation.entities, v_config.sync_direction = 'bidirectional',
    coalesce((v_config.sync_rules ->> 'create_in_crm')::boolean, true) and (v_config.sync_direction = 'push'
      or exists (select from private.crm_cursors r where r.config_id = v_config.id and r.entity_type = p_entity)),
    coalesce((v_config.sync_rules ->> 'delete_in_crm')::boolean, false),
    private.crm_unpushed_fields(v_config.sync_rules, p_entity))::private.crm_push_context;
end
$$;

-- Puts our unlinked records into the outbox, once; answers how many rows are due.
create function private.crm_begin_push(p_operation uuid, p_fence bigint, p_entity text) returns int
language plpgsql
set search_path = ''
as $$
declare
  v_context private.crm_push_context := private.crm_push_begin(p_operation, p_fence, p_entity);
  v_merge private.crm_merge_context := v_context.merge;
  v_due int;
begin
  if (select o.operation = 'undo' from public.crm_sync_operations o where o.id = p_operation) then
    return private.crm_begin_compensations(p_operation, p_entity);
  end if;
  if not v_context.may_create then
    delete from private.crm_push_starts s where s.config_id = v_merge.config_id and s.entity_type = p_entity;
  else
    insert into private.crm_push_starts (config_id, entity_type) values (v_merge.config_id, p_entity) on conflict do nothing;
    if found then
      execute format($sql$
        insert into private.crm_outbox (config_id, entity_type, record_id, workspace_id)
        select $1, $2, t.id, $3
        from public.%I t
        where t.workspace_id = $3 and t.deleted_at is null and not exists (
          select from private.crm_record_links l where l.record_id = t.id and l.config_id = $1 and l.entity_type = $2)
        order by t.created_at, t.id
        on conflict do nothing
      $sql$, v_merge.target) using v_merge.config_id, p_entity, v_merge.workspace_id;
    end if;
  end if;
  select count(*) into v_due
  from private.crm_outbox o
  where o.config_id = v_merge.config_id and o.entity_type = p_entity and not o.dead and o.not_before < 'infinity'
    and o.not_before <= clock_timestamp();
  if v_due > 0 then
    update public.crm_sync_operations o
    set progress = private.crm_progress(o.progress, p_entity || '_to_crm', jsonb_build_object('done', d.done, 'total', d.done + v_due), o.started_at)
    from (select coalesce(sum(g.records_processed), 0) as done from public.crm_sync_logs g
          where g.operation_id = p_operation and g.entity_type = p_entity and g.sync_direction = 'push') d
    where o.id = p_operation;
  end if;
  return v_due;
end
$$;

revoke execute on function private.crm_unpushed_fields(jsonb, text), private.crm_push_begin(uuid, bigint, text),
  private.crm_begin_push(uuid, bigint, text) from public, anon, authenticated, service_role;
