-- Merge, write: new records, deletions, and the only two statements that touch records. They are made from the list of
-- fields (private.crm_app_fields) for the columns that this page writes; values travel as parameters.

-- Records met for the first time, and known ones whose record here was deleted for good.
create function private.crm_merge_creates(
  p_context private.crm_merge_context, p_rows private.crm_merge_row[], p_ours private.crm_merge_ours[]
) returns private.crm_merge_change[]
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
  return (
    with owners as materialized (
      select o.crm_user_id, case when m.user_id is not null then 'member:' || m.user_id else 'label:' || o.name end as owner
      from private.crm_owners o
      left join public.workspace_members m on m.workspace_id = p_context.workspace_id and m.user_id = o.member_id
      where o.config_id = p_context.config_id
    ),
    -- Only the parents that the page names: a join with all links would read more of them with every page. One that was
    -- deleted for good here is as one that has not arrived.
    companies as materialized (
      select l.crm_record_id, l.record_id
      from private.crm_record_links l
      where l.config_id = p_context.config_id and l.entity_type = 'accounts'
        and l.crm_record_id = any (array(select distinct r.theirs ->> '$company' from unnest(p_rows) r))
        and exists (select from public.crm_companies p where p.id = l.record_id)
    ),
    contacts as materialized (
      select l.crm_record_id, l.record_id
      from private.crm_record_links l
      where l.config_id = p_context.config_id and l.entity_type = 'contacts'
        and l.crm_record_id = any (array(select distinct r.theirs ->> '$contact' from unnest(p_rows) r))
        and exists (select from public.crm_contacts p where p.id = l.record_id)
    )
    select coalesce(array_agg((
        r.crm_id, r.modified, 'created', r.record_id,
        r.theirs
          || case when r.theirs ? '$company' then jsonb_build_object('$company', c.record_id) else '{}' end
          || case when r.theirs ? '$contact' then jsonb_build_object('$contact', k.record_id) else '{}' end
          || case when r.theirs ? '$owner' then jsonb_build_object('$owner', coalesce(w.owner, 'label:' || (r.theirs ->> '$owner'))) else '{}' end
          || case when p_context.entity = 'opportunities'
            then jsonb_build_object('$crm_id', r.crm_id, '$crm_source', p_context.provider, '$sync_status', 'synced') else '{}' end,
        null, r.theirs,
        nullif(
          case when r.theirs ->> '$company' is not null and c.record_id is null then jsonb_build_object('$company', r.theirs -> '$company') else '{}' end
          || case when r.theirs ->> '$contact' is not null and k.record_id is null then jsonb_build_object('$contact', r.theirs -> '$contact') else '{}' end,
          '{}'),
        null, null, null, null, r.has_conflict, r.note
      )::private.crm_merge_change order by r.place), '{}')
    from unnest(p_rows) with ordinality r (
      crm_id, modified, deleted, merged, theirs, kind, record_id, base, crm_deleted_at, merged_at, app_edited_at, has_conflict, note,
      differing, place)
    left join unnest(p_ours) o on o.record_id = r.record_id
    left join companies c on c.crm_record_id = r.theirs ->> '$company'
    left join contacts k on k.crm_record_id = r.theirs ->> '$contact'
    left join owners w on w.crm_user_id = r.theirs ->> '$owner'
    where not r.deleted and o.record_id is null and (p_context.create_when_missing or r.kind <> 'new')
  );
end
$$;

-- Deleted in the CRM: ours goes too where the connection says so, else only the link knows. What a person has deleted here stays
-- theirs. A record that was merged into another one in the CRM is not deleted here.
create function private.crm_merge_deletes(
  p_context private.crm_merge_context, p_rows private.crm_merge_row[], p_ours private.crm_merge_ours[]
) returns private.crm_merge_change[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg((
      r.crm_id, r.modified, 'deleted', r.record_id,
      case when p_context.delete_when_deleted and not r.merged and o.deleted_at is null then jsonb_build_object('$deleted_at', now()) end,
      case when not r.merged and (p_context.delete_when_deleted or o.deleted_at is not null) then jsonb_build_object('$deleted_at', o.deleted_at) end,
      r.base, null, null, null, now(), r.app_edited_at, r.has_conflict, null
    )::private.crm_merge_change), '{}')
  from unnest(p_rows) r
  left join unnest(p_ours) o on o.record_id = r.record_id
  where r.deleted
$$;

-- How one column is read from the field values of a change, as SQL text. c.written is the jsonb of the values, $3 the
-- workspace's currency.
create function private.crm_column_sql(p_field private.crm_app_fields) returns text
language sql
immutable
set search_path = ''
as $$
  select case
    when p_field.app_field = 'currency' then 'coalesce(c.written ->> ''currency'', $3)'
    when p_field.sql_type = 'owner' then format(
      'case when c.written ->> %1$L like ''member:%%'' then substr(c.written ->> %1$L, 8)::uuid end', p_field.app_field)
    when p_field.sql_type = 'jsonb' then format('coalesce(nullif(c.written -> %L, ''null''), %L::jsonb)', p_field.app_field, p_field.fallback)
    when p_field.sql_type in ('integer', 'numeric') then format(
      'round((c.written ->> %L)::numeric, %s)::%s', p_field.app_field, p_field.decimals, p_field.sql_type)
    when p_field.sql_type = 'text' then
      case when p_field.fallback is null then format('c.written ->> %L', p_field.app_field)
        else format('coalesce(c.written ->> %L, %L)', p_field.app_field, p_field.fallback) end
    else format('(c.written ->> %L)::%s', p_field.app_field, p_field.sql_type)
  end
$$;

create type private.crm_merge_column as (app_field text, column_name name, expression text);

-- The columns that a set of changes writes.
create function private.crm_merge_columns(p_entity text, p_written text[]) returns setof private.crm_merge_column
language sql
stable
set search_path = ''
as $$
  select f.app_field, f.column_name, private.crm_column_sql(f)
  from private.crm_app_fields f
  where f.entity_type = p_entity and f.app_field = any (p_written)
  union all
  select '$owner', 'owner_label', 'case when c.written ->> ''$owner'' like ''label:%'' then left(substr(c.written ->> ''$owner'', 7), 255) end'
  where '$owner' = any (p_written)
$$;

-- Custom fields of a change as one object, from the keys custom_fields.<name>.
create function private.crm_custom_fields(p_written jsonb) returns jsonb
language sql
immutable
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(substr(v.key, 15), v.value), '{}')
  from jsonb_each(p_written) v
  where starts_with(v.key, 'custom_fields.')
$$;

create function private.crm_merge_insert(p_context private.crm_merge_context, p_changes private.crm_merge_change[]) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_written text[] := array(
    select distinct k from unnest(p_changes) c cross join lateral jsonb_object_keys(c.written) k where c.action = 'created');
  v_columns text;
  v_values text;
begin
  if v_written = '{}' then
    return;
  end if;
  -- A new deal without a currency is in the workspace's.
  select string_agg(format(', %I', m.column_name), ''), string_agg(', ' || m.expression, '')
  into v_columns, v_values
  from private.crm_merge_columns(p_context.entity, v_written || '{currency}') m;
  if exists (select from unnest(v_written) k where starts_with(k, 'custom_fields.')) then
    v_columns := v_columns || ', custom_fields';
    v_values := v_values || ', private.crm_custom_fields(c.written)';
  end if;
  execute format('insert into public.%I (id, workspace_id%s) select c.record_id, $2%s from unnest($1) c where c.action = ''created'' and $3::text is not null',
    p_context.target, v_columns, v_values)
  using p_changes, p_context.workspace_id, p_context.currency;
end
$$;

-- Answers each record's updated_at as the write left it, which tells later merges whether somebody edited since.
create function private.crm_merge_update(
  p_context private.crm_merge_context, p_changes private.crm_merge_change[]
) returns private.crm_merge_ours[]
language plpgsql
set search_path = ''
-- Each record by its key: a page is much of a small table, but reading all of that takes longer, and it grows.
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
declare
  v_written text[] := array(
    select distinct k from unnest(p_changes) c cross join lateral jsonb_object_keys(c.written) k where c.action <> 'created');
  v_set text;
  v_touched private.crm_merge_ours[];
begin
  if v_written = '{}' then
    return '{}';
  end if;
  select string_agg(format('%1$I = case when c.written ? %2$L then %3$s else t.%1$I end', m.column_name, m.app_field, m.expression), ', ')
  into v_set
  from private.crm_merge_columns(p_context.entity, v_written) m;
  if exists (select from unnest(v_written) k where starts_with(k, 'custom_fields.')) then
    v_set := concat_ws(', ', v_set, 'custom_fields = t.custom_fields || private.crm_custom_fields(c.written)');
  end if;
  execute format($sql$
    with touched as (
      update public.%I t set %s
      from unnest($1) c
      where c.action <> 'created' and c.written is not null and t.id = c.record_id and t.workspace_id = $2 and $3::text is not null
      returning t.id, t.updated_at
    )
    select coalesce(array_agg((u.id, u.updated_at, null, null)::private.crm_merge_ours), '{}') from touched u
  $sql$, p_context.target, v_set) into v_touched using p_changes, p_context.workspace_id, p_context.currency;
  return v_touched;
end
$$;

revoke execute on function
  private.crm_merge_creates(private.crm_merge_context, private.crm_merge_row[], private.crm_merge_ours[]),
  private.crm_merge_deletes(private.crm_merge_context, private.crm_merge_row[], private.crm_merge_ours[]),
  private.crm_column_sql(private.crm_app_fields), private.crm_merge_columns(text, text[]), private.crm_custom_fields(jsonb),
  private.crm_merge_insert(private.crm_merge_context, private.crm_merge_change[]),
  private.crm_merge_update(private.crm_merge_context, private.crm_merge_change[])
  from public, anon, authenticated, service_role;
