-- How each connection does, and what helps.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql
\ir ../fixtures/run.psql

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id;
create function pg_temp.rpc(who text, call text) returns text language sql as $$ select pg_temp.try_as(who, format('select (' || call || ').id', (select id from c))) $$;

create function pg_temp.health(who text default 'viewer') returns crm_sync_health language plpgsql as $$
declare
  h crm_sync_health;
begin
  perform set_config('request.jwt.claims', json_build_object('sub', case when who <> 'service_role' then pg_temp.person(who) end, 'role', case who when 'service_role' then who else 'authenticated' end)::text, true),
    set_config('role', case who when 'service_role' then who else 'authenticated' end, true);
  select * into h from crm_sync_health s where s.config_id = '%1$s';
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
  return h;
end $$;
do $$ begin execute replace(pg_get_functiondef('pg_temp.health'::regproc), '%1$s', (select id::text from c)); end $$;
create function pg_temp.run(outcome text, ended interval default '1 minute', seconds int default 10, processed int default 10, failed int default 0) returns uuid language sql as $$
  with o as (
    insert into crm_sync_operations (workspace_id, config_id, direction, entities, status, created_at, started_at, completed_at)
    select w.id, c.id, 'from_crm', '{contacts}', outcome, now() - ended - make_interval(secs => seconds), now() - ended - make_interval(secs => seconds), now() - ended from w, c returning *)
  , l as (insert into crm_sync_logs (workspace_id, config_id, operation_id, sync_direction, entity_type, records_processed, records_failed, started_at)
    select workspace_id, config_id, id, 'pull', 'contacts', processed, failed, started_at from o)
  select id from o
$$;
create function pg_temp.verdict() returns text language sql as $$ select h.status || ': ' || h.advice from pg_temp.health() h $$;

select is((pg_temp.health('outsider')).config_id, null, 'an outsider sees no connection');
select is((pg_temp.health('service_role')).name, 'org1', 'the secret key sees all');
select is(pg_temp.verdict(), 'ok: Nothing to do.', 'a new connection is fine');
update crm_sync_configs set created_at = now() - interval '3 hours' where id = (select id from c);
select alike(pg_temp.verdict(), 'late: %', 'one that never got through is late after a while');
select pg_temp.run('completed', '30 minutes', 20), pg_temp.run('partial', '10 minutes', 40, 30, 3), pg_temp.run('failed', '1 minute', 900);
select results_eq('select (h).lag_seconds, (h).p95_duration_seconds, (h).error_rate_24h from pg_temp.health() h', 'values (600, 39.0, 0.0600)', 'lag, duration and error rate come from the runs that got through');
insert into crm_sync_operations (workspace_id, config_id, operation, direction, entities, status, started_at, completed_at) select w.id, c.id, 'plan', 'from_crm', '{contacts}', 'completed', now() - interval '1 hour', now() from w, c;
select is((pg_temp.health()).lag_seconds, 600, 'a plan is no success');

-- From the worst to the least.
insert into crm_sync_conflicts (workspace_id, config_id, entity_type, crm_record_id, app_data, crm_data, conflicting_fields) select w.id, c.id, 'contacts', 'X', '{}', '{}', '{name}' from w, c;
select is(pg_temp.verdict(), 'attention: 1 conflicts wait for a decision.', 'conflicts want attention');
insert into crm_sync_errors (workspace_id, config_id, entity_type, crm_record_id, kind, code, message) select w.id, c.id, 'contacts', 'E', 'rejected', 'bad', 'Bad.' from w, c;
select alike(pg_temp.verdict(), 'attention: 1 errors are open.%', 'errors before them');
insert into crm_sync_errors (workspace_id, config_id, entity_type, record_id, direction, kind, code, message, status) select w.id, c.id, 'contacts', gen_random_uuid(), 'push', 'rejected', 'bad', 'Bad.', 'dead' from w, c;
select alike(pg_temp.verdict(), 'attention: 1 records were given up%', 'dead letters before those');
update crm_sync_configs set sync_frequency = 'realtime' where id = (select id from c);
select is((pg_temp.health()).status, 'attention', 'ten minutes are in time for a minute-wise sync with a pause');
update crm_sync_operations set completed_at = completed_at - interval '2 hours', started_at = started_at - interval '2 hours', created_at = created_at - interval '2 hours' where config_id = (select id from c);
select alike(pg_temp.verdict(), 'late: %', 'two hours are not');
update crm_sync_configs set sync_frequency = 'manual' where id = (select id from c);
select is((pg_temp.health()).status, 'attention', 'a connection that only people start is never late');
update crm_sync_configs set last_sync_error = 'The CRM was down.' where id = (select id from c);
select pg_temp.run('failed'), pg_temp.run('failed'), pg_temp.run('failed');
select alike(pg_temp.verdict(), 'broken: The last runs failed: The CRM was down. %', 'three failures in a row are a breakdown');
update crm_sync_configs set status = 'paused' where id = (select id from c);
select is(pg_temp.verdict(), 'attention: Paused. Resume it when it may sync again.', 'who paused it knows');
update crm_sync_configs set status = 'error', status_reason = 'Access was withdrawn.' where id = (select id from c);
select is(pg_temp.verdict(), 'broken: Access was withdrawn. Reconnect the CRM; mappings and links are kept.', 'a withdrawn access is said first');

select is((pg_temp.health()).quota_left, null, 'calls are not counted where no limit is known');
insert into private.crm_quotas (config_id, day_limit, day_left, counted, as_of) select id, 1000, 400, 25, now() from c;
select is((pg_temp.health()).quota_left, 375, 'else what the CRM said last, less what was called since');
select is(pg_temp.try_as('outsider', format('select coalesce(private.crm_calls_left_today(%L)::text, ''hidden'')', (select id from c))), 'hidden', 'to its own people');

-- What waits
update crm_sync_configs set status = 'connected', status_reason = null where id = (select id from c);
insert into private.crm_outbox (config_id, entity_type, record_id, workspace_id, not_before, dead) select c.id, 'contacts', gen_random_uuid(), w.id, v.t, v.d from c, w, (values (now(), false), (now() + interval '1 minute', false), ('infinity'::timestamptz, false), (now(), true)) v (t, d);
insert into private.crm_dirty (config_id, entity_type, crm_record_id, reason) select id, 'contacts', 'D', 'test' from c;
select results_eq('select (h).queue_depth, (h).to_push, (h).to_fetch, (h).waiting_since is not null from pg_temp.health() h', 'values (3::bigint, 2::bigint, 1::bigint, true)', 'the queue is what waits for us, not for a person');
select is(pg_temp.try_as('outsider', 'select count(*) from private.crm_queue_depths()'), '0', 'whose depth is nobody else''s business');
select is(pg_temp.try_as('anon', 'select count(*) from crm_sync_health'), '42501', 'anon sees nothing');

select * from finish();
rollback;
