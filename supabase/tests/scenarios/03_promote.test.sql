-- promote_scenario(): a scenario is written to its deals, once, all or nothing.

\ir ../fixtures/people.psql
\ir ../fixtures/deals.psql
\ir ../fixtures/scenarios.psql

select no_plan();

insert into skills (workspace_id, key, label) select id, 'react', 'React' from w;
create temp table d on commit drop as
select 'Bridge' as name, pg_temp.deal('Bridge', '{"stage": "proposal", "expected_close_date": "2028-02-28", "estimated_start_date": "2028-03-10"}', 'mia',
  '[{"skill_key": "react", "start_date": "2028-03-13", "end_date": "2028-03-24"}, {"skill_category": "Welding"}]') as id
union all select 'Roof', pg_temp.deal('Roof', '{"stage": "lead"}')
union all select 'Wall', pg_temp.deal('Wall', '{"stage": "negotiation", "expected_close_date": "2028-05-01"}', 'ada')
union all select 'Won', pg_temp.deal('Won', '{"stage": "won", "estimated_start_date": "2028-01-01"}')
union all select 'Other', pg_temp.deal('Other', '{"expected_close_date": "2028-05-01"}');
create function pg_temp.d(deal text) returns uuid language sql stable as $$ select id from d where name = deal $$;
grant select on d to authenticated;

-- Mia's scenario varies Otto's, which moves the bridge by 10 days.
select pg_temp.scenario('otto', 'Base');
update pipeline_scenarios set conversion_rates = '{"lead": 0.1, "proposal": 0.2}', template_key = 'software', confidence_threshold = 0.4 where workspace_id = (select id from w) and name = 'Base';
select pg_temp.edit('otto', 'Base', 'shift_close', pg_temp.d('Bridge'), '{"days": 10}');
insert into scenario select 'Plan', pg_temp.try_as('mia', format('select (copy_scenario(%L, %L, true)).id', pg_temp.id_of('Base'), 'Plan'))::uuid;
update pipeline_scenarios set conversion_rates = '{"lead": 0.3}', template_key = 'construction', confidence_threshold = 0.6 where workspace_id = (select id from w) and name = 'Plan';
create temp table edits (kind text, deal text, payload jsonb) on commit drop;
insert into edits values
  ('shift_close', 'Bridge', '{"days": -9}'), ('shift_start', 'Bridge', '{"days": 7}'), ('shift_start', 'Bridge', '{"days": 14}'),
  ('set_probability', 'Bridge', '{"probability": 5}'), ('set_probability', 'Bridge', '{"probability": 75}'),
  ('drop_deal', 'Wall', '{}'), ('shift_close', 'Roof', '{"days": 3}'), ('shift_start', 'Roof', '{"days": 3}'),
  ('shift_start', 'Won', '{"days": -31}'), ('drop_deal', 'Won', '{}'), ('set_rates', null, '{"rates": {"lead": 0.5}}'),
  ('add_people', null, '{"skill_key": "react", "start_date": "2028-01-01"}'),
  ('add_deal', null, '{"name": "New", "stage": "opportunity", "estimated_value": 900, "resource_demand": [{"skill_key": "react", "required_count": 2}]}');
select is(pg_temp.edit('mia', 'Plan', kind, pg_temp.d(deal), payload), 'allowed', format('%s %s %s', kind, deal, payload)) from edits;

create function pg_temp.promote(who text, extra text default '') returns text language sql as $$
  select pg_temp.refusal(who, format('select promote_scenario(%L %s)', pg_temp.id_of('Plan'), extra))
$$;
select is(pg_temp.promote('mia'), 'PC002 : This needs the role admin in the workspace; yours is member.', 'a member does not promote, even the own scenario');
select is(pg_temp.promote('vera'), 'PC002 Change a copy of it.: Your role does not let you change this scenario.', 'nor does a viewer');
select is(pg_temp.promote('eve'), 'PC001 : This scenario does not exist or is not yours to see.', 'for a stranger there is none');
select is(pg_temp.promote('otto', ', ''2020-01-01'''), 'PC008 Look at its edits again.: Somebody else changed this scenario meanwhile.', 'whoever has not seen the last edit is told');
select pg_temp.try_as('mia', format('select archive_scenario(%L)', pg_temp.id_of('Plan')));
select is(pg_temp.promote('otto'), 'PC008 Activate it first.: This scenario is archived; it cannot be promoted.', 'what was put away is not promoted');
select pg_temp.try_as('mia', format('select activate_scenario(%L)', pg_temp.id_of('Plan')));

-- A deal that cannot be created stops all of it.
alter table pipeline_projects add constraint no_new_one check (name <> 'New') not valid;
select alike(pg_temp.promote('otto'), '23514 name: %', 'when one part fails');
select is((select expected_close_date from pipeline_projects where id = pg_temp.d('Bridge')), date '2028-02-28', 'nothing is written');
alter table pipeline_projects drop constraint no_new_one;
update pipeline_projects set expected_close_date = '9999-12-31' where id = pg_temp.d('Bridge');
select alike(pg_temp.promote('otto'), '23514 expected_close_date: The value of expected_close_date does not fit. The rule is: %', 'a day that is moved beyond the calendar is named');
update pipeline_projects set expected_close_date = '2028-02-28' where id = pg_temp.d('Bridge');

create temp table was on commit drop as select * from pipeline_projects p where p.id in (select id from d);
create temp table answer on commit drop as
select pg_temp.try_as('otto', format('select promote_scenario(%L, %L)', pg_temp.id_of('Plan'), (select updated_at from pipeline_scenarios where id = pg_temp.id_of('Plan'))))::jsonb as said;

-- 28 February 2028 and one day more is the 29th; 10 March and three weeks is the 31st.
select results_eq($$ select expected_close_date, estimated_start_date, probability, stage_key from pipeline_projects where id = pg_temp.d('Bridge') $$,
  $$ values (date '2028-02-29', date '2028-03-31', 75, 'proposal') $$, 'days add up, also those of the base; of two probabilities the later counts');
select results_eq($$ select start_date, end_date from pipeline_resource_demands where pipeline_project_id = pg_temp.d('Bridge') order by 1 nulls last $$,
  $$ values (date '2028-04-03', date '2028-04-14'), (null, null) $$, 'its work moves along');
select results_eq($$ select stage_key, deleted_at is null, expected_close_date from pipeline_projects where id = pg_temp.d('Wall') $$, $$ values ('on_hold', true, date '2028-05-01') $$, 'a dropped deal goes on hold and is not deleted');
select results_eq($$ select estimated_start_date, stage_key from pipeline_projects where id = pg_temp.d('Won') $$, $$ values (date '2027-12-01', 'won') $$, 'a won deal starts earlier and stays won');
select is((select to_jsonb(p) from pipeline_projects p where id = pg_temp.d('Other')), (select to_jsonb(p) from was p where id = pg_temp.d('Other')), 'a deal without an edit is as it was');
select is((select to_jsonb(p) from pipeline_projects p where id = pg_temp.d('Roof')), (select to_jsonb(p) from was p where id = pg_temp.d('Roof')), 'so is one with nothing to move');
select results_eq($$ select p.stage_key, p.estimated_value, p.created_by, r.required_count from pipeline_projects p join pipeline_resource_demands r on r.pipeline_project_id = p.id where p.workspace_id = (select id from w) and p.name = 'New' $$,
  $$ values ('opportunity', 900.00::numeric(18,2), pg_temp.person('otto'), 2) $$, 'the added deal is there with its demand, written by who promoted');
select is((select count(*) from crm_activities where deal_id = pg_temp.d('Bridge') and user_id = pg_temp.person('otto')), 1::bigint, 'history names that person, once a deal');
select is((select jsonb_agg(e -> 'kind') from answer, jsonb_array_elements(said -> 'applied') e), '["shift_close", "shift_close", "shift_start", "shift_start", "set_probability", "set_probability", "drop_deal", "shift_start", "add_deal"]', 'the answer lists what was written');
select is((select e ->> 'pipeline_project_id' from answer, jsonb_array_elements(said -> 'applied') e where e ->> 'kind' = 'add_deal'), (select id::text from pipeline_projects where workspace_id = (select id from w) and name = 'New'), 'with the id of what is new');
select is((select jsonb_agg(e ->> 'kind' || ' ' || (e ->> 'reason')) from answer, jsonb_array_elements(said -> 'skipped') e),
  '["shift_close no_date", "shift_start no_date", "drop_deal deal_won", "set_rates not_about_a_deal", "add_people not_about_a_deal"]', 'and what was not, with the reason');
select results_eq($$ select status, promoted_by, promoted_at is not null from pipeline_scenarios where workspace_id = (select id from w) and name = 'Plan' $$, $$ values ('promoted', pg_temp.person('otto'), true) $$, 'the scenario is promoted');
select is((select status from pipeline_scenarios where workspace_id = (select id from w) and name = 'Base'), 'draft', 'its base is not');

select is(pg_temp.promote('otto'), 'PC008 Promote a copy of it.: This scenario is promoted; it cannot be promoted again.', 'it is promoted once');
select is(pg_temp.edit('mia', 'Plan', 'set_rates', null, '{"rates": {}}'), 'PC008 Change a copy of it.: This scenario is promoted and stays as it is.', 'and stays as it is');
select is(pg_temp.try_as('mia', format('update pipeline_scenarios set conversion_rates = ''{"lead": 1}'' where id = %L', pg_temp.id_of('Plan'))), 'PC008', 'with its rates');
select is(pg_temp.try_as('mia', format('select activate_scenario(%L)', pg_temp.id_of('Plan'))), 'PC008', 'and its status');
select is(pg_temp.plan_of('Plan'), 'shift_close:already_promoted shift_close:already_promoted shift_start:already_promoted shift_start:already_promoted set_probability:already_promoted set_probability:already_promoted drop_deal:already_promoted shift_close:already_promoted shift_start:already_promoted shift_start:already_promoted drop_deal:already_promoted set_rates add_people add_deal:already_promoted',
  'what is in the deals now does not count a second time');
select is(pg_temp.edit('otto', 'Base', 'shift_close', pg_temp.d('Other'), '{"days": 2}'), 'allowed', 'its base goes on');
select is((select string_agg(kind, ' ' order by place) from private.scenario_plan(pg_temp.id_of('Plan')) where skipped is null), 'shift_close set_rates add_people', 'what its base gets afterwards does');
select is(pg_temp.plan_of('Base'), 'shift_close shift_close', 'a base alone has not been promoted');
insert into scenario select 'Next', pg_temp.try_as('mia', format('select (copy_scenario(%L, %L)).id', pg_temp.id_of('Plan'), 'Next'))::uuid;
select is((select string_agg(kind, ' ' order by position) from pipeline_scenario_edits where scenario_id = pg_temp.id_of('Next')), 'shift_close set_rates add_people', 'a copy begins with the rest, also of the base');
select is(pg_temp.plan_of('Next'), 'shift_close set_rates add_people', 'and counts nothing of the base a second time');
select is((select base_scenario_id from pipeline_scenarios where id = pg_temp.id_of('Next')), null, 'it stands alone');
select results_eq(format('select template_key, confidence_threshold from pipeline_scenarios where id = %L', pg_temp.id_of('Next')), $$ values ('construction', 0.6::numeric(4, 3)) $$, 'with the nearest template and threshold');
select is((select conversion_rates from pipeline_scenarios where id = pg_temp.id_of('Next')), '{"lead": 0.3, "proposal": 0.2}', 'with the rates that counted, its own before those of the base');
select is(pg_temp.try_as('mia', format('update pipeline_scenarios set deleted_at = now() where id = %L', pg_temp.id_of('Plan'))), '1 rows', 'it can be put in the bin');
select is(pg_temp.try_as('otto', format('update pipeline_stages set key = %L where workspace_id = %L and key = %L', 'idea', (select id from w), 'lead')), '1 rows', 'a stage gets another key');
select results_eq(format('select conversion_rates from pipeline_scenarios where id in (%L, %L) order by status', pg_temp.id_of('Next'), pg_temp.id_of('Plan')),
  $$ values ('{"idea": 0.3, "proposal": 0.2}'::jsonb), ('{"lead": 0.3}') $$, 'what is promoted says what it said then');

select * from finish();
rollback;
