-- Merge, compare: three-way and field by field. With base b, ours a, theirs c, all in one canonical form:
-- c = a agreed · c = b ours changed, keep · a = b theirs changed, pull · all differ: a conflict on that field alone.

-- One form for one meaning, so that spelling is no change; empty is the column's fallback. As SQL text, because a function
-- with a pinned search_path is called and never inlined, three times for each differing field.
create function private.crm_canonical_sql(p_value text) returns text
language sql
immutable
set search_path = ''
as $$
  select replace($sql$
    coalesce(
      case
        when @ is null or @ in ('null', '""') then null
        when d.data_type = 'number' and jsonb_typeof(@) = 'number' then to_jsonb(round((@)::numeric, d.decimals))
        when jsonb_typeof(@) <> 'string' then @
        when d.data_type = 'email' then to_jsonb(lower(btrim(@ #>> '{}')))
        when d.data_type = 'phone' then to_jsonb(nullif(regexp_replace(@ #>> '{}', '[^0-9+]', '', 'g'), ''))
        -- Whether somebody wrote https://www. or left it out is no difference.
        when d.data_type = 'url' then to_jsonb(nullif(regexp_replace(lower(btrim(@ #>> '{}')), '^https?://(www\.)?|/+$', '', 'g'), ''))
        else to_jsonb(nullif(btrim(@ #>> '{}'), ''))
      end,
      d.empty)
  $sql$, '@', p_value)
$$;

-- A relation as our side writes it: the id of the linked record, or member:<id> / label:<name> for an owner. Null when there
-- is none, it has not arrived, or it was deleted for good here.
create function private.crm_local_relation(p_context private.crm_merge_context, p_field text, p_parent_entity text, p_crm_id text) returns jsonb
language sql
stable
set search_path = ''
as $$
  select case
    when p_crm_id is null then null
    when p_field = '$owner' then coalesce(
      (select to_jsonb(case when m.user_id is not null then 'member:' || m.user_id else 'label:' || o.name end)
       from private.crm_owners o
       left join public.workspace_members m on m.workspace_id = p_context.workspace_id and m.user_id = o.member_id
       where o.config_id = p_context.config_id and o.crm_user_id = p_crm_id),
      to_jsonb('label:' || left(p_crm_id, 255)))
    else (
      select to_jsonb(l.record_id)
      from private.crm_record_links l
      where l.config_id = p_context.config_id and l.entity_type = p_parent_entity and l.crm_record_id = p_crm_id
        and case p_parent_entity
          when 'accounts' then exists (select from public.crm_companies p where p.id = l.record_id)
          when 'contacts' then exists (select from public.crm_contacts p where p.id = l.record_id)
        end)
  end
$$;

-- Our records of the page, locked: nobody edits them between this look and the write.
-- p_fields: only these, null for all.
create function private.crm_merge_ours(
  p_context private.crm_merge_context, p_rows private.crm_merge_row[], p_fields text[] default null
) returns private.crm_merge_ours[]
language plpgsql
set search_path = ''
-- Each record by its key, as in the write.
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
declare
  v_ids uuid[] := array(select r.record_id from unnest(p_rows) r where r.kind in ('linked', 'matched'));
  v_fields text;
  v_ours private.crm_merge_ours[] := '{}';
begin
  if v_ids = '{}' then
    return v_ours;
  end if;
  select string_agg(format('%L, %s', f.app_field, case f.sql_type
    when 'owner' then 'case when t.owner_id is not null then ''member:'' || t.owner_id else ''label:'' || t.owner_label end'
    else format('t.%I', f.column_name) end), ', ')
  into v_fields
  from private.crm_app_fields f
  where f.entity_type = p_context.entity and (p_fields is null or f.app_field = any (p_fields) or f.app_field = '$sync_status');
  if p_fields is null or exists (select from unnest(p_fields) k where starts_with(k, 'custom_fields.')) then
    v_fields := concat_ws(', ', v_fields, '''custom_fields'', t.custom_fields');
  end if;
  execute format($sql$
    select coalesce(array_agg((o.id, o.updated_at, o.deleted_at, o.fields)::private.crm_merge_ours), '{}')
    from (
      select t.id, t.updated_at, t.deleted_at, jsonb_build_object(%s) as fields
      from public.%I t
      where t.id = any ($1) and t.workspace_id = $2
      order by t.id
      for update
    ) o
  $sql$, v_fields, p_context.target) into v_ours using v_ids, p_context.workspace_id;
  return v_ours;
end
$$;

create type private.crm_merge_field as (
  crm_id text, field text, theirs jsonb, ours jsonb, a jsonb, c jsonb, base jsonb, is_relation boolean, verdict text
);

-- Every field in which the CRM differs from the base, with its verdict. agreed: take it into the base. pull: write it to ours.
-- keep: ours stays and goes to the CRM. crm, app: who wins the conflict. review: a person decides. wait: a relation whose
-- parent has not arrived.
create function private.crm_merge_fields(
  p_context private.crm_merge_context, p_rows private.crm_merge_row[], p_ours private.crm_merge_ours[]
) returns setof private.crm_merge_field
language plpgsql
set search_path = ''
as $$
begin
  return query execute format($sql$
    with differing as materialized (
      select r.crm_id, v.key as field, v.value as theirs, coalesce(r.base ? v.key, false) as has_base, r.base -> v.key as base,
        coalesce(o.fields -> v.key, o.fields #> array['custom_fields', substr(v.key, 15)]) as ours,
        f.data_type, coalesce(f.decimals, 0) as decimals, f.parent_entity, f.is_derived is true as is_derived,
        f.data_type is not distinct from 'relation' as is_relation,
        case when f.sql_type = 'jsonb' then f.fallback::jsonb else to_jsonb(f.fallback) end as empty,
        case when v.key = any ($1.one_way) then 'crm_wins' else coalesce($1.field_strategies ->> v.key, $1.strategy) end as strategy,
        -- Our time is that of the last edit by anybody but this connection's merge.
        coalesce(r.modified::timestamptz >= case
          when r.merged_at is null or o.updated_at > r.merged_at then o.updated_at
          else coalesce(r.app_edited_at, o.updated_at) end, true) as theirs_is_newer
      from unnest($2) r
      join unnest($3) o on o.record_id = r.record_id
      cross join lateral jsonb_each(coalesce(r.differing, r.theirs)) v
      left join private.crm_app_fields f on f.entity_type = $1.entity and f.app_field = v.key
      where not r.deleted
    ),
    sides as materialized (
      select d.*, %3$s as a,
        case when d.is_relation then private.crm_local_relation($1, d.field, d.parent_entity, d.base #>> '{}') else %2$s end as b,
        case when d.is_relation then private.crm_local_relation($1, d.field, d.parent_entity, d.theirs #>> '{}') else %1$s end as c
      from differing d
    )
    select s.crm_id, s.field, s.theirs, s.ours, s.a, s.c, s.base, s.is_relation,
      case
        when s.is_relation and s.c is null and s.theirs <> 'null' then 'wait'
        when s.c is not distinct from s.a then 'agreed'
        when s.has_base and s.c is not distinct from s.b then 'agreed'
        when s.has_base and s.a is not distinct from s.b then 'pull'
        -- A value that the database filled in is no edit of ours.
        when s.is_derived and s.b is not distinct from s.empty then 'pull'
        when not s.has_base and s.a is not distinct from s.empty then 'pull'
        when not s.has_base and s.c is not distinct from s.empty then 'keep'
        when s.strategy = 'crm_wins' then 'crm'
        when s.strategy = 'app_wins' then 'app'
        when s.strategy = 'manual_review' then 'review'
        when s.theirs_is_newer then 'crm'
        else 'app'
      end
    from sides s
  $sql$, private.crm_canonical_sql('d.theirs'), private.crm_canonical_sql('d.base'), private.crm_canonical_sql('d.ours'))
  using p_context, p_rows, p_ours;
end
$$;

-- What of a conflict is asked of a person: without the fields that one chose to leave as they are, while both sides still say
-- what they said then. Null when nothing is.
create function private.crm_conflict_asked(p_context private.crm_merge_context, p_crm_id text, p_conflict jsonb) returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_object_agg(v.key, v.value)
  from jsonb_each(p_conflict) v
  where not exists (
    select from public.crm_sync_conflicts i
    where (i.config_id, i.entity_type, i.crm_record_id) = (p_context.config_id, p_context.entity, p_crm_id)
      and i.status = 'ignored' and i.app_data -> v.key = v.value -> 'app' and i.crm_data -> v.key = v.value -> 'crm')
$$;

-- Whether a connection has an error about a deal, dead or open. p_except: not this connection.
create function private.crm_deal_fails(p_context private.crm_merge_context, p_deal uuid, p_except uuid default null) returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select from public.crm_sync_configs c
    join public.crm_sync_errors e
      on e.config_id = c.id and e.entity_type = 'opportunities' and e.record_id = p_deal and e.direction = 'push' and e.status <> 'resolved'
    where c.workspace_id = p_context.workspace_id and c.id is distinct from p_except)
$$;

-- Whether a conflict about a deal waits for a person. p_except: not with this connection.
create function private.crm_deal_waits(p_deal uuid, p_except uuid default null) returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select from public.crm_sync_conflicts k
    where k.entity_id = p_deal and k.entity_type = 'opportunities' and k.status = 'pending' and k.config_id is distinct from p_except)
$$;

create function private.crm_merge_compare(
  p_context private.crm_merge_context, p_rows private.crm_merge_row[], p_ours private.crm_merge_ours[]
) returns private.crm_merge_change[]
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
  if p_ours = '{}' then
    return '{}';
  end if;
  return (
    with outcome as materialized (
      select f.crm_id,
        jsonb_object_agg(f.field, case when f.is_relation then coalesce(f.c, 'null') else f.theirs end) filter (where f.verdict in ('pull', 'crm')) as written,
        jsonb_object_agg(f.field, coalesce(f.ours, 'null')) filter (where f.verdict in ('pull', 'crm')) as before,
        jsonb_object_agg(f.field, f.theirs) filter (where f.verdict <> 'review') as base,
        jsonb_object_agg(f.field, f.theirs) filter (where f.verdict = 'wait') as waiting,
        jsonb_object_agg(f.field, jsonb_build_object('app', f.a, 'crm', coalesce(f.c, f.theirs), 'base', f.base)) filter (where f.verdict in ('crm', 'app')) as overruled,
        jsonb_object_agg(f.field, jsonb_build_object('app', f.a, 'crm', coalesce(f.c, f.theirs), 'base', f.base, 'theirs', f.theirs)) filter (where f.verdict = 'review') as conflict
      from private.crm_merge_fields(p_context, p_rows, p_ours) f
      group by f.crm_id
    ),
    compared as (
      select r.crm_id, r.modified, r.kind, r.record_id, r.base, r.merged_at, r.app_edited_at, r.has_conflict, r.note, u.updated_at,
        -- Deleted by the merge, not by a person: the CRM brought it back, so it comes back.
        coalesce(r.crm_deleted_at = u.deleted_at, false) as comes_back,
        -- A deal shows whether a conflict waits for a person, and whether it could not be sent.
        case when p_context.entity = 'opportunities' then s.status end as sync_status, u.fields ->> '$sync_status' as old_sync_status,
        o.written, o.before, o.base as new_base, o.waiting, o.overruled, o.conflict
      from unnest(p_rows) r
      join unnest(p_ours) u on u.record_id = r.record_id
      left join outcome o on o.crm_id = r.crm_id
      cross join lateral (
        select case
          when o.conflict is not null and private.crm_conflict_asked(p_context, r.crm_id, o.conflict) is not null then 'conflict'
          when u.fields ->> '$sync_status' = 'failed' and private.crm_deal_fails(p_context, r.record_id) then 'failed'
          when u.fields ->> '$sync_status' in ('conflict', 'failed') and private.crm_deal_waits(r.record_id, p_context.config_id) then 'conflict'
          else 'synced'
        end as status) s
      where not r.deleted
    )
    select coalesce(array_agg((
        c.crm_id, c.modified, case when c.kind = 'matched' then 'linked' when c.comes_back then 'restored' else 'updated' end, c.record_id,
        nullif(coalesce(c.written, '{}')
          || case when c.comes_back then '{"$deleted_at": null}'::jsonb else '{}' end
          || case when c.sync_status is distinct from c.old_sync_status and c.sync_status is not null
            then jsonb_build_object('$sync_status', c.sync_status) else '{}' end, '{}'),
        c.before, coalesce(c.base, '{}') || coalesce(c.new_base, '{}'), c.waiting, c.overruled, c.conflict, null,
        case when c.updated_at > c.merged_at then c.updated_at else c.app_edited_at end, c.has_conflict, c.note
      )::private.crm_merge_change), '{}')
    from compared c
  );
end
$$;

revoke execute on function
  private.crm_canonical_sql(text), private.crm_local_relation(private.crm_merge_context, text, text, text),
  private.crm_merge_ours(private.crm_merge_context, private.crm_merge_row[], text[]),
  private.crm_merge_fields(private.crm_merge_context, private.crm_merge_row[], private.crm_merge_ours[]),
  private.crm_conflict_asked(private.crm_merge_context, text, jsonb),
  private.crm_deal_fails(private.crm_merge_context, uuid, uuid), private.crm_deal_waits(uuid, uuid),
  private.crm_merge_compare(private.crm_merge_context, private.crm_merge_row[], private.crm_merge_ours[])
  from public, anon, authenticated, service_role;
