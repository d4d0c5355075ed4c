-- Push, settle: what the answers leave behind: links with their base, the journal, errors, the outbox, counts.

-- A record that was deleted here and restored leaves its old link behind.
create function private.crm_settle_links(p_context private.crm_merge_context, p_results private.crm_push_result[]) returns void
language sql
set search_path = ''
as $$
  delete from private.crm_record_links l
  using unnest(p_results) r
  where r.action in ('create', 'look_up') and r.outcome in ('written', 'linked')
    and l.record_id = r.record_id and l.config_id = p_context.config_id and l.entity_type = p_context.entity
    and l.crm_deleted_at is not null and l.crm_record_id <> r.crm_id;

  -- What the CRM has of a record that was there already is not known: the next fetch compares all of it.
  insert into private.crm_record_links as l (config_id, entity_type, crm_record_id, record_id, workspace_id, base, merged_at)
  select p_context.config_id, p_context.entity, r.crm_id, r.record_id, p_context.workspace_id,
    case r.outcome when 'written' then r.sent else '{}' end, case r.outcome when 'written' then r.updated_at end
  from unnest(p_results) r
  where r.action in ('create', 'look_up') and r.outcome in ('written', 'linked')
  on conflict (config_id, entity_type, crm_record_id) do update
  set base = l.base || excluded.base, merged_at = coalesce(excluded.merged_at, l.merged_at), crm_deleted_at = null, deleted_by = null,
    updated_at = now();

  update private.crm_record_links l
  set base = l.base || r.sent, merged_at = greatest(l.merged_at, r.updated_at), app_edited_at = case when l.has_conflict then l.app_edited_at end,
    updated_at = now()
  from unnest(p_results) r
  where r.action = 'update' and r.outcome = 'written'
    and l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.crm_record_id = r.crm_id and l.record_id = r.record_id;

  update private.crm_record_links l
  set crm_deleted_at = now(), deleted_by = 'app', updated_at = now()
  from unnest(p_results) r
  where r.action = 'delete' and r.outcome in ('written', 'gone')
    and l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.crm_record_id = r.crm_id and l.record_id = r.record_id;
$$;

-- Gone from the CRM: as if a read had brought the deletion.
create function private.crm_settle_gone(p_context private.crm_merge_context, p_results private.crm_push_result[]) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_changes private.crm_merge_change[];
  v_touched private.crm_merge_ours[];
begin
  if not exists (select from unnest(p_results) r where r.action = 'update' and r.outcome = 'gone') then
    return;
  end if;
  v_changes := private.crm_merge_deletes(p_context, array(
    select jsonb_populate_record(null::private.crm_merge_row, jsonb_build_object(
      'crm_id', l.crm_record_id, 'modified', l.crm_modified_at, 'deleted', true, 'merged', false, 'kind', 'linked', 'record_id', l.record_id,
      'base', l.base, 'merged_at', l.merged_at, 'app_edited_at', l.app_edited_at, 'has_conflict', l.has_conflict))
    from unnest(p_results) r
    join private.crm_record_links l on l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.crm_record_id = r.crm_id
    where r.action = 'update' and r.outcome = 'gone' and l.crm_deleted_at is null));
  v_touched := private.crm_merge_update(p_context, v_changes);
  perform private.crm_keep_links(p_context, v_changes, v_touched), private.crm_keep_journal(p_context, v_changes),
    private.crm_close_conflicts(p_context, v_changes);
end
$$;

create function private.crm_settle_journal(p_context private.crm_merge_context, p_results private.crm_push_result[]) returns void
language sql
set search_path = ''
as $$
  insert into private.crm_journal (operation_id, entity_type, record_id, crm_record_id, side, action, before, after)
  select p_context.operation_id, p_context.entity, r.record_id, r.crm_id, 'crm',
    case
      when r.outcome = 'linked' then 'linked'
      when r.action = 'update' then 'updated'
      when r.action = 'delete' then 'deleted'
      else 'created'
    end,
    case
      when r.action = 'update' then (select jsonb_object_agg(k, coalesce(r.base -> k, 'null')) from jsonb_object_keys(r.sent) k)
      when r.action = 'delete' then r.base
    end,
    case when r.action <> 'delete' and r.outcome = 'written' then r.sent end
  from unnest(p_results) r
  where r.outcome in ('written', 'linked') or r.outcome = 'gone' and r.action = 'delete'
$$;

-- What a deal shows of itself. It is no edit: the link moves on with it.
create function private.crm_settle_deals(p_context private.crm_merge_context, p_results private.crm_push_result[]) returns void
language sql
set search_path = ''
as $$
  with shown as (
    update public.pipeline_projects t
    set sync_status = s.status
    from unnest(p_results) r
    cross join lateral (select case r.outcome when 'failed' then 'failed' else 'synced' end as status) s
    where p_context.entity = 'opportunities' and r.is_current and (r.outcome = 'failed' or r.outcome = 'written' and r.action <> 'delete')
      and t.id = r.record_id and t.workspace_id = p_context.workspace_id and t.sync_status is distinct from s.status
      and (t.sync_status is distinct from 'conflict' or r.outcome = 'failed')
    returning t.id, t.updated_at, r.outcome
  )
  update private.crm_record_links l
  set merged_at = s.updated_at
  from shown s
  where s.outcome = 'written' and l.record_id = s.id and l.config_id = p_context.config_id and l.entity_type = p_context.entity
$$;

-- One open error per record. Answers how many records failed that had not failed in this run before, less those that got
-- through after all.
create function private.crm_settle_errors(p_context private.crm_merge_context, p_results private.crm_push_result[]) returns int
language sql
set search_path = ''
as $$
  with known as materialized (
    select e.record_id, bool_or(e.operation_id = p_context.operation_id) as in_this_run
    from public.crm_sync_errors e
    join unnest(p_results) r on r.record_id = e.record_id
    where e.config_id = p_context.config_id and e.entity_type = p_context.entity and e.direction = 'push' and e.status <> 'resolved'
    group by e.record_id
  ),
  -- A dead letter that is tried again is open again, or done.
  settled as (
    update public.crm_sync_errors e
    set status = 'resolved', last_seen_at = clock_timestamp()
    from unnest(p_results) r
    where e.config_id = p_context.config_id and e.entity_type = p_context.entity and e.record_id = r.record_id and e.direction = 'push'
      and (r.outcome in ('written', 'linked', 'gone') and e.status <> 'resolved' or r.outcome = 'failed' and e.status = 'dead')
  ),
  failed as (
    insert into public.crm_sync_errors as e
      (workspace_id, config_id, operation_id, entity_type, direction, record_id, kind, code, message, field, attempts)
    select p_context.workspace_id, p_context.config_id, p_context.operation_id, p_context.entity, 'push', r.record_id, r.kind, r.code,
      r.message, r.field, r.attempts
    from unnest(p_results) r
    where r.outcome = 'failed'
    on conflict (config_id, entity_type, record_id) where status = 'open' and direction = 'push' do update
    set operation_id = excluded.operation_id, kind = excluded.kind, code = excluded.code, message = excluded.message,
      field = excluded.field, attempts = excluded.attempts, last_seen_at = clock_timestamp()
  )
  select count(*) filter (where r.outcome = 'failed' and k.in_this_run is not true)::int
    - count(*) filter (where r.outcome in ('written', 'gone') and k.in_this_run)::int
  from unnest(p_results) r
  left join known k on k.record_id = r.record_id
$$;

-- Done rows go; refused ones wait for an edit or a person; the others come again when their time has come. One that was edited
-- meanwhile stays due as it is.
create function private.crm_settle_outbox(p_context private.crm_merge_context, p_results private.crm_push_result[]) returns void
language sql
set search_path = ''
as $$
  delete from private.crm_outbox o
  using unnest(p_results) r
  where o.config_id = p_context.config_id and o.entity_type = p_context.entity and o.record_id = r.record_id
    and r.is_current and r.outcome in ('written', 'gone');

  update private.crm_outbox o
  set settled = r.version, version = case when r.is_current then nextval('private.crm_outbox_version') else o.version end,
    not_before = case
      when not r.is_current or r.outcome <> 'failed' then o.not_before
      when r.kind = 'rejected' then 'infinity'
      else clock_timestamp() + r.wait
    end,
    attempts = case when r.is_current and r.outcome = 'failed' then r.attempts else o.attempts end,
    dead = r.is_current and r.outcome = 'failed' and r.is_dead,
    -- Only where nobody knows what became of the create.
    intent_at = case when r.action in ('create', 'look_up') and r.outcome = 'failed' and r.kind = 'transient' then o.intent_at end
  from unnest(p_results) r
  where o.config_id = p_context.config_id and o.entity_type = p_context.entity and o.record_id = r.record_id;

  update public.crm_sync_errors e
  set status = 'dead'
  from unnest(p_results) r
  where e.config_id = p_context.config_id and e.entity_type = p_context.entity and e.record_id = r.record_id and e.direction = 'push'
    and e.status = 'open' and r.is_current and r.outcome = 'failed' and r.is_dead;
$$;

-- The CRM has these records now: those that belong to them can say so.
create function private.crm_wake_children(p_context private.crm_merge_context, p_parents uuid[]) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_kind record;
begin
  if p_parents = '{}' then
    return;
  end if;
  for v_kind in
    select f.entity_type, f.column_name, f.app_field, e.table_name
    from private.crm_app_fields f
    join private.crm_entities e using (entity_type)
    join public.crm_sync_configs c on c.id = p_context.config_id and f.entity_type = any (c.sync_entities)
    where f.parent_entity = p_context.entity
    union all
    select 'contacts', 'duplicate_of', null, 'crm_contacts' where p_context.entity = 'contacts'
  loop
    execute format($sql$
      with children as materialized (
        select t.id, l.record_id is not null as is_linked
        from public.%1$I t
        left join private.crm_record_links l
          on l.record_id = t.id and l.config_id = $2 and l.entity_type = $4 and l.crm_deleted_at is null
        where t.workspace_id = $3 and t.%2$I = any ($1)
      ),
      woken as (
        update private.crm_outbox o
        set not_before = now(), version = nextval('private.crm_outbox_version')
        from children c
        where o.config_id = $2 and o.entity_type = $4 and o.record_id = c.id and not o.dead and o.not_before > now()
      )
      insert into private.crm_outbox (config_id, entity_type, record_id, workspace_id)
      select $2, $4, c.id, $3 from children c where c.is_linked and $5 is not null
      on conflict do nothing
    $sql$, v_kind.table_name, v_kind.column_name)
    using p_parents, p_context.config_id, p_context.workspace_id, v_kind.entity_type, v_kind.app_field;
  end loop;
end
$$;

create function private.crm_settle_count(p_context private.crm_merge_context, p_counts jsonb, p_failed int) returns void
language sql
set search_path = ''
as $$
  insert into public.crm_sync_logs as l (
    workspace_id, config_id, operation_id, sync_direction, entity_type, records_processed, records_synced, records_created, records_updated,
    records_deleted, records_failed)
  select p_context.workspace_id, p_context.config_id, p_context.operation_id, 'push', p_context.entity, s.synced + p_failed, s.synced,
    (p_counts ->> 'created')::int, (p_counts ->> 'updated')::int, (p_counts ->> 'deleted')::int, p_failed
  from (select (p_counts ->> 'created')::int + (p_counts ->> 'updated')::int + (p_counts ->> 'deleted')::int as synced) s
  where s.synced > 0 or p_failed <> 0
  on conflict (operation_id, entity_type, sync_direction) do update
  set records_processed = l.records_processed + excluded.records_processed, records_synced = l.records_synced + excluded.records_synced,
    records_created = l.records_created + excluded.records_created, records_updated = l.records_updated + excluded.records_updated,
    records_deleted = l.records_deleted + excluded.records_deleted, records_failed = l.records_failed + excluded.records_failed;

  update public.crm_sync_operations o
  set progress = private.crm_progress(o.progress, p_context.entity || '_to_crm', jsonb_build_object('done', l.records_processed,
    'total', greatest(l.records_processed, (o.progress #>> array['entities', p_context.entity || '_to_crm', 'total'])::int)), o.started_at)
  from public.crm_sync_logs l
  where o.id = p_context.operation_id and l.operation_id = o.id and l.entity_type = p_context.entity and l.sync_direction = 'push';
$$;

create function private.crm_settle_outbound(p_operation uuid, p_fence bigint, p_entity text, p_results jsonb) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_context private.crm_push_context := private.crm_push_begin(p_operation, p_fence, p_entity);
  v_merge private.crm_merge_context := v_context.merge;
  v_results private.crm_push_result[];
  v_counts jsonb;
  v_failed int;
begin
  if (select o.operation = 'undo' from public.crm_sync_operations o where o.id = p_operation) then
    return private.crm_settle_compensations(p_operation, p_entity, p_results);
  end if;
  -- What is written here is this connection's doing.
  perform set_config('pipeline_crm.sync_config', v_merge.config_id::text, true), set_config('pipeline_crm.actor', '', true);
  -- Records before rows, as an edit locks them.
  execute format('select from public.%I t where t.id = any ($1) order by t.id for update', v_merge.target)
  using array(select (r ->> 'key')::uuid from jsonb_array_elements(p_results) r);
  v_results := private.crm_push_results(v_context, p_results);

  perform private.crm_settle_echoes(v_merge, v_results);
  perform private.crm_settle_links(v_merge, v_results);
  perform private.crm_settle_gone(v_merge, v_results), private.crm_settle_journal(v_merge, v_results),
    private.crm_settle_deals(v_merge, v_results);
  v_failed := private.crm_settle_errors(v_merge, v_results);
  perform private.crm_settle_outbox(v_merge, v_results);
  perform private.crm_mark_dirty(v_merge.config_id, p_entity, array(select r.crm_id from unnest(v_results) r where r.outcome = 'linked'), 'linked'),
    private.crm_wake_children(v_merge, array(
      select r.record_id from unnest(v_results) r where r.action in ('create', 'look_up') and r.outcome in ('written', 'linked')));
  select jsonb_build_object(
    'created', count(*) filter (where r.outcome = 'written' and r.action in ('create', 'look_up')),
    'updated', count(*) filter (where r.outcome = 'written' and r.action = 'update'),
    'deleted', count(*) filter (where r.outcome = 'gone' or r.outcome = 'written' and r.action = 'delete'),
    'failed', count(*) filter (where r.outcome = 'failed' and (r.kind = 'rejected' or r.is_dead)),
    'linked', count(*) filter (where r.outcome = 'linked'),
    'retried', count(*) filter (where r.outcome = 'missing' or r.outcome = 'failed' and r.kind <> 'rejected' and not r.is_dead))
  into v_counts
  from unnest(v_results) r;
  perform private.crm_settle_count(v_merge, v_counts, v_failed),
    private.crm_confirm_resolutions(v_merge, array(select r.crm_id from unnest(v_results) r where r.outcome = 'written'));
  update private.crm_operation_state s set crashes = 0, updated_at = clock_timestamp() where s.operation_id = p_operation;
  perform set_config('pipeline_crm.sync_config', '', true);
  return v_counts;
end
$$;
comment on function private.crm_settle_outbound(uuid, bigint, text, jsonb) is
  'Takes down what the CRM answered: one transaction, repeatable with the same result. PC007 for a worker whose lease was taken over.';

revoke execute on function
  private.crm_settle_links(private.crm_merge_context, private.crm_push_result[]),
  private.crm_settle_gone(private.crm_merge_context, private.crm_push_result[]),
  private.crm_settle_journal(private.crm_merge_context, private.crm_push_result[]),
  private.crm_settle_deals(private.crm_merge_context, private.crm_push_result[]),
  private.crm_settle_errors(private.crm_merge_context, private.crm_push_result[]),
  private.crm_settle_outbox(private.crm_merge_context, private.crm_push_result[]),
  private.crm_wake_children(private.crm_merge_context, uuid[]), private.crm_settle_count(private.crm_merge_context, jsonb, int),
  private.crm_settle_outbound(uuid, bigint, text, jsonb)
  from public, anon, authenticated, service_role;
