-- Availability scores: when they are old, who is asked to work them out, what is read for it and what is kept.

\ir ../fixtures/people.psql
\ir ../fixtures/deals.psql
\ir ../fixtures/forecast_calls.psql

select no_plan();

insert into skills (workspace_id, key, label, category) select w.id, s.* from w, (values ('react', 'React', 'web'), ('vue', 'Vue', 'web'), ('sql', 'SQL', 'data')) s;
create temp table d on commit drop as
select 'Bridge' as name, pg_temp.deal('Bridge', '{"stage": "proposal", "estimated_start_date": "2099-01-05", "estimated_duration": 14}', 'mia', '[{"skill_key": "react"}]') as id
union all select 'Roof', pg_temp.deal('Roof', '{"stage": "proposal"}')
union all select 'Won', pg_temp.deal('Won', '{"stage": "won"}', 'mia', '[{"skill_key": "react"}]');
create function pg_temp.id(deal text) returns uuid language sql as $$ select id from d where name = deal $$;
create function pg_temp.stale() returns text language sql as $$
  select coalesce(string_agg(d.name, ' ' order by d.name), 'none') from pipeline_availability a join d on d.id = a.pipeline_project_id where a.stale
$$;
create function pg_temp.mark() returns text language plpgsql as $$ begin perform private.mark_availability(); return pg_temp.stale(); end $$;
create function pg_temp.score(deal text, score int default 50, read_at timestamptz default clock_timestamp()) returns void language sql as $$
  select private.keep_availability((select id from w), jsonb_agg(jsonb_build_object('pipeline_project_id', p.id, 'score', score, 'reasons', '["why"]'::jsonb, 'lines', '[]'::jsonb,
    'proven', true, 'start_date', p.estimated_start_date, 'duration', p.estimated_duration)), read_at)
  from pipeline_projects p where p.id = pg_temp.id(deal)
$$;

-- When a score is old ------------------------------------------------------------------------------------------------------

select is(pg_temp.mark(), 'Bridge', 'an open deal that asks for somebody waits for its score');
select pg_temp.score('Bridge');
select is(pg_temp.stale(), 'none', 'and has it');
select is((select score || ' ' || (reasons ->> 0) from pipeline_availability where pipeline_project_id = pg_temp.id('Bridge')), '50 why', 'with the reason');
select is(pg_temp.mark(), 'none', 'it stays as long as nothing happens');
update pipeline_projects set description = 'wider' where id = pg_temp.id('Bridge');
select is(pg_temp.mark(), 'none', 'or nothing that it depends on');
update pipeline_projects set estimated_start_date = '2099-02-02' where id = pg_temp.id('Bridge');
select is(pg_temp.mark(), 'Bridge', 'a deal that is moved is looked at again');
select pg_temp.score('Bridge');
update pipeline_resource_demands set required_count = 2 where pipeline_project_id = pg_temp.id('Bridge');
select is(pg_temp.mark(), 'Bridge', 'and one that asks for more');
select pg_temp.score('Bridge');
create temp table e on commit drop as select pg_temp.try_as('mia', format($$ insert into employees (workspace_id, name, employed_from) values (%L, 'Ada', '2020-01-01') returning id $$, (select id from w)))::uuid as id;
select is(pg_temp.mark(), 'Bridge', 'and all when somebody comes');
select pg_temp.score('Bridge');
select pg_temp.try_as('mia', format($$ insert into employee_skills (workspace_id, employee_id, skill_key, level) values (%L, %L, 'vue', 'senior') $$, (select id from w), (select id from e)));
select is(pg_temp.mark(), 'Bridge', 'or learns something');
select pg_temp.score('Bridge');
select pg_temp.try_as('mia', format($$ insert into employee_allocations (workspace_id, employee_id, start_date, percentage) values (%L, %L, '2020-01-01', 50) $$, (select id from w), (select id from e)));
select is(pg_temp.mark(), 'Bridge', 'or is promised to something');
select pg_temp.score('Bridge');
update pipeline_resource_demands set required_count = 1 where pipeline_project_id = pg_temp.id('Won');
select is(pg_temp.mark(), 'none', 'a deal that is won has no score to work out');

update skills set category = 'data' where workspace_id = (select id from w) and key = 'vue';
select is(pg_temp.mark(), 'Bridge', 'a skill that moves to another category can decide who matches');
select pg_temp.score('Bridge');
update skills set category = 'web' where workspace_id = (select id from w) and key = 'vue';
select pg_temp.mark(), pg_temp.score('Bridge');

-- On hold nobody keeps its score; back among the open ones it is looked at again.
update pipeline_projects set stage_key = 'on_hold' where id = pg_temp.id('Bridge');
select is(pg_temp.mark(), 'none', 'a deal on hold waits for nothing');
update pipeline_resource_demands set required_count = 3 where pipeline_project_id = pg_temp.id('Bridge');
select is(pg_temp.mark(), 'none', 'whatever changes');
update pipeline_projects set stage_key = 'proposal' where id = pg_temp.id('Bridge');
select is(pg_temp.mark(), 'Bridge', 'but when it comes back its score is old');
select pg_temp.score('Bridge');

-- Read, changed, noticed, kept: the score is that of before the change.
create temp table read on commit drop as select clock_timestamp() as at;
update pipeline_resource_demands set required_count = 2 where pipeline_project_id = pg_temp.id('Bridge');
select pg_temp.mark(), pg_temp.score('Bridge', 60, (select at from read));
select is(pg_temp.stale() || ' ' || (select score from pipeline_availability where pipeline_project_id = pg_temp.id('Bridge')), 'Bridge 60', 'a score from before a change is shown, and stays old');
select pg_temp.score('Bridge');

-- Who works it out ---------------------------------------------------------------------------------------------------------

insert into employee_time_off (workspace_id, employee_id, start_date, end_date) select w.id, e.id, '2099-01-01', '2099-01-02' from w, e;
select is(private.forecast_sweep() ->> 'availability', '1', 'the sweep calls a worker for the workspace');
select is((select body ->> 'availability' from sent where body ? 'availability'), (select id::text from w), 'by name');
select is(private.forecast_sweep() ->> 'availability', '0', 'and gives it its time');
select is(private.stale_availability((select id from w), 10), array[pg_temp.id('Bridge')], 'the worker finds what is old');

-- What it reads ------------------------------------------------------------------------------------------------------------
-- Ada has vue and no react; she is named all the same when the category is asked for, or vue as an alternative.

create function pg_temp.people() returns text language sql as $$
  select coalesce(string_agg(p ->> 'name', ' '), 'none') from jsonb_array_elements(private.staffing((select id from w), pg_temp.person('vera'), array[pg_temp.id('Roof')]) -> 'people') p
$$;
insert into pipeline_resource_demands (workspace_id, pipeline_project_id, skill_key, skill_category) select w.id, pg_temp.id('Roof'), 'react', 'web' from w;
select is(pg_temp.people(), 'none', 'who has none of the skills is not read');
update pipeline_resource_demands set alternatives = '["vue"]' where pipeline_project_id = pg_temp.id('Roof');
select is(pg_temp.people(), 'Ada', 'who has an alternative is');
update pipeline_resource_demands set alternatives = '[]', skill_key = null, skill_category = 'web' where pipeline_project_id = pg_temp.id('Roof');
select is(pg_temp.people(), 'Ada', 'and who has a skill of the category');
select is((select (p -> 'weeks' -> 1) || jsonb_build_array(p -> 'contract') from jsonb_array_elements(private.staffing((select id from w), null, array[pg_temp.id('Roof')]) -> 'people') p),
  '[1, 40, 20, 1]', 'a full week of forty hours, half of it promised');
update pipeline_projects set estimated_start_date = current_date where id = pg_temp.id('Roof');
select cmp_ok((private.staffing((select id from w), null, array[pg_temp.id('Roof')]) ->> 'weeks')::int, '<=', 28, 'a deal that does not say how long it takes is looked at for half a year');
select throws_ok(format('select private.staffing(%L, %L, %L)', (select id from w), pg_temp.person('eve'), array[pg_temp.id('Roof')]), 'PC001', null, 'a stranger reads nothing');
select throws_ok(format('select private.staffing(%L, null, %L)', (select id from w), array[gen_random_uuid()]), 'PC001', null, 'nor is there a deal that is not');

-- Who sees it --------------------------------------------------------------------------------------------------------------

select is(pg_temp.try_as('vera', format('select score from pipeline_availability where pipeline_project_id = %L', pg_temp.id('Bridge'))), '50', 'a viewer sees the score');
select is(pg_temp.try_as('eve', 'select 1 from pipeline_availability'), '0 rows', 'a stranger does not');
select is(pg_temp.try_as('ada', 'update pipeline_availability set score = 100'), '42501', 'and nobody sets it');
delete from pipeline_projects where id = pg_temp.id('Bridge');
select is((select count(*) from pipeline_availability where workspace_id = (select id from w) and score is not null), 0::bigint, 'it goes with its deal');

select * from finish();
rollback;
