-- Pipeline: a deal and its demand for people, written in one call, all or nothing; and its place on the board. These
-- functions run as the caller, so the policies hold. A refusal names the field in its hint.

-- Reading JSON into a row ------------------------------------------------------------------------------------------------

create function private.populated(p_base anyelement, p_given jsonb, p_path text default '') returns anyelement
language plpgsql stable set search_path = '' as $$
declare
  v_field text;
  v_reason text;
begin
  return jsonb_populate_record(p_base, p_given);
exception when data_exception then
  v_reason := sqlerrm;
  for v_field in select jsonb_object_keys(p_given) loop
    begin
      perform jsonb_populate_record(p_base, jsonb_build_object(v_field, p_given -> v_field));
    exception when data_exception then
      raise exception 'The value of % does not fit: %.', p_path || v_field, sqlerrm using errcode = 'PC004', hint = p_path || v_field;
    end;
  end loop;
  raise exception 'A value does not fit: %.', v_reason using errcode = 'PC004', hint = nullif(p_path, '');
end
$$;
comment on function private.populated(anyelement, jsonb, text) is 'A row with the given fields in it; PC004 names the field whose value is not of its type.';

create function private.refuse_misfit(p_state text, p_table text, p_constraint text, p_column text, p_message text) returns void
language plpgsql stable set search_path = '' as $$
declare
  v_kind "char";
  v_rule text;
  v_columns text;
begin
  select c.contype, pg_catalog.pg_get_expr(c.conbin, c.conrelid, true),
    (select string_agg(a.attname, ', ' order by a.attnum) from pg_catalog.pg_attribute a
      where a.attrelid = c.conrelid and a.attnum = any (c.conkey) and a.attname <> 'workspace_id')
  into v_kind, v_rule, v_columns
  from pg_catalog.pg_constraint c
  where c.conrelid = to_regclass('public.' || quote_ident(p_table)) and c.conname = p_constraint;
  raise exception using errcode = p_state, hint = coalesce(v_columns, p_column, ''), message = case
    when p_state = '23502' then format('%s cannot be empty.', p_column)
    when v_kind = 'f' and v_columns is null then 'This workspace is not there any more.'
    when v_kind = 'f' then format('%s points to nothing in this workspace.', v_columns)
    when v_kind = 'c' then format('The value of %s does not fit. The rule is: %s.', v_columns, v_rule)
    else p_message
  end;
end
$$;
comment on function private.refuse_misfit(text, text, text, text, text) is 'Says of a broken constraint, under its own SQLSTATE, which field it was and what the rule is.';

-- Skills are named in the workspace's own words once it has a list of them; before that any word will do.
create function private.deal_skills(p_workspace uuid, p_skills jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_unknown text;
  v_keys jsonb;
begin
  if jsonb_typeof(p_skills) is distinct from 'array' or jsonb_array_length(p_skills) > 200 or exists (
    select from jsonb_array_elements(p_skills) s (skill) where jsonb_typeof(s.skill) <> 'string' or btrim(s.skill #>> '{}') = ''
  ) then
    raise exception 'required_skills is a list of at most 200 skills, such as ["react", "sql"].' using errcode = 'PC004', hint = 'required_skills';
  end if;
  with named as (
    select btrim(s.skill) as skill, private.skill_key(p_workspace, s.skill) as key, s.place
    from jsonb_array_elements_text(p_skills) with ordinality s (skill, place)
  ), once as (
    select coalesce(n.key, n.skill) as skill, bool_and(n.key is null) as unknown, min(n.place) as place from named n group by 1
  )
  select min(o.skill) filter (where o.unknown), coalesce(jsonb_agg(o.skill order by o.place), '[]') into v_unknown, v_keys from once o;
  if v_unknown is not null and exists (select from public.skills s where s.workspace_id = p_workspace) then
    raise exception 'The skill list of this workspace has no "%".', v_unknown using errcode = 'PC004', hint = 'required_skills',
      detail = 'Add it to skills, or to skill_aliases as another name of one that is there.';
  end if;
  return v_keys;
end
$$;

create function private.deal_fields() returns text[]
language sql immutable parallel safe set search_path = '' as $$
  select '{name,description,client_name,client_contact,company_id,contact_id,stage_key,priority,probability,estimated_value,currency,expected_close_date,actual_close_date,estimated_start_date,estimated_duration,required_skills,risk_factors,competitor_info,deal_source,next_steps,lost_reason,notes,board_position,owner_id,owner_label,tags,custom_fields}'::text[]
$$;
comment on function private.deal_fields() is 'The columns of a deal that a person writes.';

create function private.read_deal(p_base public.pipeline_projects, p_given jsonb) returns public.pipeline_projects
language plpgsql stable set search_path = '' as $$
declare
  v_given jsonb := p_given;
  v_unknown text;
  v_stage text;
begin
  if jsonb_typeof(p_given) is distinct from 'object' then
    raise exception 'A deal is an object of fields, such as {"name": "Bridge", "stage": "proposal"}.' using errcode = 'PC004';
  end if;
  if v_given ? 'stage' then
    v_given := v_given - 'stage' || jsonb_build_object('stage_key', v_given -> 'stage');
  end if;
  select min(k) into v_unknown from jsonb_object_keys(v_given) k where k <> all (private.deal_fields());
  if v_unknown is not null then
    raise exception 'A deal has no field "%" that could be written.', v_unknown using errcode = 'PC004', hint = v_unknown;
  end if;
  if v_given ? 'stage_key' then
    v_stage := private.stage_key(p_base.workspace_id, v_given ->> 'stage_key');
    if v_stage is null then
      raise exception 'This workspace has no stage "%".', coalesce(v_given ->> 'stage_key', 'null') using errcode = 'PC004', hint = 'stage';
    end if;
    v_given := v_given || jsonb_build_object('stage_key', v_stage);
  end if;
  if v_given ? 'required_skills' then
    v_given := v_given || jsonb_build_object('required_skills', private.deal_skills(p_base.workspace_id, v_given -> 'required_skills'));
  end if;
  return private.populated(p_base, v_given);
end
$$;
comment on function private.read_deal(public.pipeline_projects, jsonb) is 'A deal with the given fields in it. stage (or stage_key) in any spelling; PC004 for an unknown field, stage or skill.';

-- What a field has when nobody says: the workspace's currency, its first open stage.
create function private.new_deal(p_workspace uuid, p_given jsonb) returns public.pipeline_projects
language plpgsql stable set search_path = '' as $$
declare
  v_base public.pipeline_projects;
begin
  v_base.workspace_id := p_workspace;
  v_base.stage_key := (select s.key from public.pipeline_stages s
    where s.workspace_id = p_workspace order by s.kind = 'open' desc, s.position, s.key limit 1);
  v_base.currency := (select w.default_currency from public.workspaces w where w.id = p_workspace);
  v_base.priority := 'medium';
  v_base.client_contact := '{}';
  v_base.custom_fields := '{}';
  v_base.required_skills := '[]';
  v_base.risk_factors := '[]';
  v_base.competitor_info := '[]';
  v_base.tags := '[]';
  if jsonb_typeof(p_given) is distinct from 'object' then
    return private.read_deal(v_base, p_given);
  end if;
  -- On a new deal null says no more than leaving it out.
  return private.read_deal(v_base, (select coalesce(jsonb_object_agg(g.key, g.value), '{}') from jsonb_each(p_given) g where g.value <> 'null'));
end
$$;

-- Demand for people ------------------------------------------------------------------------------------------------------

create function private.demand_lines(p_lines jsonb) returns table (place int, path text, line jsonb)
language plpgsql stable set search_path = '' as $$
declare
  v_fields constant text[] := '{id,skill_category,skill_key,experience_level,required_count,allocation_percentage,start_date,end_date,hourly_rate,is_critical,alternatives,priority}';
  v_place bigint;
  v_unknown text;
begin
  if jsonb_typeof(p_lines) is distinct from 'array' or jsonb_array_length(p_lines) > 500 then
    raise exception 'resource_demand is a list of at most 500 lines.' using errcode = 'PC004', hint = 'resource_demand';
  end if;
  select l.place, k.field into v_place, v_unknown
  from jsonb_array_elements(p_lines) with ordinality l (line, place)
  left join lateral jsonb_object_keys(case jsonb_typeof(l.line) when 'object' then l.line else '{}' end) k (field) on true
  where jsonb_typeof(l.line) <> 'object' or k.field <> all (v_fields)
  order by l.place, k.field
  limit 1;
  if v_place is not null then
    raise exception 'Line % of resource_demand %.', v_place,
      coalesce('has no field "' || v_unknown || '" that could be written', 'is not an object of fields')
      using errcode = 'PC004', hint = format('resource_demand.%s', v_place - 1) || coalesce('.' || v_unknown, '');
  end if;
  return query
  select l.place::int, format('resource_demand.%s.', l.place - 1), l.line from jsonb_array_elements(p_lines) with ordinality l (line, place);
end
$$;
comment on function private.demand_lines(jsonb) is 'The lines of a resource_demand, checked for their fields.';

create function private.new_demand(p_deal public.pipeline_projects) returns public.pipeline_resource_demands
language plpgsql stable set search_path = '' as $$
declare
  v_base public.pipeline_resource_demands;
begin
  v_base.workspace_id := p_deal.workspace_id;
  v_base.pipeline_project_id := p_deal.id;
  v_base.required_count := 1;
  v_base.allocation_percentage := 100;
  v_base.is_critical := false;
  v_base.alternatives := '[]';
  v_base.priority := 0;
  return v_base;
end
$$;

create function private.add_demand(p_deal public.pipeline_projects, p_lines jsonb) returns void
language sql set search_path = '' as $$
  insert into public.pipeline_resource_demands (workspace_id, pipeline_project_id, skill_category, skill_key, experience_level,
    required_count, allocation_percentage, start_date, end_date, hourly_rate, is_critical, alternatives, priority)
  select n.workspace_id, n.pipeline_project_id, coalesce(n.skill_category, n.skill_key), n.skill_key, n.experience_level,
    n.required_count, n.allocation_percentage, n.start_date, n.end_date, n.hourly_rate, n.is_critical, n.alternatives, n.priority
  from private.demand_lines(p_lines) l
  cross join lateral (select coalesce(jsonb_object_agg(f.key, f.value), '{}') as fields from jsonb_each(l.line) f where f.value <> 'null') given
  cross join lateral private.populated(private.new_demand(p_deal), given.fields, l.path) n
  where not l.line ? 'id'
  order by l.place
$$;

create function private.replace_demand(p_deal public.pipeline_projects, p_lines jsonb) returns void
language plpgsql set search_path = '' as $$
declare
  v_kept text[];
  v_strange text;
  v_expected bigint;
  v_done bigint;
begin
  select coalesce(array_agg(coalesce(lower(l.line ->> 'id'), 'null')) filter (where l.line ? 'id'), '{}') into v_kept from private.demand_lines(p_lines) l;
  select k.id into v_strange
  from unnest(v_kept) k (id)
  left join public.pipeline_resource_demands d on d.workspace_id = p_deal.workspace_id and d.pipeline_project_id = p_deal.id and d.id::text = k.id
  group by k.id
  having count(d.id) <> 1
  limit 1;
  if v_strange is not null then
    raise exception 'Line % of resource_demand is not there, or is named twice.', v_strange using errcode = 'PC001', hint = 'resource_demand',
      detail = 'A line with an id changes the line that is there; a new one has none.';
  end if;
  with gone as (
    select d.id from public.pipeline_resource_demands d
    where d.workspace_id = p_deal.workspace_id and d.pipeline_project_id = p_deal.id and d.id::text <> all (v_kept)
  ), changed as (
    select n.*
    from private.demand_lines(p_lines) l
    join public.pipeline_resource_demands d on d.workspace_id = p_deal.workspace_id and d.pipeline_project_id = p_deal.id
      and d.id::text = lower(l.line ->> 'id')
    cross join lateral private.populated(d, l.line, l.path) n
    -- What is the same stays untouched, so that somebody else's line may stand in the list.
    where n is distinct from d
  ), deleted as (
    delete from public.pipeline_resource_demands d using gone g where d.id = g.id returning d.id
  ), written as (
    update public.pipeline_resource_demands d
    set skill_category = c.skill_category, skill_key = c.skill_key, experience_level = c.experience_level, required_count = c.required_count,
      allocation_percentage = c.allocation_percentage, start_date = c.start_date, end_date = c.end_date, hourly_rate = c.hourly_rate,
      is_critical = c.is_critical, alternatives = c.alternatives, priority = c.priority
    from changed c
    where d.id = c.id
    returning d.id
  )
  select (select count(*) from gone) + (select count(*) from changed), (select count(*) from deleted) + (select count(*) from written)
  into v_expected, v_done;
  if v_done < v_expected then
    raise exception 'Some of this deal''s demand was written by somebody else, and your role does not let you change it.' using errcode = 'PC002',
      hint = 'Send those lines as they are, or ask an admin.';
  end if;
  perform private.add_demand(p_deal, p_lines);
end
$$;
comment on function private.replace_demand(public.pipeline_projects, jsonb) is 'Makes the demand of a deal what the list says: lines with an id are changed, others added, missing ones removed.';

-- The calls --------------------------------------------------------------------------------------------------------------

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
    raise exception 'Somebody else changed this deal meanwhile.' using errcode = 'PC008',
      detail = format('It is in stage %s, last changed %s.', v_deal.stage_key, v_deal.updated_at), hint = 'Read it again and decide anew.';
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
  perform private.refuse_misfit(sqlstate, v_table, v_constraint, v_column, sqlerrm);
end
$$;
comment on function public.update_pipeline_project(uuid, jsonb, jsonb, timestamptz) is
  'Changes the given fields of a deal. resource_demand left out stays as it is; a list replaces it, where lines with an id are changed. With expected_updated_at it refuses (PC008) when somebody changed the deal meanwhile.';

revoke execute on function private.populated(anyelement, jsonb, text), private.refuse_misfit(text, text, text, text, text),
  private.deal_skills(uuid, jsonb), private.deal_fields(), private.read_deal(public.pipeline_projects, jsonb), private.new_deal(uuid, jsonb),
  private.demand_lines(jsonb), private.new_demand(public.pipeline_projects), private.add_demand(public.pipeline_projects, jsonb),
  private.replace_demand(public.pipeline_projects, jsonb),
  public.create_pipeline_project(uuid, jsonb, jsonb), public.update_pipeline_project(uuid, jsonb, jsonb, timestamptz)
  from public, anon, authenticated, service_role;
grant execute on function private.populated(anyelement, jsonb, text), private.refuse_misfit(text, text, text, text, text),
  private.deal_skills(uuid, jsonb), private.deal_fields(), private.read_deal(public.pipeline_projects, jsonb), private.new_deal(uuid, jsonb),
  private.demand_lines(jsonb), private.new_demand(public.pipeline_projects), private.add_demand(public.pipeline_projects, jsonb),
  private.replace_demand(public.pipeline_projects, jsonb),
  public.create_pipeline_project(uuid, jsonb, jsonb), public.update_pipeline_project(uuid, jsonb, jsonb, timestamptz)
  to authenticated, service_role;
