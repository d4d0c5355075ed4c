-- Push, fields: what of a record differs from what the CRM last showed.

create type private.crm_push_field as (record_id uuid, field text, value jsonb, is_relation boolean, is_bidirectional boolean);

-- Every field to be sent: where ours differs from the base, by the merge's own comparison. Held back: fields in a conflict that
-- waits for a person, or that a person chose to ignore as it stands; values that the database filled in; parents and owners
-- that the CRM does not have. An owner is cleared only where a member's name was taken off, not where the member left.
create function private.crm_push_fields(p_context private.crm_push_context, p_rows private.crm_push_row[]) returns setof private.crm_push_field
language plpgsql
stable
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
begin
  return query execute format($sql$
    with pushable as materialized (
      select p.*, f.data_type, coalesce(f.decimals, 0) as decimals, f.parent_entity, f.is_derived is true as is_derived,
        f.data_type is not distinct from 'relation' as is_relation,
        case when f.sql_type = 'jsonb' then f.fallback::jsonb else to_jsonb(f.fallback) end as empty
      from private.crm_pushable_fields($3) p
      left join private.crm_app_fields f on f.entity_type = ($1).entity and f.app_field = p.field
    ),
    compared as materialized (
      select r.record_id, r.action, r.crm_id, p.*, v.ours, r.base -> p.field as base,
        -- The CRM's id for a relation; null where the CRM does not have it.
        case
          when not p.is_relation or v.own is null then null
          when p.parent_entity is not null then (
            select l.crm_record_id
            from private.crm_record_links l
            where l.record_id = v.own::uuid and l.config_id is not distinct from ($1).config_id
              and l.entity_type is not distinct from p.parent_entity and l.crm_deleted_at is null)
          when v.own like 'member:%%' then (
            select min(o.crm_user_id) from private.crm_owners o where o.config_id = ($1).config_id and o.member_id = substr(v.own, 8)::uuid)
          else (select min(o.crm_user_id) from private.crm_owners o where o.config_id = ($1).config_id and o.name = substr(v.own, 7))
        end as remote
      from unnest($2) r
      cross join pushable p
      cross join lateral (
        select coalesce(r.fields -> p.field, r.fields #> array['custom_fields', substr(p.field, 15)]) as ours offset 0) u
      cross join lateral (select u.ours, case when p.is_relation then u.ours #>> '{}' end as own offset 0) v
      -- Letter for letter what the CRM has is no difference in meaning either.
      where r.action = 'create' or r.action = 'update' and (p.is_relation or coalesce(r.base -> p.field, 'null') <> coalesce(v.ours, 'null'))
    ),
    sides as materialized (
      select d.*, %1$s as a,
        case
          when not d.is_relation then %2$s
          when d.action = 'update' and d.base #>> '{}' is not null then private.crm_local_relation($1, d.field, d.parent_entity, d.base #>> '{}')
        end as b
      from compared d
      where not d.is_relation or d.remote is null or d.remote is distinct from d.base #>> '{}'
    ),
    held as materialized (
      select k.crm_record_id as crm_id, c.field, case when k.status = 'ignored' then coalesce(k.app_data -> c.field, 'null') end as ignored
      from public.crm_sync_conflicts k
      cross join lateral unnest(k.conflicting_fields) c (field)
      where k.config_id = ($1).config_id and k.entity_type = ($1).entity
        and (k.status = 'pending' and k.crm_record_id = any (array(select r.crm_id from unnest($2) r))
          or k.status = 'ignored' and k.crm_record_id = any (array(select r.crm_id from unnest($2) r)))
    ),
    changed as materialized (
      select s.*, case
          when s.is_relation then to_jsonb(s.remote)
          when s.a is distinct from s.empty or s.ours not in ('""', '{}', '[]') then s.ours
        end as value
      from sides s
      where case when s.action = 'create' then s.a is distinct from s.empty
          else s.a is distinct from s.b and not (s.is_derived and s.b is not distinct from s.empty) end
        and not exists (
          select from held h
          where h.crm_id = s.crm_id and h.field = s.field and (h.ignored is null or h.ignored = coalesce(s.a, 'null')))
    )
    select c.record_id, c.field, coalesce(c.value, 'null'), c.is_relation, c.is_bidirectional
    from changed c
    where not c.is_relation
      or c.value is not null and c.value is distinct from c.base
      or c.a is null and (c.field <> '$owner' or c.b #>> '{}' like 'member:%%')
  $sql$, private.crm_canonical_sql('d.ours'), private.crm_canonical_sql('d.base'))
  using p_context.merge, p_rows, p_context;
end
$$;

revoke execute on function private.crm_push_fields(private.crm_push_context, private.crm_push_row[])
  from public, anon, authenticated, service_role;
