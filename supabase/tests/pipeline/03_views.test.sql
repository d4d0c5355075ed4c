-- crm_deals and crm_opportunities read and write the one table of deals; the totals add up.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('ada', 'mia', 'vera', 'eve');
create temp table w on commit drop as select pg_temp.try_as('ada', $$ select (create_workspace('Team')).id $$)::uuid as id;
insert into workspace_members (workspace_id, user_id, role) select w.id, pg_temp.person(p.name), p.role from w, (values ('mia', 'member'), ('vera', 'viewer')) p (name, role);

create temp table d on commit drop as select pg_temp.try_as('mia', format($$ insert into crm_deals (workspace_id, name, amount, stage) values (%L, 'Roof', 500, 'closed_won') returning id $$, (select id from w)))::uuid as id;
select results_eq($$ select p.name, p.estimated_value, p.stage_key, p.probability, p.created_by from pipeline_projects p join d using (id) $$,
  $$ values ('Roof', 500.00, 'won', 100, pg_temp.person('mia')) $$, 'a member inserts through crm_deals, in the spelling of another document');
select is(pg_temp.try_as('mia', $$ update crm_deals set amount = 750, stage = 'Proposal', next_steps = 'call' $$), '1 rows', 'and updates');
select results_eq($$ select p.estimated_value, p.stage_key, p.next_steps from pipeline_projects p join d using (id) $$, $$ values (750.00, 'proposal', 'call') $$, 'which reaches the table');
select results_eq($$ select amount, stage, weighted_amount, opportunity_id from crm_deals join d using (id) $$, $$ select 750.00::numeric(18, 2), 'proposal', 450.00::numeric(18, 2), id from d $$, 'and reads back');
select is(pg_temp.try_as('vera', 'select count(*) from crm_deals'), '1', 'a viewer reads it');
select is(pg_temp.try_as('vera', 'update crm_deals set amount = 1'), '0 rows', 'and changes nothing');
select is(pg_temp.try_as('vera', 'delete from crm_deals'), '0 rows', 'or deletes');
select is(pg_temp.try_as('vera', format($$ insert into crm_deals (workspace_id, name) values (%L, 'X') $$, (select id from w))), '42501', 'or creates');
select is(pg_temp.try_as('eve', 'select count(*) from crm_deals'), '0', 'a stranger sees nothing');
select is(pg_temp.try_as('eve', 'select count(*) from pipeline_summary where workspace_id = ' || quote_literal((select id from w))), '0', 'no totals either');
select is(pg_temp.try_as('anon', 'select count(*) from crm_deals'), '42501', 'anon may not even ask');
select is(pg_temp.try_as('mia', 'delete from crm_deals'), '1 rows', 'a delete through the view');
select isnt((select deleted_at from pipeline_projects p join d using (id)), null, 'is a soft delete');
select is(pg_temp.try_as('mia', 'delete from crm_deals'), '0 rows', 'once');
select is(pg_temp.try_as('mia', 'update crm_deals set deleted_at = null'), '1 rows', 'and can be undone');

select is(pg_temp.try_as('mia', format($$ insert into crm_opportunities (workspace_id, name, value, stage, description) values (%L, 'Wall', 100, 'Qualification', 'brick') returning stage $$, (select id from w))), 'opportunity', 'crm_opportunities takes its own names');
select is(pg_temp.try_as('mia', $$ update crm_opportunities set value = 200, probability = 50 where name = 'Wall' returning weighted_value $$), '100.00', 'and updates');
select is(pg_temp.try_as('mia', $$ delete from crm_opportunities where name = 'Wall' $$), '1 rows', 'and deletes softly');
select is(pg_temp.try_as('mia', $$ select count(*) from crm_opportunities where name = 'Wall' $$), '0', 'after which it is out of sight there');

-- Totals.
delete from pipeline_projects where workspace_id = (select id from w);
insert into pipeline_projects (workspace_id, name, stage_key, estimated_value, crm_source, currency, deleted_at)
select w.id, 'D', v.* from w, (values ('won', 100.0, 'salesforce', 'USD', null::timestamptz), ('won', 50, 'salesforce', 'USD', null), ('lost', 70, 'salesforce', 'USD', null), ('prospect', null, 'salesforce', 'USD', null),
  ('won', 30, 'hubspot', 'USD', null), ('proposal', 1000, null, 'EUR', null), ('won', 9999, 'salesforce', 'USD', now())) v;
select results_eq($$ select stage_key, crm_source, opportunities, value, weighted_value, currency::text from pipeline_summary where workspace_id = (select id from w) and opportunities > 0 order by position, crm_source $$,
  $$ values ('prospect', 'salesforce', 1::bigint, 0::numeric, 0::numeric, 'USD'), ('proposal', null, 1, 1000.00, 600.00, 'EUR'), ('won', 'hubspot', 1, 30.00, 30.00, 'USD'), ('won', 'salesforce', 2, 150.00, 150.00, 'USD'), ('lost', 'salesforce', 1, 70.00, 0.00, 'USD') $$,
  'pipeline_summary counts and adds up, per CRM and currency, without deleted deals');
select is((select count(*) from pipeline_summary where workspace_id = (select id from w) and opportunities = 0), 4::bigint, 'a stage without deals has a row of zeros');
select results_eq($$ select crm_source, won, lost, open, won_value, win_rate from pipeline_win_rate where workspace_id = (select id from w) order by crm_source $$,
  $$ values ('hubspot', 1::bigint, 0::bigint, 0::bigint, 30.00::numeric, 100.00::numeric), ('salesforce', 2, 1, 1, 150.00, 66.67), (null, 0, 0, 1, 0, null) $$, 'pipeline_win_rate is won in per cent of closed');

select * from finish();
rollback;
