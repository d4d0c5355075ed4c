-- Merge, check: values that our columns would refuse become errors of their record, before anything is written.
--
-- The rules stand in the query and not in functions of their own: a function with a pinned search_path is called, never
-- inlined, and that costs more per value than the whole check.

create function private.crm_problem_message(p_code text, p_value jsonb, p_field private.crm_app_fields) returns text
language sql
immutable
set search_path = ''
as $$
  select p_field.label || ' ' || case p_code
    when 'required_missing' then 'is empty, and a record cannot be kept without it.'
    when 'too_long' then format('has %s characters; at most %s fit.', char_length(p_value #>> '{}'), p_field.max_length)
    when 'out_of_range' then format('is %s; it must be between %s and %s.', p_value #>> '{}', p_field.min_value, p_field.max_value)
    when 'not_a_date' then format('is "%s", which is not a date.', left(p_value #>> '{}', 40))
    when 'not_allowed' then format('is "%s"; it must be one of %s.', left(p_value #>> '{}', 40), array_to_string(p_field.allowed, ', '))
    when 'not_an_email' then format('is "%s", which is not an e-mail address.', left(p_value #>> '{}', 80))
    when 'not_a_currency' then format('is "%s", which is not a currency code.', left(p_value #>> '{}', 40))
    when 'unknown_stage' then format('is "%s", which is no stage of this workspace.', left(p_value #>> '{}', 40))
    else 'has a value of the wrong type.'
  end
$$;

-- Dates are checked by arithmetic: a failed cast would sink the whole page.
create function private.crm_is_date(p_value text) returns boolean
language sql
immutable
parallel safe
set search_path = ''
as $$
  select case when p_value ~ '^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$' and left(p_value, 4) <> '0000' then
    right(p_value, 2)::int <= extract(day from make_date(left(p_value, 4)::int, substr(p_value, 6, 2)::int, 1) + interval '1 month - 1 day')
  else false end
$$;

-- The first thing wrong with each record that is to be written.
create function private.crm_merge_check(p_context private.crm_merge_context, p_rows private.crm_merge_row[]) returns private.crm_merge_problem[]
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
  return (
    with stages as materialized (
      select array_agg(s.key) as keys from public.pipeline_stages s where s.workspace_id = p_context.workspace_id
    ),
    fields as materialized (
      select f.*, f as field from private.crm_app_fields f where f.entity_type = p_context.entity and f.is_mappable
    ),
    checked as (
      select r.crm_id, f.field, v.value, f.app_field,
        case
          when v.value = 'null' then case when f.is_required then 'required_missing' end
          when f.data_type = 'number' then case
            when jsonb_typeof(v.value) <> 'number' then 'wrong_type'
            when not v.value::numeric between f.min_value and f.max_value then 'out_of_range' end
          when f.data_type in ('array', 'object') then case when jsonb_typeof(v.value) <> f.data_type then 'wrong_type' end
          when jsonb_typeof(v.value) <> 'string' then 'wrong_type'
          when f.data_type = 'date' then case when not private.crm_is_date(v.value #>> '{}') then 'not_a_date' end
          when char_length(v.value #>> '{}') > f.max_length then 'too_long'
          when f.is_required and btrim(v.value #>> '{}') = '' then 'required_missing'
          when f.allowed is not null then case when v.value #>> '{}' <> all (f.allowed) then 'not_allowed' end
          when f.data_type = 'email' then case when v.value #>> '{}' !~ '^[^\s@]+@[^\s@]+$' then 'not_an_email' end
          when f.app_field = 'currency' then case when v.value #>> '{}' !~ '^[A-Z]{3}$' then 'not_a_currency' end
          when f.app_field = 'stage_key' then case when v.value #>> '{}' <> all (s.keys) then 'unknown_stage' end
        end as code
      from unnest(p_rows) r
      cross join stages s
      cross join lateral jsonb_each(coalesce(r.differing, r.theirs)) v
      join fields f on f.app_field = v.key
      where not r.deleted
    ),
    nameless as (
      select r.crm_id
      from unnest(p_rows) r
      where not r.deleted and case
        when p_context.entity <> 'contacts' then r.kind = 'new' and not r.theirs ? 'name'
        else (r.kind = 'new' or r.theirs ?& '{first_name,last_name,email}')
          and coalesce(nullif(r.theirs ->> 'first_name', ''), nullif(r.theirs ->> 'last_name', ''), nullif(r.theirs ->> 'email', '')) is null
      end
    ),
    problems as (
      select c.crm_id, c.code, private.crm_problem_message(c.code, c.value, c.field) as message, c.app_field
      from checked c
      where c.code is not null
      union all
      select n.crm_id, 'required_missing', 'The record has no name, and cannot be kept without one.', 'name' from nameless n
    )
    select coalesce(array_agg(p.problem), '{}')
    from (
      select distinct on (q.crm_id) (q.crm_id, q.code, q.message, coalesce(m.crm_field, q.app_field))::private.crm_merge_problem as problem
      from problems q
      left join public.crm_field_mappings m
        on m.config_id = p_context.config_id and m.entity_type = p_context.entity and m.app_field = q.app_field
      order by q.crm_id, q.app_field
    ) p
  );
end
$$;

revoke execute on function private.crm_problem_message(text, jsonb, private.crm_app_fields), private.crm_is_date(text),
  private.crm_merge_check(private.crm_merge_context, private.crm_merge_row[]) from public, anon, authenticated, service_role;
