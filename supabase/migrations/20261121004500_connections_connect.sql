-- Connections: a connection comes and goes in one transaction each.

-- People of the CRM. A record's owner becomes a member where the e-mail is a member's, else stays a name.
create table private.crm_owners (
  config_id uuid not null references public.crm_sync_configs (id) on delete cascade,
  crm_user_id text not null,
  email text,
  name text not null default '',
  member_id uuid,
  updated_at timestamptz not null default now(),
  primary key (config_id, crm_user_id)
);
alter table private.crm_owners enable row level security;
revoke all on private.crm_owners from public, anon, authenticated, service_role;
comment on column private.crm_owners.member_id is 'Looked up by e-mail at each run. No foreign key: whether the member still exists is asked when a record is written.';

-- Who connected, as an owner of records. HubSpot numbers its owners apart from its users, so there the address tells.
create function private.crm_current_owner(p_config uuid) returns text
language sql
stable
set search_path = ''
as $$
  select o.crm_user_id
  from public.crm_sync_configs c
  join private.crm_owners o on o.config_id = c.id
    and case c.crm_provider when 'hubspot' then o.email = lower(btrim(c.oauth_user_email)) else o.crm_user_id = c.oauth_user_id end
  where c.id = p_config
  order by o.crm_user_id
  limit 1
$$;

create function private.crm_upsert_owners(p_config uuid, p_owners jsonb) returns void
language sql
set search_path = ''
as $$
  insert into private.crm_owners as o (config_id, crm_user_id, email, name, member_id)
  select distinct on (r.crm_user_id)
    c.id, r.crm_user_id, lower(btrim(r.email)), left(coalesce(nullif(btrim(r.name), ''), r.email, r.crm_user_id), 255), m.user_id
  from public.crm_sync_configs c
  cross join jsonb_to_recordset(p_owners) as r (crm_user_id text, email text, name text)
  left join public.workspace_members m on m.workspace_id = c.workspace_id and lower(m.email) = lower(btrim(r.email))
  where c.id = p_config and r.crm_user_id is not null
  order by r.crm_user_id, m.created_at
  on conflict (config_id, crm_user_id) do update
  set email = excluded.email, name = excluded.name, member_id = excluded.member_id, updated_at = now()
  where (o.email, o.name, o.member_id) is distinct from (excluded.email, excluded.name, excluded.member_id)
$$;

create function private.crm_insert_mappings(p_config uuid, p_mappings jsonb, p_stages jsonb) returns void
language sql
set search_path = ''
as $$
  insert into public.crm_field_mappings
    (config_id, entity_type, crm_field, app_field, data_type, sync_direction, is_required, confidence, reason, position)
  select p_config, m.entity_type, m.crm_field, m.app_field, coalesce(m.data_type, 'string'), coalesce(m.sync_direction, 'bidirectional'),
    coalesce(m.is_required, false), m.confidence, m.reason, row_number() over ()
  from jsonb_to_recordset(p_mappings) as m (
    entity_type text, crm_field text, app_field text, data_type text, sync_direction text, is_required boolean, confidence numeric, reason text)
  on conflict (config_id, entity_type, app_field) do nothing;

  insert into public.crm_stage_mappings
    (config_id, crm_pipeline_id, crm_stage_id, crm_stage_label, stage_key, crm_probability, position)
  select p_config, coalesce(s.crm_pipeline_id, ''), s.crm_stage_id, s.crm_stage_label, k.stage_key, s.crm_probability, coalesce(s.position, 0)
  from jsonb_to_recordset(p_stages) as s (
    crm_pipeline_id text, crm_stage_id text, crm_stage_label text, stage_key text, crm_probability int, position int)
  join public.crm_sync_configs c on c.id = p_config
  -- A stage that the workspace renamed or removed is left for the admin to map.
  cross join lateral (select private.stage_key(c.workspace_id, s.stage_key) as stage_key) k
  where k.stage_key is not null
  on conflict (config_id, crm_pipeline_id, crm_stage_id) do nothing;
$$;

-- The same account of the CRM again is the same connection: tokens and status are renewed, mappings, links and settings stay.
create function private.crm_connect(
  p_actor uuid, p_workspace uuid, p_provider text, p_environment text, p_account jsonb, p_tokens jsonb,
  p_mappings jsonb, p_stages jsonb, p_owners jsonb
) returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_config uuid;
  v_is_new boolean;
begin
  perform private.require_role(p_workspace, 'admin', p_actor);
  perform set_config('pipeline_crm.actor', p_actor::text, true);
  insert into public.crm_sync_configs as c
    (workspace_id, crm_provider, name, environment, external_account_id, external_account_name, oauth_instance_url,
     oauth_user_id, oauth_user_email, created_by)
  values (p_workspace, p_provider,
    left(coalesce(nullif(btrim(p_account ->> 'external_account_name'), ''), initcap(p_provider)), 120), p_environment,
    p_account ->> 'external_account_id', p_account ->> 'external_account_name', p_account ->> 'instance_url',
    p_account ->> 'user_id', p_account ->> 'user_email', p_actor)
  on conflict (workspace_id, crm_provider, external_account_id) do update
  set environment = excluded.environment, external_account_name = excluded.external_account_name,
    oauth_instance_url = excluded.oauth_instance_url, oauth_user_id = excluded.oauth_user_id,
    oauth_user_email = excluded.oauth_user_email, status = 'connected', status_reason = null
  returning c.id, c.xmax = 0 into v_config, v_is_new;

  perform private.crm_keep_tokens(v_config, p_tokens);
  perform private.crm_upsert_owners(v_config, p_owners);
  perform private.crm_keep_time_zone(v_config, p_account ->> 'time_zone'), private.crm_forget_failures(v_config);
  -- A reconnect keeps the mappings as the admin left them, deleted ones included.
  if v_is_new then
    perform private.crm_insert_mappings(v_config, p_mappings, p_stages);
  end if;
  -- A run that waited for a person to resume it would wait for ever, and hold up all others.
  perform private.crm_release_run(v_config);
  perform private.crm_audit(v_config, case when v_is_new then 'connected' else 'reconnected' end,
    jsonb_build_object('provider', p_provider, 'account', p_account ->> 'external_account_id', 'as', p_account ->> 'user_email'));
  return v_config;
end
$$;

-- Answers the tokens, which the caller revokes at the CRM once this is committed, and then forgets.
create function private.crm_disconnect(p_actor uuid, p_config uuid) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_workspace uuid := (select c.workspace_id from public.crm_sync_configs c where c.id = p_config);
  v_tokens jsonb;
begin
  perform private.require_role(v_workspace, 'admin', p_actor);
  perform set_config('pipeline_crm.actor', p_actor::text, true);
  -- A refresh that is under way ends first: a refresh token that it gets after this look would live on at the CRM.
  perform private.crm_lock_tokens(p_config);
  update public.crm_sync_configs c
  set status = 'disconnected', status_reason = 'Disconnected by a person.', next_sync_at = null
  where c.id = p_config;
  perform private.crm_stop_run(o.id, 'The CRM was disconnected.')
  from public.crm_sync_operations o
  where o.config_id = p_config and o.status in ('queued', 'running', 'paused');
  perform private.crm_audit(p_config, 'disconnected');
  select s.decrypted_secret::jsonb into v_tokens
  from private.crm_credentials k
  join vault.decrypted_secrets s on s.id = k.secret_id
  where k.config_id = p_config;
  return v_tokens;
end
$$;

create function private.crm_forget_credentials(p_config uuid) returns void
language sql
set search_path = ''
as $$
  -- A connection that was made again meanwhile keeps its new tokens.
  delete from private.crm_credentials k
  using public.crm_sync_configs c
  where k.config_id = p_config and c.id = k.config_id and c.status = 'disconnected'
$$;

revoke execute on function
  private.crm_current_owner(uuid), private.crm_upsert_owners(uuid, jsonb), private.crm_insert_mappings(uuid, jsonb, jsonb),
  private.crm_connect(uuid, uuid, text, text, jsonb, jsonb, jsonb, jsonb, jsonb),
  private.crm_disconnect(uuid, uuid), private.crm_forget_credentials(uuid)
  from public, anon, authenticated, service_role;
