-- Planning: when people are away, and what they are promised to.

create extension if not exists btree_gist with schema extensions;

create table public.employee_time_off (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  employee_id uuid not null,
  start_date date not null check (start_date between '1900-01-01' and '2199-12-31'),
  end_date date not null check (end_date between '1900-01-01' and '2199-12-31'),
  share numeric(3, 2) not null default 1 check (share > 0 and share <= 1),
  kind text not null default 'vacation' check (kind in ('vacation', 'sick', 'parental', 'training', 'other')),
  note text check (char_length(note) <= 2000),
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint time_off_ends_after_it_begins check (end_date >= start_date),
  foreign key (workspace_id, employee_id) references public.employees (workspace_id, id) on delete cascade,
  -- Two of one person never meet on a day, so their shares can be added up as they are.
  constraint time_off_does_not_overlap exclude using gist (
    workspace_id with =, employee_id with =, daterange(start_date, end_date, '[]') with &&)
);
comment on table public.employee_time_off is 'Days on which a person is away, and why: read by the person, by who wrote it and by admins. To the other members absences tells the days, to viewers capacity tells the hours.';
comment on column public.employee_time_off.end_date is 'The last day, included.';
comment on column public.employee_time_off.share is 'How much of each day is free: 0.5 is a half day. On a half holiday a half day off leaves a quarter.';

create index employee_time_off_employee_idx on public.employee_time_off (workspace_id, employee_id, start_date);
create index employee_time_off_created_by_idx on public.employee_time_off (created_by) where created_by is not null;

create trigger touch_record before update on public.employee_time_off
  for each row execute function private.touch_record();

select private.apply_person_rules('public.employee_time_off', 'time off', confidential => true);

-- Security definer: that somebody is ill is between them and the admins; when they are away is what colleagues plan with.
create function public.absences(workspace_id uuid, from_date date default null, to_date date default null)
returns table (employee_id uuid, start_date date, end_date date, share numeric)
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
begin
  perform private.require_role(absences.workspace_id, 'member');
  return query
  select o.employee_id, o.start_date, o.end_date, o.share
  from public.employee_time_off o
  join public.employees e on e.workspace_id = o.workspace_id and e.id = o.employee_id and e.deleted_at is null
  where o.workspace_id = absences.workspace_id
    and o.end_date >= coalesce(absences.from_date, private.workspace_today(absences.workspace_id))
    and (o.start_date <= absences.to_date or absences.to_date is null)
  order by o.start_date, o.employee_id;
end
$$;
comment on function public.absences(uuid, date, date) is
  'Who is away when, without the reason, for members: stretches that touch the days from from_date (null: today) to to_date (null: open-ended).';
revoke execute on function public.absences(uuid, date, date) from public, anon, authenticated, service_role;
grant execute on function public.absences(uuid, date, date) to authenticated, service_role;

-- Allocations --------------------------------------------------------------------------------------------------------------

create table public.employee_allocations (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  employee_id uuid not null,
  crm_project_id uuid,
  pipeline_project_id uuid,
  demand_id uuid,
  start_date date not null check (isfinite(start_date)),
  end_date date check (isfinite(end_date)),
  percentage int not null default 100 check (percentage between 1 and 100),
  status text not null default 'firm' check (status in ('firm', 'tentative')),
  note text check (char_length(note) <= 2000),
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint allocation_ends_after_it_begins check (end_date >= start_date),
  constraint allocation_is_for_one_thing check (num_nonnulls(crm_project_id, pipeline_project_id) <= 1),
  foreign key (workspace_id, employee_id) references public.employees (workspace_id, id) on delete cascade,
  foreign key (workspace_id, crm_project_id) references public.crm_projects (workspace_id, id) on delete set null (crm_project_id),
  foreign key (workspace_id, pipeline_project_id) references public.pipeline_projects (workspace_id, id) on delete set null (pipeline_project_id),
  foreign key (workspace_id, demand_id) references public.pipeline_resource_demands (workspace_id, id) on delete set null (demand_id)
);
comment on table public.employee_allocations is 'Whose time is promised to what. They may overlap: more than a day''s hours is a finding (over_allocations), no error.';
comment on column public.employee_allocations.demand_id is 'The demand of a deal that this staffs; so much less of it is asked for.';
comment on column public.employee_allocations.end_date is 'The last day, included; null: open-ended.';
comment on column public.employee_allocations.percentage is 'Of the person''s own working hours.';
comment on column public.employee_allocations.status is 'firm takes time from the supply, tentative does not yet.';

create index employee_allocations_employee_idx on public.employee_allocations (workspace_id, employee_id, start_date);
create index employee_allocations_project_idx on public.employee_allocations (workspace_id, crm_project_id) where crm_project_id is not null;
create index employee_allocations_deal_idx on public.employee_allocations (workspace_id, pipeline_project_id) where pipeline_project_id is not null;
create index employee_allocations_demand_idx on public.employee_allocations (workspace_id, demand_id) where demand_id is not null;
create index employee_allocations_created_by_idx on public.employee_allocations (created_by) where created_by is not null;

create trigger touch_record before update on public.employee_allocations
  for each row execute function private.touch_record();

select private.apply_person_rules('public.employee_allocations', 'allocations');
