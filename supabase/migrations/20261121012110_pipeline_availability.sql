-- Pipeline: how well each deal could be staffed. The score needs an assignment of people to places, so a function works it
-- out; it is kept here for lists and boards.

create table public.pipeline_availability (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  pipeline_project_id uuid not null,
  score int check (score between 0 and 100),
  reasons jsonb not null default '[]' check (jsonb_typeof(reasons) = 'array'),
  lines jsonb not null default '[]' check (jsonb_typeof(lines) = 'array'),
  proven boolean not null default true,
  stale boolean not null default false,
  computed_at timestamptz not null default now(),
  primary key (workspace_id, pipeline_project_id),
  foreign key (workspace_id, pipeline_project_id) references public.pipeline_projects (workspace_id, id) on delete cascade
);
comment on table public.pipeline_availability is 'The availability score of a deal, as it was worked out last. Read only for clients; pipeline-forecast/availability works it out anew.';
comment on column public.pipeline_availability.score is '0 to 100; null for a deal that asks for nobody.';
comment on column public.pipeline_availability.reasons is 'Why it is not 100, as sentences.';
comment on column public.pipeline_availability.lines is 'Per demand: [{demand_id, skill, places, filled, people: [{employee_id, score, kind}]}].';
comment on column public.pipeline_availability.proven is 'False: the search for a better assignment was cut short.';
comment on column public.pipeline_availability.stale is 'The deal or the people have changed since. It is worked out again within minutes.';

create index pipeline_availability_stale_idx on public.pipeline_availability (workspace_id, computed_at) where stale;

alter table public.pipeline_availability enable row level security;
alter table public.pipeline_availability force row level security;
revoke all on table public.pipeline_availability from public, anon, authenticated, service_role;
grant select on table public.pipeline_availability to authenticated, service_role;
create policy "Members of a workspace read its availability scores" on public.pipeline_availability for select to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids())));

-- What makes a score old ---------------------------------------------------------------------------------------------------
-- Triggers note that something changed and no more, so nobody waits for anybody; a job marks the scores each minute. Deals
-- themselves have no such trigger: a sync writes them by the thousand, and the job sees a moved deal by its days.

alter table public.pipeline_availability
  add column start_date date,
  add column duration int;
comment on column public.pipeline_availability.start_date is 'Of the deal, as it was worked out with; duration likewise.';

create table private.availability_queue (
  id bigint generated always as identity primary key,
  workspace_id uuid not null,
  pipeline_project_id uuid
);
comment on table private.availability_queue is 'Changes since the last look. No foreign keys: what is gone is news too.';
comment on column private.availability_queue.pipeline_project_id is 'Null: people have changed, which can concern each deal of the workspace.';
alter table private.availability_queue enable row level security;
revoke all on private.availability_queue from public, anon, authenticated, service_role;

-- Argument: the column that names the deal; none where people are concerned. Security definer: whoever writes, the queue is internal.
create function private.queue_availability() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  execute format('insert into private.availability_queue (workspace_id, pipeline_project_id) select distinct t.workspace_id, %s from touched t',
    coalesce('t.' || quote_ident(tg_argv[0]), 'null::uuid'));
  return null;
end
$$;
revoke execute on function private.queue_availability() from public, anon, authenticated, service_role;

do $$
declare
  source record;
begin
  for source in
    select * from (values
      ('pipeline_resource_demands', '''pipeline_project_id'''), ('employees', ''), ('employee_skills', ''), ('employee_time_off', ''),
      ('employee_allocations', ''), ('working_calendars', ''), ('calendar_holidays', '')) t (name, argument)
  loop
    execute format('create trigger queue_availability_of_new after insert on public.%I referencing new table as touched
      for each statement execute function private.queue_availability(%s)', source.name, source.argument);
    execute format('create trigger queue_availability_of_changed after update on public.%I referencing new table as touched
      for each statement execute function private.queue_availability(%s)', source.name, source.argument);
    execute format('create trigger queue_availability_of_gone after delete on public.%I referencing old table as touched
      for each statement execute function private.queue_availability(%s)', source.name, source.argument);
  end loop;
end
$$;

-- Each minute: takes the queue in and marks what it concerns. Deals that nobody scored yet get their row here.
create function private.mark_availability(p_most int default 20000) returns bigint
language sql
set search_path = ''
as $$
  with taken as materialized (
    delete from private.availability_queue q
    where q.id in (select o.id from private.availability_queue o order by o.id limit p_most for update skip locked)
    returning q.workspace_id, q.pipeline_project_id
  ),
  open_deals as not materialized (
    select p.workspace_id, p.id, p.estimated_start_date, p.estimated_duration
    from public.pipeline_projects p
    join public.pipeline_stages s on s.workspace_id = p.workspace_id and s.key = p.stage_key and s.kind = 'open'
    where p.deleted_at is null
  ),
  asked as (
    insert into public.pipeline_availability as a (workspace_id, pipeline_project_id, stale, start_date, duration)
    select distinct d.workspace_id, d.id, true, d.estimated_start_date, d.estimated_duration
    from taken t
    join open_deals d on d.workspace_id = t.workspace_id and d.id = t.pipeline_project_id
    on conflict (workspace_id, pipeline_project_id) do update set stale = true
    returning 1
  ),
  concerned as (
    update public.pipeline_availability a
    set stale = true
    from open_deals d
    where d.workspace_id = a.workspace_id and d.id = a.pipeline_project_id and not a.stale
      and (a.workspace_id in (select t.workspace_id from taken t where t.pipeline_project_id is null)
        or (d.estimated_start_date, d.estimated_duration) is distinct from (a.start_date, a.duration))
      and not exists (select from taken t where t.pipeline_project_id = a.pipeline_project_id)
    returning 1
  )
  select (select count(*) from asked) + (select count(*) from concerned)
$$;
comment on function private.mark_availability(int) is 'Marks the scores of open deals that changes since the last look may concern. The job forecast-sweep has them worked out again.';
revoke execute on function private.mark_availability(int) from public, anon, authenticated, service_role;
