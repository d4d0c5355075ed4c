-- Pipeline: the people that winning a deal would need.

create table public.pipeline_resource_demands (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  pipeline_project_id uuid not null,
  skill_category text not null check (char_length(btrim(skill_category)) between 1 and 100),
  experience_level text check (char_length(experience_level) <= 50),
  required_count int not null default 1 check (required_count between 1 and 10000),
  allocation_percentage int not null default 100 check (allocation_percentage between 1 and 100),
  start_date date check (start_date between '1900-01-01' and '2199-12-31'),
  end_date date check (end_date between '1900-01-01' and '2199-12-31'),
  hourly_rate numeric(10, 2) check (hourly_rate >= 0 and hourly_rate <> 'NaN'),
  is_critical boolean not null default false,
  alternatives jsonb not null default '[]' check (jsonb_typeof(alternatives) = 'array'),
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint demand_ends_after_it_begins check (end_date >= start_date),
  foreign key (workspace_id, pipeline_project_id) references public.pipeline_projects (workspace_id, id) on delete cascade
);
comment on table public.pipeline_resource_demands is 'How many people of which skill and level a deal needs, when and how much of their time.';
comment on column public.pipeline_resource_demands.alternatives is 'Other skills that would do.';

create index pipeline_resource_demands_deal_idx on public.pipeline_resource_demands (workspace_id, pipeline_project_id);
create index pipeline_resource_demands_dates_idx on public.pipeline_resource_demands (workspace_id, start_date, end_date);
create index pipeline_resource_demands_created_by_idx on public.pipeline_resource_demands (created_by) where created_by is not null;
-- Last, on purpose: as on pipeline_projects.
alter table public.pipeline_resource_demands add unique (workspace_id, id);

create trigger touch_record before update on public.pipeline_resource_demands
  for each row execute function private.touch_record();

select private.apply_record_rules('public.pipeline_resource_demands', 'resource demands', theirs => '{created_by}');
