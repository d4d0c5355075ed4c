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
  insert into private.crm_record_links as l (config_id, entity_type, crm_record_id, record_id, workspace_id, base, shown, merged_at)
  select p_context.config_id, p_context.entity, r.crm_id, r.record_id, p_context.workspace_id,
    case r.outcome when 'written' then r.sent else '{}' end, r.shown, case r.outcome when 'written' then r.updated_at end
  from unnest(p_results) r
  where r.action in ('create', 'look_up') and r.outcome in ('written', 'linked')
  on conflict (config_id, entity_type, crm_record_id) do update
  set base = l.base || excluded.base, shown = l.shown - array(select jsonb_object_keys(excluded.base)) || excluded.shown,
    merged_at = coalesce(excluded.merged_at, l.merged_at), crm_deleted_at = null, deleted_by = null, updated_at = now();

  update private.crm_record_links l
  set base = l.base || r.sent, shown = l.shown - array(select jsonb_object_keys(r.sent)) || r.shown,
    merged_at = greatest(l.merged_at, r.updated_at),
    app_edited_at = case when r.is_partial then coalesce(l.app_edited_at, r.updated_at) when l.has_conflict then l.app_edited_at end,
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

-- The CRM does not know these records any more: deleted, or merged into others. Which of the two, only a look says, so they are
-- fetched by name; the rows wait for that. A connection that only writes never looks: there the record counts as deleted in
-- the CRM, and ours stays.
create function private.crm_settle_gone(p_context private.crm_push_context, p_results private.crm_push_result[]) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_merge constant private.crm_merge_context := p_context.merge;
  v_gone constant text[] := array(select r.crm_id from unnest(p_results) r where r.action = 'update' and r.outcome = 'gone');
begin
  if v_gone = '{}' then
    return;
  end if;
  if p_context.is_bidirectional then
    perform private.crm_mark_dirty(v_merge.config_id, v_merge.entity, v_gone, 'gone');
  else
    update private.crm_record_links l
    set crm_deleted_at = now(), deleted_by = 'crm', updated_at = now()
    where l.config_id = v_merge.config_id and l.entity_type = v_merge.entity and l.crm_record_id = any (v_gone) and l.crm_deleted_at is null;
  end if;
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
  where case r.outcome
    when 'written' then r.action <> 'update' or r.sent <> '{}'
    when 'gone' then r.action = 'delete'
    else r.outcome = 'linked'
  end
$$;

-- What a deal shows of itself. It is no edit: the link moves on with it. A deal that somebody is editing shows it after that.
create function private.crm_settle_deals(p_context private.crm_merge_context, p_results private.crm_push_result[]) returns void
language plpgsql
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
begin
  if p_context.entity <> 'opportunities' then
    return;
  end if;
  with free as materialized (
    select t.id, s.status, r.outcome
    from unnest(p_results) r
    -- In part is not in step: the open error says what is missing.
    cross join lateral (select case when r.outcome = 'failed' or r.is_partial then 'failed' else 'synced' end as status) s
    cross join lateral (
      select p.id from public.pipeline_projects p
      where p.id = r.record_id and p.workspace_id = p_context.workspace_id and p.sync_status is distinct from s.status
        and (p.sync_status is distinct from 'conflict' or r.outcome = 'failed')
      for update skip locked
    ) t
    where r.is_current and (r.outcome = 'failed' or r.outcome = 'written' and r.action <> 'delete')
  ),
  shown as (
    update public.pipeline_projects t
    set sync_status = f.status
    from free f
    where t.id = f.id
    returning t.id, t.updated_at, f.outcome
  )
  update private.crm_record_links l
  set merged_at = s.updated_at
  from shown s
  where s.outcome = 'written' and l.record_id = s.id and l.config_id = p_context.config_id and l.entity_type = p_context.entity;
end
$$;

-- One open error per record, also of one that was written without some of its fields. Answers how many records failed that
-- had not failed in this run before, less those that got through after all.
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
      and case when r.outcome = 'failed' or r.is_partial then e.status = 'dead'
        else (r.outcome in ('written', 'linked') or r.outcome = 'gone' and r.action = 'delete') and e.status <> 'resolved' end
  ),
  failed as (
    insert into public.crm_sync_errors as e
      (workspace_id, config_id, operation_id, entity_type, direction, record_id, kind, code, message, field, attempts)
    select p_context.workspace_id, p_context.config_id, p_context.operation_id, p_context.entity, 'push', r.record_id, r.kind, r.code,
      r.message, r.field, r.attempts
    from unnest(p_results) r
    where r.outcome = 'failed' or r.is_partial
    on conflict (config_id, entity_type, record_id) where status = 'open' and direction = 'push' do update
    set operation_id = excluded.operation_id, kind = excluded.kind, code = excluded.code, message = excluded.message,
      field = excluded.field, attempts = excluded.attempts, last_seen_at = clock_timestamp()
  )
  select count(*) filter (where (r.outcome = 'failed' or r.is_partial) and k.in_this_run is not true)::int
    - count(*) filter (
      where (r.outcome in ('written', 'linked') or r.outcome = 'gone' and r.action = 'delete') and not r.is_partial and k.in_this_run)::int
  from unnest(p_results) r
  left join known k on k.record_id = r.record_id
$$;

-- Done rows go; refused ones wait for an edit or a person, and those that are gone for the look at the CRM; the others come again
-- when their time has come. One that was edited meanwhile stays due as it is.
create function private.crm_settle_outbox(p_context private.crm_merge_context, p_results private.crm_push_result[]) returns void
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_done constant private.crm_push_result[] := array(
    select r from unnest(p_results) r where (r).is_current and ((r).outcome = 'written' or (r).outcome = 'gone' and (r).action = 'delete'));
  v_open constant private.crm_push_result[] := array(
    select r from unnest(p_results) r where not ((r).is_current and ((r).outcome = 'written' or (r).outcome = 'gone' and (r).action = 'delete')));
  v_rows tid[];
begin
  v_rows := private.crm_lock_outbox(p_context, array(select r.record_id from unnest(v_done) r), array(select r.version from unnest(v_done) r));
  delete from private.crm_outbox o where o.ctid = any (v_rows);

  v_rows := private.crm_lock_outbox(p_context, array(select r.record_id from unnest(v_open) r), array(select r.now_version from unnest(v_open) r));
  update private.crm_outbox o
  set settled = r.version, version = case when r.is_current then nextval('private.crm_outbox_version') else o.version end,
    not_before = case
      when not r.is_current or r.outcome not in ('failed', 'gone') then o.not_before
      when r.kind = 'rejected' or r.is_dead then 'infinity'
      else clock_timestamp() + r.wait
    end,
    attempts = case when r.is_current and r.outcome in ('failed', 'gone') then r.attempts else o.attempts end,
    dead = r.is_current and r.outcome = 'failed' and r.is_dead,
    -- Only where nobody knows what became of the create; a look-up that did not find out changes nothing about that.
    intent_at = case when r.outcome = 'failed' and (r.action = 'look_up' or r.action = 'create' and r.kind = 'transient') then o.intent_at end
  from unnest(v_open) r
  where o.ctid = any (v_rows) and o.record_id = r.record_id;

  update public.crm_sync_errors e
  set status = 'dead'
  from unnest(p_results) r
  where e.config_id = p_context.config_id and e.entity_type = p_context.entity and e.record_id = r.record_id and e.direction = 'push'
    and e.status = 'open' and r.is_current and r.outcome = 'failed' and r.is_dead;
end
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
      -- One that somebody is writing to becomes due by that.
      waiting as materialized (
        select o.record_id
        from children c
        cross join lateral (
          select b.record_id from private.crm_outbox b
          where b.record_id = c.id and b.config_id = $2 and b.entity_type = $4 and not b.dead and b.not_before > now()
          for update skip locked
        ) o
      ),
      woken as (
        update private.crm_outbox o
        set not_before = clock_timestamp(), version = nextval('private.crm_outbox_version')
        from waiting w
        where o.record_id = w.record_id and o.config_id = $2 and o.entity_type = $4
      )
      insert into private.crm_outbox (config_id, entity_type, record_id, workspace_id)
      select $2, $4, c.id, $3 from children c where c.is_linked and $5 is not null
      on conflict do nothing
    $sql$, v_kind.table_name, v_kind.column_name)
    using p_parents, p_context.config_id, p_context.workspace_id, v_kind.entity_type, v_kind.app_field;
  end loop;
end
$$;

-- A record that was found there already, and is linked now, is in step without a write: it counts as unchanged. p_partial: of
-- the failed, those that are among the synced too.
create function private.crm_settle_count(p_context private.crm_merge_context, p_counts jsonb, p_failed int, p_partial int) returns void
language sql
set search_path = ''
as $$
  insert into public.crm_sync_logs as l (
    workspace_id, config_id, operation_id, sync_direction, entity_type, records_processed, records_synced, records_created, records_updated,
    records_unchanged, records_deleted, records_failed)
  select p_context.workspace_id, p_context.config_id, p_context.operation_id, 'push', p_context.entity, s.synced + p_failed - p_partial, s.synced,
    c.created, c.updated, c.linked, c.deleted, p_failed
  from jsonb_to_record(p_counts) as c (created int, updated int, linked int, deleted int)
  cross join lateral (select c.created + c.updated + c.linked + c.deleted as synced) s
  where s.synced > 0 or p_failed <> 0
  on conflict (operation_id, entity_type, sync_direction) do update
  set records_processed = l.records_processed + excluded.records_processed, records_synced = l.records_synced + excluded.records_synced,
    records_created = l.records_created + excluded.records_created, records_updated = l.records_updated + excluded.records_updated,
    records_unchanged = l.records_unchanged + excluded.records_unchanged, records_deleted = l.records_deleted + excluded.records_deleted,
    records_failed = l.records_failed + excluded.records_failed;

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
  v_results := private.crm_push_results(v_context, p_results);

  perform private.crm_settle_echoes(v_merge, v_results);
  perform private.crm_settle_links(v_merge, v_results);
  perform private.crm_settle_gone(v_context, v_results), private.crm_settle_journal(v_merge, v_results),
    private.crm_settle_deals(v_merge, v_results);
  v_failed := private.crm_settle_errors(v_merge, v_results);
  perform private.crm_settle_outbox(v_merge, v_results);
  perform private.crm_mark_dirty(v_merge.config_id, p_entity, array(select r.crm_id from unnest(v_results) r where r.outcome = 'linked'), 'linked'),
    private.crm_wake_children(v_merge, array(
      select r.record_id from unnest(v_results) r where r.action in ('create', 'look_up') and r.outcome in ('written', 'linked')));
  select jsonb_build_object(
    'created', count(*) filter (where r.outcome = 'written' and r.action in ('create', 'look_up')),
    -- An update of which nothing could be sent is none.
    'updated', count(*) filter (where r.outcome = 'written' and r.action = 'update' and r.sent <> '{}'),
    'deleted', count(*) filter (where r.outcome in ('gone', 'written') and r.action = 'delete'),
    'failed', count(*) filter (where r.outcome = 'failed' and (r.kind = 'rejected' or r.is_dead)),
    'linked', count(*) filter (where r.outcome = 'linked'),
    'retried', count(*) filter (where r.outcome = 'missing' or r.outcome = 'gone' and r.action = 'update' or r.outcome = 'failed' and r.kind <> 'rejected' and not r.is_dead))
  into v_counts
  from unnest(v_results) r;
  perform private.crm_settle_count(v_merge, v_counts, v_failed,
      (select count(*)::int from unnest(v_results) r where r.is_partial and (r.action <> 'update' or r.sent <> '{}'))),
    private.crm_confirm_resolutions(v_merge, array(select r.crm_id from unnest(v_results) r where r.outcome = 'written'));
  perform private.crm_keep_statistics('private.crm_record_links');
  update private.crm_operation_state s set crashes = 0, updated_at = clock_timestamp() where s.operation_id = p_operation;
  perform set_config('pipeline_crm.sync_config', '', true);
  return v_counts;
end
$$;
comment on function private.crm_settle_outbound(uuid, bigint, text, jsonb) is
  'Takes down what the CRM answered: one transaction, repeatable with the same result. PC007 for a worker whose lease was taken over.';

revoke execute on function
  private.crm_settle_links(private.crm_merge_context, private.crm_push_result[]),
  private.crm_settle_gone(private.crm_push_context, private.crm_push_result[]),
  private.crm_settle_journal(private.crm_merge_context, private.crm_push_result[]),
  private.crm_settle_deals(private.crm_merge_context, private.crm_push_result[]),
  private.crm_settle_errors(private.crm_merge_context, private.crm_push_result[]),
  private.crm_settle_outbox(private.crm_merge_context, private.crm_push_result[]),
  private.crm_wake_children(private.crm_merge_context, uuid[]), private.crm_settle_count(private.crm_merge_context, jsonb, int, int),
  private.crm_settle_outbound(uuid, bigint, text, jsonb)
  from public, anon, authenticated, service_role;
