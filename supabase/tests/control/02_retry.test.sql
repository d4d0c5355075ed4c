-- What failed is tried again: records, and whole runs.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql
\ir ../fixtures/run.psql

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id;
create function pg_temp.rpc(who text, call text) returns text language sql as $$ select pg_temp.try_as(who, format('select (' || call || ').id', (select id from c))) $$;
create function pg_temp.live() returns crm_sync_operations language sql as $$ select o from crm_sync_operations o where config_id = (select id from c) and o.status in ('queued', 'running', 'paused') $$;
create function pg_temp.state() returns private.crm_operation_state language sql as $$ select s from private.crm_operation_state s where operation_id = (pg_temp.live()).id $$;
create function pg_temp.claim() returns bigint language sql as $$ select k.fence from private.crm_claim((pg_temp.live()).id, 'w', 60) k $$;
create function pg_temp.finish_run(outcome text default 'completed') returns void language sql as $$
  select private.crm_finish(s.operation_id, s.fence, outcome, null) from private.crm_operation_state s where s.operation_id = (pg_temp.live()).id
$$;

create temp table e on commit drop as select gen_random_uuid() as id, d as direction, n, 'crm' || n as crm, pg_temp.person('record ' || n) as record, s as status
from (values ('pull', 1, 'open'), ('pull', 2, 'open'), ('push', 3, 'open'), ('push', 4, 'dead'), ('pull', 5, 'resolved')) v (d, n, s);
insert into crm_sync_errors (id, workspace_id, config_id, entity_type, direction, crm_record_id, record_id, kind, code, message, status)
select e.id, w.id, c.id, 'contacts', e.direction, case e.direction when 'pull' then e.crm end, case e.direction when 'push' then e.record end, 'rejected', 'bad', 'It does not fit.', e.status from e, c, w;
insert into private.crm_outbox (config_id, entity_type, record_id, workspace_id, not_before, attempts, dead)
select c.id, 'contacts', e.record, w.id, 'infinity', 5, e.status = 'dead' from e, c, w where e.direction = 'push';
create function pg_temp.dirty() returns text[] language sql as $$ select array_agg(crm_record_id order by 1) from private.crm_dirty where config_id = (select id from c) $$;
create function pg_temp.due() returns bigint language sql as $$ select count(*) from private.crm_outbox where config_id = (select id from c) and not dead and attempts = 0 and not_before <= clock_timestamp() $$;

select is(pg_temp.rpc('viewer', 'crm_retry_failed(%L)'), 'PC002', 'a viewer cannot retry');
select is(pg_temp.rpc('outsider', 'crm_retry_failed(%L)'), 'PC001', 'an outsider learns nothing');
select is(pg_temp.try_as('member', format('select (crm_retry_failed(%L, %L)).id', (select id from c), array(select id from e where n = 5))), 'PC008', 'what is resolved needs no retry');
select is(pg_temp.try_as('member', format('select (crm_retry_failed(%L, %L)).trigger', (select id from c), array(select id from e where n = 1))), 'retry', 'a member retries one record');
select is(pg_temp.dirty(), '{crm1}', 'which is fetched by name');
select is(pg_temp.due(), 0::bigint, 'and no other');
select results_eq('select entities, (pg_temp.state()).phases from pg_temp.live()', $$ values ('{contacts}'::text[], '{dirty,push}'::text[]) $$, 'by a run that reads nothing else');
select is(pg_temp.rpc('member', 'crm_retry_failed(%L)'), (pg_temp.live()).id::text, 'all of them');
select is(pg_temp.dirty(), '{crm1,crm2}', 'records of the CRM are fetched');
select is(pg_temp.due(), 2::bigint, 'ours are pushed, the dead letter as well');
select is((select status from crm_sync_errors where id = (select id from e where n = 4)), 'dead', 'whose error stays until it got through');
select is((select count(*) from crm_audit_log where action = 'retried' and workspace_id = (select id from w) and actor_id = pg_temp.person('member')), 2::bigint, 'retries are audited');
select is((select sum(estimated_records) from pg_temp.live()), 1::bigint, 'the run knew how much there was when it was made');

-- A whole run
create temp table ran on commit drop as select (pg_temp.live()).id;
create function pg_temp.retry(who text) returns text language sql as $$ select pg_temp.try_as(who, format('select (crm_retry_operation(%L)).id', (select id from ran))) $$;
select is(pg_temp.retry('member'), 'PC008', 'a run that has not ended cannot be retried');
select pg_temp.claim();
update crm_sync_errors set operation_id = (select id from ran) where id = (select id from e where n = 2);
delete from private.crm_dirty where config_id = (select id from c);
select pg_temp.finish_run('partial');
select is(pg_temp.retry('viewer'), 'PC002', 'nor by a viewer');
select is(pg_temp.retry('outsider'), 'PC001', 'an outsider finds none');
select isnt(pg_temp.retry('member'), null, 'a member retries what was left out');
select results_eq('select trigger, entities, direction, (pg_temp.state()).phases from pg_temp.live()', $$ values ('retry', '{contacts}'::text[], 'bidirectional', '{dirty,pull,push}'::text[]) $$, 'with the same entities and direction');
select is(pg_temp.dirty(), '{crm2}', 'the failed record is fetched again');
select pg_temp.claim();
select pg_temp.finish_run();
select is(pg_temp.try_as('member', format('select (crm_retry_operation(%L)).id', (select id from crm_sync_operations where config_id = (select id from c) and status = 'completed'))), 'PC008', 'a run that got through has nothing to retry');
update crm_sync_configs set status = 'paused' where id = (select id from c);
select is(pg_temp.retry('member'), 'PC005', 'a paused connection retries nothing');
select is(pg_temp.rpc('member', 'crm_retry_failed(%L)'), 'PC005', 'of neither kind');

select * from finish();
rollback;
