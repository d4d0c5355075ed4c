-- Scenarios: the calls. They run as the caller, so the policies hold.

create function private.scenario_to_edit(p_scenario uuid) returns public.pipeline_scenarios
language plpgsql set search_path = '' as $$
declare
  v_scenario public.pipeline_scenarios;
begin
  -- Only what may be edited can be locked.
  select * into v_scenario from public.pipeline_scenarios s where s.id = p_scenario and s.deleted_at is null for update;
  if v_scenario.id is not null then
    return v_scenario;
  elsif exists (select from public.pipeline_scenarios s where s.id = p_scenario and s.deleted_at is null) then
    raise exception 'Your role does not let you change this scenario.' using errcode = 'PC002', hint = 'Change a copy of it.';
  end if;
  raise exception 'This scenario does not exist or is not yours to see.' using errcode = 'PC001';
end
$$;

create function public.create_scenario_from_pipeline(
  workspace_id uuid, name text, pipeline_project_ids uuid[] default '{}', conversion_rates jsonb default '{}', template_key text default null
) returns public.pipeline_scenarios
language plpgsql set search_path = '' as $$
declare
  v_strange text;
  v_scenario public.pipeline_scenarios;
  v_table text;
  v_constraint text;
  v_column text;
begin
  perform private.require_role(create_scenario_from_pipeline.workspace_id, 'member');
  if cardinality(pipeline_project_ids) > 5000 then
    raise exception 'A scenario is begun with 5,000 deals at most, not %. Name none for all open ones.', cardinality(pipeline_project_ids)
      using errcode = 'PC004', hint = 'pipeline_project_ids';
  end if;
  select coalesce(i.id::text, 'null') into v_strange
  from unnest(pipeline_project_ids) i (id)
  where not exists (
    select from public.pipeline_projects p
    where p.workspace_id = create_scenario_from_pipeline.workspace_id and p.id = i.id and p.deleted_at is null)
  limit 1;
  if found then
    raise exception 'There is no deal % in this workspace.', v_strange using errcode = 'PC001', hint = 'pipeline_project_ids';
  end if;
  insert into public.pipeline_scenarios (workspace_id, name, conversion_rates, template_key)
  values (create_scenario_from_pipeline.workspace_id, create_scenario_from_pipeline.name,
    coalesce(create_scenario_from_pipeline.conversion_rates, '{}'), create_scenario_from_pipeline.template_key)
  returning * into v_scenario;
  insert into public.pipeline_scenario_projects (workspace_id, scenario_id, pipeline_project_id)
  select distinct v_scenario.workspace_id, v_scenario.id, i.id from unnest(pipeline_project_ids) i (id);
  select * into v_scenario from public.pipeline_scenarios s where s.id = v_scenario.id;
  return v_scenario;
exception
  when unique_violation then
    raise exception 'There is a scenario "%" already.', create_scenario_from_pipeline.name using errcode = 'PC008', hint = 'name';
  when integrity_constraint_violation then
    get stacked diagnostics v_table = table_name, v_constraint = constraint_name, v_column = column_name;
    -- What has a sentence of its own keeps it.
    if v_constraint = '' and v_column = '' then
      raise;
    end if;
    perform private.refuse_misfit(sqlstate, v_table, v_constraint, v_column, sqlerrm);
end
$$;
comment on function public.create_scenario_from_pipeline(uuid, text, uuid[], jsonb, text) is
  'Begins a scenario over these deals (none: all open ones) with conversion rates by stage, in any spelling. PC001 names a deal that is not there.';

create function public.copy_scenario(scenario_id uuid, name text, follow boolean default false) returns public.pipeline_scenarios
language plpgsql set search_path = '' as $$
declare
  v_source public.pipeline_scenarios;
  v_copy public.pipeline_scenarios;
  v_table text;
  v_constraint text;
  v_column text;
begin
  select * into v_source from public.pipeline_scenarios s where s.id = copy_scenario.scenario_id and s.deleted_at is null;
  if v_source.id is null then
    raise exception 'This scenario does not exist or is not yours to see.' using errcode = 'PC001';
  end if;
  perform private.require_role(v_source.workspace_id, 'member');
  insert into public.pipeline_scenarios (workspace_id, name, description, conversion_rates, template_key, confidence_threshold, forecast_months, seed, base_scenario_id)
  select v_source.workspace_id, copy_scenario.name, v_source.description, case when follow then '{}' else s.conversion_rates end,
    case when not follow then s.template_key end, case when not follow then s.confidence_threshold end,
    v_source.forecast_months, v_source.seed, case when follow then v_source.id end
  from private.scenario_settings(v_source.id) s
  returning * into v_copy;
  if not follow then
    insert into public.pipeline_scenario_projects (workspace_id, scenario_id, pipeline_project_id)
    select v_copy.workspace_id, v_copy.id, d from unnest(private.scenario_deals(v_source.id)) d;
    insert into public.pipeline_scenario_edits (workspace_id, scenario_id, position, kind, pipeline_project_id, payload)
    select v_copy.workspace_id, v_copy.id, row_number() over (order by e.place), e.kind, e.pipeline_project_id, e.payload
    from private.scenario_plan(v_source.id) e
    where e.skipped is null
    order by e.place;
  end if;
  select * into v_copy from public.pipeline_scenarios s where s.id = v_copy.id;
  return v_copy;
exception
  when unique_violation then
    raise exception 'There is a scenario "%" already.', copy_scenario.name using errcode = 'PC008', hint = 'name';
  when integrity_constraint_violation then
    get stacked diagnostics v_table = table_name, v_constraint = constraint_name, v_column = column_name;
    -- What has a sentence of its own keeps it.
    if v_constraint = '' and v_column = '' then
      raise;
    end if;
    perform private.refuse_misfit(sqlstate, v_table, v_constraint, v_column, sqlerrm);
end
$$;
comment on function public.copy_scenario(uuid, text, boolean) is
  'A scenario of one''s own with all that counts of another, also of its bases. With follow it varies that one instead: it sees later edits of it too, and its own come after them.';

create function public.add_scenario_edit(scenario_id uuid, kind text, pipeline_project_id uuid default null, payload jsonb default '{}')
returns public.pipeline_scenario_edits
language plpgsql set search_path = '' as $$
declare
  v_scenario constant public.pipeline_scenarios := private.scenario_to_edit(scenario_id);
  v_edit public.pipeline_scenario_edits;
begin
  insert into public.pipeline_scenario_edits (workspace_id, scenario_id, kind, pipeline_project_id, payload)
  values (v_scenario.workspace_id, v_scenario.id, add_scenario_edit.kind, add_scenario_edit.pipeline_project_id, coalesce(add_scenario_edit.payload, '{}'))
  returning * into v_edit;
  return v_edit;
end
$$;
comment on function public.add_scenario_edit(uuid, text, uuid, jsonb) is
  'Adds an edit behind those that are there: shift_start, shift_close, set_probability, drop_deal (with a deal), add_deal, add_people, set_rates (without).';

create function public.remove_scenario_edit(edit_id uuid) returns public.pipeline_scenarios
language plpgsql set search_path = '' as $$
declare
  v_scenario public.pipeline_scenarios;
begin
  select s.* into v_scenario
  from public.pipeline_scenario_edits e
  cross join lateral private.scenario_to_edit(e.scenario_id) s
  where e.id = remove_scenario_edit.edit_id;
  if v_scenario.id is null then
    raise exception 'This edit does not exist or is not yours to see.' using errcode = 'PC001';
  end if;
  delete from public.pipeline_scenario_edits e where e.id = remove_scenario_edit.edit_id;
  select * into v_scenario from public.pipeline_scenarios s where s.id = v_scenario.id;
  return v_scenario;
end
$$;
comment on function public.remove_scenario_edit(uuid) is 'Takes one edit out of its scenario; the others keep their order.';

create function public.scenario_plan(scenario_id uuid)
returns table (place int, edit_id uuid, from_scenario_id uuid, kind text, pipeline_project_id uuid, payload jsonb, skipped text)
language sql stable set search_path = '' as $$
  select * from private.scenario_plan(scenario_plan.scenario_id)
$$;
comment on function public.scenario_plan(uuid) is 'The edits of a scenario in the order in which they count, those of its bases first; skipped says why one does not.';

-- Status -----------------------------------------------------------------------------------------------------------------

create function private.set_scenario_status(p_scenario uuid, p_status text) returns public.pipeline_scenarios
language plpgsql set search_path = '' as $$
declare
  v_scenario public.pipeline_scenarios := private.scenario_to_edit(p_scenario);
begin
  if v_scenario.status <> p_status then
    update public.pipeline_scenarios s set status = p_status where s.id = v_scenario.id returning * into v_scenario;
  end if;
  return v_scenario;
end
$$;

create function public.activate_scenario(scenario_id uuid) returns public.pipeline_scenarios
language sql set search_path = '' as $$
  select private.set_scenario_status(activate_scenario.scenario_id, 'active')
$$;
comment on function public.activate_scenario(uuid) is 'From now on the scenario counts into the combined forecast.';

create function public.archive_scenario(scenario_id uuid) returns public.pipeline_scenarios
language sql set search_path = '' as $$
  select private.set_scenario_status(archive_scenario.scenario_id, 'archived')
$$;
comment on function public.archive_scenario(uuid) is 'Puts a scenario away: it counts nowhere and is not edited until it is activated again.';

-- Promotion --------------------------------------------------------------------------------------------------------------

-- Why an edit that counts in the scenario cannot be written to a deal.
create function private.promotion_plan(p_scenario uuid)
returns table (place int, edit_id uuid, kind text, pipeline_project_id uuid, payload jsonb, skipped text)
language sql stable set search_path = '' rows 50 as $$
  select e.place, e.edit_id, e.kind, e.pipeline_project_id, e.payload,
    case
      when e.skipped is not null then e.skipped
      when e.kind in ('add_people', 'set_rates') then 'not_about_a_deal'
      when e.kind = 'shift_close' and p.expected_close_date is null then 'no_date'
      when e.kind = 'shift_start' and p.estimated_start_date is null and not exists (
        select from public.pipeline_resource_demands d
        where d.workspace_id = p.workspace_id and d.pipeline_project_id = p.id and coalesce(d.start_date, d.end_date) is not null) then 'no_date'
      when e.kind = 'drop_deal' and s.kind = 'won' then 'deal_won'
      when e.kind = 'drop_deal' and not exists (
        select from public.pipeline_stages h where h.workspace_id = p.workspace_id and h.kind = 'on_hold') then 'no_stage_on_hold'
    end
  from private.scenario_plan(p_scenario) e
  left join public.pipeline_projects p on p.id = e.pipeline_project_id
  left join public.pipeline_stages s on s.workspace_id = p.workspace_id and s.key = p.stage_key
$$;

-- The edits of each deal taken together, so that it is written once.
create function private.write_promotion(p_workspace uuid, p_edits jsonb) returns void
language sql set search_path = '' as $$
  with wanted as (
    select e.pipeline_project_id as id,
      coalesce(sum((e.payload ->> 'days')::int) filter (where e.kind = 'shift_start'), 0)::int as start_days,
      coalesce(sum((e.payload ->> 'days')::int) filter (where e.kind = 'shift_close'), 0)::int as close_days,
      (array_agg((e.payload ->> 'probability')::int order by e.place desc) filter (where e.kind = 'set_probability'))[1] as probability,
      bool_or(e.kind = 'drop_deal') as dropped
    from jsonb_to_recordset(p_edits) e (place int, kind text, pipeline_project_id uuid, payload jsonb, reason text)
    where e.reason is null and e.pipeline_project_id is not null
    group by e.pipeline_project_id
  ), moved as (
    update public.pipeline_resource_demands d
    set start_date = d.start_date + w.start_days, end_date = d.end_date + w.start_days
    from wanted w
    where d.workspace_id = p_workspace and d.pipeline_project_id = w.id and w.start_days <> 0
  )
  update public.pipeline_projects p
  set estimated_start_date = p.estimated_start_date + w.start_days,
    expected_close_date = p.expected_close_date + w.close_days,
    probability = coalesce(w.probability, p.probability),
    stage_key = case when not w.dropped then p.stage_key else (
      select s.key from public.pipeline_stages s where s.workspace_id = p.workspace_id and s.kind = 'on_hold' order by s.position, s.key limit 1) end
  from wanted w
  where p.workspace_id = p_workspace and p.id = w.id
$$;

create function public.promote_scenario(scenario_id uuid, expected_updated_at timestamptz default null) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_scenario constant public.pipeline_scenarios := private.scenario_to_edit(scenario_id);
  v_edits jsonb;
  v_created uuid;
  v_added record;
  v_table text;
  v_constraint text;
  v_column text;
begin
  perform private.require_role(v_scenario.workspace_id, 'admin');
  if v_scenario.status in ('promoted', 'archived') then
    raise exception 'This scenario is %; it cannot be promoted%.', v_scenario.status, case v_scenario.status when 'promoted' then ' again' else '' end
      using errcode = 'PC008', hint = case v_scenario.status when 'archived' then 'Activate it first.' else 'Promote a copy of it.' end;
  elsif v_scenario.updated_at <> expected_updated_at then
    raise exception 'Somebody else changed this scenario meanwhile.' using errcode = 'PC008', hint = 'Look at its edits again.';
  end if;
  -- Nobody edits a base or a deal between the plan and its writing: what another has just won or lost is seen as such.
  perform from public.pipeline_scenarios s join private.scenario_chain(v_scenario.id) c on c.id = s.id order by c.depth for share of s;
  perform from public.pipeline_projects p
  where p.workspace_id = v_scenario.workspace_id
    and p.id in (select e.pipeline_project_id from private.scenario_plan(v_scenario.id) e)
  order by p.id for update;
  select coalesce(jsonb_agg(jsonb_build_object('place', e.place, 'edit_id', e.edit_id, 'kind', e.kind, 'pipeline_project_id', e.pipeline_project_id,
    'payload', e.payload, 'reason', e.skipped) order by e.place), '[]') into v_edits
  from private.promotion_plan(v_scenario.id) e;
  perform private.write_promotion(v_scenario.workspace_id, v_edits);
  for v_added in
    select a.place, a.edit -> 'payload' as payload from jsonb_array_elements(v_edits) with ordinality a (edit, place)
    where a.edit ->> 'kind' = 'add_deal' and a.edit ->> 'reason' is null
  loop
    v_created := (public.create_pipeline_project(v_scenario.workspace_id, v_added.payload - 'resource_demand', v_added.payload -> 'resource_demand')).id;
    v_edits := jsonb_set(v_edits, array[(v_added.place - 1)::text, 'pipeline_project_id'], to_jsonb(v_created));
  end loop;
  perform set_config('pipeline_crm.promoting', v_scenario.id::text, true);
  update public.pipeline_scenarios s set status = 'promoted', promoted_at = clock_timestamp(), promoted_by = private.actor_id() where s.id = v_scenario.id;
  perform set_config('pipeline_crm.promoting', '', true);
  return jsonb_build_object(
    'applied', (select coalesce(jsonb_agg(e.edit - '{place,payload,reason}'::text[] order by e.place), '[]')
      from jsonb_array_elements(v_edits) with ordinality e (edit, place) where e.edit ->> 'reason' is null),
    'skipped', (select coalesce(jsonb_agg(e.edit - '{place,payload}'::text[] order by e.place), '[]')
      from jsonb_array_elements(v_edits) with ordinality e (edit, place) where e.edit ->> 'reason' is not null));
exception when integrity_constraint_violation then
  get stacked diagnostics v_table = table_name, v_constraint = constraint_name, v_column = column_name;
  -- What has a sentence of its own keeps it.
  if v_constraint = '' and v_column = '' then
    raise;
  end if;
  perform private.refuse_misfit(sqlstate, v_table, v_constraint, v_column, sqlerrm);
end
$$;
comment on function public.promote_scenario(uuid, timestamptz) is
  'Writes a scenario to its deals, once, all or nothing (admins): days and probabilities are changed, dropped deals go on hold, added ones are created. What cannot be written is listed as skipped, with the reason.';

revoke execute on function private.scenario_to_edit(uuid), private.set_scenario_status(uuid, text), private.promotion_plan(uuid), private.write_promotion(uuid, jsonb),
  public.create_scenario_from_pipeline(uuid, text, uuid[], jsonb, text), public.copy_scenario(uuid, text, boolean),
  public.add_scenario_edit(uuid, text, uuid, jsonb), public.remove_scenario_edit(uuid), public.scenario_plan(uuid), public.activate_scenario(uuid),
  public.archive_scenario(uuid), public.promote_scenario(uuid, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function private.scenario_to_edit(uuid), private.set_scenario_status(uuid, text), private.promotion_plan(uuid), private.write_promotion(uuid, jsonb),
  public.create_scenario_from_pipeline(uuid, text, uuid[], jsonb, text), public.copy_scenario(uuid, text, boolean),
  public.add_scenario_edit(uuid, text, uuid, jsonb), public.remove_scenario_edit(uuid), public.scenario_plan(uuid), public.activate_scenario(uuid),
  public.archive_scenario(uuid), public.promote_scenario(uuid, timestamptz)
  to authenticated, service_role;
