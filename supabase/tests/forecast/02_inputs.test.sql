-- What a calculation reads: which deals, in which words, and what the past says.

\ir ../fixtures/people.psql
\ir ../fixtures/deals.psql

select no_plan();

create function pg_temp.inputs(ask jsonb default '{}', who text default 'vera') returns jsonb language sql as $$
  select private.forecast_inputs((select id from w), pg_temp.person(who), '{"grain": "month", "periods": 12, "as_of": "2026-11-02"}' || ask)
$$;
create function pg_temp.names(ask jsonb default '{}') returns text language sql as $$
  select coalesce(string_agg(d ->> 'name', ' ' order by d ->> 'name'), 'none') from jsonb_array_elements(pg_temp.inputs(ask) -> 'deals') d
$$;
create function pg_temp.answer(statement text) returns text language plpgsql as $$
declare
  answer text;
begin
  execute 'select ' || statement into answer;
  return answer;
exception when others then
  return sqlstate || ': ' || sqlerrm;
end $$;

select is(pg_temp.names(), 'none', 'an empty pipeline has no deals');
select is(pg_temp.answer('pg_temp.inputs(who => ''eve'')'), 'PC001: There is nothing under this id, or you are not a member of its workspace.', 'a stranger reads nothing');

create temp table d on commit drop as
select 'Bridge' as name, pg_temp.deal('Bridge', '{"stage": "proposal", "estimated_value": 1000, "probability": 55, "client_name": " City ", "expected_close_date": "2026-12-10", "estimated_start_date": "2027-01-04", "estimated_duration": 10}') as id
union all select 'Roof', pg_temp.deal('Roof', '{"stage": "lead"}')
union all select 'Wall', pg_temp.deal('Wall', '{"stage": "won", "estimated_value": 700, "currency": "EUR"}')
union all select 'Old', pg_temp.deal('Old', '{"stage": "won", "estimated_value": 1}')
union all select 'Lost', pg_temp.deal('Lost', '{"stage": "lost"}')
union all select 'Hold', pg_temp.deal('Hold', '{"stage": "on_hold"}')
union all select 'Gone', pg_temp.deal('Gone');
update pipeline_projects set actual_close_date = '2026-11-01' where name = 'Wall';
update pipeline_projects set actual_close_date = '2026-10-31' where name = 'Old';
update pipeline_projects set deleted_at = now() where name = 'Gone';
create function pg_temp.id(deal text) returns uuid language sql as $$ select id from d where name = deal $$;

select is(pg_temp.names(), 'Bridge Roof Wall', 'open deals count, and what was won in the period that has begun');
select is(pg_temp.inputs() -> 'deals' @> jsonb_build_array(jsonb_build_object('name', 'Bridge', 'client', 'city', 'stage', 'proposal', 'value', 1000, 'currency', 'USD',
  'probability', 55, 'close_date', '2026-12-10', 'start_date', '2027-01-04', 'duration', 10)), true, 'as they are');
select is((select d - 'id' - 'opened_on' from jsonb_array_elements(pg_temp.inputs() -> 'deals') d where d ->> 'name' = 'Roof'),
  '{"name": "Roof", "stage": "lead", "value": null, "client": null, "currency": "USD", "duration": null, "close_date": null, "start_date": null, "probability": 10}', 'and what nobody has written is not there');
select is(pg_temp.names('{"grain": "week", "as_of": "2026-11-02"}'), 'Bridge Roof', 'a week ago is another period');
select is(pg_temp.inputs(jsonb_build_object('pipeline_project_ids', jsonb_build_array(pg_temp.id('Roof'), pg_temp.id('Lost')))) #>> '{deals,0,name}', 'Roof', 'of named deals those that count');
select is(pg_temp.answer(format('pg_temp.inputs(%L)', jsonb_build_object('pipeline_project_ids', jsonb_build_array(pg_temp.id('Gone'))))), 'PC001: There is no deal ' || pg_temp.id('Gone') || ' in this workspace.', 'one that was deleted is named');
select is(pg_temp.inputs() #>> '{settings,currency}', 'USD', 'the workspace''s currency');
update planning_settings set reporting_currency = 'EUR', template_key = 'software' where workspace_id = (select id from w);
select is(pg_temp.inputs() -> 'settings' @> '{"currency": "EUR", "commit_from": 0.7, "template_rates": {"proposal": 0.4}}', true, 'the reporting currency stands before it, and the template has its rates');
select is(pg_temp.inputs()::text, pg_temp.inputs()::text, 'the same twice');

-- What a person or a CRM may write as a day -----------------------------------------------------------------------------------

select pg_temp.deal('Typo', '{"stage": "proposal", "estimated_value": 1}');
alter table pipeline_projects disable trigger user;
update pipeline_projects set expected_close_date = '2226-01-01', estimated_start_date = '9999-12-31', estimated_duration = 100000, created_at = '2026-11-02 04:00+00' where name = 'Typo';
alter table pipeline_projects enable trigger user;
select is((select d - 'id' from jsonb_array_elements(pg_temp.inputs() -> 'deals') d where d ->> 'name' = 'Typo') @> '{"close_date": null, "start_date": null, "duration": 36500}', true,
  'a slip of the pen counts as no day, and as no hundred years: one deal must not stop the forecast of all');
update workspaces set time_zone = 'America/New_York' where id = (select id from w);
delete from analytics_deals where workspace_id = (select id from w);
select is((select d ->> 'opened_on' from jsonb_array_elements(pg_temp.inputs() -> 'deals') d where d ->> 'name' = 'Typo'), '2026-11-01', 'a new deal was opened on the day of the workspace');
update workspaces set time_zone = 'UTC' where id = (select id from w);
select pg_temp.deal('Endless', '{"stage": "won"}', 'mia', '[{"skill_category": "web"}]');
update pipeline_projects set actual_close_date = '2020-01-01', estimated_start_date = '2020-01-01', estimated_duration = 100000 where name = 'Endless';
update pipeline_resource_demands set start_date = null, end_date = null where pipeline_project_id = (select id from pipeline_projects where name = 'Endless');
select is((select d - 'id' from jsonb_array_elements(pg_temp.inputs('{"grain": "week", "periods": 4, "work": true}') -> 'demands') d) @> '{"start_date": null, "end_date": null}', true, 'the days of a demand likewise');
select isnt(pg_temp.answer(format('private.staffing(%L, null, array(select id from pipeline_projects where name in (''Typo'', ''Endless'')))', (select id from w))), null, 'nor do they stop the score of all');
select is(left(pg_temp.answer(format('private.staffing(%L, null, array(select id from pipeline_projects where name in (''Typo'', ''Endless'')))', (select id from w))), 1), '{', 'which is read');
delete from pipeline_projects where name in ('Typo', 'Endless');

-- Scenarios --------------------------------------------------------------------------------------------------------------

create temp table s on commit drop as
select 'base' as name, pg_temp.try_as('mia', format('select (create_scenario_from_pipeline(%L, %L, %L, %L)).id', (select id from w), 'Base', array[pg_temp.id('Bridge')], '{"proposal": 0.2}'))::uuid as id;
select pg_temp.try_as('mia', format('select add_scenario_edit(%L, %L, %L, %L)', (select id from s), 'shift_close', pg_temp.id('Bridge'), '{"days": 7}'));
insert into s select 'variant', pg_temp.try_as('mia', format('insert into pipeline_scenarios (workspace_id, name, base_scenario_id, conversion_rates) values (%L, %L, %L, %L) returning id',
  (select id from w), 'Variant', (select id from s), '{"lead": 0.3}'))::uuid;
select pg_temp.try_as('mia', format('select add_scenario_edit(%L, %L, %L, %L)', (select id from s where name = 'variant'), 'set_probability', pg_temp.id('Bridge'), '{"probability": 90}'));
create function pg_temp.scenario(scenario text) returns jsonb language sql as $$
  select pg_temp.inputs(jsonb_build_object('scenario_ids', jsonb_build_array((select id from s where name = scenario)))) #> '{scenarios,0}'
$$;
select is(pg_temp.scenario('variant') -> 'conversion_rates', '{"lead": 0.3, "proposal": 0.2}', 'a scenario has the rates of its base and its own');
select is((select string_agg(e ->> 'kind', ' ') from jsonb_array_elements(pg_temp.scenario('variant') -> 'edits') e), 'shift_close set_probability', 'the edits of the base come first');
select is(pg_temp.scenario('variant') -> 'deal_ids', jsonb_build_array(pg_temp.id('Bridge')), 'and the deals of the base');
select is(pg_temp.names(jsonb_build_object('scenario_ids', jsonb_build_array((select id from s where name = 'variant')))), 'Bridge', 'over which it is forecast');
select is(pg_temp.answer(format('pg_temp.inputs(%L)', jsonb_build_object('scenario_ids', jsonb_build_array(gen_random_uuid())))), 'PC001: There is no such scenario in this workspace.', 'an unknown one is refused');
select is(jsonb_array_length(pg_temp.inputs('{"scenario_statuses": ["active"]}') -> 'scenarios'), 0, 'none of them is active');
select is(jsonb_array_length(pg_temp.inputs('{"scenario_statuses": ["active", "draft"]}') -> 'scenarios'), 2, 'both are drafts');

-- The past ---------------------------------------------------------------------------------------------------------------
-- One deal, seen as a proposal on 1 March with a close expected on 10 April, moved to 20 April on 15 March, won on 25 April.

insert into analytics_deals (workspace_id, deal_id, name, created_day, stage_key, kind, value, currency, owner_key, source, entered_stage_at, closed_day, expected_close_date)
select w.id, pg_temp.id('Old'), 'Old', '2026-02-01', 'won', 'won', 500, 'USD', '', '', '2026-04-25', '2026-04-25', '2026-04-20' from w
on conflict (workspace_id, deal_id) do update set created_day = excluded.created_day, closed_day = excluded.closed_day, expected_close_date = excluded.expected_close_date, kind = 'won', value = 500;
delete from analytics_stage_visits where workspace_id = (select id from w);
insert into analytics_stage_visits (workspace_id, deal_id, visit, stage_key, entered_at, left_at, outcome, first_visit, advanced, entered_month)
select w.id, pg_temp.id('Old'), v.*, 'won', true, true, '2026-02-01'
from w, (values (1, 'lead', '2026-02-01'::timestamptz, '2026-03-01'::timestamptz), (2, 'proposal', '2026-03-20', '2026-04-25')) v;
insert into pipeline_date_history (workspace_id, pipeline_project_id, field, old_date, new_date, changed_at)
select w.id, pg_temp.id('Old'), 'expected_close_date', '2026-04-10', '2026-04-20', '2026-03-15' from w;
select is(pg_temp.inputs() -> 'shifts', '[{"n": 1, "days": 15, "stage": "lead"}, {"n": 1, "days": 5, "stage": "proposal"}]',
  'as a lead it was 15 days late on what was expected then, as a proposal 5');
-- Landmarks on the first of March to October; it was open on 1 March and 1 April only. Day 1 is the landmark itself.
select is(private.forecast_lives((select id from w), '2026-11-02', 30, 5) @> '[{"landmark": "2026-04-01", "band": 1, "days": 25, "end": "won", "n": 1}, {"landmark": "2026-03-01", "band": 0, "days": 56, "end": "won", "n": 1}]',
  true, 'it was followed from each month at whose start it was open');
select is((select count(*) from jsonb_array_elements(private.forecast_lives((select id from w), '2026-11-02', 30, 5)) l where l ->> 'end' = 'won'), 2::bigint, 'and no other');
-- Asked on 10 May for three months: three months back is February; opened in it and won in its third month.
select is(private.forecast_new_business((select id from w), '2026-05-10', 3), '{"origins": 1, "wins": [{"n": 1, "turn": 1, "month": 2, "total": 500.00, "squares": 250000.0000, "currency": "USD"}]}',
  'it was new business of the third month after February');

-- Work -------------------------------------------------------------------------------------------------------------------

insert into skills (workspace_id, key, label) select w.id, 'react', 'React' from w;
select pg_temp.try_as('mia', format($$ insert into pipeline_resource_demands (workspace_id, pipeline_project_id, skill_category, experience_level, required_count) values (%L, %L, 'React', 'Senior', 2) $$, (select id from w), pg_temp.id('Bridge')));
create temp table e on commit drop as select pg_temp.try_as('mia', format($$ insert into employees (workspace_id, name, employed_from, fte) values (%L, 'Ada', '2026-01-01', 0.5) returning id $$, (select id from w)))::uuid as id;
select pg_temp.try_as('mia', format($$ insert into employee_skills (workspace_id, employee_id, skill_key, level) values (%L, %L, 'react', 'mid') $$, (select id from w), (select id from e)));
create temp table work on commit drop as select pg_temp.inputs('{"grain": "week", "periods": 4, "work": true}') as i;
select is((select i #> '{demands,0}' from work) @> '{"skill": "react", "level": "senior", "count": 2, "is_category": false, "staffed": []}', true, 'demands come in the words of the skill list');
select is((select i -> 'supply' from work), '[{"hours": [[0, 20], [1, 20], [2, 20], [3, 20]], "skills": [{"level": "mid", "skill": "react", "category": "other"}]}]', 'beside the free hours of those who have the skills');
select is((select i #> '{calendar,hours}' from work), '[8, 8, 8, 8, 8, 0, 0]', 'and the full week');
select is((select i ? 'borders' from work), false, 'weeks have no other borders');

-- By month: the first of the month where it lies in a week cuts it. 2 November 2026 is a Monday, the first a Sunday.
select is(private.forecast_borders('2026-11-02', 3, null, null), '{2026-11-02,2026-11-09,2026-11-16,2026-11-23}'::date[], 'weeks go from Monday to Monday');
select is(private.forecast_borders('2026-11-02', 3, '2026-11-01', 1), '{2026-10-26,2026-11-01,2026-11-02,2026-11-09,2026-11-16,2026-11-23,2026-11-30,2026-12-01,2026-12-07}'::date[],
  'a month has the weeks that it touches, cut at its ends');
select is(private.forecast_borders('2027-02-01', 5, '2027-02-01', 1), '{2027-02-01,2027-02-08,2027-02-15,2027-02-22,2027-03-01,2027-03-08}'::date[], 'a month of whole weeks cuts none, and the weeks asked for are there');
create temp table months on commit drop as select pg_temp.inputs('{"grain": "week", "periods": 5, "months": 1, "work": true}') as i;
select is((select array(select jsonb_array_elements_text(i -> 'borders'))::date[] from months), private.forecast_borders('2026-11-02', 5, '2026-11-01', 1), 'the borders are told');
select is((select i #> '{supply,0,hours}' from months), '[[0, 20], [2, 20], [3, 20], [4, 20], [5, 20], [6, 4], [7, 16]]', 'hours lie between them: of the last week one day in November, four in December');
-- Promised for twice her time on Monday 30 November: her day is gone, and as much of the week's other days.
insert into employee_allocations (workspace_id, employee_id, start_date, end_date, percentage, status) select w.id, e.id, '2026-11-30', '2026-11-30', 100, 'firm' from w, e, generate_series(1, 2);
select is(pg_temp.inputs('{"grain": "week", "periods": 5, "months": 1, "work": true}') #> '{supply,0,hours}', '[[0, 20], [2, 20], [3, 20], [4, 20], [5, 20], [7, 12]]', 'and add up to the free hours of the week');
select is(pg_temp.inputs('{"grain": "week", "periods": 5, "work": true}') #> '{supply,0,hours}', '[[0, 20], [1, 20], [2, 20], [3, 20], [4, 12]]', 'which are twelve');

select * from finish();
rollback;
