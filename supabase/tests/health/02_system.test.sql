-- Whether the machinery runs, and how long history is kept.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql
\ir ../fixtures/run.psql

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id;
create function pg_temp.rpc(who text, call text) returns text language sql as $$ select pg_temp.try_as(who, format('select (' || call || ').id', (select id from c))) $$;

create function pg_temp.bad() returns text language sql as $$ select coalesce(string_agg(name, ', ' order by name), 'none') from private.crm_system_checks() where not ok $$;
-- Whatever the stack around this test has done.
update crm_sync_operations set status = 'cancelled' where status in ('queued', 'running', 'paused');
delete from cron.job_run_details where true;
select is(pg_temp.bad(), 'dispatcher_age_seconds', 'a dispatcher that never ran is a fault');
insert into cron.job_run_details (jobid, runid, job_pid, database, username, command, status, return_message, start_time, end_time)
select jobid, 1, 1, 'postgres', 'postgres', command, 'succeeded', '1 row', clock_timestamp() - interval '1 minute', clock_timestamp() from cron.job where jobname = 'crm-dispatch';
select is(pg_temp.bad(), 'none', 'one that ran a minute ago is fine');
select pg_temp.rpc('member', 'crm_start_sync(%L)');
create temp table op on commit drop as select id from crm_sync_operations where config_id = (select id from c);
-- What ended above has its say now: a table with such work left cannot be altered.
set constraints all immediate;
alter table crm_sync_operations disable trigger set_updated_at;
update crm_sync_operations set updated_at = now() - interval '1 hour' where id = (select id from op);
select is(pg_temp.bad(), 'oldest_queued_seconds', 'a run that nobody takes is a fault');
update crm_sync_configs set is_active = false where id = (select id from c);
select is(pg_temp.bad(), 'none', 'unless somebody switched its connection off');
update crm_sync_configs set is_active = true where id = (select id from c);
create temp table k on commit drop as select fence from private.crm_claim((select id from op), 'w', 60);
select is(pg_temp.bad(), 'none', 'a worker has it');
update private.crm_operation_state set lease_expires_at = now() - interval '10 minutes' where operation_id = (select id from op);
select is(pg_temp.bad(), 'stuck_leases', 'a worker that died and was not replaced is a fault');
select is(private.crm_system_health() -> 'ok', 'false'::jsonb, 'which the whole says');
update workspaces set deleted_at = now() where id = (select id from w);
select is(pg_temp.bad(), 'none', 'unless its workspace was deleted: nobody is to come');
update workspaces set deleted_at = null where id = (select id from w);
select is((select count(*) from jsonb_each(private.crm_system_health()) e where e.value::text like '%' || (select id from w) || '%'), 0::bigint, 'without a word about whose it is');
select is(pg_temp.try_as(r, 'select private.crm_system_health()'), '42501', r || ' asks the function, not the database') from unnest('{anon,owner,service_role}'::text[]) r;

-- Retention
select private.crm_finish((select id from op), (select max(fence) from private.crm_operation_state where operation_id = (select id from op)), 'completed', null);
-- Those of other tests are younger, and came before.
delete from private.crm_journal where true;
insert into private.crm_journal (operation_id, entity_type, record_id, crm_record_id, action, created_at)
select (select id from op), 'contacts', gen_random_uuid(), 'J' || i, 'updated', now() - make_interval(days => i * 31) from generate_series(5, 1, -1) i;
insert into crm_sync_errors (workspace_id, config_id, entity_type, crm_record_id, kind, code, message, status, last_seen_at)
select w.id, c.id, 'contacts', s || d, 'rejected', 'x', 'X.', s, now() - make_interval(days => d) from w, c, unnest('{open,resolved,dead}'::text[]) s, unnest('{10,100}'::int[]) d;
insert into crm_sync_conflicts (workspace_id, config_id, entity_type, crm_record_id, app_data, crm_data, conflicting_fields, status, detected_at)
select w.id, c.id, 'contacts', s || d, '{}', '{}', '{name}', s, now() - make_interval(days => d) from w, c, unnest('{pending,resolved,ignored}'::text[]) s, unnest('{10,500}'::int[]) d;
create function pg_temp.op(kind text, days int) returns uuid language sql as $$
  insert into crm_sync_operations (workspace_id, config_id, operation, direction, entities, status, completed_at) select w.id, c.id, kind, 'from_crm', '{contacts}', 'completed', now() - make_interval(days => days) from w, c returning id
$$;
select pg_temp.op(k, d) from (values ('plan', 10), ('plan', 50), ('sync', 50), ('sync', 500)) v (k, d);
create temp table kept_back on commit drop as select pg_temp.op('sync', 500) as id;
insert into private.crm_journal (operation_id, entity_type, record_id, crm_record_id, action) select id, 'contacts', gen_random_uuid(), 'J', 'updated' from kept_back;
update crm_audit_log set created_at = now() - interval '10 years' where config_id = (select id from c);

select is(private.retain(2) - '{audit}'::text[], '{"journal": 2, "plans": 0, "runs": 0, "errors": 1, "conflicts": 2}'::jsonb, 'so many of each kind at a time');
select isnt((select journal_purged_at from crm_sync_operations where id = (select id from op)), null, 'a run says that its journal is not whole any more');
select private.retain();
select results_eq('select crm_record_id from private.crm_journal where operation_id = (select id from op) order by 1', $$ values ('J1'), ('J2') $$, 'the journal of the last 90 days stays');
select results_eq('select crm_record_id from crm_sync_errors where config_id = (select id from c) order by 1', $$ values ('dead10'), ('dead100'), ('open10'), ('open100'), ('resolved10') $$, 'errors that are not settled stay');
select results_eq('select crm_record_id from crm_sync_conflicts where config_id = (select id from c) order by 1', $$ values ('ignored10'), ('pending10'), ('pending500'), ('resolved10') $$, 'so do conflicts');
select results_eq('select operation, count(*) from crm_sync_operations where config_id = (select id from c) group by 1 order by 1', $$ values ('plan', 1::bigint), ('sync', 3) $$, 'old plans and runs are gone, except one that has a journal left');
insert into crm_sync_errors (workspace_id, config_id, operation_id, kind, code, message)
select w.id, c.id, pg_temp.op('sync', 500), 'rate_limited', 'daily_quota', 'X.' from w, c, generate_series(1, 2);
select private.retain();
select is((select count(*) from crm_sync_errors where code = 'daily_quota' and operation_id is null), 2::bigint, 'what is open of two such runs stays, though it says the same');
select cmp_ok((select count(*) from crm_audit_log where config_id = (select id from c)), '>', 0::bigint, 'the audit log is for good');
update private.retention_settings set keep = '1 year' where subject = 'audit';
select private.retain();
select is((select count(*) from crm_audit_log where config_id = (select id from c)), 0::bigint, 'unless somebody sets it otherwise');

select * from finish();
rollback;
