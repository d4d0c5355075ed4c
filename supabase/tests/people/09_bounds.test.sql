-- What one person writes does not stop the sums of all: days without end, billions of people, documents of megabytes.

\ir fixture.psql

select pg_temp.hire('Ada', 'react', 'senior'), pg_temp.deal('Roof'), pg_temp.ask('Roof', 'react');

-- What a person writes is refused, with the field or the rule -------------------------------------------------------------

create function pg_temp.refused(who text, statement text) returns text language plpgsql as $$
declare
  answer text;
begin
  perform set_config('request.jwt.claims', json_build_object('sub', pg_temp.person(who), 'role', 'authenticated')::text, true), set_config('role', 'authenticated', true);
  execute replace(statement, '<w>', quote_literal((select id from w)));
  perform set_config('role', 'none', true);
  return 'taken';
exception when others then
  return sqlstate || ' ' || sqlerrm;
end $$;
grant select on w to authenticated;

select matches(pg_temp.refused('member', format('select create_pipeline_project(<w>, %L, %L)', '{"name": "X"}', line)), expected, said) from (values
  ('[{"skill_category": "react", "start_date": "-infinity"}]', '^23514 The value of resource_demand.0.start_date does not fit', 'a demand without a beginning in time'),
  ('[{"skill_category": "react", "end_date": "5874897-12-31"}]', '^23514 The value of resource_demand.0.end_date does not fit', 'nor one of the year 5,874,897'),
  ('[{"skill_category": "react", "required_count": 10001}]', '^23514 The value of resource_demand.0.required_count does not fit', 'nor one for more people than any firm has'),
  ('[{"skill_category": "react", "required_count": 10000}]', '^taken', 'ten thousand may be asked for'),
  ('[{"skill_category": "react", "alternatives": {}}]', '^23514 The value of resource_demand.0.alternatives does not fit', 'alternatives are a list'),
  (format('[{"skill_category": "react", "alternatives": %s}]', (select jsonb_agg('vue'::text) from generate_series(1, 21))), '^PC004 A demand names at most 20 alternatives', 'of at most twenty')) t (line, expected, said);
select matches(pg_temp.refused('member', format('select create_pipeline_project(<w>, %L)', deal)), expected, said) from (values
  (jsonb_build_object('name', 'X', 'required_skills', (select jsonb_agg('react'::text) from generate_series(1, 201))), '^PC004 required_skills is a list of at most 200', 'a deal needs two hundred skills at most'),
  (jsonb_build_object('name', 'X', 'custom_fields', jsonb_build_object('a', repeat('x', 300000))), '^23514 The value of custom_fields does not fit', 'custom fields of a quarter of a megabyte at most'),
  (jsonb_build_object('name', 'X', 'risk_factors', jsonb_build_array(repeat('x', 70000))), '^23514 The value of risk_factors does not fit', 'risks of 64 KiB at most'),
  (jsonb_build_object('name', 'X', 'notes', repeat('x', 200001)), '^23514 The value of notes does not fit', 'notes of 200,000 letters at most')) t (deal, expected, said);
select matches(pg_temp.refused('member', statement), expected, said) from (values
  ('insert into employees (workspace_id, name, custom_fields) values (<w>, ''X'', jsonb_build_object(''a'', repeat(''x'', 300000)))', '^23514 .*employees_custom_fields_check', 'custom fields of a person likewise'),
  ('insert into employees (workspace_id, name, tags) values (<w>, ''X'', jsonb_build_array(repeat(''x'', 70000)))', '^23514 .*employees_tags_check', 'and tags'),
  ('insert into pipeline_scenarios (workspace_id, name, description) values (<w>, ''X'', repeat(''x'', 10001))', '^23514 .*description', 'a scenario is described in 10,000 letters'),
  ('select create_scenario_from_pipeline(<w>, ''Big'', array_fill(gen_random_uuid(), array[5001]))', '^PC004 A scenario is begun with 5,000 deals at most, not 5001', 'and begun with 5,000 deals'),
  ('select demand_weeks(<w>, deal_ids => array_fill(gen_random_uuid(), array[5001]))', '^PC004 At most 5,000 deals can be named', 'as many as can be asked about'),
  ('select add_scenario_edit((create_scenario_from_pipeline(<w>, ''A'')).id, ''add_deal'', null, jsonb_build_object(''name'', ''X'', ''notes'', repeat(''x'', 300000)))', '^PC004 The payload of an edit has 256 KiB at most', 'an edit has a quarter of a megabyte'),
  ('select add_scenario_edit((create_scenario_from_pipeline(<w>, ''B'')).id, ''add_deal'', null, ''{"name": "X", "expected_close_date": "infinity"}'')', '^PC004 expected_close_date lies between 1900 and 2199', 'adds no deal that never closes'),
  ('select add_scenario_edit((create_scenario_from_pipeline(<w>, ''C'')).id, ''add_people'', null, ''{"skill_key": "react", "start_date": "-infinity"}'')', '^PC004 start_date', 'nor people from ever'),
  ('select add_scenario_edit((create_scenario_from_pipeline(<w>, ''D'')).id, ''add_people'', null, ''{"skill_key": "react", "start_date": "2026-01-01", "end_date": "infinity"}'')', '^PC004 end_date', 'for ever')) t (statement, expected, said);
select matches(pg_temp.refused('admin', statement), expected, said) from (values
  ('update planning_settings set exchange_rates = ''{"EUR": 1e300}'' where workspace_id = <w>', '^23514', 'a rate that no number holds'),
  ('update planning_settings set exchange_rates = ''{"EUR": 1e-300}'' where workspace_id = <w>', '^23514', 'or that is as good as 0'),
  ('update planning_settings set exchange_rates = ''{"JPY": 0.0066, "KWD": 3.25}'' where workspace_id = <w>', '^taken', 'usual ones are taken'),
  ('insert into pipeline_targets (workspace_id, period, period_start, amount, currency) values (<w>, ''year'', ''5874897-01-01'', 1, ''USD'')', '^23514', 'a target for the end of time'),
  ('insert into conversion_templates (workspace_id, key, label, rates, source) values (<w>, ''tiny'', ''Tiny'', ''{"proposal": 1e-10000}'', ''Nobody'')', '^taken', 'a share that is as good as 0')) t (statement, expected, said);
select is((select rates from conversion_templates where key = 'tiny'), '{"proposal": 0}', 'is 0');
update planning_settings set template_key = 'tiny' where workspace_id = (select id from w);

-- What a CRM may bring is read as no day ------------------------------------------------------------------------------------

insert into pipeline_projects (workspace_id, name, stage_key, expected_close_date, actual_close_date, estimated_start_date, estimated_duration)
select w.id, 'Odd ' || d.day, d.stage, d.day, d.day, d.day, d.days
from w, (values ('9999-12-31'::date, 'proposal', 10), ('0001-01-01', 'proposal', null), ('2226-03-01', 'lead', 100000), ('0044-03-15', 'proposal', 10), ('9999-12-31', 'won', 5), ('2026-03-02', 'won', 100000)) d (day, stage, days);
insert into pipeline_resource_demands (workspace_id, pipeline_project_id, skill_category)
select p.workspace_id, p.id, 'react' from pipeline_projects p where p.name like 'Odd %';

select lives_ok(format(call, (select id from w)), said) from (values
  ('select * from private.forecast_inputs(%L, null, ''{"grain": "month", "periods": 12, "work": true}'')', 'a forecast reads them'),
  ('select private.staffing(%1$L, null, array(select id from pipeline_projects where workspace_id = %1$L))', 'staffing too'),
  ('select private.take_snapshot(%L, ''2026-11-21'')', 'a snapshot'),
  ('select private.refresh_workspace(%L, 100)', 'and the analytics'),
  ('select * from public.pipeline_coverage where workspace_id = %L', 'and what is read of them')) t (call, said);
select is((select string_agg(coalesce(d ->> 'close_date', 'none') || ' ' || coalesce(d ->> 'start_date', 'none'), ', ' order by d ->> 'start_date' nulls first)
  from w, jsonb_array_elements(private.forecast_inputs(w.id, null, '{"grain": "month", "periods": 12}') -> 'deals') d where d ->> 'name' like 'Odd %'),
  (select string_agg('none none', ', ') from generate_series(1, 4)), 'an impossible day is none; what was won then is not in the period');
select matches(pg_temp.try_as('viewer', format('select count(*) from %s', call)), '^\d+$', said || ' of everything goes on') from w, lateral (values
  (format('demand_weeks(%L)', w.id), 'demand'), (format('capacity_weeks(%L)', w.id), 'capacity'), (format('demand_cover(%L)', w.id), 'cover'),
  (format('hiring_need(%L)', w.id), 'hiring'), (format('over_allocations(%L)', w.id), 'over-allocation'),
  (format('resource_utilisation where workspace_id = %L', w.id), 'utilisation'), ('pipeline_stage_probabilities', 'probability'),
  ('pipeline_top_risks', 'risk'), ('pipeline_project_list', 'the list')) t (call, said);
select is(pg_temp.try_as('viewer', format('select count(*) from staffing_candidates(%L)', d.id)), '1', 'and who could work on ' || p.name)
from pipeline_resource_demands d join pipeline_projects p on p.id = d.pipeline_project_id where p.name like 'Odd %' and p.stage_key = 'proposal' order by p.name;
select private.mark_availability();
select private.keep_availability(w.id, (select jsonb_agg(jsonb_build_object('pipeline_project_id', d ->> 'id', 'score', 1, 'reasons', '[]'::jsonb, 'lines', '[]'::jsonb, 'proven', true,
  'start_date', d -> 'start_date', 'duration', d -> 'duration')) from jsonb_array_elements(private.forecast_deals(w.id, array(select p.id from pipeline_projects p where p.workspace_id = w.id))) d), clock_timestamp()) from w;
select is(private.mark_availability(), 0::bigint, 'a score that was worked out with an impossible day is not old at once');

insert into pipeline_scenarios (workspace_id, name, status) select w.id, 'S ' || n, 'active' from w, generate_series(1, 101) n;
select throws_ok(format('select private.forecast_inputs(%L, null, ''{"grain": "week", "periods": 4, "scenario_statuses": ["active"]}'')', (select id from w)),
  'PC004', 'There are 101 scenarios to combine; a forecast takes 100 at most. Archive those that count no more.', 'a hundred scenarios are combined at most');

select * from finish();
rollback;
