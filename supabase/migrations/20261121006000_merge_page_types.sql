-- Merge: a page of CRM records becomes changes of ours. The steps, each a function of its own, hand on arrays of the types
-- here; only the write step touches records, and every step works on the page as a set.
--
--   begin    fence, settings, lock                       read     page ⟕ links; unchanged records leave here
--   check    values that would not fit → errors          survivors records merged into others in the CRM
--   split    earlier matches by a key that turns out to be shared
--   match    first meeting: same domain or e-mail, else new
--   creates / compare / deletes → changes                write    insert and update records
--   keep     links, journal, conflicts, notes, relations, errors   count    logs, progress, checkpoint, cursor

create type private.crm_merge_context as (
  operation_id uuid, config_id uuid, workspace_id uuid, provider text, crm_name text, entity text, noun text, target text,
  strategy text, field_strategies jsonb, one_way text[], delete_when_deleted boolean, create_when_missing boolean,
  currency text, started_at timestamptz
);

-- A record of the page beside its link, null where it has none. kind: linked (known), matched (found among ours by domain or
-- e-mail), new.
create type private.crm_merge_row as (
  crm_id text, modified text, deleted boolean, merged boolean, theirs jsonb, kind text, record_id uuid, base jsonb,
  crm_deleted_at timestamptz, merged_at timestamptz, app_edited_at timestamptz, has_conflict boolean, note text, differing jsonb
);
comment on column private.crm_merge_row.differing is 'What of theirs is not as in the base; null means all of it, as where there is no base yet.';

create type private.crm_merge_ours as (record_id uuid, updated_at timestamptz, deleted_at timestamptz, fields jsonb);

create type private.crm_merge_problem as (crm_id text, code text, message text, field text);

-- What is to be done about one record. written: fields to set on ours (relations as our ids); waiting: relations whose
-- parent has not arrived; overruled and conflict: {field: {"app", "crm", "base"}},
-- conflict also with "theirs", the value as the CRM wrote it.
create type private.crm_merge_change as (
  crm_id text, modified text, action text, record_id uuid, written jsonb, before jsonb, base jsonb, waiting jsonb, overruled jsonb,
  conflict jsonb, crm_deleted_at timestamptz, app_edited_at timestamptz, had_conflict boolean, note text
);
comment on column private.crm_merge_change.had_conflict is 'Of the link; null for a record that has none yet.';

create table private.crm_entities (
  entity_type text primary key,
  table_name name not null,
  noun text not null
);
insert into private.crm_entities (entity_type, table_name, noun) values
  ('accounts', 'crm_companies', 'company'), ('contacts', 'crm_contacts', 'contact'), ('opportunities', 'pipeline_projects', 'deal');
alter table private.crm_entities enable row level security;
revoke all on private.crm_entities from public, anon, authenticated, service_role;
comment on table private.crm_entities is 'Where the records of each entity live, and what activities and notes call them.';

-- Ids that stand for no record any more. Their links have moved on, so links do not tell.
create table private.crm_former_ids (
  config_id uuid not null references public.crm_sync_configs (id) on delete cascade,
  entity_type text not null,
  crm_record_id text not null,
  modified text,
  replaced_by text,
  primary key (config_id, entity_type, crm_record_id)
);
alter table private.crm_former_ids enable row level security;
revoke all on private.crm_former_ids from public, anon, authenticated, service_role;
comment on table private.crm_former_ids is 'CRM records that were merged into others, or deleted and created anew by us: a search that lags behind may still show them.';
comment on column private.crm_former_ids.modified is 'The last time that counts as before, as the CRM wrote it: with a later one the record has been taken out of the bin.';
comment on column private.crm_former_ids.replaced_by is 'The id under which ours was created anew; null for a merge.';

-- Merges of one workspace take turns: two CRMs that bring the same person at once then meet as one record.
create function private.crm_merge_turn(p_workspace uuid) returns void
language sql
set search_path = ''
as $$
  select pg_advisory_xact_lock(hashtextextended('crm_merge:' || p_workspace, 0))
$$;

-- What the merge goes by, from the settings of a connection.
create function private.crm_merge_settings(p_config uuid, p_entity text, p_operation uuid, p_started_at timestamptz default now())
returns private.crm_merge_context
language plpgsql
stable
set search_path = ''
as $$
declare
  v_context private.crm_merge_context;
begin
  select p_operation, c.id, c.workspace_id, c.crm_provider,
    case c.crm_provider when 'hubspot' then 'HubSpot' else initcap(c.crm_provider) end, e.entity_type, e.noun, e.table_name,
    c.conflict_resolution, coalesce(c.sync_rules #> array[p_entity, 'field_strategies'], '{}'),
    array(select m.app_field from public.crm_field_mappings m
          where m.config_id = c.id and m.entity_type = p_entity and m.sync_direction = 'pull'),
    coalesce((c.sync_rules ->> 'delete_when_deleted')::boolean, false), coalesce((c.sync_rules ->> 'create_when_missing')::boolean, true),
    w.default_currency, p_started_at
  into v_context
  from public.crm_sync_configs c
  join public.workspaces w on w.id = c.workspace_id
  join private.crm_entities e on e.entity_type = p_entity
  where c.id = p_config;
  if v_context.entity is null then
    raise exception 'There is no entity "%".', p_entity using errcode = 'PC004';
  end if;
  return v_context;
end
$$;

create function private.crm_merge_begin(p_operation uuid, p_fence bigint, p_entity text) returns private.crm_merge_context
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations := private.crm_check_fence(p_operation, p_fence);
begin
  perform private.crm_merge_turn(v_operation.workspace_id);
  perform private.crm_forget_bases(v_operation.config_id, p_entity);
  -- Triggers see who writes: no person, this connection.
  perform set_config('pipeline_crm.sync_config', v_operation.config_id::text, true), set_config('pipeline_crm.actor', '', true);
  return private.crm_merge_settings(v_operation.config_id, p_entity, p_operation, v_operation.started_at);
end
$$;

-- What was read, with the values that we sent in our own form: a CRM that spells an option in its way has changed nothing.
create function private.crm_as_sent(p_theirs jsonb, p_base jsonb, p_shown jsonb) returns jsonb
language sql
immutable
set search_path = ''
as $$
  select p_theirs || coalesce(jsonb_object_agg(s.key, s.value -> 'app'), '{}')
  from jsonb_each(p_shown) s
  where p_theirs -> s.key = s.value -> 'crm' and p_base -> s.key is distinct from p_theirs -> s.key
$$;

-- The page beside its links. A record that comes twice counts in its latest form. Nothing to do and so not returned: known
-- records whose mapped values are those of the base, or which are older than what was merged or written before (a search that
-- lags behind shows them so; one that was deleted is not alive again before it shows a later time, but seen by name or in a list
-- it is, for a CRM may bring it back with its old time), deletions of records never seen or marked already, records as they were before they were merged
-- away, those that ours was created in the place of, and records that the filter leaves out (only_linked) unless they are linked.
create function private.crm_merge_read(p_context private.crm_merge_context, p_records jsonb) returns private.crm_merge_row[]
language sql
stable
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
  with incoming as materialized (
    -- By bytes, which is quicker than by a language's rules.
    select distinct on (k.crm_id collate "C")
      r.place, k.crm_id, r.value ->> 'modified_at' as modified,
      coalesce((r.value ->> 'deleted')::boolean, false) as deleted, coalesce((r.value ->> 'only_linked')::boolean, false) as only_linked,
      coalesce((r.value ->> 'may_lag')::boolean, false) as may_lag,
      r.value ->> 'merged_into' is not null as merged,
      coalesce(r.value -> 'values', '{}')
        || case when r.value ? 'company' then jsonb_build_object('$company', r.value -> 'company') else '{}' end
        || case when r.value ? 'contact' then jsonb_build_object('$contact', r.value -> 'contact') else '{}' end
        || case when r.value ? 'owner' then jsonb_build_object('$owner', r.value -> 'owner') else '{}' end as theirs
    from jsonb_array_elements(p_records) with ordinality r (value, place)
    cross join lateral (select r.value ->> 'crm_id') k (crm_id)
    order by k.crm_id collate "C", (r.value ->> 'modified_at')::timestamptz desc nulls last, r.place desc
  )
  select coalesce(array_agg((
      i.crm_id, i.modified, i.deleted, i.merged, t.theirs, case when l.record_id is null then 'new' else 'linked' end, l.record_id, l.base,
      l.crm_deleted_at, l.merged_at, l.app_edited_at, l.has_conflict, null,
      case when l.base is not null and not i.deleted then (
        select coalesce(jsonb_object_agg(v.key, v.value), '{}')
        from jsonb_each(t.theirs) v
        where l.base -> v.key is distinct from v.value) end
    )::private.crm_merge_row order by i.place), '{}')
  from incoming i
  -- Each by its key, whatever the statistics say: a new connection is in none, and would be read whole for every page.
  left join lateral (
    select k.*
    from private.crm_record_links k
    where k.config_id = p_context.config_id and k.entity_type = p_context.entity and k.crm_record_id = i.crm_id
    offset 0
  ) l on true
  cross join lateral (
    select case when coalesce(l.shown, '{}') = '{}' then i.theirs else private.crm_as_sent(i.theirs, l.base, l.shown) end as theirs
  ) t
  where case
    when i.deleted then l.crm_deleted_at is null and l.record_id is not null
    when (l.record_id is null or l.crm_deleted_at is not null) and exists (
      select from private.crm_former_ids f
      where f.config_id = p_context.config_id and f.entity_type = p_context.entity and f.crm_record_id = i.crm_id
        and (f.replaced_by is not null or i.modified::timestamptz <= f.modified::timestamptz)) then false
    when l.record_id is null then not i.only_linked
    when l.crm_deleted_at is not null then not i.may_lag or (i.modified::timestamptz <= l.crm_modified_at::timestamptz) is not true
    else (l.has_conflict or (l.base || t.theirs) <> l.base)
      and (i.modified::timestamptz < l.crm_modified_at::timestamptz) is not true
  end
$$;

-- What is on a page, whether or not it needs a look: its records, each once, and whether one of them went into another.
create type private.crm_merge_arrivals as (crm_ids text[], has_merged boolean);

create function private.crm_merge_arrivals(p_records jsonb) returns private.crm_merge_arrivals
language sql
immutable
set search_path = ''
as $$
  select (coalesce(array_agg(distinct (r ->> 'crm_id') collate "C"), '{}'), coalesce(bool_or(r ->> 'merged_into' is not null), false))::private.crm_merge_arrivals
  from jsonb_array_elements(p_records) r
$$;

-- What the rows of a page ask for, and what its changes do. A page of thousands is one array that each step unpacks again, so
-- steps that nothing asks for are passed over.
create type private.crm_merge_needs as (has_new boolean, has_deleted boolean, fields text[]);
comment on column private.crm_merge_needs.fields is 'Fields of ours that are to be compared; null means all of them.';
create type private.crm_merge_outcome as (
  created int, updated int, deleted int, records int, adds_links boolean, keeps_links boolean, settles_conflicts boolean,
  has_arrived boolean, has_note boolean, has_waiting boolean, is_overruled boolean, has_conflict boolean
);

create function private.crm_merge_needs(p_rows private.crm_merge_row[]) returns private.crm_merge_needs
language sql
immutable
set search_path = ''
as $$
  select (n.has_new, n.has_deleted, case when not n.has_new then
      array(select distinct k from unnest(p_rows) d cross join lateral jsonb_object_keys(d.differing) k) end)::private.crm_merge_needs
  from (
    select coalesce(bool_or(r.kind = 'new'), false) as has_new, coalesce(bool_or(r.deleted), false) as has_deleted from unnest(p_rows) r
  ) n
$$;

create function private.crm_merge_outcome(p_changes private.crm_merge_change[]) returns private.crm_merge_outcome
language sql
immutable
set search_path = ''
as $$
  select (
    count(*) filter (where c.action = 'created'),
    count(*) filter (where c.action not in ('created', 'deleted') and c.written is not null),
    count(*) filter (where c.action = 'deleted'), count(*),
    coalesce(bool_or(c.had_conflict is null), false), coalesce(bool_or(c.had_conflict is not null), false),
    coalesce(bool_or(c.had_conflict and c.conflict is null), false), coalesce(bool_or(c.action in ('created', 'linked')), false),
    coalesce(bool_or(c.note is not null), false), coalesce(bool_or(c.waiting is not null), false),
    coalesce(bool_or(c.overruled is not null), false), coalesce(bool_or(c.conflict is not null), false)
  )::private.crm_merge_outcome
  from unnest(p_changes) c
$$;

revoke execute on function private.crm_merge_turn(uuid), private.crm_merge_settings(uuid, text, uuid, timestamptz),
  private.crm_merge_begin(uuid, bigint, text), private.crm_as_sent(jsonb, jsonb, jsonb),
  private.crm_merge_read(private.crm_merge_context, jsonb), private.crm_merge_arrivals(jsonb),
  private.crm_merge_needs(private.crm_merge_row[]), private.crm_merge_outcome(private.crm_merge_change[])
  from public, anon, authenticated, service_role;
