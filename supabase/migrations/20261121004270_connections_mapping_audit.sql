-- Connections: the audit log tells who changed a mapping, and how. One row per statement and connection.

-- Definer: the audit log has no insert right for anybody. What a connection brings along when it is made is told by its own row,
-- so only statements of people, who come as API roles, are told here.
create function private.audit_mappings() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_hidden constant text[] := '{id,workspace_id,created_at,updated_at,confidence,reason,position}';
  v_before jsonb := '[]';
  v_after jsonb := '[]';
begin
  if coalesce(current_setting('role', true), 'none') not in ('authenticated', 'service_role') then
    return null;
  end if;
  if tg_op <> 'INSERT' then
    select coalesce(jsonb_agg(to_jsonb(r) - v_hidden), '[]') into v_before from old_rows r;
  end if;
  if tg_op <> 'DELETE' then
    select coalesce(jsonb_agg(to_jsonb(r) - v_hidden), '[]') into v_after from new_rows r;
  end if;
  perform private.crm_audit(k.config_id, tg_argv[0], jsonb_strip_nulls(jsonb_build_object('before', k.before, 'after', k.after)))
  from (
    select (d.mapping ->> 'config_id')::uuid as config_id,
      jsonb_agg(d.mapping - 'config_id') filter (where d.side = 'before') as before,
      jsonb_agg(d.mapping - 'config_id') filter (where d.side = 'after') as after
    from (
      select 'before' as side, e as mapping from jsonb_array_elements(v_before) e where not v_after @> jsonb_build_array(e)
      union all
      select 'after', e from jsonb_array_elements(v_after) e where not v_before @> jsonb_build_array(e)
    ) d
    group by 1
  ) k;
  return null;
end
$$;
revoke execute on function private.audit_mappings() from public, anon, authenticated, service_role;

create trigger audit_insert after insert on public.crm_field_mappings referencing new table as new_rows
  for each statement execute function private.audit_mappings('field_mappings_changed');
create trigger audit_update after update on public.crm_field_mappings referencing old table as old_rows new table as new_rows
  for each statement execute function private.audit_mappings('field_mappings_changed');
create trigger audit_delete after delete on public.crm_field_mappings referencing old table as old_rows
  for each statement execute function private.audit_mappings('field_mappings_changed');
create trigger audit_insert after insert on public.crm_stage_mappings referencing new table as new_rows
  for each statement execute function private.audit_mappings('stage_mappings_changed');
create trigger audit_update after update on public.crm_stage_mappings referencing old table as old_rows new table as new_rows
  for each statement execute function private.audit_mappings('stage_mappings_changed');
create trigger audit_delete after delete on public.crm_stage_mappings referencing old table as old_rows
  for each statement execute function private.audit_mappings('stage_mappings_changed');
