-- Tenancy: what a role may do. Every policy in this schema is built from the helpers here.

create function private.role_rank(role text) returns int
language sql immutable parallel safe set search_path = '' as $$
  select case role when 'viewer' then 1 when 'member' then 2 when 'admin' then 3 when 'owner' then 4 end
$$;
comment on function private.role_rank(text) is 'Null for an unknown role, so that a misspelt role lets nobody in.';

-- Security definer: a policy on workspace_members that read workspace_members would recurse.
create function private.my_workspace_ids(min_role text default 'viewer') returns setof uuid
language sql stable security definer set search_path = '' rows 10 as $$
  select m.workspace_id
  from public.workspace_members m
  join public.workspaces w on w.id = m.workspace_id and w.deleted_at is null
  where m.user_id = (select auth.uid())
    and private.role_rank(m.role) >= private.role_rank(min_role)
$$;
-- In a policy: `workspace_id = any (array(select private.my_workspace_ids('member')))`. So it runs once per statement, and the
-- planner can use an index on workspace_id.
comment on function private.my_workspace_ids(text) is 'Workspaces in which the signed-in user has at least this role.';

-- Security definer: answers about workspaces the caller may not see, without saying which exist.
create function private.require_role(workspace uuid, min_role text, actor uuid default private.actor_id()) returns void
language plpgsql stable security definer set search_path = '' as $$
declare
  held text;
begin
  -- The secret key already bypasses every policy; a backend that uses it needs no membership.
  if actor is null and auth.role() = 'service_role'
    and exists (select from public.workspaces w where w.id = workspace and w.deleted_at is null) then
    return;
  end if;
  select m.role into held
  from public.workspace_members m
  join public.workspaces w on w.id = m.workspace_id and w.deleted_at is null
  where m.workspace_id = workspace and m.user_id = actor;
  if held is null then
    -- One sentence for what there is not and what is somebody else's, whatever kind of thing was asked for.
    raise exception 'There is nothing under this id, or you are not a member of its workspace.' using errcode = 'PC001';
  end if;
  if private.role_rank(held) >= private.role_rank(min_role) then
    return;
  end if;
  raise exception 'This needs the role % in the workspace; yours is %.', min_role, held using errcode = 'PC002';
end
$$;
comment on function private.require_role(uuid, text, uuid) is
  'Raises PC001 when the actor is no member of the workspace (or there is none), PC002 when the role is too low.';

-- The rule of every record table, in one place: viewers read, members create in their own name and change what is
-- theirs, admins and owners change everything, nobody else sees anything.
create function private.apply_record_rules(
  target regclass, noun text, author text default 'created_by', theirs text[] default '{created_by,owner_id}'
) returns void
language plpgsql set search_path = '' as $$
declare
  member constant text := 'workspace_id = any (array(select private.my_workspace_ids(''member'')))';
  admin constant text := 'workspace_id = any (array(select private.my_workspace_ids(''admin'')))';
  own text := (select string_agg(format('%I = (select auth.uid())', c), ' or ') from unnest(theirs) c);
  may_change text := format('%s or (%s and (%s))', admin, member, own);
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('revoke all on table %s from public, anon, authenticated, service_role', target);
  execute format('grant select, insert, update, delete on table %s to authenticated, service_role', target);
  execute format('create trigger stamp_record before insert on %s for each row when (current_user = ''authenticated'')
    execute function private.stamp_record()', target);
  execute format('create policy %I on %s for select to authenticated using (workspace_id = any (array(select private.my_workspace_ids())))',
    format('Members of a workspace read its %s', noun), target);
  execute format('create policy %I on %s for insert to authenticated with check (%s and %I = (select auth.uid()))',
    format('Members create %s in their own name', noun), target, member, author);
  execute format('create policy %I on %s for update to authenticated using (%s) with check (%s)',
    format('Members edit their %s and admins edit all', noun), target, may_change, member);
  execute format('create policy %I on %s for delete to authenticated using (%s)',
    format('Members delete their %s and admins delete all', noun), target, may_change);
end
$$;
comment on function private.apply_record_rules(regclass, text, text, text[]) is
  'For migrations: forced row level security, grants, the four policies and the time stamps of a record table. theirs names the columns that make a row somebody''s own.';

revoke execute on function private.role_rank(text), private.my_workspace_ids(text), private.require_role(uuid, text, uuid),
  private.apply_record_rules(regclass, text, text, text[]) from public, anon, authenticated;
grant execute on function private.role_rank(text), private.my_workspace_ids(text), private.require_role(uuid, text, uuid)
  to authenticated, service_role;

-- The tenancy tables themselves ------------------------------------------------------------------------------------------

alter table public.workspaces enable row level security;
alter table public.workspaces force row level security;
alter table public.workspace_members enable row level security;
alter table public.workspace_members force row level security;
alter table public.workspace_invitations enable row level security;
alter table public.workspace_invitations force row level security;

revoke all on table public.workspaces, public.workspace_members, public.workspace_invitations
  from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.workspaces, public.workspace_members, public.workspace_invitations
  to service_role;

-- Creating, deleting and everything about membership goes through functions, which can say why they refuse.
grant select on table public.workspaces, public.workspace_members to authenticated;
grant update (name, slug, default_currency, time_zone, settings) on table public.workspaces to authenticated;
grant update (display_name) on table public.workspace_members to authenticated;
grant select (id, workspace_id, email, role, invited_by, expires_at, accepted_at, accepted_by, revoked_at, created_at, updated_at)
  on table public.workspace_invitations to authenticated;

create policy "Members read their workspaces" on public.workspaces for select to authenticated
  using (id = any (array(select private.my_workspace_ids())));
create policy "Admins edit their workspaces" on public.workspaces for update to authenticated
  using (id = any (array(select private.my_workspace_ids('admin'))))
  with check (id = any (array(select private.my_workspace_ids('admin'))));
create policy "Members see each other" on public.workspace_members for select to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids())));
create policy "Members choose their own display name" on public.workspace_members for update to authenticated
  using (user_id = (select auth.uid()) and workspace_id = any (array(select private.my_workspace_ids())))
  with check (user_id = (select auth.uid()));
create policy "Admins read invitations" on public.workspace_invitations for select to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids('admin'))));
