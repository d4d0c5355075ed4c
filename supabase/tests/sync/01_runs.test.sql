-- What people may ask for: start, cancel, pause, resume.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql
\ir ../fixtures/run.psql

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id;
create function pg_temp.rpc(who text, call text) returns text language sql as $$ select pg_temp.try_as(who, format('select (' || call || ').id', (select id from c))) $$;
create function pg_temp.op() returns crm_sync_operations language sql as $$ select o from crm_sync_operations o where config_id = (select id from c) order by o.status in ('queued', 'running', 'paused') desc limit 1 $$;
-- What the database would send for the runs of this file.
create temp view sent as select q.* from net.http_request_queue q join crm_sync_operations o on convert_from(q.body, 'UTF8')::jsonb ->> 'operation_id' = o.id::text where o.config_id = (select id from c);

select is(pg_temp.rpc('viewer', 'crm_start_sync(%L)'), 'PC002', 'a viewer cannot start a run');
select is(pg_temp.rpc('outsider', 'crm_start_sync(%L)'), 'PC001', 'an outsider learns nothing');
select is(pg_temp.rpc('anon', 'crm_start_sync(%L)'), '42501', 'anon may not even ask');
select is(pg_temp.try_as('member', 'select (crm_start_sync(gen_random_uuid())).id'), 'PC001', 'a connection that does not exist');
select is(pg_temp.try_as('service_role', 'select (crm_start_sync(gen_random_uuid())).id'), 'PC001', 'does not exist for the secret key either');
select is(pg_temp.rpc('member', 'crm_start_sync(%L, ''{leads}'')'), 'PC004', 'an entity that does not exist is refused');
select is(pg_temp.rpc('member', 'crm_start_sync(%L, null, ''sideways'')'), 'PC004', 'so is such a direction');
select is(pg_temp.rpc('member', 'crm_start_sync(%L, ''{{accounts},{contacts}}'')'), 'PC004', 'and a list of lists');
-- What an admin has closed, a member cannot open for one run.
update crm_sync_configs set sync_direction = 'pull', sync_entities = '{accounts}' where id = (select id from c);
select is(pg_temp.rpc('member', format('crm_start_sync(%%L, %s)', arguments)), 'PC004', 'a run cannot do more than its connection: ' || arguments)
from unnest(array[$$'{contacts}'$$, $$'{accounts,contacts}'$$, $$null, 'to_crm'$$, $$null, 'bidirectional'$$]) arguments;
update crm_sync_configs set sync_direction = 'bidirectional', sync_entities = default where id = (select id from c);
create function pg_temp.sentence(who text, call text) returns text language plpgsql as $$
begin
  perform set_config('request.jwt.claims', json_build_object('sub', pg_temp.person(who), 'role', 'authenticated')::text, true), set_config('role', 'authenticated', true);
  execute 'select ' || call;
  return 'no refusal';
exception when others then
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
  return sqlerrm;
end $$;
select is(pg_temp.sentence('outsider', format('%s(%L)', name, (select id from c))), pg_temp.sentence('outsider', format('%s(gen_random_uuid())', name)), name || ' does not tell an outsider which ids exist')
from unnest('{crm_start_sync,crm_pause_sync,crm_resume_sync}'::text[]) name;
select is((select count(*) from sent), 0::bigint, 'nothing has been sent so far');
select is(pg_temp.rpc('member', 'crm_start_sync(%L)'), (pg_temp.op()).id::text, 'a member starts one');
select results_eq('select status, direction, entities, trigger, requested_by from pg_temp.op()',
  $$ values ('queued', 'bidirectional', '{accounts,contacts,opportunities}'::text[], 'manual', pg_temp.person('member')) $$, 'as the connection says');
select is(pg_temp.rpc('admin', 'crm_start_sync(%L, ''{contacts}'')'), (pg_temp.op()).id::text, 'a second request joins the live run');
select is((select count(*) from crm_sync_operations where config_id = (select id from c)), 1::bigint, 'there is only one');
select throws_ok($$ insert into crm_sync_operations (workspace_id, config_id, direction, entities) select workspace_id, id, 'from_crm', '{accounts}' from crm_sync_configs where id = (select id from c) $$,
  '23505', null, 'the table itself allows no second');

select results_eq($$ select url, convert_from(body, 'UTF8')::jsonb from sent $$,
  $$ values ('http://project.test/functions/v1/crm-sync', jsonb_build_object('operation_id', (pg_temp.op()).id)) $$, 'the worker is called once');
select is((select array_agg(k order by k) from sent, jsonb_object_keys(headers) k), '{Content-Type,x-dispatch-secret}', 'with two headers');
select is((select headers ->> 'x-dispatch-secret' from sent), private.crm_dispatch_secret(), 'the secret in it is the one for dispatching');
select is((select count(*) from sent q, vault.decrypted_secrets s where s.name is distinct from 'crm_sync_dispatch_secret' and s.name is distinct from 'project_url'
  and position(s.decrypted_secret in q.headers::text || convert_from(q.body, 'UTF8')) > 0), 0::bigint, 'and no other secret is in the queue, which every SQL role can read');

select is(pg_temp.rpc('member', 'crm_pause_sync(%L)'), 'PC002', 'a member cannot pause a connection');
select is(pg_temp.rpc('admin', 'crm_pause_sync(%L)'), (select id from c)::text, 'an admin can');
select is((pg_temp.op()).status, 'paused', 'its run waits');
select is(pg_temp.rpc('member', 'crm_start_sync(%L)'), 'PC005', 'a paused connection starts nothing');
select is((select count(*) from private.crm_claim(null, 'w', 60)), 0::bigint, 'and no worker gets its run');
select is((select count(*) from private.crm_credentials where config_id = (select id from c)), 1::bigint, 'its tokens stay');
select is(pg_temp.rpc('admin', 'crm_resume_sync(%L)'), (select id from c)::text, 'an admin resumes it');
select is((pg_temp.op()).status, 'queued', 'its run waits for a worker');
select is((select count(*) from sent), 2::bigint, 'which is called again');
select is((select string_agg(action, ', ' order by created_at, action) from crm_audit_log where action in ('paused', 'resumed') and workspace_id = (select id from w)), 'paused, resumed', 'both are audited');
select pg_temp.rpc('admin', 'crm_pause_sync(%L)');
select pg_temp.connect_crm('salesforce', 'org1');
select results_eq('select status, (select status from crm_sync_configs where id = (select id from c)) from pg_temp.op()', $$ values ('queued', 'connected') $$,
  'connecting the account again lets a paused run go on as well');

create function pg_temp.cancel(who text) returns text language sql as $$ select pg_temp.try_as(who, format('select (crm_cancel_sync(%L)).status', (pg_temp.op()).id)) $$;
select is(pg_temp.cancel('viewer'), 'PC002', 'a viewer cannot cancel');
select is(pg_temp.cancel('outsider'), 'PC001', 'an outsider finds no run');
select is(pg_temp.sentence('outsider', format('crm_cancel_sync(%L)', (pg_temp.op()).id)), pg_temp.sentence('outsider', 'crm_cancel_sync(gen_random_uuid())'), 'and is not told which there are');
select is(pg_temp.cancel('member'), 'cancelled', 'a member can');
select is(pg_temp.cancel('member'), 'PC008', 'once');
select is(pg_temp.try_as('service_role', 'select (crm_cancel_sync(gen_random_uuid())).id'), 'PC001', 'a run that does not exist cannot be cancelled');
select isnt(pg_temp.rpc('member', 'crm_start_sync(%L, ''{contacts}'', ''from_crm'')'), null, 'afterwards a new run can start');
select results_eq('select status, direction, entities from pg_temp.op()', $$ values ('queued', 'from_crm', '{contacts}'::text[]) $$, 'with what was asked for');
update crm_sync_configs set is_active = false where id = (select id from c);
select is(pg_temp.cancel('member'), 'cancelled', 'that one is cancelled too');
select is(pg_temp.rpc('member', 'crm_start_sync(%L)'), 'PC005', 'a connection that is switched off starts nothing');
create function pg_temp.refusal(new_status text, reason text, active boolean default true) returns text language plpgsql as $$
begin
  update crm_sync_configs set status = new_status, status_reason = reason, is_active = active where id = (select id from c);
  return pg_temp.sentence('member', format('crm_start_sync(%L)', (select id from c)));
end $$;
select is(pg_temp.refusal('connected', null, false), 'The connection "org1" is switched off.', 'and says so');
select is(pg_temp.refusal('error', 'The CRM no longer accepts it.'), 'The connection "org1" has stopped working. The CRM no longer accepts it.', 'one in error says why');
select is(pg_temp.refusal('disconnected', 'Disconnected by a person.'), 'The connection "org1" is disconnected. Disconnected by a person.', 'so does one that was disconnected');
select is(pg_temp.refusal('paused', null), 'The connection "org1" is paused.', 'and one that is paused');

select * from finish();
rollback;
