-- Plan: the worker's verbs. They stand where crm_merge_page and the push stand in a sync, and leave nothing behind but the plan.

-- Inside the block, after the merge: what it did to records of ours.
create function private.crm_plan_seen(p_operation uuid, p_entity text) returns private.crm_plan_sample[]
language sql
stable
set search_path = ''
as $$
  with seen as (
    select case
        when j.action = 'linked' and j.after is null then 'linked'
        when j.action in ('created', 'deleted') then j.action
        else 'updated'
      end as action,
      j.record_id, j.crm_record_id, j.before, case j.action when 'created' then l.base else j.after end as after
    from private.crm_journal j
    join public.crm_sync_operations o on o.id = j.operation_id
    left join private.crm_record_links l
      on l.config_id = o.config_id and l.entity_type = j.entity_type and l.crm_record_id = j.crm_record_id
    where j.operation_id = p_operation and j.entity_type = p_entity
    union all
    select 'conflict', k.entity_id, k.crm_record_id, k.app_data, k.crm_data
    from public.crm_sync_conflicts k
    join public.crm_sync_operations o on o.id = k.operation_id
    where k.workspace_id = o.workspace_id and k.operation_id = p_operation and k.entity_type = p_entity
    union all
    select 'failed', e.record_id, e.crm_record_id, null, jsonb_build_object('message', e.message, 'field', e.field)
    from public.crm_sync_errors e
    join public.crm_sync_operations o on o.id = e.operation_id
    where e.workspace_id = o.workspace_id and e.operation_id = p_operation and e.entity_type = p_entity and e.status <> 'resolved'
      and e.crm_record_id is not null
  )
  select coalesce(array_agg((s.action, s.record_id, s.crm_record_id, n.name, s.before, s.after)::private.crm_plan_sample), '{}')
  from seen s
  left join private.crm_record_names(p_entity, array(select distinct r.record_id from seen r where r.record_id is not null)) n
    on n.record_id = s.record_id
$$;

-- Those of a page that no earlier page of the plan has counted.
create function private.crm_plan_unseen(p_operation uuid, p_entity text, p_records jsonb) returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(r.record order by r.place), '[]')
  from jsonb_array_elements(p_records) with ordinality r (record, place)
  where not exists (
    select from private.crm_plan_records k
    where k.operation_id = p_operation and k.entity_type = p_entity and k.crm_record_id = r.record ->> 'crm_id')
$$;

-- The first place of a page that was planned already is its checkpoint: delivered twice, it counts once.
create function private.crm_plan_page(
  p_operation uuid, p_fence bigint, p_entity text, p_records jsonb, p_rejected jsonb, p_checkpoint jsonb, p_cursor jsonb
) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations := private.crm_check_fence(p_operation, p_fence);
  v_again constant boolean := (select s.checkpoint = p_checkpoint from private.crm_operation_state s where s.operation_id = p_operation);
  v_page jsonb;
  v_seen private.crm_plan_sample[];
begin
  begin
    v_page := private.crm_merge_page(p_operation, p_fence, p_entity, private.crm_plan_unseen(p_operation, p_entity, p_records),
      private.crm_plan_unseen(p_operation, p_entity, p_rejected), p_checkpoint, p_cursor);
    v_seen := private.crm_plan_seen(p_operation, p_entity);
    raise exception 'This was a plan.' using errcode = 'PC0PL';
  exception
    when sqlstate 'PC0PL' then
      null;
  end;
  if v_again is not true then
    perform private.crm_add_plan(p_operation, p_entity, 'here',
      v_page || jsonb_build_object('linked', (select count(*) from unnest(v_seen) s where s.action = 'linked')), v_seen);
    insert into private.crm_plan_records (operation_id, entity_type, crm_record_id)
    select distinct p_operation, p_entity, s.crm_record_id from unnest(v_seen) s
    on conflict do nothing;
    insert into private.crm_plan_touched as t (operation_id, entity_type, record_id, fields)
    select p_operation, p_entity, s.record_id,
      case when bool_or(exists (select from unnest(v_seen) l where l.record_id = s.record_id and l.action = 'linked')) then null
        else array_agg(distinct f.field) end
    from unnest(v_seen) s
    cross join lateral jsonb_object_keys(case s.action when 'linked' then '{"": null}' else coalesce(s.after, '{}') end) f (field)
    where s.action in ('updated', 'conflict', 'linked') and s.record_id is not null
    group by s.record_id
    on conflict (operation_id, entity_type, record_id) do update set fields = t.fields || excluded.fields;
    perform private.crm_plan_progress(v_operation, p_entity, p_checkpoint, jsonb_array_length(p_records) + jsonb_array_length(p_rejected));
  end if;
  return v_page;
end
$$;
comment on function private.crm_plan_page(uuid, bigint, text, jsonb, jsonb, jsonb, jsonb) is
  'Merges a page and takes it back: answers what crm_merge_page would, keeps counts and samples for the plan. PC007 as there.';

create function private.crm_plan_progress(p_operation public.crm_sync_operations, p_entity text, p_checkpoint jsonb, p_records int) returns void
language sql
set search_path = ''
as $$
  update private.crm_operation_state s
  set checkpoint = coalesce(p_checkpoint, s.checkpoint), crashes = 0, updated_at = clock_timestamp()
  where s.operation_id = p_operation.id;
  update public.crm_sync_operations o
  set progress = private.crm_progress(o.progress, p_entity, jsonb_build_object(
    'done', coalesce((o.progress #>> array['entities', p_entity, 'done'])::int, 0) + p_records), o.started_at)
  where o.id = p_operation.id;
$$;

-- What one outbound record would become, without what the pull of this plan would settle first. Null where nothing is left.
create function private.crm_plan_outbound(p_operation public.crm_sync_operations, p_entity text, p_items jsonb, p_waiting uuid[])
returns private.crm_plan_sample[]
language sql
stable
set search_path = ''
as $$
  with items as (
    select (i ->> 'key')::uuid as record_id, i ->> 'crm_id' as crm_id,
      case i ->> 'action' when 'look_up' then 'created' else (i ->> 'action') || 'd' end as action,
      coalesce(i -> 'values', '{}') as fields, coalesce(i -> 'relations', '{}') as relations
    from jsonb_array_elements(p_items) i
    union all
    -- What waits for its company or contact to be created goes after it.
    select w, null, 'created', '{}', '{}' from unnest(p_waiting) w
  ),
  left_over as (
    select i.record_id, i.crm_id, i.action, i.fields - coalesce(t.fields, '{}') as fields, i.relations - coalesce(t.fields, '{}') as relations
    from items i
    left join private.crm_plan_touched t
      on t.operation_id = p_operation.id and t.entity_type = p_entity and t.record_id = i.record_id
  )
  select coalesce(array_agg((i.action, i.record_id, i.crm_id, n.name, (
      select jsonb_object_agg(k, l.base -> k) from jsonb_object_keys(i.fields) k where l.base is not null), nullif(i.fields, '{}')
    )::private.crm_plan_sample), '{}')
  from left_over i
  left join private.crm_record_links l
    on l.config_id = p_operation.config_id and l.entity_type = p_entity and l.crm_record_id = i.crm_id
  left join private.crm_record_names(p_entity, array(select r.record_id from left_over r)) n on n.record_id = i.record_id
  where i.action <> 'updated' or i.fields <> '{}' or i.relations <> '{}'
$$;

-- The next records of ours that would be pushed, counted and taken back. Answers whether there are more.
create function private.crm_plan_push(p_operation uuid, p_fence bigint, p_entity text, p_limit int default 2000) returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations := private.crm_check_fence(p_operation, p_fence);
  v_reached constant uuid := (
    select c.reached from private.crm_plan_counts c where c.operation_id = p_operation and c.entity_type = p_entity and c.side = 'crm');
  v_ids uuid[];
  v_items jsonb;
  v_seen private.crm_plan_sample[];
begin
  begin
    -- The plan has read what the sync would have read by now, and the push asks for that.
    insert into private.crm_cursors (config_id, entity_type, cursor)
    select v_operation.config_id, p_entity, '{}' where v_operation.direction <> 'to_crm'
    on conflict do nothing;
    perform private.crm_begin_push(p_operation, p_fence, p_entity);
    v_ids := array(
      select x.record_id
      from private.crm_outbox x
      where x.config_id = v_operation.config_id and x.entity_type = p_entity and not x.dead and x.not_before <= clock_timestamp()
        and (v_reached is null or x.record_id > v_reached)
        and not exists (
          select from private.crm_plan_touched t
          where t.operation_id = p_operation and t.entity_type = p_entity and t.record_id = x.record_id and t.fields is null)
      order by x.record_id
      limit p_limit);
    v_items := private.crm_take_outbound(p_operation, p_fence, p_entity, cardinality(v_ids), v_ids) -> 'items';
    v_seen := private.crm_plan_outbound(v_operation, p_entity, v_items, array(
      select x.record_id
      from private.crm_outbox x
      where x.config_id = v_operation.config_id and x.entity_type = p_entity and x.record_id = any (v_ids)
        and not exists (select from jsonb_array_elements(v_items) i where (i ->> 'key')::uuid = x.record_id)
        and not exists (
          select from private.crm_record_links l
          where l.record_id = x.record_id and l.config_id = x.config_id and l.entity_type = x.entity_type)));
    raise exception 'This was a plan.' using errcode = 'PC0PL';
  exception
    when sqlstate 'PC0PL' then
      null;
  end;
  perform private.crm_add_plan(p_operation, p_entity, 'crm', (
    select jsonb_build_object(
      'created', count(*) filter (where s.action = 'created'), 'updated', count(*) filter (where s.action = 'updated'),
      'deleted', count(*) filter (where s.action = 'deleted'))
    from unnest(v_seen) s), v_seen, v_ids[cardinality(v_ids)]);
  update private.crm_operation_state s set crashes = 0, updated_at = clock_timestamp() where s.operation_id = p_operation;
  return cardinality(v_ids) >= p_limit;
end
$$;
comment on function private.crm_plan_push(uuid, bigint, text, int) is
  'Looks at the next records of ours that are due for pushing and takes everything back, marks in the outbox included. True while there are more.';

revoke execute on function
  private.crm_plan_seen(uuid, text), private.crm_plan_unseen(uuid, text, jsonb), private.crm_plan_page(uuid, bigint, text, jsonb, jsonb, jsonb, jsonb),
  private.crm_plan_progress(public.crm_sync_operations, text, jsonb, int),
  private.crm_plan_outbound(public.crm_sync_operations, text, jsonb, uuid[]), private.crm_plan_push(uuid, bigint, text, int)
  from public, anon, authenticated, service_role;
