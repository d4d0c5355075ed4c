-- Undo, compensate: what the run had pushed goes back in the CRM, through the push of the undo's own run. The items are those of
-- any push, so the worker needs to know nothing of it.

create function private.crm_begin_compensations(p_operation uuid, p_entity text) returns int
language sql
stable
set search_path = ''
as $$
  select count(*)::int from private.crm_compensations k
  where k.operation_id = p_operation and k.entity_type = p_entity
$$;

-- Values of the CRM, in canonical form; of relations its ids.
create function private.crm_canonical_values(p_entity text, p_values jsonb) returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_values jsonb;
begin
  execute format($sql$
    select jsonb_object_agg(d.key, %s)
    from (
      select v.key, v.value, case when f.data_type <> 'relation' then f.data_type end as data_type, coalesce(f.decimals, 0) as decimals,
        case when f.sql_type = 'jsonb' then f.fallback::jsonb else to_jsonb(f.fallback) end as empty
      from jsonb_each($2) v
      left join private.crm_app_fields f on f.entity_type = $1 and f.app_field = v.key
    ) d
  $sql$, private.crm_canonical_sql('d.value')) into v_values using p_entity, p_values;
  return coalesce(v_values, '{}');
end
$$;

-- What somebody has changed in the CRM since is kept there: those fields are dropped, and with them the whole of a creation
-- or deletion.
create function private.crm_compensation_left(p_context private.crm_merge_context, p_compensation private.crm_compensations) returns jsonb
language sql
stable
set search_path = ''
as $$
  select case
    when p_compensation.action = 'create' then case when l.crm_deleted_at is not null or l.record_id is null then p_compensation.written end
    when l.crm_deleted_at is not null or l.record_id is null then null
    when p_compensation.action = 'delete' then case
      when private.crm_canonical_values(p_context.entity, l.base) @> private.crm_canonical_values(p_context.entity, p_compensation.expected) then '{}'::jsonb end
    else (
      select jsonb_object_agg(w.key, w.value)
      from jsonb_each(p_compensation.written) w
      where private.crm_canonical_values(p_context.entity, l.base) -> w.key
        is not distinct from private.crm_canonical_values(p_context.entity, p_compensation.expected) -> w.key)
  end
  from (select 1) one
  left join private.crm_record_links l
    on (l.config_id, l.entity_type, l.crm_record_id) = (p_context.config_id, p_context.entity, p_compensation.crm_record_id)
$$;

create function private.crm_take_compensations(p_operation uuid, p_entity text, p_limit int, p_records uuid[]) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_context private.crm_merge_context;
  v_taken private.crm_compensations[];
  v_lost private.crm_undo_change[];
  v_items jsonb;
begin
  select (private.crm_merge_settings(o.config_id, p_entity, p_operation, o.started_at)).* into v_context from public.crm_sync_operations o where o.id = p_operation;
  v_taken := array(
    select k::private.crm_compensations
    from private.crm_compensations k
    where k.operation_id = p_operation and k.entity_type = p_entity
      and (p_records is null or k.record_id = any (p_records))
    order by k.record_id
    limit p_limit
    for update);
  v_lost := array(
    select (k.record_id, k.crm_record_id, null, null, array(
        select coalesce(f.label, substr(w.key, 15)) from jsonb_each(case when k.written = '{}' then k.expected else k.written end) w
        left join private.crm_app_fields f on f.entity_type = p_entity and f.app_field = w.key
        where r.written is null or k.action = 'update' and not r.written ? w.key), null)::private.crm_undo_change
    from unnest(v_taken) k
    cross join lateral (select private.crm_compensation_left(v_context, k::private.crm_compensations) as written) r
    where r.written is null or k.action = 'update' and r.written <> k.written);
  -- Said once: what is left out now is not looked at again.
  perform private.crm_undo_list(v_context, 'push', v_lost);
  update private.crm_compensations k
  set written = r.written,
    intent_at = case when k.action = 'create' then coalesce(k.intent_at, clock_timestamp()) end
  from unnest(v_taken) t
  cross join lateral (select private.crm_compensation_left(v_context, t::private.crm_compensations) as written) r
  where (k.operation_id, k.entity_type, k.record_id) = (t.operation_id, t.entity_type, t.record_id) and r.written is not null
    and (k.written <> r.written or k.action = 'create');
  delete from private.crm_compensations k
  using unnest(v_taken) t
  where (k.operation_id, k.entity_type, k.record_id) = (t.operation_id, t.entity_type, t.record_id)
    and private.crm_compensation_left(v_context, t::private.crm_compensations) is null;

  select jsonb_agg(jsonb_build_object('key', k.record_id, 'version', k.attempts::text,
    'action', case when t.intent_at is not null then 'look_up' else k.action end,
    'crm_id', case when k.action <> 'create' then k.crm_record_id end, 'intent_at', t.intent_at,
    'values', coalesce((select jsonb_object_agg(w.key, w.value) from jsonb_each(k.written) w where not starts_with(w.key, '$')), '{}'),
    'relations', coalesce((select jsonb_object_agg(w.key, w.value) from jsonb_each(k.written) w where starts_with(w.key, '$')), '{}'),
    'match', jsonb_build_object('email', k.written -> 'email', 'domain', k.written -> 'domain', 'name', k.written -> 'name'),
    'verify', p_records is null and k.action <> 'create', 'updated_at', null) order by k.record_id)
  into v_items
  from unnest(v_taken) t
  join private.crm_compensations k on (k.operation_id, k.entity_type, k.record_id) = (t.operation_id, t.entity_type, t.record_id);
  return coalesce(v_items, '[]');
end
$$;

create type private.crm_compensated as (
  record_id uuid, crm_record_id text, former_crm_id text, action text, before jsonb, sent jsonb
);

-- The link says what the CRM has now, and the journal what was done, so that the undo can be undone.
create function private.crm_keep_compensated(p_context private.crm_merge_context, p_done private.crm_compensated[]) returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into private.crm_journal (operation_id, entity_type, record_id, crm_record_id, side, action, before, after)
  select p_context.operation_id, p_context.entity, d.record_id, d.crm_record_id, 'crm', d.action, d.before, d.sent from unnest(p_done) d;
  update private.crm_record_links l
  set crm_record_id = d.crm_record_id, base = case d.action when 'updated' then l.base || d.sent when 'created' then d.sent else l.base end,
    crm_deleted_at = case d.action when 'deleted' then now() end, deleted_by = case d.action when 'deleted' then 'app' end, updated_at = now()
  from unnest(p_done) d
  where (l.config_id, l.entity_type, l.crm_record_id) = (p_context.config_id, p_context.entity, d.former_crm_id);
  delete from private.crm_compensations k
  using unnest(p_done) d
  where (k.operation_id, k.entity_type, k.record_id) = (p_context.operation_id, p_context.entity, d.record_id);
  perform private.crm_undo_conflicts(p_context, array(select d.record_id from unnest(p_done) d where d.action <> 'deleted'),
    (select jsonb_object_agg(d.record_id, d.sent) from unnest(p_done) d where d.action <> 'deleted'));
  insert into public.crm_sync_logs as l (workspace_id, config_id, operation_id, sync_direction, entity_type, records_processed, records_synced,
    records_created, records_updated, records_deleted)
  select p_context.workspace_id, p_context.config_id, p_context.operation_id, 'push', p_context.entity, count(*), count(*),
    count(*) filter (where d.action = 'created'), count(*) filter (where d.action = 'updated'), count(*) filter (where d.action = 'deleted')
  from unnest(p_done) d
  having count(*) > 0
  on conflict (operation_id, entity_type, sync_direction) do update
  set records_processed = l.records_processed + excluded.records_processed, records_synced = l.records_synced + excluded.records_synced,
    records_created = l.records_created + excluded.records_created, records_updated = l.records_updated + excluded.records_updated,
    records_deleted = l.records_deleted + excluded.records_deleted;
end
$$;

create type private.crm_compensation_result as (
  record_id uuid, outcome text, crm_id text, sent jsonb, message text, is_final boolean
);

-- What the CRM answered. The run is not over before each is done or given up, so what can be tried again is due at once; the
-- worker's client has waited already.
create function private.crm_settle_compensations(p_operation uuid, p_entity text, p_results jsonb) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_context private.crm_merge_context;
  v_results private.crm_compensation_result[];
  v_done private.crm_compensated[];
  v_failed private.crm_undo_change[];
begin
  select (private.crm_merge_settings(o.config_id, p_entity, p_operation, o.started_at)).* into v_context
  from public.crm_sync_operations o where o.id = p_operation;
  v_results := array(
    select (k.record_id, r.outcome, r.crm_id, coalesce(r.sent, '{}') || coalesce(r.relations, '{}'),
      -- Written, with a message: without the fields that it names.
      coalesce(r.error ->> 'message', (select string_agg(m ->> 'message', ' ') from jsonb_array_elements(r.problems) m)),
      r.error ->> 'kind' = 'rejected' or k.attempts >= 4)::private.crm_compensation_result
    from jsonb_to_recordset(p_results) as r
      (key uuid, version text, outcome text, crm_id text, sent jsonb, relations jsonb, error jsonb, problems jsonb)
    join private.crm_compensations k
      on (k.operation_id, k.entity_type, k.record_id) = (p_operation, p_entity, r.key) and k.attempts::text = r.version);
  v_done := array(
    select (k.record_id, coalesce(r.crm_id, k.crm_record_id), k.crm_record_id,
      case k.action when 'create' then 'created' when 'delete' then 'deleted' else 'updated' end,
      case k.action
        when 'delete' then l.base
        when 'update' then (select jsonb_object_agg(f, coalesce(l.base -> f, 'null')) from jsonb_object_keys(r.sent) f)
      end, case when k.action <> 'delete' then r.sent end)::private.crm_compensated
    from unnest(v_results) r
    join private.crm_compensations k on (k.operation_id, k.entity_type, k.record_id) = (p_operation, p_entity, r.record_id)
    left join private.crm_record_links l
      on (l.config_id, l.entity_type, l.crm_record_id) = (v_context.config_id, p_entity, k.crm_record_id)
    where r.outcome = 'written' and (k.action <> 'update' or r.sent <> '{}') or r.outcome = 'exists' or r.outcome = 'gone' and k.action = 'delete');
  v_failed := array(
    select (r.record_id, k.crm_record_id, null, null, '{}'::text[],
      jsonb_build_object('The CRM', case when r.outcome = 'gone' then 'has the record no more.' else coalesce(r.message, case r.outcome when 'written' then 'lets nobody set these fields any more.' else 'refused it.' end) end))::private.crm_undo_change
    from unnest(v_results) r
    join private.crm_compensations k on (k.operation_id, k.entity_type, k.record_id) = (p_operation, p_entity, r.record_id)
    where r.outcome = 'gone' and k.action <> 'delete' or r.outcome = 'failed' and r.is_final
      or r.outcome = 'written' and (r.message is not null or k.action = 'update' and r.sent = '{}'));
  perform private.crm_keep_compensated(v_context, v_done), private.crm_undo_list(v_context, 'push', v_failed);
  delete from private.crm_compensations k
  using unnest(v_failed) f
  where (k.operation_id, k.entity_type, k.record_id) = (p_operation, p_entity, f.record_id);
  update private.crm_compensations k
  set attempts = k.attempts + 1, intent_at = case when r.outcome <> 'missing' then k.intent_at end
  from unnest(v_results) r
  where (k.operation_id, k.entity_type, k.record_id) = (p_operation, p_entity, r.record_id) and r.outcome in ('missing', 'failed');
  return (
    select jsonb_build_object('created', count(*) filter (where d.action = 'created'), 'updated', count(*) filter (where d.action = 'updated'),
      'deleted', count(*) filter (where d.action = 'deleted'), 'failed', cardinality(v_failed), 'linked', 0,
      'retried', cardinality(v_results) - cardinality(v_failed) - cardinality(v_done))
    from unnest(v_done) d);
end
$$;

revoke execute on function
  private.crm_begin_compensations(uuid, text), private.crm_canonical_values(text, jsonb),
  private.crm_compensation_left(private.crm_merge_context, private.crm_compensations),
  private.crm_take_compensations(uuid, text, int, uuid[]),
  private.crm_keep_compensated(private.crm_merge_context, private.crm_compensated[]),
  private.crm_settle_compensations(uuid, text, jsonb)
  from public, anon, authenticated, service_role;
