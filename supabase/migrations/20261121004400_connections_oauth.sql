-- Connections: the OAuth round trip. A state is single use, lives ten minutes and is bound to user, workspace and browser.
-- Only its SHA-256 is stored, and the PKCE verifier lies in Vault until it is used or expires.

create table private.crm_oauth_states (
  state_hash text primary key check (state_hash ~ '^[0-9a-f]{64}$'),
  browser_key_hash text not null check (browser_key_hash ~ '^[0-9a-f]{64}$'),
  user_id uuid not null references auth.users (id) on delete cascade,
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  provider text not null,
  environment text not null check (environment in ('production', 'sandbox')),
  verifier_secret_id uuid,
  return_url text not null,
  redirect_uri text not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  created_at timestamptz not null default now()
);
create index crm_oauth_states_user_idx on private.crm_oauth_states (user_id);
create index crm_oauth_states_workspace_idx on private.crm_oauth_states (workspace_id);
create index crm_oauth_states_expires_idx on private.crm_oauth_states (expires_at);
alter table private.crm_oauth_states enable row level security;
revoke all on private.crm_oauth_states from public, anon, authenticated, service_role;

-- Definer: a state also goes with its user or workspace, deleted by roles that may not touch Vault.
create function private.forget_verifier() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  delete from vault.secrets s where s.id = old.verifier_secret_id;
  return null;
end
$$;
revoke execute on function private.forget_verifier() from public, anon, authenticated;
create trigger forget_verifier after delete on private.crm_oauth_states
  for each row when (old.verifier_secret_id is not null) execute function private.forget_verifier();

create function private.crm_oauth_begin(
  p_actor uuid, p_workspace uuid, p_provider text, p_environment text, p_state_hash text, p_browser_key_hash text,
  p_code_verifier text, p_return_url text, p_redirect_uri text
) returns timestamptz
language plpgsql
set search_path = ''
as $$
declare
  v_expires_at constant timestamptz := now() + interval '10 minutes';
begin
  perform private.require_role(p_workspace, 'admin', p_actor);
  if p_provider not in ('salesforce', 'hubspot') then
    raise exception 'There is no connector for "%".', p_provider using errcode = 'PC004';
  end if;
  insert into private.crm_oauth_states
    (state_hash, browser_key_hash, user_id, workspace_id, provider, environment, verifier_secret_id, return_url, redirect_uri, expires_at)
  values (p_state_hash, p_browser_key_hash, p_actor, p_workspace, p_provider, p_environment,
    vault.create_secret(p_code_verifier, 'crm_oauth_verifier_' || p_state_hash, 'PKCE verifier, ten minutes'),
    p_return_url, p_redirect_uri, v_expires_at);
  return v_expires_at;
end
$$;

-- One sentence for every way a state can be wrong: which one is nobody's business.
create function private.refuse_oauth_state() returns void
language plpgsql
set search_path = ''
as $$
begin
  raise exception 'This sign-in link is unknown, used or expired.'
    using errcode = 'PC003', hint = 'Start connecting the CRM again.';
end
$$;

create function private.crm_oauth_peek(p_state_hash text) returns table (return_url text, provider text)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
    select s.return_url, s.provider
    from private.crm_oauth_states s
    where s.state_hash = p_state_hash and s.used_at is null and s.expires_at > now();
  if not found then
    perform private.refuse_oauth_state();
  end if;
end
$$;

-- The row stays, marked used, until the purge: a replay is then told apart from nonsense in the logs of the database only.
create function private.crm_oauth_consume(p_actor uuid, p_state_hash text, p_browser_key_hash text)
returns table (workspace_id uuid, provider text, environment text, code_verifier text, redirect_uri text, return_url text)
language plpgsql
set search_path = ''
as $$
declare
  v_state private.crm_oauth_states;
  v_verifier text;
begin
  update private.crm_oauth_states s
  set used_at = now()
  where s.state_hash = p_state_hash and s.used_at is null and s.expires_at > now()
    and s.user_id = p_actor and s.browser_key_hash = p_browser_key_hash
  returning * into v_state;
  if v_state.state_hash is null then
    perform private.refuse_oauth_state();
  end if;
  -- The role may have been taken away while the person was at the CRM.
  perform private.require_role(v_state.workspace_id, 'admin', p_actor);
  select d.decrypted_secret into v_verifier from vault.decrypted_secrets d where d.id = v_state.verifier_secret_id;
  delete from vault.secrets d where d.id = v_state.verifier_secret_id;
  update private.crm_oauth_states s set verifier_secret_id = null where s.state_hash = p_state_hash;
  return query select v_state.workspace_id, v_state.provider, v_state.environment, v_verifier, v_state.redirect_uri, v_state.return_url;
end
$$;

create function private.crm_purge_oauth_states() returns bigint
language sql
set search_path = ''
as $$
  with purged as (
    delete from private.crm_oauth_states s where s.expires_at < now() returning 1
  )
  select count(*) from purged
$$;

revoke execute on function
  private.crm_oauth_begin(uuid, uuid, text, text, text, text, text, text, text), private.refuse_oauth_state(),
  private.crm_oauth_peek(text), private.crm_oauth_consume(uuid, text, text), private.crm_purge_oauth_states()
  from public, anon, authenticated, service_role;
