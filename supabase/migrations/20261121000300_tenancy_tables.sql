-- Tenancy: workspaces, who belongs to them in which role, and who has been asked to.
-- Roles, from least to most: viewer, member, admin, owner.

create table public.workspaces (
  id uuid primary key default gen_random_uuid(),
  name text not null check (char_length(btrim(name)) between 1 and 255),
  slug text not null unique check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and char_length(slug) <= 100),
  kind text not null default 'team' check (kind in ('personal', 'team')),
  default_currency char(3) not null default 'USD' check (default_currency ~ '^[A-Z]{3}$'),
  time_zone text not null default 'UTC' check (char_length(time_zone) between 1 and 64),
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  created_by uuid references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
comment on table public.workspaces is 'A tenant. Every record belongs to exactly one workspace. Called organization in other documents.';
comment on column public.workspaces.kind is 'personal: made at sign-up, one per user. team: made by a person for several.';
comment on column public.workspaces.deleted_at is 'Set by delete_workspace(): nobody sees its records until an owner restores it.';

create index workspaces_created_by_idx on public.workspaces (created_by);
-- Two sign-up paths racing for the same user end with one personal workspace.
create unique index workspaces_personal_uq on public.workspaces (created_by) where kind = 'personal';

create trigger set_updated_at before update on public.workspaces
  for each row execute function private.set_updated_at();

create function private.check_time_zone() returns trigger
language plpgsql set search_path = '' as $$
begin
  if not exists (select from pg_catalog.pg_timezone_names z where z.name = new.time_zone) then
    raise exception '"%" is not a time zone. Give its name, such as "Europe/Berlin".', new.time_zone using errcode = 'PC004', hint = 'Field: time_zone';
  end if;
  return null;
end
$$;
comment on function private.check_time_zone() is 'Refuses a time zone that the database does not know, spelled as it knows it.';
revoke execute on function private.check_time_zone() from public, anon, authenticated, service_role;

-- Reading the list takes a while, so the usual zone is not looked up.
create trigger check_time_zone after insert or update of time_zone on public.workspaces
  for each row when (new.time_zone <> 'UTC') execute function private.check_time_zone();

create table public.workspace_members (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
  email text check (email = lower(email)),
  display_name text check (char_length(display_name) <= 255),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (workspace_id, user_id)
);
comment on table public.workspace_members is 'Who belongs to a workspace, and in which role. Written by the membership functions only.';
comment on column public.workspace_members.email is 'Copied from the account and kept up to date; CRM owners are matched to members by it.';

-- The role helper looks a user up here once per statement.
create index workspace_members_user_id_idx on public.workspace_members (user_id, workspace_id) include (role);

-- Security definer: whoever adds a member, the account's own e-mail and name are what counts.
create function private.fill_member() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  select lower(u.email), coalesce(new.display_name, private.account_name(u.raw_user_meta_data))
  into new.email, new.display_name
  from auth.users u
  where u.id = new.user_id;
  return new;
end
$$;
revoke execute on function private.fill_member() from public, anon, authenticated;

create trigger fill_member before insert on public.workspace_members
  for each row execute function private.fill_member();
create trigger set_updated_at before update on public.workspace_members
  for each row execute function private.set_updated_at();

create table public.workspace_invitations (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  email text not null check (email = lower(email) and email ~ '^[^\s@]+@[^\s@]+$' and char_length(email) <= 255),
  role text not null check (role in ('admin', 'member', 'viewer')),
  token_hash bytea not null unique,
  invited_by uuid references auth.users (id) on delete set null,
  expires_at timestamptz not null,
  accepted_at timestamptz,
  accepted_by uuid references auth.users (id) on delete set null,
  revoked_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.workspace_invitations is 'Invitations by e-mail. The token is shown once, to the person who invites; only its SHA-256 stays here.';
comment on column public.workspace_invitations.role is 'Ownership is never given by invitation.';

create unique index workspace_invitations_open_uq on public.workspace_invitations (workspace_id, email)
  where accepted_at is null and revoked_at is null;
create index workspace_invitations_workspace_id_idx on public.workspace_invitations (workspace_id, created_at desc);
create index workspace_invitations_invited_by_idx on public.workspace_invitations (invited_by);
create index workspace_invitations_accepted_by_idx on public.workspace_invitations (accepted_by);

create trigger set_updated_at before update on public.workspace_invitations
  for each row execute function private.set_updated_at();
