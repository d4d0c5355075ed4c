-- Control: a connection that is over for good.

create function public.crm_remove_connection(config_id uuid) returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_config public.crm_sync_configs := private.crm_config_for(crm_remove_connection.config_id, 'admin');
begin
  -- Disconnecting is what takes the access back at the CRM; without it the tokens would live on there.
  if v_config.status <> 'disconnected' then
    raise exception 'The connection "%" is still connected.', v_config.name using errcode = 'PC008',
      hint = 'Disconnect it first (crm-oauth/disconnect), so that the CRM takes its access back.';
  end if;
  perform private.crm_audit(v_config.id, 'removed', jsonb_build_object(
    'connection', v_config.id, 'name', v_config.name, 'provider', v_config.crm_provider, 'account', v_config.external_account_id));
  delete from public.crm_sync_configs c where c.id = v_config.id;
end
$$;
comment on function public.crm_remove_connection(uuid) is
  'Removes a disconnected connection with its mappings, links, runs, logs and journal (admins). The records here stay. PC008 while it is connected.';

revoke execute on function public.crm_remove_connection(uuid) from public, anon, authenticated;
grant execute on function public.crm_remove_connection(uuid) to authenticated, service_role;
