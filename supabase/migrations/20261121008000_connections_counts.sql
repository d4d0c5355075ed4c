-- Connections: how many records each one keeps in step.

-- Security definer: links are internal, their number is not. The caller must be a member of the connection's workspace.
create function public.crm_connection_counts(config_id uuid)
returns table (entity_type text, records bigint)
language sql stable security definer set search_path = '' as $$
  select link.entity_type, count(*)
  from private.crm_record_links link
  join public.crm_sync_configs config on config.id = link.config_id
  where config.id = crm_connection_counts.config_id
    and config.workspace_id = any (array(select private.my_workspace_ids()))
    and link.crm_deleted_at is null
  group by link.entity_type
$$;
comment on function public.crm_connection_counts(uuid) is
  'Live CRM records linked through a connection, per entity type (accounts, contacts, opportunities). Empty for a connection of somebody else''s workspace.';

revoke execute on function public.crm_connection_counts(uuid) from public, anon;
grant execute on function public.crm_connection_counts(uuid) to authenticated, service_role;
