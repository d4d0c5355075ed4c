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

create function private.crm_own_direction(p_sync_direction text) returns text
language sql
immutable
set search_path = ''
as $$
  select case p_sync_direction when 'pull' then 'from_crm' when 'push' then 'to_crm' else 'bidirectional' end
$$;

-- Two wishes as one that does both.
create function private.crm_merge_wishes(p_one jsonb, p_other jsonb) returns jsonb
language sql
immutable
set search_path = ''
as $$
  select case when p_one is null then p_other else p_one || jsonb_build_object(
    'entities', (select jsonb_agg(distinct e) from jsonb_array_elements(p_one -> 'entities' || (p_other -> 'entities')) e),
    'phases', (select jsonb_agg(distinct p) from jsonb_array_elements(p_one -> 'phases' || (p_other -> 'phases')) p),
    'direction', case when p_one -> 'direction' = p_other -> 'direction' then p_one ->> 'direction' else 'bidirectional' end,
    'full', (p_one ->> 'full')::boolean or (p_other ->> 'full')::boolean) end
$$;

create function private.crm_texts(p_list jsonb) returns text[]
language sql
immutable
set search_path = ''
as $$
  select array(select jsonb_array_elements_text(p_list))
$$;

-- A full run reads everything again: only the places where reading stopped are forgotten, links stay.
create function private.crm_forget_cursors(p_config uuid, p_wish jsonb) returns void
language sql
set search_path = ''
as $$
  delete from private.crm_cursors c
  where (p_wish ->> 'full')::boolean and c.config_id = p_config and c.entity_type = any (private.crm_texts(p_wish -> 'entities'))
$$;

create function private.crm_create_run(p_config public.crm_sync_configs, p_wish jsonb) returns public.crm_sync_operations
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations;
begin
  perform private.crm_forget_cursors(p_config.id, p_wish);
  insert into public.crm_sync_operations (workspace_id, config_id, operation, direction, entities, trigger, requested_by, estimated_records)
  values (p_config.workspace_id, p_config.id, coalesce(p_wish ->> 'operation', 'sync'), p_wish ->> 'direction',
    private.crm_texts(p_wish -> 'entities'), p_wish ->> 'trigger', (p_wish ->> 'by')::uuid, private.crm_estimate(p_config.id, p_wish))
  returning * into v_operation;
  insert into private.crm_operation_state (operation_id, phases) values (v_operation.id, private.crm_texts(p_wish -> 'phases'));
  perform private.crm_dispatch(v_operation.id);
  return v_operation;
end
$$;

-- A request meets a live run. One that nobody has begun is widened; one that does what is asked is the answer; else the wish is
-- kept, and a run for it follows. Only reading makes up for what came while the run was under way: what it was to fetch by name or
-- to push, it may have looked at already.
create function private.crm_join(p_live public.crm_sync_operations, p_wish jsonb) returns public.crm_sync_operations
language plpgsql
set search_path = ''
as $$
declare
  v_state private.crm_operation_state;
  v_all jsonb;
  v_covered boolean;
  v_operation public.crm_sync_operations;
begin
  select * into v_state from private.crm_operation_state s where s.operation_id = p_live.id;
  v_all := private.crm_merge_wishes(p_wish, jsonb_build_object(
    'entities', p_live.entities, 'phases', v_state.phases, 'direction', p_live.direction, 'full', false));
  if p_live.operation = 'sync' and v_state.slice = 0 then
    perform private.crm_forget_cursors(p_live.config_id, p_wish);
    update private.crm_operation_state s set phases = private.crm_texts(v_all -> 'phases') where s.operation_id = p_live.id;
    update public.crm_sync_operations o
    set joined = o.joined + 1, entities = private.crm_texts(v_all -> 'entities'), direction = v_all ->> 'direction'
    where o.id = p_live.id
    returning o.* into v_operation;
    return v_operation;
  end if;
  v_covered := p_live.operation = 'sync' and p_wish -> 'phases' ? 'pull' and not (p_wish ->> 'full')::boolean
    and private.crm_texts(p_wish -> 'entities') <@ p_live.entities and private.crm_texts(p_wish -> 'phases') <@ v_state.phases
    and p_live.direction in ('bidirectional', p_wish ->> 'direction');
  if not v_covered then
    update private.crm_operation_state s set wish = private.crm_merge_wishes(s.wish, p_wish) where s.operation_id = p_live.id;
  end if;
  update public.crm_sync_operations o
  set joined = o.joined + 1, follow_up = o.follow_up or not v_covered
  where o.id = p_live.id
  returning o.* into v_operation;
  return v_operation;
end
$$;

-- Queues a run of a connection, or has the live one take the request in. The caller holds the connection.
create function private.crm_enqueue(
  p_config public.crm_sync_configs, p_entities text[], p_direction text, p_trigger text, p_phases text[] default '{dirty,pull,push}',
  p_full boolean default false
) returns public.crm_sync_operations
language plpgsql
set search_path = ''
as $$
declare
  v_wish constant jsonb := jsonb_build_object(
    'entities', coalesce(p_entities, p_config.sync_entities), 'phases', p_phases, 'full', p_full, 'trigger', p_trigger,
    'direction', coalesce(p_direction, private.crm_own_direction(p_config.sync_direction)), 'by', private.actor_id());
  v_live constant public.crm_sync_operations := private.crm_live_run(p_config.id);
begin
  if v_live.id is not null then
    return private.crm_join(v_live, v_wish);
  end if;
  return private.crm_create_run(p_config, v_wish);
end
$$;

-- The run that was promised while another was under way, as far as the connection still allows it.
create function private.crm_follow_up(p_operation uuid) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_config public.crm_sync_configs;
  v_wish jsonb;
  v_entities text[];
begin
  update private.crm_operation_state s set wish = null
  from private.crm_operation_state was
  where s.operation_id = p_operation and was.operation_id = s.operation_id and was.wish is not null
  returning was.wish into v_wish;
  select c.* into v_config
  from public.crm_sync_configs c
  join public.crm_sync_operations o on o.config_id = c.id
  where o.id = p_operation;
  v_entities := array(
    select e from unnest(private.crm_texts(v_wish -> 'entities')) e where e = any (v_config.sync_entities));
  if v_entities <> '{}' and v_config.status = 'connected' and v_config.is_active then
    perform private.crm_create_run(v_config, v_wish || jsonb_build_object('entities', v_entities));
  end if;
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

create function public.crm_start_sync(
  config_id uuid, entities text[] default null, direction text default null, "full" boolean default false
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
  if v_full then
    perform private.crm_audit(v_config.id, 'full_resync', jsonb_build_object('entities', coalesce(entities, v_config.sync_entities)));
  end if;
  return private.crm_enqueue(v_config, entities, direction, 'manual', p_full => v_full);
end
$$;
comment on function public.crm_start_sync(uuid, text[], text, boolean) is
  'Starts a run of a connection (members). While one is live, that one takes the request in and is the answer: joined counts such requests, follow_up tells that a run for the rest comes after it. Left out, entities and direction are the connection''s. full reads everything again; links stay.';

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
  private.crm_own_direction(text), private.crm_merge_wishes(jsonb, jsonb), private.crm_texts(jsonb),
  private.crm_forget_cursors(uuid, jsonb), private.crm_create_run(public.crm_sync_configs, jsonb),
  private.crm_join(public.crm_sync_operations, jsonb),
  private.crm_enqueue(public.crm_sync_configs, text[], text, text, text[], boolean), private.crm_follow_up(uuid),
  private.crm_check_request(public.crm_sync_configs, text[], text)
  from public, anon, authenticated, service_role;
revoke execute on function public.crm_start_sync(uuid, text[], text, boolean), public.crm_cancel_sync(uuid), public.crm_pause_sync(uuid),
  public.crm_resume_sync(uuid) from public, anon, authenticated;
grant execute on function public.crm_start_sync(uuid, text[], text, boolean), public.crm_cancel_sync(uuid), public.crm_pause_sync(uuid),
  public.crm_resume_sync(uuid) to authenticated, service_role;
