-- Merge, keep: what is remembered about the page besides the records and their links: the journal, conflicts, notes,
-- relations that wait, errors.

create function private.crm_keep_journal(p_context private.crm_merge_context, p_changes private.crm_merge_change[]) returns void
language sql
set search_path = ''
as $$
  insert into private.crm_journal (operation_id, entity_type, record_id, crm_record_id, action, before, after, overruled)
  select p_context.operation_id, p_context.entity, c.record_id, c.crm_id, c.action, c.before,
    -- What a new record began with is in its link.
    case when c.action <> 'created' then c.written end, c.overruled
  from unnest(p_changes) c
  where c.written is not null or c.overruled is not null or c.action in ('linked', 'unlinked')
$$;

create type private.crm_found_conflict as (
  crm_id text, record_id uuid, app jsonb, crm jsonb, crm_values jsonb, base jsonb, fields text[]
);

-- The conflicts of the page, as far as they are asked of a person.
create function private.crm_found_conflicts(p_context private.crm_merge_context, p_changes private.crm_merge_change[])
returns private.crm_found_conflict[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg((
      c.crm_id, c.record_id, private.crm_side(o.conflict, 'app'), private.crm_side(o.conflict, 'crm'), private.crm_side(o.conflict, 'theirs'),
      private.crm_side(o.conflict, 'base'), array(select jsonb_object_keys(o.conflict))
    )::private.crm_found_conflict), '{}')
  from unnest(p_changes) c
  cross join lateral (select case when c.conflict is not null then private.crm_conflict_asked(p_context, c.crm_id, c.conflict) end as conflict) o
  where o.conflict is not null
$$;

-- What a person has decided and one side has changed since, before both were seen to agree: the same conflict is open again.
create function private.crm_reopen_conflicts(p_context private.crm_merge_context, p_found private.crm_found_conflict[]) returns setof text
language sql
set search_path = ''
as $$
  update public.crm_sync_conflicts k
  set status = 'pending', app_data = f.app, crm_data = f.crm, crm_values = f.crm_values, base = f.base, conflicting_fields = f.fields,
    operation_id = p_context.operation_id, detected_at = now(), resolution_strategy = null, resolved_by = null, resolved_at = null,
    resolved_data = null
  from unnest(p_found) f
  cross join lateral (
    select r.id
    from public.crm_sync_conflicts r
    where (r.config_id, r.entity_type, r.crm_record_id) = (p_context.config_id, p_context.entity, f.crm_id)
      and r.status = 'resolved' and r.applied_at is null and r.resolution_strategy in ('use_app', 'use_crm', 'manual')
      and r.conflicting_fields && f.fields
    order by r.detected_at desc
    limit 1
  ) latest
  where k.id = latest.id and not exists (
    select from public.crm_sync_conflicts p
    where (p.config_id, p.entity_type, p.crm_record_id) = (p_context.config_id, p_context.entity, f.crm_id) and p.status = 'pending')
  returning k.crm_record_id
$$;

-- Conflicts that wait for a person; the same one again is no new one. Answers how many records have a new or changed one.
create function private.crm_keep_pending_conflicts(p_context private.crm_merge_context, p_changes private.crm_merge_change[]) returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_found private.crm_found_conflict[];
  v_reopened text[];
  v_kept bigint;
begin
  if not exists (select from unnest(p_changes) c where c.conflict is not null) then
    return 0;
  end if;
  v_found := private.crm_found_conflicts(p_context, p_changes);
  v_reopened := array(select private.crm_reopen_conflicts(p_context, v_found));
  with kept as (
    insert into public.crm_sync_conflicts as k
      (workspace_id, config_id, operation_id, entity_type, entity_id, crm_record_id, app_data, crm_data, crm_values, base, conflicting_fields)
    select p_context.workspace_id, p_context.config_id, p_context.operation_id, p_context.entity, f.record_id, f.crm_id, f.app, f.crm,
      f.crm_values, f.base, f.fields
    from unnest(v_found) f
    where f.crm_id <> all (v_reopened)
    on conflict (config_id, entity_type, crm_record_id) where status = 'pending' do update
    set app_data = excluded.app_data, crm_data = excluded.crm_data, crm_values = excluded.crm_values, base = excluded.base,
      conflicting_fields = excluded.conflicting_fields, operation_id = excluded.operation_id, origin = 'sync', detected_at = now()
    where (k.app_data, k.crm_data) is distinct from (excluded.app_data, excluded.crm_data)
    returning 1
  )
  select count(*) into v_kept from kept;
  return v_kept + cardinality(v_reopened);
end
$$;

-- Pending conflicts that are none any more: both sides came to agree, or one went back. One that an undo left is none once
-- the CRM says something else.
create function private.crm_close_conflicts(p_context private.crm_merge_context, p_changes private.crm_merge_change[]) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_settled text[] := array(select c.crm_id from unnest(p_changes) c where c.had_conflict and c.conflict is null);
begin
  if exists (
    select from public.crm_sync_conflicts k
    where k.workspace_id = p_context.workspace_id and k.status = 'pending' and k.config_id = p_context.config_id and k.origin = 'undo')
  then
    v_settled := v_settled || array(
      select k.crm_record_id
      from unnest(p_changes) c
      join public.crm_sync_conflicts k
        on (k.config_id, k.entity_type, k.crm_record_id) = (p_context.config_id, p_context.entity, c.crm_id)
      where k.status = 'pending' and k.origin = 'undo' and c.conflict is null
        and exists (select from unnest(k.conflicting_fields) f where c.base -> f is distinct from k.crm_values -> f));
  end if;
  if v_settled = '{}' then
    return;
  end if;
  update public.crm_sync_conflicts k
  set status = 'resolved', resolution_strategy = 'agreed', resolved_at = now()
  where k.config_id = p_context.config_id and k.entity_type = p_context.entity and k.crm_record_id = any (v_settled) and k.status = 'pending';
end
$$;

-- Conflicts that the strategy decided: kept with both values, so that nothing is overruled without a trace.
create function private.crm_keep_decided_conflicts(p_context private.crm_merge_context, p_changes private.crm_merge_change[]) returns bigint
language sql
set search_path = ''
as $$
  with kept as (
    insert into public.crm_sync_conflicts
      (workspace_id, config_id, operation_id, entity_type, entity_id, crm_record_id, app_data, crm_data, base, conflicting_fields,
       status, resolution_strategy, resolved_at)
    select p_context.workspace_id, p_context.config_id, p_context.operation_id, p_context.entity, c.record_id, c.crm_id,
      private.crm_side(c.overruled, 'app'), private.crm_side(c.overruled, 'crm'), private.crm_side(c.overruled, 'base'),
      array(select jsonb_object_keys(c.overruled)), 'resolved',
      case
        when p_context.strategy = 'last_write_wins' then p_context.strategy
        when c.written ?| array(select jsonb_object_keys(c.overruled)) then 'crm_wins'
        else 'app_wins'
      end, now()
    from unnest(p_changes) c
    where c.overruled is not null
    returning 1
  )
  select count(*) from kept
$$;

create function private.crm_keep_notes(p_context private.crm_merge_context, p_changes private.crm_merge_change[]) returns void
language sql
set search_path = ''
as $$
  insert into public.crm_notes (workspace_id, content, related_to_type, related_to_id)
  select p_context.workspace_id, c.note, p_context.noun, c.record_id
  from unnest(p_changes) c
  where c.note is not null
$$;

-- Relations whose parent is not there yet, and those that no longer wait because the record says something else now.
create function private.crm_keep_waiting(p_context private.crm_merge_context, p_changes private.crm_merge_change[]) returns void
language sql
set search_path = ''
as $$
  delete from private.crm_pending_relations p
  using unnest(p_changes) c
  where p.config_id = p_context.config_id and p.entity_type = p_context.entity and p.record_id = c.record_id
    and c.base ->> p.relation is distinct from p.parent_crm_id;

  insert into private.crm_pending_relations (config_id, entity_type, record_id, relation, parent_entity, parent_crm_id)
  select p_context.config_id, p_context.entity, c.record_id, f.app_field, f.parent_entity, c.waiting ->> f.app_field
  from unnest(p_changes) c
  join private.crm_app_fields f on f.entity_type = p_context.entity and c.waiting ? f.app_field
  where c.waiting is not null
  on conflict (config_id, entity_type, record_id, relation) do update set parent_crm_id = excluded.parent_crm_id;
$$;

-- Parents of this page that others waited for. Ours is set only where nobody has set another meanwhile.
create function private.crm_settle_waiting(p_context private.crm_merge_context, p_changes private.crm_merge_change[]) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_arrived text[];
  v_kind record;
begin
  if not exists (
    select from private.crm_pending_relations p where p.config_id = p_context.config_id and p.parent_entity = p_context.entity) then
    return;
  end if;
  v_arrived := array(select c.crm_id from unnest(p_changes) c where c.action in ('created', 'linked'));
  for v_kind in
    select distinct p.entity_type, p.relation, e.table_name, f.column_name
    from private.crm_pending_relations p
    join private.crm_entities e on e.entity_type = p.entity_type
    join private.crm_app_fields f on f.entity_type = p.entity_type and f.app_field = p.relation
    where p.config_id = p_context.config_id and p.parent_entity = p_context.entity
      and p.parent_crm_id = any (v_arrived)
  loop
    execute format($sql$
      with arrived as (
        delete from private.crm_pending_relations p
        using private.crm_record_links l
        where p.config_id = $1 and p.entity_type = $2 and p.relation = $3 and p.parent_entity = $4 and p.parent_crm_id = any ($7)
          and l.config_id = p.config_id and l.entity_type = p.parent_entity and l.crm_record_id = p.parent_crm_id
        returning p.record_id, l.record_id as parent_id
      ),
      touched as (
        update public.%1$I t set %2$I = a.parent_id
        from arrived a
        where t.id = a.record_id and t.workspace_id = $5 and t.%2$I is null and t.id <> a.parent_id
        returning t.id, t.updated_at, a.parent_id
      ),
      kept as (
        update private.crm_record_links l set merged_at = u.updated_at
        from touched u
        where l.config_id = $1 and l.entity_type = $2 and l.record_id = u.id
        returning l.record_id, l.crm_record_id, u.parent_id
      )
      insert into private.crm_journal (operation_id, entity_type, record_id, crm_record_id, action, before, after)
      select $6, $2, k.record_id, k.crm_record_id, 'updated', jsonb_build_object($3, null), jsonb_build_object($3, k.parent_id)
      from kept k
    $sql$, v_kind.table_name, v_kind.column_name)
    using p_context.config_id, v_kind.entity_type, v_kind.relation, p_context.entity, p_context.workspace_id, p_context.operation_id,
      v_arrived;
  end loop;
end
$$;

create unique index crm_sync_errors_dead_record_uq on public.crm_sync_errors (config_id, entity_type, crm_record_id)
  where status = 'dead' and crm_record_id is not null;

-- One error per record, with the latest reason. What five runs could not read is a dead letter: it is still looked at whenever it
-- is read again, and says so to people until then. A record that got through closes its own.
create function private.crm_keep_errors(p_context private.crm_merge_context, p_problems private.crm_merge_problem[], p_crm_ids text[]) returns void
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
  if p_problems = '{}' and not exists (
    select from public.crm_sync_errors e
    where e.config_id = p_context.config_id and e.entity_type = p_context.entity and e.status = 'open' and e.crm_record_id is not null)
    and not exists (
    select from public.crm_sync_errors e
    where e.config_id = p_context.config_id and e.entity_type = p_context.entity and e.status = 'dead' and e.crm_record_id is not null) then
    return;
  end if;
  with failed as materialized (
    select p.crm_id, coalesce(p.code, 'rejected') as code, coalesce(p.message, 'The record was rejected.') as message, p.field, l.record_id
    from unnest(p_problems) p
    left join private.crm_record_links l
      on l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.crm_record_id = p.crm_id
  ),
  known as (
    update public.crm_sync_errors e
    set attempts = n.attempts, status = case when n.attempts >= 5 then 'dead' else e.status end, operation_id = p_context.operation_id,
      record_id = f.record_id, code = f.code, message = f.message, field = f.field, last_seen_at = clock_timestamp()
    from failed f
    join public.crm_sync_errors k
      on k.config_id = p_context.config_id and k.entity_type = p_context.entity and k.crm_record_id = f.crm_id and k.status in ('open', 'dead')
    -- A run is one attempt, however often it comes across the record.
    cross join lateral (select k.attempts + (k.operation_id is distinct from p_context.operation_id)::int as attempts) n
    where e.id = k.id
    returning e.crm_record_id
  )
  insert into public.crm_sync_errors as e (workspace_id, config_id, operation_id, entity_type, crm_record_id, record_id, kind, code, message, field)
  select p_context.workspace_id, p_context.config_id, p_context.operation_id, p_context.entity, f.crm_id, f.record_id, 'rejected',
    f.code, f.message, f.field
  from failed f
  where not exists (select from known k where k.crm_record_id = f.crm_id);

  update public.crm_sync_errors e
  set status = 'resolved', last_seen_at = clock_timestamp()
  where e.config_id = p_context.config_id and e.entity_type = p_context.entity and e.status in ('open', 'dead')
    and e.crm_record_id = any (p_crm_ids)
    and e.crm_record_id <> all (array(select p.crm_id from unnest(p_problems) p));
end
$$;

revoke execute on function
  private.crm_keep_journal(private.crm_merge_context, private.crm_merge_change[]),
  private.crm_found_conflicts(private.crm_merge_context, private.crm_merge_change[]),
  private.crm_reopen_conflicts(private.crm_merge_context, private.crm_found_conflict[]),
  private.crm_keep_pending_conflicts(private.crm_merge_context, private.crm_merge_change[]),
  private.crm_close_conflicts(private.crm_merge_context, private.crm_merge_change[]),
  private.crm_keep_decided_conflicts(private.crm_merge_context, private.crm_merge_change[]),
  private.crm_keep_notes(private.crm_merge_context, private.crm_merge_change[]),
  private.crm_keep_waiting(private.crm_merge_context, private.crm_merge_change[]),
  private.crm_settle_waiting(private.crm_merge_context, private.crm_merge_change[]),
  private.crm_keep_errors(private.crm_merge_context, private.crm_merge_problem[], text[])
  from public, anon, authenticated, service_role;
