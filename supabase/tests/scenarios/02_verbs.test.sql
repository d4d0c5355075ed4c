-- The calls of scenarios: beginning one, editing, copying, building on another, putting away.

\ir ../fixtures/people.psql
\ir ../fixtures/deals.psql
\ir ../fixtures/scenarios.psql

select no_plan();

create temp table d on commit drop as select name, pg_temp.deal(name) as id from unnest('{Bridge,Roof,Wall}'::text[]) name;
create function pg_temp.d(deal text) returns uuid language sql stable as $$ select id from d where name = deal $$;
grant select on d to authenticated;
create function pg_temp.begin_as(who text, scenario_name text, deals uuid[] default '{}', rates jsonb default '{}', template text default null) returns text language sql as $$
  select pg_temp.refusal(who, format('select create_scenario_from_pipeline(%L, %L, %L, %L, %L)', (select id from w), scenario_name, deals, rates, template))
$$;

select is(pg_temp.begin_as('mia', 'Q3', array[pg_temp.d('Bridge'), pg_temp.d('Roof'), pg_temp.d('Bridge')], '{"lead": 0.2, "Prospecting": 0.3, "closed_won": 1}', 'spec_000'), 'allowed', 'a member begins a scenario over some deals');
insert into scenario select name, id from pipeline_scenarios where workspace_id = (select id from w) and name = 'Q3';
select results_eq($$ select status, conversion_rates, template_key, forecast_months, created_by from pipeline_scenarios where workspace_id = (select id from w) and name = 'Q3' $$,
  $$ values ('draft', '{"lead": 0.2, "prospect": 0.3, "won": 1}'::jsonb, 'spec_000', 12, pg_temp.person('mia')) $$, 'with rates in the workspace''s own stages');
select is((select count(*) from pipeline_scenario_projects where workspace_id = (select id from w)), 2::bigint, 'each deal once');
select is(pg_temp.begin_as('max', 'q3'), 'PC008 name: There is a scenario "q3" already.', 'a name is taken in any case');
select is(pg_temp.begin_as('mia', ' '), '23514 name: The value of name does not fit. The rule is: char_length(btrim(name)) >= 1 AND char_length(btrim(name)) <= 255.', 'a name has letters');
select is(pg_temp.begin_as('mia', 'X', '{}', '{"nonsense": 0.2}'), 'PC004 conversion_rates.nonsense: This workspace has no stage "nonsense".', 'an unknown stage is named');
select is(pg_temp.begin_as('mia', 'X', '{}', '{"lead": 1.2}'), 'PC004 conversion_rates.lead: A conversion rate is a number between 0 and 1; "lead" has 1.2.', 'a rate is a share');
select is(pg_temp.begin_as('mia', 'X', '{}', '{"lead": null}'), 'PC004 conversion_rates.lead: A conversion rate is a number between 0 and 1; "lead" has null.', 'nothing is no share');
select is(pg_temp.begin_as('mia', 'X', '{}', '[0.2]'), 'PC004 conversion_rates: Conversion rates are an object of stages and shares, such as {"proposal": 0.6}.', 'a list says no stages');
select is(pg_temp.begin_as('mia', 'X', '{}', '{}', 'none'), 'PC004 template_key: There is no template "none".', 'a template is there');
create temp table hers on commit drop as select pg_temp.try_as('eve', $$ insert into pipeline_projects (workspace_id, name) select id, 'Hers' from workspaces limit 1 returning id $$)::uuid as id;
select is(pg_temp.begin_as('mia', 'X', array[pg_temp.d('Roof'), (select id from hers)]), format('PC001 pipeline_project_ids: There is no deal %s in this workspace.', (select id from hers)), 'a stranger''s deal is named and refused');
select is(pg_temp.begin_as('mia', 'X', array[null]::uuid[]), 'PC001 pipeline_project_ids: There is no deal null in this workspace.', 'nothing is no deal');
update pipeline_projects set deleted_at = now() where id = pg_temp.d('Wall');
select is(pg_temp.begin_as('mia', 'X', array[pg_temp.d('Wall')]), format('PC001 pipeline_project_ids: There is no deal %s in this workspace.', pg_temp.d('Wall')), 'so is a deleted one');
update pipeline_projects set deleted_at = null where id = pg_temp.d('Wall');
select is(pg_temp.begin_as('vera', 'X'), 'PC002 : This needs the role member in the workspace; yours is viewer.', 'a viewer begins none');
select is(pg_temp.begin_as('eve', 'X'), 'PC001 : There is nothing under this id, or you are not a member of its workspace.', 'a stranger neither');
select is((select count(*) from pipeline_scenarios where workspace_id = (select id from w)), 1::bigint, 'none of these left a scenario');

-- Editing ----------------------------------------------------------------------------------------------------------------

create temp table version on commit drop as select updated_at from pipeline_scenarios where workspace_id = (select id from w) and name = 'Q3';
select is(pg_temp.edit('mia', 'Q3', 'shift_close', pg_temp.d('Bridge'), '{"days": 30}'), 'allowed', 'an edit is added');
select cmp_ok((select updated_at from pipeline_scenarios where workspace_id = (select id from w) and name = 'Q3'), '>', (select updated_at from version), 'and the scenario is another version');
select is(pg_temp.edit('mia', 'Q3', 'drop_deal', pg_temp.d('Roof')), 'allowed', 'a deal is dropped');
select is(pg_temp.edit('mia', 'Q3', 'shift_close', pg_temp.d('Roof'), '{"days": 30}'), format('PC004 Remove that edit first.: An earlier edit drops the deal %s.', pg_temp.d('Roof')), 'what is dropped is not edited');
select is(pg_temp.edit('mia', 'Q3', 'drop_deal', pg_temp.d('Wall')), format('PC004 Add it to pipeline_scenario_projects first.: This scenario is not about the deal %s.', pg_temp.d('Wall')), 'nor is what it is not about');
select is(pg_temp.edit('max', 'Q3', 'drop_deal', pg_temp.d('Bridge')), 'PC002 Change a copy of it.: Your role does not let you change this scenario.', 'another member does not edit it');
select is(pg_temp.edit('vera', 'Q3', 'drop_deal', pg_temp.d('Bridge')), 'PC002 Change a copy of it.: Your role does not let you change this scenario.', 'nor does a viewer');
select is(pg_temp.edit('eve', 'Q3', 'drop_deal', pg_temp.d('Bridge')), 'PC001 : This scenario does not exist or is not yours to see.', 'for a stranger there is none');
select is(pg_temp.edit('otto', 'Q3', 'set_rates', null, '{"rates": {"lead": 0.5}}'), 'allowed', 'an admin edits every scenario');
select is(pg_temp.plan_of('Q3'), 'shift_close drop_deal set_rates', 'edits count in the order in which they came');
create function pg_temp.remove(who text, kind text) returns text language sql as $$
  select pg_temp.refusal(who, format('select remove_scenario_edit(%L)', (select e.id from pipeline_scenario_edits e where e.kind = remove.kind and e.scenario_id = pg_temp.id_of('Q3'))))
$$;
select is(pg_temp.remove('max', 'drop_deal'), 'PC002 Change a copy of it.: Your role does not let you change this scenario.', 'another member removes nothing');
select is(pg_temp.remove('eve', 'drop_deal'), 'PC001 : This edit does not exist or is not yours to see.', 'a stranger finds nothing to remove');
select is(pg_temp.remove('mia', 'drop_deal'), 'allowed', 'an edit is removed');
select is(pg_temp.plan_of('Q3'), 'shift_close set_rates', 'and the others stay');
select is(pg_temp.edit('mia', 'Q3', 'set_probability', pg_temp.d('Roof'), '{"probability": 70}'), 'allowed', 'the deal is edited again');
select is(pg_temp.try_as('vera', format('select count(*) from scenario_plan(%L)', pg_temp.id_of('Q3'))), '3', 'a viewer reads the plan');
select is(pg_temp.try_as('eve', format('select count(*) from scenario_plan(%L)', pg_temp.id_of('Q3'))), '0', 'a stranger does not');
select results_eq($$ select estimated_value, stage_key, probability, expected_close_date from pipeline_projects p join d using (id) order by d.name $$,
  $$ values (null::numeric(18,2), 'lead', 10, null::date), (null, 'lead', 10, null), (null, 'lead', 10, null) $$, 'no deal has changed by any of this');

-- Copies and variants ----------------------------------------------------------------------------------------------------

create function pg_temp.copy_as(who text, source text, copy text, follow boolean) returns text language plpgsql as $$
declare
  said constant text := pg_temp.refusal(who, format('select copy_scenario(%L, %L, %L)', pg_temp.id_of(source), copy, follow));
begin
  insert into scenario select s.name, s.id from pipeline_scenarios s where s.workspace_id = (select id from w) and s.name = copy and said = 'allowed';
  return said;
end $$;
select is(pg_temp.copy_as('max', 'Q3', 'Copy', false), 'allowed', 'whoever reads a scenario copies it');
select is(pg_temp.copy_as('max', 'Q3', 'Variant', true), 'allowed', 'or varies it');
select is(pg_temp.plan_of('Copy') || ' | ' || pg_temp.plan_of('Variant'), 'shift_close set_rates set_probability | shift_close set_rates set_probability', 'both begin with what it says');
select is((select conversion_rates ->> 'lead' from pipeline_scenarios where workspace_id = (select id from w) and name = 'Copy'), '0.2', 'a copy has its rates');
select is(private.scenario_deals(pg_temp.id_of('Copy')) = private.scenario_deals(pg_temp.id_of('Q3')) and private.scenario_deals(pg_temp.id_of('Variant')) = private.scenario_deals(pg_temp.id_of('Q3')), true, 'and both have its deals');
select is(pg_temp.edit('max', 'Variant', 'shift_start', pg_temp.d('Roof'), '{"days": 7}'), 'allowed', 'the variant gets an edit of its own');
select is(pg_temp.edit('mia', 'Q3', 'drop_deal', pg_temp.d('Roof')), 'allowed', 'then the base drops that deal');
select is(pg_temp.plan_of('Copy'), 'shift_close set_rates set_probability', 'the copy is as it was');
select is(pg_temp.plan_of('Variant'), 'shift_close set_rates set_probability drop_deal shift_start:deal_dropped', 'the variant follows, and its own edit has nothing left to change');
select is(pg_temp.edit('max', 'Variant', 'shift_start', pg_temp.d('Roof'), '{"days": 7}'), format('PC004 Remove that edit first.: An earlier edit drops the deal %s.', pg_temp.d('Roof')), 'which is said of a new one at once');
select is(pg_temp.copy_as('max', 'Q3', 'Copy', false), 'PC008 name: There is a scenario "Copy" already.', 'a copy has a name of its own');
select is(pg_temp.copy_as('vera', 'Q3', 'Mine', false), 'PC002 : This needs the role member in the workspace; yours is viewer.', 'a viewer copies nothing');
select is(pg_temp.copy_as('eve', 'Q3', 'Mine', false), 'PC001 : This scenario does not exist or is not yours to see.', 'a stranger finds nothing to copy');

-- What does not count ----------------------------------------------------------------------------------------------------

select pg_temp.scenario('mia', 'All');
select pg_temp.edit('mia', 'All', k.kind, d.id, k.payload) from d, (values ('shift_start', '{"days": 1}'::jsonb), ('shift_close', '{"days": 1}'), ('set_probability', '{"probability": 1}')) k (kind, payload) where d.name = 'Wall';
create function pg_temp.with_wall(change text) returns text language plpgsql as $$
begin
  execute 'update pipeline_projects set ' || change || ' where id = pg_temp.d(''Wall'')';
  return pg_temp.plan_of('All');
end $$;
select is(pg_temp.with_wall('stage_key = ''won'''), 'shift_start shift_close:deal_won set_probability:deal_won', 'a won deal only moves its work');
select is(pg_temp.with_wall('stage_key = ''lost'''), 'shift_start:deal_lost shift_close:deal_lost set_probability:deal_lost', 'a lost one does nothing');
select is(pg_temp.with_wall('stage_key = ''on_hold'''), 'shift_start:deal_on_hold shift_close:deal_on_hold set_probability:deal_on_hold', 'one on hold waits');
select is(pg_temp.with_wall('stage_key = ''lead'', deleted_at = now()'), 'shift_start:deal_deleted shift_close:deal_deleted set_probability:deal_deleted', 'one that is deleted is gone');
select is(pg_temp.with_wall('deleted_at = null'), 'shift_start shift_close set_probability', 'and comes back with its edits');
insert into pipeline_scenario_projects (workspace_id, scenario_id, pipeline_project_id) select w.id, pg_temp.id_of('All'), pg_temp.d('Roof') from w;
select is(pg_temp.plan_of('All'), 'shift_start:not_in_scenario shift_close:not_in_scenario set_probability:not_in_scenario', 'a scenario that is now about others leaves it out');
delete from pipeline_scenario_projects where scenario_id = pg_temp.id_of('All');
select pg_temp.edit('mia', 'All', 'add_deal', null, '{"name": "New", "stage": "proposal"}');
select pg_temp.edit('mia', 'All', 'set_rates', null, '{"rates": {"proposal": 0.4, "lead": 0.1}}');
insert into conversion_templates (workspace_id, key, label, source, rates) select id, 'ours', 'Ours', 'x', '{"proposal": 0.3}' from w;
update pipeline_scenarios set conversion_rates = '{"proposal": 0.2}' where workspace_id = (select id from w) and name = 'All';
select is(pg_temp.try_as('otto', format('update pipeline_stages set key = %L, label = %L where workspace_id = %L and key = %L', 'offer', 'Offer', (select id from w), 'proposal')), '1 rows', 'a stage gets another key');
select is((select rates from conversion_templates where key = 'ours'), '{"offer": 0.3}', 'which templates follow');
select is((select conversion_rates from pipeline_scenarios where workspace_id = (select id from w) and name = 'All'), '{"offer": 0.2}', 'and scenarios');
select is((select jsonb_object_agg(kind, coalesce(payload -> 'rates', payload -> 'stage_key')) from pipeline_scenario_edits where scenario_id = pg_temp.id_of('All') and kind in ('add_deal', 'set_rates')),
  '{"add_deal": "offer", "set_rates": {"lead": 0.1, "offer": 0.4}}', 'with their edits');
delete from pipeline_scenario_edits where scenario_id = pg_temp.id_of('All') and kind = 'set_rates';
delete from conversion_templates where key = 'ours';
delete from pipeline_stages where workspace_id = (select id from w) and key = 'offer';
select is(pg_temp.plan_of('All'), 'shift_start shift_close set_probability add_deal:unknown_stage', 'a deal of a stage that is gone cannot be added');

-- Status -----------------------------------------------------------------------------------------------------------------

create function pg_temp.set_status(who text, verb text) returns text language sql as $$
  select pg_temp.try_as(who, format('select (%I(%L)).status', verb || '_scenario', pg_temp.id_of('All')))
$$;
select is(pg_temp.set_status('max', 'activate'), 'PC002', 'another member does not activate it');
select is(pg_temp.set_status('eve', 'activate'), 'PC001', 'nor does a stranger');
select is(pg_temp.set_status('mia', 'activate'), 'active', 'a member activates the own scenario');
update version set updated_at = s.updated_at from pipeline_scenarios s where s.workspace_id = (select id from w) and s.name = 'All';
select is(pg_temp.set_status('mia', 'activate'), 'active', 'twice is fine');
select is((select updated_at from pipeline_scenarios where workspace_id = (select id from w) and name = 'All'), (select updated_at from version), 'and changes nothing');
select is(pg_temp.set_status('otto', 'archive'), 'archived', 'an admin puts any away');
select is(pg_temp.edit('mia', 'All', 'set_rates', null, '{"rates": {}}'), 'PC008 Activate it, or change a copy of it.: This scenario is archived and stays as it is.', 'then it is not edited');
select is(pg_temp.try_as('mia', format('delete from pipeline_scenario_edits where scenario_id = %L', pg_temp.id_of('All'))), 'PC008', 'in any way');
select is(pg_temp.try_as('mia', format('delete from pipeline_projects where id = %L', pg_temp.d('Wall'))), '1 rows', 'a deal that goes for good takes its edits along all the same');
select is(pg_temp.plan_of('All'), 'add_deal:unknown_stage', 'and then they are gone');
select is(pg_temp.set_status('mia', 'activate'), 'active', 'it can be taken out again');
update pipeline_scenarios set deleted_at = now() where workspace_id = (select id from w) and name = 'All';
select is(pg_temp.set_status('mia', 'archive'), 'PC001', 'a deleted scenario has no status to change');
select is(pg_temp.begin_as('mia', 'All'), 'allowed', 'and its name is free');

select * from finish();
rollback;
