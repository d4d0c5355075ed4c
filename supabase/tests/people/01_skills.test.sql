-- Skills: one list, many spellings, no name with two meanings.

\ir fixture.psql

select is(private.spelling(name), spelled, format('%L is written %L', name, spelled))
from (values ('React', 'react'), (' React.JS ', 'react.js'), ('C++', 'c++'), ('C#', 'c#'), ('.NET', '.net'), ('Node JS', 'node_js'), ('data-science', 'data_science'), ('Möbelbau', 'möbelbau'), (U&'Mo\0308belbau', 'möbelbau'), ('React 上級', 'react_上級'), ('日本語', '日本語'), ('Ｒｅａｃｔ', 'react'), ('Плотник – старший', 'плотник_старший'), (U&'a\00a0b', 'a_b'), ('  ', ''), (null, null)) s (name, spelled);

select is(private.skill_key((select id from w), name), key, format('%L is %s', name, coalesce(key, 'no skill')))
from (values ('react', 'react'), ('REACT', 'react'), ('ReactJS', 'react'), ('reactjs', 'react'), ('Golang', 'go'), ('C++', 'c++'), ('c#', 'c#'), ('c', null), ('React 上級', null), ('cobol', null), ('', null), (null, null)) s (name, key);

-- Who writes the list.
select is(pg_temp.try_as('admin', format($$ insert into skills (workspace_id, key, label) values (%L, 'rust', 'Rust') $$, (select id from w))), '1 rows', 'an admin adds a skill');
select is(pg_temp.try_as('member', format($$ insert into skills (workspace_id, key, label) values (%L, 'zig', 'Zig') $$, (select id from w))), '42501', 'a member does not');
select is((select category from skills where key = 'rust' and workspace_id = (select id from w)), 'other', 'without a category it is among the others');
select throws_ok($$ insert into skills (workspace_id, key, label) select id, 'Not A Key', 'X' from w $$, '23514', null, 'a key has the one spelling');
select throws_ok($$ insert into skills (workspace_id, key, label) select id, '', 'X' from w $$, '23514', null, 'and is not empty');
select throws_ok($$ insert into skills (workspace_id, key, label) select id, 'react', 'X' from w $$, '23505', null, 'a skill is there once');

-- One name, one skill.
select throws_ok($$ insert into skill_aliases (workspace_id, alias, skill_key) select id, 'vue', 'react' from w $$, 'PC008', null, 'a key is no other name of another skill');
select throws_ok($$ insert into skills (workspace_id, key, label) select id, 'golang', 'Golang' from w $$, 'PC008', null, 'nor does an alias become a key');
select throws_ok($$ insert into skill_aliases (workspace_id, alias, skill_key) select id, 'golang', 'react' from w $$, '23505', null, 'an alias means one skill');
select throws_ok($$ insert into skill_aliases (workspace_id, alias, skill_key) select id, 'zz', 'nothing' from w $$, '23503', null, 'of those there are');
select throws_ok($$ insert into skill_aliases (workspace_id, alias, skill_key) select id, 'Go Lang', 'go' from w $$, '23514', null, 'written as keys are');

-- A new key.
select pg_temp.hire('Ada', 'golang', 'senior');
update skills set key = 'go_lang' where key = 'go' and workspace_id = (select id from w);
select is((select skill_key from employee_skills where workspace_id = (select id from w)), 'go_lang', 'a renamed key takes people along');
select is(private.skill_key((select id from w), 'Go'), 'go_lang', 'the old one goes on meaning it');
select is(private.skill_key((select id from w), 'golang'), 'go_lang', 'and so do its aliases');
update skills set key = 'go' where key = 'go_lang' and workspace_id = (select id from w);
select is(private.skill_key((select id from w), 'go_lang'), 'go', 'and back again');
-- What is in use stays, and says where.
select pg_temp.deal('Roof'), pg_temp.ask('Roof', 'c#', 1, 100, '{"alternatives": ["vue"]}');
select throws_ok(format('delete from skills where key = %L and workspace_id = (select id from w)', skill), '23503', sentence, skill || ' is not deleted')
from (values ('go', 'The skill "go" is in use (people: 1, demands: 0).'),
  ('c#', 'The skill "c#" is in use (people: 0, demands: 1).'),
  ('vue', 'The skill "vue" is in use (people: 0, demands: 1).')) s (skill, sentence);
update skills set key = 'vue.js' where key = 'vue' and workspace_id = (select id from w);
select throws_ok($$ delete from skills where key = 'vue.js' and workspace_id = (select id from w) $$, '23503', null, 'nor an alternative that was renamed');
delete from pipeline_projects where name = 'Roof';
select lives_ok($$ delete from skills where key in ('vue.js', 'c#') and workspace_id = (select id from w) $$, 'what nobody names is');
select lives_ok($$ delete from workspaces where id = (select id from w) $$, 'and all goes with its workspace');

select * from finish();
rollback;
