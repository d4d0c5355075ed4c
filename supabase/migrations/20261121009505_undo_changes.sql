-- Undo, changes: what becomes of each record, over all that the journal has of it.

-- What is to be done about one record of ours. problems: {field: why it cannot go back}, kept: fields that were edited since.
create type private.crm_undo_change as (
  record_id uuid, crm_record_id text, written jsonb, before jsonb, kept text[], problems jsonb
);

-- A person is known by a name or an address; fields that would take away the last of them stay.
create function private.crm_undo_nameless(p_ours jsonb, p_written jsonb) returns boolean
language sql
immutable
set search_path = ''
as $$
  select p_written ?| '{first_name,last_name,email}' and coalesce(nullif(n.fields ->> 'first_name', ''), nullif(n.fields ->> 'last_name', ''), nullif(n.fields ->> 'email', '')) is null
  from (select p_ours || p_written as fields) n
$$;

create function private.crm_undo_changes(
  p_context private.crm_merge_context, p_rows private.crm_journal[], p_ours private.crm_merge_ours[]
) returns private.crm_undo_change[]
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
begin
  return (with fields as (
    select f.record_id, min(f.crm_record_id) as crm_record_id,
      jsonb_object_agg(f.field, coalesce(f.before, 'null')) filter (where not f.is_kept and f.problem is null) as written,
      jsonb_object_agg(f.field, coalesce(f.ours, 'null')) filter (where not f.is_kept and f.problem is null) as before,
      jsonb_object_agg(coalesce(a.label, substr(f.field, 15)), true) filter (where f.is_kept) as kept,
      jsonb_object_agg(coalesce(a.label, substr(f.field, 15)), f.problem) filter (where not f.is_kept and f.problem is not null) as problems
    from unnest(private.crm_undo_fields(p_context, p_rows, p_ours)) f
    left join private.crm_app_fields a on a.entity_type = p_context.entity and a.app_field = f.field
    group by f.record_id
  ),
  both_kinds as (
    select f.record_id, f.crm_record_id,
      case when p_context.entity = 'contacts' and private.crm_undo_nameless(o.fields, f.written) then f.written - '{first_name,last_name,email}'::text[] else f.written end as written,
      f.before, f.kept,
      case when p_context.entity = 'contacts' and private.crm_undo_nameless(o.fields, f.written) then '{"Name": "would be empty."}'::jsonb else '{}' end
        || coalesce(f.problems, '{}') as problems
    from fields f
    join unnest(p_ours) o using (record_id)
    union all
    select c.record_id, c.crm_record_id, case when not c.is_kept then jsonb_build_object('$deleted_at', now()) end, '{"$deleted_at": null}',
      case when c.is_kept then '{"The new record": true}'::jsonb end, '{}'
    from unnest(private.crm_undo_created(p_context, p_rows, p_ours)) c
    union all
    -- Links are always put back: '{}' stands for a change without fields.
    select j.record_id, j.crm_record_id, '{}', '{}', null, '{}' from unnest(p_rows) j where j.action in ('linked', 'unlinked')
    union all
    select j.record_id, j.crm_record_id, null, null, '{"The record": true}', '{}'
    from unnest(p_rows) j
    where not exists (select from unnest(p_ours) o where o.record_id = j.record_id)
  )
  select coalesce(array_agg((b.record_id, b.crm_record_id, b.written, b.before, b.kept, nullif(b.problems, '{}'))::private.crm_undo_change), '{}')
  from (
    select k.record_id, min(k.crm_record_id) as crm_record_id,
      case when count(k.written) > 0 then coalesce(private.crm_overlaid(array_agg(k.written)), '{}') end as written,
      coalesce(private.crm_overlaid(array_agg(k.before)), '{}') as before,
      array(select jsonb_object_keys(private.crm_overlaid(array_agg(k.kept)))) as kept,
      coalesce(private.crm_overlaid(array_agg(k.problems)), '{}') as problems
    from both_kinds k
    group by k.record_id
  ) b);
end
$$;

revoke execute on function
  private.crm_undo_nameless(jsonb, jsonb),
  private.crm_undo_changes(private.crm_merge_context, private.crm_journal[], private.crm_merge_ours[])
  from public, anon, authenticated, service_role;
