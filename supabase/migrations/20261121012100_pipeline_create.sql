-- Pipeline: a deal and its demand for people, written in one call, all or nothing. These functions run as the caller, so the
-- policies hold.

create function public.create_pipeline_project(workspace_id uuid, project jsonb, resource_demand jsonb default '[]') returns public.pipeline_projects
language plpgsql set search_path = '' as $$
declare
  v_deal public.pipeline_projects;
  v_table text;
  v_constraint text;
  v_column text;
begin
  perform private.require_role(create_pipeline_project.workspace_id, 'member');
  v_deal := private.new_deal(create_pipeline_project.workspace_id, project);
  insert into public.pipeline_projects as p (workspace_id, name, description, client_name, client_contact, company_id, contact_id, stage_key, priority,
    probability, estimated_value, currency, expected_close_date, actual_close_date, estimated_start_date, estimated_duration, required_skills,
    risk_factors, competitor_info, deal_source, next_steps, lost_reason, notes, board_position, owner_id, owner_label, tags, custom_fields)
  values (v_deal.workspace_id, v_deal.name, v_deal.description, v_deal.client_name, v_deal.client_contact, v_deal.company_id, v_deal.contact_id,
    v_deal.stage_key, v_deal.priority, v_deal.probability, v_deal.estimated_value, v_deal.currency, v_deal.expected_close_date,
    v_deal.actual_close_date, v_deal.estimated_start_date, v_deal.estimated_duration, v_deal.required_skills, v_deal.risk_factors,
    v_deal.competitor_info, v_deal.deal_source, v_deal.next_steps, v_deal.lost_reason, v_deal.notes, v_deal.board_position, v_deal.owner_id,
    v_deal.owner_label, v_deal.tags, v_deal.custom_fields)
  returning p.* into v_deal;
  perform private.replace_demand(v_deal, coalesce(resource_demand, '[]'));
  return v_deal;
exception when integrity_constraint_violation then
  get stacked diagnostics v_table = table_name, v_constraint = constraint_name, v_column = column_name;
  -- What has a sentence of its own keeps it.
  if v_constraint = '' and v_column = '' then
    raise;
  end if;
  perform private.refuse_misfit(sqlstate, v_table, v_constraint, v_column, sqlerrm);
end
$$;
comment on function public.create_pipeline_project(uuid, jsonb, jsonb) is
  'Creates a deal with the people that winning it would need, all or nothing. project has the columns of pipeline_projects, with stage in any spelling; resource_demand lists columns of pipeline_resource_demands.';

create function public.update_pipeline_project(
  deal_id uuid, changes jsonb default '{}', resource_demand jsonb default null, expected_updated_at timestamptz default null
) returns public.pipeline_projects
language plpgsql set search_path = '' as $$
declare
  v_deal public.pipeline_projects;
  v_table text;
  v_constraint text;
  v_column text;
begin
  -- Locked before it is read: what somebody else changes meanwhile is not lost.
  select * into v_deal from public.pipeline_projects p where p.id = update_pipeline_project.deal_id and p.deleted_at is null for update;
  if v_deal.id is null and exists (select from public.pipeline_projects p where p.id = update_pipeline_project.deal_id and p.deleted_at is null) then
    raise exception 'Your role does not let you edit this deal.' using errcode = 'PC002';
  elsif v_deal.id is null then
    raise exception 'This deal does not exist or is not yours to see.' using errcode = 'PC001';
  elsif v_deal.updated_at <> expected_updated_at then
    perform private.refuse_changed_deal(v_deal);
  end if;
  v_deal := private.read_deal(v_deal, changes);
  update public.pipeline_projects p
  set name = v_deal.name, description = v_deal.description, client_name = v_deal.client_name, client_contact = v_deal.client_contact,
    company_id = v_deal.company_id, contact_id = v_deal.contact_id, stage_key = v_deal.stage_key, priority = v_deal.priority,
    probability = v_deal.probability, estimated_value = v_deal.estimated_value, currency = v_deal.currency,
    expected_close_date = v_deal.expected_close_date, actual_close_date = v_deal.actual_close_date,
    estimated_start_date = v_deal.estimated_start_date, estimated_duration = v_deal.estimated_duration,
    required_skills = v_deal.required_skills, risk_factors = v_deal.risk_factors, competitor_info = v_deal.competitor_info,
    deal_source = v_deal.deal_source, next_steps = v_deal.next_steps, lost_reason = v_deal.lost_reason, notes = v_deal.notes,
    board_position = v_deal.board_position, owner_id = v_deal.owner_id, owner_label = v_deal.owner_label, tags = v_deal.tags,
    custom_fields = v_deal.custom_fields
  where p.id = v_deal.id
  returning p.* into v_deal;
  if resource_demand is not null then
    perform private.replace_demand(v_deal, resource_demand);
  end if;
  return v_deal;
exception when integrity_constraint_violation then
  get stacked diagnostics v_table = table_name, v_constraint = constraint_name, v_column = column_name;
  -- What has a sentence of its own keeps it.
  if v_constraint = '' and v_column = '' then
    raise;
  end if;
  perform private.refuse_misfit(sqlstate, v_table, v_constraint, v_column, sqlerrm);
end
$$;
comment on function public.update_pipeline_project(uuid, jsonb, jsonb, timestamptz) is
  'Changes the given fields of a deal. resource_demand left out stays as it is; a list replaces it, where lines with an id are changed. With expected_updated_at it refuses (PC008) when somebody changed the deal meanwhile.';

revoke execute on function public.create_pipeline_project(uuid, jsonb, jsonb), public.update_pipeline_project(uuid, jsonb, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function public.create_pipeline_project(uuid, jsonb, jsonb), public.update_pipeline_project(uuid, jsonb, jsonb, timestamptz)
  to authenticated, service_role;
