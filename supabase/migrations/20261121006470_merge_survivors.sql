-- Merge, survivors: records that the CRM has merged into others. That is no deletion: the link of the record that went away
-- moves to the survivor, or, where the survivor has a record here already, what belonged to the one now belongs to the other.
--
-- Salesforce changes nothing on the children of a record that was merged away, so they are not read again: ours and their
-- bases are turned to the survivor here.

alter table private.crm_record_links add column merged_into text;
comment on column private.crm_record_links.merged_into is 'The CRM record into which this one was merged; crm_deleted_at is set too.';

-- record_id: ours of the one that went away; survivor_id: ours of the survivor.
create type private.crm_absorbed as (crm_id text, survivor_crm_id text, modified text, record_id uuid, survivor_id uuid);

-- Also of records that nobody here knew: a late page would bring them as new.
create function private.crm_survivors_remember(p_context private.crm_merge_context, p_records jsonb) returns void
language sql
set search_path = ''
as $$
  insert into private.crm_former_ids as m (config_id, entity_type, crm_record_id, modified)
  select distinct on (r.value ->> 'crm_id') p_context.config_id, p_context.entity, r.value ->> 'crm_id', r.value ->> 'modified_at'
  from jsonb_array_elements(p_records) r
  where (r.value ->> 'deleted')::boolean and r.value ->> 'merged_into' <> r.value ->> 'crm_id' and r.value ->> 'modified_at' is not null
  order by r.value ->> 'crm_id', (r.value ->> 'modified_at')::timestamptz desc
  on conflict (config_id, entity_type, crm_record_id) do update
  set modified = excluded.modified
  where excluded.modified::timestamptz > m.modified::timestamptz
$$;

-- Linked records of the page that went away by a merge, each with the last of its survivors: B that took A may be gone into C.
create function private.crm_survivors_found(p_context private.crm_merge_context, p_records jsonb) returns private.crm_absorbed[]
language sql
stable
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
  with recursive gone as materialized (
    select distinct on (r.value ->> 'crm_id')
      r.value ->> 'crm_id' as crm_id, r.value ->> 'merged_into' as survivor, r.value ->> 'modified_at' as modified, r.place
    from jsonb_array_elements(p_records) with ordinality r (value, place)
    where (r.value ->> 'deleted')::boolean and r.value ->> 'merged_into' <> r.value ->> 'crm_id'
    order by r.value ->> 'crm_id', r.place desc
  ),
  chains (crm_id, survivor, modified, place, depth) as (
    select g.crm_id, g.survivor, g.modified, g.place, 1 from gone g
    union all
    select c.crm_id, g.survivor, c.modified, c.place, c.depth + 1
    from chains c
    join gone g on g.crm_id = c.survivor and g.survivor <> c.crm_id
    where c.depth < 10
  ),
  last as (select distinct on (c.crm_id) c.* from chains c order by c.crm_id, c.depth desc)
  select coalesce(array_agg((t.crm_id, t.survivor, t.modified, l.record_id, s.record_id)::private.crm_absorbed order by t.place), '{}')
  from last t
  join private.crm_record_links l
    on l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.crm_record_id = t.crm_id and l.merged_into is null
  left join private.crm_record_links s
    on s.config_id = p_context.config_id and s.entity_type = p_context.entity and s.crm_record_id = t.survivor
$$;

-- The survivor is new to us (HubSpot gives it an id of its own): it takes over the record of the first that went into it.
create function private.crm_survivors_rename(p_context private.crm_merge_context, p_absorbed private.crm_absorbed[]) returns void
language sql
set search_path = ''
as $$
  with heirs as materialized (
    select distinct on (a.survivor_crm_id) a.crm_id, a.survivor_crm_id, a.record_id
    from unnest(p_absorbed) with ordinality a (crm_id, survivor_crm_id, modified, record_id, survivor_id, place)
    where a.survivor_id is null
    order by a.survivor_crm_id, a.place
  ),
  deals as (
    update public.pipeline_projects d
    set crm_id = h.survivor_crm_id
    from heirs h
    where p_context.entity = 'opportunities' and d.id = h.record_id and d.workspace_id = p_context.workspace_id and d.crm_id = h.crm_id
    returning d.id, d.updated_at
  ),
  conflicts as (
    update public.crm_sync_conflicts k
    set crm_record_id = h.survivor_crm_id
    from heirs h
    where k.config_id = p_context.config_id and k.entity_type = p_context.entity and k.crm_record_id = h.crm_id
  ),
  -- An id that ours left once and comes back to.
  regained as (
    delete from private.crm_former_ids f
    using heirs h
    where f.config_id = p_context.config_id and f.entity_type = p_context.entity and f.crm_record_id = h.survivor_crm_id
  )
  update private.crm_record_links l
  set crm_record_id = h.survivor_crm_id, crm_deleted_at = null, updated_at = now(), merged_at = case
      when d.id is not null and not exists (
        select from public.pipeline_projects p where p.id = d.id and p.updated_at > l.merged_at) then d.updated_at
      else l.merged_at
    end
  from heirs h
  left join deals d on d.id = h.record_id
  where l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.crm_record_id = h.crm_id
$$;

-- Relations of records here: from the one that went away to the survivor, with a journal entry each. A merge is no edit of
-- the child, so the child does not count as edited.
create function private.crm_survivors_children(p_context private.crm_merge_context, p_absorbed private.crm_absorbed[]) returns void
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
        select t.id, t.updated_at, a.record_id as former_id, nullif(a.survivor_id, t.id) as parent_id
        from unnest($1) a
        join public.%1$I t on t.workspace_id = $2 and t.%2$I = a.record_id
        for update of t
      ),
      touched as (
        update public.%1$I t set %2$I = c.parent_id
        from children c
        where t.id = c.id and t.workspace_id = $2
        returning t.id, t.updated_at as touched_at, c.updated_at, c.former_id, c.parent_id
      ),
      kept as (
        update private.crm_record_links l
        set merged_at = u.touched_at, app_edited_at = case when u.updated_at > l.merged_at then u.updated_at else l.app_edited_at end
        from touched u
        where l.config_id = $3 and l.entity_type = $4 and l.record_id = u.id
        returning l.record_id, l.crm_record_id
      )
      insert into private.crm_journal (operation_id, entity_type, record_id, crm_record_id, action, before, after)
      select $6, $4, u.id, coalesce(k.crm_record_id, ''), 'updated', jsonb_build_object($5, u.former_id), jsonb_build_object($5, u.parent_id)
      from touched u
      left join kept k on k.record_id = u.id
    $sql$, v_kind.table_name, v_kind.column_name)
    using p_absorbed, p_context.workspace_id, p_context.config_id, v_kind.entity_type, v_kind.app_field, p_context.operation_id;

  end loop;
end
$$;

-- Merges are rare, so a look at all links of the connection is worth that no base names a record that is gone.
create function private.crm_survivors_bases(p_context private.crm_merge_context, p_absorbed private.crm_absorbed[]) returns void
language sql
set search_path = ''
as $$
  update private.crm_record_links l
  set base = l.base || jsonb_build_object(f.app_field, a.survivor_crm_id)
  from unnest(p_absorbed) a, private.crm_app_fields f
  where f.parent_entity = p_context.entity
    and l.config_id = p_context.config_id and l.entity_type = f.entity_type and l.base ->> f.app_field = a.crm_id;
  update private.crm_pending_relations p
  set parent_crm_id = a.survivor_crm_id
  from unnest(p_absorbed) a
  where p.config_id = p_context.config_id and p.parent_entity = p_context.entity and p.parent_crm_id = a.crm_id;
$$;

-- What else hangs on a record: tasks and notes, projects, memberships of campaigns, and the staffing of a deal that has none yet.
create function private.crm_survivors_belongings(p_context private.crm_merge_context, p_absorbed private.crm_absorbed[]) returns void
language plpgsql
set search_path = ''
as $$
begin
  update public.crm_tasks t set related_to_id = a.survivor_id
  from unnest(p_absorbed) a
  where t.workspace_id = p_context.workspace_id and t.related_to_type = p_context.noun and t.related_to_id = a.record_id;
  update public.crm_notes n set related_to_id = a.survivor_id
  from unnest(p_absorbed) a
  where n.workspace_id = p_context.workspace_id and n.related_to_type = p_context.noun and n.related_to_id = a.record_id;
  if p_context.entity = 'accounts' then
    update public.crm_projects p set company_id = a.survivor_id
    from unnest(p_absorbed) a
    where p.workspace_id = p_context.workspace_id and p.company_id = a.record_id;
  elsif p_context.entity = 'contacts' then
    -- Where both are in a campaign, the survivor's own membership counts.
    update public.crm_campaign_contacts m set contact_id = a.survivor_id
    from (select distinct on (b.survivor_id) b.* from unnest(p_absorbed) b order by b.survivor_id) a
    where m.workspace_id = p_context.workspace_id and m.contact_id = a.record_id and not exists (
      select from public.crm_campaign_contacts s where s.campaign_id = m.campaign_id and s.contact_id = a.survivor_id);
  else
    update public.pipeline_resource_demands d set pipeline_project_id = a.survivor_id
    from (select distinct on (b.survivor_id) b.* from unnest(p_absorbed) b order by b.survivor_id) a
    where d.workspace_id = p_context.workspace_id and d.pipeline_project_id = a.record_id and not exists (
      select from public.pipeline_resource_demands s where s.workspace_id = p_context.workspace_id and s.pipeline_project_id = a.survivor_id);
  end if;
end
$$;

-- The record here goes where its CRM record went; one that a person has deleted already stays deleted by that person. Restored, it
-- is a record of its own again, also in the CRM. Another CRM that knows it knows the survivor from now on, unless it has one.
create function private.crm_survivors_retire(p_context private.crm_merge_context, p_absorbed private.crm_absorbed[]) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := now();
  v_names jsonb;
  v_alive uuid[];
  v_changes private.crm_merge_change[];
begin
  execute format($sql$
    select coalesce(jsonb_object_agg(t.id, t.name), '{}'), coalesce(array_agg(t.id) filter (where t.deleted_at is null), '{}')
    from public.%I t
    where t.id = any ($1) and t.workspace_id = $2
  $sql$, p_context.target)
  into v_names, v_alive using array(select a.record_id from unnest(p_absorbed) a where a.record_id <> a.survivor_id), p_context.workspace_id;
  v_changes := array(
    select (a.crm_id, a.modified, 'deleted', a.record_id, jsonb_build_object('$deleted_at', v_now), '{"$deleted_at": null}',
      null, null, null, null, v_now, null, false, null)::private.crm_merge_change
    from unnest(p_absorbed) a
    where a.record_id = any (v_alive));
  perform private.crm_merge_update(p_context, v_changes);
  perform private.crm_keep_journal(p_context, v_changes);
  update private.crm_record_links l
  set crm_deleted_at = v_now, merged_into = a.survivor_crm_id, took_ours = true, has_conflict = false, updated_at = v_now
  from unnest(p_absorbed) a
  where l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.crm_record_id = a.crm_id;
  update public.crm_sync_conflicts k
  set status = 'resolved', resolution_strategy = 'agreed', resolved_at = v_now
  from unnest(p_absorbed) a
  where k.config_id = p_context.config_id and k.entity_type = p_context.entity and k.crm_record_id = a.crm_id and k.status = 'pending';

  update private.crm_record_links l
  set record_id = a.survivor_id, matched_on = null, merged_at = null, updated_at = v_now
  from (select distinct on (b.survivor_id) b.* from unnest(p_absorbed) b where b.record_id <> b.survivor_id order by b.survivor_id) a
  where l.record_id = a.record_id and l.entity_type = p_context.entity and l.config_id <> p_context.config_id and not exists (
    select from private.crm_record_links s where s.record_id = a.survivor_id and s.config_id = l.config_id and s.entity_type = l.entity_type);

  insert into public.crm_notes (workspace_id, content, related_to_type, related_to_id)
  select p_context.workspace_id,
    format('Merged in %s with the %s "%s"; what belonged to it is here now.', p_context.crm_name, p_context.noun, v_names ->> a.record_id::text),
    p_context.noun, a.survivor_id
  from unnest(p_absorbed) a
  where a.record_id <> a.survivor_id;
end
$$;

-- For a page that says so. Answers how many records went into others; null when there was nothing to do.
create function private.crm_merge_survivors(p_context private.crm_merge_context, p_records jsonb) returns int
language plpgsql
set search_path = ''
as $$
declare
  v_absorbed private.crm_absorbed[];
begin
  perform private.crm_survivors_remember(p_context, p_records);
  v_absorbed := private.crm_survivors_found(p_context, p_records);
  if v_absorbed = '{}' then
    return null;
  end if;
  perform private.crm_survivors_bases(p_context, v_absorbed);
  perform private.crm_survivors_rename(p_context, v_absorbed);
  -- The first of them has become the survivor; the others go into it.
  v_absorbed := private.crm_survivors_found(p_context, p_records);
  if v_absorbed <> '{}' then
    perform private.crm_survivors_children(p_context, v_absorbed), private.crm_survivors_belongings(p_context, v_absorbed),
      private.crm_survivors_retire(p_context, v_absorbed);
  end if;
  return cardinality(v_absorbed);
end
$$;

revoke execute on function
  private.crm_survivors_remember(private.crm_merge_context, jsonb),
  private.crm_survivors_found(private.crm_merge_context, jsonb),
  private.crm_survivors_rename(private.crm_merge_context, private.crm_absorbed[]),
  private.crm_survivors_children(private.crm_merge_context, private.crm_absorbed[]),
  private.crm_survivors_bases(private.crm_merge_context, private.crm_absorbed[]),
  private.crm_survivors_belongings(private.crm_merge_context, private.crm_absorbed[]),
  private.crm_survivors_retire(private.crm_merge_context, private.crm_absorbed[]),
  private.crm_merge_survivors(private.crm_merge_context, jsonb)
  from public, anon, authenticated, service_role;
