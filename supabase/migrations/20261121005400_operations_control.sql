-- Operations: what people may ask for. Definer throughout: nobody writes these tables directly, each function checks the role first.
--
-- One order of locks, everywhere: the connection, then the state of its run, then the run. A worker's verbs hold the state only
-- (private.crm_check_fence); the one that ends a run also writes the connection, and takes it first.

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

-- The run, if the caller may act on it in this role, with its connection and its state locked.
create function private.crm_operation_for(p_operation uuid, p_min_role text) returns public.crm_sync_operations
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations;
begin
  perform private.crm_config_for((select o.config_id from public.crm_sync_operations o where o.id = p_operation), p_min_role);
  perform from private.crm_operation_state s where s.operation_id = p_operation for update;
  select * into v_operation from public.crm_sync_operations o where o.id = p_operation for update;
  return v_operation;
end
$$;

-- A connection's live run, its state locked; null where there is none. The caller holds the connection.
create function private.crm_live_run(p_config uuid) returns public.crm_sync_operations
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations;
begin
  perform from private.crm_operation_state s
  where s.operation_id = (
    select o.id from public.crm_sync_operations o where o.config_id = p_config and o.status in ('queued', 'running', 'paused'))
  for update;
  -- Read once more: it may have ended while the lock was waited for.
  select * into v_operation
  from public.crm_sync_operations o
  where o.config_id = p_config and o.status in ('queued', 'running', 'paused');
  return v_operation;
end
$$;

-- What a connection may read and write is an admin's decision; a run can do less, not more.
create function private.crm_check_request(p_config public.crm_sync_configs, p_entities text[], p_direction text) returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_config.status <> 'connected' or not p_config.is_active then
    perform private.refuse_connection(p_config);
  end if;
  if p_entities is not null and (not p_entities <@ '{accounts,contacts,opportunities}' or array_ndims(p_entities) is distinct from 1) then
    raise exception 'Entities to sync are accounts, contacts and opportunities.' using errcode = 'PC004';
  end if;
  if p_direction not in ('bidirectional', 'to_crm', 'from_crm') then
    raise exception 'A sync goes bidirectional, to_crm or from_crm.' using errcode = 'PC004';
  end if;
  if not p_entities <@ p_config.sync_entities then
    raise exception 'The connection "%" syncs % only.', p_config.name, array_to_string(p_config.sync_entities, ', ')
      using errcode = 'PC004', hint = 'An admin can change sync_entities.';
  end if;
  if p_config.sync_direction <> 'bidirectional' and p_direction <> private.crm_own_direction(p_config.sync_direction) then
    raise exception 'The connection "%" only goes %.', p_config.name, case p_config.sync_direction when 'pull' then 'from the CRM' else 'to the CRM' end
      using errcode = 'PC004', hint = 'An admin can change sync_direction.';
  end if;
end
$$;

-- Filters of one run, checked as those of a connection are.
create function private.crm_check_filters(p_config uuid, p_entities text[], p_filters jsonb) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_problem text;
begin
  if p_filters is null then
    return;
  end if;
  if jsonb_typeof(p_filters) <> 'object' or p_filters = '{}' then
    raise exception 'filters: must say what each entity is limited to, such as {"accounts": <filter>}.' using errcode = 'PC004';
  end if;
  select coalesce(
      case when f.key <> all (p_entities) then format('filters.%s: is no entity of this run.', f.key) end,
      'filters.' || private.crm_entity_rules_problem(p_config, f.key, jsonb_build_object('filter', f.value)))
  into v_problem
  from jsonb_each(p_filters) f
  order by 1 nulls last
  limit 1;
  if v_problem is not null then
    raise exception '%', v_problem using errcode = 'PC004', hint = 'docs/api/filters.md says what a filter looks like.';
  end if;
end
$$;

create function public.crm_start_sync(
  config_id uuid, entities text[] default null, direction text default null, "full" boolean default false, filters jsonb default null
) returns public.crm_sync_operations
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_config public.crm_sync_configs := private.crm_config_for(crm_start_sync.config_id, 'member');
  v_full constant boolean := coalesce(crm_start_sync."full", false);
begin
  perform private.crm_check_request(v_config, entities, direction);
  perform private.crm_check_filters(v_config.id, coalesce(entities, v_config.sync_entities), filters);
  if v_full and filters is null then
    perform private.crm_audit(v_config.id, 'full_resync', jsonb_build_object('entities', coalesce(entities, v_config.sync_entities)));
  end if;
  return private.crm_enqueue(v_config, entities, direction, 'manual',
    case when filters is null then '{dirty,pull,push}'::text[] else '{pull,push}' end, v_full, filters);
end
$$;
comment on function public.crm_start_sync(uuid, text[], text, boolean, jsonb) is
  'Starts a run of a connection (members). While one is live, that one takes the request in and is the answer: joined counts such requests, follow_up tells that a run for the rest comes after it. Left out, entities and direction are the connection''s. full reads everything again; links stay. filters ({"accounts": <filter>}) limits this run to records that match, besides the connection''s own filters; PC004 for one that cannot be followed.';

create function public.crm_cancel_sync(operation_id uuid) returns public.crm_sync_operations
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations := private.crm_operation_for(crm_cancel_sync.operation_id, 'member');
begin
  if v_operation.status not in ('queued', 'running', 'paused') then
    raise exception 'This run has already ended (%).', v_operation.status using errcode = 'PC008';
  end if;
  v_operation := private.crm_stop_run(v_operation.id, 'Cancelled by a person.');
  perform private.crm_audit(v_operation.config_id, 'sync_cancelled', jsonb_build_object('operation_id', v_operation.id));
  return v_operation;
end
$$;
comment on function public.crm_cancel_sync(uuid) is
  'Stops a run for good, and what was to follow it (members). What it has merged stays; at most the page in work is dropped.';

create function public.crm_pause_sync(config_id uuid) returns public.crm_sync_configs
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_config public.crm_sync_configs := private.crm_config_for(crm_pause_sync.config_id, 'admin');
  v_live public.crm_sync_operations;
begin
  if v_config.status not in ('connected', 'paused') then
    perform private.refuse_connection(v_config);
  end if;
  v_live := private.crm_live_run(v_config.id);
  perform private.crm_fence_off(v_live.id);
  update public.crm_sync_operations o set status = 'paused' where o.id = v_live.id and o.status <> 'paused';
  update public.crm_sync_configs c
  set status = 'paused', status_reason = 'Paused by a person.'
  where c.id = v_config.id
  returning c.* into v_config;
  perform private.crm_audit(v_config.id, 'paused');
  return v_config;
end
$$;
comment on function public.crm_pause_sync(uuid) is 'Pauses a connection and its live run (admins). The connection and its tokens stay.';

-- A paused run goes on, now that its connection does. The caller holds the connection.
create function private.crm_release_run(p_config uuid) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_live constant public.crm_sync_operations := private.crm_live_run(p_config);
begin
  if v_live.status = 'paused' then
    update public.crm_sync_operations o set status = 'queued', error_message = null where o.id = v_live.id;
    perform private.crm_fence_off(v_live.id), private.crm_dispatch(v_live.id);
  end if;
end
$$;

create function public.crm_resume_sync(config_id uuid) returns public.crm_sync_configs
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_config public.crm_sync_configs := private.crm_config_for(crm_resume_sync.config_id, 'admin');
begin
  if v_config.status not in ('connected', 'paused') then
    perform private.refuse_connection(v_config);
  end if;
  update public.crm_sync_configs c
  set status = 'connected', status_reason = null
  where c.id = v_config.id
  returning c.* into v_config;
  perform private.crm_audit(v_config.id, 'resumed');
  perform private.crm_release_run(v_config.id);
  return v_config;
end
$$;
comment on function public.crm_resume_sync(uuid) is 'Lets a paused connection go on, its waiting run included (admins).';

revoke execute on function
  private.crm_config_for(uuid, text), private.crm_operation_for(uuid, text), private.crm_live_run(uuid), private.crm_release_run(uuid),
  private.crm_check_filters(uuid, text[], jsonb),
  private.crm_check_request(public.crm_sync_configs, text[], text)
  from public, anon, authenticated, service_role;
revoke execute on function public.crm_start_sync(uuid, text[], text, boolean, jsonb), public.crm_cancel_sync(uuid), public.crm_pause_sync(uuid),
  public.crm_resume_sync(uuid) from public, anon, authenticated;
grant execute on function public.crm_start_sync(uuid, text[], text, boolean, jsonb), public.crm_cancel_sync(uuid), public.crm_pause_sync(uuid),
  public.crm_resume_sync(uuid) to authenticated, service_role;
