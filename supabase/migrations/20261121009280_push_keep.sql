-- Push, keep: what the answers leave behind with the records: links with their base, the journal, what a deal shows of itself.

-- Locks the links of some records, each found by its key, and answers where they are. Joined with the results at once, links
-- would be compared with results one by one where statistics know nothing of a table that has just been filled.
create function private.crm_lock_links(p_context private.crm_merge_context, p_records uuid[]) returns tid[]
language plpgsql
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
begin
  return array(
    select l.ctid
    from unnest(p_records) r (id)
    cross join lateral (
      select k.ctid from private.crm_record_links k
      where k.record_id = r.id and k.config_id is not distinct from p_context.config_id and k.entity_type is not distinct from p_context.entity
      for update
    ) l);
end
$$;

-- A record that was deleted and restored here leaves its old link behind, and the id that it had.
create function private.crm_settle_links(p_context private.crm_merge_context, p_results private.crm_push_result[]) returns void
language plpgsql
set search_path = ''
-- Links are written where they were locked.
set enable_seqscan = off
set jit = off
as $$
declare
  v_links tid[];
begin
  v_links := private.crm_lock_links(p_context, array(
    select r.record_id from unnest(p_results) r where r.action in ('create', 'look_up') and r.outcome in ('written', 'linked')));
  with former as (
    delete from private.crm_record_links l
    using unnest(p_results) r
    where l.ctid = any (v_links) and l.record_id = r.record_id and l.crm_deleted_at is not null and l.crm_record_id <> r.crm_id
    returning l.config_id, l.entity_type, l.crm_record_id, l.crm_modified_at, r.crm_id
  )
  insert into private.crm_former_ids as m (config_id, entity_type, crm_record_id, modified, replaced_by)
  select f.config_id, f.entity_type, f.crm_record_id, f.crm_modified_at, f.crm_id from former f
  on conflict (config_id, entity_type, crm_record_id) do update
  -- One that was merged away is known with the time of the merge.
  set modified = case when m.modified::timestamptz > excluded.modified::timestamptz then m.modified else excluded.modified end,
    replaced_by = excluded.replaced_by;

  -- What the CRM has of a record that was there already is not known: the next fetch compares all of it.
  insert into private.crm_record_links as l (config_id, entity_type, crm_record_id, record_id, workspace_id, base, shown, merged_at, crm_modified_at)
  select p_context.config_id, p_context.entity, r.crm_id, r.record_id, p_context.workspace_id,
    case r.outcome when 'written' then r.sent else '{}' end, r.shown, case r.outcome when 'written' then r.updated_at end, r.modified
  from unnest(p_results) r
  where r.action in ('create', 'look_up') and r.outcome in ('written', 'linked')
  on conflict (config_id, entity_type, crm_record_id) do update
  set base = l.base || excluded.base, shown = l.shown - array(select jsonb_object_keys(excluded.base)) || excluded.shown,
    merged_at = coalesce(excluded.merged_at, l.merged_at), crm_modified_at = coalesce(excluded.crm_modified_at, l.crm_modified_at),
    crm_deleted_at = null, deleted_by = null, took_ours = false, updated_at = now();

  v_links := private.crm_lock_links(p_context, array(
    select r.record_id from unnest(p_results) r
    where r.action = 'update' and r.outcome = 'written' or r.action = 'delete' and r.outcome in ('written', 'gone')));
  update private.crm_record_links l
  set base = l.base || r.sent, shown = l.shown - array(select jsonb_object_keys(r.sent)) || r.shown,
    merged_at = greatest(l.merged_at, r.updated_at), crm_modified_at = coalesce(r.modified, l.crm_modified_at),
    app_edited_at = case when r.is_partial then coalesce(l.app_edited_at, r.updated_at) when l.has_conflict then l.app_edited_at end,
    updated_at = now()
  from unnest(p_results) r
  where l.ctid = any (v_links) and l.crm_record_id = r.crm_id and l.record_id = r.record_id and r.action = 'update' and r.outcome = 'written';

  update private.crm_record_links l
  set crm_deleted_at = now(), deleted_by = 'app', updated_at = now()
  from unnest(p_results) r
  where l.ctid = any (v_links) and l.crm_record_id = r.crm_id and l.record_id = r.record_id and r.action = 'delete';
end
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

-- What a deal shows of itself, with the id of one that was created there anew. It is no edit: the link moves on with it. A deal that
-- somebody is editing shows it after that.
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
    select t.id, t.status, r.outcome, t.replaced_by
    from unnest(p_results) r
    cross join lateral (
      select p.id, s.status, f.replaced_by
      from public.pipeline_projects p
      -- In part is not in step, nor is one that another CRM has not got: the open error says what is missing.
      cross join lateral (
        select case
          when r.outcome = 'failed' or r.is_partial or p.sync_status = 'failed' and private.crm_deal_fails(p_context, p.id, p_context.config_id) then 'failed'
          when p.sync_status = 'failed' and private.crm_deal_waits(p.id) then 'conflict'
          else 'synced'
        end as status
      ) s
      left join lateral (
        select i.replaced_by from private.crm_former_ids i
        where i.config_id = p_context.config_id and i.entity_type = p_context.entity and i.crm_record_id = p.crm_id and i.replaced_by = r.crm_id
        offset 0
      ) f on true
      where p.id = r.record_id and p.workspace_id = p_context.workspace_id
        and (p.sync_status is distinct from s.status and (p.sync_status is distinct from 'conflict' or r.outcome = 'failed')
          or f.replaced_by is not null)
      for update of p skip locked
    ) t
    where r.is_current and (r.outcome = 'failed' or r.outcome = 'written' and r.action <> 'delete')
  ),
  shown as (
    update public.pipeline_projects t
    set sync_status = f.status, crm_id = coalesce(f.replaced_by, t.crm_id)
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

-- Deals with nothing left to send: one that had failed is in step, unless another CRM has not got it. That is no edit.
create function private.crm_show_idle(p_context private.crm_merge_context, p_deals uuid[]) returns void
language plpgsql
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
begin
  if p_context.entity <> 'opportunities' or p_deals = '{}' then
    return;
  end if;
  with was as materialized (
    select t.id, t.updated_at
    from public.pipeline_projects t
    where t.id = any (p_deals) and t.workspace_id = p_context.workspace_id and t.sync_status = 'failed' and not private.crm_deal_fails(p_context, t.id)
    for update skip locked
  ),
  shown as (
    update public.pipeline_projects t
    set sync_status = case when private.crm_deal_waits(t.id) then 'conflict' else 'synced' end
    from was
    where t.id = was.id
    returning t.id, t.updated_at, was.updated_at as edited_at
  )
  update private.crm_record_links l
  set merged_at = s.updated_at, app_edited_at = case when s.edited_at > l.merged_at then s.edited_at else l.app_edited_at end
  from shown s
  where l.record_id = s.id and l.config_id = p_context.config_id and l.entity_type = p_context.entity;
end
$$;

revoke execute on function
  private.crm_lock_links(private.crm_merge_context, uuid[]), private.crm_settle_links(private.crm_merge_context, private.crm_push_result[]),
  private.crm_settle_gone(private.crm_push_context, private.crm_push_result[]),
  private.crm_settle_journal(private.crm_merge_context, private.crm_push_result[]),
  private.crm_settle_deals(private.crm_merge_context, private.crm_push_result[]),
  private.crm_show_idle(private.crm_merge_context, uuid[])
  from public, anon, authenticated, service_role;
