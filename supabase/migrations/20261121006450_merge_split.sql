-- Merge, split: a match taken back. A record was found to be one of ours by a key that was unique as far as its CRM had been
-- read. Now the CRM shows a further record with that key, so the match was a guess: the earlier record gets one of its own, and
-- ours gets back what the match had changed. Such a link says by which key it was matched (matched_on); once split it no longer
-- does, so nothing flips back.
--
-- record_id: ours, by mistake; own_id: its own from now on. theirs: the values of the CRM; relations: those that wait in a
-- conflict, as ours (no CRM ids).
create type private.crm_split as (
  crm_id text, modified text, key text, record_id uuid, own_id uuid, theirs jsonb, relations jsonb, has_conflict boolean
);

-- created: records that were separated. not_updated, not_unchanged: how this very run had counted them when it matched them.
create type private.crm_split_counts as (created int, not_updated int, not_unchanged int);

-- A record that is gone from the CRM, or has another key by now, competes with nobody. Costs one probe of an index where
-- nothing was matched.
create function private.crm_split_found(p_context private.crm_merge_context, p_rows private.crm_merge_row[]) returns private.crm_split[]
language plpgsql
stable
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_new constant text[] := array(select r.crm_id from unnest(p_rows) r where r.kind = 'new');
begin
  if v_new = '{}' or not p_context.create_when_missing or not exists (
    select from private.crm_record_links l
    where l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.matched_on is not null) then
    return '{}';
  end if;
  return (
    with matched as materialized (
      select l.*, l.base || coalesce(k.fields, '{}') as theirs, k.relations, coalesce(r.theirs, '{}') as news
      from private.crm_record_links l
      left join unnest(p_rows) r on r.crm_id = l.crm_record_id
      -- What a conflict holds back is not in the base.
      left join lateral (
        select jsonb_object_agg(v.key, v.value) filter (where not starts_with(v.key, '$')) as fields,
          jsonb_object_agg(v.key, v.value) filter (where starts_with(v.key, '$')) as relations
        from (
          select c.crm_data from public.crm_sync_conflicts c
          where l.has_conflict and (c.config_id, c.entity_type, c.crm_record_id) = (l.config_id, l.entity_type, l.crm_record_id)
            and c.status in ('pending', 'ignored')
          order by c.detected_at desc limit 1
        ) held
        cross join lateral jsonb_each(held.crm_data) v
      ) k on true
      where l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.crm_deleted_at is null and r.deleted is not true
        and l.matched_on = any (array(
          select n.key
          from private.crm_match_keys(p_context.entity, v_new, array(select w.theirs from unnest(p_rows) w where w.kind = 'new')) n))
    ),
    still as materialized (
      select k.crm_id, k.key
      from private.crm_match_keys(p_context.entity, array(select m.crm_record_id from matched m), array(select m.theirs || m.news from matched m)) k
    )
    select coalesce(array_agg((
        m.crm_record_id, m.crm_modified_at, m.matched_on, m.record_id, gen_random_uuid(), m.theirs, m.relations, m.has_conflict
      )::private.crm_split order by m.crm_record_id), '{}')
    from matched m
    join still s on s.crm_id = m.crm_record_id and s.key = m.matched_on
  );
end
$$;

create function private.crm_split_created(p_context private.crm_merge_context, p_splits private.crm_split[]) returns private.crm_merge_change[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg((
      c.crm_id, c.modified, c.action, c.record_id, c.written || coalesce(s.relations, '{}'), c.before, c.base, c.waiting, c.overruled,
      c.conflict, c.crm_deleted_at, c.app_edited_at, c.had_conflict, c.note
    )::private.crm_merge_change), '{}')
  from unnest(private.crm_merge_creates(p_context, array(
    select (s.crm_id, s.modified, false, false, s.theirs, 'new', s.own_id, null, null, null, null, s.has_conflict,
      format('Added as a new %s, no longer taken for one here: another record from %s also has "%s".', p_context.noun, p_context.crm_name, s.key), null
    )::private.crm_merge_row
    from unnest(p_splits) s), '{}')) c
  join unnest(p_splits) s on s.crm_id = c.crm_id
$$;

-- For each of ours the fields that still are as the merges of this link left them, with the value from before the first of
-- them. Where somebody came in between, it is that person's value.
create function private.crm_split_returned(
  p_context private.crm_merge_context, p_splits private.crm_split[], p_ours private.crm_merge_ours[]
) returns private.crm_merge_change[]
language plpgsql
set search_path = ''
as $$
declare
  v_changes private.crm_merge_change[];
begin
  execute format($sql$
    with written as materialized (
      select s.record_id, j.id, v.key as field, coalesce(j.before -> v.key, 'null') as before, v.value as after,
        coalesce(o.fields -> v.key, o.fields #> array['custom_fields', substr(v.key, 15)]) as ours,
        f.data_type, coalesce(f.decimals, 0) as decimals,
        case when f.sql_type = 'jsonb' then f.fallback::jsonb else to_jsonb(f.fallback) end as empty
      from unnest($2) s
      join unnest($3) o on o.record_id = s.record_id
      join private.crm_journal j on j.record_id = s.record_id and j.entity_type = $1.entity and j.crm_record_id = s.crm_id and j.side = 'app'
      join public.crm_sync_operations p on p.id = j.operation_id and p.config_id = $1.config_id
      cross join lateral jsonb_each(j.after) v
      left join private.crm_app_fields f on f.entity_type = j.entity_type and f.app_field = v.key
    ),
    steps as materialized (select d.*, %1$s as b, %2$s as a, %3$s as now from written d),
    chains as (
      select t.*, t.b is distinct from lag(t.a) over w or lag(t.id) over w is null as begins
      from steps t window w as (partition by t.record_id, t.field order by t.id)
    ),
    returned as (
      select c.record_id, c.field, (array_agg(c.before order by c.id desc) filter (where c.begins))[1] as before, c.ours
      from chains c group by c.record_id, c.field, c.ours, c.now
      having (array_agg(c.a order by c.id desc))[1] is not distinct from c.now
    ),
    sets as (
      select r.record_id, jsonb_object_agg(r.field, case
          -- A company that was deleted for good or an owner who left is not there to go back to.
          when r.field = '$company' and not exists (
            select from public.crm_companies c where c.workspace_id = $1.workspace_id and c.id = (r.before #>> '{}')::uuid) then 'null'
          when r.field = '$owner' and r.before #>> '{}' like 'member:%%' and not exists (
            select from public.workspace_members m
            where m.workspace_id = $1.workspace_id and m.user_id = substr(r.before #>> '{}', 8)::uuid) then 'null'
          else r.before
        end) as before, jsonb_object_agg(r.field, coalesce(r.ours, 'null')) as ours
      from returned r group by r.record_id
    )
    select coalesce(array_agg((
        s.crm_id, s.modified, 'unlinked', s.record_id, t.before, t.ours, '{}', null, null, null, null, null, false, null
      )::private.crm_merge_change), '{}')
    from unnest($2) s left join sets t on t.record_id = s.record_id
  $sql$, private.crm_canonical_sql('d.before'), private.crm_canonical_sql('d.after'), private.crm_canonical_sql('d.ours'))
  into v_changes using p_context, p_splits, p_ours;
  return v_changes;
end
$$;

create function private.crm_split_links(p_context private.crm_merge_context, p_splits private.crm_split[]) returns void
language sql
set search_path = ''
as $$
  update private.crm_record_links l
  set record_id = s.own_id, base = s.theirs, matched_on = null, merged_at = now(), app_edited_at = null, has_conflict = false, updated_at = now()
  from unnest(p_splits) s
  where l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.crm_record_id = s.crm_id
$$;

-- Records of this connection that are at ours because their CRM parent was taken for it go with that parent, unless somebody
-- has placed them elsewhere. A matched one goes only if a merge brought it there.
create function private.crm_split_children(p_context private.crm_merge_context, p_splits private.crm_split[]) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_kind record;
begin
  for v_kind in
    select f.entity_type, f.app_field, f.column_name, e.table_name
    from private.crm_app_fields f join private.crm_entities e using (entity_type)
    where f.parent_entity = p_context.entity
  loop
    execute format($sql$
      with children as materialized (
        select t.id, t.updated_at, l.crm_record_id, s.record_id as former_id, nullif(s.own_id, t.id) as parent_id
        from unnest($1) s
        join public.%1$I t on t.workspace_id = $2 and t.%2$I = s.record_id
        join private.crm_record_links l on (l.record_id, l.config_id, l.entity_type) = (t.id, $3, $4) and l.base ->> $5 = s.crm_id
        where l.matched_on is null or exists (
          select from private.crm_journal j
          where j.record_id = t.id and j.crm_record_id = l.crm_record_id and j.after -> $5 = to_jsonb(s.record_id))
        for update of t
      ),
      touched as (
        update public.%1$I t set %2$I = c.parent_id
        from children c
        where t.id = c.id and t.workspace_id = $2
        returning t.id, t.updated_at as touched_at, c.updated_at, c.crm_record_id, c.former_id, c.parent_id
      ),
      kept as (
        update private.crm_record_links l
        set merged_at = u.touched_at, app_edited_at = case when u.updated_at > l.merged_at then u.updated_at else l.app_edited_at end
        from touched u
        where l.config_id = $3 and l.entity_type = $4 and l.record_id = u.id
      )
      insert into private.crm_journal (operation_id, entity_type, record_id, crm_record_id, action, before, after)
      select $6, $4, u.id, u.crm_record_id, 'updated', jsonb_build_object($5, u.former_id), jsonb_build_object($5, u.parent_id)
      from touched u
    $sql$, v_kind.table_name, v_kind.column_name)
    using p_splits, p_context.workspace_id, p_context.config_id, v_kind.entity_type, v_kind.app_field, p_context.operation_id;
  end loop;
end
$$;

-- A record that this run had matched is counted as created in place of what it was counted as; one of an earlier run comes on top.
create function private.crm_split_tally(p_context private.crm_merge_context, p_splits private.crm_split[]) returns private.crm_split_counts
language sql
stable
set search_path = ''
as $$
  select (count(*), count(j.id) filter (where j.after is not null), count(j.id) filter (where j.after is null))::private.crm_split_counts
  from unnest(p_splits) s
  left join private.crm_journal j
    on j.record_id = s.record_id and j.crm_record_id = s.crm_id and j.operation_id = p_context.operation_id and j.action = 'linked'
    and j.side = 'app'
$$;

create function private.crm_merge_split(p_context private.crm_merge_context, p_rows private.crm_merge_row[]) returns private.crm_split_counts
language plpgsql
set search_path = ''
as $$
declare
  v_splits private.crm_split[] := private.crm_split_found(p_context, p_rows);
  v_ours private.crm_merge_ours[];
  v_changes private.crm_merge_change[];
begin
  if v_splits = '{}' then
    return (0, 0, 0);
  end if;
  v_ours := private.crm_merge_ours(p_context, array(
    select (s.crm_id, s.modified, false, false, s.theirs, 'linked', s.record_id, null, null, null, null, null, null, null
    )::private.crm_merge_row
    from unnest(v_splits) s));
  -- What a person deleted here is not brought back under another id.
  v_splits := array(
    select s::private.crm_split from unnest(v_splits) s join unnest(v_ours) o on o.record_id = s.record_id where o.deleted_at is null);
  v_changes := private.crm_split_created(p_context, v_splits) || private.crm_split_returned(p_context, v_splits, v_ours);

  perform private.crm_merge_insert(p_context, v_changes), private.crm_merge_update(p_context, v_changes);
  if p_context.entity = 'accounts' then
    -- A company's domain goes with its website where they are alike; the one it was matched by is its own.
    update public.crm_companies c
    set domain = o.fields ->> 'domain'
    from unnest(v_changes) k join unnest(v_ours) o using (record_id)
    where k.written ? 'website' and c.id = k.record_id and c.workspace_id = p_context.workspace_id
      and c.domain is distinct from o.fields ->> 'domain';
  end if;
  perform private.crm_split_links(p_context, v_splits);
  perform private.crm_split_children(p_context, v_splits);
  perform private.crm_keep_journal(p_context, v_changes), private.crm_keep_notes(p_context, v_changes),
    private.crm_keep_waiting(p_context, v_changes), private.crm_close_conflicts(p_context, v_changes);
  return private.crm_split_tally(p_context, v_splits);
end
$$;

revoke execute on function
  private.crm_split_found(private.crm_merge_context, private.crm_merge_row[]),
  private.crm_split_created(private.crm_merge_context, private.crm_split[]),
  private.crm_split_returned(private.crm_merge_context, private.crm_split[], private.crm_merge_ours[]),
  private.crm_split_links(private.crm_merge_context, private.crm_split[]), private.crm_split_children(private.crm_merge_context, private.crm_split[]),
  private.crm_split_tally(private.crm_merge_context, private.crm_split[]), private.crm_merge_split(private.crm_merge_context, private.crm_merge_row[])
  from public, anon, authenticated, service_role;
