-- Tenancy: a workspace never loses its last owner, whichever way the membership changes.

-- Security definer: it counts members whom the caller may not see.
create function private.keep_an_owner() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  touched uuid[] := array(select distinct o.workspace_id from former o where o.role = 'owner');
begin
  if touched = '{}' then
    return null;
  end if;
  -- Two owners stepping down at once meet at this lock; the second then sees what the first did.
  perform from public.workspaces w where w.id = any (touched) order by w.id for no key update;

  -- A deleted account takes its personal workspace along: nobody else could ever reach it.
  delete from public.workspaces w
  where w.id = any (touched) and w.kind = 'personal'
    and not exists (select from public.workspace_members m where m.workspace_id = w.id)
    and not exists (select from former o join auth.users u on u.id = o.user_id where o.workspace_id = w.id);

  if exists (
    select from public.workspaces w
    where w.id = any (touched)
      and not exists (select from public.workspace_members m where m.workspace_id = w.id and m.role = 'owner')
  ) then
    raise exception 'A workspace needs an owner: give the ownership to somebody else first.' using errcode = 'PC009';
  end if;
  return null;
end
$$;
revoke execute on function private.keep_an_owner() from public, anon, authenticated;

create trigger keep_an_owner_on_update after update on public.workspace_members
  referencing old table as former for each statement execute function private.keep_an_owner();
create trigger keep_an_owner_on_delete after delete on public.workspace_members
  referencing old table as former for each statement execute function private.keep_an_owner();
