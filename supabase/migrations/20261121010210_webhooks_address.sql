-- Webhooks: the address of a connection's own. Salesforce signs nothing, so an outbound message goes to an address nobody can guess,
-- and must name the organisation that is connected.

create table private.crm_webhook_secrets (
  config_id uuid primary key references public.crm_sync_configs (id) on delete cascade,
  secret_hash bytea not null unique,
  created_at timestamptz not null default now()
);
alter table private.crm_webhook_secrets enable row level security;
revoke all on private.crm_webhook_secrets from public, anon, authenticated, service_role;
comment on table private.crm_webhook_secrets is 'SHA-256 of the secret at the end of a connection''s webhook address. The address is shown once, when it is made.';

create function public.crm_create_webhook_url(config_id uuid) returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_config public.crm_sync_configs := private.crm_config_for(crm_create_webhook_url.config_id, 'admin');
  v_secret constant text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
begin
  if v_config.crm_provider <> 'salesforce' then
    raise exception 'Only Salesforce connections have a webhook address of their own.' using errcode = 'PC004',
      hint = 'HubSpot signs its messages and sends them all to one address; see docs/operations.md.';
  end if;
  insert into private.crm_webhook_secrets as s (config_id, secret_hash)
  values (v_config.id, sha256(convert_to(v_secret, 'UTF8')))
  on conflict on constraint crm_webhook_secrets_pkey do update set secret_hash = excluded.secret_hash, created_at = now();
  perform private.crm_audit(v_config.id, 'webhook_url_created');
  return rtrim(private.vault_secret('project_url'), '/') || '/functions/v1/crm-webhook/salesforce/' || v_secret;
end
$$;
comment on function public.crm_create_webhook_url(uuid) is
  'The address for outbound messages of a Salesforce connection (admins). Shown this once; a new one puts the old one out of use at once.';
revoke execute on function public.crm_create_webhook_url(uuid) from public, anon, authenticated;
grant execute on function public.crm_create_webhook_url(uuid) to authenticated, service_role;

-- The connection that an address belongs to, if the message comes from its organisation. Ids have 15 characters or 18 that mean the same.
create function private.crm_webhook_connection(p_secret text, p_organization text) returns uuid
language sql
stable
set search_path = ''
as $$
  select c.id
  from private.crm_webhook_secrets s
  join public.crm_sync_configs c on c.id = s.config_id and c.status <> 'disconnected'
  where s.secret_hash = sha256(convert_to(p_secret, 'UTF8')) and left(c.external_account_id, 15) = left(p_organization, 15)
$$;

-- Null: no such address, or not this organisation's.
create function private.crm_accept_outbound_message(p_secret text, p_organization text, p_events jsonb) returns jsonb
language sql
set search_path = ''
as $$
  select private.crm_accept_webhook('salesforce', (
      select coalesce(jsonb_agg(e || jsonb_build_object('account', c.external_account_id)), '[]') from jsonb_array_elements(p_events) e), c.id)
  from public.crm_sync_configs c
  where c.id = private.crm_webhook_connection(p_secret, p_organization)
$$;

revoke execute on function private.crm_webhook_connection(text, text), private.crm_accept_outbound_message(text, text, jsonb)
  from public, anon, authenticated, service_role;
