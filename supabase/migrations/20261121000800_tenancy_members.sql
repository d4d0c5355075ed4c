-- Tenancy: the verbs of membership. Admins manage everybody but owners; only an owner makes, changes or removes an owner.
-- Security definer, all of them: clients hold no write grant on workspace_members.

-- Invitations issued by somebody who may no longer invite are worth nothing.
create function private.revoke_invitations_by(workspace uuid, inviter uuid) returns void
language sql set search_path = '' as $$
  update public.workspace_invitations i set revoked_at = now()
  where i.workspace_id = workspace and i.invited_by = inviter and i.accepted_at is null and i.revoked_at is null
$$;

-- Locks the membership and checks that the caller may touch it.
create function private.lock_member(workspace uuid, member uuid) returns public.workspace_members
language plpgsql set search_path = '' as $$
declare
  found_member public.workspace_members;
begin
  perform private.require_role(workspace, 'admin');
  select * into found_member from public.workspace_members m
  where m.workspace_id = workspace and m.user_id = member
  for update;
  if found_member.user_id is null then
    raise exception 'This person is not a member of the workspace.' using errcode = 'PC001';
  end if;
  if found_member.role = 'owner' then
    perform private.require_role(workspace, 'owner');
  end if;
  return found_member;
end
$$;

create function public.change_member_role(workspace_id uuid, user_id uuid, role text) returns public.workspace_members
language plpgsql security definer set search_path = '' as $$
declare
  changed public.workspace_members;
begin
  if private.role_rank(change_member_role.role) is null then
    raise exception 'There is no role "%": use owner, admin, member or viewer.', change_member_role.role using errcode = 'PC004';
  end if;
  perform private.lock_member(change_member_role.workspace_id, change_member_role.user_id);
  if change_member_role.role = 'owner' then
    perform private.require_role(change_member_role.workspace_id, 'owner');
  end if;
  update public.workspace_members m set role = change_member_role.role
  where m.workspace_id = change_member_role.workspace_id and m.user_id = change_member_role.user_id
  returning * into changed;
  if private.role_rank(changed.role) < private.role_rank('admin') then
    perform private.revoke_invitations_by(changed.workspace_id, changed.user_id);
  end if;
  return changed;
end
$$;
comment on function public.change_member_role(uuid, uuid, text) is
  'Admins change members and viewers into each other or into admins; anything that touches an owner takes an owner. The last owner stays (PC009).';

create function public.remove_member(workspace_id uuid, user_id uuid) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform private.lock_member(remove_member.workspace_id, remove_member.user_id);
  perform private.revoke_invitations_by(remove_member.workspace_id, remove_member.user_id);
  delete from public.workspace_members m
  where m.workspace_id = remove_member.workspace_id and m.user_id = remove_member.user_id;
end
$$;
comment on function public.remove_member(uuid, uuid) is
  'Admins remove anybody but owners, owners anybody but the last owner (PC009). Records the person owned stay, without owner; open invitations the person sent are revoked.';

create function public.leave_workspace(workspace_id uuid) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform private.revoke_invitations_by(leave_workspace.workspace_id, private.actor_id());
  delete from public.workspace_members m
  where m.workspace_id = leave_workspace.workspace_id and m.user_id = private.actor_id();
  if not found then
    raise exception 'You are not a member of this workspace.' using errcode = 'PC001';
  end if;
end
$$;
comment on function public.leave_workspace(uuid) is 'Ends the caller''s own membership. The last owner transfers the ownership first (PC009).';

create function public.transfer_ownership(workspace_id uuid, user_id uuid) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_role(transfer_ownership.workspace_id, 'owner');
  -- First the new owner: there is never a moment without one.
  update public.workspace_members m set role = 'owner'
  where m.workspace_id = transfer_ownership.workspace_id and m.user_id = transfer_ownership.user_id;
  if not found then
    raise exception 'Ownership can only go to a member of the workspace.' using errcode = 'PC001';
  end if;
  update public.workspace_members m set role = 'admin'
  where m.workspace_id = transfer_ownership.workspace_id and m.user_id = private.actor_id()
    and m.user_id <> transfer_ownership.user_id;
end
$$;
comment on function public.transfer_ownership(uuid, uuid) is 'Makes another member owner and the caller an admin. Owners only.';

revoke execute on function private.revoke_invitations_by(uuid, uuid), private.lock_member(uuid, uuid),
  public.change_member_role(uuid, uuid, text), public.remove_member(uuid, uuid), public.leave_workspace(uuid),
  public.transfer_ownership(uuid, uuid) from public, anon, authenticated;
grant execute on function public.change_member_role(uuid, uuid, text), public.remove_member(uuid, uuid),
  public.leave_workspace(uuid), public.transfer_ownership(uuid, uuid) to authenticated, service_role;
