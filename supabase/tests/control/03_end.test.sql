-- The end of a connection, the story of a run, and what a log says of its failures.

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

-- Timeline
select pg_temp.rpc('member', 'crm_start_sync(%L)');
create temp table op on commit drop as select (pg_temp.live()).id;
create temp table k on commit drop as select pg_temp.claim() as fence;
select pg_temp.rpc('admin', 'crm_start_sync(%L)');
select private.crm_merge_page((select id from op), (select fence from k), 'accounts', pg_temp.record('A1', '{"name": "One"}'), '[]', '{"entity": "accounts", "cursor": null, "entity_done": true}', '{"modified_at": "2026-01-01", "id": "1"}');
select private.crm_merge_page((select id from op), (select fence from k), 'contacts', pg_temp.record('C1', '{"email": "nobody"}') || pg_temp.record('C2', '{"email": "noone"}'), '[]', '{"entity": "contacts", "cursor": null, "entity_done": true}', null);
select private.crm_note_error((select id from op), (select fence from k), 'contacts', 'transient', 'timeout', 'The CRM did not answer.');
update crm_sync_errors set first_seen_at = clock_timestamp() where operation_id = (select id from op) and code = 'timeout';
select private.crm_finish((select id from op), (select fence from k), 'paused', 'The daily quota is used up.', now() + interval '1 hour');
select pg_temp.try_as('member', format('select (crm_cancel_sync(%L)).id', (select id from op)));
create function pg_temp.story(who text) returns text language sql as $$
  select pg_temp.try_as(who, format('select string_agg(event || coalesce('' '' || entity_type, ''''), '', '' order by at) from crm_operation_timeline(%L)', (select id from op)))
$$;
select is(pg_temp.story('viewer'), 'queued, slice, running, joined, reached accounts, reached contacts, error contacts, paused, cancelled', 'a viewer reads what happened in a run');
select is(pg_temp.story('outsider'), 'PC001', 'an outsider does not');
select is(pg_temp.try_as('viewer', format('select message from crm_operation_timeline(%L) where event = ''paused''', (select id from op))), 'The daily quota is used up.', 'a wait says why');
select is(pg_temp.try_as('viewer', format('select (detail ->> ''until'')::timestamptz > now() from crm_operation_timeline(%L) where event = ''paused''', (select id from op))), 'true', 'and until when');
select results_eq($$ select error_message, error_details from crm_sync_logs where operation_id = (select id from op) and entity_type = 'contacts' $$,
  $$ values ('2 records could not be synced.', '[{"code": "not_an_email", "field": "Email", "message": "E-mail is \"nobody\", which is not an e-mail address.", "records": 2}]'::jsonb) $$, 'a log counts its failures by cause');

-- Removal
create temp table mine on commit drop as select r.record_id as id from private.crm_record_links r where r.config_id = (select id from c);
select is((select count(*) from mine), 1::bigint, 'a record came from the CRM');
create function pg_temp.remove(who text) returns text language sql as $$ select pg_temp.try_as(who, format('select crm_remove_connection(%L)', (select id from c))) $$;
select is(pg_temp.remove('member'), 'PC002', 'a member cannot remove a connection');
select is(pg_temp.remove('outsider'), 'PC001', 'an outsider finds none');
select is(pg_temp.remove('admin'), 'PC008', 'one that is connected is disconnected first');
select private.crm_disconnect(pg_temp.person('admin'), (select id from c));
select private.crm_forget_credentials((select id from c));
select isnt(pg_temp.remove('admin'), 'PC008', 'then an admin removes it');
select is((select count(*) from crm_sync_configs where id = (select id from c)), 0::bigint, 'it is gone');
select is((select count(*) from crm_companies where id in (select id from mine)), 1::bigint, 'its records are not');
create function pg_temp.left_over() returns text language plpgsql as $$
declare
  t regclass;
  here boolean;
  answer text;
begin
  for t in select a.attrelid::regclass from pg_attribute a join pg_class r on r.oid = a.attrelid
    where a.attname = 'config_id' and r.relkind = 'r' and r.relnamespace in ('public'::regnamespace, 'private'::regnamespace) loop
    execute format('select exists (select from %s where config_id = $1)', t) into here using (select id from c);
    if here then answer := concat_ws(', ', answer, t); end if;
  end loop;
  return answer;
end $$;
select is(pg_temp.left_over(), null, 'nothing else that belonged to it is left');
select is((select count(*) from private.crm_journal where operation_id = (select id from op)), 0::bigint, 'neither is its journal');
select results_eq($$ select detail ->> 'name', actor_id from crm_audit_log where action = 'removed' and workspace_id = (select id from w) $$, $$ values ('org1', pg_temp.person('admin')) $$, 'the audit log knows who removed what');

select * from finish();
rollback;
