-- Planning: whose time there is, week by week or between any days.
--
-- Everything is a stretch: days from..to of one person, with the share of the working hours in it that counts as capacity,
-- as promised, or as promised beyond the day. The hours of a stretch in a week are the difference of two running totals
-- of the calendar, so nothing is ever walked through day by day.

create function private.week_start(p_day date) returns date
language sql immutable parallel safe set search_path = '' as $$
  select p_day - extract(isodow from p_day)::int + 1
$$;
comment on function private.week_start(date) is 'The Monday of the ISO week. Plain days: no clock, no zone, and a year of 53 weeks is nothing special.';

create function private.week_borders(p_from date, p_weeks int) returns date[]
language sql immutable parallel safe set search_path = '' as $$
  select array_agg(p_from + 7 * g.n order by g.n) from generate_series(0, p_weeks) g (n)
$$;
comment on function private.week_borders(date, int) is 'The first days of so many weeks, and the day after the last.';

create function private.check_weeks(p_workspace uuid, p_from date, p_weeks int) returns date
language plpgsql stable set search_path = '' as $$
begin
  if p_weeks is null or p_weeks not between 1 and 260 then
    raise exception 'Weeks are counted from 1 to 260; % were asked for.', coalesce(p_weeks::text, 'none') using errcode = 'PC004', hint = 'weeks';
  elsif p_from is not null and p_from not between date '1970-01-01' and date '2199-12-31' then
    raise exception 'Planning knows the days from 1970 to 2199; % is none of them.', p_from using errcode = 'PC004', hint = 'from_date';
  end if;
  return private.week_start(coalesce(p_from, private.workspace_today(p_workspace)));
end
$$;
comment on function private.check_weeks(uuid, date, int) is 'The Monday a question begins with (null: this week), or PC004.';

create function private.person_stretches(p_workspace uuid, p_from date, p_to date, p_people uuid[] default null)
returns table (
  employee_id uuid, calendar_id uuid, demand_id uuid, first_day date, last_day date,
  capacity double precision, allocated double precision, over double precision
)
language sql stable set search_path = '' set jit = off rows 10000 as $$
  with person as materialized (
    select e.id, coalesce(e.working_calendar_id, s.default_calendar_id) as calendar_id, e.fte::double precision as fte,
      greatest(e.employed_from, p_from) as first_day, least(e.employed_to, p_to) as last_day
    from public.employees e
    join public.planning_settings s on s.workspace_id = e.workspace_id
    where e.workspace_id = p_workspace and e.deleted_at is null
      and e.employed_from <= p_to and (e.employed_to >= p_from or e.employed_to is null)
      and (p_people is null or e.id = any (p_people))
  ),
  away as materialized (
    select o.employee_id, greatest(o.start_date, p.first_day) as first_day, least(o.end_date, p.last_day) as last_day, o.share::double precision as share
    from public.employee_time_off o
    join person p on p.id = o.employee_id
    where o.workspace_id = p_workspace and o.start_date <= p.last_day and o.end_date >= p.first_day
  ),
  given as materialized (
    select a.employee_id, a.demand_id, greatest(a.start_date, p.first_day) as first_day, least(a.end_date, p.last_day) as last_day, a.percentage
    from public.employee_allocations a
    join person p on p.id = a.employee_id
    where a.workspace_id = p_workspace and a.status = 'firm'
      and a.start_date <= p.last_day and (a.end_date >= p.first_day or a.end_date is null)
  ),
  -- Promises begin and end on few days; between two of these their sum is the same every day.
  change as (
    select c.employee_id, c.day, sum(c.step) as step
    from (
      select g.employee_id, g.first_day as day, g.percentage as step from given g
      union all
      select g.employee_id, g.last_day + 1, -g.percentage from given g
    ) c
    group by c.employee_id, c.day
  ),
  promised as (
    select c.employee_id, c.day as first_day, lead(c.day) over later - 1 as last_day, sum(c.step) over later as percentage
    from change c
    window later as (partition by c.employee_id order by c.day)
  ),
  stretch as (
    select p.id as employee_id, null::uuid as demand_id, p.first_day, p.last_day,
      1::double precision as capacity, 0::double precision as allocated, 0::double precision as over
    from person p
    union all
    select g.employee_id, g.demand_id, g.first_day, g.last_day, 0, g.percentage / 100::double precision, 0 from given g
    union all
    select p.employee_id, null, p.first_day, p.last_day, 0, 0, p.percentage / 100::double precision - 1 from promised p where p.percentage > 100
  )
  select s.employee_id, p.calendar_id, s.demand_id, s.first_day, s.last_day, p.fte * s.capacity, p.fte * s.allocated, p.fte * s.over
  from stretch s
  join person p on p.id = s.employee_id
  union all
  -- Time off takes its share out of each: a promise on a day off is no work.
  select s.employee_id, p.calendar_id, s.demand_id, greatest(s.first_day, a.first_day), least(s.last_day, a.last_day),
    -a.share * p.fte * s.capacity, -a.share * p.fte * s.allocated, -a.share * p.fte * s.over
  from stretch s
  join away a on a.employee_id = s.employee_id and a.first_day <= s.last_day and a.last_day >= s.first_day
  join person p on p.id = s.employee_id
$$;
comment on function private.person_stretches(uuid, date, date, uuid[]) is
  'What makes up the capacity, the firm allocations and the over-allocation of each person between two days, as shares of their calendar''s hours.';

-- Who counts where. By skill a person's time is that of the primary skill; with the others it is only within reach.
create function private.person_buckets(p_workspace uuid, p_group text, p_reach boolean)
returns table (employee_id uuid, key text, level text, counted boolean)
language sql stable set search_path = '' rows 2000 as $$
  select e.id,
    case p_group
      when 'skill' then h.skill_key
      when 'category' then s.category
      when 'level' then h.level
      when 'team' then e.team_id::text
      else e.id::text
    end,
    case when p_group = 'skill' then h.level end,
    coalesce(h.is_primary, true)
  from public.employees e
  left join public.employee_skills h on h.workspace_id = e.workspace_id and h.employee_id = e.id and (h.is_primary or p_reach)
  left join public.skills s on s.workspace_id = h.workspace_id and s.key = h.skill_key
  where e.workspace_id = p_workspace and e.deleted_at is null
$$;
comment on function private.person_buckets(uuid, text, boolean) is 'People by skill and level, category, level, team or person; counted: here their time is added up, and only here. p_reach: with everything they know.';

create function private.supply_periods(
  p_workspace uuid, p_borders date[], p_group text, p_reach boolean default false, p_people uuid[] default null
)
returns table (
  key text, level text, first_day date, capacity double precision, allocated double precision, over double precision, reach double precision
)
language sql stable set search_path = '' set jit = off rows 10000 as $$
  with span as (
    select p_borders[1] as first_day, p_borders[cardinality(p_borders)] - 1 as last_day
  ),
  -- In days after the first, as the totals are numbered.
  border as materialized (
    select array_agg(b.day - p_borders[1] order by b.day) as days from unnest(p_borders) b (day)
  ),
  total as materialized (
    select t.calendar_id, t.running from span n cross join lateral private.calendar_totals(p_workspace, n.first_day, n.last_day) t
  ),
  -- Those of one bucket and calendar who are there on the same days are one stretch.
  stretch as materialized (
    select b.key, b.level, s.calendar_id, s.first_day - n.first_day as first_day, s.last_day - n.first_day as last_day,
      sum(s.capacity) filter (where b.counted) as capacity, sum(s.allocated) filter (where b.counted) as allocated,
      sum(s.over) filter (where b.counted) as over, sum(s.capacity - s.allocated) as reach
    from span n
    cross join lateral private.person_stretches(p_workspace, n.first_day, n.last_day, p_people) s
    join private.person_buckets(p_workspace, p_group, p_reach) b on b.employee_id = s.employee_id
    group by b.key, b.level, s.calendar_id, s.first_day, s.last_day, n.first_day
  ),
  piece as (
    select s.key, s.level, w.n, s.capacity, s.allocated, s.over, s.reach,
      t.running[least(s.last_day, b.days[w.n + 1] - 1) + 2] - t.running[greatest(s.first_day, b.days[w.n]) + 1] as hours
    from stretch s
    join total t on t.calendar_id = s.calendar_id
    cross join border b
    cross join lateral generate_series(width_bucket(s.first_day, b.days), width_bucket(s.last_day, b.days)) w (n)
    offset 0  -- The totals are looked up here, not carried on.
  )
  select p.key, p.level, p_borders[p.n], coalesce(sum(p.capacity * p.hours), 0), coalesce(sum(p.allocated * p.hours), 0),
    coalesce(sum(p.over * p.hours), 0), sum(p.reach * p.hours)
  from piece p
  group by p.key, p.level, p.n
$$;
comment on function private.supply_periods(uuid, date[], text, boolean, uuid[]) is
  'Hours by bucket and period; a period goes from one border up to the day before the next. free = capacity - allocated. reach: free hours of all who hold the skill at this level; they overlap, so reach is never added up.';

-- What firm allocations already give to demands.
create function private.staffed_weeks(p_workspace uuid, p_from date, p_weeks int)
returns table (demand_id uuid, week date, hours double precision)
language sql stable set search_path = '' set jit = off rows 10000 as $$
  with total as materialized (
    select t.calendar_id, t.running from private.calendar_totals(p_workspace, p_from, p_from + 7 * p_weeks - 1) t
  )
  select s.demand_id, p_from + 7 * w.n, sum(s.allocated * (
    t.running[least(s.last_day - p_from, 7 * w.n + 6) + 2] - t.running[greatest(s.first_day - p_from, 7 * w.n) + 1]))
  from private.person_stretches(p_workspace, p_from, p_from + 7 * p_weeks - 1) s
  join total t on t.calendar_id = s.calendar_id
  cross join lateral generate_series((s.first_day - p_from) / 7, (s.last_day - p_from) / 7) w (n)
  where s.demand_id is not null
  group by s.demand_id, w.n
$$;

revoke execute on function private.week_start(date), private.week_borders(date, int), private.check_weeks(uuid, date, int), private.person_stretches(uuid, date, date, uuid[]),
  private.person_buckets(uuid, text, boolean), private.supply_periods(uuid, date[], text, boolean, uuid[]), private.staffed_weeks(uuid, date, int)
  from public, anon, authenticated, service_role;
