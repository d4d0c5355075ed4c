-- Connections: tokens. A token is one Vault secret; the table here only knows which. No API role can read either.

create table private.crm_credentials (
  config_id uuid primary key references public.crm_sync_configs (id) on delete cascade,
  secret_id uuid not null,
  expires_at timestamptz,
  scopes text[] not null default '{}',
  version int not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
alter table private.crm_credentials enable row level security;
revoke all on private.crm_credentials from public, anon, authenticated, service_role;
comment on table private.crm_credentials is 'Which Vault secret holds a connection''s tokens. version is the compare-and-set counter of refreshes.';

-- A connection that goes takes its secret along, whatever deleted it.
-- Definer: a workspace's owner deletes the workspace; only postgres may delete from Vault.
create function private.forget_secret() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  delete from vault.secrets s where s.id = old.secret_id;
  return null;
end
$$;
revoke execute on function private.forget_secret() from public, anon, authenticated;
create trigger forget_secret after delete on private.crm_credentials
  for each row execute function private.forget_secret();

-- A secret by its name in Vault; a missing one is a deployment fault and says so.
create function private.vault_secret(p_name text) returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  v_secret text;
begin
  select s.decrypted_secret into v_secret from vault.decrypted_secrets s where s.name = p_name;
  if v_secret is null then
    raise exception 'The secret "%" is not set in Vault.', p_name
      using errcode = 'PC011', hint = format('select vault.create_secret(''…'', %L)', p_name);
  end if;
  return v_secret;
end
$$;

create function private.crm_client_secret(p_provider text) returns text
language sql
stable
set search_path = ''
as $$
  select private.vault_secret('crm_' || p_provider || '_client_secret')
$$;

create function private.crm_session(p_config uuid)
returns table (
  config_id uuid, workspace_id uuid, crm_provider text, environment text, instance_url text, external_account_id text,
  access_token text, refresh_token text, expires_at timestamptz, version int
)
language plpgsql
stable
set search_path = ''
as $$
declare
  v_config public.crm_sync_configs;
begin
  select * into v_config from public.crm_sync_configs c where c.id = p_config;
  if v_config.id is null then
    raise exception 'This connection does not exist.' using errcode = 'PC001';
  end if;
  if v_config.status not in ('connected', 'paused') then
    perform private.refuse_connection(v_config);
  end if;
  return query
    select v_config.id, v_config.workspace_id, v_config.crm_provider, v_config.environment, v_config.oauth_instance_url,
      v_config.external_account_id, t.tokens ->> 'access_token', t.tokens ->> 'refresh_token', k.expires_at, k.version
    from private.crm_credentials k
    join vault.decrypted_secrets s on s.id = k.secret_id
    cross join lateral (select s.decrypted_secret::jsonb as tokens) t
    where k.config_id = p_config;
  if not found then
    raise exception 'The connection "%" has no tokens. Connect it again.', v_config.name using errcode = 'PC005';
  end if;
end
$$;

-- What is kept of a token answer. A refresh without a new refresh token keeps the old one.
create function private.crm_token_secret(p_tokens jsonb, p_refresh_token text) returns text
language sql
immutable
set search_path = ''
as $$
  select jsonb_build_object(
    'access_token', p_tokens ->> 'access_token',
    'refresh_token', coalesce(p_tokens ->> 'refresh_token', p_refresh_token))::text
$$;

-- Compare-and-set: of two workers that refreshed at once, one stores and the other learns that it lost.
create function private.crm_store_tokens(p_config uuid, p_expected_version int, p_tokens jsonb) returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_held private.crm_credentials;
begin
  if coalesce(p_tokens ->> 'access_token', '') = '' then
    raise exception 'There is no access token to store.' using errcode = 'PC004';
  end if;
  update private.crm_credentials k
  set version = k.version + 1,
    expires_at = (p_tokens ->> 'expires_at')::timestamptz,
    scopes = coalesce((select array_agg(s) from jsonb_array_elements_text(nullif(p_tokens -> 'scopes', 'null')) s), k.scopes),
    updated_at = now()
  where k.config_id = p_config and k.version = p_expected_version
  returning * into v_held;
  if not found then
    return false;
  end if;
  perform vault.update_secret(v_held.secret_id, private.crm_token_secret(p_tokens, (
    select s.decrypted_secret::jsonb ->> 'refresh_token' from vault.decrypted_secrets s where s.id = v_held.secret_id)));
  return true;
end
$$;

-- One refresh at a time per connection over all workers; the lock goes with the transaction, or with a crash.
create function private.crm_lock_tokens(p_config uuid) returns void
language sql
set search_path = ''
as $$
  select pg_advisory_xact_lock(hashtextextended('crm_tokens:' || p_config, 0))
$$;

-- The first tokens of a connection, or those of a reconnect: these win over whatever is stored. The version goes on
-- counting, so a refresh that began before the reconnect cannot overwrite them.
create function private.crm_keep_tokens(p_config uuid, p_tokens jsonb) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_version int;
begin
  delete from private.crm_credentials k where k.config_id = p_config returning k.version into v_version;
  insert into private.crm_credentials (config_id, secret_id, expires_at, scopes, version)
  select p_config, vault.create_secret(private.crm_token_secret(p_tokens, null), 'crm_tokens_' || p_config, 'Tokens of a CRM connection'),
    (p_tokens ->> 'expires_at')::timestamptz,
    array(select jsonb_array_elements_text(coalesce(nullif(p_tokens -> 'scopes', 'null'), '[]'))),
    coalesce(v_version, 0) + 1;
end
$$;

-- The CRM refused the connection for good: stop calling it and say why.
create function private.crm_connection_failed(p_config uuid, p_reason text) returns void
language sql
set search_path = ''
as $$
  update public.crm_sync_configs c
  set status = 'error', status_reason = p_reason
  where c.id = p_config and c.status in ('connected', 'paused')
$$;

revoke execute on function private.vault_secret(text), private.crm_client_secret(text), private.crm_session(uuid),
  private.crm_token_secret(jsonb, text), private.crm_lock_tokens(uuid), private.crm_store_tokens(uuid, int, jsonb), private.crm_keep_tokens(uuid, jsonb),
  private.crm_connection_failed(uuid, text) from public, anon, authenticated, service_role;
