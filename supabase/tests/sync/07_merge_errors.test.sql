-- The merge: bad records are errors of their own, pages can come twice, counts and progress are kept.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql
\ir ../fixtures/run.psql
select pg_temp.start('crm', pg_temp.connect_crm('salesforce', 'org1'));
-- Only what belongs to the runs of this file.
create temp view links as select l.* from private.crm_record_links l where l.config_id in (select config from run);
create temp view journal as select j.* from private.crm_journal j where j.operation_id in (select operation from run);
create temp view conflicts as select k.* from crm_sync_conflicts k where k.config_id in (select config from run);
create function pg_temp.settings(rules jsonb, strategy text default 'last_write_wins') returns void language sql as $$
  update crm_sync_configs set sync_rules = rules, conflict_resolution = strategy where workspace_id = (select id from w)
$$;
create function pg_temp.contact(crm text) returns crm_contacts language sql as $$
  select c from crm_contacts c join links l on l.record_id = c.id and l.entity_type = 'contacts' where l.crm_record_id = crm
$$;
create function pg_temp.company(crm text) returns crm_companies language sql as $$
  select c from crm_companies c join links l on l.record_id = c.id and l.entity_type = 'accounts' where l.crm_record_id = crm
$$;
create function pg_temp.deal(crm text) returns pipeline_projects language sql as $$
  select c from pipeline_projects c join links l on l.record_id = c.id and l.entity_type = 'opportunities' where l.crm_record_id = crm
$$;
create function pg_temp.base(crm text) returns jsonb language sql as $$ select base from links where crm_record_id = crm $$;
create function pg_temp.conflict(crm text) returns crm_sync_conflicts language sql as $$
  select k from crm_sync_conflicts k where k.id = (select c.id from conflicts c where c.crm_record_id = crm order by c.status = 'pending' desc limit 1)
$$;

create function pg_temp.error(crm text) returns crm_sync_errors language sql as $$
  select e from crm_sync_errors e where crm_record_id = crm and config_id in (select config from run) order by status = 'open' desc limit 1
$$;
select is(pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Fine"}') || pg_temp.record('A2', jsonb_build_object('name', repeat('x', 300))) || pg_temp.record('A3', '{"name": null}') || pg_temp.record('A4', '{"name": "Fine too"}')),
  'created=2 failed=2', 'bad records do not sink the page');
select results_eq($$ select code, message, field, kind, status, attempts from pg_temp.error('A2') $$,
  $$ values ('too_long', 'Name has 300 characters; at most 255 fit.', 'Name', 'rejected', 'open', 1) $$, 'a name of 300 characters is explained');
select is((pg_temp.error('A3')).code, 'required_missing', 'so is a missing one');
select is(pg_temp.merge('accounts', pg_temp.record('A2', jsonb_build_object('name', repeat('x', 301)))), 'failed=1', 'the same record again');
select results_eq($$ select attempts, message from pg_temp.error('A2') $$, $$ values (1, 'Name has 301 characters; at most 255 fit.') $$, 'is the same error, with the latest reason, and no other attempt: the run is the same');
select is(pg_temp.merge('accounts', pg_temp.record('A2', '{"name": "Short"}')), 'created=1', 'mended in the CRM');
select is((pg_temp.error('A2')).status, 'resolved', 'it is resolved');

select is(pg_temp.merge(entity, pg_temp.record('bad', vals::jsonb)) || ' ' || (pg_temp.error('bad')).code, 'failed=1 ' || code, format('%s %s: %s', entity, vals, code))
from (values
  ('accounts', '{"name": "  "}', 'required_missing'), ('accounts', '{"industry": "x"}', 'required_missing'), ('accounts', '{"name": "n", "annual_revenue": "much"}', 'wrong_type'),
  ('accounts', '{"name": "n", "employee_count": 99999999999}', 'out_of_range'), ('accounts', '{"name": "n", "company_status": "vip"}', 'not_allowed'), ('accounts', '{"name": "n", "tags": {}}', 'wrong_type'),
  ('accounts', '{"name": "n", "billing_address": "Main Street"}', 'wrong_type'), ('accounts', '{"name": 5}', 'wrong_type'),
  ('contacts', '{"last_name": "n", "email": "nobody"}', 'not_an_email'), ('contacts', '{"first_name": "", "last_name": null, "email": null}', 'required_missing'),
  ('opportunities', '{"name": "n", "stage_key": "gone"}', 'unknown_stage'), ('opportunities', '{"name": "n", "stage_key": null}', 'required_missing'), ('opportunities', '{"name": "n", "currency": "Euro"}', 'too_long'), ('opportunities', '{"name": "n", "currency": "eur"}', 'not_a_currency'),
  ('opportunities', '{"name": "n", "probability": 101}', 'out_of_range'), ('opportunities', '{"name": "n", "expected_close_date": "2026-02-30"}', 'not_a_date'), ('opportunities', '{"name": "n", "expected_close_date": "soon"}', 'not_a_date')
) bad (entity, vals, code);
select is(pg_temp.merge('opportunities', pg_temp.record('leap', '{"name": "n", "stage_key": "lead", "expected_close_date": "2028-02-29"}')), 'created=1', 'a leap day is a day');

select is(pg_temp.merge('contacts', '[]', '[{"crm_id": "C1", "code": "unmapped", "message": "No.", "field": "Email"}, {"crm_id": "C1", "code": "unmapped", "message": "No.", "field": "Email"}]'), 'failed=1', 'what the worker could not map is an error as well');
select results_eq($$ select code, message, field from pg_temp.error('C1') $$, $$ values ('unmapped', 'No.', 'Email') $$, 'with its reason');
select pg_temp.merge('contacts', pg_temp.record('C2', '{"last_name": "Known"}'));
select is(pg_temp.merge('contacts', pg_temp.record('C2', jsonb_build_object('last_name', repeat('x', 101)))), 'failed=1', 'a known record that goes bad');
select is((pg_temp.contact('C2')).last_name, 'Known', 'keeps its last good form');
select is((pg_temp.error('C2')).record_id, (pg_temp.contact('C2')).id, 'and its error names it');

-- Counts, progress, checkpoint
select pg_temp.start('fresh', pg_temp.connect_crm('hubspot', 'portal1'));
create temp view log as select l.* from crm_sync_logs l, run where l.operation_id = run.operation and run.name = 'fresh';
create temp view op as select o.* from crm_sync_operations o, run where o.id = run.operation and run.name = 'fresh';
create temp view state as select s.* from private.crm_operation_state s, run where s.operation_id = run.operation and run.name = 'fresh';
create function pg_temp.many(n int) returns jsonb language sql as $$ select jsonb_agg(pg_temp.record('M' || i, jsonb_build_object('last_name', 'Many ' || i)) -> 0) from generate_series(1, n) i $$;
select private.crm_set_totals(operation, fence, '{"contacts": 10}') from run where name = 'fresh';
select is(pg_temp.merge('contacts', pg_temp.many(4), run_name => 'fresh'), 'created=4', 'four of ten');
select results_eq('select progress - ''{rate_per_second,eta_seconds}''::text[] from op', $$ values ('{"entity": "contacts", "entities": {"contacts": {"done": 4, "total": 10}}, "done": 4, "total": 10}'::jsonb) $$, 'are shown as such');
select ok((select (progress ->> 'rate_per_second')::numeric > 0 and (progress ->> 'eta_seconds')::int >= 0 from op), 'with a rate and a time left');
select is((select checkpoint from state), '{"entity": "contacts", "cursor": 1, "entity_done": false}'::jsonb, 'the checkpoint is kept');
select is((select crashes from state), 0, 'a merged page is a sign of life');
update run set pages = 0 where name = 'fresh';
select is(pg_temp.merge('contacts', pg_temp.many(4), run_name => 'fresh'), 'unchanged=4', 'the same page delivered twice');
select is((select records_processed from log), 4, 'is counted once');
select is((select count(*) from crm_contacts where last_name like 'Many %' and workspace_id = (select id from w)), 4::bigint, 'and adds nobody twice');
select is(private.crm_incremental_cursor((select config from run where name = 'fresh'), 'contacts'), null, 'no cursor before the entity is read to the end');
select pg_temp.merge('contacts', pg_temp.many(7), run_name => 'fresh', done => true);
select results_eq('select records_processed, records_created, records_unchanged, records_synced from log', $$ values (11, 7, 4, 11) $$, 'the log adds up');
select is((select progress #> '{entities,contacts}' from op), '{"done": 11, "total": 11}'::jsonb, 'at the end the total is what there was');
select is(private.crm_incremental_cursor((select config from run where name = 'fresh'), 'contacts'), '{"modified_at": "2030-01-01", "id": "9"}'::jsonb, 'the next run goes on from here');
update private.crm_record_links set created_at = clock_timestamp() where config_id = (select config from run where name = 'fresh');
select is(private.crm_was_linked((select operation from run where name = 'fresh'), 'contacts'), false, 'what this run has linked tells nothing of earlier ones');
update private.crm_record_links set created_at = now() - interval '1 day' where config_id = (select config from run where name = 'fresh');
select is(private.crm_was_linked((select operation from run where name = 'fresh'), 'contacts'), true, 'what was linked before does: reading all of it anew has deletions to tell of');
select private.crm_merge_page(operation, fence, 'accounts', '[]', '[]', '{"entity": "accounts", "cursor": null, "entity_done": true}', null) from run where name = 'fresh';
select ok((private.crm_incremental_cursor((select config from run where name = 'fresh'), 'accounts') ->> 'modified_at')::timestamptz between now() - interval '2 hours' and now(),
  'where nothing was yet, the next run asks for what is new since, deletions included');
select private.crm_finish(operation, fence, 'completed', null) from run where name = 'fresh';
select results_eq('select status, results #>> ''{contacts,created}'' from op', $$ values ('completed', '7') $$, 'a clean run is completed');

-- Dead letters: records that run after run could not read
create function pg_temp.try_again(records jsonb, rejected jsonb default '[]') returns text language plpgsql as $$
declare
  connection uuid := (select config from run where name = 'fresh');
begin
  perform private.crm_finish(operation, fence, 'completed', null) from run where name = 'tries';
  delete from run where name = 'tries';
  perform pg_temp.start('tries', connection);
  return pg_temp.merge('contacts', records, rejected, 'tries');
end $$;
create temp table tries on commit drop as
  select n, pg_temp.try_again(pg_temp.record('T1', jsonb_build_object('last_name', repeat('x', 200 + n))), '[{"crm_id": "T2", "code": "unmapped", "message": "No."}]') as answer,
    (pg_temp.error('T1')).status || (pg_temp.error('T1')).attempts as t1, (pg_temp.error('T2')).status as t2
  from generate_series(1, 6) n;
select results_eq('select t1, t2 from tries order by n', $$ values ('open1', 'open'), ('open2', 'open'), ('open3', 'open'), ('open4', 'open'), ('dead5', 'dead'), ('dead6', 'dead') $$,
  'what could not be read in five runs is a dead letter');
select is((select count(*) from crm_sync_errors where crm_record_id = 'T1' and config_id in (select config from run)), 1::bigint, 'there is one of each');
select matches((pg_temp.error('T1')).message, '206 characters', 'with the latest reason');
select is(pg_temp.try_as('member', $$ select dead_errors || ' ' || advice from crm_sync_health where crm_provider = 'hubspot' $$),
  '2 2 records were given up after several tries. Mend them as their errors say, then retry them.', 'people are told');
select private.crm_finish(operation, fence, 'completed', null) from run where name = 'tries';
delete from run where name = 'tries';
select is(pg_temp.try_as('member', format('select (crm_retry_failed(%L)).trigger', (select config from run where name = 'fresh'))), 'retry', 'they can be tried again');
select is((select string_agg(crm_record_id, ' ' order by crm_record_id) from private.crm_dirty where config_id = (select config from run where name = 'fresh')), 'T1 T2', 'each is fetched by name');
select pg_temp.try_as('member', format('select (crm_cancel_sync(id)).id from crm_sync_operations where config_id = %L and status = ''queued''', (select config from run where name = 'fresh')));
select is(pg_temp.try_again(pg_temp.record('T1', '{"last_name": "Mended"}')), 'created=1', 'mended in the CRM');
select results_eq($$ select (pg_temp.error('T1')).status, (pg_temp.error('T2')).status $$, $$ values ('resolved', 'dead') $$, 'the letter is closed, and no other');
select is(pg_temp.try_again('[]', '[{"crm_id": "T1", "code": "unmapped", "message": "No."}]'), 'failed=1', 'bad once more');
select results_eq($$ select status, attempts from pg_temp.error('T1') $$, $$ values ('open', 1) $$, 'it begins anew');

-- A stale worker
select throws_ok(format($$ select private.crm_merge_page(%L, %s, 'contacts', '[]', '[]', '{}', null) $$, operation, fence), 'PC007', null, 'a worker of a finished run writes nothing') from run where name = 'fresh';
update private.crm_operation_state s set fence = s.fence + 1 from run where s.operation_id = run.operation and run.name = 'crm';
select throws_ok(format($$ select private.crm_merge_page(%L, %s, 'contacts', %L, '[]', '{}', null) $$, operation, fence, pg_temp.record('S1', '{"last_name": "Stale"}')), 'PC007', null, 'nor one whose lease was taken over') from run where name = 'crm';
select is((select count(*) from crm_contacts where last_name = 'Stale'), 0::bigint, 'really nothing');
select throws_ok($$ select private.crm_merge_page(gen_random_uuid(), 1, 'contacts', '[]', '[]', '{}', null) $$, 'PC007', null, 'nor one that made its run up');

select * from finish();
rollback;
