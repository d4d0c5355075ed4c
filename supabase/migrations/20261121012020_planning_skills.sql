-- Planning: what people can do. A list of skills in categories, each known under any number of other names.

-- Letters of all scripts count: a name that lost some of them would be another one.
create function private.spelling(value text) returns text
language sql immutable parallel safe set search_path = '' as $$
  select btrim(regexp_replace(lower(btrim(normalize(value, nfkc))), '[^a-z0-9+#.\u00c0-\u1fff\u2070-\u2fff\u3001-\U0010ffff]+', '_', 'g'), '_')
$$;
comment on function private.spelling(text) is
  'The one spelling of a name: lower case, words joined by underscores. C++, C#, C and .NET stay apart.';

create table public.skills (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  key text not null check (key = private.spelling(key) and char_length(key) between 1 and 50),
  label text not null check (char_length(btrim(label)) between 1 and 100),
  category text not null default 'other' check (char_length(btrim(category)) between 1 and 100),
  description text check (char_length(description) <= 2000),
  archived_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (workspace_id, key)
);
comment on table public.skills is 'The skills that a workspace knows, in categories. People have them and demands ask for them.';
comment on column public.skills.key is 'Lower-case words joined by underscores; + # . are letters here: react, c++, .net. A new key leaves the old one as an alias.';
comment on column public.skills.archived_at is 'Offered no more; who has it keeps it.';

create index skills_category_idx on public.skills (workspace_id, category);

create trigger set_updated_at before update on public.skills
  for each row execute function private.set_updated_at();

create table public.skill_aliases (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  alias text not null check (alias = private.spelling(alias) and char_length(alias) between 1 and 100),
  skill_key text not null,
  created_at timestamptz not null default now(),
  primary key (workspace_id, alias),
  foreign key (workspace_id, skill_key) references public.skills (workspace_id, key) on update cascade on delete cascade
);
comment on table public.skill_aliases is 'Other names of skills: reactjs is react. Written the way keys are.';

create index skill_aliases_skill_idx on public.skill_aliases (workspace_id, skill_key);

-- One name, one skill: what is a key cannot be the alias of another, whichever came first.
create function private.refuse_alias_of_key() returns trigger
language plpgsql set search_path = '' as $$
begin
  if exists (select from public.skills s where s.workspace_id = new.workspace_id and s.key = new.alias) then
    raise exception 'There is a skill "%": its key cannot be another name of "%".', new.alias, new.skill_key using errcode = 'PC008',
      hint = 'Choose another alias, or rename the skill first.';
  end if;
  return new;
end
$$;

create function private.refuse_key_of_alias() returns trigger
language plpgsql set search_path = '' as $$
declare
  taken text;
begin
  if tg_op = 'UPDATE' then
    -- Its own former key may come back.
    delete from public.skill_aliases a where a.workspace_id = new.workspace_id and a.alias = new.key and a.skill_key = old.key;
  end if;
  select a.skill_key into taken from public.skill_aliases a where a.workspace_id = new.workspace_id and a.alias = new.key;
  if taken is not null then
    raise exception '"%" is already another name of the skill "%".', new.key, taken using errcode = 'PC008',
      hint = 'Delete that alias first, or choose another key.';
  end if;
  return new;
end
$$;

-- Documents and CSV files that were written before go on meaning the same skill.
create function private.keep_former_key() returns trigger
language plpgsql set search_path = '' as $$
begin
  insert into public.skill_aliases (workspace_id, alias, skill_key) values (new.workspace_id, old.key, new.key);
  return null;
end
$$;

create trigger refuse_alias_of_key before insert or update on public.skill_aliases
  for each row execute function private.refuse_alias_of_key();
create trigger refuse_key_of_alias before insert or update of key on public.skills
  for each row execute function private.refuse_key_of_alias();
create trigger keep_former_key after update of key on public.skills
  for each row when (new.key <> old.key and new.workspace_id = old.workspace_id) execute function private.keep_former_key();

create function private.skill_key(workspace uuid, skill text) returns text
language sql stable set search_path = '' as $$
  select n.key
  from (
    select s.key, 1 as rank from public.skills s where s.workspace_id = workspace and s.key = private.spelling(skill)
    union all
    select a.skill_key, 2 from public.skill_aliases a where a.workspace_id = workspace and a.alias = private.spelling(skill)
    union all
    select s.key, 3 from public.skills s where s.workspace_id = workspace and lower(btrim(s.label)) = lower(btrim(skill))
  ) n
  order by n.rank, n.key
  limit 1
$$;
comment on function private.skill_key(uuid, text) is
  'The key of a skill by key, alias or label in any spelling (React.JS, reactjs …); null when the workspace has none such.';

select private.apply_reference_rules('public.skills', 'skills');
select private.apply_reference_rules('public.skill_aliases', 'skill aliases');

revoke execute on function private.spelling(text), private.skill_key(uuid, text), private.refuse_alias_of_key(),
  private.refuse_key_of_alias(), private.keep_former_key() from public, anon, authenticated, service_role;
grant execute on function private.spelling(text), private.skill_key(uuid, text) to authenticated, service_role;
