-- Claim, lease and fence: one worker at a time, and one that was replaced writes nothing.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql
\ir ../fixtures/run.psql

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id;
create temp table op on commit drop as select pg_temp.try_as('member', format('select (crm_start_sync(%L)).id', (select id from c)))::uuid as id;
create function pg_temp.state() returns private.crm_operation_state language sql as $$ select s from private.crm_operation_state s where operation_id = (select id from op) $$;
create function pg_temp.claim(holder text) returns bigint language sql as $$ select k.fence from private.crm_claim((select id from op), holder, 30) k $$;

create temp table first on commit drop as select * from private.crm_claim((select id from op), 'a', 30);
select results_eq('select operation_id, config_id, workspace_id, crm_provider, environment, direction, fence, slice, checkpoint from first',
  $$ select (select id from op), (select id from c), (select id from w), 'salesforce', 'production', 'bidirectional', 1::bigint, 1, null::jsonb $$, 'a claim tells the worker what to do');
select is((select entities from first), '{accounts,contacts,opportunities}', 'parents before children');
select is((select jsonb_array_length(mappings) from first), 9, 'with the mappings');
select is((select (mappings -> 0) - 'position' from first), '{"entity_type": "accounts", "crm_field": "Name", "app_field": "name", "data_type": "string", "sync_direction": "bidirectional", "is_required": false, "transform_function": null, "confidence": null, "reason": null}'::jsonb, 'as they stand in the table');
select is((select stages -> 0 ->> 'stage_key' from first), 'won', 'the stages');
select is((select settings from first), '{"sync_rules": {}, "conflict_resolution": "last_write_wins", "sync_direction": "bidirectional", "crm_user": null, "filters": null, "reads_all": false}'::jsonb, 'and the settings');
select is((select status from crm_sync_operations where id = (select id from op)), 'running', 'the run is running');
select is(pg_temp.claim('b'), null, 'nobody else gets it while the lease lasts');

select lives_ok(format('select private.crm_renew(%L, 1, 30)', (select id from op)), 'the holder renews');
select private.crm_keep_checkpoint((select id from op), 1, '{"phase": "push"}');
select is(s.checkpoint, '{"phase": "push"}', 'the holder keeps the place of a phase without pages') from private.crm_operation_state s where s.operation_id = (select id from op);
select throws_ok(format('select private.crm_renew(%L, 0, 30)', (select id from op)), 'PC007', null, 'a stranger does not');

update private.crm_operation_state set lease_expires_at = now() - interval '1 second' where operation_id = (select id from op);
select is(pg_temp.claim('b'), 2::bigint, 'a lease that ran out is taken over, with the next fence');
select is((pg_temp.state()).crashes, 1, 'and counted as a crash');
select throws_ok(format('select %s', replace(call, '$', quote_literal(o.id))), 'PC007', null, 'the replaced worker cannot ' || call)
from op o, unnest(array[
  'private.crm_renew($, 1, 30)', 'private.crm_yield($, 1)', 'private.crm_finish($, 1, ''completed'', null)', 'private.crm_set_totals($, 1, ''{}'')', 'private.crm_keep_checkpoint($, 1, ''{}'')',
  'private.crm_note_error($, 1, null, ''transient'', ''x'', ''x'')', 'private.crm_merge_page($, 1, ''accounts'', ''[]'', ''[]'', ''{}'', null)']) call;

select private.crm_yield((select id from op), 2);
select is((pg_temp.state()).lease_holder, null, 'handing over gives the lease back');
select ok((pg_temp.state()).dispatched_at is not null, 'and calls the next worker');
select throws_ok(format('select private.crm_renew(%L, 2, 30)', (select id from op)), 'PC007', null, 'whoever handed over holds nothing');
select is(pg_temp.claim('c'), 4::bigint, 'the next slice begins');
select is((pg_temp.state()).slice, 3, 'as the third');

select private.crm_set_totals((select id from op), 4, '{"accounts": 85, "contacts": null}');
select is((select progress -> 'entities' from crm_sync_operations where id = (select id from op)), '{"accounts": {"done": 0, "total": 85}, "contacts": {"done": 0, "total": null}}'::jsonb, 'totals are shown');
select private.crm_note_error((select id from op), 4, 'contacts', 'transient', 'timeout', 'The CRM did not answer.') from generate_series(1, 2);
select results_eq($$ select kind, code, message, attempts, status from crm_sync_errors where operation_id = (select id from op) $$, $$ values ('transient', 'timeout', 'The CRM did not answer.', 2, 'open') $$, 'the same disturbance twice is one row');

-- Ends
select private.crm_finish((select id from op), 4, 'paused', 'The daily quota is used up until midnight.', now() - interval '1 second');
select results_eq('select status, error_message from crm_sync_operations where id = (select id from op)', $$ values ('paused', 'The daily quota is used up until midnight.') $$, 'a run can wait for the quota');
select is(pg_temp.claim('d'), null, 'nobody claims it meanwhile');
select private.crm_dispatch_waiting();
select is((select status from crm_sync_operations where id = (select id from op)), 'queued', 'and goes on when the time has come');
select is(pg_temp.claim('d'), 6::bigint, 'with the next worker');
select throws_ok(format('select private.crm_finish(%L, 6, ''sleeping'', null)', (select id from op)), 'PC004', null, 'a run ends in one of four ways');
insert into crm_sync_logs (workspace_id, config_id, operation_id, sync_direction, entity_type, records_processed, records_created, records_failed) select (select id from w), (select id from c), (select id from op), 'pull', 'contacts', 3, 2, 1;
select private.crm_finish((select id from op), 6, 'completed', null);
select results_eq('select status, error_message, results -> ''contacts'' ->> ''created'' from crm_sync_operations where id = (select id from op)', $$ values ('partial', '1 records could not be synced.', '2') $$, 'a run with rejected records is partial, whatever the worker says');
select results_eq('select last_sync_status, last_sync_error, last_sync_at is not null from crm_sync_configs where id = (select id from c)', $$ values ('partial', '1 records could not be synced.', true) $$, 'and so says the connection');
select is((select status from crm_sync_logs where operation_id = (select id from op)), 'partial', 'and the log');
select is((select status from crm_sync_errors where operation_id = (select id from op)), 'resolved', 'a run that got through settles the disturbances');
create temp table later on commit drop as select pg_temp.try_as('member', format('select (crm_start_sync(%L)).id', (select id from c)))::uuid as id;
update crm_sync_errors set status = 'open' where operation_id = (select id from op);
create temp table later_claim on commit drop as select * from private.crm_claim((select id from later), 'e', 30);
select private.crm_note_error((select id from later), (select fence from later_claim), 'accounts', 'rejected', 'missing_field:Gone', 'The CRM no longer has the field Gone.');
select private.crm_finish((select id from later), (select fence from later_claim), 'partial', 'Something was left out.');
select results_eq($$ select code, status from crm_sync_errors where operation_id in ((select id from op), (select id from later)) order by code desc $$,
  $$ values ('timeout', 'resolved'), ('missing_field:Gone', 'open') $$, 'a run that left something out keeps its own errors open, in place of those before');

-- A run whose workers die again and again
create temp table op2 on commit drop as select pg_temp.try_as('member', format('select (crm_start_sync(%L)).id', (select id from c)))::uuid as id;
create function pg_temp.die() returns void language plpgsql as $$
begin
  perform private.crm_claim((select id from op2), 'dying', 30);
  update private.crm_operation_state set lease_expires_at = now() - interval '1 second' where operation_id = (select id from op2);
end $$;
select pg_temp.die() from generate_series(1, 6);
select is((select status from crm_sync_operations where id = (select id from op2)), 'running', 'five crashes are survived');
select pg_temp.die();
select is((select status from crm_sync_operations where id = (select id from op2)), 'failed', 'the sixth in a row ends the run');
select ok((select error_message is not null from crm_sync_operations where id = (select id from op2)), 'with a reason');

-- Stopped by a person
create temp table op3 on commit drop as select pg_temp.try_as('member', format('select (crm_start_sync(%L)).id', (select id from c)))::uuid as id;
create temp table k3 on commit drop as select fence from private.crm_claim((select id from op3), 'e', 30);
select pg_temp.try_as('member', format('select (crm_cancel_sync(%L)).id', (select id from op3)));
select throws_ok(format('select private.crm_merge_page(%L, %s, ''accounts'', ''[]'', ''[]'', ''{}'', null)', (select id from op3), (select fence from k3)), 'PC007', null, 'a cancelled run writes nothing more');

select * from finish();
rollback;
