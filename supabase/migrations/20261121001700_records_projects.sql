-- Records: projects, the work that follows a deal.

create table public.crm_projects (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  company_id uuid,
  deal_id uuid,
  name text not null check (char_length(btrim(name)) between 1 and 255),
  description text,
  project_status text not null default 'planning'
    check (project_status in ('planning', 'in_progress', 'on_hold', 'completed', 'cancelled')),
  priority text not null default 'medium' check (priority in ('low', 'medium', 'high', 'urgent')),
  start_date date,
  due_date date,
  completion_date date,
  estimated_hours numeric(10, 2) check (estimated_hours >= 0 and estimated_hours <> 'NaN'),
  actual_hours numeric(10, 2) check (actual_hours >= 0 and actual_hours <> 'NaN'),
  owner_id uuid,
  owner_label text check (char_length(owner_label) <= 255),
  project_manager_id uuid,
  tags jsonb not null default '[]' check (jsonb_typeof(tags) = 'array'),
  custom_fields jsonb not null default '{}' check (jsonb_typeof(custom_fields) = 'object'),
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  check (due_date >= start_date),
  check (completion_date >= start_date),
  foreign key (workspace_id, company_id) references public.crm_companies (workspace_id, id) on delete set null (company_id),
  foreign key (workspace_id, deal_id) references public.pipeline_projects (workspace_id, id) on delete set null (deal_id),
  foreign key (workspace_id, owner_id) references public.workspace_members (workspace_id, user_id) on delete set null (owner_id),
  foreign key (workspace_id, project_manager_id) references public.workspace_members (workspace_id, user_id)
    on delete set null (project_manager_id)
);
comment on table public.crm_projects is 'Customer projects: the work itself. The sale that leads to one is a row of pipeline_projects (deal_id).';

create index crm_projects_status_idx on public.crm_projects (workspace_id, project_status, due_date) where deleted_at is null;
create index crm_projects_company_id_idx on public.crm_projects (workspace_id, company_id) where company_id is not null;
create index crm_projects_deal_id_idx on public.crm_projects (workspace_id, deal_id) where deal_id is not null;
create index crm_projects_owner_id_idx on public.crm_projects (workspace_id, owner_id) where owner_id is not null;
create index crm_projects_project_manager_id_idx on public.crm_projects (workspace_id, project_manager_id)
  where project_manager_id is not null;
create index crm_projects_created_by_idx on public.crm_projects (created_by) where created_by is not null;
create index crm_projects_tags_idx on public.crm_projects using gin (tags jsonb_path_ops);
create index crm_projects_custom_fields_idx on public.crm_projects using gin (custom_fields jsonb_path_ops);
-- Last, on purpose: while a table has no statistics yet the planner takes the newest of equally good indexes, and this is
-- the one that answers the foreign keys of other tables.
alter table public.crm_projects add unique (workspace_id, id);

create trigger touch_record before update on public.crm_projects
  for each row execute function private.touch_record();

select private.apply_record_rules('public.crm_projects', 'projects', theirs => '{created_by,owner_id,project_manager_id}');
