-- Conflicts, verbs: what people ask for. Definer throughout: nobody writes conflicts directly, each function checks the role first.

-- The conflict, if the caller may decide it. Merges of the workspace wait: both lock records, links and conflicts.
create function private.crm_conflict_for(p_conflict uuid, p_statuses text[]) returns public.crm_sync_conflicts
language plpgsql
set search_path = ''
as $$
declare
  v_conflict public.crm_sync_conflicts;
begin
  select * into v_conflict from public.crm_sync_conflicts k where k.id = p_conflict;
  -- Also for an unknown id: require_role() then answers as for a conflict of strangers.
  perform private.require_role(v_conflict.workspace_id, 'member');
  perform private.crm_merge_turn(v_conflict.workspace_id);
  select * into v_conflict from public.crm_sync_conflicts k where k.id = p_conflict for update;
  if v_conflict.status is null or v_conflict.status <> all (p_statuses) then
    raise exception 'This conflict is % already.', coalesce(v_conflict.status, 'gone') using errcode = 'PC008', hint = 'Read the list again.';
  end if;
  if v_conflict.status = 'ignored' and exists (
    select from public.crm_sync_conflicts n
    where (n.config_id, n.entity_type, n.crm_record_id) = (v_conflict.config_id, v_conflict.entity_type, v_conflict.crm_record_id)
      and n.id <> v_conflict.id and n.detected_at >= v_conflict.detected_at)
  then
    raise exception 'There is a newer conflict of this record.' using errcode = 'PC008', hint = 'Read the list again.';
  end if;
  return v_conflict;
end
$$;

create function private.crm_check_merged_data(p_conflict public.crm_sync_conflicts, p_values jsonb) returns void
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_missing constant text[] := array(select f from unnest(p_conflict.conflicting_fields) f where not coalesce(p_values, '{}') ? f order by f);
  v_strange text[];
begin
  if jsonb_typeof(coalesce(p_values, '{}')) <> 'object' then
    raise exception 'merged_data is an object: {"field": value}.' using errcode = 'PC004';
  end if;
  if v_missing <> '{}' then
    raise exception 'merged_data has no value for: %.', array_to_string(v_missing, ', ') using errcode = 'PC004',
      hint = 'Give each of conflicting_fields a value; null empties a field.';
  end if;
  v_strange := array(select k from jsonb_object_keys(p_values) k where k <> all (p_conflict.conflicting_fields) order by k);
  if v_strange <> '{}' then
    raise exception 'These fields are in no conflict: %.', array_to_string(v_strange, ', ') using errcode = 'PC004';
  end if;
end
$$;

create function public.crm_resolve_conflict(
  conflict_id uuid, strategy text, merged_data jsonb default null, always boolean default false, seen_app_data jsonb default null
) returns public.crm_sync_conflicts
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_conflict public.crm_sync_conflicts := private.crm_conflict_for(crm_resolve_conflict.conflict_id, '{pending,ignored}');
  v_decision private.crm_decision;
begin
  perform private.crm_check_decision(strategy, always, '{use_app,use_crm,manual}');
  if always then
    perform private.require_role(v_conflict.workspace_id, 'admin');
  end if;
  if strategy = 'manual' then
    perform private.crm_check_merged_data(v_conflict, merged_data);
  end if;
  if jsonb_typeof(seen_app_data) <> 'object' then
    raise exception 'seen_app_data is an object: {"field": value}.' using errcode = 'PC004';
  end if;
  v_decision := (private.crm_settle_conflicts(private.crm_merge_settings(v_conflict.config_id, v_conflict.entity_type, null),
    array[v_conflict], strategy, coalesce(merged_data, '{}'), coalesce(seen_app_data, '{}')))[1];
  if v_decision.conflict_id is null then
    raise exception 'The record is not here any more.' using errcode = 'PC008', hint = 'Read the list again.';
  elsif v_decision.is_stale then
    raise exception 'The record was edited since; look at it again.' using errcode = 'PC008', detail = v_decision.current::text,
      hint = 'Read crm_conflict_fields and pass the values of ours that were looked at as seen_app_data.';
  elsif v_decision.problem is not null then
    raise exception '%', v_decision.problem using errcode = 'PC004';
  end if;
  if always then
    perform private.crm_set_field_strategy(v_conflict.config_id, v_conflict.entity_type, v_conflict.conflicting_fields, strategy);
  end if;
  perform private.crm_audit(v_conflict.config_id, 'conflict_resolved', jsonb_build_object('conflict_id', v_conflict.id,
    'entity_type', v_conflict.entity_type, 'entity_id', v_conflict.entity_id, 'fields', v_conflict.conflicting_fields,
    'strategy', strategy, 'always', always));
  select * into v_conflict from public.crm_sync_conflicts k where k.id = v_conflict.id;
  return v_conflict;
end
$$;
comment on function public.crm_resolve_conflict(uuid, text, jsonb, boolean, jsonb) is
  'Decides a pending or ignored conflict (members): use_app, use_crm, or manual with a value for each field. always makes it a rule (admins). PC008 when ours is no longer app_data, or seen_app_data where given.';

-- A deal shows whether a conflict waits for a person. That it no longer does is no edit: the link moves on with it.
create function private.crm_show_ignored(p_conflict public.crm_sync_conflicts) returns void
language sql
set search_path = ''
as $$
  with shown as (
    update public.pipeline_projects t
    set sync_status = 'synced'
    from (
      select d.id, d.updated_at from public.pipeline_projects d
      where p_conflict.entity_type = 'opportunities' and d.id = p_conflict.entity_id and d.workspace_id = p_conflict.workspace_id
      for update
    ) was
    where t.id = was.id and t.sync_status = 'conflict' and not private.crm_deal_waits(t.id, p_conflict.config_id)
    returning t.id, t.updated_at, was.updated_at as edited_at
  )
  update private.crm_record_links l
  set merged_at = s.updated_at, app_edited_at = case when s.edited_at > l.merged_at then s.edited_at else l.app_edited_at end
  from shown s
  where (l.record_id, l.config_id, l.entity_type) = (s.id, p_conflict.config_id, p_conflict.entity_type)
$$;

create function public.crm_ignore_conflict(conflict_id uuid) returns public.crm_sync_conflicts
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_conflict public.crm_sync_conflicts := private.crm_conflict_for(crm_ignore_conflict.conflict_id, '{pending}');
begin
  update public.crm_sync_conflicts k
  set status = 'ignored', resolved_by = private.actor_id(), resolved_at = now(),
    -- As it is now: it stays so until somebody edits it.
    app_data = k.app_data || coalesce((
      select jsonb_object_agg(s.field, coalesce(s.a, 'null'))
      from private.crm_conflict_sides(private.crm_merge_settings(k.config_id, k.entity_type, null), array[v_conflict]) s), '{}')
  where k.id = v_conflict.id
  returning k.* into v_conflict;
  perform private.crm_show_ignored(v_conflict);
  perform private.crm_audit(v_conflict.config_id, 'conflict_ignored', jsonb_build_object('conflict_id', v_conflict.id,
    'entity_type', v_conflict.entity_type, 'entity_id', v_conflict.entity_id, 'fields', v_conflict.conflicting_fields));
  return v_conflict;
end
$$;
comment on function public.crm_ignore_conflict(uuid) is
  'Leaves both sides as they are (members). Nothing is pushed and nobody is asked again until one of them changes.';

create function public.crm_resolve_conflicts(
  config_id uuid, strategy text, entity_type text default null, conflict_ids uuid[] default null, fields text[] default null,
  always boolean default false
) returns jsonb
language plpgsql
security definer
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_most constant int := 2000;
  v_config public.crm_sync_configs := private.crm_config_for(crm_resolve_conflicts.config_id, case when always then 'admin' else 'member' end);
  v_chosen public.crm_sync_conflicts[];
  v_entity text;
  v_decisions private.crm_decision[] := '{}';
  v_answer jsonb;
begin
  perform private.crm_check_decision(strategy, always, '{use_app,use_crm}');
  if entity_type not in ('accounts', 'contacts', 'opportunities') then
    raise exception 'There are conflicts of accounts, contacts and opportunities, not of "%".', left(entity_type, 80) using errcode = 'PC004';
  end if;
  perform private.crm_merge_turn(v_config.workspace_id);
  v_chosen := array(
    select k::public.crm_sync_conflicts
    from public.crm_sync_conflicts k
    where k.workspace_id = v_config.workspace_id and k.config_id = v_config.id and k.status = 'pending'
      and (crm_resolve_conflicts.entity_type is null or k.entity_type = crm_resolve_conflicts.entity_type)
      and (conflict_ids is null or k.id = any (conflict_ids))
      and (fields is null or k.conflicting_fields && fields)
    order by k.detected_at, k.id
    limit v_most);
  for v_entity in select distinct k.entity_type from unnest(v_chosen) k order by 1 loop
    v_decisions := v_decisions || private.crm_settle_conflicts(private.crm_merge_settings(v_config.id, v_entity, null),
      array(select k::public.crm_sync_conflicts from unnest(v_chosen) k where k.entity_type = v_entity), strategy, '{}', '{}', fields);
    if always then
      perform private.crm_set_field_strategy(v_config.id, v_entity, array(
        select distinct f from unnest(v_chosen) k cross join lateral unnest(k.conflicting_fields) f
        where k.entity_type = v_entity and (fields is null or f = any (fields)) order by f), strategy);
    end if;
  end loop;
  select jsonb_build_object('resolved', count(*) filter (where not d.is_stale and d.problem is null),
    'edited_since', count(*) filter (where d.is_stale) + cardinality(v_chosen) - count(*),
    'refused', count(*) filter (where not d.is_stale and d.problem is not null), 'more', cardinality(v_chosen) = v_most)
  into v_answer
  from unnest(v_decisions) d;
  perform private.crm_audit(v_config.id, 'conflicts_resolved', v_answer || jsonb_build_object('strategy', strategy, 'always', always,
    'entity_type', crm_resolve_conflicts.entity_type, 'fields', fields));
  return v_answer;
end
$$;
comment on function public.crm_resolve_conflicts(uuid, text, text, uuid[], text[], boolean) is
  'Decides up to 2,000 pending conflicts for one side (members; always: admins), oldest first; only some fields of them where fields is given. Answers {"resolved", "edited_since", "refused", "more"}.';

revoke execute on function private.crm_conflict_for(uuid, text[]), private.crm_check_merged_data(public.crm_sync_conflicts, jsonb),
  private.crm_show_ignored(public.crm_sync_conflicts)
  from public, anon, authenticated, service_role;
revoke execute on function public.crm_resolve_conflict(uuid, text, jsonb, boolean, jsonb), public.crm_ignore_conflict(uuid),
  public.crm_resolve_conflicts(uuid, text, text, uuid[], text[], boolean) from public, anon, authenticated;
grant execute on function public.crm_resolve_conflict(uuid, text, jsonb, boolean, jsonb), public.crm_ignore_conflict(uuid),
  public.crm_resolve_conflicts(uuid, text, text, uuid[], text[], boolean) to authenticated, service_role;

-- The screens: what is in conflict, by name, and each field with both values. Our value is the one of this moment.
create view public.crm_conflict_list with (security_invoker = true) as
  select k.id, k.workspace_id, k.config_id, g.name as connection_name, g.crm_provider, k.entity_type, k.entity_id, k.crm_record_id,
    coalesce(a.name, c.name, o.name) as record_name, k.conflicting_fields, k.status, k.origin, k.detected_at, now() - k.detected_at as detected_ago,
    k.resolution_strategy, k.resolved_by, k.resolved_at, k.applied_at
  from public.crm_sync_conflicts k
  join public.crm_sync_configs g on g.workspace_id = k.workspace_id and g.id = k.config_id
  left join public.crm_companies a on k.entity_type = 'accounts' and a.id = k.entity_id
  left join public.crm_contacts c on k.entity_type = 'contacts' and c.id = k.entity_id
  left join public.pipeline_projects o on k.entity_type = 'opportunities' and o.id = k.entity_id;
comment on view public.crm_conflict_list is 'Conflicts with the name of their record and connection.';

create view public.crm_conflict_fields with (security_invoker = true) as
  select k.id as conflict_id, k.workspace_id, k.config_id, k.entity_type, k.entity_id, n.field,
    coalesce(f.label, substr(n.field, 15)) as label, coalesce(f.data_type, 'custom') as data_type, f.allowed as options,
    case
      when n.field = '$owner' then coalesce(to_jsonb('member:' || (r.record ->> 'owner_id')), to_jsonb('label:' || (r.record ->> 'owner_label')))
      when f.app_field is null then nullif(r.record #> array['custom_fields', substr(n.field, 15)], 'null')
      else nullif(r.record -> f.column_name, 'null')
    end as app_value,
    nullif(k.app_data -> n.field, 'null') as app_value_then,
    nullif(case when starts_with(n.field, '$') then k.crm_data -> n.field else k.crm_values -> n.field end, 'null') as crm_value,
    nullif(k.base -> n.field, 'null') as base_value,
    -- What a relation is called: ours as it is now, and theirs.
    coalesce(
      (select m.display_name from public.workspace_members m
       where n.field = '$owner' and m.workspace_id = k.workspace_id and m.user_id = (r.record ->> 'owner_id')::uuid),
      case n.field when '$owner' then r.record ->> 'owner_label' end,
      (select p.name from public.crm_companies p where n.field = '$company' and p.id = case when starts_with(n.field, '$') and n.field <> '$owner' then (r.record ->> f.column_name)::uuid end),
      (select p.name from public.crm_contacts p where n.field = '$contact' and p.id = case when starts_with(n.field, '$') and n.field <> '$owner' then (r.record ->> f.column_name)::uuid end)) as app_label,
    coalesce(
      (select m.display_name from public.workspace_members m
       where n.field = '$owner' and m.workspace_id = k.workspace_id and 'member:' || m.user_id = k.crm_data ->> '$owner'),
      case n.field when '$owner' then substring(k.crm_data ->> '$owner' from '^label:(.*)') end,
      (select p.name from public.crm_companies p where p.id = case n.field when '$company' then (k.crm_data ->> '$company')::uuid end),
      (select p.name from public.crm_contacts p where p.id = case n.field when '$contact' then (k.crm_data ->> '$contact')::uuid end)) as crm_label
  from public.crm_sync_conflicts k
  cross join lateral unnest(k.conflicting_fields) n (field)
  left join private.crm_app_fields f on f.entity_type = k.entity_type and f.app_field = n.field
  left join lateral (
    select to_jsonb(a) as record from public.crm_companies a where k.entity_type = 'accounts' and a.id = k.entity_id
    union all
    select to_jsonb(c) from public.crm_contacts c where k.entity_type = 'contacts' and c.id = k.entity_id
    union all
    select to_jsonb(o) from public.pipeline_projects o where k.entity_type = 'opportunities' and o.id = k.entity_id
  ) r on true;
comment on view public.crm_conflict_fields is 'Each field of a conflict: ours as it is now, the CRM''s as last seen, what both last agreed on, and the names of relations.';
comment on column public.crm_conflict_fields.app_value is 'Ours at this moment. Pass it back as seen_app_data when resolving.';
comment on column public.crm_conflict_fields.app_value_then is 'Ours when the conflict was noted, in canonical form.';
comment on column public.crm_conflict_fields.base_value is 'As the CRM had it when both sides last agreed; a relation is an id of the CRM.';

revoke all on public.crm_conflict_list, public.crm_conflict_fields from public, anon, authenticated, service_role;
grant select on public.crm_conflict_list, public.crm_conflict_fields to authenticated, service_role;
