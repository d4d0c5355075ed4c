-- Webhooks: the address of a connection's own. Salesforce signs nothing, so an outbound message goes to an address nobody can guess,
-- and must name the organisation that is connected.

create table private.crm_webhook_secrets (
  config_id uuid primary key references public.crm_sync_configs (id) on delete cascade,
  secret_hash bytea not null unique,
  created_at timestamptz not null default now(),
  -- The address before this one.
  former_hash bytea,
  former_until timestamptz
);
create index crm_webhook_secrets_former_idx on private.crm_webhook_secrets (former_hash) where former_hash is not null;
alter table private.crm_webhook_secrets enable row level security;
revoke all on private.crm_webhook_secrets from public, anon, authenticated, service_role;
comment on table private.crm_webhook_secrets is 'SHA-256 of the secret at the end of a connection''s webhook address. The address is shown once, when it is made.';

-- How long an address or a signing secret that was replaced is still taken: time to enter the new one at the CRM, and for messages
-- that are under way.
create function private.crm_rotation_grace() returns interval
language sql
immutable
set search_path = ''
as $$
  select interval '24 hours'
$$;

create function public.crm_create_webhook_url(config_id uuid, at_once boolean default false) returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_config public.crm_sync_configs := private.crm_config_for(crm_create_webhook_url.config_id, 'admin');
  v_at_once constant boolean := coalesce(crm_create_webhook_url.at_once, false);
  v_secret constant text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
begin
  if v_config.crm_provider <> 'salesforce' then
    raise exception 'Only Salesforce connections have a webhook address of their own.' using errcode = 'PC004',
      hint = 'HubSpot signs its messages and sends them all to one address; see docs/operations.md.';
  end if;
  if v_config.status = 'disconnected' then
    perform private.refuse_connection(v_config);
  end if;
  insert into private.crm_webhook_secrets as s (config_id, secret_hash)
  values (v_config.id, sha256(convert_to(v_secret, 'UTF8')))
  on conflict on constraint crm_webhook_secrets_pkey do update
  set secret_hash = excluded.secret_hash, created_at = now(), former_hash = case when not v_at_once then s.secret_hash end,
    former_until = case when not v_at_once then now() + private.crm_rotation_grace() end;
  perform private.crm_audit(v_config.id, 'webhook_url_created', jsonb_build_object('at_once', v_at_once));
  return rtrim(private.vault_secret('project_url'), '/') || '/functions/v1/crm-webhook/salesforce/' || v_secret;
end
$$;
comment on function public.crm_create_webhook_url(uuid, boolean) is
  'The address for outbound messages of a Salesforce connection (admins). Shown this once. A new one puts the old one out of use after 24 hours, with at_once at once.';
revoke execute on function public.crm_create_webhook_url(uuid, boolean) from public, anon, authenticated;
grant execute on function public.crm_create_webhook_url(uuid, boolean) to authenticated, service_role;

-- The connection that an address belongs to, if the message comes from its organisation. Ids have 15 characters or 18 that mean the same.
create function private.crm_webhook_connection(p_secret text, p_organization text) returns uuid
language sql
stable
set search_path = ''
as $$
  select c.id
  from private.crm_webhook_secrets s
  join public.crm_sync_configs c on c.id = s.config_id and c.status <> 'disconnected'
  where (s.secret_hash = sha256(convert_to(p_secret, 'UTF8'))
      or s.former_hash = sha256(convert_to(p_secret, 'UTF8')) and s.former_until > clock_timestamp())
    and left(c.external_account_id, 15) = left(p_organization, 15)
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

-- The secrets that a CRM may sign with: the app's, and for a while the one before it.
create function private.crm_signing_secrets(p_provider text, p_now timestamptz default clock_timestamp()) returns text[]
language sql
stable
set search_path = ''
as $$
  select array(
    select private.crm_client_secret(p_provider)
    union all
    select s.decrypted_secret
    from vault.decrypted_secrets s
    where s.name = format('crm_%s_client_secret_former', p_provider) and s.updated_at > p_now - private.crm_rotation_grace())
$$;

-- For the operator, when the app has a new client secret.
create function private.crm_rotate_client_secret(p_provider text, p_secret text) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_name constant text := format('crm_%s_client_secret', p_provider);
  v_former constant uuid := (select s.id from vault.secrets s where s.name = v_name || '_former');
begin
  if v_former is null then
    perform vault.create_secret(private.crm_client_secret(p_provider), v_name || '_former', 'Taken for a day after the rotation, to check signatures');
  else
    perform vault.update_secret(v_former, private.crm_client_secret(p_provider));
  end if;
  perform vault.update_secret(s.id, p_secret) from vault.secrets s where s.name = v_name;
end
$$;
comment on function private.crm_rotate_client_secret(text, text) is
  'Replaces the client secret of an app in Vault. Messages signed with the one before are taken for 24 hours more.';

revoke execute on function private.crm_rotation_grace(), private.crm_signing_secrets(text, timestamptz), private.crm_rotate_client_secret(text, text),
  private.crm_webhook_connection(text, text), private.crm_accept_outbound_message(text, text, jsonb)
  from public, anon, authenticated, service_role;
