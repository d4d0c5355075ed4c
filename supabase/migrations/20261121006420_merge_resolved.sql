-- Merge, resolved: what has become of conflicts that a person decided, by what both sides say now.

create type private.crm_conflict_side as (
  conflict_id uuid, record_id uuid, field text, ours jsonb, a jsonb, b jsonb, seen jsonb
);

-- Each field of some conflicts: ours as it is now (raw, and canonical as a), the CRM's as last seen (b) and ours as it was when
-- the conflict was noted, or as p_seen says somebody saw it. Locks our records.
create function private.crm_conflict_sides(
  p_context private.crm_merge_context, p_conflicts public.crm_sync_conflicts[], p_seen jsonb default '{}'
) returns setof private.crm_conflict_side
language plpgsql
set search_path = ''
as $$
declare
  v_ours constant private.crm_merge_ours[] := private.crm_merge_ours(p_context, array(
    select (k.crm_record_id, null, false, false, null, 'linked', k.entity_id, null, null, null, null, null, null,
      null)::private.crm_merge_row
    from unnest(p_conflicts) k));
begin
  return query execute format($sql$
    with fields as materialized (
      select k.id, o.record_id, n.field, coalesce(o.fields -> n.field, o.fields #> array['custom_fields', substr(n.field, 15)]) as ours,
        l.base -> n.field as base, coalesce($4 -> n.field, k.app_data -> n.field) as seen,
        f.data_type, coalesce(f.decimals, 0) as decimals, f.parent_entity,
        case when f.sql_type = 'jsonb' then f.fallback::jsonb else to_jsonb(f.fallback) end as empty
      from unnest($2) k
      join unnest($3) o on o.record_id = k.entity_id
      cross join lateral unnest(k.conflicting_fields) n (field)
      left join private.crm_record_links l
        on (l.config_id, l.entity_type, l.crm_record_id) = (k.config_id, k.entity_type, k.crm_record_id) and l.record_id = k.entity_id
      left join private.crm_app_fields f on f.entity_type = k.entity_type and f.app_field = n.field
    )
    select d.id, d.record_id, d.field, d.ours, %1$s,
      case when d.data_type = 'relation' then private.crm_local_relation($1, d.field, d.parent_entity, d.base #>> '{}') else %2$s end, %3$s
    from fields d
  $sql$, private.crm_canonical_sql('d.ours'), private.crm_canonical_sql('d.base'), private.crm_canonical_sql('d.seen'))
  using p_context, p_conflicts, v_ours, p_seen;
end
$$;

-- What was decided has arrived once ours and the CRM's, as last seen, are alike in every field.
create function private.crm_confirm_resolutions(p_context private.crm_merge_context, p_crm_ids text[]) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_waiting public.crm_sync_conflicts[];
begin
  if not exists (
    select from public.crm_sync_conflicts k
    where k.config_id = p_context.config_id and k.entity_type = p_context.entity
      and k.status = 'resolved' and k.applied_at is null and k.resolution_strategy in ('use_app', 'use_crm', 'manual')) then
    return;
  end if;
  v_waiting := array(
    select k::public.crm_sync_conflicts
    from public.crm_sync_conflicts k
    where k.config_id = p_context.config_id and k.entity_type = p_context.entity and k.crm_record_id = any (p_crm_ids)
      and k.status = 'resolved' and k.applied_at is null and k.resolution_strategy in ('use_app', 'use_crm', 'manual'));
  if v_waiting = '{}' then
    return;
  end if;
  update public.crm_sync_conflicts k
  set applied_at = now()
  from (
    select s.conflict_id
    from private.crm_conflict_sides(p_context, v_waiting) s
    group by s.conflict_id
    having bool_and(s.a is not distinct from s.b)
  ) arrived
  where k.id = arrived.conflict_id;
end
$$;

revoke execute on function
  private.crm_conflict_sides(private.crm_merge_context, public.crm_sync_conflicts[], jsonb),
  private.crm_confirm_resolutions(private.crm_merge_context, text[])
  from public, anon, authenticated, service_role;
