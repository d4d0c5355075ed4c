-- Planning: what deals ask for, in the words of the skill list.

-- Spellings that people use for the five levels.
create function private.level_key(level text) returns text
language sql immutable parallel safe set search_path = '' as $$
  select case private.spelling(level)
    when 'junior' then 'junior' when 'jr' then 'junior' when 'jr.' then 'junior' when 'entry' then 'junior' when 'entry_level' then 'junior' when 'beginner' then 'junior'
    when 'mid' then 'mid' when 'middle' then 'mid' when 'mid_level' then 'mid' when 'medior' then 'mid' when 'intermediate' then 'mid' when 'regular' then 'mid'
    when 'senior' then 'senior' when 'sr' then 'senior' when 'sr.' then 'senior' when 'advanced' then 'senior' when 'expert' then 'senior'
    when 'lead' then 'lead' when 'staff' then 'lead'
    when 'principal' then 'principal'
  end
$$;
comment on function private.level_key(text) is 'junior, mid, senior, lead or principal, from the spellings people use; null for what is none of them.';

alter table public.pipeline_resource_demands
  add column skill_key text,
  add column level text generated always as (private.level_key(experience_level)) stored,
  add column priority int not null default 0 check (priority between -1000 and 1000),
  add foreign key (workspace_id, skill_key) references public.skills (workspace_id, key) on update cascade;
comment on column public.pipeline_resource_demands.skill_key is 'The skill asked for; null: anybody of the category. Filled when the category is written like a skill or one of its aliases.';
comment on column public.pipeline_resource_demands.skill_category is 'The category asked for. Of a skill, its category.';
comment on column public.pipeline_resource_demands.level is 'experience_level as one of junior, mid, senior, lead, principal; null: any.';
comment on column public.pipeline_resource_demands.priority is 'Among demands equally critical the higher is staffed first.';
comment on column public.pipeline_resource_demands.alternatives is 'Keys of other skills that would do, best first. Any spelling is accepted on the way in.';
create index pipeline_resource_demands_skill_idx on public.pipeline_resource_demands (workspace_id, skill_key);

create function private.alternative_keys(workspace uuid, alternatives jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  unknown text;
  keys jsonb;
begin
  if jsonb_typeof(alternatives) <> 'array' then
    raise exception 'Alternatives are a list of skills, such as ["react", "vue"].' using errcode = 'PC004', hint = 'alternatives';
  elsif jsonb_array_length(alternatives) > 20 then
    raise exception 'A demand names at most 20 alternatives; these are %.', jsonb_array_length(alternatives) using errcode = 'PC004', hint = 'alternatives';
  end if;
  select min(a.name #>> '{}') filter (where jsonb_typeof(a.name) <> 'string' or k.key is null),
    coalesce(jsonb_agg(k.key order by a.place), '[]')
  into unknown, keys
  from jsonb_array_elements(alternatives) with ordinality a (name, place)
  left join lateral (select private.skill_key(workspace, a.name #>> '{}')) k (key) on jsonb_typeof(a.name) = 'string';
  if unknown is not null or keys @> '[null]' then
    raise exception 'There is no skill "%", which is named as an alternative.', coalesce(unknown, 'null') using errcode = 'PC004', hint = 'alternatives';
  end if;
  return keys;
end
$$;

-- What was written becomes keys of the skill list; a skill that nobody knows is an error, a category may be any text.
create function private.settle_demand() returns trigger
language plpgsql set search_path = '' as $$
declare
  known text;
begin
  if new.skill_key is not null and (tg_op = 'INSERT' or new.skill_key is distinct from old.skill_key) then
    known := private.skill_key(new.workspace_id, new.skill_key);
    if known is null then
      raise exception 'There is no skill "%".', new.skill_key using errcode = 'PC004', hint = 'skill_key';
    end if;
    new.skill_key := known;
  -- Words for a category are read anew, but for the one that the skill has by now.
  elsif tg_op = 'INSERT' or new.skill_category is distinct from old.skill_category and not exists (
    select from public.skills s where s.workspace_id = new.workspace_id and s.key = new.skill_key and s.category = new.skill_category) then
    new.skill_key := private.skill_key(new.workspace_id, new.skill_category);
  end if;
  if new.skill_key is not null then
    new.skill_category := coalesce(
      (select s.category from public.skills s where s.workspace_id = new.workspace_id and s.key = new.skill_key), new.skill_category);
  end if;
  if new.experience_level is not null and private.level_key(new.experience_level) is null
    and (tg_op = 'INSERT' or new.experience_level is distinct from old.experience_level) then
    raise exception 'There is no level "%".', new.experience_level using errcode = 'PC004',
      detail = 'Levels are junior, mid, senior, lead and principal.', hint = 'experience_level';
  end if;
  if tg_op = 'INSERT' or new.alternatives is distinct from old.alternatives then
    new.alternatives := private.alternative_keys(new.workspace_id, new.alternatives);
  end if;
  return new;
end
$$;
comment on function private.settle_demand() is 'Resolves skill, level and alternatives of a demand.';

create trigger settle_demand before insert or update of skill_key, skill_category, experience_level, alternatives
  on public.pipeline_resource_demands for each row execute function private.settle_demand();

-- Demands go along with the skills they name: a foreign key carries skill_key, nothing the rest.
create function private.carry_skill() returns trigger
language plpgsql set search_path = '' as $$
begin
  update public.pipeline_resource_demands d set skill_category = new.category
  where d.workspace_id = new.workspace_id and d.skill_key = new.key and d.skill_category <> new.category;
  update public.pipeline_resource_demands d set alternatives = (
    select jsonb_agg(case a.name when old.key then new.key else a.name end order by a.place)
    from jsonb_array_elements_text(d.alternatives) with ordinality a (name, place))
  where d.workspace_id = new.workspace_id and new.key <> old.key and d.alternatives ? old.key;
  return null;
end
$$;
comment on function private.carry_skill() is 'After a skill got another key or category: demands name it so, too.';

create trigger carry_skill after update of key, category on public.skills
  for each row when (new.key <> old.key or new.category <> old.category) execute function private.carry_skill();

-- What is in use stays ---------------------------------------------------------------------------------------------------
-- Foreign keys say so, too, but not to people, and an alternative has none.

create function private.refuse_skill_in_use() returns trigger
language plpgsql set search_path = '' as $$
declare
  holders bigint := (select count(*) from public.employee_skills h where h.workspace_id = old.workspace_id and h.skill_key = old.key);
  demands bigint := (
    select count(*) from public.pipeline_resource_demands d
    where d.workspace_id = old.workspace_id and (d.skill_key = old.key or d.alternatives ? old.key));
begin
  if holders + demands > 0 then
    raise exception 'The skill "%" is in use (people: %, demands: %).', old.key, holders, demands
      using errcode = 'foreign_key_violation', hint = 'Archive it (archived_at), or take it out there first.';
  end if;
  return old;
end
$$;

create function private.refuse_calendar_in_use() returns trigger
language plpgsql set search_path = '' as $$
declare
  followers bigint := (select count(*) from public.employees e where e.workspace_id = old.workspace_id and e.working_calendar_id = old.id);
begin
  if exists (select from public.planning_settings s where s.workspace_id = old.workspace_id and s.default_calendar_id = old.id) then
    raise exception 'The calendar "%" is the default one of the workspace.', old.name using errcode = 'foreign_key_violation',
      hint = 'Make another one the default first (planning_settings.default_calendar_id).';
  elsif followers > 0 then
    raise exception 'The calendar "%" is in use (people: %).', old.name, followers using errcode = 'foreign_key_violation',
      hint = 'Give them another one first.';
  end if;
  return old;
end
$$;

-- Not what goes with its workspace.
create trigger refuse_skill_in_use before delete on public.skills
  for each row when (pg_trigger_depth() = 0) execute function private.refuse_skill_in_use();
create trigger refuse_calendar_in_use before delete on public.working_calendars
  for each row when (pg_trigger_depth() = 0) execute function private.refuse_calendar_in_use();

-- The list of deals is filtered by skills, and demand is read by stage and date.
create index pipeline_projects_required_skills_idx on public.pipeline_projects using gin (required_skills jsonb_path_ops);
create index pipeline_projects_stage_close_idx on public.pipeline_projects (workspace_id, stage_key, expected_close_date)
  where deleted_at is null;

revoke execute on function private.level_key(text), private.alternative_keys(uuid, jsonb), private.settle_demand(), private.carry_skill(), private.refuse_skill_in_use(),
  private.refuse_calendar_in_use() from public, anon, authenticated, service_role;
grant execute on function private.level_key(text), private.alternative_keys(uuid, jsonb) to authenticated, service_role;
