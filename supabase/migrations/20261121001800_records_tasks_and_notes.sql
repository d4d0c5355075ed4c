-- Records: tasks and notes, each about one company, contact, deal, campaign or project (a task may be about none).
--
-- Clients write the pair related_to_type and related_to_id. From it the database generates one typed column per kind, and
-- that column carries the foreign key: the pair can neither dangle nor cross workspaces, no trigger is involved, and the
-- API can embed the record (crm_tasks?select=*,crm_companies(name)). Deleting the record for good takes its tasks and
-- notes along; a soft delete leaves them.

create table public.crm_tasks (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  title text not null check (char_length(btrim(title)) between 1 and 255),
  description text,
  related_to_type text check (related_to_type in ('company', 'contact', 'deal', 'campaign', 'project')),
  related_to_id uuid,
  company_id uuid generated always as (case related_to_type when 'company' then related_to_id end) stored,
  contact_id uuid generated always as (case related_to_type when 'contact' then related_to_id end) stored,
  deal_id uuid generated always as (case related_to_type when 'deal' then related_to_id end) stored,
  campaign_id uuid generated always as (case related_to_type when 'campaign' then related_to_id end) stored,
  project_id uuid generated always as (case related_to_type when 'project' then related_to_id end) stored,
  task_type text not null default 'todo'
    check (task_type in ('call', 'email', 'meeting', 'todo', 'follow_up', 'demo', 'note')),
  status text not null default 'pending' check (status in ('pending', 'in_progress', 'completed', 'cancelled')),
  completed boolean generated always as (status = 'completed') stored,
  priority text not null default 'medium' check (priority in ('low', 'medium', 'high', 'urgent')),
  due_date timestamptz,
  completed_at timestamptz,
  assigned_to_id uuid,
  created_by_id uuid default auth.uid() references auth.users (id) on delete set null,
  tags jsonb not null default '[]' check (jsonb_typeof(tags) = 'array'),
  custom_fields jsonb not null default '{}' check (jsonb_typeof(custom_fields) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  check ((related_to_type is null) = (related_to_id is null)),
  check ((completed_at is not null) = (status = 'completed')),
  foreign key (workspace_id, company_id) references public.crm_companies (workspace_id, id) on delete cascade,
  foreign key (workspace_id, contact_id) references public.crm_contacts (workspace_id, id) on delete cascade,
  foreign key (workspace_id, deal_id) references public.pipeline_projects (workspace_id, id) on delete cascade,
  foreign key (workspace_id, campaign_id) references public.crm_campaigns (workspace_id, id) on delete cascade,
  foreign key (workspace_id, project_id) references public.crm_projects (workspace_id, id) on delete cascade,
  foreign key (workspace_id, assigned_to_id) references public.workspace_members (workspace_id, user_id)
    on delete set null (assigned_to_id)
);
comment on table public.crm_tasks is 'Calls, mails, meetings, to-dos. Also what other documents log as an activity with a due date.';
comment on column public.crm_tasks.related_to_id is 'The record that the task is about; related_to_type says of which kind.';
comment on column public.crm_tasks.task_type is 'The spelling task is accepted for todo, in any case.';
comment on column public.crm_tasks.priority is 'The spelling normal is accepted for medium, in any case.';
comment on column public.crm_tasks.completed_at is 'Follows status: set when the task is completed, emptied when it is reopened.';

create index crm_tasks_open_idx on public.crm_tasks (workspace_id, due_date) where deleted_at is null and status in ('pending', 'in_progress');
create index crm_tasks_assigned_to_id_idx on public.crm_tasks (workspace_id, assigned_to_id, due_date) where assigned_to_id is not null;
create index crm_tasks_company_id_idx on public.crm_tasks (workspace_id, company_id) where company_id is not null;
create index crm_tasks_contact_id_idx on public.crm_tasks (workspace_id, contact_id) where contact_id is not null;
create index crm_tasks_deal_id_idx on public.crm_tasks (workspace_id, deal_id) where deal_id is not null;
create index crm_tasks_campaign_id_idx on public.crm_tasks (workspace_id, campaign_id) where campaign_id is not null;
create index crm_tasks_project_id_idx on public.crm_tasks (workspace_id, project_id) where project_id is not null;
create index crm_tasks_created_by_id_idx on public.crm_tasks (created_by_id) where created_by_id is not null;
create index crm_tasks_tags_idx on public.crm_tasks using gin (tags jsonb_path_ops);
create index crm_tasks_custom_fields_idx on public.crm_tasks using gin (custom_fields jsonb_path_ops);
-- Last, on purpose: while a table has no statistics yet the planner takes the newest of equally good indexes, and this is
-- the one that answers the foreign keys of other tables.
alter table public.crm_tasks add unique (workspace_id, id);

create function private.fill_task() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.task_type := replace(lower(new.task_type), '-', '_');
  if new.task_type = 'task' then
    new.task_type := 'todo';
  end if;
  new.priority := lower(new.priority);
  if new.priority = 'normal' then
    new.priority := 'medium';
  end if;
  if new.status = 'completed' then
    new.completed_at := coalesce(new.completed_at, now());
  else
    new.completed_at := null;
  end if;
  return new;
end
$$;
comment on function private.fill_task() is 'Settles spellings, and completed_at by status.';
revoke execute on function private.fill_task() from public, anon, authenticated;

create trigger fill_task before insert or update of task_type, priority, status, completed_at on public.crm_tasks
  for each row execute function private.fill_task();
create trigger touch_record before update on public.crm_tasks
  for each row execute function private.touch_authored_record();

select private.apply_record_rules('public.crm_tasks', 'tasks', 'created_by_id', '{created_by_id,assigned_to_id}');

create table public.crm_notes (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  content text not null check (btrim(content) <> ''),
  related_to_type text not null check (related_to_type in ('company', 'contact', 'deal', 'campaign', 'project')),
  related_to_id uuid not null,
  company_id uuid generated always as (case related_to_type when 'company' then related_to_id end) stored,
  contact_id uuid generated always as (case related_to_type when 'contact' then related_to_id end) stored,
  deal_id uuid generated always as (case related_to_type when 'deal' then related_to_id end) stored,
  campaign_id uuid generated always as (case related_to_type when 'campaign' then related_to_id end) stored,
  project_id uuid generated always as (case related_to_type when 'project' then related_to_id end) stored,
  is_pinned boolean not null default false,
  created_by_id uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  foreign key (workspace_id, company_id) references public.crm_companies (workspace_id, id) on delete cascade,
  foreign key (workspace_id, contact_id) references public.crm_contacts (workspace_id, id) on delete cascade,
  foreign key (workspace_id, deal_id) references public.pipeline_projects (workspace_id, id) on delete cascade,
  foreign key (workspace_id, campaign_id) references public.crm_campaigns (workspace_id, id) on delete cascade,
  foreign key (workspace_id, project_id) references public.crm_projects (workspace_id, id) on delete cascade
);
comment on table public.crm_notes is 'Notes on a record. Written by people, and by a sync that met something a person should look at.';
comment on column public.crm_notes.related_to_id is 'The record that the note is about; related_to_type says of which kind.';

create index crm_notes_recent_idx on public.crm_notes (workspace_id, created_at desc) where deleted_at is null;
create index crm_notes_company_id_idx on public.crm_notes (workspace_id, company_id) where company_id is not null;
create index crm_notes_contact_id_idx on public.crm_notes (workspace_id, contact_id) where contact_id is not null;
create index crm_notes_deal_id_idx on public.crm_notes (workspace_id, deal_id) where deal_id is not null;
create index crm_notes_campaign_id_idx on public.crm_notes (workspace_id, campaign_id) where campaign_id is not null;
create index crm_notes_project_id_idx on public.crm_notes (workspace_id, project_id) where project_id is not null;
create index crm_notes_created_by_id_idx on public.crm_notes (created_by_id) where created_by_id is not null;
-- Last, on purpose: while a table has no statistics yet the planner takes the newest of equally good indexes, and this is
-- the one that answers the foreign keys of other tables.
alter table public.crm_notes add unique (workspace_id, id);

create trigger touch_record before update on public.crm_notes
  for each row execute function private.touch_authored_record();

select private.apply_record_rules('public.crm_notes', 'notes', 'created_by_id', '{created_by_id}');
