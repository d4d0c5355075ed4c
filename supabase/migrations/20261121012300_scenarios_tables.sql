-- Scenarios: what if these deals moved, closed earlier, were won more often. A scenario keeps its edits, in order, beside the
-- deals; nothing of a deal is copied or changed until the scenario is promoted.

create table public.pipeline_scenarios (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  name text not null check (char_length(btrim(name)) between 1 and 255),
  description text check (char_length(description) <= 10000),
  status text not null default 'draft' check (status in ('draft', 'active', 'archived', 'promoted')),
  conversion_rates jsonb not null default '{}' check (jsonb_typeof(conversion_rates) = 'object'),
  template_key text check (char_length(template_key) <= 50),
  confidence_threshold numeric(4, 3) check (confidence_threshold between 0 and 1),
  forecast_months int not null default 12 check (forecast_months between 1 and 60),
  base_scenario_id uuid,
  seed bigint check (seed between 0 and 4294967295),
  promoted_at timestamptz,
  promoted_by uuid references auth.users (id) on delete set null,
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  check ((status = 'promoted') = (promoted_at is not null)),
  unique (workspace_id, id),
  foreign key (workspace_id, base_scenario_id) references public.pipeline_scenarios (workspace_id, id)
);
comment on table public.pipeline_scenarios is 'Scenarios over the pipeline. Active ones count into the combined forecast; a promoted one has been written to its deals and stays as it is.';
comment on column public.pipeline_scenarios.status is 'Moved by activate_scenario, archive_scenario and promote_scenario.';
comment on column public.pipeline_scenarios.conversion_rates is '{"proposal": 0.6, …}: stage to a share between 0 and 1, in any spelling of the stage; stronger than what the deals say.';
comment on column public.pipeline_scenarios.template_key is 'A template of conversion_templates for stages without history. Null: that of the base, else none.';
comment on column public.pipeline_scenarios.confidence_threshold is 'Deals less likely than this are left out. Null: that of the base, else of the workspace.';
comment on column public.pipeline_scenarios.base_scenario_id is 'The scenario this one varies: its edits come first, also those it gets later. At most five in a row.';
comment on column public.pipeline_scenarios.seed is 'Seed of the random numbers; null: worked out from the inputs.';
comment on column public.pipeline_scenarios.updated_at is 'Also moves on with each edit of the scenario.';

create unique index pipeline_scenarios_name_key on public.pipeline_scenarios (workspace_id, lower(name)) where deleted_at is null;
create index pipeline_scenarios_status_idx on public.pipeline_scenarios (workspace_id, status, updated_at);
create index pipeline_scenarios_base_idx on public.pipeline_scenarios (workspace_id, base_scenario_id) where base_scenario_id is not null;
create index pipeline_scenarios_created_by_idx on public.pipeline_scenarios (created_by) where created_by is not null;
create index pipeline_scenarios_promoted_by_idx on public.pipeline_scenarios (promoted_by) where promoted_by is not null;

create trigger touch_record before update on public.pipeline_scenarios
  for each row execute function private.touch_record();
select private.apply_record_rules('public.pipeline_scenarios', 'scenarios', theirs => '{created_by}');

create table public.pipeline_scenario_projects (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  scenario_id uuid not null,
  pipeline_project_id uuid not null,
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  primary key (workspace_id, scenario_id, pipeline_project_id),
  foreign key (workspace_id, scenario_id) references public.pipeline_scenarios (workspace_id, id) on delete cascade,
  foreign key (workspace_id, pipeline_project_id) references public.pipeline_projects (workspace_id, id) on delete cascade
);
comment on table public.pipeline_scenario_projects is 'The deals that a scenario is about. None: those of its base, and without a base all open deals.';
create index pipeline_scenario_projects_deal_idx on public.pipeline_scenario_projects (workspace_id, pipeline_project_id);
create index pipeline_scenario_projects_created_by_idx on public.pipeline_scenario_projects (created_by) where created_by is not null;

create table public.pipeline_scenario_edits (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  scenario_id uuid not null,
  position int not null check (position > 0),
  kind text not null
    check (kind in ('shift_start', 'shift_close', 'set_probability', 'drop_deal', 'add_deal', 'add_people', 'set_rates')),
  pipeline_project_id uuid,
  payload jsonb not null default '{}' check (jsonb_typeof(payload) = 'object'),
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((pipeline_project_id is null) = (kind in ('add_deal', 'add_people', 'set_rates'))),
  unique (workspace_id, scenario_id, position) deferrable,
  foreign key (workspace_id, scenario_id) references public.pipeline_scenarios (workspace_id, id) on delete cascade,
  foreign key (workspace_id, pipeline_project_id) references public.pipeline_projects (workspace_id, id) on delete cascade
);
comment on table public.pipeline_scenario_edits is 'What a scenario changes, in the order of position; a later edit sees what the earlier ones left.';
comment on column public.pipeline_scenario_edits.position is 'Left out on insert it is the next one.';
comment on column public.pipeline_scenario_edits.payload is
  'shift_start, shift_close: {"days"}. set_probability: {"probability"} in per cent. drop_deal: {}. add_deal: a deal as create_pipeline_project takes it, with "resource_demand". add_people: {"skill_key", "level", "count", "hours_per_week", "start_date", "end_date"}. set_rates: {"rates": {stage: share}}.';
create index pipeline_scenario_edits_deal_idx on public.pipeline_scenario_edits (workspace_id, pipeline_project_id) where pipeline_project_id is not null;
create index pipeline_scenario_edits_created_by_idx on public.pipeline_scenario_edits (created_by) where created_by is not null;

create trigger touch_record before update on public.pipeline_scenario_edits
  for each row execute function private.touch_record();

-- Whoever may edit a scenario may edit what it consists of ---------------------------------------------------------------

do $$
declare
  part record;
  member constant text := 'workspace_id = any (array(select private.my_workspace_ids(''member'')))';
  admin constant text := 'workspace_id = any (array(select private.my_workspace_ids(''admin'')))';
  mine text;
begin
  for part in select * from (values ('pipeline_scenario_projects', 'deals'), ('pipeline_scenario_edits', 'edits')) t (name, noun) loop
    mine := format('%s or (%s and exists (select from public.pipeline_scenarios s
      where s.workspace_id = %3$I.workspace_id and s.id = %3$I.scenario_id and s.created_by = (select auth.uid())))', admin, member, part.name);
    execute format('alter table public.%I enable row level security', part.name);
    execute format('alter table public.%I force row level security', part.name);
    execute format('revoke all on table public.%I from public, anon, authenticated, service_role', part.name);
    execute format('grant select, insert, delete on table public.%I to authenticated, service_role', part.name);
    execute format('create policy %I on public.%I for select to authenticated using (workspace_id = any (array(select private.my_workspace_ids())))',
      format('Members of a workspace read the %s of its scenarios', part.noun), part.name);
    execute format('create policy %I on public.%I for insert to authenticated with check (created_by = (select auth.uid()) and (%s))',
      format('Members add %s to their scenarios and admins to all', part.noun), part.name, mine);
    -- That a deal is in a scenario is true or not: there is nothing in it to change.
    if part.name = 'pipeline_scenario_edits' then
      execute format('grant update on table public.%I to authenticated, service_role', part.name);
      execute format('create policy %I on public.%I for update to authenticated using (%s) with check (%3$s)',
        format('Members edit the %s of their scenarios and admins those of all', part.noun), part.name, mine);
    end if;
    execute format('create policy %I on public.%I for delete to authenticated using (%s)',
      format('Members remove %s from their scenarios and admins from all', part.noun), part.name, mine);
  end loop;
end
$$;

-- The chain of bases -----------------------------------------------------------------------------------------------------

create function private.scenario_chain(p_scenario uuid) returns table (id uuid, depth int)
language sql stable set search_path = '' rows 2 as $$
  with recursive chain as (
    select s.id, s.workspace_id, s.base_scenario_id, 1 as depth from public.pipeline_scenarios s where s.id = p_scenario
    union all
    select b.id, b.workspace_id, b.base_scenario_id, c.depth + 1
    from chain c
    join public.pipeline_scenarios b on b.workspace_id = c.workspace_id and b.id = c.base_scenario_id
    where c.depth < 10
  )
  select c.id, c.depth from chain c
$$;
comment on function private.scenario_chain(uuid) is 'A scenario, its base, the base of that …; the scenario itself has depth 1.';

create function private.check_scenario_base() returns trigger
language plpgsql set search_path = '' as $$
declare
  v_above int;
  v_below int;
begin
  if not exists (
    select from public.pipeline_scenarios b
    where b.workspace_id = new.workspace_id and b.id = new.base_scenario_id and b.deleted_at is null
  ) and new.base_scenario_id <> new.id then
    raise exception 'There is no scenario % in this workspace to build on.', new.base_scenario_id
      using errcode = 'PC001', hint = 'base_scenario_id';
  end if;
  if new.base_scenario_id = new.id or exists (select from private.scenario_chain(new.base_scenario_id) c where c.id = new.id) then
    raise exception 'A scenario cannot build on itself, directly or through others.' using errcode = 'PC004', hint = 'base_scenario_id';
  end if;
  select max(c.depth) into v_above from private.scenario_chain(new.base_scenario_id) c;
  with recursive variants as (
    select new.id as id, 1 as depth
    union all
    select s.id, v.depth + 1
    from variants v
    join public.pipeline_scenarios s on s.workspace_id = new.workspace_id and s.base_scenario_id = v.id
    where v.depth < 10
  )
  select max(v.depth) into v_below from variants v;
  if v_above + v_below > 5 then
    raise exception 'Scenarios build on each other at most five in a row; these would be %.', v_above + v_below
      using errcode = 'PC004', hint = 'Copy one of them without following its base.';
  end if;
  return new;
end
$$;
comment on function private.check_scenario_base() is 'A base is a live scenario of the workspace, no circle, and five in a row are the most.';

create trigger check_scenario_base before insert or update of base_scenario_id on public.pipeline_scenarios
  for each row when (new.base_scenario_id is not null) execute function private.check_scenario_base();

revoke execute on function private.scenario_chain(uuid), private.check_scenario_base() from public, anon, authenticated, service_role;
grant execute on function private.scenario_chain(uuid) to authenticated, service_role;
