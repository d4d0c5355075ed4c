-- Push, filters: which of our records a connection wants. A filter becomes one SQL condition on the record table, so that it
-- is evaluated for a set of records at once. The same meaning as _shared/crm/filterMatch.ts, which a property test compares:
-- text without case and outer space, addresses of the web without https:// and www., phone numbers by their digits; an
-- empty value fulfils no condition but empty.

-- Text in the form in which it is compared; null is empty. As SQL text, because it is wanted of columns and of values.
create function private.crm_filter_text_sql(p_type text, p_value text) returns text
language sql
immutable
set search_path = ''
as $$
  select format('nullif(%s, '''')', case p_type
    when 'phone' then format('regexp_replace(%s, ''[^0-9+]'', '''', ''g'')', t.plain)
    when 'url' then format('regexp_replace(%s, ''^https?://(www\.)?|/+$'', '''', ''g'')', t.plain)
    else t.plain end)
  from (select format('lower(btrim(%s, E'' \t\n\r\f\x0b''))', p_value) as plain) t
$$;

-- A field of a record t of ours, as its type is compared. What is in a custom field may be of any type: a value of another
-- one is as good as none.
create function private.crm_filter_field_sql(p_entity text, p_field text, p_type text) returns text
language sql
stable
set search_path = ''
as $$
  select case
    when p_type = 'owner' then 'case when t.owner_id is not null then ''member:'' || t.owner_id else ''label:'' || nullif(t.owner_label, '''') end'
    when p_type = 'array' then format(
      'array(select lower(btrim(e)) from jsonb_array_elements_text(case jsonb_typeof(%1$s) when ''array'' then %1$s else ''[]'' end) e where btrim(e) <> '''')', f.value)
    when p_type = 'object' then format('nullif(nullif(nullif(%s, ''{}''), ''[]''), ''null'')', f.value)
    when p_type in ('number', 'date', 'datetime', 'boolean') and f.is_column then f.value
    when p_type = 'number' then format('case jsonb_typeof(%1$s) when ''number'' then (%1$s)::numeric end', f.value)
    when p_type = 'boolean' then format('case %1$s when ''true'' then true when ''false'' then false end', f.value)
    when p_type = 'date' then format(
      'case when private.crm_is_date(left(%1$s #>> ''{}'', 10)) then left(%1$s #>> ''{}'', 10)::date end', f.value)
    when p_type = 'datetime' then format(
      'case when private.crm_filter_value_fits(''datetime'', %1$s) then (%1$s #>> ''{}'')::timestamptz end', f.value)
    else private.crm_filter_text_sql(p_type, case when f.is_column then f.value || '::text' else f.value || ' #>> ''{}''' end)
  end
  from (
    select format('t.%I', a.column_name) as value, true as is_column
    from private.crm_app_fields a
    where a.entity_type = p_entity and a.app_field = case p_field when 'owner' then '$owner' else p_field end
    union all
    select format('t.custom_fields -> %L', substr(p_field, 15)), false where starts_with(p_field, 'custom_fields.')
  ) f
$$;

-- Users of the CRM as owners of ours, named as private.crm_filter_field_sql names them. Null: {current_user} is nobody we know.
create function private.crm_filter_owners(p_config uuid, p_users text[]) returns text[]
language sql
stable
set search_path = ''
as $$
  select case when bool_and(u.crm_user is not null) then array_agg(
    case when m.user_id is not null then 'member:' || m.user_id else 'label:' || left(coalesce(o.name, u.crm_user), 255) end) end
  from unnest(p_users) g (given)
  cross join lateral (select case g.given when '{current_user}' then private.crm_current_owner(p_config) else g.given end as crm_user) u
  left join private.crm_owners o on o.config_id = p_config and o.crm_user_id = u.crm_user
  left join public.crm_sync_configs c on c.id = p_config
  left join public.workspace_members m on m.workspace_id = c.workspace_id and m.user_id = o.member_id
$$;

-- The values of a condition as SQL literals; null when one of them is not known.
create function private.crm_filter_values_sql(p_config uuid, p_type text, p_values jsonb) returns text[]
language sql
stable
set search_path = ''
as $$
  select case
    when p_type = 'owner' then array(
      select quote_literal(o) from unnest(private.crm_filter_owners(p_config, array(select jsonb_array_elements_text(p_values)))) o)
    else array(
      select case
        when p_type in ('number', 'date', 'boolean') then format('%L::%s', v, case p_type when 'number' then 'numeric' else p_type end)
        when p_type = 'datetime' then format('%L::timestamptz', v)
        when p_type = 'array' then format('lower(btrim(%L))', v)
        else format('coalesce(%s, '''')', private.crm_filter_text_sql(p_type, quote_literal(v))) end
      from jsonb_array_elements_text(p_values) v)
  end
$$;

create function private.crm_filter_condition_sql(p_operator text, p_type text, p_field text, p_values text[]) returns text
language sql
immutable
set search_path = ''
as $$
  select case
    when p_type = 'array' then case p_operator
      when 'empty' then format('%s = ''{}''', p_field)
      when 'not_empty' then format('%s <> ''{}''', p_field)
      when 'not_in' then format('(%1$s <> ''{}'' and not %1$s && array[%2$s])', p_field, v.list)
      else format('%s && array[%s]', p_field, v.list) end
    else case p_operator
      when 'empty' then format('(%s) is null', p_field)
      when 'not_empty' then format('(%s) is not null', p_field)
      when 'equals' then format('(%s) = %s', p_field, v.list)
      when 'not_equals' then format('(%s) <> %s', p_field, v.list)
      when 'in' then format('(%s) in (%s)', p_field, v.list)
      when 'not_in' then format('(%s) not in (%s)', p_field, v.list)
      when 'contains' then format('strpos(%s, %s) > 0', p_field, v.list)
      when 'starts_with' then format('starts_with(%s, %s)', p_field, v.list)
      when 'greater' then format('(%s) > %s', p_field, v.list)
      when 'greater_or_equal' then format('(%s) >= %s', p_field, v.list)
      when 'less' then format('(%s) < %s', p_field, v.list)
      when 'less_or_equal' then format('(%s) <= %s', p_field, v.list)
      when 'between' then format('(%s) between %s and %s', p_field, p_values[1], p_values[2]) end
  end
  from (select array_to_string(p_values, ', ') as list) v
$$;

-- A filter as a condition on a record t. A condition that its field cannot answer any more (the type of its mapping changed)
-- lets nothing through.
create function private.crm_filter_sql(p_config uuid, p_entity text, p_filter jsonb) returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  v_type text;
  v_values jsonb;
  v_literals text[];
begin
  if p_filter ?| '{all,any}' then
    return (
      select '(' || string_agg(private.crm_filter_sql(p_config, p_entity, e.part), case when p_filter ? 'all' then ' and ' else ' or ' end
        order by e.place) || ')'
      from jsonb_array_elements(coalesce(p_filter -> 'all', p_filter -> 'any')) with ordinality e (part, place));
  end if;
  if private.crm_condition_problem(p_config, p_entity, p_filter, '') is not null then
    return 'false';
  end if;
  v_type := private.crm_filter_type(p_config, p_entity, p_filter ->> 'field');
  v_values := case jsonb_typeof(p_filter -> 'value') when 'array' then p_filter -> 'value' else jsonb_build_array(p_filter -> 'value') end;
  v_literals := private.crm_filter_values_sql(p_config, v_type, case when p_filter ? 'value' then v_values else '[]' end);
  if p_filter ? 'value' and v_literals = '{}' then
    return 'false';
  end if;
  return private.crm_filter_condition_sql(
    p_filter ->> 'operator', v_type, private.crm_filter_field_sql(p_entity, p_filter ->> 'field', v_type), v_literals);
end
$$;

create function private.crm_filter_matches(p_config uuid, p_entity text, p_filter jsonb, p_record_ids uuid[]) returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
declare
  v_workspace uuid;
  v_table name;
  v_matches uuid[];
begin
  select c.workspace_id, e.table_name into v_workspace, v_table
  from public.crm_sync_configs c
  join private.crm_entities e on e.entity_type = p_entity
  where c.id = p_config;
  execute format('select coalesce(array_agg(t.id), ''{}'') from public.%I t where t.id = any ($1) and t.workspace_id = $2 and %s',
    v_table, private.crm_filter_sql(p_config, p_entity, p_filter))
  into v_matches using p_record_ids, v_workspace;
  return v_matches;
end
$$;

create function private.crm_filter_allows(p_config uuid, p_entity text, p_record_ids uuid[]) returns uuid[]
language plpgsql
stable
set search_path = ''
as $$
declare
  v_filter constant jsonb := (
    select nullif(c.sync_rules #> array[p_entity, 'filter'], 'null') from public.crm_sync_configs c where c.id = p_config);
begin
  return case when v_filter is null then p_record_ids else private.crm_filter_matches(p_config, p_entity, v_filter, p_record_ids) end;
end
$$;
comment on function private.crm_filter_allows(uuid, text, uuid[]) is
  'Of these records of ours, the ones that the connection''s filter for the entity lets through; all of them where it has none.';

revoke execute on function private.crm_filter_text_sql(text, text), private.crm_filter_field_sql(text, text, text),
  private.crm_filter_owners(uuid, text[]), private.crm_filter_values_sql(uuid, text, jsonb),
  private.crm_filter_condition_sql(text, text, text, text[]), private.crm_filter_sql(uuid, text, jsonb),
  private.crm_filter_matches(uuid, text, jsonb, uuid[]), private.crm_filter_allows(uuid, text, uuid[])
  from public, anon, authenticated, service_role;
