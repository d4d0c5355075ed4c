-- Connections: one row per connected CRM of a workspace. Tokens are never here: they live in Vault, found through private.crm_credentials.

create table public.crm_sync_configs (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  crm_provider text not null check (crm_provider in ('salesforce', 'hubspot', 'pipedrive', 'dynamics')),
  name text not null check (char_length(btrim(name)) between 1 and 120),
  is_active boolean not null default true,
  environment text not null default 'production' check (environment in ('production', 'sandbox')),
  external_account_id text not null check (external_account_id <> ''),
  external_account_name text,
  oauth_instance_url text not null check (oauth_instance_url ~ '^https?://'),
  oauth_user_email text,
  oauth_user_id text,
  sync_direction text not null default 'bidirectional' check (sync_direction in ('push', 'pull', 'bidirectional')),
  sync_frequency text not null default 'hourly' check (sync_frequency in ('realtime', 'hourly', 'daily', 'manual')),
  sync_entities text[] not null default '{accounts,contacts,opportunities}'
    check (cardinality(sync_entities) > 0 and array_ndims(sync_entities) = 1 and sync_entities <@ '{accounts,contacts,opportunities}'::text[]),
  sync_rules jsonb not null default '{}' check (jsonb_typeof(sync_rules) = 'object'),
  conflict_resolution text not null default 'last_write_wins'
    check (conflict_resolution in ('last_write_wins', 'crm_wins', 'app_wins', 'manual_review')),
  status text not null default 'connected' check (status in ('connected', 'disconnected', 'error', 'paused')),
  status_reason text,
  last_sync_at timestamptz,
  last_sync_status text check (last_sync_status in ('success', 'failed', 'partial')),
  last_sync_error text,
  next_sync_at timestamptz,
  failed_runs int not null default 0,
  created_by uuid references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (workspace_id, id),
  unique (workspace_id, crm_provider, external_account_id)
);
create index crm_sync_configs_created_by_idx on public.crm_sync_configs (created_by);
create index crm_sync_configs_next_sync_idx on public.crm_sync_configs (next_sync_at) where is_active and status = 'connected';

comment on table public.crm_sync_configs is 'A connected CRM of one workspace: who it is, how it syncs, how it is doing. Holds no secret.';
comment on column public.crm_sync_configs.external_account_id is 'Salesforce organisation id or HubSpot portal id; one connection per workspace and account.';
comment on column public.crm_sync_configs.sync_entities is 'Entities to sync, in any order; a run takes accounts before contacts before opportunities.';
comment on column public.crm_sync_configs.sync_rules is
  'create_when_missing, create_in_crm, delete_when_deleted, delete_in_crm: bool; phone_country; schedule: {time_zone, daily_at, minute}; "<entity>": {field_strategies, filter, exclude_fields, external_id_field}. What they mean stands in docs/operations.md; private.crm_sync_rules_problem checks them.';
comment on column public.crm_sync_configs.conflict_resolution is
  'What happens to a field that both sides changed. crm-wins, system-wins, timestamp and manual are accepted and stored under the names of the check.';
comment on column public.crm_sync_configs.failed_runs is
  'Runs that failed in a row. A realtime connection waits longer after each; a success, a reconnect or a person who starts a run puts it back to 0.';
comment on column public.crm_sync_configs.status_reason is 'Why the connection is in error or paused, in words for people.';

-- Strategies are stored under one spelling. A rule that a sync could not follow is refused here.
create function private.check_sync_settings() returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_problem text;
begin
  new.conflict_resolution := private.crm_strategy_name(new.conflict_resolution);
  if jsonb_typeof(new.sync_rules) = 'object' then
    new.sync_rules := private.crm_named_strategies(new.sync_rules);
    v_problem := private.crm_sync_rules_problem(new.id, new.sync_rules);
  end if;
  if v_problem is not null then
    raise exception 'These sync rules cannot be followed.' using errcode = 'PC004', hint = v_problem;
  end if;
  return new;
end
$$;
revoke execute on function private.check_sync_settings() from public, anon, authenticated;

create function private.refuse_connection(p_config public.crm_sync_configs) returns void
language plpgsql
set search_path = ''
as $$
begin
  raise exception 'The connection "%" %.%', p_config.name,
    case
      when p_config.status = 'error' then 'has stopped working'
      when p_config.status = 'disconnected' then 'is disconnected'
      when p_config.status = 'paused' then 'is paused'
      else 'is switched off'
    end,
    coalesce(' ' || p_config.status_reason, '')
    using errcode = 'PC005', hint = case p_config.status
      when 'paused' then 'Resume it first.'
      when 'connected' then 'Switch it on first.'
      else 'Connect it again first.'
    end;
end
$$;
comment on function private.refuse_connection(public.crm_sync_configs) is 'Raises PC005: why nothing can be done with a connection as it is, and what helps.';
revoke execute on function private.refuse_connection(public.crm_sync_configs) from public, anon, authenticated;

create trigger check_sync_settings
  before insert or update of conflict_resolution, sync_rules on public.crm_sync_configs
  for each row execute function private.check_sync_settings();
create trigger set_updated_at
  before update on public.crm_sync_configs
  for each row execute function private.set_updated_at();

alter table public.crm_sync_configs enable row level security;
alter table public.crm_sync_configs force row level security;
create policy "Members can read their workspace's connections"
  on public.crm_sync_configs for select to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids())));
create policy "Admins can change how a connection syncs"
  on public.crm_sync_configs for update to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids('admin'))))
  with check (workspace_id = any (array(select private.my_workspace_ids('admin'))));

revoke all on public.crm_sync_configs from public, anon, authenticated, service_role;
grant select on public.crm_sync_configs to authenticated, service_role;
-- Identity, status and history are written by functions only.
grant update (name, is_active, sync_direction, sync_frequency, sync_entities, sync_rules, conflict_resolution)
  on public.crm_sync_configs to authenticated, service_role;

-- Administrative acts on connections, kept when the connection is gone.
create table public.crm_audit_log (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  config_id uuid,
  actor_id uuid references auth.users (id) on delete set null,
  action text not null,
  detail jsonb not null default '{}',
  ip_address text,
  user_agent text,
  created_at timestamptz not null default now(),
  foreign key (workspace_id, config_id) references public.crm_sync_configs (workspace_id, id) on delete set null (config_id)
);
create index crm_audit_log_workspace_idx on public.crm_audit_log (workspace_id, created_at desc);
create index crm_audit_log_config_idx on public.crm_audit_log (workspace_id, config_id);
create index crm_audit_log_actor_idx on public.crm_audit_log (actor_id);
comment on table public.crm_audit_log is 'Who connected, configured, ran, paused, resumed, retried, disconnected or removed a CRM, and when.';

alter table public.crm_audit_log enable row level security;
alter table public.crm_audit_log force row level security;
create policy "Admins can read their workspace's audit log"
  on public.crm_audit_log for select to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids('admin'))));
revoke all on public.crm_audit_log from public, anon, authenticated, service_role;
grant select on public.crm_audit_log to authenticated, service_role;

-- Address and browser are known when the act came through the API; the functions hand on the headers they were called with.
create function private.crm_audit(p_config uuid, p_action text, p_detail jsonb default '{}') returns void
language sql
set search_path = ''
as $$
  insert into public.crm_audit_log (workspace_id, config_id, actor_id, action, detail, ip_address, user_agent)
  select c.workspace_id, c.id, private.actor_id(), p_action, p_detail, left(h.headers ->> 'x-forwarded-for', 200), left(h.headers ->> 'user-agent', 500)
  from public.crm_sync_configs c
  cross join (select nullif(current_setting('request.headers', true), '')::jsonb as headers) h
  where c.id = p_config
$$;
revoke execute on function private.crm_audit(uuid, text, jsonb) from public, anon, authenticated;

-- Definer: the audit log has no insert right for anybody; the trigger writes what an admin changed through column grants.
create function private.audit_connection_settings() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform private.crm_audit(new.id, 'settings_changed', (
    select jsonb_object_agg(n.key, n.value)
    from jsonb_each(to_jsonb(new)) n
    where n.key <> 'updated_at' and n.value is distinct from to_jsonb(old) -> n.key
  ));
  return null;
end
$$;
revoke execute on function private.audit_connection_settings() from public, anon, authenticated;

create trigger audit_connection_settings
  after update of name, is_active, sync_direction, sync_frequency, sync_entities, sync_rules, conflict_resolution on public.crm_sync_configs
  for each row when (
    (old.name, old.is_active, old.sync_direction, old.sync_frequency, old.sync_entities, old.sync_rules, old.conflict_resolution)
    is distinct from
    (new.name, new.is_active, new.sync_direction, new.sync_frequency, new.sync_entities, new.sync_rules, new.conflict_resolution))
  execute function private.audit_connection_settings();
