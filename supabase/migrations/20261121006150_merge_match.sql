-- Merge, match: a record met for the first time may be one that we have already, entered by hand or brought by another CRM.

-- Our live records under such keys; for a company at most two, which is enough to know that a key is not unique. Asked key by
-- key as "the first at or after" and without sorting, which leaves the planner one index, whatever it knows of the table.
create function private.crm_match_candidates(p_entity text, p_workspace uuid, p_keys text[]) returns table (key text, record_id uuid)
language plpgsql
stable
set search_path = ''
set enable_sort = off
as $$
begin
  if p_entity = 'accounts' then
    return query
      select k.key, n.id
      from unnest(p_keys) k (key)
      cross join lateral (
        select c.id, c.domain
        from public.crm_companies c
        where c.workspace_id = p_workspace and c.domain >= k.key and c.deleted_at is null
        order by c.workspace_id, c.domain
        limit 2
      ) n
      where n.domain = k.key;
  elsif p_entity = 'contacts' then
    return query
      with holders as materialized (
        select k.key, n.id
        from unnest(p_keys) k (key)
        cross join lateral (
          select c.id, lower(c.email) as address
          from public.crm_contacts c
          where c.workspace_id = p_workspace and lower(c.email) >= k.key and c.deleted_at is null and c.duplicate_of is null
          order by c.workspace_id, lower(c.email)
          limit 1
        ) n
        where n.address = k.key
      )
      select h.key, h.id from holders h
      union all
      select h.key, n.id
      from holders h
      cross join lateral (
        select d.id
        from public.crm_contacts d
        where d.duplicate_of = h.id and d.workspace_id = p_workspace and d.deleted_at is null
        order by d.duplicate_of, d.workspace_id
        limit 1
      ) n;
  end if;
end
$$;

-- What records are matched by: the domain of an account's website or a contact's e-mail; a deal has nothing.
create function private.crm_match_keys(p_entity text, p_ids text[], p_values jsonb[]) returns table (crm_id text, key text)
language sql
immutable
set search_path = ''
as $$
  select v.crm_id, k.key
  from unnest(p_ids, p_values) v (crm_id, fields)
  cross join lateral (
    select case p_entity
      when 'accounts' then private.normalize_domain(coalesce(v.fields ->> 'domain', v.fields ->> 'website'))
      when 'contacts' then nullif(lower(btrim(v.fields ->> 'email')), '')
    end as key
  ) k
  where k.key is not null
$$;

-- Gives each unlinked record the id of the one record of ours that it is, or a new id. Only a key that is unique on both
-- sides is a match; where it is not, the record is added as a new one with a note, never guessed.
create function private.crm_merge_match(p_context private.crm_merge_context, p_rows private.crm_merge_row[]) returns private.crm_merge_row[]
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
  return (
    with unlinked as materialized (
      select k.crm_id, k.key, count(*) over (partition by k.key) as on_page
      from private.crm_match_keys(p_context.entity, array(select r.crm_id from unnest(p_rows) r where r.kind = 'new'),
        array(select r.theirs from unnest(p_rows) r where r.kind = 'new')) k
    ),
    ours as materialized (
      select c.key, count(*) filter (where l.record_id is null) as free, count(l.record_id) as taken,
        (array_agg(c.record_id) filter (where l.record_id is null))[1] as record_id
      from private.crm_match_candidates(p_context.entity, p_context.workspace_id, array(select distinct u.key from unlinked u)) c
      left join private.crm_record_links l
        on l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.record_id = c.record_id
      group by c.key
    ),
    verdicts as materialized (
      select u.crm_id, case when o.free = 1 and o.taken = 0 and u.on_page = 1 then o.record_id end as record_id,
        case
          when o.free = 1 and o.taken = 0 and u.on_page = 1 then null
          when o.free > 0 and u.on_page > 1 then
            format('%s records from %s share "%s", which a record here also has.', u.on_page, p_context.crm_name, u.key)
          when o.free > 0 and o.taken = 0 then format('more than one record here has "%s".', u.key)
          when o.free > 0 or p_context.entity = 'accounts' then format('another record from %s already has "%s".', p_context.crm_name, u.key)
        end as doubt
      from unlinked u
      join ours o on o.key = u.key
    )
    select coalesce(array_agg((
        r.crm_id, r.modified, r.deleted, r.merged, r.theirs, case when v.record_id is not null then 'matched' else r.kind end,
        coalesce(r.record_id, v.record_id, gen_random_uuid()), r.base, r.crm_deleted_at, r.merged_at, r.app_edited_at, r.has_conflict,
        format('Added as a new %s: ', p_context.noun) || v.doubt, r.differing
      )::private.crm_merge_row order by r.place), '{}')
    from unnest(p_rows) with ordinality r (
      crm_id, modified, deleted, merged, theirs, kind, record_id, base, crm_deleted_at, merged_at, app_edited_at, has_conflict, note,
      differing, place)
    left join verdicts v on v.crm_id = r.crm_id
  );
end
$$;

revoke execute on function private.crm_match_candidates(text, uuid, text[]), private.crm_match_keys(text, text[], jsonb[]),
  private.crm_merge_match(private.crm_merge_context, private.crm_merge_row[]) from public, anon, authenticated, service_role;
