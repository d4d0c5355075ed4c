-- Who could take a place: the points of _shared/planning/people/match.ts times the share of free hours, worked out by hand.
-- 2026-03-02 is a Monday.

\ir fixture.psql

select pg_temp.hire(p.who, p.skill, p.level) from (values ('Ada', 'react', 'senior'), ('Lea', 'react', 'lead'), ('Mia', 'react', 'mid'), ('Jun', 'react', 'junior'), ('Unk', 'react', null), ('Vera', 'vue', 'senior'), ('Gina', 'go', 'lead'), ('Busy', 'react', 'senior'), ('Away', 'react', 'senior'), ('Chris', 'c#', 'senior')) p (who, skill, level);
insert into employee_skills (workspace_id, employee_id, skill_key, level) select id, pg_temp.employee('Chris'), 'vue', 'mid' from w;
select pg_temp.promise('Busy', '2026-03-01', null, 50), pg_temp.away('Away', '2026-03-01', '2026-03-15');
select pg_temp.deal('Shop');
create temp table line on commit drop as select pg_temp.ask('Shop', 'react', 2, 100, '{"experience_level": "senior", "alternatives": ["vue", "go"]}') as id;

create function pg_temp.ranked(who text default 'viewer', most int default 20) returns text language sql as $$
  select pg_temp.try_as(who, format($q$ select string_agg(format('%%s %%s×%%s=%%s', name, match, trim_scale(free_share), score), ', ' order by score desc, match desc, name) from staffing_candidates(%L, %s) $q$, (select id from line), most))
$$;
select is(pg_temp.ranked(), 'Ada 100×1=100, Lea 95×1=95, Vera 80×1=80, Mia 75×1=75, Unk 75×1=75, Gina 70×1=70, Chris 55×1=55, Busy 100×0.5=50, Away 100×0=0',
  'exact, one above, first alternative, one below, unknown, second alternative one above, alternative one below, half free, away; a junior for a senior is nobody');
select is(pg_temp.ranked(most => 2), 'Ada 100×1=100, Lea 95×1=95', 'the best two');
select is(pg_temp.try_as('viewer', format($$ select format('%%s %%s of %%s', skill_key, trim_scale(free_hours), trim_scale(asked_hours)) from staffing_candidates(%L) where name = 'Busy' $$, (select id from line))), 'react 40 of 80', 'half free for two weeks of forty hours');
update pipeline_resource_demands set allocation_percentage = 50 where id = (select id from line);
select is(pg_temp.try_as('viewer', format($$ select score from staffing_candidates(%L) where name = 'Busy' $$, (select id from line))), '100', 'half a day is all that half a place asks');
select pg_temp.promise('Ada', '2026-03-02', '2026-03-08', 100), pg_temp.promise('Ada', '2026-03-02', '2026-03-08', 100);
select is(pg_temp.try_as('viewer', format($$ select trim_scale(free_share) from staffing_candidates(%L) where name = 'Ada' $$, (select id from line))), '0.5', 'a week with too much in it does not eat up the next');
-- A demand for Friday only: whoever is away on Friday is not free for it, however free Monday is.
update pipeline_resource_demands set start_date = '2026-03-06', end_date = '2026-03-09' where id = (select id from line);
select pg_temp.away('Lea', '2026-03-06', '2026-03-06'), pg_temp.away('Vera', '2026-03-03', '2026-03-05');
select is(pg_temp.try_as('viewer', format($$ select string_agg(format('%%s %%s of %%s', name, trim_scale(free_hours), trim_scale(asked_hours)), ', ' order by name) from staffing_candidates(%L) where name in ('Lea', 'Vera') $$, (select id from line))), 'Lea 4 of 8, Vera 8 of 8', 'of a week that is cut its days count');
delete from employee_time_off where employee_id in (pg_temp.employee('Lea'), pg_temp.employee('Vera'));
update pipeline_resource_demands set start_date = null, end_date = null where id = (select id from line);
update pipeline_resource_demands set experience_level = null where id = (select id from line);
select is(pg_temp.try_as('viewer', format($$ select match from staffing_candidates(%L) where name = 'Jun' $$, (select id from line))), '100', 'who asks for no level takes any');
update pipeline_resource_demands set skill_key = null, alternatives = '[]', experience_level = 'mid' where id = (select id from line);
select is(pg_temp.try_as('viewer', format($$ select string_agg(name || ' ' || match, ', ' order by name) from staffing_candidates(%L) where name in ('Vera', 'Chris', 'Gina') $$, (select id from line))), 'Chris 100, Vera 95', 'of a category everybody of it');
update employees set deleted_at = now() where name = 'Vera';
select is(pg_temp.try_as('viewer', format($$ select count(*) from staffing_candidates(%L) where name = 'Vera' $$, (select id from line))), '0', 'but nobody who is gone');

-- Demands without days, without an end, of no days.
update pipeline_projects set estimated_start_date = null where name = 'Shop';
select is(pg_temp.try_as('viewer', format($$ select min(asked_hours) between 1 and 1040 from staffing_candidates(%L) $$, (select id from line))), 'true', 'without a beginning it could begin today, and a year is looked at');
update pipeline_projects set estimated_start_date = '2026-03-02', estimated_duration = null where name = 'Shop';
select is(pg_temp.try_as('viewer', format($$ select trim_scale(min(asked_hours)) from staffing_candidates(%L) $$, (select id from line))), '1040', 'without an end a year is looked at: 52 weeks of twenty hours');
update pipeline_projects set estimated_duration = 0 where name = 'Shop';
select is(pg_temp.try_as('viewer', format($$ select max(score) || ' ' || trim_scale(max(asked_hours)) from staffing_candidates(%L) $$, (select id from line))), '0 0', 'of no days nothing is asked');

select is(pg_temp.ranked(who), 'PC001', who || ' asks about a demand of others') from unnest('{outsider}'::text[]) who;
select is(pg_temp.try_as('owner', $$ select count(*) from staffing_candidates(gen_random_uuid()) $$), 'PC001', 'a demand that there is not');
select is(pg_temp.ranked('anon'), '42501', 'nobody asks without signing in');
select is(pg_temp.try_as('owner', format($$ select count(*) from staffing_candidates(%L, %s) $$, (select id from line), most)), 'PC004', format('%s people', most)) from unnest('{0,201,"null"}'::text[]) most;

select * from finish();
rollback;
