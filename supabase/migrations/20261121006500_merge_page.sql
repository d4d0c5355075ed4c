-- Merge: the whole page, in one transaction.

create type private.crm_merge_counts as (
  created int, updated int, unchanged int, deleted int, failed int, skipped int, conflicts int, conflicts_resolved int
);

-- Adds the page to the run's log and progress and moves the checkpoint on. A page that was delivered twice has left its
-- checkpoint already and is not counted again. Without a checkpoint the records were fetched by name: the place of the reader
-- and its totals stay, and what was found unchanged does not count. A limited run has not read all there is up to its place, which
-- is not kept.
create function private.crm_merge_count(
  p_context private.crm_merge_context, p_counts private.crm_merge_counts, p_checkpoint jsonb, p_cursor jsonb
) returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_again boolean := (select s.checkpoint = p_checkpoint from private.crm_operation_state s where s.operation_id = p_context.operation_id);
  v_unchanged constant int := case when p_checkpoint is null then 0 else p_counts.unchanged end;
  v_synced constant int := p_counts.created + p_counts.updated + v_unchanged + p_counts.deleted;
  v_processed constant int := v_synced + p_counts.failed + p_counts.skipped;
  v_done bigint;
begin
  update private.crm_operation_state s
  set checkpoint = coalesce(p_checkpoint, s.checkpoint), crashes = 0, updated_at = clock_timestamp()
  where s.operation_id = p_context.operation_id;
  if (p_checkpoint ->> 'entity_done')::boolean and not exists (
    select from public.crm_sync_operations o where o.id = p_context.operation_id and o.filters ? p_context.entity)
  then
    insert into private.crm_cursors as c (config_id, entity_type, cursor)
    -- Nothing was there: what is read from now on is later than this run, whatever the CRM's clock says. Without a time,
    -- the next run would begin anew, and not ask for deletions.
    values (p_context.config_id, p_context.entity, coalesce(p_cursor, jsonb_build_object('id', '', 'modified_at',
      to_char((p_context.started_at - interval '1 hour') at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))))
    on conflict (config_id, entity_type) do update
    set cursor = case when p_cursor is null then coalesce(c.cursor, excluded.cursor) else p_cursor end, updated_at = now();
  end if;

  insert into public.crm_sync_logs as l (
    workspace_id, config_id, operation_id, sync_direction, entity_type, records_processed, records_synced, records_created, records_updated,
    records_unchanged, records_deleted, records_failed, records_skipped, conflicts_detected, conflicts_resolved)
  select p_context.workspace_id, p_context.config_id, p_context.operation_id, 'pull', p_context.entity, v_processed, v_synced, p_counts.created,
    p_counts.updated, v_unchanged, p_counts.deleted, p_counts.failed, p_counts.skipped, p_counts.conflicts, p_counts.conflicts_resolved
  where v_again is not true and (p_checkpoint is not null or v_processed > 0)
  on conflict (operation_id, entity_type, sync_direction) do update
  set records_processed = l.records_processed + excluded.records_processed, records_synced = l.records_synced + excluded.records_synced,
    records_created = l.records_created + excluded.records_created, records_updated = l.records_updated + excluded.records_updated,
    records_unchanged = l.records_unchanged + excluded.records_unchanged, records_deleted = l.records_deleted + excluded.records_deleted,
    records_failed = l.records_failed + excluded.records_failed, records_skipped = l.records_skipped + excluded.records_skipped,
    conflicts_detected = l.conflicts_detected + excluded.conflicts_detected,
    conflicts_resolved = l.conflicts_resolved + excluded.conflicts_resolved;

  select l.records_processed into v_done
  from public.crm_sync_logs l
  where l.operation_id = p_context.operation_id and l.entity_type = p_context.entity and l.sync_direction = 'pull';
  if p_checkpoint is null then
    return v_done;
  end if;
  update public.crm_sync_operations o
  set progress = private.crm_progress(o.progress, p_context.entity, jsonb_build_object('done', v_done)
    -- Read to the end: what was counted is the total, whatever the CRM had estimated.
    || case when (p_checkpoint ->> 'entity_done')::boolean then jsonb_build_object('total', v_done) else '{}' end, o.started_at)
  where o.id = p_context.operation_id;
  return v_done;
end
$$;

create function private.crm_merge_without(p_rows private.crm_merge_row[], p_problems private.crm_merge_problem[]) returns private.crm_merge_row[]
language sql
immutable
set search_path = ''
as $$
  select case when p_problems = '{}' then p_rows else (
    select coalesce(array_agg(r), '{}')
    from unnest(p_rows) r
    where (r).crm_id <> all (array(select p.crm_id from unnest(p_problems) p)))
  end
$$;

-- Records that the worker could not map; of those that the filter leaves out the linked ones.
create function private.crm_merge_rejected(p_context private.crm_merge_context, p_rejected jsonb) returns private.crm_merge_problem[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg((r.crm_id, r.code, r.message, r.field)::private.crm_merge_problem), '{}')
  from (
    select distinct on (j.crm_id) j.*
    from jsonb_to_recordset(coalesce(p_rejected, '[]')) as j (crm_id text, code text, message text, field text, only_linked boolean)
    where j.only_linked is not true or exists (
      select from private.crm_record_links l
      where l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.crm_record_id = j.crm_id)
    order by j.crm_id
  ) r
$$;

-- How the records of a page came out. Every record is counted once; those that needed no look are unchanged.
create function private.crm_merge_tally(
  p_outcome private.crm_merge_outcome, p_rows int, p_crm_ids text[], p_problems private.crm_merge_problem[]
) returns private.crm_merge_counts
language sql
stable
set search_path = ''
as $$
  select (p_outcome.created, p_outcome.updated,
    cardinality(p_crm_ids) - f.on_page - p_outcome.created - p_outcome.updated - p_outcome.deleted - (p_rows - p_outcome.records),
    p_outcome.deleted, f.failed, p_rows - p_outcome.records, 0, 0)::private.crm_merge_counts
  from (
    select count(distinct p.crm_id)::int as failed, count(distinct p.crm_id) filter (where p.crm_id = any (p_crm_ids))::int as on_page
    from unnest(p_problems) p
  ) f
$$;

-- What is remembered of the changes, in the order in which one step relies on another.
create function private.crm_merge_keep(
  p_context private.crm_merge_context, p_changes private.crm_merge_change[], p_touched private.crm_merge_ours[],
  p_outcome private.crm_merge_outcome
) returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_outcome.adds_links then
    perform private.crm_add_links(p_context, p_changes, p_touched);
  end if;
  if p_outcome.keeps_links then
    perform private.crm_keep_links(p_context, p_changes, p_touched);
  end if;
  perform private.crm_keep_journal(p_context, p_changes);
  if p_outcome.has_note then
    perform private.crm_keep_notes(p_context, p_changes);
  end if;
  if p_outcome.has_waiting or exists (
    select from private.crm_pending_relations p where p.config_id = p_context.config_id and p.entity_type = p_context.entity) then
    perform private.crm_keep_waiting(p_context, p_changes);
  end if;
  if p_outcome.has_arrived then
    perform private.crm_settle_waiting(p_context, p_changes);
  end if;
  perform private.crm_close_conflicts(p_context, p_changes);
end
$$;

-- A first sync fills empty tables faster than autovacuum looks at them, and an ANALYZE that runs amid the first page even
-- counts no rows at all. Plans made on such figures walk the whole workspace for every row; one column is enough to set them
-- right. Passed over when somebody else is at it.
create function private.crm_keep_statistics(p_table regclass, p_column name) returns void
language plpgsql
set search_path = ''
as $$
begin
  if not exists (
    select from pg_catalog.pg_class c
    where c.oid = p_table
      and pg_relation_size(c.oid) > case when c.reltuples > 0 then 4 * c.relpages * current_setting('block_size')::bigint else 0 end)
  then
    return;
  end if;
  execute format('lock table %s in share update exclusive mode nowait', p_table);
  execute format('analyze %s (%I)', p_table, p_column);
exception
  when lock_not_available then
    return;
end
$$;

create function private.crm_merge_page(
  p_operation uuid, p_fence bigint, p_entity text, p_records jsonb, p_rejected jsonb, p_checkpoint jsonb, p_cursor jsonb
) returns jsonb
language plpgsql
set search_path = ''
-- Pages are a few megabytes; the steps sort and hash them in memory.
set work_mem = '64MB'
as $$
declare
  v_context private.crm_merge_context := private.crm_merge_begin(p_operation, p_fence, p_entity);
  v_page private.crm_merge_arrivals := private.crm_merge_arrivals(p_records);
  v_rows private.crm_merge_row[] := private.crm_merge_read(v_context, p_records);
  v_problems private.crm_merge_problem[] := private.crm_merge_check(v_context, v_rows);
  v_needs private.crm_merge_needs;
  v_ours private.crm_merge_ours[];
  v_changes private.crm_merge_change[] := '{}';
  v_outcome private.crm_merge_outcome;
  v_touched private.crm_merge_ours[] := '{}';
  v_merged int;
  v_split private.crm_split_counts := (0, 0, 0);
  v_counts private.crm_merge_counts;
  v_done bigint;
begin
  v_rows := private.crm_merge_without(v_rows, v_problems);
  v_needs := private.crm_merge_needs(v_rows);
  if v_page.has_merged then
    v_merged := private.crm_merge_survivors(v_context, p_records);
  end if;
  if v_needs.has_new then
    v_split := private.crm_merge_split(v_context, v_rows);
  end if;
  if v_split.created > 0 or v_merged is not null then
    -- Links have changed, and with them what there is to do.
    v_rows := private.crm_merge_read(v_context, p_records);
    v_problems := private.crm_merge_check(v_context, v_rows);
    v_rows := private.crm_merge_without(v_rows, v_problems);
    v_needs := private.crm_merge_needs(v_rows);
  end if;
  if v_needs.has_new then
    v_rows := private.crm_merge_match(v_context, v_rows);
  end if;
  v_ours := private.crm_merge_ours(v_context, v_rows, v_needs.fields);
  v_changes := private.crm_merge_compare(v_context, v_rows, v_ours);
  if cardinality(v_ours) < cardinality(v_rows) then
    v_changes := private.crm_merge_creates(v_context, v_rows, v_ours) || v_changes;
  end if;
  if v_needs.has_deleted then
    v_changes := v_changes || private.crm_merge_deletes(v_context, v_rows, v_ours);
  end if;
  v_outcome := private.crm_merge_outcome(v_changes);

  if v_outcome.created > 0 then
    perform private.crm_merge_insert(v_context, v_changes);
  end if;
  if v_outcome.updated + v_outcome.deleted > 0 then
    v_touched := private.crm_merge_update(v_context, v_changes);
  end if;

  v_problems := v_problems || private.crm_merge_back_again(v_context, p_records) || private.crm_merge_rejected(v_context, p_rejected);
  v_counts := private.crm_merge_tally(v_outcome, cardinality(v_rows), v_page.crm_ids, v_problems);
  -- The log counts each record for what became of it, the answer for what this page did.
  v_counts.created := v_counts.created + v_split.created;
  v_counts.updated := v_counts.updated - v_split.not_updated;
  v_counts.unchanged := v_counts.unchanged - v_split.not_unchanged - coalesce(v_merged, 0);
  v_counts.deleted := v_counts.deleted + coalesce(v_merged, 0);
  if v_outcome.records > 0 then
    perform private.crm_merge_keep(v_context, v_changes, v_touched, v_outcome);
  end if;
  perform private.crm_keep_errors(v_context, v_problems, v_page.crm_ids),
    private.crm_confirm_resolutions(v_context, v_page.crm_ids), private.crm_wake_back(v_context, v_rows, v_ours);
  if v_outcome.is_overruled then
    v_counts.conflicts_resolved := private.crm_keep_decided_conflicts(v_context, v_changes);
  end if;
  if v_outcome.has_conflict then
    v_counts.conflicts := private.crm_keep_pending_conflicts(v_context, v_changes);
  end if;
  v_counts.conflicts := v_counts.conflicts + v_counts.conflicts_resolved;
  v_done := private.crm_merge_count(v_context, v_counts, p_checkpoint, p_cursor);
  perform private.crm_keep_statistics(format('public.%I', v_context.target), 'workspace_id'),
    private.crm_keep_statistics('private.crm_record_links', 'config_id');

  -- What follows in this transaction is not this connection's doing.
  perform set_config('pipeline_crm.sync_config', '', true);
  return jsonb_build_object(
    'created', v_counts.created, 'updated', v_counts.updated + v_split.not_updated,
    'unchanged', v_counts.unchanged + v_split.not_unchanged, 'deleted', v_counts.deleted,
    'failed', v_counts.failed, 'skipped', v_counts.skipped, 'conflicts', v_counts.conflicts, 'done', v_done);
end
$$;
comment on function private.crm_merge_page(uuid, bigint, text, jsonb, jsonb, jsonb, jsonb) is
  'Merges one page of CRM records into ours: one transaction, repeatable with the same result. PC007 for a worker whose lease was taken over.';

revoke execute on function
  private.crm_merge_without(private.crm_merge_row[], private.crm_merge_problem[]), private.crm_merge_rejected(private.crm_merge_context, jsonb),
  private.crm_merge_tally(private.crm_merge_outcome, int, text[], private.crm_merge_problem[]),
  private.crm_merge_keep(private.crm_merge_context, private.crm_merge_change[], private.crm_merge_ours[], private.crm_merge_outcome),
  private.crm_merge_count(private.crm_merge_context, private.crm_merge_counts, jsonb, jsonb),
  private.crm_keep_statistics(regclass, name), private.crm_merge_page(uuid, bigint, text, jsonb, jsonb, jsonb, jsonb)
  from public, anon, authenticated, service_role;
