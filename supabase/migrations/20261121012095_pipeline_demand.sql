-- Pipeline: the demand of a deal for people as JSON, a list of lines. These functions run as the caller, so the policies hold.

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

-- What the triggers and constraints of the table would say one by one, said of the line it is about.
create function private.check_demand(p_rows public.pipeline_resource_demands[], p_paths text[]) returns void
language plpgsql stable set search_path = '' as $$
declare
  v_wrong record;
begin
  perform private.refuse_broken_rules('public.pipeline_resource_demands', p_rows, p_paths);
  select p_paths[r.ordinality] || w.field as field, w.message into v_wrong
  from unnest(p_rows) with ordinality r
  cross join lateral (
    select 1 as place, 'skill_category' as field, 'A line of resource_demand says which skill it asks for.' as message
    where num_nonnulls(r.skill_category, r.skill_key) = 0
    union all
    select 2, 'skill_key', format('There is no skill "%s".', r.skill_key) where private.skill_key(r.workspace_id, r.skill_key) is null and r.skill_key is not null
    union all
    select 3, 'experience_level', format('There is no level "%s". There are junior, mid, senior, lead and principal.', r.experience_level)
    where private.level_key(r.experience_level) is null and r.experience_level is not null
    union all
    select 4, 'alternatives', format('There is no skill "%s", which is named as an alternative.', a.name #>> '{}')
    from jsonb_array_elements(r.alternatives) a (name)
    where jsonb_typeof(a.name) <> 'string' or private.skill_key(r.workspace_id, a.name #>> '{}') is null
  ) w
  order by r.ordinality, w.place
  limit 1;
  if v_wrong.field is not null then
    raise exception '%', v_wrong.message using errcode = 'PC004', hint = v_wrong.field;
  end if;
end
$$;
comment on function private.check_demand(public.pipeline_resource_demands[], text[]) is 'Refuses demand that could not be written; the hint is the path of the line and the field.';

create function private.new_lines(p_deal public.pipeline_projects, p_lines jsonb) returns setof public.pipeline_resource_demands
language plpgsql stable set search_path = '' as $$
declare
  v_rows public.pipeline_resource_demands[];
  v_paths text[];
begin
  select array_agg(n::public.pipeline_resource_demands order by l.place), array_agg(l.path order by l.place) into v_rows, v_paths
  from private.demand_lines(p_lines) l
  -- On a new line null says no more than leaving it out.
  cross join lateral (select coalesce(jsonb_object_agg(f.key, f.value), '{}') as fields from jsonb_each(l.line) f where f.value <> 'null') given
  cross join lateral private.populated(private.new_demand(p_deal), given.fields, l.path) n
  where not l.line ? 'id';
  perform private.check_demand(v_rows, v_paths);
  return query select * from unnest(v_rows);
end
$$;
comment on function private.new_lines(public.pipeline_projects, jsonb) is 'The lines of a resource_demand that have no id, as rows.';

create function private.add_demand(p_deal public.pipeline_projects, p_lines jsonb) returns void
language sql set search_path = '' as $$
  insert into public.pipeline_resource_demands (workspace_id, pipeline_project_id, skill_category, skill_key, experience_level,
    required_count, allocation_percentage, start_date, end_date, hourly_rate, is_critical, alternatives, priority)
  select n.workspace_id, n.pipeline_project_id, coalesce(n.skill_category, n.skill_key), n.skill_key, n.experience_level,
    n.required_count, n.allocation_percentage, n.start_date, n.end_date, n.hourly_rate, n.is_critical, n.alternatives, n.priority
  from private.new_lines(p_deal, p_lines) with ordinality n
  order by n.ordinality
$$;

create function private.replace_demand(p_deal public.pipeline_projects, p_lines jsonb) returns void
language plpgsql set search_path = '' as $$
declare
  v_kept text[];
  v_strange text;
  v_changed public.pipeline_resource_demands[];
  v_paths text[];
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
  select array_agg(n::public.pipeline_resource_demands), array_agg(l.path) into v_changed, v_paths
  from private.demand_lines(p_lines) l
  join public.pipeline_resource_demands d on d.workspace_id = p_deal.workspace_id and d.pipeline_project_id = p_deal.id
    and d.id::text = lower(l.line ->> 'id')
  cross join lateral private.populated(d, l.line, l.path) n
  -- What is the same stays untouched, so that somebody else's line may stand in the list.
  where n is distinct from d;
  perform private.check_demand(v_changed, v_paths);
  with gone as (
    select d.id from public.pipeline_resource_demands d
    where d.workspace_id = p_deal.workspace_id and d.pipeline_project_id = p_deal.id and d.id::text <> all (v_kept)
  ), deleted as (
    delete from public.pipeline_resource_demands d using gone g where d.id = g.id returning d.id
  ), written as (
    update public.pipeline_resource_demands d
    set skill_category = c.skill_category, skill_key = c.skill_key, experience_level = c.experience_level, required_count = c.required_count,
      allocation_percentage = c.allocation_percentage, start_date = c.start_date, end_date = c.end_date, hourly_rate = c.hourly_rate,
      is_critical = c.is_critical, alternatives = c.alternatives, priority = c.priority
    from unnest(v_changed) c
    where d.id = c.id
    returning d.id
  )
  select (select count(*) from gone) + coalesce(cardinality(v_changed), 0), (select count(*) from deleted) + (select count(*) from written)
  into v_expected, v_done;
  if v_done < v_expected then
    raise exception 'Some of this deal''s demand was written by somebody else, and your role does not let you change it.' using errcode = 'PC002',
      hint = 'Send those lines as they are, or ask an admin.';
  end if;
  perform private.add_demand(p_deal, p_lines);
end
$$;
comment on function private.replace_demand(public.pipeline_projects, jsonb) is 'Makes the demand of a deal what the list says: lines with an id are changed, others added, missing ones removed.';

revoke execute on function private.demand_lines(jsonb), private.new_demand(public.pipeline_projects),
  private.check_demand(public.pipeline_resource_demands[], text[]), private.new_lines(public.pipeline_projects, jsonb),
  private.add_demand(public.pipeline_projects, jsonb), private.replace_demand(public.pipeline_projects, jsonb)
  from public, anon, authenticated, service_role;
grant execute on function private.demand_lines(jsonb), private.new_demand(public.pipeline_projects),
  private.check_demand(public.pipeline_resource_demands[], text[]), private.new_lines(public.pipeline_projects, jsonb),
  private.add_demand(public.pipeline_projects, jsonb), private.replace_demand(public.pipeline_projects, jsonb)
  to authenticated, service_role;
