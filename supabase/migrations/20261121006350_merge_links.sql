-- Merge, links: each record of the CRM with ours and the base, the values both sides last agreed on.

alter table private.crm_record_links add column took_ours boolean not null default false;
comment on column private.crm_record_links.took_ours is 'Ours was gone when the CRM''s had gone, deleted with it or by a person before: where ours lives all the same, somebody restored it.';

-- {field: {side: value}} → {field: value} for one side.
create function private.crm_side(p_fields jsonb, p_side text) returns jsonb
language sql
immutable
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(f.key, f.value -> p_side), '{}') from jsonb_each(p_fields) f
$$;

-- Without plan_cache_mode: it would reach into the foreign key's checks and have each of them planned anew.
create function private.crm_add_links(
  p_context private.crm_merge_context, p_changes private.crm_merge_change[], p_touched private.crm_merge_ours[]
) returns void
language sql
set search_path = ''
as $$
  insert into private.crm_record_links
    (config_id, entity_type, crm_record_id, record_id, workspace_id, base, crm_modified_at, merged_at, has_conflict, matched_on)
  select p_context.config_id, p_context.entity, c.crm_id, c.record_id, p_context.workspace_id, c.base, c.modified,
    case when c.action = 'created' then now() else t.updated_at end, c.conflict is not null, k.key
  from unnest(p_changes) c
  left join unnest(p_touched) t on t.record_id = c.record_id
  left join private.crm_match_keys(p_context.entity, array(select m.crm_id from unnest(p_changes) m where m.action = 'linked'),
    array(select m.base || private.crm_side(m.conflict, 'crm') from unnest(p_changes) m where m.action = 'linked')) k on k.crm_id = c.crm_id
  where c.had_conflict is null;
$$;

-- The changes of records that have a link already, with our updated_at where they were written. A function, so that the settings
-- of the next one do not reach it.
create function private.crm_linked_changes(
  p_context private.crm_merge_context, p_changes private.crm_merge_change[], p_touched private.crm_merge_ours[]
) returns table (
  config_id uuid, entity text, crm_id text, modified text, action text, base jsonb, crm_deleted_at timestamptz, app_edited_at timestamptz,
  has_conflict boolean, touched_at timestamptz, took_ours boolean
)
language sql
stable
set search_path = ''
set enable_hashjoin = on
as $$
  select p_context.config_id, p_context.entity, c.crm_id, c.modified, c.action, c.base, c.crm_deleted_at, c.app_edited_at,
    c.conflict is not null, t.updated_at,
    c.action = 'deleted' and coalesce(c.before ? '$deleted_at', false)
  from unnest(p_changes) c
  left join unnest(p_touched) t on t.record_id = c.record_id
  where c.had_conflict is not null
$$;

create function private.crm_keep_links(
  p_context private.crm_merge_context, p_changes private.crm_merge_change[], p_touched private.crm_merge_ours[]
) returns void
language plpgsql
set search_path = ''
-- Each link by its key, whatever the statistics say: the whole key comes with the change, so that no plan takes the part that all
-- have in common for a search of its own.
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
begin
  update private.crm_record_links l
  set base = c.base, crm_modified_at = case when c.crm_deleted_at is null then c.modified else coalesce(c.modified, l.crm_modified_at) end,
    crm_deleted_at = c.crm_deleted_at, merged_into = case when c.crm_deleted_at is not null then l.merged_into end,
    deleted_by = case when c.crm_deleted_at is not null then 'crm' end, took_ours = c.took_ours, app_edited_at = c.app_edited_at,
    merged_at = coalesce(case when c.action = 'created' then now() else c.touched_at end, l.merged_at),
    matched_on = case when c.action <> 'created' then l.matched_on end, has_conflict = c.has_conflict, updated_at = now()
  from private.crm_linked_changes(p_context, p_changes, p_touched) c
  where l.config_id = c.config_id and l.entity_type = c.entity and l.crm_record_id = c.crm_id
    and (c.touched_at is not null or c.action = 'created'
      or (l.base, l.crm_deleted_at, l.has_conflict) is distinct from (c.base, c.crm_deleted_at, c.has_conflict));
end
$$;

revoke execute on function
  private.crm_side(jsonb, text),
  private.crm_add_links(private.crm_merge_context, private.crm_merge_change[], private.crm_merge_ours[]),
  private.crm_linked_changes(private.crm_merge_context, private.crm_merge_change[], private.crm_merge_ours[]),
  private.crm_keep_links(private.crm_merge_context, private.crm_merge_change[], private.crm_merge_ours[])
  from public, anon, authenticated, service_role;
