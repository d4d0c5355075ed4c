-- A plan: what a sync would do to either side, found out without doing it.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql
\ir ../fixtures/run.psql

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id;
create function pg_temp.rpc(who text, call text) returns text language sql as $$ select pg_temp.try_as(who, format('select (' || call || ').id', (select id from c))) $$;

-- What is linked already, by a run that has ended.
-- Which rules there are is checked elsewhere.
alter table crm_sync_configs disable trigger check_sync_settings;
update crm_sync_configs set sync_rules = '{"delete_when_deleted": true, "delete_in_crm": true}', conflict_resolution = 'manual_review' where id = (select id from c);
select pg_temp.start('before', (select id from c));
select pg_temp.merge('accounts', (select jsonb_agg(pg_temp.record('A' || i, jsonb_build_object('name', 'Account ' || i, 'website', 'a' || i || '.example')) -> 0) from generate_series(1, 6) i), run_name => 'before', done => true);
select private.crm_finish(operation, fence, 'completed', null) from run where name = 'before';
create function pg_temp.ours(crm text) returns uuid language sql as $$ select record_id from private.crm_record_links where config_id = (select id from c) and crm_record_id = crm $$;
-- Edits of ours, for every way they can go.
update crm_companies set name = 'Ours only' where id = pg_temp.ours('A1');
update crm_companies set name = 'Both, ours' where id = pg_temp.ours('A2');
update crm_companies set deleted_at = now() where id = pg_temp.ours('A6');
insert into crm_companies (workspace_id, name, website, domain) select id, 'To be recognised', 'known.example', 'known.example' from w;
insert into crm_companies (workspace_id, name, description) select id, 'Only here', repeat('long ', 100) from w;
-- As after a first sync: what is not linked has not been looked at yet.
delete from private.crm_outbox where config_id = (select id from c) and record_id not in (select record_id from private.crm_record_links);

select is(pg_temp.rpc('viewer', 'crm_plan_sync(%L)'), 'PC002', 'a viewer cannot plan');
select is(pg_temp.rpc('outsider', 'crm_plan_sync(%L)'), 'PC001', 'an outsider learns nothing');
select is(pg_temp.rpc('member', 'crm_plan_sync(%L, ''{leads}'')'), 'PC004', 'only what can be synced can be planned');
create temp table op on commit drop as select pg_temp.rpc('member', 'crm_plan_sync(%L)')::uuid as id;
create temp table k on commit drop as select * from private.crm_claim((select id from op), 'w', 60);
select results_eq('select operation, phases from k', $$ values ('plan', '{pull,push}'::text[]) $$, 'a member can; the worker is told that it is a plan');
select is(pg_temp.rpc('member', 'crm_plan_sync(%L)'), 'PC006', 'there is no second plan beside it');
select is((select detail - '{entities}'::text[] from crm_audit_log where action = 'planned' and workspace_id = (select id from w)), '{"direction": "bidirectional"}'::jsonb, 'a plan is audited');

-- Every row of every table, with the transaction that wrote it; only what is the plan's own is left out.
create function pg_temp.fingerprint() returns jsonb language plpgsql as $$
declare
  t record;
  print text;
  answer jsonb := '{}';
begin
  for t in
    select r.oid::regclass as name, case
      when r.relname = 'crm_sync_operations' then 'id' when r.relname in ('crm_operation_state', 'crm_operation_events') then 'operation_id' end as own
    from pg_class r where r.relkind = 'r' and r.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'vault'::regnamespace) and r.relname not like 'crm_plan_%' loop
    execute format('select md5(string_agg(t::text || t.xmin, '','' order by t::text)) from %s t', t.name) || case when t.own is null then '' else format(' where t.%I <> %L', t.own, (select id from op)) end into print;
    answer := answer || jsonb_build_object(t.name, print);
  end loop;
  return answer;
end $$;
create temp table before on commit drop as select pg_temp.fingerprint() as print;
select cmp_ok((select count(*) from before, jsonb_each(print) p where p.value <> 'null'), '>', 10::bigint, 'there is something to be left alone');

create function pg_temp.plan_page(records jsonb, place text, entity text default 'accounts') returns jsonb language sql as $$
  select private.crm_plan_page((select id from op), (select fence from k), entity, records, '[]', jsonb_build_object('entity', entity, 'cursor', place, 'entity_done', true), '{"modified_at": "2030-01-01", "id": "9"}')
$$;
create temp table page on commit drop as select
  pg_temp.record('N1', '{"name": "New there", "website": "new.example"}') || pg_temp.record('N2', '{"name": "To be recognised", "website": "known.example"}')
  || pg_temp.record('A2', '{"name": "Both, theirs"}') || pg_temp.record('A3', '{"name": "Theirs only"}') || pg_temp.record('A4', '{}', '{"deleted": true}')
  || pg_temp.record('A5', '{"name": "Account 5"}') || pg_temp.record('N3', jsonb_build_object('name', repeat('x', 300))) as records;
select is(pg_temp.plan_page(records, '1') - '{done,skipped,unchanged}'::text[], '{"created": 1, "updated": 1, "deleted": 1, "failed": 1, "conflicts": 1}'::jsonb, 'a page is answered as the merge would') from page;
select pg_temp.plan_page(records, '1') from page;
select ok(not private.crm_plan_push((select id from op), (select fence from k), 'accounts'), 'all of ours are looked at in one go');
select ok(private.crm_plan_push((select id from op), (select fence from k), 'contacts', 0), 'a limit is kept');
select pg_temp.plan_page('[]', '2', 'contacts');
select is((select string_agg(a.key, ', ') from before, jsonb_each(pg_temp.fingerprint()) a where a.value is distinct from before.print -> a.key), null, 'not one row of any table has changed');

create function pg_temp.result(who text) returns jsonb language plpgsql as $$
begin
  return pg_temp.try_as(who, format('select crm_plan_result(%L)', (select id from op)))::jsonb;
end $$;
select is(pg_temp.try_as('outsider', format('select crm_plan_result(%L)', (select id from op))), 'PC001', 'an outsider finds no plan');
select is(pg_temp.try_as('viewer', format('select crm_plan_result(%L)', (select operation from run where name = 'before'))), 'PC008', 'a sync is no plan');
select is(pg_temp.result('viewer') #> '{accounts,here}', '{"created": 1, "updated": 1, "deleted": 1, "linked": 1, "conflicts": 1, "failed": 1}'::jsonb, 'a viewer reads what would happen here; a page that came twice counts once');
select is(pg_temp.result('viewer') #> '{accounts,crm}', '{"created": 1, "updated": 1, "deleted": 1}'::jsonb, 'and in the CRM, without what the pull would recognise or what is in conflict');
create temp view sample as select s.* from jsonb_to_recordset(pg_temp.result('viewer') #> '{accounts,samples}') s (side text, action text, crm_record_id text, name text, before jsonb, after jsonb);
select results_eq($$ select action, crm_record_id, name, before ->> 'name', after ->> 'name' from sample where side = 'here' and action <> 'failed' order by action, crm_record_id $$,
  $$ values ('conflict', 'A2', 'Both, ours', 'Both, ours', 'Both, theirs'), ('created', 'N1', 'New there', null, 'New there'), ('deleted', 'A4', 'Account 4', null, null),
     ('linked', 'N2', 'To be recognised', null, null), ('updated', 'A3', 'Theirs only', 'Account 3', 'Theirs only') $$, 'samples show records by name, before and after');
select alike((select after ->> 'message' from sample where action = 'failed'), 'Name has 300 characters%', 'and what could not be taken');
select results_eq($$ select action, crm_record_id, name, before ->> 'name', after ->> 'name' from sample where side = 'crm' order by action, crm_record_id $$,
  $$ values ('created', null, 'Only here', null, 'Only here'), ('deleted', 'A6', 'Account 6', null, null), ('updated', 'A1', 'Ours only', 'Account 1', 'Ours only') $$, 'for the CRM too');

-- Samples are few, counts are not.
select pg_temp.plan_page((select jsonb_agg(pg_temp.record('M' || i, jsonb_build_object('name', 'Many ' || i)) -> 0) from generate_series(1, 50) i), '3');
select is((pg_temp.result('viewer') #>> '{accounts,here,created}')::int, 51, 'every record is counted');
select is((select count(*) from sample where side = 'here' and action = 'created'), 20::bigint, 'twenty are shown');

-- A record that changes while the CRM is read comes in a later page as well.
select pg_temp.plan_page((select jsonb_agg(r) from page, jsonb_array_elements(records) r where r ->> 'crm_id' <> 'A5') || pg_temp.record('A5', '{"name": "Changed since"}'), '4');
select is(pg_temp.result('viewer') #> '{accounts,here}', '{"created": 51, "updated": 2, "deleted": 1, "linked": 1, "conflicts": 1, "failed": 1}'::jsonb, 'a record that comes in two pages counts once');
select is((select string_agg(crm_record_id, ' ' order by crm_record_id) from sample where side = 'here' and action <> 'created'), 'A2 A3 A4 A5 N2 N3', 'and is shown once');

update crm_sync_configs set last_sync_at = null, last_sync_status = null where id = (select id from c);
select private.crm_finish((select id from op), (select fence from k), 'completed', null);
select is((select results #>> '{accounts,here,created}' from crm_sync_operations where id = (select id from op)), '51', 'the run carries the counts');
select is((select last_sync_at from crm_sync_configs where id = (select id from c)), null, 'a plan is no sync of its connection');
select throws_ok(format('select private.crm_plan_page(%L, %s, ''accounts'', ''[]'', ''[]'', ''{}'', null)', (select id from op), (select fence from k)), 'PC007', null, 'a worker that lost the plan adds nothing to it');
select throws_ok(format('select private.crm_plan_push(%L, %s, ''accounts'')', (select id from op), (select fence from k)), 'PC007', null, 'on either side');

select * from finish();
rollback;
