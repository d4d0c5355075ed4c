-- Connections: what sync_rules may say. A rule that a sync could not follow is refused when it is saved, by the name of its key.

-- How values of a field are compared; null where there is no such field. The same types as in _shared/sync/filters.
create function private.crm_filter_type(p_config uuid, p_entity text, p_field text) returns text
language sql
stable
set search_path = ''
as $$
  select case
    when p_field = 'owner' then 'owner'
    when p_field ~ '^custom_fields\.[A-Za-z0-9_]{1,100}$' then coalesce(
      (select m.data_type from public.crm_field_mappings m
       where m.config_id = p_config and m.entity_type = p_entity and m.app_field = p_field), 'string')
    else (
      select case f.app_field when 'stage_key' then 'stage' when 'domain' then 'url' else f.data_type end
      from private.crm_app_fields f
      where f.entity_type = p_entity and f.app_field = p_field and f.is_mappable)
  end
$$;

-- Text has no order that all CRMs share.
create function private.crm_filter_operators(p_type text) returns text[]
language sql
immutable
set search_path = ''
as $$
  select '{empty,not_empty}'::text[] || case
    when p_type in ('string', 'picklist', 'email', 'phone', 'url') then '{equals,not_equals,in,not_in,contains,starts_with}'::text[]
    when p_type in ('number', 'date', 'datetime') then
      '{equals,not_equals,in,not_in,greater,greater_or_equal,less,less_or_equal,between}'::text[]
    when p_type in ('stage', 'owner') then '{equals,not_equals,in,not_in}'::text[]
    when p_type = 'boolean' then '{equals,not_equals}'::text[]
    when p_type = 'array' then '{contains,in,not_in}'::text[]
    else '{}'::text[]
  end
$$;

create function private.crm_filter_value_fits(p_type text, p_value jsonb) returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  v_text constant text := p_value #>> '{}';
begin
  if p_type in ('number', 'boolean') then
    return jsonb_typeof(p_value) = p_type;
  elsif jsonb_typeof(p_value) <> 'string' or char_length(btrim(v_text)) not between 1 and 255 then
    return false;
  elsif p_type = 'date' then
    return v_text ~ '^\d{4}-\d{2}-\d{2}$' and v_text::date is not null;
  elsif p_type = 'datetime' then
    return v_text ~ '^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})$' and v_text::timestamptz is not null;
  end if;
  return true;
exception when data_exception then
  return false;
end
$$;

-- The first thing wrong with one condition; null when it can be followed.
create function private.crm_condition_problem(p_config uuid, p_entity text, p_condition jsonb, p_path text) returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  v_type constant text := private.crm_filter_type(p_config, p_entity, p_condition ->> 'field');
  v_operator constant text := p_condition ->> 'operator';
  v_value constant jsonb := p_condition -> 'value';
  v_list constant boolean := coalesce(v_operator in ('in', 'not_in', 'between'), false);
  v_key text;
begin
  select k into v_key from jsonb_object_keys(p_condition) k where k not in ('field', 'operator', 'value') limit 1;
  if v_key is not null then
    return format('%s.%s: there is no such key.', p_path, v_key);
  elsif v_type is null then
    return format('%s.field: %s is no field of %s.', p_path, coalesce(p_condition -> 'field', 'null'), p_entity);
  elsif coalesce(v_operator <> all (private.crm_filter_operators(v_type)), true) then
    return format('%s.operator: %s takes %s.', p_path, p_condition ->> 'field', array_to_string(private.crm_filter_operators(v_type), ', '));
  elsif v_operator in ('empty', 'not_empty') then
    return case when v_value is not null then format('%s.value: %s takes none.', p_path, v_operator) end;
  elsif v_value is null or v_list <> (jsonb_typeof(v_value) = 'array') then
    return format('%s.value: %s takes %s.', p_path, v_operator, case when v_list then 'a list' else 'one value' end);
  elsif v_list and (jsonb_array_length(v_value) not between 1 and 100 or v_operator = 'between' and jsonb_array_length(v_value) <> 2) then
    return format('%s.value: %s takes %s values.', p_path, v_operator, case v_operator when 'between' then 'two' else '1 to 100' end);
  elsif exists (
    select from jsonb_array_elements(case when v_list then v_value else jsonb_build_array(v_value) end) v
    where private.crm_filter_value_fits(v_type, v) is not true)
  then
    return format('%s.value: %s is compared with %s.', p_path, p_condition ->> 'field', case
      when v_type = 'number' then 'numbers'
      when v_type = 'boolean' then 'true or false'
      when v_type = 'date' then 'dates such as "2026-12-31"'
      when v_type = 'datetime' then 'instants such as "2026-12-31T08:00:00Z"'
      else 'text of 1 to 255 characters' end);
  end if;
  return null;
end
$$;

-- The first thing wrong with a filter.
create function private.crm_filter_problem(p_config uuid, p_entity text, p_filter jsonb, p_path text, p_depth int default 1) returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  v_group constant text := case when p_filter ? 'all' then 'all' else 'any' end;
begin
  if p_depth > 5 then
    return p_path || ': groups are nested more than 5 deep.';
  elsif jsonb_typeof(p_filter) is distinct from 'object' then
    return p_path || ': must be {"all": […]}, {"any": […]} or a condition.';
  elsif not p_filter ?| '{all,any}' then
    return private.crm_condition_problem(p_config, p_entity, p_filter, p_path);
  elsif p_filter - v_group <> '{}' then
    return format('%s: holds %s and nothing else.', p_path, v_group);
  elsif jsonb_typeof(p_filter -> v_group) <> 'array' then
    return format('%s.%s: must be a list.', p_path, v_group);
  elsif jsonb_array_length(p_filter -> v_group) not between 1 and 25 then
    return format('%s.%s: takes 1 to 25 parts.', p_path, v_group);
  end if;
  return (
    select q.problem
    from jsonb_array_elements(p_filter -> v_group) with ordinality e (part, place)
    cross join lateral private.crm_filter_problem(
      p_config, p_entity, e.part, format('%s.%s[%s]', p_path, v_group, e.place - 1), p_depth + 1) q (problem)
    where q.problem is not null
    order by e.place
    limit 1
  );
end
$$;

-- Of a filter that is well formed.
create function private.crm_filter_size(p_filter jsonb) returns bigint
language sql
immutable
set search_path = ''
as $$
  with recursive parts (part) as (
    select p_filter
    union all
    select e from parts p cross join lateral jsonb_array_elements(coalesce(p.part -> 'all', p.part -> 'any')) e
  )
  select count(*) from parts p where not p.part ?| '{all,any}'
$$;

create function private.crm_field_list_problem(p_config uuid, p_entity text, p_fields jsonb, p_path text) returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  if jsonb_typeof(p_fields) <> 'array' then
    return p_path || ': must be a list of fields.';
  end if;
  return (
    select format('%s[%s]: %s is no field of %s.', p_path, e.place - 1, e.field, p_entity)
    from jsonb_array_elements(p_fields) with ordinality e (field, place)
    where jsonb_typeof(e.field) <> 'string' or coalesce(private.crm_filter_type(p_config, p_entity, e.field #>> '{}'), 'owner') = 'owner'
    order by e.place
    limit 1
  );
end
$$;

-- Fields of ours, and the relations that are compared like them.
create function private.crm_strategies_problem(p_config uuid, p_entity text, p_strategies jsonb, p_path text) returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  if jsonb_typeof(p_strategies) <> 'object' then
    return p_path || ': must be an object.';
  end if;
  return (
    select case when k.is_known
      then format('%s.%s: must be last_write_wins, crm_wins, app_wins or manual_review.', p_path, s.key)
      else format('%s.%s: is no field of %s.', p_path, s.key, p_entity) end
    from jsonb_each(p_strategies) s
    cross join lateral (
      select coalesce(private.crm_filter_type(p_config, p_entity, s.key), 'owner') <> 'owner' or exists (
        select from private.crm_app_fields f where f.entity_type = p_entity and f.app_field = s.key and f.data_type = 'relation') as is_known) k
    where not k.is_known or s.value not in ('"last_write_wins"', '"crm_wins"', '"app_wins"', '"manual_review"')
    order by s.key
    limit 1
  );
end
$$;

-- The first thing wrong with the rules of one entity.
create function private.crm_entity_rules_problem(p_config uuid, p_entity text, p_rules jsonb) returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  if jsonb_typeof(p_rules) <> 'object' then
    return p_entity || ': must be an object.';
  end if;
  return (
    select q.problem
    from jsonb_each(p_rules) r
    cross join lateral (select p_entity || '.' || r.key as path) k
    cross join lateral (select case r.key
      when 'field_strategies' then private.crm_strategies_problem(p_config, p_entity, r.value, k.path)
      when 'exclude_fields' then private.crm_field_list_problem(p_config, p_entity, r.value, k.path)
      when 'external_id_field' then
        case when r.value::text !~ '^"[A-Za-z][A-Za-z0-9_]{0,254}"$' then k.path || ': must be the name of a field of the CRM.' end
      when 'filter' then coalesce(
        private.crm_filter_problem(p_config, p_entity, r.value, k.path),
        case when private.crm_filter_size(r.value) > 25 then k.path || ': has more than 25 conditions.' end)
      else k.path || ': there is no such key.'
    end as problem) q
    where q.problem is not null
    order by r.key
    limit 1
  );
end
$$;

create function private.crm_schedule_problem(p_schedule jsonb) returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  if jsonb_typeof(p_schedule) <> 'object' then
    return 'schedule: must be an object.';
  end if;
  return (
    select format('schedule.%s: %s', r.key, q.problem)
    from jsonb_each(p_schedule) r
    cross join lateral (select case r.key
      when 'time_zone' then
        case when not exists (select from pg_timezone_names z where z.name = r.value #>> '{}') or jsonb_typeof(r.value) <> 'string'
          then 'must be a time zone such as "Europe/Berlin".' end
      when 'daily_at' then
        case when r.value::text !~ '^"([01][0-9]|2[0-3]):[0-5][0-9]"$' then 'must be a time such as "06:30".' end
      when 'minute' then
        case when r.value::text !~ '^[1-5]?[0-9]$' then 'must be a whole number from 0 to 59.' end
      else 'there is no such key.'
    end as problem) q
    where q.problem is not null
    order by r.key
    limit 1
  );
end
$$;

-- The first thing wrong with the rules of a connection, beginning with the name of the key; null when they can be followed.
create function private.crm_sync_rules_problem(p_config uuid, p_rules jsonb) returns text
language sql
stable
set search_path = ''
as $$
  select q.problem
  from jsonb_each(p_rules) r
  cross join lateral (select case
    when r.key in ('create_when_missing', 'create_in_crm', 'delete_when_deleted', 'delete_in_crm') then
      case when jsonb_typeof(r.value) <> 'boolean' then r.key || ': must be true or false.' end
    when r.key = 'phone_country' then
      case when r.value::text !~ '^"[A-Z]{2}"$' then 'phone_country: must be a code such as "DE".' end
    when r.key = 'schedule' then private.crm_schedule_problem(r.value)
    when r.key in ('accounts', 'contacts', 'opportunities') then private.crm_entity_rules_problem(p_config, r.key, r.value)
    else r.key || ': there is no such key.'
  end as problem) q
  where q.problem is not null
  order by r.key
  limit 1
$$;

-- Two documents name the strategies differently; one spelling is stored.
create function private.crm_strategy_name(p_name text) returns text
language sql
immutable
set search_path = ''
as $$
  select case p_name
    when 'crm-wins' then 'crm_wins'
    when 'system-wins' then 'app_wins'
    when 'timestamp' then 'last_write_wins'
    when 'manual' then 'manual_review'
    else p_name
  end
$$;

create function private.crm_named_strategies(p_rules jsonb) returns jsonb
language sql
immutable
set search_path = ''
as $$
  select p_rules || coalesce(jsonb_object_agg(e.key, e.value || jsonb_build_object('field_strategies', (
    select coalesce(jsonb_object_agg(s.key,
      case jsonb_typeof(s.value) when 'string' then to_jsonb(private.crm_strategy_name(s.value #>> '{}')) else s.value end), '{}')
    from jsonb_each(e.value -> 'field_strategies') s))), '{}')
  from jsonb_each(p_rules) e
  where jsonb_typeof(e.value -> 'field_strategies') = 'object'
$$;

-- The fields that a connection neither reads nor writes.
create function private.crm_excluded_fields(p_rules jsonb, p_entity text) returns text[]
language sql
immutable
set search_path = ''
as $$
  select array(
    select jsonb_array_elements_text(coalesce(p_rules #> array[p_entity, 'exclude_fields'], '[]')))
$$;

-- Those that check run as whoever saves the rules.
revoke execute on function private.crm_filter_type(uuid, text, text), private.crm_filter_operators(text),
  private.crm_filter_value_fits(text, jsonb), private.crm_condition_problem(uuid, text, jsonb, text),
  private.crm_filter_problem(uuid, text, jsonb, text, int), private.crm_filter_size(jsonb),
  private.crm_field_list_problem(uuid, text, jsonb, text), private.crm_strategies_problem(uuid, text, jsonb, text),
  private.crm_entity_rules_problem(uuid, text, jsonb), private.crm_schedule_problem(jsonb),
  private.crm_sync_rules_problem(uuid, jsonb), private.crm_excluded_fields(jsonb, text),
  private.crm_strategy_name(text), private.crm_named_strategies(jsonb)
  from public, anon, authenticated, service_role;
grant execute on function private.crm_filter_type(uuid, text, text), private.crm_filter_operators(text),
  private.crm_filter_value_fits(text, jsonb), private.crm_condition_problem(uuid, text, jsonb, text),
  private.crm_filter_problem(uuid, text, jsonb, text, int), private.crm_filter_size(jsonb),
  private.crm_field_list_problem(uuid, text, jsonb, text), private.crm_strategies_problem(uuid, text, jsonb, text),
  private.crm_entity_rules_problem(uuid, text, jsonb), private.crm_schedule_problem(jsonb),
  private.crm_sync_rules_problem(uuid, jsonb), private.crm_strategy_name(text), private.crm_named_strategies(jsonb)
  to authenticated, service_role;
