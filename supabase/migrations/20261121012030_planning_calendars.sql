-- Planning: working calendars. The hours of each weekday and the days off of all who follow the calendar.

create table public.working_calendars (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  name text not null check (char_length(btrim(name)) between 1 and 100),
  hours numeric(4, 2)[] not null default '{8,8,8,8,8,0,0}' check (
    array_ndims(hours) = 1 and array_lower(hours, 1) = 1 and cardinality(hours) = 7
    and array_position(hours, null) is null and 0 <= all (hours) and 24 >= all (hours)),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (workspace_id, id)
);
comment on table public.working_calendars is 'Working hours by weekday. One comes with each workspace (Monday to Friday, 8 hours); part-time on some days is a calendar of its own.';
comment on column public.working_calendars.hours is 'Seven numbers of hours, Monday first, each 0 to 24.';

create unique index working_calendars_name_uq on public.working_calendars (workspace_id, lower(name));

create trigger set_updated_at before update on public.working_calendars
  for each row execute function private.set_updated_at();

create table public.calendar_holidays (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  calendar_id uuid not null,
  day date not null check (isfinite(day)),
  share numeric(3, 2) not null default 1 check (share > 0 and share <= 1),
  name text check (char_length(name) <= 100),
  created_at timestamptz not null default now(),
  primary key (workspace_id, calendar_id, day),
  foreign key (workspace_id, calendar_id) references public.working_calendars (workspace_id, id) on delete cascade
);
comment on table public.calendar_holidays is 'Days off for all who follow a calendar.';
comment on column public.calendar_holidays.share is 'How much of the day is free: 1 is a holiday, 0.5 half a one.';

select private.apply_reference_rules('public.working_calendars', 'working calendars');
select private.apply_reference_rules('public.calendar_holidays', 'holidays');

alter table public.planning_settings
  add default_calendar_id uuid not null,
  add foreign key (workspace_id, default_calendar_id) references public.working_calendars (workspace_id, id);
comment on column public.planning_settings.default_calendar_id is 'The calendar of demands, and of people who have none of their own.';
create index planning_settings_default_calendar_idx on public.planning_settings (workspace_id, default_calendar_id);

-- Every workspace has settings and a calendar ----------------------------------------------------------------------------

create function private.prepare_planning(workspaces uuid[]) returns void
language sql set search_path = '' as $$
  with calendar as (
    insert into public.working_calendars (workspace_id, name)
    select w.id, 'Monday to Friday, 8 hours' from unnest(workspaces) w (id)
    returning workspace_id, id
  )
  insert into public.planning_settings (workspace_id, default_calendar_id) select c.workspace_id, c.id from calendar c
$$;

-- Security definer: whoever creates a workspace, these come with it.
create function private.on_workspace_planned() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform private.prepare_planning(array(select id from created));
  return null;
end
$$;

create trigger prepare_planning after insert on public.workspaces
  referencing new table as created for each statement execute function private.on_workspace_planned();

select private.prepare_planning(array(select id from public.workspaces));

-- Running totals -----------------------------------------------------------------------------------------------------------
-- Hours of any interval are the difference of two of these. A workspace has few calendars, so the totals are made for the
-- days that are asked for and are never out of date. Dates have no zone: the week in which the clocks change has seven
-- days like any other.

create function private.calendar_totals(p_workspace uuid, p_from date, p_to date, p_calendar uuid default null)
returns table (calendar_id uuid, running double precision[])
language sql stable set search_path = '' rows 20 as $$
  select d.calendar_id, array_agg(d.running order by d.n)
  from (
    select c.id as calendar_id, g.n,
      sum(case when g.n < 0 then 0 else c.hours[extract(isodow from p_from + g.n)::int]::double precision * (1 - coalesce(o.share, 0)::double precision) end)
        over (partition by c.id order by g.n) as running
    from public.working_calendars c
    cross join generate_series(-1, p_to - p_from) g (n)
    left join public.calendar_holidays o on o.workspace_id = c.workspace_id and o.calendar_id = c.id and o.day = p_from + g.n
    where c.workspace_id = p_workspace and (p_calendar is null or c.id = p_calendar)
  ) d
  group by d.calendar_id
$$;
comment on function private.calendar_totals(uuid, date, date, uuid) is
  'Working hours of each calendar from p_from on: running[1] is 0, running[n + 2] those of the days 0 to n after p_from. So the days a to b after p_from have running[b + 2] - running[a + 1] hours.';

revoke execute on function private.prepare_planning(uuid[]), private.on_workspace_planned(), private.calendar_totals(uuid, date, date, uuid)
  from public, anon, authenticated, service_role;
