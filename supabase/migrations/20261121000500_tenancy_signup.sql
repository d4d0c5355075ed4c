-- Tenancy: signing up gives a personal workspace, and an account's e-mail stays in step with its memberships.

create function private.create_personal_workspaces(user_ids uuid[]) returns void
language plpgsql set search_path = '' as $$
begin
  -- The slug carries a piece of the user id: two people called Ada never compete for one.
  insert into public.workspaces (name, slug, kind, created_by)
  select
    coalesce(coalesce(private.account_name(u.raw_user_meta_data), nullif(left(split_part(u.email, '@', 1), 200), ''))
      || '''s workspace', 'My workspace'),
    private.slugify(coalesce(nullif(split_part(u.email, '@', 1), ''), 'personal'), 'personal')
      || '-' || left(replace(u.id::text, '-', ''), 8) || right(replace(u.id::text, '-', ''), 8),
    'personal',
    u.id
  from auth.users u
  where u.id = any (user_ids)
  on conflict (created_by) where kind = 'personal' do nothing;

  insert into public.workspace_members (workspace_id, user_id, role)
  select w.id, w.created_by, 'owner'
  from public.workspaces w
  where w.kind = 'personal' and w.created_by = any (user_ids)
  on conflict (workspace_id, user_id) do nothing;
end
$$;
comment on function private.create_personal_workspaces(uuid[]) is 'Safe to repeat and to race: one personal workspace per user, with the user as its owner.';

-- Security definer: the account server inserts users under a role that has no business in our tables.
create function private.on_user_created() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform private.create_personal_workspaces(array[new.id]);
  return null;
exception when others then
  raise exception 'The account was not created because its personal workspace could not be: %', sqlerrm
    using errcode = 'PC008', hint = 'Nothing was stored; signing up again is safe.';
end
$$;

-- Security definer: as above.
create function private.on_user_email_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  update public.workspace_members set email = lower(new.email) where user_id = new.id;
  return null;
end
$$;

revoke execute on function private.create_personal_workspaces(uuid[]), private.on_user_created(), private.on_user_email_changed()
  from public, anon, authenticated;

create trigger create_personal_workspace after insert on auth.users
  for each row execute function private.on_user_created();
create trigger copy_email_to_memberships after update of email on auth.users
  for each row when (new.email is distinct from old.email) execute function private.on_user_email_changed();

-- People who signed up before this migration.
select private.create_personal_workspaces(array(select id from auth.users));
