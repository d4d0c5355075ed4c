-- import_people(): what becomes of the lines of a file of people, of their skills and of their allocations.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('ada', 'mia', 'eve');
create temp table w on commit drop as
select pg_temp.try_as('ada', $$ select (create_workspace('Team')).id $$)::uuid as id, pg_temp.try_as('eve', $$ select (create_workspace('Other')).id $$)::uuid as other;
insert into workspace_members (workspace_id, user_id, role) select w.id, pg_temp.person('mia'), 'member' from w;
insert into teams (workspace_id, name) select w.id, 'Field' from w;
insert into working_calendars (workspace_id, name, hours) select w.id, 'Mornings', '{4,4,4,4,4,0,0}' from w;
insert into skills (workspace_id, key, label) select w.id, k, k from w, unnest('{roofing,react}'::text[]) k;
insert into skill_aliases (workspace_id, alias, skill_key) select w.id, 'reactjs', 'react' from w;
insert into employees (workspace_id, name, external_id, email) select w.other, 'Foreign', 'x-1', 'foreign@b.test' from w;

-- Lines as the function sends them: the header is line 1.
create function pg_temp.lines(variadic cells jsonb[]) returns jsonb language sql as $$
  select jsonb_agg(jsonb_build_object('line', n + 1, 'cells', c) order by n) from unnest(cells) with ordinality u (c, n)
$$;
create function pg_temp.import(kind text, rows jsonb, write boolean default true, skip boolean default false, who text default 'ada')
returns jsonb language sql as $$
  select private.import_people(pg_temp.person(who), (select id from w), kind, rows, write, skip)
$$;
create function pg_temp.counts(answer jsonb) returns text language sql as $$
  select concat_ws(' ', answer ->> 'inserted', answer ->> 'updated', answer ->> 'unchanged', answer ->> 'written')
$$;
create function pg_temp.faults(answer jsonb) returns text language sql as $$
  select string_agg(concat_ws(' ', e ->> 'line', e ->> 'column', e ->> 'message'), ' | ' order by n)
  from jsonb_array_elements(answer -> 'errors') with ordinality u (e, n)
$$;
create function pg_temp.people() returns bigint language sql as $$ select count(*) from employees e join w on e.workspace_id = w.id $$;

-- Who may -------------------------------------------------------------------------------------------------------------------
select throws_ok($$ select pg_temp.import('employees', '[]', who => 'mia') $$, 'PC002', null, 'a member imports nothing');
select throws_ok($$ select pg_temp.import('employees', '[]', who => 'eve') $$, 'PC001', null, 'for a stranger there is no such workspace');
select is(pg_temp.try_as('ada', $$ select private.import_people(null, null, 'skills', '[]', true, false) $$), '42501', 'nobody calls it but the function');
select is(pg_temp.counts(pg_temp.import('employees', '[]')), '0 0 0 true', 'no line is no change');

-- People --------------------------------------------------------------------------------------------------------------------
create function pg_temp.two() returns jsonb language sql as $$ select pg_temp.lines(
  '{"name":"Ann Ash","external_id":"1","email":"ann@a.test","team":"field","calendar":"MORNINGS","fte":0.5,"employed_from":"2026-01-01"}',
  '{"name":"Bo Birch","external_id":"2","email":null}') $$;
select is(pg_temp.counts(pg_temp.import('employees', pg_temp.two(), write => false)), '2 0 0 false', 'a dry run says what would be');
select is(pg_temp.people(), 0::bigint, 'and writes nothing');
select is(pg_temp.counts(pg_temp.import('employees', pg_temp.two())), '2 0 0 true', 'two people');
select results_eq(
  $$ select e.name, t.name, c.name, e.fte, e.employed_from, e.created_by from employees e join w on w.id = e.workspace_id
     left join teams t on t.id = e.team_id left join working_calendars c on c.id = e.working_calendar_id order by 1 $$,
  $$ values ('Ann Ash', 'Field', 'Mornings', 0.500, '2026-01-01'::date, pg_temp.person('ada')), ('Bo Birch', null, null, 1.000, current_date, pg_temp.person('ada')) $$,
  'with their team and calendar; what is left out takes the default');
select is(pg_temp.counts(pg_temp.import('employees', pg_temp.two())), '0 0 2 true', 'the same file again changes nothing');
select is(pg_temp.counts(pg_temp.import('employees', pg_temp.lines('{"external_id":"1","name":"Ann Elm","email":"ann@a.test"}'))), '0 1 0 true', 'another name is a change');
select is((select e.fte from employees e where e.external_id = '1'), 0.500, 'a column that is not in the file stays');
select is(pg_temp.counts(pg_temp.import('employees', pg_temp.lines('{"name":"Ann Elm","email":"ann@a.test","team":null}'))), '0 1 0 true', 'an empty cell empties');
select is((select e.team_id from employees e where e.external_id = '1'), null, 'and the e-mail alone finds the person');
update employees set deleted_at = now() where external_id = '2';
select is(pg_temp.counts(pg_temp.import('employees', pg_temp.lines('{"name":"Bo Birch","external_id":"2"}'))), '0 1 0 true', 'who was deleted comes back');
select is((select deleted_at from employees e where e.external_id = '2'), null, 'alive');
update employees set deleted_at = now(), email = 'bo@c.test' where external_id = '2';
insert into employees (workspace_id, name, external_id, email) select w.id, 'Bea', 'bea', 'bo@c.test' from w;
select is(pg_temp.faults(pg_temp.import('employees', pg_temp.lines('{"name":"Bo Birch","external_id":"2"}'))), '2 email This person was deleted, and Bea has the address bo@c.test now. Give another, or an empty cell.', 'but not with an address that somebody else has by now');
select is(pg_temp.counts(pg_temp.import('employees', pg_temp.lines('{"name":"Bo Birch","external_id":"2","email":null}'))), '0 1 0 true', 'without it they do');
delete from employees where external_id = 'bea' and workspace_id = (select id from w);

insert into employees (workspace_id, name, external_id) select w.id, n.name, n.id from w, (values ('Numbered', 'E-17'), ('E-17', 'e-18')) n (name, id);
select results_eq($$ select n.id = e.id, n.matches from w cross join private.import_named(w.id, 'employee', '{E-17}') n join employees e on e.workspace_id = w.id and e.external_id = 'E-17' $$,
  $$ values (true, 1::bigint) $$, 'an external id is meant as it is written, and before a name');
delete from employees where external_id in ('E-17', 'e-18') and workspace_id = (select id from w);
create function pg_temp.wrong_people() returns jsonb language sql as $$ select pg_temp.lines(
  '{"name":"Cy Cedar","external_id":"3"}',
  '{"name":"Di","external_id":"3"}',
  '{"name":"Ed","external_id":"5","email":"e@a.test"}',
  '{"name":"Ed too","external_id":"6","email":"e@a.test"}',
  '{"name":"Flo","external_id":"7","email":"ann@a.test"}',
  '{"name":"Ann","external_id":"2","email":"ann@a.test"}',
  '{"name":"Gil","external_id":"8","team":"Nobody","calendar":"Never"}',
  '{"name":"Ann","external_id":"1","employed_to":"2025-12-31"}',
  '{"name":"Ann","email":"ann@a.test"}',
  '{"name":"Like a foreigner","external_id":"x-1","email":"foreign@b.test"}') $$;
select is(pg_temp.faults(pg_temp.import('employees', pg_temp.wrong_people(), write => false)), concat_ws(' | ',
  '3 external_id This is on line 2 already.',
  '5 email This is on line 4 already.',
  '6 email Another person has this address.',
  '7 email This is on line 6 already.',
  '7 email Another person has this address.',
  '8 team There is no team "Nobody".',
  '8 calendar There is no calendar "Never".',
  '9 external_id This is the same person as on line 6.',
  '9 employed_to Employment cannot end before it begins.',
  '10 email This is on line 6 already.'), 'each line has its own faults');
select is(pg_temp.counts(pg_temp.import('employees', pg_temp.wrong_people())), '3 0 0 false', 'with one fault nothing is written');
select is(pg_temp.people(), 2::bigint, 'nothing at all');
select is(pg_temp.counts(pg_temp.import('employees', pg_temp.wrong_people(), skip => true)), '3 0 0 true', 'unless the good lines are wanted');
select results_eq($$ select e.external_id from employees e join w on w.id = e.workspace_id order by 1 $$, $$ values ('1'), ('2'), ('3'), ('5'), ('x-1') $$,
  'then those are written, and other workspaces are not looked at');
select is(pg_temp.faults(pg_temp.import('employees', pg_temp.lines('{"name":"A","external_id":"1"}', '{"name":"A","email":"ann@a.test"}'), write => false)),
  '3 email This is the same person as on line 2.', 'one person under two names of the file is found out');

-- Skills --------------------------------------------------------------------------------------------------------------------
create function pg_temp.skills_of(who text) returns text language sql as $$
  select string_agg(concat_ws(' ', s.skill_key, s.level, s.years, case when s.is_primary then 'first' end), ', ' order by s.skill_key)
  from employee_skills s join employees e on e.id = s.employee_id join w on w.id = e.workspace_id where e.external_id = who
$$;
select is(pg_temp.counts(pg_temp.import('skills', pg_temp.lines(
  '{"employee":"1","skill":"ReactJS","level":"senior","years":3.5}', '{"employee":"ann@a.test","skill":"Roofing","is_primary":true}',
  '{"employee":"bo birch","skill":"roofing"}'))), '3 0 0 true', 'people by id, e-mail and name; skills in any spelling');
select is(pg_temp.skills_of('1'), 'react senior 3.5, roofing first', 'the primary skill is the one that was named');
select is(pg_temp.skills_of('2'), 'roofing first', 'or the first');
select is(pg_temp.counts(pg_temp.import('skills', pg_temp.lines('{"employee":"1","skill":"react","level":"lead","is_primary":true}',
  '{"employee":"1","skill":"roofing","years":2}', '{"employee":"2","skill":"roofing"}'))), '0 2 1 true', 'changes are told from what stays');
select is(pg_temp.skills_of('1'), 'react lead 3.5 first, roofing 2.0', 'the mark moved, the years stayed');
select is(pg_temp.counts(pg_temp.import('skills', pg_temp.lines('{"employee":"1","skill":"react","is_primary":false}'))), '0 0 1 true', 'no is no word on it');
select is(pg_temp.skills_of('1'), 'react lead 3.5 first, roofing 2.0', 'a person always has a primary skill');
insert into employees (workspace_id, name) select w.id, n from w, unnest('{Twin,twin}'::text[]) n;
select is(pg_temp.faults(pg_temp.import('skills', pg_temp.lines('{"employee":"nobody","skill":"react"}', '{"employee":"1","skill":"juggling"}',
  '{"employee":"2","skill":"react"}', '{"employee":"Bo Birch","skill":"reactjs"}', '{"employee":"Twin","skill":"react"}',
  '{"employee":"3","skill":"react","is_primary":true}', '{"employee":"3","skill":"roofing","is_primary":true}', '{"employee":"foreign@b.test","skill":"react"}'),
  write => false)), concat_ws(' | ',
  '2 employee There is no person "nobody".',
  '3 skill There is no skill "juggling".',
  '5 skill This is on line 4 already.',
  '6 employee "Twin" is the name of 2 persons: use the external id or the e-mail.',
  '8 is_primary A person has one primary skill; line 7 names one already.'), 'faults of skills');

-- Allocations ---------------------------------------------------------------------------------------------------------------
insert into crm_projects (workspace_id, name) select w.id, n from w, unnest('{Barn,Hall,hall}'::text[]) n;
insert into crm_projects (workspace_id, name) select w.other, 'Theirs' from w;
insert into pipeline_projects (workspace_id, name, crm_id) select w.id, 'Roof', '006A' from w;
create function pg_temp.allocations() returns text language sql as $$
  select string_agg(concat_ws(' ', e.external_id, coalesce(p.name, d.name, '-'), a.start_date, a.end_date, a.percentage, a.status), ', ' order by e.external_id, a.start_date, p.name)
  from employee_allocations a join employees e on e.id = a.employee_id join w on w.id = a.workspace_id
  left join crm_projects p on p.id = a.crm_project_id left join pipeline_projects d on d.id = a.pipeline_project_id
$$;
select is(pg_temp.counts(pg_temp.import('allocations', pg_temp.lines(
  '{"employee":"1","project":"barn","start_date":"2026-03-02","end_date":"2026-03-06","percentage":60}',
  '{"employee":"1","deal":"006A","start_date":"2026-03-02","percentage":60}',
  '{"employee":"2","start_date":"2026-03-02","status":"tentative"}'))), '3 0 0 true', 'time promised to a project, to a deal and to nothing in particular');
select is(pg_temp.allocations(), '1 Barn 2026-03-02 2026-03-06 60 firm, 1 Roof 2026-03-02 60 firm, 2 - 2026-03-02 100 tentative',
  'more than a day''s hours is a finding, no error');
select is(pg_temp.counts(pg_temp.import('allocations', pg_temp.lines(
  '{"employee":"1","project":"barn","start_date":"2026-03-02","end_date":"2026-03-13","percentage":60}',
  '{"employee":"1","deal":"roof","start_date":"2026-03-02","percentage":60}',
  '{"employee":"2","start_date":"2026-03-09","status":"tentative"}'))), '1 1 1 true', 'known ones are found by person, work and first day');
select is(pg_temp.faults(pg_temp.import('allocations', pg_temp.lines('{"employee":"9","project":"Nowhere","start_date":"2026-03-02"}',
  '{"employee":"1","project":"hall","start_date":"2026-03-02"}', '{"employee":"1","project":"Theirs","start_date":"2026-03-02"}',
  '{"employee":"1","deal":"none","start_date":"2026-03-02"}', '{"employee":"2","start_date":"2026-04-02"}', '{"employee":"2","start_date":"2026-04-02"}',
  '{"employee":"2","start_date":"2026-05-02","end_date":"2026-05-01"}'), write => false)), concat_ws(' | ',
  '2 employee There is no person "9".', '2 project There is no project "Nowhere".',
  '3 project "hall" is the name of 2 projects: use its id.',
  '4 project There is no project "Theirs".',
  '5 deal There is no deal "none".',
  '7 start_date This is on line 6 already.',
  '8 end_date An allocation cannot end before it begins.'), 'faults of allocations');

select * from finish();
rollback;
