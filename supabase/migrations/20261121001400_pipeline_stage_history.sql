-- Pipeline: when a deal entered which stage. Written by triggers only, one insert per statement.

create table public.pipeline_stage_history (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  pipeline_project_id uuid not null,
  from_stage text,
  to_stage text not null,
  probability int,
  estimated_value numeric(18, 2),
  changed_by uuid references auth.users (id) on delete set null,
  changed_at timestamptz not null default now(),
  seq bigint generated always as identity,
  foreign key (workspace_id, pipeline_project_id) references public.pipeline_projects (workspace_id, id) on delete cascade
);
comment on table public.pipeline_stage_history is 'Each stage that a deal entered, with its value and probability then. Read only for clients.';
comment on column public.pipeline_stage_history.from_stage is 'Null for the first stage. Keys are kept as they were, also after a stage is renamed or removed.';
comment on column public.pipeline_stage_history.changed_by is 'Null when a sync or a job moved the deal.';
comment on column public.pipeline_stage_history.seq is 'The order in which it happened, also within one transaction, where changed_at is the same.';

create index pipeline_stage_history_deal_idx on public.pipeline_stage_history (workspace_id, pipeline_project_id, changed_at);
create index pipeline_stage_history_changed_at_idx on public.pipeline_stage_history (workspace_id, changed_at desc);
create index pipeline_stage_history_changed_by_idx on public.pipeline_stage_history (changed_by) where changed_by is not null;

alter table public.pipeline_stage_history enable row level security;
alter table public.pipeline_stage_history force row level security;
revoke all on table public.pipeline_stage_history from public, anon, authenticated, service_role;
grant select on table public.pipeline_stage_history to authenticated, service_role;
create policy "Members of a workspace read its stage history" on public.pipeline_stage_history for select to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids())));

-- Security definer: people move deals, only these functions write the history.
create function private.log_first_stage() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.pipeline_stage_history (workspace_id, pipeline_project_id, to_stage, probability, estimated_value, changed_by)
  select n.workspace_id, n.id, n.stage_key, n.probability, n.estimated_value, (select private.actor_id())
  from created n;
  return null;
end
$$;

-- Security definer: as above. Without nested loops: a plan made for one moved deal is kept for the session and would take
-- a page of 2,000 row by row.
create function private.log_stage_change() returns trigger
language plpgsql security definer set search_path = '' set enable_nestloop = off as $$
begin
  insert into public.pipeline_stage_history (workspace_id, pipeline_project_id, from_stage, to_stage, probability, estimated_value, changed_by)
  select n.workspace_id, n.id, o.stage_key, n.stage_key, n.probability, n.estimated_value, (select private.actor_id())
  from latter n
  join former o on o.id = n.id
  where n.stage_key <> o.stage_key;
  return null;
end
$$;

revoke execute on function private.log_first_stage(), private.log_stage_change() from public, anon, authenticated;

create trigger log_first_stage after insert on public.pipeline_projects
  referencing new table as created for each statement execute function private.log_first_stage();
create trigger log_stage_change after update on public.pipeline_projects
  referencing old table as former new table as latter for each statement execute function private.log_stage_change();
