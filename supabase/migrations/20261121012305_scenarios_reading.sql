-- Scenarios: what an edit says, checked when it is written. All of it runs as the caller, so the policies hold.

create type private.added_people as (skill_key text, level text, count int, hours_per_week numeric, start_date date, end_date date);

create function private.edit_fields(p_kind text) returns text[]
language sql immutable parallel safe set search_path = '' as $$
  select case p_kind
    when 'shift_start' then '{days}'::text[]
    when 'shift_close' then '{days}'
    when 'set_probability' then '{probability}'
    when 'drop_deal' then '{}'
    when 'add_deal' then private.deal_fields() || '{stage,resource_demand}'
    when 'add_people' then '{skill_key,level,count,hours_per_week,start_date,end_date}'
    when 'set_rates' then '{rates}'
  end
$$;
comment on function private.edit_fields(text) is 'The fields in the payload of an edit; null for a kind that does not exist.';

create function private.whole_number(p_payload jsonb, p_field text, p_least int, p_most int) returns int
language plpgsql immutable set search_path = '' as $$
begin
  if jsonb_typeof(p_payload -> p_field) = 'number' then
    if (p_payload ->> p_field)::numeric between p_least and p_most and (p_payload ->> p_field)::numeric = trunc((p_payload ->> p_field)::numeric) then
      return (p_payload ->> p_field)::numeric;
    end if;
  end if;
  raise exception '% is a whole number between % and %.', p_field, p_least, p_most using errcode = 'PC004', hint = 'payload.' || p_field;
end
$$;

create function private.added_demand(p_workspace uuid, p_lines jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_deal public.pipeline_projects;
begin
  v_deal.workspace_id := p_workspace;
  return (
    select coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(n)) - '{workspace_id,pipeline_project_id,ordinality}'::text[] || jsonb_strip_nulls(jsonb_build_object(
      'skill_key', s.key, 'skill_category', coalesce(n.skill_category, s.key), 'experience_level', private.level_key(n.experience_level),
      'alternatives', private.alternative_keys(p_workspace, n.alternatives))) order by n.ordinality), '[]')
    from private.new_lines(v_deal, (
      select coalesce(jsonb_agg(l.line - 'id' order by l.place), '[]') from private.demand_lines(p_lines) l)) with ordinality n
    cross join lateral (select private.skill_key(p_workspace, coalesce(n.skill_key, n.skill_category)) as key) s);
end
$$;
comment on function private.added_demand(uuid, jsonb) is 'The demand of a deal that a scenario adds, in the workspace''s own words.';

create function private.read_added_deal(p_workspace uuid, p_payload jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_deal constant public.pipeline_projects := private.new_deal(p_workspace, p_payload - 'resource_demand');
  v_wrong text;
begin
  if v_deal.name is null then
    raise exception 'name cannot be empty.' using errcode = 'PC004', hint = 'payload.name';
  end if;
  select min(d.field) into v_wrong
  from (values ('expected_close_date', v_deal.expected_close_date), ('actual_close_date', v_deal.actual_close_date),
    ('estimated_start_date', v_deal.estimated_start_date)) d (field, day)
  where d.day is not null and private.plausible_day(d.day) is null;
  if v_wrong is not null then
    raise exception '% lies between 1900 and 2199.', v_wrong using errcode = 'PC004', hint = 'payload.' || v_wrong;
  end if;
  perform private.refuse_broken_rules('public.pipeline_projects', array[v_deal]);
  return (
    select jsonb_object_agg(d.key, d.value) from jsonb_each(to_jsonb(v_deal)) d
    where d.value <> 'null' and (p_payload ? d.key or d.key in ('stage_key', 'currency')))
    || jsonb_build_object('resource_demand', private.added_demand(p_workspace, coalesce(p_payload -> 'resource_demand', '[]')));
end
$$;

create function private.read_added_people(p_workspace uuid, p_payload jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_people private.added_people := private.populated(null::private.added_people, p_payload, 'payload.');
  v_skill constant text := private.skill_key(p_workspace, v_people.skill_key);
  v_wrong text;
begin
  if v_skill is null then
    raise exception 'There is no skill "%".', coalesce(v_people.skill_key, '') using errcode = 'PC004', hint = 'payload.skill_key';
  end if;
  v_people.count := coalesce(v_people.count, 1);
  -- A full week is what the workspace's usual calendar says.
  v_people.hours_per_week := coalesce(v_people.hours_per_week, (
    select (select sum(h) from unnest(c.hours) h)
    from public.planning_settings s
    join public.working_calendars c on c.workspace_id = s.workspace_id and c.id = s.default_calendar_id
    where s.workspace_id = p_workspace), 40);
  v_wrong := case
    when v_people.level is not null and private.level_key(v_people.level) is null then 'level: there are junior, mid, senior, lead and principal.'
    when v_people.count not between 1 and 1000 then 'count: one person at least, a thousand at most.'
    when v_people.hours_per_week not between 0.5 and 168 then 'hours_per_week: half an hour at least, 168 at most.'
    when v_people.start_date is null then 'start_date: the day on which they come.'
    when private.plausible_day(v_people.start_date) is null then 'start_date: a day between 1900 and 2199.'
    when v_people.end_date is not null and private.plausible_day(v_people.end_date) is null then 'end_date: a day between 1900 and 2199.'
    when v_people.end_date < v_people.start_date then 'end_date: people cannot leave before they come.'
  end;
  if v_wrong is not null then
    raise exception '%', v_wrong using errcode = 'PC004', hint = 'payload.' || split_part(v_wrong, ':', 1);
  end if;
  v_people.skill_key := v_skill;
  v_people.level := private.level_key(v_people.level);
  return to_jsonb(v_people);
end
$$;

create function private.read_edit(p_workspace uuid, p_kind text, p_payload jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_unknown text;
begin
  if private.edit_fields(p_kind) is null then
    raise exception 'There is no edit of the kind "%".', coalesce(p_kind, 'null') using errcode = 'PC004', hint = 'kind';
  elsif jsonb_typeof(p_payload) is distinct from 'object' then
    raise exception 'The payload of an edit is an object of fields.' using errcode = 'PC004', hint = 'payload';
  elsif pg_column_size(p_payload) > 262144 then
    raise exception 'The payload of an edit has 256 KiB at most.' using errcode = 'PC004', hint = 'payload';
  end if;
  select min(k) into v_unknown from jsonb_object_keys(p_payload) k where k <> all (private.edit_fields(p_kind));
  if v_unknown is not null then
    raise exception 'An edit of the kind % has no field "%".', p_kind, v_unknown using errcode = 'PC004', hint = 'payload.' || v_unknown;
  end if;
  return case p_kind
    when 'shift_start' then jsonb_build_object('days', private.whole_number(p_payload, 'days', -3650, 3650))
    when 'shift_close' then jsonb_build_object('days', private.whole_number(p_payload, 'days', -3650, 3650))
    when 'set_probability' then jsonb_build_object('probability', private.whole_number(p_payload, 'probability', 0, 100))
    when 'drop_deal' then '{}'
    when 'add_deal' then private.read_added_deal(p_workspace, p_payload)
    when 'add_people' then private.read_added_people(p_workspace, p_payload)
    when 'set_rates' then jsonb_build_object('rates', private.stage_rates(p_workspace, p_payload -> 'rates'))
  end;
end
$$;
comment on function private.read_edit(uuid, text, jsonb) is 'The payload of an edit in the workspace''s own words, with its defaults; PC004 names what does not fit.';

revoke execute on function private.edit_fields(text), private.whole_number(jsonb, text, int, int), private.added_demand(uuid, jsonb),
  private.read_added_deal(uuid, jsonb), private.read_added_people(uuid, jsonb), private.read_edit(uuid, text, jsonb)
  from public, anon, authenticated, service_role;
grant execute on function private.edit_fields(text), private.whole_number(jsonb, text, int, int), private.added_demand(uuid, jsonb),
  private.read_added_deal(uuid, jsonb), private.read_added_people(uuid, jsonb), private.read_edit(uuid, text, jsonb)
  to authenticated, service_role;
