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
comment on column public.pipeline_availability.lines is 'Per demand: [{demand_id, skill, places, promised, filled, people: [{employee_id, name, score, kind}]}].';
comment on column public.pipeline_availability.proven is 'False: the search for a better assignment was cut short.';
comment on column public.pipeline_availability.computed_at is 'When that was read which it was worked out from.';
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
  add column duration int,
  add column changed_at timestamptz;
comment on column public.pipeline_availability.start_date is 'Of the deal, as it was worked out with; duration likewise.';
comment on column public.pipeline_availability.changed_at is 'When a change was noticed last that may concern it.';

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
      ('employee_allocations', ''), ('working_calendars', ''), ('calendar_holidays', ''), ('skills', '')) t (name, argument)
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
    select p.workspace_id, p.id, private.plausible_day(p.estimated_start_date) as start_date, case when p.estimated_duration > 36500 then 36500 else p.estimated_duration end as duration
    from public.pipeline_projects p
    join public.pipeline_stages s on s.workspace_id = p.workspace_id and s.key = p.stage_key and s.kind = 'open'
    where p.deleted_at is null
  ),
  concerned as (
    select d.*
    from taken t
    join open_deals d on d.workspace_id = t.workspace_id and d.id = t.pipeline_project_id
    union
    select d.*
    from public.pipeline_availability a
    join open_deals d on d.workspace_id = a.workspace_id and d.id = a.pipeline_project_id
    where a.workspace_id in (select t.workspace_id from taken t where t.pipeline_project_id is null)
      or not a.stale and (a.changed_at > a.computed_at or (d.start_date, d.duration) is distinct from (a.start_date, a.duration))
  ),
  -- In one order, which is keep_availability's too: two who mark and keep the same scores do not wait for each other.
  marked as (
    insert into public.pipeline_availability as a (workspace_id, pipeline_project_id, stale, start_date, duration, changed_at)
    select c.workspace_id, c.id, true, c.start_date, c.duration, clock_timestamp() from concerned c order by c.workspace_id, c.id
    on conflict (workspace_id, pipeline_project_id) do update set stale = true, changed_at = excluded.changed_at
    returning 1
  ),
  -- Won, lost, on hold or deleted: nobody scores it, but it may come back.
  resting as (
    update public.pipeline_availability a
    set changed_at = clock_timestamp()
    from taken t
    where a.workspace_id = t.workspace_id and a.pipeline_project_id = coalesce(t.pipeline_project_id, a.pipeline_project_id)
      and coalesce(a.changed_at <= a.computed_at, true)
      and not exists (select from open_deals d where d.workspace_id = a.workspace_id and d.id = a.pipeline_project_id)
  )
  select count(*) from marked
$$;
comment on function private.mark_availability(int) is 'Marks the scores of open deals that changes since the last look may concern. The job forecast-sweep has them worked out again.';
revoke execute on function private.mark_availability(int) from public, anon, authenticated, service_role;

-- What the function reads and writes -------------------------------------------------------------------------------------------

-- People who have one of the skills. weeks: [[week, hours there, hours free]], the first week is 0. contract: their share of a full week of the default calendar.
create function private.staffing_people(p_workspace uuid, p_skills text[], p_from date, p_weeks int) returns jsonb
language sql
stable
set search_path = ''
as $$
  with able as materialized (
    select e.id, e.name, e.fte, coalesce(e.working_calendar_id, p.default_calendar_id) as calendar_id, p.default_calendar_id
    from public.employees e
    join public.planning_settings p on p.workspace_id = e.workspace_id
    where e.workspace_id = p_workspace and e.deleted_at is null and e.employed_from < p_from + 7 * p_weeks
      and (e.employed_to is null or e.employed_to >= p_from)
      and exists (
        select from public.employee_skills s
        join public.skills k on k.workspace_id = s.workspace_id and k.key = s.skill_key
        where s.workspace_id = e.workspace_id and s.employee_id = e.id and (s.skill_key = any (p_skills) or k.category = any (p_skills)))
  ),
  hours as materialized (
    select w.key::uuid as employee_id, jsonb_agg(jsonb_build_array((w.first_day - p_from) / 7, round(w.capacity::numeric, 4),
      round(greatest(0, w.capacity - w.allocated)::numeric, 4)) order by w.first_day) as weeks
    from private.supply_periods(p_workspace, private.week_borders(p_from, p_weeks), 'person', false, array(select a.id from able a)) w
    group by w.key
  ),
  week as (
    select c.id, (select sum(h) from unnest(c.hours) h) as hours from public.working_calendars c where c.workspace_id = p_workspace
  )
  select coalesce(jsonb_agg(jsonb_build_object('id', a.id, 'name', a.name, 'contract', round(a.fte * own.hours / nullif(usual.hours, 0), 6),
    'weeks', coalesce(h.weeks, '[]'), 'skills', (
      select jsonb_agg(jsonb_build_object('skill', s.skill_key, 'category', k.category, 'level', s.level, 'years', s.years) order by s.skill_key)
      from public.employee_skills s
      join public.skills k on k.workspace_id = s.workspace_id and k.key = s.skill_key
      where s.workspace_id = p_workspace and s.employee_id = a.id)) order by a.id), '[]')
  from able a
  left join hours h on h.employee_id = a.id
  join week own on own.id = a.calendar_id
  join week usual on usual.id = a.default_calendar_id
$$;

-- Deals with what they ask for, and who could take it: from this week on, as far as the last of them lasts, two years at most. An
-- open-ended demand is looked at for half a year.
create function private.staffing(p_workspace uuid, p_actor uuid, p_deals uuid[]) returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_today constant date := private.workspace_today(p_workspace);
  v_from constant date := date_trunc('week', v_today::timestamp)::date;
  v_weeks int;
  v_skills text[];
begin
  if p_actor is not null then
    perform private.require_role(p_workspace, 'viewer', p_actor);
  end if;
  perform private.require_deals(p_workspace, p_deals);
  select least(104, greatest(1, ceil((max(least(n.last_day, v_today + 800)) - v_from + 1) / 7.0)))::int into v_weeks
  from public.pipeline_resource_demands d
  join public.pipeline_projects p on p.workspace_id = d.workspace_id and p.id = d.pipeline_project_id
  cross join lateral (select private.plausible_day(p.estimated_start_date) as first_day) s
  cross join lateral (select coalesce(d.start_date, s.first_day, v_today) as first_day) f
  cross join lateral (
    select coalesce(d.end_date, s.first_day + case when p.estimated_duration > 800 then 800 else p.estimated_duration end, greatest(f.first_day, v_today) + 182) as last_day) n
  where d.workspace_id = p_workspace and d.pipeline_project_id = any (p_deals);
  select array_agg(distinct s.skill) into v_skills
  from public.pipeline_resource_demands d
  cross join lateral (
    select coalesce(d.skill_key, d.skill_category) as skill union all select jsonb_array_elements_text(d.alternatives)) s
  where d.workspace_id = p_workspace and d.pipeline_project_id = any (p_deals);
  return jsonb_build_object(
    'read_at', statement_timestamp(), 'today', v_today, 'from', v_from, 'weeks', coalesce(v_weeks, 1), 'deals', private.forecast_deals(p_workspace, p_deals),
    'demands', private.forecast_demands(p_workspace, p_deals),
    'calendar', private.forecast_calendar(p_workspace, v_from, v_from + 7 * coalesce(v_weeks, 1)),
    'people', private.staffing_people(p_workspace, coalesce(v_skills, '{}'), v_from, coalesce(v_weeks, 1)));
end
$$;

-- p_rows: [{pipeline_project_id, score, reasons, lines, proven, start_date, duration}]. A deal that is gone meanwhile is passed over; one
-- that has changed since p_read_at stays old.
create function private.keep_availability(p_workspace uuid, p_rows jsonb, p_read_at timestamptz) returns void
language sql
set search_path = ''
as $$
  insert into public.pipeline_availability as a
    (workspace_id, pipeline_project_id, score, reasons, lines, proven, start_date, duration, stale, computed_at)
  select p_workspace, r.pipeline_project_id, r.score, r.reasons, r.lines, r.proven, r.start_date, r.duration, false, p_read_at
  from jsonb_to_recordset(p_rows) r (pipeline_project_id uuid, score int, reasons jsonb, lines jsonb, proven boolean, start_date date, duration int)
  join public.pipeline_projects p on p.workspace_id = p_workspace and p.id = r.pipeline_project_id
  order by r.pipeline_project_id
  on conflict (workspace_id, pipeline_project_id) do update
  set score = excluded.score, reasons = excluded.reasons, lines = excluded.lines, proven = excluded.proven, start_date = excluded.start_date,
    duration = excluded.duration, stale = coalesce(a.changed_at > excluded.computed_at, false), computed_at = excluded.computed_at
$$;

create function private.stale_availability(p_workspace uuid, p_most int) returns uuid[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(s.id), '{}')
  from (
    select a.pipeline_project_id as id
    from public.pipeline_availability a
    join public.pipeline_projects p on p.workspace_id = a.workspace_id and p.id = a.pipeline_project_id and p.deleted_at is null
    where a.workspace_id = p_workspace and a.stale
    order by a.computed_at
    limit p_most) s
$$;

revoke execute on function private.staffing_people(uuid, text[], date, int), private.staffing(uuid, uuid, uuid[]),
  private.keep_availability(uuid, jsonb, timestamptz), private.stale_availability(uuid, int)
  from public, anon, authenticated, service_role;
