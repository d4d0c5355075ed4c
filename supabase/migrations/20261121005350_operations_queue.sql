-- Operations: the queue. A request is a wish, as JSON: config_id, entities, direction, phases, full, filters, trigger, by,
-- operation. One that
-- meets no live run becomes a run; a live one takes it in.

create function private.crm_own_direction(p_sync_direction text) returns text
language sql
immutable
set search_path = ''
as $$
  select case p_sync_direction when 'pull' then 'from_crm' when 'push' then 'to_crm' else 'bidirectional' end
$$;

-- What a wish is limited to, per entity; null is nothing.
create function private.crm_wish_filters(p_wish jsonb) returns jsonb
language sql
immutable
set search_path = ''
as $$
  select nullif(p_wish -> 'filters', 'null')
$$;

-- Two wishes as one that does both: limited where both are limited to the same.
create function private.crm_merge_wishes(p_one jsonb, p_other jsonb) returns jsonb
language sql
immutable
set search_path = ''
as $$
  select case when p_one is null then p_other else p_one || jsonb_build_object(
    'entities', (select jsonb_agg(distinct e) from jsonb_array_elements(p_one -> 'entities' || (p_other -> 'entities')) e),
    'phases', (select jsonb_agg(distinct p) from jsonb_array_elements(p_one -> 'phases' || (p_other -> 'phases')) p),
    'direction', case when p_one -> 'direction' = p_other -> 'direction' then p_one ->> 'direction' else 'bidirectional' end,
    'full', (p_one ->> 'full')::boolean or (p_other ->> 'full')::boolean,
    'filters', case when private.crm_wish_filters(p_one) = private.crm_wish_filters(p_other) then p_one -> 'filters' end) end
$$;

create function private.crm_texts(p_list jsonb) returns text[]
language sql
immutable
set search_path = ''
as $$
  select array(select jsonb_array_elements_text(p_list))
$$;

-- A full run reads everything again: only the places where reading stopped are forgotten, links stay. A limited one leaves them to
-- the others.
create function private.crm_forget_cursors(p_wishes jsonb) returns void
language sql
set search_path = ''
as $$
  delete from private.crm_cursors c
  using jsonb_array_elements(p_wishes) w
  where (w ->> 'full')::boolean and c.config_id = (w ->> 'config_id')::uuid and c.entity_type = any (private.crm_texts(w -> 'entities'))
    and not coalesce(private.crm_wish_filters(w), '{}') ? c.entity_type
$$;

-- A run for each wish. The caller holds the connections, each of which is named once and has no live run, and asks for workers
-- (crm_fill_places) when all its runs are there.
create function private.crm_create_runs(p_wishes jsonb) returns setof public.crm_sync_operations
language plpgsql
set search_path = ''
as $$
begin
  perform private.crm_forget_cursors(p_wishes);
  return query
    with wishes as materialized (
      select (w ->> 'config_id')::uuid as config_id, w as wish from jsonb_array_elements(p_wishes) w
    ),
    made as (
      insert into public.crm_sync_operations (workspace_id, config_id, operation, direction, entities, filters, trigger, requested_by, estimated_records)
      select c.workspace_id, c.id, coalesce(w.wish ->> 'operation', 'sync'), w.wish ->> 'direction', private.crm_texts(w.wish -> 'entities'),
        private.crm_wish_filters(w.wish), w.wish ->> 'trigger', (w.wish ->> 'by')::uuid, 
        case when private.crm_wish_filters(w.wish) is null then private.crm_estimate(c.id, w.wish) end
      from wishes w
      join public.crm_sync_configs c on c.id = w.config_id
      returning *
    ),
    states as (
      insert into private.crm_operation_state (operation_id, phases, reads_all)
      select m.id, private.crm_texts(w.wish -> 'phases'), m.filters is not null and (w.wish ->> 'full')::boolean
      from made m join wishes w on w.config_id = m.config_id
    )
    select m.* from made m;
end
$$;

create function private.crm_create_run(p_config uuid, p_wish jsonb) returns public.crm_sync_operations
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations;
begin
  select * into v_operation from private.crm_create_runs(jsonb_build_array(p_wish || jsonb_build_object('config_id', p_config)));
  perform private.crm_fill_places(clock_timestamp());
  return v_operation;
end
$$;

-- A request meets a live run. One that nobody has begun is widened, unless one of the two is limited and would lose that; one that does
-- what is asked is the answer; else the wish is kept, and a run for it follows. Only reading makes up for what came while the run was under way: what it was to fetch by name or
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
    'entities', p_live.entities, 'phases', v_state.phases, 'direction', p_live.direction, 'filters', p_live.filters,
    'full', false));
  if p_live.operation = 'sync' and v_state.slice = 0 and p_live.filters is null and private.crm_wish_filters(p_wish) is null then
    perform private.crm_forget_cursors(jsonb_build_array(p_wish));
    update private.crm_operation_state s set phases = private.crm_texts(v_all -> 'phases') where s.operation_id = p_live.id;
    update public.crm_sync_operations o
    set joined = o.joined + 1, entities = private.crm_texts(v_all -> 'entities'), direction = v_all ->> 'direction'
    where o.id = p_live.id
    returning o.* into v_operation;
    return v_operation;
  end if;
  v_covered := p_live.operation = 'sync' and p_wish -> 'phases' ? 'pull' and not (p_wish ->> 'full')::boolean
    and private.crm_texts(p_wish -> 'entities') <@ p_live.entities and private.crm_texts(p_wish -> 'phases') <@ v_state.phases
    and p_live.direction in ('bidirectional', p_wish ->> 'direction')
    and (p_live.filters is null or p_live.filters = private.crm_wish_filters(p_wish));
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
  p_full boolean default false, p_filters jsonb default null
) returns public.crm_sync_operations
language plpgsql
set search_path = ''
as $$
declare
  v_wish constant jsonb := jsonb_build_object(
    'config_id', p_config.id, 'entities', coalesce(p_entities, p_config.sync_entities), 'phases', p_phases, 'full', p_full, 'filters', p_filters,
    'trigger', p_trigger,
    'direction', coalesce(p_direction, private.crm_own_direction(p_config.sync_direction)), 'by', private.actor_id());
  v_live constant public.crm_sync_operations := private.crm_live_run(p_config.id);
begin
  if p_trigger in ('manual', 'retry') then
    perform private.crm_forget_failures(p_config.id);
  end if;
  if v_live.id is not null then
    return private.crm_join(v_live, v_wish);
  end if;
  return private.crm_create_run(p_config.id, v_wish);
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
    perform private.crm_create_run(v_config.id, v_wish || jsonb_build_object('entities', v_entities));
  end if;
end
$$;

revoke execute on function
  private.crm_own_direction(text), private.crm_wish_filters(jsonb), private.crm_merge_wishes(jsonb, jsonb), private.crm_texts(jsonb), private.crm_forget_cursors(jsonb),
  private.crm_create_runs(jsonb), private.crm_create_run(uuid, jsonb), private.crm_join(public.crm_sync_operations, jsonb),
  private.crm_enqueue(public.crm_sync_configs, text[], text, text, text[], boolean, jsonb), private.crm_follow_up(uuid)
  from public, anon, authenticated, service_role;
