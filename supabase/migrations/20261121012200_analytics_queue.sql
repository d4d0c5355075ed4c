-- Analytics: which deals changed since their facts were worked out.
--
-- Triggers append the ids of touched deals, and no more: two syncs at once never wait for each other, and a page of 2,000
-- deals pays one insert. A job works the queue off each minute (analytics_refresh).

create table private.analytics_queue (
  id bigint generated always as identity primary key,
  workspace_id uuid not null,
  pipeline_project_id uuid,
  queued_at timestamptz not null default now()
);
comment on table private.analytics_queue is 'Deals whose facts are out of date. No foreign keys: a deal that is gone is news too.';
comment on column private.analytics_queue.pipeline_project_id is 'Null: each deal of the workspace, because something that all depend on has changed.';
create index analytics_queue_workspace_id_idx on private.analytics_queue (workspace_id, id);

alter table private.analytics_queue enable row level security;
revoke all on table private.analytics_queue from public, anon, authenticated, service_role;

-- For migrations: the rules of a table that only the engine writes.
create function private.apply_engine_rules(target regclass, noun text) returns void
language plpgsql set search_path = '' as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('revoke all on table %s from public, anon, authenticated, service_role', target);
  execute format('grant select on table %s to authenticated, service_role', target);
  execute format('create policy %I on %s for select to authenticated using (workspace_id = any (array(select private.my_workspace_ids())))',
    format('Members of a workspace read its %s', noun), target);
end
$$;
comment on function private.apply_engine_rules(regclass, text) is
  'For migrations: forced row level security, read for members, no grant to write, of a table that the database fills itself.';

-- When a day of a deal was moved ----------------------------------------------------------------------------------------

create table public.pipeline_date_history (
  id bigint generated always as identity primary key,
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  pipeline_project_id uuid not null,
  field text not null check (field in ('expected_close_date', 'estimated_start_date')),
  old_date date,
  new_date date,
  changed_by uuid references auth.users (id) on delete set null,
  changed_at timestamptz not null default now(),
  foreign key (workspace_id, pipeline_project_id) references public.pipeline_projects (workspace_id, id) on delete cascade
);
comment on table public.pipeline_date_history is 'Each move of a deal''s expected close or start, from which day to which. Read only for clients.';
comment on column public.pipeline_date_history.changed_by is 'Null when a sync or a job moved it.';
create index pipeline_date_history_deal_idx on public.pipeline_date_history (workspace_id, pipeline_project_id, changed_at);
create index pipeline_date_history_changed_by_idx on public.pipeline_date_history (changed_by) where changed_by is not null;
select private.apply_engine_rules('public.pipeline_date_history', 'moved dates');

-- Security definer: people move dates, only this function writes the history. Without nested loops for the reason of
-- private.log_stage_change.
create function private.log_date_change() returns trigger
language plpgsql security definer set search_path = '' set enable_nestloop = off as $$
begin
  insert into public.pipeline_date_history (workspace_id, pipeline_project_id, field, old_date, new_date, changed_by)
  select n.workspace_id, n.id, m.field, m.old_date, m.new_date, (select private.actor_id())
  from latter n
  join former o on o.id = n.id
  cross join lateral (values
    ('expected_close_date', o.expected_close_date, n.expected_close_date),
    ('estimated_start_date', o.estimated_start_date, n.estimated_start_date)) m (field, old_date, new_date)
  where (o.expected_close_date, o.estimated_start_date) is distinct from (n.expected_close_date, n.estimated_start_date)
    and m.old_date is distinct from m.new_date;
  return null;
end
$$;

create trigger log_date_change after update on public.pipeline_projects
  referencing old table as former new table as latter for each statement execute function private.log_date_change();

-- What touches a deal ----------------------------------------------------------------------------------------------------

-- Argument: the column that names the deal. Every update counts, whatever it changed: to compare would cost a sync more than
-- to look at a deal twice. Security definer: whoever writes a record, the queue is internal.
create function private.queue_deals() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  execute format('insert into private.analytics_queue (workspace_id, pipeline_project_id)
    select t.workspace_id, t.%1$I from touched t where t.%1$I is not null', tg_argv[0]);
  return null;
end
$$;

-- Security definer: as above.
create function private.queue_workspaces() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.analytics_queue (workspace_id)
  select distinct t.workspace_id from touched t where t.workspace_id is not null;
  return null;
end
$$;

-- Security definer: as above. Days and months are those of the workspace's zone.
create function private.queue_moved_workspace() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.analytics_queue (workspace_id) values (new.id);
  return null;
end
$$;

-- A new or moved deal comes through its history.
create trigger queue_deals_of_history after insert on public.pipeline_stage_history
  referencing new table as touched for each statement execute function private.queue_deals('pipeline_project_id');
create trigger queue_changed_deals after update on public.pipeline_projects
  referencing new table as touched for each statement execute function private.queue_deals('id');
create trigger queue_deleted_deals after delete on public.pipeline_projects
  referencing old table as touched for each statement execute function private.queue_deals('id');
create trigger queue_deals_of_new_notes after insert on public.crm_notes
  referencing new table as touched for each statement execute function private.queue_deals('deal_id');
create trigger queue_deals_of_new_tasks after insert on public.crm_tasks
  referencing new table as touched for each statement execute function private.queue_deals('deal_id');
-- One that is removed or moved to another deal is news for the deal that it was about.
create trigger queue_deals_of_notes after update on public.crm_notes
  referencing new table as touched for each statement execute function private.queue_deals('deal_id');
create trigger queue_former_deals_of_notes after update on public.crm_notes
  referencing old table as touched for each statement execute function private.queue_deals('deal_id');
create trigger queue_deals_of_deleted_notes after delete on public.crm_notes
  referencing old table as touched for each statement execute function private.queue_deals('deal_id');
create trigger queue_deals_of_tasks after update on public.crm_tasks
  referencing new table as touched for each statement execute function private.queue_deals('deal_id');
create trigger queue_former_deals_of_tasks after update on public.crm_tasks
  referencing old table as touched for each statement execute function private.queue_deals('deal_id');
create trigger queue_deals_of_deleted_tasks after delete on public.crm_tasks
  referencing old table as touched for each statement execute function private.queue_deals('deal_id');

create trigger queue_added_stages after insert on public.pipeline_stages
  referencing new table as touched for each statement execute function private.queue_workspaces();
create trigger queue_changed_stages after update on public.pipeline_stages
  referencing new table as touched for each statement execute function private.queue_workspaces();
create trigger queue_deleted_stages after delete on public.pipeline_stages
  referencing old table as touched for each statement execute function private.queue_workspaces();
-- Size bands and what rates are learned with.
create trigger queue_changed_settings after update on public.planning_settings
  referencing new table as touched for each statement execute function private.queue_workspaces();
create trigger queue_added_templates after insert on public.conversion_templates
  referencing new table as touched for each statement execute function private.queue_workspaces();
create trigger queue_changed_templates after update on public.conversion_templates
  referencing new table as touched for each statement execute function private.queue_workspaces();
create trigger queue_deleted_templates after delete on public.conversion_templates
  referencing old table as touched for each statement execute function private.queue_workspaces();
create trigger queue_moved_workspace after update of time_zone on public.workspaces
  for each row when (old.time_zone is distinct from new.time_zone) execute function private.queue_moved_workspace();

insert into private.analytics_queue (workspace_id) select w.id from public.workspaces w;

revoke execute on function private.apply_engine_rules(regclass, text), private.log_date_change(), private.queue_deals(),
  private.queue_workspaces(), private.queue_moved_workspace() from public, anon, authenticated, service_role;
