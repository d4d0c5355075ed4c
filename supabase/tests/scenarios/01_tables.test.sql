-- Scenarios as tables: whose they are, the chain of bases, what an edit may say.

\ir ../fixtures/people.psql
\ir ../fixtures/deals.psql
\ir ../fixtures/scenarios.psql

select no_plan();

create temp table d on commit drop as select name, pg_temp.deal(name) as id from unnest('{Bridge,Roof,Wall}'::text[]) name;
create function pg_temp.d(deal text) returns uuid language sql stable as $$ select id from d where name = deal $$;
grant select on d to authenticated;
select pg_temp.scenario('mia', 'Mine'), pg_temp.scenario('ada', 'Ada''s');

-- Templates --------------------------------------------------------------------------------------------------------------

select is(pg_temp.try_as('vera', $$ select string_agg(key, ' ' order by key) from conversion_templates $$), 'construction manufacturing professional_services software spec_000', 'five templates come with the product');
select is(pg_temp.try_as('vera', $$ select rates from conversion_templates where key = 'spec_000' $$)::jsonb, '{"lead": 0.2, "prospect": 0.3, "opportunity": 0.6, "proposal": 0.8, "negotiation": 0.9}', 'one has the rates of the document');
select is((select count(*) from conversion_templates where source = '' or rates = '{}'), 0::bigint, 'each says where its numbers come from');
select is(pg_temp.try_as('ada', $$ update conversion_templates set label = 'Ours' where workspace_id is null $$), '0 rows', 'nobody changes those');
select is(pg_temp.try_as('ada', $$ insert into conversion_templates (key, label, source) values ('x', 'X', 'me') $$), '42501', 'or adds one for everybody');
select is(pg_temp.try_as('otto', format($$ insert into conversion_templates (workspace_id, key, label, source, rates) values (%L, 'software', 'Ours', 'last year', '{"Prospecting": 0.5}') returning rates $$, (select id from w)))::jsonb, '{"prospect": 0.5}', 'an admin writes one in any spelling');
select is(pg_temp.refusal('otto', format($$ insert into conversion_templates (workspace_id, key, label, source, rates) values (%L, 'x', 'Ours', 'me', '{"lead": 1.5}') $$, (select id from w))), 'PC004 conversion_rates.lead: A conversion rate is a number between 0 and 1; "lead" has 1.5.', 'a rate is a share');
select is(pg_temp.refusal('otto', format($$ insert into conversion_templates (workspace_id, key, label, source, rates) values (%L, 'x', 'Ours', 'me', '{"lead": "NaN"}') $$, (select id from w))), 'PC004 conversion_rates.lead: A conversion rate is a number between 0 and 1; "lead" has "NaN".', 'and a number');
select is(pg_temp.refusal('otto', format($$ insert into conversion_templates (workspace_id, key, label, source, rates) values (%L, 'x', 'Ours', 'me', '{"lead": 0.1, "Lead": 0.9}') $$, (select id from w))), 'PC004 conversion_rates.lead: "Lead" and "lead" are the same stage; it has one conversion rate.', 'one for a stage');
select is(private.template_rates((select id from w), 'software'), '{"prospect": 0.5}', 'an own template stands before the built-in one of its key');
select is(private.template_rates((select workspace_id from workspace_members where user_id = pg_temp.person('eve')), 'software') ->> 'prospect', '0.12', 'elsewhere the built-in one counts');
delete from pipeline_stages where workspace_id = (select id from w) and key = 'prospect';
select is(private.template_rates((select id from w), 'construction') ? 'prospect', false, 'of a template, stages that a workspace does not have are left out');
select is(private.template_rates((select id from w), 'none'), null, 'no template, no rates');

-- Whose they are ---------------------------------------------------------------------------------------------------------

create function pg_temp.add_row(who text, scenario_name text) returns text language sql as $$
  select pg_temp.try_as(who, format($sql$ insert into pipeline_scenario_edits (workspace_id, scenario_id, kind, payload) values (%L, %L, 'set_rates', '{"rates": {}}') $sql$, (select id from w), pg_temp.id_of(scenario_name)))
$$;
select is(pg_temp.add_row('mia', 'Mine'), '1 rows', 'a member edits the own scenario');
select is(pg_temp.add_row('mia', 'Ada''s'), '42501', 'and no other');
select is(pg_temp.add_row('vera', 'Mine'), '42501', 'a viewer edits none');
select is(pg_temp.add_row('eve', 'Mine') in ('42501', 'PC001'), true, 'a stranger neither');
select is(pg_temp.try_as('max', 'delete from pipeline_scenario_edits'), '0 rows', 'what others wrote stays');
select is(pg_temp.try_as('otto', 'delete from pipeline_scenario_edits'), '1 rows', 'an admin edits all');
select is(pg_temp.try_as('mia', format($$ insert into pipeline_scenario_projects (workspace_id, scenario_id, pipeline_project_id) values (%L, %L, %L) $$, (select id from w), pg_temp.id_of('Ada''s'), pg_temp.d('Wall'))), '42501', 'the same holds for its deals');
create temp table hers on commit drop as select pg_temp.try_as('eve', $$ insert into pipeline_projects (workspace_id, name) select id, 'Hers' from workspaces limit 1 returning id $$)::uuid as id;
select is(pg_temp.try_as('mia', format($$ insert into pipeline_scenario_projects (workspace_id, scenario_id, pipeline_project_id) values (%L, %L, %L) $$, (select id from w), pg_temp.id_of('Mine'), (select id from hers))), '23503', 'a stranger''s deal is in no scenario');
select is(pg_temp.edit('mia', 'Mine', 'drop_deal', (select id from hers)), format('PC001 pipeline_project_id: There is no deal %s in this workspace.', (select id from hers)), 'nor is it edited by one');

-- The chain of bases -----------------------------------------------------------------------------------------------------

create function pg_temp.set_base(scenario_name text, base text) returns text language sql as $$
  select pg_temp.refusal('ada', format('update pipeline_scenarios set base_scenario_id = %L where id = %L', pg_temp.id_of(base), pg_temp.id_of(scenario_name)))
$$;
select pg_temp.scenario('ada', n::text) from generate_series(1, 6) n;
select is(pg_temp.set_base('1', '1'), 'PC004 base_scenario_id: A scenario cannot build on itself, directly or through others.', 'a scenario is not its own base');
select is(pg_temp.refusal('ada', format('insert into pipeline_scenarios (workspace_id, id, name, base_scenario_id) values (%L, %L, %L, %2$L)', (select id from w), gen_random_uuid(), 'Round')), 'PC004 base_scenario_id: A scenario cannot build on itself, directly or through others.', 'not from the beginning either');
select is(string_agg(pg_temp.set_base(n::text, (n - 1)::text), ' '), 'allowed allowed allowed allowed', 'five build on each other') from generate_series(2, 5) n;
select is(pg_temp.set_base('1', '5'), 'PC004 base_scenario_id: A scenario cannot build on itself, directly or through others.', 'but not in a circle');
select is(pg_temp.set_base('6', '5'), 'PC004 Copy one of them without following its base.: Scenarios build on each other at most five in a row; these would be 6.', 'a sixth is one too many');
select is(pg_temp.set_base('1', '6'), 'PC004 Copy one of them without following its base.: Scenarios build on each other at most five in a row; these would be 6.', 'at either end');
select is(pg_temp.set_base('6', '3'), 'allowed', 'beside them there is room');
select is(pg_temp.refusal('ada', format('update pipeline_scenarios set base_scenario_id = %L where id = %L', gen_random_uuid(), pg_temp.id_of('1'))) like 'PC001 base_scenario_id: There is no scenario % in this workspace to build on.', true, 'a base is there');
select is(pg_temp.try_as('ada', format('delete from pipeline_scenarios where id = %L', pg_temp.id_of('3'))), '23503', 'what others build on is not deleted for good');
select is(pg_temp.try_as('ada', format('insert into pipeline_scenarios (workspace_id, name, base_scenario_id) select id, %L, %L from workspaces where name <> %L limit 1', 'Elsewhere', pg_temp.id_of('1'), 'Team')), 'PC001', 'a base is of the same workspace');

create function pg_temp.set_field(assignment text) returns text language sql as $$
  select left(pg_temp.refusal('ada', format('update pipeline_scenarios set %s where id = %L', assignment, pg_temp.id_of('1'))), 7)
$$;
select is(array[pg_temp.set_field('forecast_months = 0'), pg_temp.set_field('forecast_months = 61'), pg_temp.set_field('forecast_months = 60')], '{"23514 :","23514 :",allowed}', 'a forecast is about one month at least and sixty at most');
select is(array[pg_temp.set_field('confidence_threshold = 1.01'), pg_temp.set_field('confidence_threshold = ''NaN'''), pg_temp.set_field('confidence_threshold = 0.5')], '{"23514 :","23514 :",allowed}', 'a threshold is a share');
select is(array[pg_temp.set_field('seed = -1'), pg_temp.set_field('seed = 4294967296'), pg_temp.set_field('seed = 4294967295')], '{"23514 :","23514 :",allowed}', 'a seed has 32 bits');

-- What an edit may say ---------------------------------------------------------------------------------------------------

insert into skills (workspace_id, key, label) select id, 'react', 'React' from w;
create temp table said (kind text, deal uuid, payload jsonb, answer text) on commit drop;
insert into said values
  ('wish', null, '{}', 'PC004 kind: There is no edit of the kind "wish".'),
  ('shift_start', pg_temp.d('Roof'), '{}', 'PC004 payload.days: days is a whole number between -3650 and 3650.'),
  ('shift_start', pg_temp.d('Roof'), '{"days": 1.5}', 'PC004 payload.days: days is a whole number between -3650 and 3650.'),
  ('shift_start', pg_temp.d('Roof'), '{"days": "NaN"}', 'PC004 payload.days: days is a whole number between -3650 and 3650.'),
  ('shift_close', pg_temp.d('Roof'), '{"days": 4000}', 'PC004 payload.days: days is a whole number between -3650 and 3650.'),
  ('shift_close', pg_temp.d('Roof'), '{"days": 1e400}', 'PC004 payload.days: days is a whole number between -3650 and 3650.'),
  ('shift_close', pg_temp.d('Roof'), '{"weeks": 4}', 'PC004 payload.weeks: An edit of the kind shift_close has no field "weeks".'),
  ('shift_close', pg_temp.d('Roof'), '[]', 'PC004 payload: The payload of an edit is an object of fields.'),
  ('shift_close', null, '{"days": 4}', 'PC004 pipeline_project_id: An edit of the kind shift_close names the deal that it changes.'),
  ('set_probability', pg_temp.d('Roof'), '{"probability": 101}', 'PC004 payload.probability: probability is a whole number between 0 and 100.'),
  ('set_probability', pg_temp.d('Roof'), '{"probability": -1}', 'PC004 payload.probability: probability is a whole number between 0 and 100.'),
  ('set_rates', null, '{"rates": {"nonsense": 0.5}}', 'PC004 conversion_rates.nonsense: This workspace has no stage "nonsense".'),
  ('set_rates', null, '{"rates": {"lead": -0.1}}', 'PC004 conversion_rates.lead: A conversion rate is a number between 0 and 1; "lead" has -0.1.'),
  ('set_rates', null, '{"rates": 7}', 'PC004 conversion_rates: Conversion rates are an object of stages and shares, such as {"proposal": 0.6}.'),
  ('set_rates', pg_temp.d('Roof'), '{"rates": {}}', 'PC004 pipeline_project_id: An edit of the kind set_rates is about no deal that is there.'),
  ('add_people', null, '{"skill_key": "telepathy", "start_date": "2027-01-01"}', 'PC004 payload.skill_key: There is no skill "telepathy".'),
  ('add_people', null, '{"skill_key": "react"}', 'PC004 payload.start_date: start_date: the day on which they come.'),
  ('add_people', null, '{"skill_key": "react", "start_date": "2027-02-01", "end_date": "2027-01-31"}', 'PC004 payload.end_date: end_date: people cannot leave before they come.'),
  ('add_people', null, '{"skill_key": "react", "start_date": "2027-02-01", "count": 0}', 'PC004 payload.count: count: one person at least, a thousand at most.'),
  ('add_people', null, '{"skill_key": "react", "start_date": "2027-02-01", "hours_per_week": "NaN"}', 'PC004 payload.hours_per_week: hours_per_week: half an hour at least, 168 at most.'),
  ('add_people', null, '{"skill_key": "react", "start_date": "infinity"}', 'PC004 payload.start_date: start_date: a day between 1900 and 2199.'),
  ('add_people', null, '{"skill_key": "react", "start_date": "20226-01-01"}', 'PC004 payload.start_date: start_date: a day between 1900 and 2199.'),
  ('add_people', null, '{"skill_key": "react", "start_date": "2027-02-01", "end_date": "infinity"}', 'PC004 payload.end_date: end_date: a day between 1900 and 2199.'),
  ('add_people', null, '{"skill_key": "react", "start_date": "2027-02-01", "level": "guru"}', 'PC004 payload.level: level: there are junior, mid, senior, lead and principal.'),
  ('add_people', null, '{"skill_key": "react", "start_date": "soon"}', 'PC004 payload.start_date: The value of payload.start_date does not fit: invalid input syntax for type date: "soon".'),
  ('add_deal', null, '{}', 'PC004 payload.name: name cannot be empty.'),
  ('add_deal', null, '{"name": "X", "stage": "nonsense"}', 'PC004 stage: This workspace has no stage "nonsense".'),
  ('add_deal', null, '{"name": "X", "probability": 101}', '23514 probability: The value of probability does not fit. The rule is: probability >= 0 AND probability <= 100.'),
  ('add_deal', null, '{"name": "X", "estimated_value": "NaN"}', '23514 estimated_value: The value of estimated_value does not fit. The rule is: estimated_value <> ''NaN''::numeric.'),
  ('add_deal', null, '{"name": "X", "required_skills": ["telepathy"]}', 'PC004 required_skills: The skill list of this workspace has no "telepathy".'),
  ('add_deal', null, '{"name": "X", "resource_demand": [{"skill_key": "telepathy"}]}', 'PC004 resource_demand.0.skill_key: There is no skill "telepathy".'),
  ('add_deal', null, '{"name": "X", "resource_demand": [{}]}', 'PC004 resource_demand.0.skill_category: A line of resource_demand says which skill it asks for.'),
  ('add_deal', null, '{"name": "X", "resource_demand": [{"skill_key": "react", "experience_level": "guru"}]}', 'PC004 resource_demand.0.experience_level: There is no level "guru". There are junior, mid, senior, lead and principal.'),
  ('add_deal', null, '{"name": "X", "resource_demand": [{"skill_key": "react", "start_date": "2027-02-01", "end_date": "2027-01-31"}]}', '23514 resource_demand.0.start_date, resource_demand.0.end_date: The value of resource_demand.0.start_date, resource_demand.0.end_date does not fit. The rule is: end_date >= start_date.'),
  ('drop_deal', pg_temp.d('Roof'), '{"days": 1}', 'PC004 payload.days: An edit of the kind drop_deal has no field "days".');
select is(pg_temp.edit('mia', 'Mine', kind, deal, payload), answer, format('%s %s is refused', kind, payload)) from said;
select is((select count(*) from pipeline_scenario_edits where scenario_id = pg_temp.id_of('Mine')), 0::bigint, 'and nothing of it is written');

create temp table taken (kind text, deal uuid, payload jsonb, kept jsonb) on commit drop;
insert into taken values
  ('shift_start', pg_temp.d('Roof'), '{"days": -14.0}', '{"days": -14}'),
  ('set_rates', null, '{"rates": {"Closed-Won": 1, "proposal": 0.25}}', '{"rates": {"won": 1, "proposal": 0.25}}'),
  ('add_people', null, '{"skill_key": "REACT", "level": "Sr.", "start_date": "2028-02-29"}', '{"skill_key": "react", "level": "senior", "count": 1, "hours_per_week": 40.00, "start_date": "2028-02-29", "end_date": null}'),
  ('add_deal', null, '{"name": "New", "stage": "Proposal", "estimated_value": 5000, "notes": null, "resource_demand": [{"skill_category": "React", "experience_level": "jr"}]}',
    '{"name": "New", "stage_key": "proposal", "currency": "USD", "estimated_value": 5000.00, "resource_demand": [{"skill_category": "React", "skill_key": "react", "experience_level": "junior", "required_count": 1, "allocation_percentage": 100, "is_critical": false, "alternatives": [], "priority": 0}]}');
select is(pg_temp.edit('mia', 'Mine', kind, deal, payload), 'allowed', format('%s %s is taken', kind, payload)) from taken;
select is(e.payload, t.kept, format('%s is kept in the workspace''s own words', t.kind)) from taken t join pipeline_scenario_edits e using (kind) where e.scenario_id = pg_temp.id_of('Mine');
select is((select string_agg(position::text, ' ' order by position) from pipeline_scenario_edits where scenario_id = pg_temp.id_of('Mine')), '1 2 3 4', 'edits are numbered as they come');
select is(pg_temp.try_as('mia', format('update pipeline_scenario_edits set position = 5 - position where scenario_id = %L', pg_temp.id_of('Mine'))), '4 rows', 'their order can be turned round in one statement');
select is(pg_temp.plan_of('Mine'), 'add_deal add_people set_rates shift_start', 'and then it is');
select is(pg_temp.refusal('mia', format('insert into pipeline_scenarios (workspace_id, name, status) values (%L, %L, %L)', (select id from w), 'Done', 'promoted')) like 'PC004 status: A new scenario is a draft or active.', true, 'a scenario is not promoted by saying so');
select is(pg_temp.refusal('mia', format('update pipeline_scenarios set status = %L, promoted_at = now() where id = %L', 'promoted', pg_temp.id_of('Mine'))), 'PC008 status: A scenario is promoted by promote_scenario, which writes it to its deals.', 'also later');
select is(pg_temp.try_as('mia', format('update pipeline_scenarios set promoted_by = %L where id = %L returning promoted_by is null', pg_temp.person('ada'), pg_temp.id_of('Mine'))), 'true', 'nor does one name who did');
insert into pipeline_scenario_edits (workspace_id, scenario_id, position, kind, payload) select w.id, pg_temp.id_of('Ada''s'), n, 'set_rates', '{"rates": {}}' from w, generate_series(1, 1000) n;
select is(pg_temp.edit('ada', 'Ada''s', 'set_rates', null, '{"rates": {}}'), 'PC004 Promote it, or begin another one on top of it.: A scenario has 1,000 edits at most.', 'a thousand edits are enough');

select * from finish();
rollback;
