-- Tenancy: invitations. The token is a bearer secret for one e-mail address, shown once and kept as a hash.
-- Security definer, all of them: clients hold no write grant on the table and no read grant on the hash.

create function public.invite_member(workspace_id uuid, email text, role text default 'member', valid_for interval default '7 days')
returns table (invitation_id uuid, token text, expires_at timestamptz)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
  address constant text := lower(btrim(invite_member.email));
begin
  perform private.require_role(invite_member.workspace_id, 'admin');
  if address is null or address !~ '^[^\s@]+@[^\s@]+$' or char_length(address) > 255 then
    raise exception 'This is not an e-mail address.' using errcode = 'PC004';
  end if;
  if invite_member.role is null or invite_member.role not in ('admin', 'member', 'viewer') then
    raise exception 'An invitation gives the role admin, member or viewer.' using errcode = 'PC004';
  end if;
  if invite_member.valid_for is null or invite_member.valid_for not between interval '1 minute' and interval '30 days' then
    raise exception 'An invitation is valid between one minute and 30 days.' using errcode = 'PC004';
  end if;
  -- One invitation at a time per workspace: two for the same address would otherwise race for the unique index.
  perform from public.workspaces w where w.id = invite_member.workspace_id for no key update;
  if exists (select from public.workspace_members m where m.workspace_id = invite_member.workspace_id and m.email = address) then
    raise exception 'This person is a member already.' using errcode = 'PC008';
  end if;
  update public.workspace_invitations i set revoked_at = now()
  where i.workspace_id = invite_member.workspace_id and i.email = address and i.accepted_at is null and i.revoked_at is null;

  -- 244 random bits.
  token := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
  insert into public.workspace_invitations (workspace_id, email, role, token_hash, invited_by, expires_at)
  values (invite_member.workspace_id, address, invite_member.role, sha256(token::bytea), private.actor_id(), now() + invite_member.valid_for)
  returning id, workspace_invitations.expires_at into invitation_id, expires_at;
  return next;
end
$$;
comment on function public.invite_member(uuid, text, text, interval) is
  'Admins only. Returns the token this once; hand it to the person, who calls accept_invitation(). An earlier open invitation for the address is revoked.';

create function public.accept_invitation(token text) returns public.workspaces
language plpgsql security definer set search_path = '' as $$
declare
  actor constant uuid := private.actor_id();
  invitation public.workspace_invitations;
  joined public.workspaces;
begin
  -- The row lock lets a token work once, however many requests carry it.
  select i.* into invitation
  from public.workspace_invitations i
  join auth.users u on u.id = actor and lower(u.email) = i.email
  where i.token_hash = sha256(accept_invitation.token::bytea)
    and i.accepted_at is null and i.revoked_at is null and i.expires_at > now()
  for update of i;
  select * into joined from public.workspaces w where w.id = invitation.workspace_id and w.deleted_at is null;
  if joined.id is null then
    raise exception 'This invitation was used, revoked, has expired or is for another e-mail address.' using errcode = 'PC010';
  end if;
  update public.workspace_invitations i set accepted_at = now(), accepted_by = actor where i.id = invitation.id;
  insert into public.workspace_members as m (workspace_id, user_id, role) values (joined.id, actor, invitation.role)
  -- Somebody who joined another way meanwhile never loses a role by accepting.
  on conflict (workspace_id, user_id) do update set role = excluded.role
    where private.role_rank(excluded.role) > private.role_rank(m.role);
  return joined;
end
$$;
comment on function public.accept_invitation(text) is 'Joins the workspace that the token is for. The caller must own the invited e-mail address (PC010 otherwise).';

create function public.revoke_invitation(invitation_id uuid) returns void
language plpgsql security definer set search_path = '' as $$
declare
  invitation public.workspace_invitations;
begin
  select * into invitation from public.workspace_invitations i where i.id = revoke_invitation.invitation_id for update;
  -- Also for an unknown id: require_role() then answers as for a workspace of strangers.
  perform private.require_role(invitation.workspace_id, 'admin');
  if invitation.accepted_at is not null then
    raise exception 'This invitation was accepted already: remove the member instead.' using errcode = 'PC010';
  end if;
  update public.workspace_invitations i set revoked_at = coalesce(i.revoked_at, now()) where i.id = invitation.id;
end
$$;
comment on function public.revoke_invitation(uuid) is 'Admins only. The token stops working at once.';

revoke execute on function public.invite_member(uuid, text, text, interval), public.accept_invitation(text), public.revoke_invitation(uuid)
  from public, anon, authenticated;
grant execute on function public.invite_member(uuid, text, text, interval), public.accept_invitation(text), public.revoke_invitation(uuid)
  to authenticated, service_role;
