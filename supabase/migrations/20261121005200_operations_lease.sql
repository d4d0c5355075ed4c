-- Operations: lease and fence. A worker claims a run for a while; each claim raises the fence, and everything a worker
-- writes goes through private.crm_check_fence, so one whose lease was taken over can write nothing.

create function private.crm_check_fence(p_operation uuid, p_fence bigint) returns public.crm_sync_operations
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations;
begin
  select o.* into v_operation
  from private.crm_operation_state s
  join public.crm_sync_operations o on o.id = s.operation_id
  where s.operation_id = p_operation and s.fence = p_fence and o.status = 'running'
  for update of s;
  if v_operation.id is null then
    raise exception 'Another worker has taken over this run, or it was stopped.' using errcode = 'PC007';
  end if;
  return v_operation;
end
$$;

-- What a worker needs to know about the connection, as JSON.
create function private.crm_claim_settings(p_config uuid, out mappings jsonb, out stages jsonb, out settings jsonb)
language sql
stable
set search_path = ''
as $$
  select
    coalesce((
      select jsonb_agg(to_jsonb(m) - '{id,config_id,workspace_id,created_at,updated_at}'::text[] order by m.entity_type, m.position, m.app_field)
      from public.crm_field_mappings m where m.config_id = p_config), '[]'),
    coalesce((
      select jsonb_agg(to_jsonb(s) - '{config_id,workspace_id,created_at,updated_at}'::text[] order by s.crm_pipeline_id, s.position)
      from public.crm_stage_mappings s where s.config_id = p_config), '[]'),
    (select jsonb_build_object('sync_rules', c.sync_rules, 'conflict_resolution', c.conflict_resolution, 'sync_direction', c.sync_direction,
       'crm_user', private.crm_current_owner(c.id))
     from public.crm_sync_configs c where c.id = p_config)
$$;

-- What a run may do: what it was asked for, as far as its direction and the connection's go.
create function private.crm_phases(p_phases text[], p_direction text, p_sync_direction text) returns text[]
language sql
immutable
set search_path = ''
as $$
  select array(
    select p
    from unnest('{dirty,pull,push}'::text[]) with ordinality a (p, place)
    where p = any (p_phases)
      and (p = 'push' or p_direction <> 'to_crm' and p_sync_direction <> 'push')
      and (p <> 'push' or p_direction <> 'from_crm' and p_sync_direction <> 'pull')
    order by place)
$$;

-- The run to work on: the one asked for, else the one waiting longest. Runs in other workers' hands are passed over, never waited for.
create function private.crm_claim(p_operation uuid, p_holder text, p_lease_seconds int)
returns table (
  operation_id uuid, operation text, config_id uuid, workspace_id uuid, crm_provider text, environment text, direction text, entities text[],
  phases text[], fence bigint, slice int, checkpoint jsonb, mappings jsonb, stages jsonb, settings jsonb
)
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_id uuid;
begin
  select s.operation_id into v_id
  from private.crm_operation_state s
  join public.crm_sync_operations o on o.id = s.operation_id and o.status in ('queued', 'running')
  join public.crm_sync_configs c on c.id = o.config_id and c.status = 'connected' and c.is_active
  join public.workspaces w on w.id = o.workspace_id and w.deleted_at is null
  where (s.lease_expires_at is null or s.lease_expires_at < v_now)
    and (p_operation is null or s.operation_id = p_operation)
  order by o.created_at
  limit 1
  for update of s skip locked;
  if v_id is null then
    return;
  end if;

  update private.crm_operation_state s
  set fence = s.fence + 1, slice = s.slice + 1, lease_holder = p_holder,
    lease_expires_at = v_now + make_interval(secs => p_lease_seconds),
    crashes = case when s.lease_expires_at is null then s.crashes else s.crashes + 1 end,
    updated_at = v_now
  where s.operation_id = v_id;
  -- A page that kills its worker each time must not be tried for ever.
  if (select s.crashes > 5 from private.crm_operation_state s where s.operation_id = v_id) then
    -- The connection comes before the state, which is held here already: where it is not free, the next claim ends the run.
    perform from public.crm_sync_configs c
    where c.id = (select o.config_id from public.crm_sync_operations o where o.id = v_id)
    for no key update skip locked;
    if not found then
      return;
    end if;
    update public.crm_sync_operations o set status = 'running', started_at = coalesce(o.started_at, v_now) where o.id = v_id;
    perform private.crm_finish(v_id, (select s.fence from private.crm_operation_state s where s.operation_id = v_id), 'failed',
      'The sync stopped unexpectedly several times at the same place.');
    return;
  end if;

  update public.crm_sync_operations o
  set status = 'running', started_at = coalesce(o.started_at, v_now)
  where o.id = v_id and (o.status <> 'running' or o.started_at is null);

  return query
    select o.id, o.operation, o.config_id, o.workspace_id, c.crm_provider, c.environment, o.direction,
      -- Parents before children, and none that an admin has taken out meanwhile.
      array(select e from unnest('{accounts,contacts,opportunities}'::text[]) e
            where e = any (o.entities) and (e = any (c.sync_entities) or o.operation = 'undo')),
      private.crm_phases(s.phases, o.direction, c.sync_direction), s.fence, s.slice, s.checkpoint, k.mappings, k.stages,
      k.settings || jsonb_build_object('filters', o.filters, 'reads_all', s.reads_all)
    from public.crm_sync_operations o
    join private.crm_operation_state s on s.operation_id = o.id
    join public.crm_sync_configs c on c.id = o.config_id
    cross join lateral private.crm_claim_settings(o.config_id) k
    where o.id = v_id;
end
$$;

create function private.crm_renew(p_operation uuid, p_fence bigint, p_lease_seconds int) returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.crm_check_fence(p_operation, p_fence);
  update private.crm_operation_state s
  set lease_expires_at = clock_timestamp() + make_interval(secs => p_lease_seconds), updated_at = clock_timestamp()
  where s.operation_id = p_operation;
end
$$;

-- Where a phase that merges no pages has come to. Getting there is a sign of life.
create function private.crm_keep_checkpoint(p_operation uuid, p_fence bigint, p_checkpoint jsonb) returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.crm_check_fence(p_operation, p_fence);
  update private.crm_operation_state s
  set checkpoint = p_checkpoint, crashes = 0, updated_at = clock_timestamp()
  where s.operation_id = p_operation;
end
$$;

-- Done with this slice: gives the run back and wakes the next worker.
create function private.crm_yield(p_operation uuid, p_fence bigint) returns void
language plpgsql
set search_path = ''
as $$
begin
  perform private.crm_check_fence(p_operation, p_fence);
  update private.crm_operation_state s
  set fence = s.fence + 1, lease_holder = null, lease_expires_at = null, updated_at = clock_timestamp()
  where s.operation_id = p_operation;
  perform private.crm_dispatch(p_operation);
end
$$;

-- Takes a run out of its worker's hands.
create function private.crm_fence_off(p_operation uuid) returns void
language sql
set search_path = ''
as $$
  update private.crm_operation_state s
  set fence = s.fence + 1, lease_holder = null, lease_expires_at = null, resume_at = null, dispatched_at = null, updated_at = clock_timestamp()
  where s.operation_id = p_operation
$$;

create function private.crm_incremental_cursor(p_config uuid, p_entity text) returns jsonb
language sql
stable
set search_path = ''
as $$
  select c.cursor from private.crm_cursors c where c.config_id = p_config and c.entity_type = p_entity
$$;

-- Whether an earlier run has linked records of the entity: then reading all of it anew has deletions to tell of.
create function private.crm_was_linked(p_operation uuid, p_entity text) returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select from public.crm_sync_operations o
    join private.crm_record_links l on l.config_id = o.config_id and l.entity_type = p_entity and l.created_at < o.started_at
    where o.id = p_operation)
$$;

revoke execute on function
  private.crm_check_fence(uuid, bigint), private.crm_claim_settings(uuid), private.crm_phases(text[], text, text), private.crm_claim(uuid, text, int),
  private.crm_renew(uuid, bigint, int), private.crm_keep_checkpoint(uuid, bigint, jsonb), private.crm_yield(uuid, bigint), private.crm_fence_off(uuid),
  private.crm_incremental_cursor(uuid, text), private.crm_was_linked(uuid, text)
  from public, anon, authenticated, service_role;
