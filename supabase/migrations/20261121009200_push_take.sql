-- Push, take: what goes to the CRM. Each row of the outbox is looked at beside our record and its link, and becomes a create,
-- an update with the fields that differ from what the CRM last showed, a deletion, or nothing.

-- action: create, update, delete, look_up (a create whose answer never came), wait (for the company or contact it belongs to),
-- drop (nothing to do).
create type private.crm_push_row as (
  record_id uuid, version bigint, intent_at timestamptz, action text, crm_id text, base jsonb, has_conflict boolean,
  updated_at timestamptz, fields jsonb
);

create type private.crm_push_field as (record_id uuid, field text, value jsonb, is_relation boolean, is_bidirectional boolean);

-- The next rows that are due, oldest first, or those of certain records.
create function private.crm_outbox_due(
  p_context private.crm_push_context, p_records uuid[], p_after private.crm_outbox, p_limit int
) returns private.crm_outbox[]
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_merge constant private.crm_merge_context := p_context.merge;
begin
  if p_records is not null then
    return array(
      select o from private.crm_outbox o
      where o.config_id = v_merge.config_id and o.entity_type = v_merge.entity and o.record_id = any (p_records));
  end if;
  return array(
    select o
    from private.crm_outbox o
    where o.config_id = v_merge.config_id and o.entity_type = v_merge.entity and not o.dead
      and o.not_before < 'infinity' and o.not_before <= clock_timestamp()
      and (o.enqueued_at, o.record_id)
        > (coalesce(p_after.enqueued_at, '-infinity'), coalesce(p_after.record_id, '00000000-0000-0000-0000-000000000000'))
    order by o.enqueued_at, o.record_id
    limit p_limit);
end
$$;

-- Records that would come to the CRM before the company or contact they belong to. One that the CRM refused, or that this run
-- does not take along, is not waited for. A second holder of an e-mail waits for the first.
create function private.crm_outbox_waiting(p_context private.crm_push_context, p_due private.crm_outbox[], p_ours private.crm_merge_ours[])
returns uuid[]
language sql
stable
set search_path = ''
as $$
  with parents as (
    select o.record_id, f.parent_entity, (o.fields ->> f.app_field)::uuid as parent_id
    from unnest(p_ours) o
    join private.crm_app_fields f on f.entity_type = (p_context.merge).entity and f.parent_entity <> f.entity_type
      and f.parent_entity = any (p_context.entities)
    where o.fields ->> f.app_field is not null
    union all
    select c.id, 'contacts', c.duplicate_of
    from public.crm_contacts c
    where (p_context.merge).entity = 'contacts' and c.id = any (array(select o.record_id from unnest(p_ours) o)) and c.duplicate_of is not null
  )
  select array(
    select p.record_id
    from parents p
    join private.crm_outbox b on b.config_id = (p_context.merge).config_id and b.entity_type = p.parent_entity and b.record_id = p.parent_id
    where not b.dead and b.not_before < 'infinity' and not exists (
      select from private.crm_record_links l
      where l.record_id = p.parent_id and l.config_id = b.config_id and l.entity_type = b.entity_type and l.crm_deleted_at is null))
$$;

-- What is to be done about each row. Deleted here: a deletion there, where that is wanted. Deleted there and alive here:
-- nothing, unless it was our deletion and the record has been restored since.
create function private.crm_push_rows(p_context private.crm_push_context, p_due private.crm_outbox[]) returns private.crm_push_row[]
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_merge constant private.crm_merge_context := p_context.merge;
  v_ours constant private.crm_merge_ours[] := private.crm_merge_ours(v_merge, array(
    select jsonb_populate_record(null::private.crm_merge_row, jsonb_build_object('kind', 'linked', 'record_id', d.record_id))
    from unnest(p_due) d));
  v_links constant private.crm_record_links[] := array(
    select l from private.crm_record_links l
    where l.record_id = any (array(select d.record_id from unnest(p_due) d)) and l.config_id = v_merge.config_id and l.entity_type = v_merge.entity);
  v_allowed uuid[] := '{}';
  v_waiting uuid[] := '{}';
begin
  if p_context.may_create and (select count(*) from unnest(v_links) l where l.crm_deleted_at is null) < cardinality(p_due) then
    v_allowed := private.crm_filter_allows(v_merge.config_id, v_merge.entity, array(
      select o.record_id from unnest(v_ours) o where o.deleted_at is null));
    v_waiting := private.crm_outbox_waiting(p_context, p_due, v_ours);
  end if;
  return (
    select array_agg((
        d.record_id, d.version, d.intent_at,
        case
          when o.record_id is null or o.deleted_at is not null then case
            when not p_context.delete_in_crm then 'drop'
            when l.crm_record_id is not null and l.crm_deleted_at is null then 'delete'
            when o.record_id is not null and d.intent_at is not null then 'look_up'
            else 'drop'
          end
          when l.crm_record_id is not null and l.crm_deleted_at is null then 'update'
          when l.crm_record_id is not null and l.deleted_by is distinct from 'app' then 'drop'
          when d.intent_at is not null then 'look_up'
          when not p_context.may_create or d.record_id <> all (v_allowed) then 'drop'
          when d.record_id = any (v_waiting) then 'wait'
          else 'create'
        end,
        case when l.crm_deleted_at is null then l.crm_record_id end, l.base, l.has_conflict, o.updated_at, o.fields
      )::private.crm_push_row order by d.enqueued_at, d.record_id)
    from unnest(p_due) d
    left join unnest(v_ours) o on o.record_id = d.record_id
    left join unnest(v_links) l on l.record_id = d.record_id
  );
end
$$;

-- The CRM's id for one of our relations; null where the CRM does not have it.
create function private.crm_remote_relation(p_context private.crm_merge_context, p_field text, p_parent_entity text, p_ours text) returns text
language sql
stable
set search_path = ''
as $$
  select case
    when p_ours is null then null
    when p_field <> '$owner' then (
      select l.crm_record_id
      from private.crm_record_links l
      where l.record_id = p_ours::uuid and l.config_id = p_context.config_id and l.entity_type = p_parent_entity and l.crm_deleted_at is null)
    when p_ours like 'member:%' then (
      select min(o.crm_user_id) from private.crm_owners o where o.config_id = p_context.config_id and o.member_id = substr(p_ours, 8)::uuid)
    else (select min(o.crm_user_id) from private.crm_owners o where o.config_id = p_context.config_id and o.name = substr(p_ours, 7))
  end
$$;

-- Every field to be sent: where ours differs from the base, by the merge's own comparison. Held back: fields in a conflict that
-- waits for a person, or that a person chose to ignore as it stands; values that the database filled in; parents and owners
-- that the CRM does not have. An owner is cleared only where a member's name was taken off, not where the member left.
create function private.crm_push_fields(p_context private.crm_push_context, p_rows private.crm_push_row[]) returns setof private.crm_push_field
language plpgsql
stable
set search_path = ''
as $$
begin
  return query execute format($sql$
    with pushable as materialized (
      select m.app_field as field, m.sync_direction = 'bidirectional' as is_bidirectional
      from public.crm_field_mappings m
      where m.config_id = ($1).config_id and m.entity_type = ($1).entity and m.sync_direction in ('push', 'bidirectional')
      union all
      select f.app_field, true from private.crm_app_fields f where f.entity_type = ($1).entity and f.data_type = 'relation'
    ),
    compared as materialized (
      select r.record_id, r.action, r.crm_id, r.has_conflict, p.field, p.is_bidirectional,
        coalesce(r.fields -> p.field, r.fields #> array['custom_fields', substr(p.field, 15)]) as ours, r.base -> p.field as base,
        f.data_type, coalesce(f.decimals, 0) as decimals, f.parent_entity, f.is_derived is true as is_derived,
        f.data_type is not distinct from 'relation' as is_relation,
        case when f.sql_type = 'jsonb' then f.fallback::jsonb else to_jsonb(f.fallback) end as empty
      from unnest($2) r
      cross join pushable p
      left join private.crm_app_fields f on f.entity_type = ($1).entity and f.app_field = p.field
      where r.action in ('create', 'update') and p.field <> all ($3) and ltrim(p.field, '$') <> all ($3)
    ),
    sides as materialized (
      select d.*, %1$s as a,
        case
          when not d.is_relation then %2$s
          when d.base #>> '{}' is not null then private.crm_local_relation($1, d.field, d.parent_entity, d.base #>> '{}')
        end as b
      from compared d
    ),
    held as materialized (
      select k.crm_record_id as crm_id, c.field, case when k.status = 'ignored' then coalesce(k.app_data -> c.field, 'null') end as ignored
      from public.crm_sync_conflicts k
      cross join lateral unnest(k.conflicting_fields) c (field)
      where k.config_id = ($1).config_id and k.entity_type = ($1).entity
        and (k.status = 'pending' and k.crm_record_id = any (array(select r.crm_id from unnest($2) r))
          or k.status = 'ignored' and k.crm_record_id = any (array(select r.crm_id from unnest($2) r)))
    ),
    changed as materialized (
      select s.*, case
          when s.is_relation then to_jsonb(private.crm_remote_relation($1, s.field, s.parent_entity, s.a #>> '{}'))
          when s.a is distinct from s.empty or s.ours not in ('""', '{}', '[]') then s.ours
        end as value
      from sides s
      where case when s.action = 'create' then s.a is distinct from s.empty
          else s.a is distinct from s.b and not (s.is_derived and s.b is not distinct from s.empty) end
        and not exists (
          select from held h
          where h.crm_id = s.crm_id and h.field = s.field and (h.ignored is null or h.ignored = coalesce(s.a, 'null')))
    )
    select c.record_id, c.field, coalesce(c.value, 'null'), c.is_relation, c.is_bidirectional
    from changed c
    where not c.is_relation
      or c.value is not null and c.value is distinct from c.base
      or c.a is null and (c.field <> '$owner' or c.b #>> '{}' like 'member:%%')
  $sql$, private.crm_canonical_sql('d.ours'), private.crm_canonical_sql('d.base'))
  using p_context.merge, p_rows, p_context.excluded;
end
$$;

-- Rows with something to do, as the worker gets them.
create function private.crm_push_items(p_context private.crm_push_context, p_rows private.crm_push_row[], p_now timestamptz) returns jsonb
language sql
stable
set search_path = ''
as $$
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
$$;

-- One look at some due rows: what needs nothing leaves the outbox, what waits is put off, and at most p_limit items come back.
create function private.crm_take_round(p_context private.crm_push_context, p_due private.crm_outbox[], p_limit int) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_merge constant private.crm_merge_context := p_context.merge;
  v_now constant timestamptz := clock_timestamp();
  v_rows constant private.crm_push_row[] := private.crm_push_rows(p_context, p_due);
  v_items jsonb := private.crm_push_items(p_context, v_rows, v_now);
begin
  delete from private.crm_outbox o
  using unnest(v_rows) r
  where o.config_id = v_merge.config_id and o.entity_type = v_merge.entity and o.record_id = r.record_id and o.version = r.version
    and r.action <> 'wait' and r.record_id <> all (array(select (i ->> 'key')::uuid from jsonb_array_elements(v_items) i));
  update private.crm_outbox o
  set not_before = v_now + interval '1 minute'
  from unnest(v_rows) r
  where o.config_id = v_merge.config_id and o.entity_type = v_merge.entity and o.record_id = r.record_id and o.version = r.version
    and r.action = 'wait';

  v_items := (select coalesce(jsonb_agg(i.item order by i.place), '[]')
              from jsonb_array_elements(v_items) with ordinality i (item, place) where i.place <= p_limit);
  -- Before anybody calls the CRM: should the answer never come, the next worker looks first.
  update private.crm_outbox o
  set intent_at = v_now
  from jsonb_array_elements(v_items) i
  where o.config_id = v_merge.config_id and o.entity_type = v_merge.entity and o.record_id = (i ->> 'key')::uuid and i ->> 'action' = 'create';
  return v_items;
end
$$;

create function private.crm_take_outbound(p_operation uuid, p_fence bigint, p_entity text, p_limit int, p_records uuid[] default null)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_context private.crm_push_context := private.crm_push_begin(p_operation, p_fence, p_entity);
  v_items jsonb := '[]';
  v_after private.crm_outbox;
  v_due private.crm_outbox[];
begin
  if (select o.operation = 'undo' from public.crm_sync_operations o where o.id = p_operation) then
    return private.crm_take_compensations(p_operation, p_entity, p_limit, p_records);
  end if;
  loop
    v_due := private.crm_outbox_due(v_context, p_records, v_after, p_limit);
    exit when v_due = '{}';
    v_items := v_items || private.crm_take_round(v_context, v_due, coalesce(cardinality(p_records), p_limit) - jsonb_array_length(v_items));
    exit when p_records is not null or jsonb_array_length(v_items) >= p_limit;
    v_after := v_due[cardinality(v_due)];
  end loop;
  return v_items;
end
$$;
comment on function private.crm_take_outbound(uuid, bigint, text, int, uuid[]) is
  'What is to be written to the CRM next, at most p_limit items; empty when nothing is due. The same items come again until they are settled.';

revoke execute on function
  private.crm_outbox_due(private.crm_push_context, uuid[], private.crm_outbox, int),
  private.crm_outbox_waiting(private.crm_push_context, private.crm_outbox[], private.crm_merge_ours[]),
  private.crm_push_rows(private.crm_push_context, private.crm_outbox[]),
  private.crm_remote_relation(private.crm_merge_context, text, text, text),
  private.crm_push_fields(private.crm_push_context, private.crm_push_row[]),
  private.crm_push_items(private.crm_push_context, private.crm_push_row[], timestamptz),
  private.crm_take_round(private.crm_push_context, private.crm_outbox[], int),
  private.crm_take_outbound(uuid, bigint, text, int, uuid[])
  from public, anon, authenticated, service_role;
