-- Push: which of our records may be created in a CRM.

create function private.crm_filter_allows(p_config uuid, p_entity text, p_record_ids uuid[]) returns uuid[]
language sql
stable
set search_path = ''
as $$
  select p_record_ids
$$;
revoke execute on function private.crm_filter_allows(uuid, text, uuid[]) from public, anon, authenticated, service_role;
