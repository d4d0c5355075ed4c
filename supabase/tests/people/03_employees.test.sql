-- People: who may write what about whom, and the one skill under which a person counts.

\ir fixture.psql

select is(pg_temp.try_as('member', format($$ insert into employees (workspace_id, name) values (%L, 'New') $$, (select id from w))), '1 rows', 'a member adds a person');
select is(pg_temp.try_as('viewer', format($$ insert into employees (workspace_id, name) values (%L, 'New') $$, (select id from w))), '42501', 'a viewer does not');
select throws_ok(format('insert into employees (workspace_id, name, %s) select id, ''X'', %s from w', col, value), '23514', null, format('no person: %s %s', col, value))
from (values ('fte', '0'), ('fte', '1.2'), ('fte', '''NaN'''), ('email', '''UPPER@x.test'''), ('email', '''nobody'''), ('employed_from, employed_to', '''2026-02-01'', ''2026-01-31'''), ('employed_from', '''infinity''')) v (col, value);
select lives_ok($$ insert into employees (workspace_id, name, employed_from, employed_to) select id, 'One day', '2026-02-01', '2026-02-01' from w $$, 'somebody for one day');
select lives_ok($$ insert into employees (workspace_id, name, email) select id, 'A', 'a@x.test' from w $$, 'an e-mail address');
select throws_ok($$ insert into employees (workspace_id, name, email) select id, 'B', 'a@x.test' from w $$, '23505', null, 'is one person''s');
update employees set deleted_at = now() where email = 'a@x.test';
select lives_ok($$ insert into employees (workspace_id, name, email) select id, 'B', 'a@x.test' from w $$, 'until that one is gone');

-- Nothing of another workspace.
create temp table lair on commit drop as select id from workspaces where created_by = pg_temp.person('outsider');
select pg_temp.hire('Ada', 'react', 'senior');
select throws_ok($$ insert into employees (workspace_id, name, working_calendar_id) select w.id, 'X', s.default_calendar_id from w, lair l join planning_settings s on s.workspace_id = l.id $$, '23503', null, 'a calendar of strangers');
insert into teams (workspace_id, name) select id, 'Theirs' from lair;
select throws_ok($$ insert into employees (workspace_id, name, team_id) select w.id, 'X', t.id from w, teams t where t.name = 'Theirs' $$, '23503', null, 'a team of strangers');
select throws_ok($$ insert into employee_skills (workspace_id, employee_id, skill_key) select lair.id, pg_temp.employee('Ada'), 'react' from lair $$, '23503', null, 'a person of strangers');
select throws_ok($$ insert into employee_skills (workspace_id, employee_id, skill_key) select id, pg_temp.employee('Ada'), 'cobol' from w $$, '23503', 'There is no skill "cobol".', 'a skill that nobody knows');
select is(pg_temp.try_as('outsider', format($$ insert into employee_skills (workspace_id, employee_id, skill_key) values (%L, %L, %L) $$, (select id from w), pg_temp.employee('Ada'), skill)), '42501', 'strangers do not learn whether there is ' || skill) from unnest('{vue,cobol}'::text[]) skill;
select throws_ok($$ insert into employee_skills (workspace_id, employee_id, skill_key, level) select id, pg_temp.employee('Ada'), 'vue', 'guru' from w $$, '23514', null, 'a level that nobody knows');
update employee_skills set level = 'Mid-Level' where employee_id = pg_temp.employee('Ada');
select is((select level from employee_skills where employee_id = pg_temp.employee('Ada')), 'mid', 'a level in any usual spelling');
update employee_skills set level = 'Sr.' where employee_id = pg_temp.employee('Ada');
select throws_ok($$ insert into employee_skills (workspace_id, employee_id, skill_key, years) select id, pg_temp.employee('Ada'), 'vue', 61 from w $$, '23514', null, 'sixty-one years');
select throws_ok($$ insert into employee_skills (workspace_id, employee_id, skill_key, years) select id, pg_temp.employee('Ada'), 'vue', 'NaN' from w $$, '23514', null, 'years that are no number');

-- One primary skill.
create function pg_temp.primary_of(who text) returns text language sql as $$ select string_agg(skill_key, ',') from employee_skills where employee_id = pg_temp.employee(who) and is_primary $$;
select is(pg_temp.primary_of('Ada'), 'react', 'the first skill is the primary one');
insert into employee_skills (workspace_id, employee_id, skill_key, level) select id, pg_temp.employee('Ada'), s, 'mid' from w, unnest('{Vue,golang}'::text[]) s;
select is(pg_temp.primary_of('Ada'), 'react', 'and stays it when more come');
update employee_skills set is_primary = true where employee_id = pg_temp.employee('Ada') and skill_key = 'vue';
select is(pg_temp.primary_of('Ada'), 'vue', 'until another is made it');
update employee_skills set is_primary = false where employee_id = pg_temp.employee('Ada');
select isnt(pg_temp.primary_of('Ada'), null, 'there is always one');
select is((select count(*) from employee_skills where employee_id = pg_temp.employee('Ada') and is_primary), 1::bigint, 'and only one');
update employee_skills set is_primary = true where employee_id = pg_temp.employee('Ada') and skill_key = 'vue';
delete from employee_skills where employee_id = pg_temp.employee('Ada') and skill_key = 'vue';
select is(pg_temp.primary_of('Ada'), 'react', 'where it goes the best of the others follows');
-- An upsert that leaves alone what is there already, as supabase-js sends it with ignoreDuplicates.
insert into employee_skills (workspace_id, employee_id, skill_key, is_primary) select id, pg_temp.employee('Ada'), 'go', true from w on conflict do nothing;
select is(pg_temp.primary_of('Ada'), 'react', 'what is not inserted moves no mark');
insert into employee_skills (workspace_id, employee_id, skill_key, is_primary) select id, pg_temp.employee('Ada'), 'go', true from w
on conflict (workspace_id, employee_id, skill_key) do update set is_primary = excluded.is_primary;
select is(pg_temp.primary_of('Ada'), 'go', 'what is merged does');
update employee_skills set is_primary = true where employee_id = pg_temp.employee('Ada') and skill_key = 'react';
select pg_temp.hire('Bo', 'vue');
select throws_ok($$ update employee_skills set employee_id = pg_temp.employee('Bo') where employee_id = pg_temp.employee('Ada') and is_primary $$, 'PC004', 'A skill stays with its person.', 'a skill is not handed on');
select pg_temp.hire('Twin');
insert into employee_skills (workspace_id, employee_id, skill_key) select id, pg_temp.employee('Twin'), s from w, unnest('{react,vue,go}'::text[]) s;
select is((select count(*) from employee_skills where employee_id = pg_temp.employee('Twin') and is_primary), 1::bigint, 'also when several come at once');
select lives_ok($$ delete from employees where id = pg_temp.employee('Twin') $$, 'who goes takes their skills along');

-- What is mine.
update employees set user_id = pg_temp.person('member'), created_by = null where id = pg_temp.employee('Ada');
select is(pg_temp.try_as('member', format($$ update employees set title = 'Engineer' where id = %L $$, pg_temp.employee('Ada'))), '1 rows', 'a member edits the row that is them');
select is(pg_temp.try_as('member', format($$ update employee_skills set years = 9 where employee_id = %L and skill_key = 'react' $$, pg_temp.employee('Ada'))), '1 rows', 'and what they can do, whoever wrote it');
select pg_temp.hire('Bob', 'go');
select is(pg_temp.try_as('member', format($$ update employee_skills set years = 9 where employee_id = %L $$, pg_temp.employee('Bob'))), '0 rows', 'but not what others can do');
select is(pg_temp.try_as('member', format($$ delete from employee_skills where employee_id = %L $$, pg_temp.employee('Bob'))), '0 rows', 'nor take it away');
select is(pg_temp.try_as('admin', format($$ update employee_skills set years = 9 where employee_id = %L $$, pg_temp.employee('Bob'))), '1 rows', 'an admin does');
select is(pg_temp.try_as('outsider', format($$ select count(*) from employees where workspace_id = %L $$, (select id from w))), '0', 'strangers see nobody');
delete from workspace_members where user_id = pg_temp.person('member') and workspace_id = (select id from w);
select is((select user_id from employees where id = pg_temp.employee('Ada')), null, 'who leaves the workspace is still planned with');

select * from finish();
rollback;
