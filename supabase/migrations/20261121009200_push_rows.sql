-- Push, rows: the next rows of the outbox, each beside our record and its link, and what is to be done about it.
--
-- Every look-up is a lateral subquery that is never flattened (offset 0), so that each row is found by its key. The outbox grows
-- and drains faster than statistics follow, and a plan made for an empty one would compare every row with every other. For the
-- same reason tables are not read from end to end (enable_seqscan); the costs that this pretends must not start the compiler (jit).
-- Looked for by record, a row is compared with its connection in a way no index knows (is not distinct from): an index that
-- begins with the connection would be walked from end to end for every record.

-- action: create, update, delete, look_up (a create whose answer never came), wait (for the company or contact it belongs to),
-- drop (nothing to do).
create type private.crm_push_row as (
  record_id uuid, version bigint, intent_at timestamptz, action text, crm_id text, base jsonb, has_conflict boolean,
  updated_at timestamptz, fields jsonb
);

-- The next rows that are due, oldest first, without those in p_except; or those of certain records.
create function private.crm_outbox_due(
  p_context private.crm_push_context, p_records uuid[], p_except uuid[], p_after private.crm_outbox, p_limit int
) returns private.crm_outbox[]
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_custom_plan
-- In the order of the index, whatever the planner believes about the table.
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
  v_merge constant private.crm_merge_context := p_context.merge;
begin
  if p_records is not null then
    return array(
      select o.row
      from unnest(p_records) r (id)
      cross join lateral (
        select b as row from private.crm_outbox b
        where b.record_id = r.id and b.config_id is not distinct from v_merge.config_id and b.entity_type is not distinct from v_merge.entity
        offset 0
      ) o);
  end if;
  return array(
    select o
    from private.crm_outbox o
    where o.config_id = v_merge.config_id and o.entity_type = v_merge.entity and o.not_before <= clock_timestamp()
      and (o.not_before, o.version) > (coalesce(p_after.not_before, '-infinity'), coalesce(p_after.version, 0))
      and o.record_id <> all (coalesce(p_except, '{}'))
    order by o.not_before, o.version
    limit p_limit);
end
$$;

-- Whether a field of a record t is, letter for letter, what its link l has as the CRM's: then it need not be compared by meaning.
create function private.crm_same_field_sql(p_entity text, p_field text) returns text
language sql
stable
set search_path = ''
as $$
  select case
    when f.app_field = '$owner' then $sql$(t.owner_id is null and t.owner_label is not distinct from l.base ->> '$owner' or exists (
      select from private.crm_owners o
      where o.config_id = l.config_id and o.crm_user_id = l.base ->> '$owner'
        and (o.member_id = t.owner_id or t.owner_id is null and o.name = t.owner_label)))$sql$
    when f.data_type = 'relation' then format($sql$(t.%1$I is null and l.base ->> %2$L is null or exists (
      select from private.crm_record_links p
      where p.record_id = t.%1$I and p.config_id = l.config_id and p.entity_type = %3$L and p.crm_deleted_at is null
        and p.crm_record_id = l.base ->> %2$L))$sql$, f.column_name, p_field, f.parent_entity)
    else format('(coalesce(nullif(l.base -> %1$L, ''null''), %3$s) = coalesce(to_jsonb(%2$s), %3$s)%4$s)', p_field,
      case when f.app_field is null then format('t.custom_fields -> %L', substr(p_field, 15)) else format('t.%I', f.column_name) end,
      quote_literal(coalesce(case when f.sql_type = 'jsonb' then f.fallback::jsonb else to_jsonb(f.fallback) end, 'null')),
      -- A value that the database filled in is no edit.
      case when f.is_derived then format(' or l.base ->> %L is null', p_field) else '' end)
  end
  from (select) one
  left join private.crm_app_fields f on f.entity_type = p_entity and f.app_field = p_field
$$;

-- Fields of an entity that a connection may write.
create function private.crm_pushable_fields(p_context private.crm_push_context) returns table (field text, is_bidirectional boolean)
language sql
stable
set search_path = ''
as $$
  select p.field, p.is_bidirectional
  from (
    select m.app_field as field, m.sync_direction = 'bidirectional' as is_bidirectional
    from public.crm_field_mappings m
    where m.config_id = (p_context.merge).config_id and m.entity_type = (p_context.merge).entity
      and m.sync_direction in ('push', 'bidirectional')
    union all
    select f.app_field, true from private.crm_app_fields f where f.entity_type = (p_context.merge).entity and f.data_type = 'relation'
  ) p
  where p.field <> all (p_context.excluded)
$$;

-- Reads the rows' records and links. Deleted here: a deletion there, where that is wanted. Deleted there and alive here: nothing,
-- unless ours went first, or with it, and has been restored since. No lock: an edit meanwhile gives the row a new version.
create function private.crm_push_read(p_context private.crm_push_context, p_due private.crm_outbox[]) returns private.crm_push_row[]
language plpgsql
stable
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
  v_merge constant private.crm_merge_context := p_context.merge;
  v_rows private.crm_push_row[];
begin
  execute format($sql$
    select coalesce(array_agg((
        d.record_id, d.version, d.intent_at, a.action, case when l.crm_deleted_at is null then l.crm_record_id end,
        case when l.crm_deleted_at is null then l.base end, l.has_conflict,
        t.updated_at, case when a.action in ('create', 'update', 'look_up', 'delete') and t.id is not null then
          jsonb_build_object('custom_fields', t.custom_fields, %2$s) end
      )::private.crm_push_row order by d.place), '{}')
    from (select u.*, row_number() over () as place from unnest($1) u) d
    left join lateral (select t.* from public.%1$I t where t.id = d.record_id and t.workspace_id = ($2).workspace_id offset 0) t on true
    left join lateral (
      select l.* from private.crm_record_links l
      where l.record_id = d.record_id and l.config_id is not distinct from ($2).config_id and l.entity_type is not distinct from ($2).entity
      offset 0
    ) l on true
    cross join lateral (
      select case
        when t.id is null or t.deleted_at is not null then case
          when not $3 then 'drop'
          when l.record_id is not null and l.crm_deleted_at is null then 'delete'
          when t.id is not null and d.intent_at is not null then 'look_up'
          else 'drop'
        end
        when l.record_id is not null and l.crm_deleted_at is null then case when %3$s then 'drop' else 'update' end
        when l.record_id is not null and l.deleted_by is distinct from 'app' and not l.took_ours then 'drop'
        when d.intent_at is not null then 'look_up'
        else 'create'
      end as action
      offset 0
    ) a
  $sql$, v_merge.target,
    (select string_agg(format('%L, %s', f.app_field, case f.sql_type
      when 'owner' then 'case when t.owner_id is not null then ''member:'' || t.owner_id else ''label:'' || t.owner_label end'
      else format('t.%I', f.column_name) end), ', ')
     from private.crm_app_fields f where f.entity_type = v_merge.entity),
    coalesce((select string_agg(private.crm_same_field_sql(v_merge.entity, f.field), ' and ')
              from private.crm_pushable_fields(p_context) f), 'true'))
  into v_rows using p_due, v_merge, p_context.delete_in_crm;
  return v_rows;
end
$$;

-- Records that would come to the CRM before the company or contact they belong to. One that the CRM refused, or that this run
-- does not take along, is not waited for. A second holder of an e-mail waits for the first.
create function private.crm_outbox_waiting(p_context private.crm_push_context, p_rows private.crm_push_row[]) returns uuid[]
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_merge constant private.crm_merge_context := p_context.merge;
begin
  return array(
    select p.record_id
    from (
      select o.record_id, f.parent_entity, (o.fields ->> f.app_field)::uuid as parent_id
      from unnest(p_rows) o
      join private.crm_app_fields f on f.entity_type = v_merge.entity and f.parent_entity <> f.entity_type
        and f.parent_entity = any (p_context.entities)
      where o.fields ->> f.app_field is not null
      union all
      select c.id, 'contacts', c.duplicate_of
      from public.crm_contacts c
      where v_merge.entity = 'contacts' and c.id = any (array(select o.record_id from unnest(p_rows) o)) and c.duplicate_of is not null
    ) p
    cross join lateral (
      select from private.crm_outbox b
      where b.record_id = p.parent_id and b.config_id is not distinct from v_merge.config_id and b.entity_type is not distinct from p.parent_entity
        and not b.dead and b.not_before < 'infinity'
      offset 0
    ) b
    where not exists (
      select from private.crm_record_links l
      where l.record_id = p.parent_id and l.config_id = v_merge.config_id and l.entity_type = p.parent_entity and l.crm_deleted_at is null));
end
$$;

-- Of these records, the ones that the filters of the run let through. What is gone here answers no filter.
create function private.crm_run_allows(p_context private.crm_merge_context, p_records uuid[]) returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
declare
  v_filter constant jsonb := (
    select nullif(o.filters -> p_context.entity, 'null') from public.crm_sync_operations o where o.id = p_context.operation_id);
begin
  return case when v_filter is null then p_records
    else private.crm_filter_matches(p_context.config_id, p_context.entity, v_filter, p_records) end;
end
$$;

-- What is to be done about each row. What a limited run leaves out waits for another run.
create function private.crm_push_rows(p_context private.crm_push_context, p_due private.crm_outbox[]) returns private.crm_push_row[]
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_merge constant private.crm_merge_context := p_context.merge;
  v_rows constant private.crm_push_row[] := private.crm_push_read(p_context, p_due);
  v_new constant private.crm_push_row[] := array(select r from unnest(v_rows) r where (r).action = 'create');
  v_in_run constant uuid[] := private.crm_run_allows(v_merge, array(select r.record_id from unnest(v_rows) r));
  v_allowed uuid[] := '{}';
  v_waiting uuid[] := '{}';
begin
  if v_new = '{}' and cardinality(v_in_run) = cardinality(v_rows) then
    return v_rows;
  end if;
  if p_context.may_create then
    v_allowed := private.crm_filter_allows(v_merge.config_id, v_merge.entity, array(select r.record_id from unnest(v_new) r));
    v_waiting := private.crm_outbox_waiting(p_context, v_new);
  else
    perform private.crm_keep_here(p_context, v_new);
  end if;
  return (
    select array_agg((
        r.record_id, r.version, r.intent_at,
        case
          when i.id is null then 'wait'
          when r.action <> 'create' then r.action
          when a.id is null then 'drop'
          when w.id is not null then 'wait'
          else 'create'
        end, r.crm_id, r.base, r.has_conflict, r.updated_at, r.fields)::private.crm_push_row order by r.place)
    from unnest(v_rows) with ordinality r (record_id, version, intent_at, action, crm_id, base, has_conflict, updated_at, fields, place)
    left join (select distinct u.id from unnest(v_in_run) u (id)) i on i.id = r.record_id
    left join (select distinct u.id from unnest(v_allowed) u (id)) a on a.id = r.record_id
    left join (select distinct u.id from unnest(v_waiting) u (id)) w on w.id = r.record_id
  );
end
$$;

revoke execute on function
  private.crm_outbox_due(private.crm_push_context, uuid[], uuid[], private.crm_outbox, int), private.crm_same_field_sql(text, text),
  private.crm_pushable_fields(private.crm_push_context), private.crm_push_read(private.crm_push_context, private.crm_outbox[]),
  private.crm_outbox_waiting(private.crm_push_context, private.crm_push_row[]),
  private.crm_run_allows(private.crm_merge_context, uuid[]), private.crm_push_rows(private.crm_push_context, private.crm_outbox[])
  from public, anon, authenticated, service_role;
