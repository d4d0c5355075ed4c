-- Planning: the people who do the work, their teams and what they can do.

create table public.teams (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  name text not null check (char_length(btrim(name)) between 1 and 100),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (workspace_id, id)
);
comment on table public.teams is 'Teams that people belong to. Capacity is shown by team, too.';

create unique index teams_name_uq on public.teams (workspace_id, lower(name));

create trigger set_updated_at before update on public.teams
  for each row execute function private.set_updated_at();

select private.apply_reference_rules('public.teams', 'teams');

-- People -------------------------------------------------------------------------------------------------------------------

create table public.employees (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  name text not null check (char_length(btrim(name)) between 1 and 255),
  email text check (email = lower(email) and email ~ '^[^\s@]+@[^\s@]+$' and char_length(email) <= 255),
  user_id uuid,
  team_id uuid,
  working_calendar_id uuid,
  fte numeric(4, 3) not null default 1 check (fte > 0 and fte <= 1),
  title text check (char_length(title) <= 255),
  location text check (char_length(location) <= 255),
  employed_from date not null default current_date check (isfinite(employed_from)),
  employed_to date check (isfinite(employed_to)),
  external_id text check (char_length(external_id) between 1 and 255),
  tags jsonb not null default '[]' check (jsonb_typeof(tags) = 'array' and pg_column_size(tags) <= 65536),
  custom_fields jsonb not null default '{}' check (jsonb_typeof(custom_fields) = 'object' and pg_column_size(custom_fields) <= 262144),
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint employment_ends_after_it_begins check (employed_to >= employed_from),
  foreign key (workspace_id, user_id) references public.workspace_members (workspace_id, user_id) on delete set null (user_id),
  foreign key (workspace_id, team_id) references public.teams (workspace_id, id) on delete set null (team_id),
  foreign key (workspace_id, working_calendar_id) references public.working_calendars (workspace_id, id)
);
comment on table public.employees is 'The people whose time is planned. No salaries here.';
comment on column public.employees.user_id is 'The member of the workspace that this person is, who may edit the row.';
comment on column public.employees.working_calendar_id is 'Null: the workspace''s default. Part-time on some days is a calendar of its own.';
comment on column public.employees.fte is 'Share of each working day of the calendar: 0.5 is half of every day.';
comment on column public.employees.employed_to is 'The last day, included; null: open-ended.';
comment on column public.employees.external_id is 'The person''s id where the data come from, by which an import finds them again.';

create unique index employees_email_uq on public.employees (workspace_id, email) where email is not null and deleted_at is null;
create unique index employees_user_uq on public.employees (workspace_id, user_id) where user_id is not null and deleted_at is null;
create unique index employees_external_id_uq on public.employees (workspace_id, external_id) where external_id is not null;
create index employees_user_id_idx on public.employees (user_id, workspace_id) where user_id is not null;
create index employees_name_idx on public.employees (workspace_id, name) where deleted_at is null;
create index employees_team_id_idx on public.employees (workspace_id, team_id) where team_id is not null;
create index employees_calendar_id_idx on public.employees (workspace_id, working_calendar_id) where working_calendar_id is not null;
create index employees_created_by_idx on public.employees (created_by) where created_by is not null;
alter table public.employees add unique (workspace_id, id);

create trigger touch_record before update on public.employees
  for each row execute function private.touch_record();

select private.apply_record_rules('public.employees', 'people', theirs => '{created_by,user_id}');

-- What is said about a person is also the person's own to change.
create function private.apply_person_rules(target regclass, noun text, confidential boolean default false) returns void
language plpgsql set search_path = '' as $$
declare
  member constant text := 'workspace_id = any (array(select private.my_workspace_ids(''member'')))';
  may_change constant text := format('workspace_id = any (array(select private.my_workspace_ids(''admin''))) or (%s and (created_by = (select auth.uid())
    or employee_id in (select e.id from public.employees e where e.user_id = (select auth.uid()))))', member);
begin
  perform private.apply_record_rules(target, noun, theirs => '{created_by}');
  if confidential then
    execute format('drop policy %I on %s', format('Members of a workspace read its %s', noun), target);
    execute format('create policy %I on %s for select to authenticated using (%s)', format('Members read their %s and admins read all', noun), target, may_change);
  end if;
  execute format('alter policy %I on %s using (%s)', format('Members edit their %s and admins edit all', noun), target, may_change);
  execute format('alter policy %I on %s using (%s)', format('Members delete their %s and admins delete all', noun), target, may_change);
end
$$;
comment on function private.apply_person_rules(regclass, text, boolean) is
  'For migrations: the rules of a record table whose rows are about an employee. That employee may change them like their author; what is confidential is read by those who may change it, and nobody else.';

-- Skills of people ---------------------------------------------------------------------------------------------------------

create function private.level_rank(level text) returns int
language sql immutable parallel safe set search_path = '' as $$
  select array_position('{junior,mid,senior,lead,principal}'::text[], level)
$$;
comment on function private.level_rank(text) is 'Levels in their order, 1 to 5; null for none.';

create table public.employee_skills (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  employee_id uuid not null,
  skill_key text not null,
  level text check (level in ('junior', 'mid', 'senior', 'lead', 'principal')),
  years numeric(4, 1) check (years between 0 and 60),
  is_primary boolean not null default false,
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (workspace_id, employee_id, skill_key),
  foreign key (workspace_id, employee_id) references public.employees (workspace_id, id) on delete cascade,
  foreign key (workspace_id, skill_key) references public.skills (workspace_id, key) on update cascade
);
comment on table public.employee_skills is 'Who can do what, how well and for how long. The skill may be written in any spelling.';
comment on column public.employee_skills.level is 'Null: not known, which counts as one level below what is asked.';
comment on column public.employee_skills.is_primary is
  'The one skill under which a person''s time is counted, so that nobody is counted twice. The first skill becomes it by itself; making another one primary moves it.';

create unique index employee_skills_primary_uq on public.employee_skills (workspace_id, employee_id) where is_primary;
create index employee_skills_skill_idx on public.employee_skills (workspace_id, skill_key, level);
create index employee_skills_created_by_idx on public.employee_skills (created_by) where created_by is not null;

-- Security definer: the mark moves among rows that several members wrote. Rows of one statement come one after the other, and
-- whoever else is at the same person's skills waits.
create function private.settle_skill() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' and new.employee_id <> old.employee_id then
    raise exception 'A skill stays with its person.' using errcode = 'PC004', hint = 'Delete it here and add it there.';
  end if;
  new.skill_key := coalesce(private.skill_key(new.workspace_id, new.skill_key), new.skill_key);
  new.level := coalesce(private.level_key(new.level), new.level);
  perform from public.employees e where e.workspace_id = new.workspace_id and e.id = new.employee_id for no key update;
  -- A row that is there already is not inserted: an upsert goes on as an update or leaves everything as it is.
  if tg_op = 'INSERT' and exists (
    select from public.employee_skills s
    where s.workspace_id = new.workspace_id and s.employee_id = new.employee_id and s.skill_key = new.skill_key) then
    return new;
  elsif new.is_primary then
    update public.employee_skills s set is_primary = false
    where s.workspace_id = new.workspace_id and s.employee_id = new.employee_id and s.is_primary and s.skill_key <> new.skill_key and s.id <> new.id;
  else
    new.is_primary := not exists (
      select from public.employee_skills s
      where s.workspace_id = new.workspace_id and s.employee_id = new.employee_id and s.is_primary and s.skill_key <> new.skill_key and s.id <> new.id);
  end if;
  return new;
end
$$;
comment on function private.settle_skill() is 'Resolves the spelling of a skill and its level. Of somebody''s skills one is primary: the first, until another is made it.';

-- With the rights of the one who writes: a stranger sees no workspace here, and is refused by the policy whatever the skill.
create function private.refuse_unknown_skill() returns trigger
language plpgsql set search_path = '' as $$
begin
  if not exists (select from public.skills s where s.workspace_id = new.workspace_id and s.key = new.skill_key)
    and exists (select from public.workspaces w where w.id = new.workspace_id) then
    raise exception 'There is no skill "%".', coalesce(new.skill_key, '') using errcode = 'foreign_key_violation', hint = 'skill_key';
  end if;
  return new;
end
$$;

-- Security definer: as above. Any deletion waits its turn: the one that would follow may be going, too.
create function private.promote_skill() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform from public.employees e where e.workspace_id = old.workspace_id and e.id = old.employee_id for no key update;
  update public.employee_skills s set is_primary = true
  where old.is_primary and s.id = (
    select o.id from public.employee_skills o
    where o.workspace_id = old.workspace_id and o.employee_id = old.employee_id
    order by private.level_rank(o.level) desc nulls last, o.years desc nulls last, o.skill_key
    limit 1);
  return null;
end
$$;
comment on function private.promote_skill() is 'After somebody''s primary skill is gone: the best of the others takes its place.';

-- Only what a person says: the mark that these two move has nothing left to settle.
create trigger settle_skill_on_insert before insert on public.employee_skills
  for each row execute function private.settle_skill();
create trigger settle_skill_on_update before update of employee_id, skill_key, level, is_primary on public.employee_skills
  for each row when (pg_trigger_depth() = 0) execute function private.settle_skill();
-- Named so as to come after those: what is written is a key by then.
create trigger unknown_skill before insert or update of skill_key on public.employee_skills
  for each row when (pg_trigger_depth() = 0) execute function private.refuse_unknown_skill();
create trigger promote_skill after delete on public.employee_skills
  for each row execute function private.promote_skill();
create trigger touch_record before update on public.employee_skills
  for each row execute function private.touch_record();

select private.apply_person_rules('public.employee_skills', 'skills of people');

revoke execute on function private.apply_person_rules(regclass, text, boolean), private.level_rank(text), private.settle_skill(), private.refuse_unknown_skill(),
  private.promote_skill()
  from public, anon, authenticated, service_role;
