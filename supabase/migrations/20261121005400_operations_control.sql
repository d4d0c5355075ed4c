-- Operations: what people may ask for. Definer throughout: nobody writes these tables directly, each function checks the role first.

-- The connection, if the caller may act on it in this role. Locks it, so two requests at once become one run.
create function private.crm_config_for(p_config uuid, p_min_role text) returns public.crm_sync_configs
language plpgsql
set search_path = ''
as $$
declare
  v_config public.crm_sync_configs;
begin
  select * into v_config from public.crm_sync_configs c where c.id = p_config for no key update;
  -- Also for an unknown id: require_role() then answers as for a connection of strangers.
  perform private.require_role(v_config.workspace_id, p_min_role);
  return v_config;
end
$$;

-- Queues a run of a connection, or answers the one that is live already.
create function private.crm_enqueue(
  p_config public.crm_sync_configs, p_entities text[], p_direction text, p_trigger text, p_phases text[] default '{dirty,pull,push}'
) returns public.crm_sync_operations
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations;
begin
  select * into v_operation
  from public.crm_sync_operations o
  where o.config_id = p_config.id and o.status in ('queued', 'running', 'paused');
  if found then
    return v_operation;
  end if;
  insert into public.crm_sync_operations (workspace_id, config_id, direction, entities, trigger, requested_by)
  values (p_config.workspace_id, p_config.id,
    coalesce(p_direction, case p_config.sync_direction when 'pull' then 'from_crm' when 'push' then 'to_crm' else 'bidirectional' end),
    coalesce(p_entities, p_config.sync_entities), p_trigger, private.actor_id())
  returning * into v_operation;
  insert into private.crm_operation_state (operation_id, phases) values (v_operation.id, p_phases);
  perform private.crm_dispatch(v_operation.id);
  return v_operation;
end
$$;

create function public.crm_start_sync(config_id uuid, entities text[] default null, direction text default null)
returns public.crm_sync_operations
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_config public.crm_sync_configs := private.crm_config_for(crm_start_sync.config_id, 'member');
begin
  if v_config.status <> 'connected' or not v_config.is_active then
    perform private.refuse_connection(v_config);
  end if;
  if entities is not null and (not entities <@ '{accounts,contacts,opportunities}' or array_ndims(entities) is distinct from 1) then
    raise exception 'Entities to sync are accounts, contacts and opportunities.' using errcode = 'PC004';
  end if;
  if direction not in ('bidirectional', 'to_crm', 'from_crm') then
    raise exception 'A sync goes bidirectional, to_crm or from_crm.' using errcode = 'PC004';
  end if;
  -- What a connection may read and write is an admin's decision; a run can do less, not more.
  if not entities <@ v_config.sync_entities then
    raise exception 'The connection "%" syncs % only.', v_config.name, array_to_string(v_config.sync_entities, ', ')
      using errcode = 'PC004', hint = 'An admin can change sync_entities.';
  end if;
  if v_config.sync_direction = 'pull' and direction <> 'from_crm' or v_config.sync_direction = 'push' and direction <> 'to_crm' then
    raise exception 'The connection "%" only goes %.', v_config.name, case v_config.sync_direction when 'pull' then 'from the CRM' else 'to the CRM' end
      using errcode = 'PC004', hint = 'An admin can change sync_direction.';
  end if;
  return private.crm_enqueue(v_config, entities, direction, 'manual');
end
$$;
comment on function public.crm_start_sync(uuid, text[], text) is
  'Starts a run of a connection (members). While one is live, answers that one. Left out, entities and direction are the connection''s.';

create function public.crm_cancel_sync(operation_id uuid) returns public.crm_sync_operations
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations;
begin
  -- A worker holds the state while it merges and then writes the run: in another order the two would block each other.
  perform from private.crm_operation_state s where s.operation_id = crm_cancel_sync.operation_id for update;
  select * into v_operation from public.crm_sync_operations o where o.id = crm_cancel_sync.operation_id for update;
  -- Also for an unknown id: require_role() then answers as for a run of strangers.
  perform private.require_role(v_operation.workspace_id, 'member');
  if v_operation.status not in ('queued', 'running', 'paused') then
    raise exception 'This run has already ended (%).', v_operation.status using errcode = 'PC008';
  end if;
  v_operation := private.crm_stop_run(v_operation.id, 'Cancelled by a person.');
  perform private.crm_audit(v_operation.config_id, 'sync_cancelled', jsonb_build_object('operation_id', v_operation.id));
  return v_operation;
end
$$;
comment on function public.crm_cancel_sync(uuid) is 'Stops a run for good (members). What it has merged stays; at most the page in work is dropped.';

create function public.crm_pause_sync(config_id uuid) returns public.crm_sync_configs
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_config public.crm_sync_configs := private.crm_config_for(crm_pause_sync.config_id, 'admin');
begin
  if v_config.status not in ('connected', 'paused') then
    perform private.refuse_connection(v_config);
  end if;
  perform private.crm_fence_off(o.id)
  from public.crm_sync_operations o
  where o.config_id = v_config.id and o.status in ('queued', 'running', 'paused');
  update public.crm_sync_operations o
  set status = 'paused'
  where o.config_id = v_config.id and o.status in ('queued', 'running');
  update public.crm_sync_configs c
  set status = 'paused', status_reason = 'Paused by a person.'
  where c.id = v_config.id
  returning c.* into v_config;
  perform private.crm_audit(v_config.id, 'paused');
  return v_config;
end
$$;
comment on function public.crm_pause_sync(uuid) is 'Pauses a connection and its live run (admins). The connection and its tokens stay.';

create function public.crm_resume_sync(config_id uuid) returns public.crm_sync_configs
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_config public.crm_sync_configs := private.crm_config_for(crm_resume_sync.config_id, 'admin');
  v_operation uuid;
begin
  if v_config.status not in ('connected', 'paused') then
    perform private.refuse_connection(v_config);
  end if;
  update public.crm_sync_configs c
  set status = 'connected', status_reason = null
  where c.id = v_config.id
  returning c.* into v_config;
  update public.crm_sync_operations o
  set status = 'queued', error_message = null
  where o.config_id = v_config.id and o.status = 'paused'
  returning o.id into v_operation;
  if found then
    perform private.crm_fence_off(v_operation);
    perform private.crm_dispatch(v_operation);
  end if;
  perform private.crm_audit(v_config.id, 'resumed');
  return v_config;
end
$$;
comment on function public.crm_resume_sync(uuid) is 'Lets a paused connection go on, its waiting run included (admins).';

revoke execute on function private.crm_config_for(uuid, text), private.crm_enqueue(public.crm_sync_configs, text[], text, text, text[])
  from public, anon, authenticated, service_role;
revoke execute on function public.crm_start_sync(uuid, text[], text), public.crm_cancel_sync(uuid), public.crm_pause_sync(uuid),
  public.crm_resume_sync(uuid) from public, anon, authenticated;
grant execute on function public.crm_start_sync(uuid, text[], text), public.crm_cancel_sync(uuid), public.crm_pause_sync(uuid),
  public.crm_resume_sync(uuid) to authenticated, service_role;
