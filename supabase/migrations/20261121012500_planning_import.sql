-- Planning: people, their skills and their allocations from files. The Edge Function reads the CSV and checks each cell; here its lines meet
-- what the workspace has. A plan is made of all lines first; then it is written as a whole, or nothing is.

-- cells: what the file says of the row, by column of the table; a column that the file does not have is not there.
create type private.import_line as (line int, target uuid, action text, cells jsonb, errors jsonb);
comment on type private.import_line is 'One line of a file: the row it is about (null: a new one), insert, update or unchanged, and [{column, message}] that keep it from being written.';

create function private.import_error(p_column text, p_message text, p_wrong boolean) returns jsonb
language sql stable parallel safe set search_path = '' as $$
  select case when p_wrong then jsonb_build_array(jsonb_build_object('column', p_column, 'message', p_message)) else '[]' end
$$;
comment on function private.import_error(text, text, boolean) is 'A list with this error, or an empty one.';

-- Without nested loops from here on: a table that was filled a minute ago has no statistics, and a plan made for few rows takes a minute for 15,000.

-- What a name in a file stands for ------------------------------------------------------------------------------------------
-- Each is found by what identifies it best; matches counts how many there are, since names may be shared.

create function private.import_named(p_workspace uuid, p_kind text, p_names text[])
returns table (name text, id uuid, matches bigint)
language sql stable set search_path = '' set enable_nestloop = off set jit = off as $$
  with things as (
    select e.id, e.external_id as first, e.email as second, e.name from public.employees e
    where p_kind = 'employee' and e.workspace_id = p_workspace and e.deleted_at is null
    union all
    select p.id, p.id::text, null, p.name from public.crm_projects p
    where p_kind = 'project' and p.workspace_id = p_workspace and p.deleted_at is null
    union all
    select d.id, d.id::text, d.crm_id, d.name from public.pipeline_projects d
    where p_kind = 'deal' and d.workspace_id = p_workspace and d.deleted_at is null
  ),
  -- Our ids and addresses are lower case, what others number is as they write it.
  wanted as (
    select distinct n.name, case p_kind when 'employee' then n.name else lower(n.name) end as first,
      case p_kind when 'employee' then lower(n.name) else n.name end as second
    from unnest(p_names) n (name)
    where n.name is not null
  ),
  found as (
    select w.name, t.id, 1 as rank from wanted w join things t on t.first = w.first
    union all
    select w.name, t.id, 2 from wanted w join things t on t.second = w.second
    union all
    select w.name, t.id, 3 from wanted w join things t on lower(btrim(t.name)) = lower(w.name)
  ),
  best as (select f.*, min(f.rank) over (partition by f.name) as best from found f)
  select w.name, (array_agg(b.id))[1], count(b.id)
  from wanted w
  left join best b on b.name = w.name and b.rank = b.best
  group by w.name
$$;
comment on function private.import_named(uuid, text, text[]) is
  'People by external id, else e-mail, else name; projects and deals by id, else by id in the CRM, else by name.';

create function private.import_skills_named(p_workspace uuid, p_names text[]) returns table (name text, key text)
language sql stable set search_path = '' as $$
  select w.name, private.skill_key(p_workspace, w.name)
  from (select distinct n.name from unnest(p_names) n (name) where n.name is not null) w
$$;
comment on function private.import_skills_named(uuid, text[]) is 'Skills by key, alias or label in any spelling.';

create function private.import_names(p_rows jsonb, p_column text) returns text[]
language sql immutable set search_path = '' as $$
  select array_agg(r -> 'cells' ->> p_column) from jsonb_array_elements(p_rows) r
$$;

create function private.import_unknown(p_column text, p_kind text, p_name text, p_matches bigint, p_advice text) returns jsonb
language sql stable parallel safe set search_path = '' as $$
  select private.import_error(p_column, format('There is no %s "%s".', p_kind, p_name), p_name is not null and coalesce(p_matches, 0) = 0)
    || private.import_error(p_column, format('"%s" is the name of %s %ss: %s', p_name, p_matches, p_kind, p_advice), p_matches > 1)
$$;
comment on function private.import_unknown(text, text, text, bigint, text) is 'The errors of a name that stands for nothing, or for several.';

create function private.import_twice(p_column text, p_line int, p_first int) returns jsonb
language sql stable parallel safe set search_path = '' as $$
  select private.import_error(p_column, format('This is on line %s already.', p_first), p_first < p_line)
$$;

-- Plans ---------------------------------------------------------------------------------------------------------------------

create function private.import_plan_employees(p_workspace uuid, p_rows jsonb) returns setof private.import_line
language sql stable set search_path = '' set enable_nestloop = off set jit = off as $$
  with given as (
    select r.line, r.cells, r.cells ->> 'external_id' as external_id, r.cells ->> 'email' as email,
      r.cells ->> 'team' as team, r.cells ->> 'calendar' as calendar
    from jsonb_to_recordset(p_rows) r (line int, cells jsonb)
  ),
  known as (
    select g.*, x.id as by_id, m.id as by_email, m.external_id as other_id, t.id as team_id, c.id as calendar_id,
      coalesce(x.id, m.id) as target
    from given g
    left join public.employees x on x.workspace_id = p_workspace and x.external_id = g.external_id
    left join public.employees m on m.workspace_id = p_workspace and m.email = g.email and m.deleted_at is null
    left join public.teams t on t.workspace_id = p_workspace and lower(t.name) = lower(g.team)
    left join public.working_calendars c on c.workspace_id = p_workspace and lower(c.name) = lower(g.calendar)
  ),
  -- A person who was deleted comes back when the file names them again.
  resolved as (
    select k.*, k.cells - 'team' - 'calendar'
        || case when k.cells ? 'team' then jsonb_build_object('team_id', k.team_id) else '{}' end
        || case when k.cells ? 'calendar' then jsonb_build_object('working_calendar_id', k.calendar_id) else '{}' end
        || jsonb_build_object('deleted_at', null) as wanted,
      min(k.line) over (partition by k.external_id) as first_id,
      min(k.line) over (partition by k.email) as first_email,
      min(k.line) over (partition by k.target) as first_target
    from known k
  )
  select r.line, r.target, case when r.target is null then 'insert' when to_jsonb(e) @> r.wanted then 'unchanged' else 'update' end, r.wanted,
    private.import_twice('external_id', r.line, case when r.external_id is not null then r.first_id end)
    || private.import_twice('email', r.line, case when r.email is not null then r.first_email end)
    || private.import_error(case when r.by_id is null then 'email' else 'external_id' end,
      format('This is the same person as on line %s.', r.first_target),
      r.target is not null and r.first_target < r.line and (r.external_id is null or r.first_id = r.line)
        and (r.email is null or r.first_email = r.line))
    || private.import_error('email', 'Another person has this address.',
      (r.by_id <> r.by_email) or (r.by_id is null and r.external_id is not null and r.other_id <> r.external_id))
    || private.import_error('email', format('This person was deleted, and %s has the address %s now. Give another, or an empty cell.', o.name, e.email),
      o.id is not null)
    || private.import_error('team', format('There is no team "%s".', r.team), r.team is not null and r.team_id is null)
    || private.import_error('calendar', format('There is no calendar "%s".', r.calendar), r.calendar is not null and r.calendar_id is null)
    || private.import_error('employed_to', 'Employment cannot end before it begins.',
      coalesce((r.wanted ->> 'employed_to')::date, case when not r.wanted ? 'employed_to' then e.employed_to end)
        < coalesce((r.wanted ->> 'employed_from')::date, e.employed_from, current_date))
  from resolved r
  left join public.employees e on e.id = r.target
  -- Whoever comes back with the address that they had.
  left join public.employees o on o.workspace_id = p_workspace and o.email = e.email and o.deleted_at is null
    and e.deleted_at is not null and not r.cells ? 'email'
$$;
comment on function private.import_plan_employees(uuid, jsonb) is 'People by external id, else e-mail. Whoever is in neither is new.';

create function private.import_plan_skills(p_workspace uuid, p_rows jsonb) returns setof private.import_line
language sql stable set search_path = '' set enable_nestloop = off set jit = off as $$
  with given as (
    select r.line, r.cells, r.cells ->> 'employee' as employee, r.cells ->> 'skill' as skill
    from jsonb_to_recordset(p_rows) r (line int, cells jsonb)
  ),
  known as (
    select g.*, e.id as employee_id, e.matches, s.key as skill_key
    from given g
    left join private.import_named(p_workspace, 'employee', private.import_names(p_rows, 'employee')) e on e.name = g.employee
    left join private.import_skills_named(p_workspace, private.import_names(p_rows, 'skill')) s on s.name = g.skill
  ),
  -- Not primary says nothing: it is the word on another skill that takes the mark away.
  resolved as (
    select k.*, k.cells - 'employee' - 'skill' - case when not (k.cells ->> 'is_primary')::boolean then 'is_primary' else '' end || jsonb_build_object('employee_id', k.employee_id, 'skill_key', k.skill_key) as wanted,
      min(k.line) over (partition by k.employee_id, k.skill_key) as first,
      min(k.line) filter (where (k.cells ->> 'is_primary')::boolean) over (partition by k.employee_id) as first_primary
    from known k
  )
  select r.line, s.id, case when s.id is null then 'insert' when to_jsonb(s) @> r.wanted then 'unchanged' else 'update' end, r.wanted,
    private.import_unknown('employee', 'person', r.employee, r.matches, 'use the external id or the e-mail.')
    || private.import_error('skill', format('There is no skill "%s".', r.skill), r.skill_key is null)
    || private.import_twice('skill', r.line, case when r.employee_id is not null and r.skill_key is not null then r.first end)
    || private.import_error('is_primary', format('A person has one primary skill; line %s names one already.', r.first_primary),
      r.employee_id is not null and (r.cells ->> 'is_primary')::boolean and r.first_primary < r.line)
  from resolved r
  left join public.employee_skills s on s.workspace_id = p_workspace and s.employee_id = r.employee_id and s.skill_key = r.skill_key
$$;
comment on function private.import_plan_skills(uuid, jsonb) is 'What people can do, by person and skill.';

create function private.import_plan_allocations(p_workspace uuid, p_rows jsonb) returns setof private.import_line
language sql stable set search_path = '' set enable_nestloop = off set jit = off as $$
  with given as (
    select r.line, r.cells, r.cells ->> 'employee' as employee, r.cells ->> 'project' as project, r.cells ->> 'deal' as deal,
      (r.cells ->> 'start_date')::date as start_date
    from jsonb_to_recordset(p_rows) r (line int, cells jsonb)
  ),
  known as (
    select g.*, e.id as employee_id, e.matches as people, p.id as project_id, p.matches as projects, d.id as deal_id, d.matches as deals
    from given g
    left join private.import_named(p_workspace, 'employee', private.import_names(p_rows, 'employee')) e on e.name = g.employee
    left join private.import_named(p_workspace, 'project', private.import_names(p_rows, 'project')) p on p.name = g.project
    left join private.import_named(p_workspace, 'deal', private.import_names(p_rows, 'deal')) d on d.name = g.deal
  ),
  resolved as (
    select k.*, k.cells - 'employee' - 'project' - 'deal'
        || jsonb_build_object('employee_id', k.employee_id, 'crm_project_id', k.project_id, 'pipeline_project_id', k.deal_id) as wanted,
      min(k.line) over (partition by k.employee_id, k.project_id, k.deal_id, k.start_date) as first
    from known k
  ),
  there as (
    select distinct on (a.employee_id, a.crm_project_id, a.pipeline_project_id, a.start_date) a.*
    from public.employee_allocations a
    where a.workspace_id = p_workspace and a.employee_id in (select k.employee_id from known k)
    order by a.employee_id, a.crm_project_id, a.pipeline_project_id, a.start_date, a.created_at, a.id
  )
  select r.line, a.id, case when a.id is null then 'insert' when to_jsonb(a) @> r.wanted then 'unchanged' else 'update' end, r.wanted,
    private.import_unknown('employee', 'person', r.employee, r.people, 'use the external id or the e-mail.')
    || private.import_unknown('project', 'project', r.project, r.projects, 'use its id.')
    || private.import_unknown('deal', 'deal', r.deal, r.deals, 'use its id.')
    || private.import_twice('start_date', r.line, case when r.employee_id is not null and coalesce(r.projects, 1) = 1 and coalesce(r.deals, 1) = 1
      then r.first end)
    || private.import_error('end_date', 'An allocation cannot end before it begins.',
      coalesce((r.wanted ->> 'end_date')::date, case when not r.wanted ? 'end_date' then a.end_date end) < r.start_date)
  from resolved r
  left join there a on a.employee_id = r.employee_id and a.start_date = r.start_date
    and a.crm_project_id is not distinct from r.project_id and a.pipeline_project_id is not distinct from r.deal_id
$$;
comment on function private.import_plan_allocations(uuid, jsonb) is 'Promised time, by person, project or deal, and first day.';

-- Writing -------------------------------------------------------------------------------------------------------------------
-- New rows take the defaults of the table for what the file leaves out; known ones keep what they have.

create function private.import_write_employees(p_workspace uuid, p_plan private.import_line[]) returns void
language plpgsql set search_path = '' set enable_nestloop = off set jit = off as $$
begin
  update public.employees e
  set (name, email, external_id, title, location, team_id, working_calendar_id, fte, employed_from, employed_to, tags, deleted_at)
    = (n.name, n.email, n.external_id, n.title, n.location, n.team_id, n.working_calendar_id, n.fte, n.employed_from, n.employed_to, n.tags, null)
  from unnest(p_plan) p
  join public.employees k on k.id = p.target
  cross join lateral jsonb_populate_record(k, p.cells) n
  where p.action = 'update' and e.id = p.target;
  insert into public.employees (workspace_id, name, email, external_id, title, location, team_id, working_calendar_id, fte, employed_from,
    employed_to, tags, created_by)
  select p_workspace, n.name, n.email, n.external_id, n.title, n.location, n.team_id, n.working_calendar_id, coalesce(n.fte, 1),
    coalesce(n.employed_from, current_date), n.employed_to, coalesce(n.tags, '[]'), private.actor_id()
  from unnest(p_plan) p
  cross join lateral jsonb_populate_record(null::public.employees, p.cells) n
  where p.action = 'insert'
  order by p.line;
end
$$;

create function private.import_write_skills(p_workspace uuid, p_plan private.import_line[]) returns void
language plpgsql set search_path = '' set enable_nestloop = off set jit = off as $$
begin
  update public.employee_skills s
  set (level, years) = (n.level, n.years)
  from unnest(p_plan) p
  join public.employee_skills k on k.id = p.target
  cross join lateral jsonb_populate_record(k, p.cells) n
  where p.action = 'update' and s.id = p.target;
  insert into public.employee_skills (workspace_id, employee_id, skill_key, level, years, is_primary, created_by)
  select p_workspace, n.employee_id, n.skill_key, n.level, n.years, coalesce(n.is_primary, false), private.actor_id()
  from unnest(p_plan) p
  cross join lateral jsonb_populate_record(null::public.employee_skills, p.cells) n
  where p.action = 'insert'
  order by n.is_primary desc nulls last, p.line;
  -- Last: the trigger takes the mark from the person's other rows, which must not be touched by the same statement.
  update public.employee_skills s set is_primary = true
  from unnest(p_plan) p
  where p.action = 'update' and (p.cells ->> 'is_primary')::boolean and s.id = p.target and not s.is_primary;
end
$$;

create function private.import_write_allocations(p_workspace uuid, p_plan private.import_line[]) returns void
language plpgsql set search_path = '' set enable_nestloop = off set jit = off as $$
begin
  update public.employee_allocations a
  set (end_date, percentage, status, note) = (n.end_date, n.percentage, n.status, n.note)
  from unnest(p_plan) p
  join public.employee_allocations k on k.id = p.target
  cross join lateral jsonb_populate_record(k, p.cells) n
  where p.action = 'update' and a.id = p.target;
  insert into public.employee_allocations (workspace_id, employee_id, crm_project_id, pipeline_project_id, start_date, end_date, percentage,
    status, note, created_by)
  select p_workspace, n.employee_id, n.crm_project_id, n.pipeline_project_id, n.start_date, n.end_date, coalesce(n.percentage, 100),
    coalesce(n.status, 'firm'), n.note, private.actor_id()
  from unnest(p_plan) p
  cross join lateral jsonb_populate_record(null::public.employee_allocations, p.cells) n
  where p.action = 'insert'
  order by p.line;
end
$$;

-- The whole file ------------------------------------------------------------------------------------------------------------

create function private.import_plan(p_workspace uuid, p_kind text, p_rows jsonb) returns private.import_line[]
language plpgsql stable set search_path = '' as $$
begin
  return case p_kind
    when 'employees' then array(select p from private.import_plan_employees(p_workspace, p_rows) p)
    when 'skills' then array(select p from private.import_plan_skills(p_workspace, p_rows) p)
    when 'allocations' then array(select p from private.import_plan_allocations(p_workspace, p_rows) p)
  end;
end
$$;

create function private.import_people(p_actor uuid, p_workspace uuid, p_kind text, p_rows jsonb, p_write boolean, p_skip boolean)
returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_plan private.import_line[];
  v_good private.import_line[];
  v_answer jsonb;
begin
  perform private.require_role(p_workspace, 'admin', p_actor);
  perform set_config('pipeline_crm.actor', p_actor::text, true);
  -- Two files at once would both plan from what the other is about to change.
  perform pg_advisory_xact_lock(hashtextextended('import_people:' || p_workspace, 0));
  v_plan := private.import_plan(p_workspace, p_kind, p_rows);
  v_good := array(select p from unnest(v_plan) p where p.errors = '[]' order by p.line);
  select jsonb_build_object(
    'inserted', count(*) filter (where g.action = 'insert'),
    'updated', count(*) filter (where g.action = 'update'),
    'unchanged', count(*) filter (where g.action = 'unchanged'),
    'errors', (select coalesce(jsonb_agg(jsonb_build_object('line', p.line) || e.error order by p.line, e.n), '[]')
      from unnest(v_plan) p cross join jsonb_array_elements(p.errors) with ordinality e (error, n)))
  into v_answer
  from unnest(v_good) g;
  if p_write and (p_skip or v_answer -> 'errors' = '[]') then
    case p_kind
      when 'employees' then perform private.import_write_employees(p_workspace, v_good);
      when 'skills' then perform private.import_write_skills(p_workspace, v_good);
      when 'allocations' then perform private.import_write_allocations(p_workspace, v_good);
    end case;
    v_answer := v_answer || '{"written": true}';
  else
    v_answer := v_answer || '{"written": false}';
  end if;
  return v_answer;
end
$$;
comment on function private.import_people(uuid, uuid, text, jsonb, boolean, boolean) is
  'For the function pipeline-forecast: [{line, cells}] of a file checked against the workspace and, if asked, written; with p_skip the good lines are written although others are wrong.';

revoke execute on function private.import_error(text, text, boolean), private.import_named(uuid, text, text[]),
  private.import_skills_named(uuid, text[]), private.import_names(jsonb, text),
  private.import_unknown(text, text, text, bigint, text), private.import_twice(text, int, int), private.import_plan_employees(uuid, jsonb),
  private.import_plan_skills(uuid, jsonb), private.import_plan_allocations(uuid, jsonb),
  private.import_write_employees(uuid, private.import_line[]), private.import_write_skills(uuid, private.import_line[]),
  private.import_write_allocations(uuid, private.import_line[]), private.import_plan(uuid, text, jsonb),
  private.import_people(uuid, uuid, text, jsonb, boolean, boolean) from public, anon, authenticated, service_role;
