-- Pipeline: a deal as JSON, read into a row. These functions run as the caller, so the policies hold. A refusal names the
-- field in its hint.

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

create function private.refuse_misfit(
  p_state text, p_table text, p_constraint text, p_column text, p_message text, p_path text default ''
) returns void
language plpgsql stable set search_path = '' as $$
declare
  v_kind "char";
  v_rule text;
  v_columns text;
begin
  select c.contype, pg_catalog.pg_get_expr(c.conbin, c.conrelid, true),
    (select string_agg(p_path || a.attname, ', ' order by a.attnum) from pg_catalog.pg_attribute a
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
comment on function private.refuse_misfit(text, text, text, text, text, text) is 'Says of a broken constraint, under its own SQLSTATE, which field it was and what the rule is.';

create function private.refuse_broken_rules(p_table regclass, p_rows anyarray, p_paths text[] default '{}') returns void
language plpgsql stable set search_path = '' as $$
declare
  v_rules text;
  v_place bigint;
  v_rule text;
begin
  select string_agg(format('when not (%s) then %L', pg_catalog.pg_get_expr(c.conbin, c.conrelid), c.conname), ' ' order by c.conname) into v_rules
  from pg_catalog.pg_constraint c
  where c.conrelid = p_table and c.contype = 'c';
  execute format('select b.ordinality, b.rule from (select g.ordinality, case %s end as rule from unnest($1) with ordinality g) b
    where b.rule is not null order by b.ordinality limit 1', v_rules) into v_place, v_rule using p_rows;
  if v_rule is not null then
    perform private.refuse_misfit('23514', (select c.relname from pg_catalog.pg_class c where c.oid = p_table), v_rule, null, null,
      coalesce(p_paths[v_place], ''));
  end if;
end
$$;
comment on function private.refuse_broken_rules(regclass, anyarray, text[]) is
  'Refuses rows that the check constraints of their table would refuse, in the same words and with the path of the first. For rows that are not written, or not yet.';

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

revoke execute on function private.populated(anyelement, jsonb, text), private.refuse_misfit(text, text, text, text, text, text),
  private.refuse_broken_rules(regclass, anyarray, text[]), private.deal_skills(uuid, jsonb), private.deal_fields(),
  private.read_deal(public.pipeline_projects, jsonb), private.new_deal(uuid, jsonb)
  from public, anon, authenticated, service_role;
grant execute on function private.populated(anyelement, jsonb, text), private.refuse_misfit(text, text, text, text, text, text),
  private.refuse_broken_rules(regclass, anyarray, text[]), private.deal_skills(uuid, jsonb), private.deal_fields(),
  private.read_deal(public.pipeline_projects, jsonb), private.new_deal(uuid, jsonb)
  to authenticated, service_role;
