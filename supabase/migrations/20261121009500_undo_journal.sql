-- Undo, journal: a run is taken back by going through its journal, newest first, and putting back each field that is still as
-- the run left it. What somebody edited since is kept and listed. It works on windows of the journal, each a set.

-- Changes on the side of the CRM wait here until the push of the undo takes them there.
create table private.crm_compensations (
  operation_id uuid not null references public.crm_sync_operations (id) on delete cascade,
  entity_type text not null,
  record_id uuid not null,
  crm_record_id text not null,
  action text not null check (action in ('update', 'create', 'delete')),
  -- written: what to write, as the base keeps values. expected: what the CRM must still have for that.
  written jsonb not null default '{}',
  expected jsonb not null default '{}',
  intent_at timestamptz,
  attempts int not null default 0,
  primary key (operation_id, entity_type, record_id)
);
alter table private.crm_compensations enable row level security;
revoke all on private.crm_compensations from public, anon, authenticated, service_role;
comment on table private.crm_compensations is 'What an undo has yet to put back in the CRM.';

-- One field of one record, over the rows of the window: what it goes back to, if it is still as the last of them left it.
create type private.crm_undo_field as (
  record_id uuid, crm_record_id text, field text, before jsonb, ours jsonb, is_kept boolean, problem text
);

-- A record that the run made, and what has happened to it since.
create type private.crm_undo_record as (record_id uuid, crm_record_id text, action text, is_kept boolean);

-- Objects laid over each other, the later over the earlier.
create function private.crm_overlaid(p_objects jsonb[]) returns jsonb
language sql
immutable
set search_path = ''
as $$
  select jsonb_object_agg(e.key, e.value order by o.place)
  from unnest(p_objects) with ordinality o (fields, place)
  cross join lateral jsonb_each(o.fields) e
$$;

-- Runs after this one that stand: neither undone nor undos themselves.
create function private.crm_stands(p_operation uuid) returns boolean
language sql
stable
set search_path = ''
as $$
  select not exists (
    select from public.crm_sync_operations o
    where o.id = p_operation and (o.undoes is not null or exists (
      select from public.crm_sync_operations u
      where u.workspace_id = o.workspace_id and u.undoes = o.id and not exists (
        select from public.crm_sync_operations v where v.workspace_id = u.workspace_id and v.undoes = u.id))))
$$;

create function private.crm_undo_fields(
  p_context private.crm_merge_context, p_rows private.crm_journal[], p_ours private.crm_merge_ours[]
) returns private.crm_undo_field[]
language plpgsql
set search_path = ''
as $$
declare
  v_fields private.crm_undo_field[];
begin
  execute format($sql$
    with written as materialized (
      select j.record_id, j.crm_record_id, j.id, v.key as field,
        coalesce(j.before -> v.key, case when v.key = '$deleted_at' then to_jsonb(now()) else 'null' end) as before, v.value as after,
        coalesce(o.fields -> v.key, o.fields #> array['custom_fields', substr(v.key, 15)]) as ours,
        f.data_type, coalesce(f.decimals, 0) as decimals,
        case when f.sql_type = 'jsonb' then f.fallback::jsonb else to_jsonb(f.fallback) end as empty
      from unnest($2) j
      join unnest($3) o on o.record_id = j.record_id
      cross join lateral jsonb_each(j.after) v
      left join private.crm_app_fields f on f.entity_type = j.entity_type and f.app_field = v.key
      where v.key not in ('$sync_status', '$crm_id', '$crm_source')
    ),
    -- A moment is the same in every time zone.
    moments as materialized (
      select w.record_id, w.crm_record_id, w.id, w.field, w.data_type, w.decimals, w.empty, w.ours as raw,
        case when w.data_type = 'datetime' then to_jsonb(extract(epoch from (w.before #>> '{}')::timestamptz)) else w.before end as before,
        case when w.data_type = 'datetime' then to_jsonb(extract(epoch from (w.after #>> '{}')::timestamptz)) else w.after end as after,
        case when w.data_type = 'datetime' then to_jsonb(extract(epoch from (w.ours #>> '{}')::timestamptz)) else w.ours end as ours,
        w.before as raw_before
      from written w
    ),
    steps as materialized (select d.*, %1$s as b, %2$s as a, %3$s as now from moments d),
    -- Where somebody came in between, it goes back to that person's value.
    chains as (
      select t.*, t.b is distinct from lag(t.a) over w or lag(t.id) over w is null as begins
      from steps t window w as (partition by t.record_id, t.field order by t.id)
    )
    select coalesce(array_agg((c.record_id, c.crm_record_id, c.field, c.before, c.raw, c.a is distinct from c.now,
      case when not private.crm_is_reachable($1.workspace_id, c.field, c.before) then 'points to a record or person that is gone.'
        when c.field = 'stage_key' and not exists (
          select from public.pipeline_stages s where s.workspace_id = $1.workspace_id and s.key = c.before #>> '{}')
          then 'is a stage that is gone.' end)::private.crm_undo_field), '{}')
    from (
      select t.record_id, min(t.crm_record_id) as crm_record_id, t.field, (array_agg(t.raw_before order by t.id desc) filter (where t.begins))[1] as before,
        (array_agg(t.a order by t.id desc))[1] as a, (array_agg(t.now))[1] as now, (array_agg(t.raw))[1] as raw
      from chains t
      group by t.record_id, t.field
    ) c
  $sql$, private.crm_canonical_sql('d.before'), private.crm_canonical_sql('d.after'), private.crm_canonical_sql('d.ours'))
  into v_fields using p_context, p_rows, p_ours;
  return v_fields;
end
$$;

-- Whether anything that is not deleted points to each of these records.
create function private.crm_related(p_entity text, p_workspace uuid, p_ids uuid[]) returns setof uuid
language sql
stable
set search_path = ''
as $$
  select c.company_id from public.crm_contacts c
  where p_entity = 'accounts' and c.workspace_id = p_workspace and c.company_id = any (p_ids) and c.deleted_at is null
  union
  select c.parent_company_id from public.crm_companies c
  where p_entity = 'accounts' and c.workspace_id = p_workspace and c.parent_company_id = any (p_ids) and c.deleted_at is null
  union
  select d.company_id from public.pipeline_projects d
  where p_entity = 'accounts' and d.workspace_id = p_workspace and d.company_id = any (p_ids) and d.deleted_at is null
  union
  select r.company_id from public.crm_projects r
  where p_entity = 'accounts' and r.workspace_id = p_workspace and r.company_id = any (p_ids) and r.deleted_at is null
  union
  select d.contact_id from public.pipeline_projects d
  where p_entity = 'contacts' and d.workspace_id = p_workspace and d.contact_id = any (p_ids) and d.deleted_at is null
  union
  select m.contact_id from public.crm_campaign_contacts m
  where p_entity = 'contacts' and m.workspace_id = p_workspace and m.contact_id = any (p_ids)
  union
  select r.deal_id from public.crm_projects r
  where p_entity = 'opportunities' and r.workspace_id = p_workspace and r.deal_id = any (p_ids) and r.deleted_at is null
  union
  select q.pipeline_project_id from public.pipeline_resource_demands q
  where p_entity = 'opportunities' and q.workspace_id = p_workspace and q.pipeline_project_id = any (p_ids)
  union
  select t.company_id from public.crm_tasks t
  where p_entity = 'accounts' and t.workspace_id = p_workspace and t.company_id = any (p_ids) and t.deleted_at is null
  union
  select t.contact_id from public.crm_tasks t
  where p_entity = 'contacts' and t.workspace_id = p_workspace and t.contact_id = any (p_ids) and t.deleted_at is null
  union
  select t.deal_id from public.crm_tasks t
  where p_entity = 'opportunities' and t.workspace_id = p_workspace and t.deal_id = any (p_ids) and t.deleted_at is null
  union
  -- A merge writes notes too, with no author.
  select t.company_id from public.crm_notes t
  where p_entity = 'accounts' and t.workspace_id = p_workspace and t.company_id = any (p_ids) and t.deleted_at is null and t.created_by_id is not null
  union
  select t.contact_id from public.crm_notes t
  where p_entity = 'contacts' and t.workspace_id = p_workspace and t.contact_id = any (p_ids) and t.deleted_at is null and t.created_by_id is not null
  union
  select t.deal_id from public.crm_notes t
  where p_entity = 'opportunities' and t.workspace_id = p_workspace and t.deal_id = any (p_ids) and t.deleted_at is null and t.created_by_id is not null
$$;

-- Records that the run made: they go unless somebody has edited them or related something to them since.
create function private.crm_undo_created(
  p_context private.crm_merge_context, p_rows private.crm_journal[], p_ours private.crm_merge_ours[]
) returns private.crm_undo_record[]
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
  return (with made as materialized (
    select j.record_id, j.crm_record_id, j.operation_id, j.id, o.deleted_at,
      o.updated_at > coalesce(l.merged_at, j.created_at) or l.app_edited_at is not null as is_edited
    from unnest(p_rows) j
    join unnest(p_ours) o on o.record_id = j.record_id
    left join private.crm_record_links l
      on (l.record_id, l.config_id, l.entity_type) = (j.record_id, p_context.config_id, p_context.entity)
    where j.action = 'created' and o.deleted_at is null
  ),
  related as materialized (
    select r.id from private.crm_related(p_context.entity, p_context.workspace_id, array(select m.record_id from made m)) r (id)
  )
  select coalesce(array_agg((m.record_id, m.crm_record_id, 'deleted',
      m.is_edited or r.id is not null or exists (
        select from private.crm_journal n
        where n.record_id = m.record_id and n.id > m.id and n.operation_id <> m.operation_id and n.side = 'app'
          and private.crm_stands(n.operation_id))
    )::private.crm_undo_record), '{}')
  from made m
  left join related r on r.id = m.record_id);
end
$$;

revoke execute on function private.crm_overlaid(jsonb[]), private.crm_stands(uuid),
  private.crm_undo_fields(private.crm_merge_context, private.crm_journal[], private.crm_merge_ours[]),
  private.crm_related(text, uuid, uuid[]),
  private.crm_undo_created(private.crm_merge_context, private.crm_journal[], private.crm_merge_ours[])
  from public, anon, authenticated, service_role;
