-- Push, take: what goes to the CRM.

-- Rows with something to do, as the worker gets them.
create function private.crm_push_items(p_context private.crm_push_context, p_rows private.crm_push_row[], p_now timestamptz) returns jsonb
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
  return (
    with fields as materialized (
      select f.record_id,
        coalesce(jsonb_object_agg(f.field, f.value) filter (where not f.is_relation), '{}') as own,
        coalesce(jsonb_object_agg(f.field, f.value) filter (where f.is_relation), '{}') as relations,
        bool_or(f.is_bidirectional) as is_bidirectional
      from private.crm_push_fields(p_context, p_rows) f
      group by f.record_id
    )
    select coalesce(jsonb_agg(jsonb_build_object(
        'key', r.record_id, 'version', r.version::text, 'action', r.action, 'crm_id', r.crm_id,
        'intent_at', case r.action when 'create' then p_now else r.intent_at end,
        'values', coalesce(f.own, '{}'), 'relations', coalesce(f.relations, '{}'),
        'match', jsonb_build_object('email', r.fields ->> 'email', 'domain', coalesce(r.fields ->> 'domain', private.normalize_domain(r.fields ->> 'website')),
          'name', coalesce(r.fields ->> 'name', nullif(btrim(concat_ws(' ', r.fields ->> 'first_name', r.fields ->> 'last_name')), ''))),
        'verify', r.action = 'update' and p_context.is_bidirectional and f.is_bidirectional, 'updated_at', r.updated_at) order by r.place), '[]')
    from unnest(p_rows) with ordinality r (record_id, version, intent_at, action, crm_id, base, has_conflict, updated_at, fields, place)
    left join fields f on f.record_id = r.record_id
    where r.action in ('delete', 'look_up') or r.action = 'create' and f.own <> '{}' or r.action = 'update' and f.record_id is not null
  );
end
$$;

-- Locks rows of the outbox that still have the version they were read with, each found by its key. One that somebody is writing
-- to at this moment is passed over: it gets a new version, and take never waits for an edit nor an edit for long.
create function private.crm_lock_outbox(p_context private.crm_merge_context, p_records uuid[], p_versions bigint[]) returns tid[]
language plpgsql
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
begin
  return array(
    select o.ctid
    from unnest(p_records, p_versions) r (id, version)
    cross join lateral (
      select b.ctid from private.crm_outbox b
      where b.record_id = r.id and b.config_id is not distinct from p_context.config_id and b.entity_type is not distinct from p_context.entity
        and b.version = r.version
      for update skip locked
    ) o);
end
$$;

-- One look at some due rows: what needs nothing leaves the outbox, what waits is put off, and at most p_limit items come back.
create function private.crm_take_round(p_context private.crm_push_context, p_due private.crm_outbox[], p_limit int) returns jsonb
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
-- Rows are written where they were locked.
set enable_seqscan = off
set jit = off
as $$
declare
  v_merge constant private.crm_merge_context := p_context.merge;
  v_now constant timestamptz := clock_timestamp();
  v_rows constant private.crm_push_row[] := private.crm_push_rows(p_context, p_due);
  v_items jsonb := private.crm_push_items(p_context, array(select r from unnest(v_rows) r where (r).action not in ('drop', 'wait')), v_now);
  v_busy uuid[] := array(select (i ->> 'key')::uuid from jsonb_array_elements(v_items) i);
  v_idle private.crm_push_row[] := array(
    select r from unnest(v_rows) r left join unnest(v_busy) b on b = (r).record_id where b is null and (r).action <> 'wait');
  v_waiting private.crm_push_row[] := array(select r from unnest(v_rows) r where (r).action = 'wait');
  v_rows_of tid[];
  v_done uuid[];
  v_new uuid[];
begin
  v_rows_of := private.crm_lock_outbox(v_merge, array(select r.record_id from unnest(v_idle) r), array(select r.version from unnest(v_idle) r));
  -- What could not be sent before is not to be sent any more, so its error is settled too.
  with done as (
    delete from private.crm_outbox o where o.ctid = any (v_rows_of) returning o.record_id
  )
  select coalesce(array_agg(d.record_id), '{}') into v_done from done d;
  update public.crm_sync_errors e
  set status = 'resolved', last_seen_at = v_now
  where e.config_id = v_merge.config_id and e.entity_type = v_merge.entity and e.record_id = any (v_done) and e.direction = 'push'
    and e.status <> 'resolved';
  perform private.crm_show_idle(v_merge, v_done);
  v_rows_of := private.crm_lock_outbox(v_merge, array(select r.record_id from unnest(v_waiting) r), array(select r.version from unnest(v_waiting) r));
  update private.crm_outbox o set not_before = v_now + interval '1 minute' where o.ctid = any (v_rows_of);

  v_items := (select coalesce(jsonb_agg(i.item order by i.place), '[]')
              from jsonb_array_elements(v_items) with ordinality i (item, place) where i.place <= p_limit);
  -- Before anybody calls the CRM: should the answer never come, the next worker looks first. What could not be marked is not sent.
  v_rows_of := private.crm_lock_outbox(v_merge,
    array(select (i ->> 'key')::uuid from jsonb_array_elements(v_items) i where i ->> 'action' = 'create'),
    array(select (i ->> 'version')::bigint from jsonb_array_elements(v_items) i where i ->> 'action' = 'create'));
  with marked as (
    update private.crm_outbox o set intent_at = v_now where o.ctid = any (v_rows_of) returning o.record_id
  )
  select array_agg(m.record_id) into v_new from marked m;
  return (
    select coalesce(jsonb_agg(i.item order by i.place), '[]')
    from jsonb_array_elements(v_items) with ordinality i (item, place)
    where i.item ->> 'action' <> 'create' or (i.item ->> 'key')::uuid = any (v_new));
end
$$;

-- Bounded, so that a long stretch with nothing to say neither outlives a statement's time nor keeps rows locked: "more" says
-- that the bound was hit. Rounds grow while they find little. p_except: records that the same worker has taken and not settled.
create function private.crm_take_outbound(
  p_operation uuid, p_fence bigint, p_entity text, p_limit int, p_records uuid[] default null, p_except uuid[] default null
) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_context private.crm_push_context := private.crm_push_begin(p_operation, p_fence, p_entity);
  v_began constant timestamptz := clock_timestamp();
  v_round int := greatest(p_limit, 1);
  v_seen int := 0;
  v_items jsonb := '[]';
  v_found int;
  v_after private.crm_outbox;
  v_due private.crm_outbox[];
begin
  if (select o.operation = 'undo' from public.crm_sync_operations o where o.id = p_operation) then
    return jsonb_build_object('items', private.crm_take_compensations(p_operation, p_entity, p_limit, p_records), 'more', false);
  end if;
  if p_records is not null then
    v_due := private.crm_outbox_due(v_context, p_records, null, null, null);
    return jsonb_build_object('items', private.crm_take_round(v_context, v_due, cardinality(p_records)), 'more', false);
  end if;
  loop
    v_due := private.crm_outbox_due(v_context, null, p_except, v_after, v_round);
    exit when v_due = '{}';
    v_found := jsonb_array_length(v_items);
    v_items := v_items || private.crm_take_round(v_context, v_due, p_limit - v_found);
    v_seen := v_seen + cardinality(v_due);
    exit when jsonb_array_length(v_items) >= p_limit or cardinality(v_due) < v_round;
    if v_seen >= 20000 or clock_timestamp() > v_began + interval '1.5 seconds' then
      return jsonb_build_object('items', v_items, 'more', true);
    end if;
    if (jsonb_array_length(v_items) - v_found) * 8 < cardinality(v_due) then
      v_round := least(v_round * 4, 2000);
    end if;
    v_after := v_due[cardinality(v_due)];
  end loop;
  if v_items <> '[]' then
    return jsonb_build_object('items', v_items, 'more', false);
  end if;
  if private.crm_review_part((v_context.merge).config_id, p_entity, (v_context.merge).target) > 0 then
    return jsonb_build_object('items', v_items, 'more', true);
  end if;
  if coalesce(p_except, '{}') = '{}' then
    perform private.crm_push_total(v_context.merge, 0);
  end if;
  return jsonb_build_object('items', v_items, 'more', false);
end
$$;
comment on function private.crm_take_outbound(uuid, bigint, text, int, uuid[], uuid[]) is
  'What is to be written to the CRM next: {"items": at most p_limit, "more": bool}. Nothing is due when there are no items and more is false; more says that the call looked at as much as one may. The same items come again until they are settled.';

-- Whether a look at the CRM brought nothing new: then what was taken before it stands, and there is nothing to merge.
create function private.crm_push_unchanged(p_operation uuid, p_fence bigint, p_entity text, p_records jsonb) returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations := private.crm_check_fence(p_operation, p_fence);
begin
  return private.crm_merge_read(
    private.crm_merge_settings(v_operation.config_id, p_entity, p_operation, v_operation.started_at), p_records) = '{}';
end
$$;

revoke execute on function
  private.crm_push_items(private.crm_push_context, private.crm_push_row[], timestamptz),
  private.crm_lock_outbox(private.crm_merge_context, uuid[], bigint[]),
  private.crm_take_round(private.crm_push_context, private.crm_outbox[], int),
  private.crm_take_outbound(uuid, bigint, text, int, uuid[], uuid[]), private.crm_push_unchanged(uuid, bigint, text, jsonb)
  from public, anon, authenticated, service_role;
