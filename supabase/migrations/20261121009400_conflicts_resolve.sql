-- Conflicts, resolve: what a person decides is written to ours at once, and to the CRM by the next run. The base becomes what
-- the CRM was seen to have; so a CRM that has moved on meanwhile differs from it again, and the conflict is open again.

-- chosen: {field: value} as ours is written; null where a row was not decided. problem: why not.
create type private.crm_decision as (
  conflict_id uuid, record_id uuid, crm_record_id text, fields text[], chosen jsonb, current jsonb, is_stale boolean, problem text
);

-- Whether a value can still be written as a relation or a stage of this workspace. The other rules are those of the merge.
create function private.crm_is_reachable(p_workspace uuid, p_field text, p_value jsonb) returns boolean
language sql
stable
set search_path = ''
as $$
  select case
    when coalesce(p_value, 'null') = 'null' then true
    when p_field in ('$company', '$contact') and p_value #>> '{}' !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then false
    when p_field = '$company' then exists (
      select from public.crm_companies c where c.workspace_id = p_workspace and c.id = (p_value #>> '{}')::uuid)
    when p_field = '$contact' then exists (
      select from public.crm_contacts c where c.workspace_id = p_workspace and c.id = (p_value #>> '{}')::uuid)
    when p_field = '$owner' and p_value #>> '{}' like 'member:%' then exists (
      select from public.workspace_members m where m.workspace_id = p_workspace and 'member:' || m.user_id = p_value #>> '{}')
    when p_field = '$owner' then p_value #>> '{}' like 'label:_%'
    else true
  end
$$;

-- What is wrong with the chosen values of each record. A person is known by all three names, so all are looked at.
create function private.crm_decision_problems(p_context private.crm_merge_context, p_decisions private.crm_decision[])
returns table (conflict_id uuid, problem text)
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_rows constant private.crm_merge_row[] := array(
    select (d.conflict_id::text, null, false, false, coalesce(n.names, '{}') || d.chosen, 'linked', d.record_id, null, null, null, null, null, null,
      null)::private.crm_merge_row
    from unnest(p_decisions) d
    left join lateral (
      select jsonb_build_object('first_name', c.first_name, 'last_name', c.last_name, 'email', c.email) as names
      from public.crm_contacts c
      where p_context.entity = 'contacts' and c.id = d.record_id
    ) n on true);
begin
  return query
    select p.crm_id::uuid, p.message from unnest(private.crm_merge_check(p_context, v_rows)) p
    union all
    select d.conflict_id, format('%s points to nothing in this workspace any more.', coalesce(f.label, v.key))
    from unnest(p_decisions) d
    cross join lateral jsonb_each(d.chosen) v
    left join private.crm_app_fields f on f.entity_type = p_context.entity and f.app_field = v.key
    where not private.crm_is_reachable(p_context.workspace_id, v.key, v.value);
end
$$;

-- p_values: of a person who edits by hand, the same for each conflict (so there is one). p_fields: only these, null for all.
create function private.crm_decide(
  p_context private.crm_merge_context, p_conflicts public.crm_sync_conflicts[], p_strategy text, p_values jsonb, p_seen jsonb, p_fields text[]
) returns private.crm_decision[]
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_decisions private.crm_decision[];
begin
  v_decisions := array(
    select (k.id, k.entity_id, k.crm_record_id, array_agg(s.field order by s.field) filter (where w.wanted),
      coalesce(jsonb_object_agg(s.field, coalesce(
        case p_strategy
          when 'use_app' then s.ours
          when 'use_crm' then case when starts_with(s.field, '$') then k.crm_data -> s.field else k.crm_values -> s.field end
          else p_values -> s.field
        end, 'null')) filter (where w.wanted), '{}'),
      jsonb_object_agg(s.field, coalesce(s.a, 'null')), bool_or(s.a is distinct from s.seen and w.wanted), null)::private.crm_decision
    from private.crm_conflict_sides(p_context, p_conflicts, p_seen) s
    join unnest(p_conflicts) k on k.id = s.conflict_id
    cross join lateral (select p_fields is null or s.field = any (p_fields) as wanted) w
    group by k.id, k.entity_id, k.crm_record_id);
  if p_strategy = 'use_app' then
    return v_decisions;
  end if;
  return array(
    select (d.conflict_id, d.record_id, d.crm_record_id, d.fields, d.chosen, d.current, d.is_stale, min(p.problem))::private.crm_decision
    from unnest(v_decisions) d
    left join private.crm_decision_problems(p_context, v_decisions) p using (conflict_id)
    group by d.conflict_id, d.record_id, d.crm_record_id, d.fields, d.chosen, d.current, d.is_stale);
end
$$;

-- Ours, as the person's edit. What was taken over from the CRM as it is counts as brought by the connection: it goes to all
-- others, and nothing that follows from a person's edit (a stage's probability) is added to it.
create function private.crm_write_decisions(p_context private.crm_merge_context, p_strategy text, p_decisions private.crm_decision[]) returns void
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_touched private.crm_merge_ours[];
begin
  perform set_config('pipeline_crm.sync_config', case p_strategy when 'use_crm' then p_context.config_id::text else '' end, true);
  v_touched := private.crm_merge_update(p_context, array(
    select (d.crm_record_id, null, 'updated', d.record_id,
      nullif(case p_strategy when 'use_app' then '{}' else d.chosen end
        -- A deal shows whether a conflict waits for a person.
        || case when p_context.entity = 'opportunities' and d.fields @> k.conflicting_fields and not private.crm_deal_waits(d.record_id, k.config_id) then '{"$sync_status": "synced"}' else '{}' end::jsonb, '{}'),
      null, null, null, null, null, null, null, null, null)::private.crm_merge_change
    from unnest(p_decisions) d
    join public.crm_sync_conflicts k on k.id = d.conflict_id));
  perform set_config('pipeline_crm.sync_config', '', true);
  update private.crm_record_links l
  set base = l.base || (select jsonb_object_agg(f, k.crm_values -> f) from unnest(d.fields) f where k.crm_values ? f),
    merged_at = case when p_strategy = 'use_crm' then coalesce(t.updated_at, l.merged_at) else l.merged_at end, updated_at = now()
  from unnest(p_decisions) d
  join public.crm_sync_conflicts k on k.id = d.conflict_id
  left join unnest(v_touched) t on t.record_id = d.record_id
  where (l.config_id, l.entity_type, l.crm_record_id) = (p_context.config_id, p_context.entity, d.crm_record_id) and l.record_id = d.record_id;
end
$$;

-- The rows themselves. Where only some fields were decided, these become a row of their own and the rest goes on waiting.
create function private.crm_mark_decided(p_context private.crm_merge_context, p_strategy text, p_decisions private.crm_decision[]) returns void
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
  insert into public.crm_sync_conflicts (
    workspace_id, config_id, operation_id, entity_type, entity_id, crm_record_id, app_data, crm_data, crm_values, base, conflicting_fields,
    origin, detected_at, status, resolution_strategy, resolved_by, resolved_at, resolved_data)
  select k.workspace_id, k.config_id, k.operation_id, k.entity_type, k.entity_id, k.crm_record_id, k.app_data - o.fields, k.crm_data - o.fields,
    k.crm_values - o.fields, k.base - o.fields, d.fields, k.origin, k.detected_at, 'resolved', p_strategy, private.actor_id(), now(), d.chosen
  from unnest(p_decisions) d
  join public.crm_sync_conflicts k on k.id = d.conflict_id
  cross join lateral (select array(select unnest(k.conflicting_fields) except select unnest(d.fields)) as fields) o
  where o.fields <> '{}';

  update public.crm_sync_conflicts k
  set app_data = k.app_data - d.fields, crm_data = k.crm_data - d.fields, crm_values = k.crm_values - d.fields, base = k.base - d.fields,
    conflicting_fields = array(select unnest(k.conflicting_fields) except select unnest(d.fields))
  from unnest(p_decisions) d
  where k.id = d.conflict_id and not d.fields @> k.conflicting_fields;

  update public.crm_sync_conflicts k
  set status = 'resolved', resolution_strategy = p_strategy, resolved_by = private.actor_id(), resolved_at = now(), resolved_data = d.chosen,
    applied_at = null
  from unnest(p_decisions) d
  where k.id = d.conflict_id and d.fields @> k.conflicting_fields;

  -- What was ignored earlier in these fields is decided with them.
  update public.crm_sync_conflicts i
  set conflicting_fields = case when o.fields <> '{}' then o.fields else i.conflicting_fields end,
    status = case when o.fields <> '{}' then i.status else 'resolved' end,
    resolution_strategy = case when o.fields <> '{}' then null else p_strategy end
  from unnest(p_decisions) d
  cross join lateral (
    select array(select unnest(x.conflicting_fields) except select unnest(d.fields)) as fields, x.id
    from public.crm_sync_conflicts x
    where (x.config_id, x.entity_type, x.crm_record_id) = (p_context.config_id, p_context.entity, d.crm_record_id)
      and x.status = 'ignored' and x.id <> d.conflict_id and x.conflicting_fields && d.fields
  ) o
  where i.id = o.id;

  update private.crm_record_links l
  set has_conflict = exists (
    select from public.crm_sync_conflicts k
    where (k.config_id, k.entity_type, k.crm_record_id) = (l.config_id, l.entity_type, l.crm_record_id)
      and (k.status = 'pending' and k.origin = 'sync' or k.status = 'ignored'))
  from unnest(p_decisions) d
  where (l.config_id, l.entity_type, l.crm_record_id) = (p_context.config_id, p_context.entity, d.crm_record_id);
end
$$;

-- Decides conflicts of one connection and entity. Answers all of them; those that are stale or have a problem were left as
-- they are, with our present values noted.
create function private.crm_settle_conflicts(
  p_context private.crm_merge_context, p_conflicts public.crm_sync_conflicts[], p_strategy text,
  p_values jsonb default '{}', p_seen jsonb default '{}', p_fields text[] default null
) returns private.crm_decision[]
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_all constant private.crm_decision[] := private.crm_decide(p_context, p_conflicts, p_strategy, p_values, p_seen, p_fields);
  v_good constant private.crm_decision[] := array(
    select d::private.crm_decision from unnest(v_all) d where not d.is_stale and d.problem is null and d.fields is not null);
begin
  update public.crm_sync_conflicts k
  set app_data = d.current
  from unnest(v_all) d
  where k.id = d.conflict_id and d.is_stale;
  if v_good = '{}' then
    return v_all;
  end if;
  perform private.crm_write_decisions(p_context, p_strategy, v_good), private.crm_mark_decided(p_context, p_strategy, v_good);
  if p_strategy = 'use_crm' then
    perform private.crm_mark_dirty(p_context.config_id, p_context.entity, array(select d.crm_record_id from unnest(v_good) d), 'conflict');
  else
    -- Ours may not have changed at all, and then no trigger has spoken.
    perform private.crm_enqueue_records(c.config_id, c.workspace_id, p_context.entity, array(select d.record_id from unnest(v_good) d))
    from private.crm_pushers(p_context.entity, array[p_context.workspace_id]) c
    where c.config_id = p_context.config_id;
  end if;
  return v_all;
end
$$;

-- From now on this side wins in these fields.
create function private.crm_set_field_strategy(p_config uuid, p_entity text, p_fields text[], p_strategy text) returns void
language sql
set search_path = ''
as $$
  update public.crm_sync_configs c
  set sync_rules = c.sync_rules || jsonb_build_object(p_entity, coalesce(c.sync_rules -> p_entity, '{}') || jsonb_build_object('field_strategies',
    coalesce(c.sync_rules #> array[p_entity, 'field_strategies'], '{}')
      || (select jsonb_object_agg(f, case p_strategy when 'use_app' then 'app_wins' else 'crm_wins' end) from unnest(p_fields) f)))
  where c.id = p_config and p_fields <> '{}'
$$;

create function private.crm_check_decision(p_strategy text, p_always boolean, p_strategies text[]) returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_strategy is null or p_strategy <> all (p_strategies) then
    raise exception 'A conflict is resolved by one of: %.', array_to_string(p_strategies, ', ') using errcode = 'PC004';
  end if;
  if p_always and p_strategy = 'manual' then
    raise exception 'Only a side can always win: use_app or use_crm.' using errcode = 'PC004';
  end if;
end
$$;

revoke execute on function
  private.crm_is_reachable(uuid, text, jsonb), private.crm_decision_problems(private.crm_merge_context, private.crm_decision[]),
  private.crm_decide(private.crm_merge_context, public.crm_sync_conflicts[], text, jsonb, jsonb, text[]),
  private.crm_write_decisions(private.crm_merge_context, text, private.crm_decision[]),
  private.crm_mark_decided(private.crm_merge_context, text, private.crm_decision[]),
  private.crm_settle_conflicts(private.crm_merge_context, public.crm_sync_conflicts[], text, jsonb, jsonb, text[]),
  private.crm_set_field_strategy(uuid, text, text[], text), private.crm_check_decision(text, boolean, text[])
  from public, anon, authenticated, service_role;
