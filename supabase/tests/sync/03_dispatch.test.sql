-- The sweep: runs whose worker never came or died are dispatched again, in turn.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql
\ir ../fixtures/run.psql

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id union all select pg_temp.connect_crm('hubspot', 'portal1');
create temp table op on commit drop as select pg_temp.try_as('member', format('select (crm_start_sync(%L)).id', id))::uuid as id from c;
create temp view sent as select q.* from net.http_request_queue q join op on convert_from(q.body, 'UTF8')::jsonb ->> 'operation_id' = op.id::text;
create function pg_temp.sweep() returns bigint language plpgsql as $$
declare
  before bigint := (select count(*) from sent);
begin
  perform private.crm_dispatch_waiting();
  return (select count(*) from sent) - before;
end $$;
create function pg_temp.wait_a_minute() returns void language sql as $$
  update private.crm_operation_state set dispatched_at = now() - interval '1 minute' where operation_id in (select id from op)
$$;

select is((select count(*) from sent), 2::bigint, 'each start calls a worker');
select is(pg_temp.sweep(), 0::bigint, 'a call just made is given time');
select pg_temp.wait_a_minute();
select is(pg_temp.sweep(), 2::bigint, 'calls that nobody answered are made again');
select pg_temp.wait_a_minute();
select count(*) from op, private.crm_claim(op.id, 'w', 60);
select is(pg_temp.sweep(), 0::bigint, 'runs in a worker''s hands are left alone');
update private.crm_operation_state set lease_expires_at = now() - interval '1 second' where operation_id in (select id from op);
select is(pg_temp.sweep(), 2::bigint, 'runs whose worker died are not');
select pg_temp.wait_a_minute();
update crm_sync_configs set is_active = false where crm_provider = 'hubspot' and workspace_id = (select id from w);
select is(pg_temp.sweep(), 1::bigint, 'a connection that is switched off waits');
select pg_temp.wait_a_minute();
update workspaces set deleted_at = now() where id = (select id from w);
select is(pg_temp.sweep(), 0::bigint, 'so does everything in a workspace that is deleted');
select is((select count(*) from op, private.crm_claim(op.id, 'w', 60)), 0::bigint, 'which no worker touches');
update workspaces set deleted_at = null where id = (select id from w);
select is(pg_temp.sweep(), 1::bigint, 'until it is restored');
select set_eq($$ select jobname from cron.job where jobname in ('crm-dispatch', 'crm-schedule', 'crm-oauth-states', 'crm-job-history', 'crm-retention') $$, $$ values ('crm-dispatch'), ('crm-schedule'), ('crm-oauth-states'), ('crm-job-history'), ('crm-retention') $$, 'the jobs are scheduled');
select is((select schedule from cron.job where jobname = 'crm-dispatch'), '* * * * *', 'the sweep each minute');
select lives_ok(command, 'the command of ' || jobname || ' runs') from cron.job where jobname like 'crm-%';

select * from finish();
rollback;
