-- Deals: what follows from the stage, for a person and for a sync.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('ada');
create temp table w on commit drop as select id from workspaces where created_by = pg_temp.person('ada');
create temp view deal as select d.* from pipeline_projects d where d.workspace_id = (select id from w);

insert into pipeline_projects (workspace_id, name) select id, 'Plain' from w;
select results_eq($$ select stage_key, probability, currency::text, priority from deal $$, $$ values ('lead', 10, 'USD', 'medium') $$, 'a deal starts as a lead with its probability');
update deal set stage_key = 'Closed-Won', estimated_value = 1000 where true;
select results_eq($$ select stage_key, probability, actual_close_date, weighted_value from deal $$, $$ values ('won', 100, current_date, 1000.00) $$, 'winning it sets probability, closing day and weighted value');
update deal set stage_key = 'negotiation' where true;
select results_eq($$ select stage_key, probability, actual_close_date, weighted_value from deal $$, $$ values ('negotiation', 80, null::date, 800.00) $$, 'reopening it takes them back');
update deal set stage_key = 'lost', probability = 5, actual_close_date = '2026-01-31', lost_reason = 'price' where true;
select results_eq($$ select probability, actual_close_date from deal $$, $$ values (5, '2026-01-31'::date) $$, 'what the person says in the same breath stands');
update deal set probability = null where true;
select is((select probability from deal), 0, 'an emptied probability is the stage''s again');
select results_eq($$ select from_stage, to_stage from pipeline_stage_history where workspace_id = (select id from w) order by changed_at, ctid $$,
  $$ values (null, 'lead'), ('lead', 'won'), ('won', 'negotiation'), ('negotiation', 'lost') $$, 'the history tells every move');
delete from deal where true;

insert into pipeline_projects (workspace_id, name, stage_key, probability) select id, 'Given', 'proposal', 33 from w;
select is((select probability from deal), 33, 'a given probability stands');
select throws_ok($$ update deal set stage_key = 'nonsense' where true $$, '23503', null, 'an unknown stage is refused');
select throws_ok($$ update deal set probability = 101 where true $$, '23514', null, 'a probability ends at 100');
select throws_ok($$ update deal set currency = 'us$' where true $$, '23514', null, 'a currency is three capital letters');
select throws_ok($$ update deal set priority = 'urgent' where true $$, '23514', null, 'a deal''s priority is low, medium, high or critical');
select throws_ok($$ update deal set sync_status = 'late' where true $$, '23514', null, 'a sync status is one of four');
select throws_ok($$ update deal set estimated_duration = -1 where true $$, '23514', null, 'nothing takes less than no days');

select set_config('pipeline_crm.sync_config', '11111111-1111-4111-8111-111111111111', true);
update deal set stage_key = 'won' where true;
select results_eq($$ select stage_key, probability, actual_close_date from deal $$, $$ values ('won', 33, null::date) $$, 'a sync moves the stage and nothing it did not bring');
select is((select changed_by from pipeline_stage_history where to_stage = 'won' and probability = 33 and workspace_id = (select id from w)), null, 'its move has no person');
insert into pipeline_projects (workspace_id, name, stage_key, estimated_value, crm_source, crm_id)
select w.id, 'Bulk ' || i, case i % 2 when 0 then 'won' else 'prospect' end, 10, 'salesforce', i::text from w, generate_series(1, 400) i;
select results_eq($$ select stage_key, probability, count(*) from deal where name like 'Bulk %' group by 1, 2 order by 1 $$, $$ values ('prospect', 20, 200::bigint), ('won', 100, 200) $$, 'a page of deals gets the probabilities of its stages');
select is((select count(*) from pipeline_stage_history h join deal d on d.id = h.pipeline_project_id where d.name like 'Bulk %'), 400::bigint, 'and a first entry each');

select * from finish();
rollback;
