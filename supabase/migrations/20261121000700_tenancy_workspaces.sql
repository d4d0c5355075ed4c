-- Tenancy: the verbs of a workspace. Security definer, all of them: clients hold no write grant on these tables, so that
-- every refusal can say why, and each verb checks the caller's role first.

create function public.create_workspace(name text, slug text default null, default_currency text default 'USD', time_zone text default 'UTC')
returns public.workspaces
language plpgsql security definer set search_path = '' as $$
declare
  actor constant uuid := private.actor_id();
  new_id constant uuid := gen_random_uuid();
  plain constant text := coalesce(create_workspace.slug, private.slugify(create_workspace.name, 'workspace'));
  made public.workspaces;
begin
  if actor is null then
    raise exception 'Sign in to create a workspace.' using errcode = 'PC002';
  end if;
  if coalesce(btrim(create_workspace.name), '') = '' then
    raise exception 'A workspace needs a name.' using errcode = 'PC004';
  end if;
  if create_workspace.default_currency !~* '^[a-z]{3}$' then
    raise exception 'A currency is a code of three letters, such as USD.' using errcode = 'PC004';
  end if;
  insert into public.workspaces (id, name, slug, default_currency, time_zone, created_by)
  values (new_id, btrim(create_workspace.name), plain, upper(create_workspace.default_currency), create_workspace.time_zone, actor)
  on conflict on constraint workspaces_slug_key do nothing
  returning * into made;
  if made.id is null and create_workspace.slug is not null then
    raise exception 'The address "%" is taken.', create_workspace.slug using errcode = 'PC008';
  elsif made.id is null then
    insert into public.workspaces (id, name, slug, default_currency, time_zone, created_by)
    values (new_id, btrim(create_workspace.name), plain || '-' || left(replace(new_id::text, '-', ''), 12),
      upper(create_workspace.default_currency), create_workspace.time_zone, actor)
    returning * into made;
  end if;
  insert into public.workspace_members (workspace_id, user_id, role) values (made.id, actor, 'owner');
  return made;
end
$$;
comment on function public.create_workspace(text, text, text, text) is
  'Creates a team workspace with its eight stages and the caller as owner. Without a slug one is made from the name, with a suffix if taken; a given slug that is taken raises PC008.';

create function public.delete_workspace(workspace_id uuid) returns public.workspaces
language plpgsql security definer set search_path = '' as $$
declare
  gone public.workspaces;
begin
  perform private.require_role(delete_workspace.workspace_id, 'owner');
  update public.workspaces w set deleted_at = now()
  where w.id = delete_workspace.workspace_id and w.deleted_at is null
  returning * into gone;
  if gone.id is null then
    raise exception 'This workspace does not exist or is deleted already.' using errcode = 'PC001';
  end if;
  return gone;
end
$$;
comment on function public.delete_workspace(uuid) is
  'Owners only. The workspace and everything in it disappears from every view; restore_workspace() brings it back.';

create function public.restore_workspace(workspace_id uuid) returns public.workspaces
language plpgsql security definer set search_path = '' as $$
declare
  back public.workspaces;
begin
  -- require_role() does not know deleted workspaces, hence the check in place.
  update public.workspaces w set deleted_at = null
  where w.id = restore_workspace.workspace_id and w.deleted_at is not null
    and (
      (private.actor_id() is null and auth.role() = 'service_role')
      or exists (
        select from public.workspace_members m
        where m.workspace_id = w.id and m.user_id = private.actor_id() and m.role = 'owner'
      )
    )
  returning * into back;
  if back.id is null then
    raise exception 'There is no deleted workspace of yours with this id.' using errcode = 'PC001';
  end if;
  return back;
end
$$;
comment on function public.restore_workspace(uuid) is 'Owners only. Undoes delete_workspace().';

revoke execute on function public.create_workspace(text, text, text, text), public.delete_workspace(uuid), public.restore_workspace(uuid)
  from public, anon, authenticated;
grant execute on function public.create_workspace(text, text, text, text), public.delete_workspace(uuid), public.restore_workspace(uuid)
  to authenticated, service_role;
