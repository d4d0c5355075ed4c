-- When connections sync, who begins, and how many at once.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql

-- The clocks ------------------------------------------------------------------------------------------------------------

create temp table day (zone text, at time, after timestamptz, due timestamptz, what text) on commit drop;
insert into day values
  ('Europe/Berlin', '02:30', '2026-03-28 12:00Z', '2026-03-29 01:00Z', 'Berlin jumps over 02:30: at 03:00, the next time that exists'),
  ('Europe/Berlin', '02:30', '2026-03-29 01:00Z', '2026-03-30 00:30Z', 'and at 02:30 again the day after'),
  ('Europe/Berlin', '02:30', '2026-10-24 12:00Z', '2026-10-25 00:30Z', 'Berlin shows 02:30 twice: the first counts'),
  ('Europe/Berlin', '02:30', '2026-10-25 00:30Z', '2026-10-26 01:30Z', 'and the second does not'),
  ('Europe/Berlin', '02:30', '2026-10-25 01:00Z', '2026-10-26 01:30Z', 'nor for somebody who asks in between'),
  ('Europe/Berlin', '09:00', '2026-10-24 07:00Z', '2026-10-25 08:00Z', 'nine o''clock stays nine o''clock'),
  ('America/New_York', '02:30', '2026-03-07 12:00Z', '2026-03-08 07:00Z', 'New York jumps over 02:30'),
  ('America/New_York', '01:30', '2026-10-31 12:00Z', '2026-11-01 05:30Z', 'New York shows 01:30 twice: the first counts'),
  ('America/New_York', '01:30', '2026-11-01 05:30Z', '2026-11-02 06:30Z', 'once'),
  ('Australia/Lord_Howe', '02:15', '2026-10-03 00:00Z', '2026-10-03 15:30Z', 'Lord Howe jumps by half an hour over 02:15: at 02:30'),
  ('Australia/Lord_Howe', '01:45', '2026-04-04 00:00Z', '2026-04-04 14:45Z', 'Lord Howe shows 01:45 twice, half an hour apart: the first counts'),
  ('Australia/Lord_Howe', '01:45', '2026-04-04 14:45Z', '2026-04-05 15:15Z', 'once'),
  ('Asia/Kathmandu', '06:00', '2026-11-21 00:14:59Z', '2026-11-21 00:15Z', 'Kathmandu is 5:45 ahead'),
  ('Asia/Kathmandu', '06:00', '2026-11-21 00:15Z', '2026-11-22 00:15Z', 'the next is later than now'),
  ('UTC', '00:00', '2026-12-31 23:59:59Z', '2027-01-01 00:00Z', 'midnight of the new year');
select is(private.crm_next_sync('daily', jsonb_build_object('time_zone', zone, 'daily_at', at), after, pg_temp.person('x')), due, what) from day;

select is(
  (with recursive runs (n, at) as (
    select 1, private.crm_next_daily(t.at, z.zone, '2026-01-01 00:00Z') union all
    select n + 1, private.crm_next_daily(t.at, z.zone, runs.at) from runs where n < 365)
  select count(distinct (at at time zone z.zone)::date) || ' days, ' || ((max(at) at time zone z.zone)::date - (min(at) at time zone z.zone)::date) || ' apart' from runs),
  '365 days, 364 apart', format('a year at %s in %s: once each day', t.at, z.zone))
from unnest('{Europe/Berlin,America/New_York,Australia/Lord_Howe,Asia/Kathmandu}'::text[]) z (zone), unnest('{02:15,01:45}'::time[]) t (at);

create temp table hour_of (zone text, m int, after timestamptz, due timestamptz, what text) on commit drop;
insert into hour_of values
  ('UTC', 5, '2026-11-21 12:05Z', '2026-11-21 13:05Z', 'hourly: strictly later than now'),
  ('UTC', 5, '2026-11-21 12:04:59.9Z', '2026-11-21 12:05Z', 'a moment before'),
  ('Asia/Kathmandu', 0, '2026-11-21 00:00Z', '2026-11-21 00:15Z', 'the full hour of Kathmandu'),
  ('Australia/Lord_Howe', 0, '2026-06-01 00:00Z', '2026-06-01 00:30Z', 'the full hour of Lord Howe'),
  ('Australia/Lord_Howe', 15, '2026-10-03 15:00Z', '2026-10-03 16:15Z', 'quarter past two is jumped over: quarter past three');
select is(private.crm_next_sync('hourly', jsonb_build_object('time_zone', zone, 'minute', m), after, pg_temp.person('x')), due, what) from hour_of;
select is(private.crm_next_sync('realtime', null, '2026-11-21 12:00:07Z', pg_temp.person('x')), '2026-11-21 12:01Z', 'realtime: the next minute');
select is(private.crm_next_sync('manual', null, now(), pg_temp.person('x')), null, 'manual: never by itself');
select is(private.crm_next_sync('hourly', '{}', '2026-11-21 12:00Z', c), private.crm_next_sync('hourly', null, '2026-11-21 12:00Z', c), 'without a minute, each connection has its own')
from pg_temp.person('y') c;
select cmp_ok((
  select max(n) from (
    select count(*) as n from generate_series(1, 1000) i
    group by private.crm_next_sync('hourly', null, '2026-11-21 12:00Z', md5(i::text)::uuid)) per_minute), '<', 40::bigint,
  'a thousand hourly connections spread over the hour');
select ok(bool_and(at::time < '06:00'), 'daily without a time: in the night') from (
  select private.crm_next_sync('daily', '{}', '2026-11-21 12:00Z', md5(i::text)::uuid) at time zone 'UTC' as at from generate_series(1, 100) i) nights;

-- next_sync_at ----------------------------------------------------------------------------------------------------------

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id;
create function pg_temp.next_at() returns timestamptz language sql as $$ select next_sync_at from crm_sync_configs where id = (select id from c) $$;
create function pg_temp.last_status() returns text language sql as $$
  select string_agg(o.status || ' by ' || o.trigger || ' ' || s.phases::text, ', ' order by o.created_at, o.id) from crm_sync_operations o
  join private.crm_operation_state s on s.operation_id = o.id where o.config_id = (select id from c) and o.status in ('queued', 'running', 'paused')
$$;
-- Connections of other tests are due at other times.
update crm_sync_configs set next_sync_at = null where id <> (select id from c);
create function pg_temp.due(p_at timestamptz) returns int language sql as $$ select private.crm_schedule_due(p_at) $$;
-- Ends the live run as a worker does.
create function pg_temp.end_run(outcome text, named_meanwhile text[] default '{}') returns void language plpgsql as $$
declare k record;
begin
  set constraints all immediate;
  update private.crm_operation_state set lease_expires_at = null;
  select r.operation_id, r.fence into k from crm_sync_operations o, private.crm_claim(o.id, 'w', 60) r where o.config_id = (select id from c) and o.status = 'queued';
  perform private.crm_mark_dirty((select id from c), 'accounts', named_meanwhile, 'webhook');
  update private.crm_dirty set noticed_at = clock_timestamp() where crm_record_id = any (named_meanwhile);
  perform private.crm_finish(k.operation_id, k.fence, outcome, null);
end $$;

select cmp_ok(pg_temp.next_at(), '>', now(), 'a new connection has a next time (hourly)');
select cmp_ok(pg_temp.next_at(), '<=', now() + interval '61 minutes', 'within the hour');
select is(pg_temp.try_as('admin', format('update crm_sync_configs set sync_frequency = ''manual'' where id = %L', id)), '1 rows', 'manual') from c;
select is(pg_temp.next_at(), null, 'has no next time');
select is(pg_temp.due(now() + interval '2 days'), 0, 'and starts nothing');
select is(pg_temp.try_as('admin', format('update crm_sync_configs set sync_frequency = ''realtime'' where id = %L', id)), '1 rows', 'realtime') from c;
select is(pg_temp.next_at(), date_trunc('minute', clock_timestamp()) + interval '1 minute', 'is next minute''s turn');
select is(pg_temp.due(now()), 0, 'nobody is due before the time');
select is(pg_temp.due(pg_temp.next_at()), 1, 'a run begins when it has come');
select is(pg_temp.last_status(), 'queued by schedule {dirty,pull,push}', 'the whole of it');
select is(pg_temp.due(pg_temp.next_at()), 0, 'none beside a live one');
select pg_temp.end_run('completed');
select is(pg_temp.next_at(), date_trunc('minute', clock_timestamp()) + interval '1 minute', 'the end of a run sets the next time');

-- Missed runs, and records that were named.
update crm_sync_configs set next_sync_at = now() - interval '3 days', sync_frequency = 'hourly' where id = (select id from c);
update crm_sync_configs set next_sync_at = now() - interval '3 days' where id = (select id from c);
select is(pg_temp.due(now()), 1, 'three days of missed runs are one run');
select pg_temp.end_run('completed');
select is(pg_temp.due(now()), 0, 'and no second');
update crm_sync_configs set last_sync_at = now() - interval '3 hours' where id = (select id from c);
select is(pg_temp.try_as('admin', format('select (crm_pause_sync(%L)).status', id)), 'paused', 'a paused connection') from c;
select is(pg_temp.next_at(), null, 'has no next time');
select is(pg_temp.due(now() + interval '1 day'), 0, 'and is not started');
select is(pg_temp.try_as('admin', format('select (crm_resume_sync(%L)).status', id)), 'connected', 'resumed') from c;
select is(pg_temp.due(now()), 1, 'it makes up for what it missed');
select pg_temp.end_run('completed');
select is(pg_temp.due(now()), 0, 'once');
update crm_sync_configs set status = 'error' where id = (select id from c);
select is(pg_temp.due(now() + interval '1 day'), 0, 'a connection in error is not started');
update crm_sync_configs set status = 'connected', sync_frequency = 'realtime' where id = (select id from c);
update crm_sync_configs set next_sync_at = now() + interval '1 hour' where id = (select id from c);
select is(pg_temp.due(now()), 0, 'realtime with nothing to do waits for its sweep');
select private.crm_mark_dirty(id, 'accounts', '{A1}', 'webhook') from c;
select is(pg_temp.due(now()), 1, 'a record that was named does not wait');
select is(pg_temp.last_status(), 'queued by schedule {dirty,push}', 'and only that is looked at');
select pg_temp.end_run('completed', '{A2}');
select is(pg_temp.last_status(), 'queued by schedule {dirty,push}', 'named while a run was under way: a run of its own follows');
select pg_temp.end_run('failed', '{A2,A3}');
select is(pg_temp.last_status(), null, 'but not after a failed one');
delete from private.crm_dirty;
update crm_sync_configs set sync_frequency = 'manual' where id = (select id from c);
select pg_temp.try_as('member', format('select (crm_start_sync(%L)).id', id)) is not null from c;
select pg_temp.end_run('completed', '{A3}');
select is(pg_temp.last_status(), null, 'nor where a person starts each run');

-- What is due while a run is live, and what it says of itself ------------------------------------------------------------

delete from private.crm_dirty;
update crm_sync_configs set sync_frequency = 'hourly' where id = (select id from c);
update crm_sync_configs set next_sync_at = now() where id = (select id from c);
select private.crm_mark_dirty(id, 'accounts', '{A1,A2}', 'webhook') from c;
select is(pg_temp.due(now()), 1, 'a scheduled run');
select is((select estimated_records from crm_sync_operations o join c on c.id = o.config_id where o.status = 'queued'), 2, 'says how much it expects to do, as one that a person starts');
select pg_temp.end_run('completed');
delete from private.crm_dirty;
select private.crm_enqueue(k, null, null, 'webhook', '{dirty,push}') is not null from crm_sync_configs k join c using (id);
update crm_sync_configs set next_sync_at = now() - interval '1 second' where id = (select id from c);
select is(pg_temp.due(now()), 0, 'while a run is live that does only part of it');
select cmp_ok(pg_temp.next_at(), '<', now(), 'the scheduled one stays due');
select pg_temp.end_run('completed');
select is(pg_temp.due(now()), 1, 'and follows');
select is(pg_temp.last_status(), 'queued by schedule {dirty,pull,push}', 'as a whole');
update crm_sync_configs set next_sync_at = now() - interval '1 second' where id = (select id from c);
select is(pg_temp.due(now()), 0, 'a live run that does all of it');
select cmp_ok(pg_temp.next_at(), '>', now(), 'stands for the scheduled one');
select pg_temp.end_run('completed');

-- A connection whose runs fail -------------------------------------------------------------------------------------------

-- The wait after one more failed run, in minutes.
create function pg_temp.fail() returns numeric language plpgsql as $$
begin
  update crm_sync_configs set next_sync_at = now() where id = (select id from c);
  perform pg_temp.due(now()), pg_temp.end_run('failed');
  return round(extract(epoch from pg_temp.next_at() - clock_timestamp()) / 60, 2);
end $$;
create function pg_temp.failed_runs() returns int language sql as $$ select failed_runs from crm_sync_configs where id = (select id from c) $$;
update crm_sync_configs set sync_frequency = 'realtime' where id = (select id from c);
create temp table waits (n int, minutes numeric) on commit drop;
do $$ begin for n in 1..8 loop insert into waits values (n, pg_temp.fail()); end loop; end $$;
select is((select array_agg(n order by n) from waits where minutes not between least(60, 2 ^ n) / 2 - 0.05 and least(60, 2 ^ n) + 0.05), null, 'each failure doubles the wait, up to an hour, less up to half');
select is(pg_temp.failed_runs(), 8, 'failures in a row are counted');
select cmp_ok((select count(distinct private.crm_back_off(5, md5(i::text)::uuid)) from generate_series(1, 100) i), '>', 80::bigint, 'connections that failed together come back apart');
select private.crm_mark_dirty(id, 'accounts', '{A1}', 'webhook') from c;
select is(pg_temp.due(now()), 0, 'a record that was named waits too');
select private.crm_wake_named(array[id]) from c;
select is(pg_temp.last_status(), null, 'and a webhook wakes nobody');
select matches(pg_temp.try_as('admin', format('select advice from crm_sync_health where config_id = %L', id)), 'It is tried again by itself at \d{4}-\d\d-\d\d \d\d:\d\d UTC, later after each failure\.', 'the health of the connection says until when') from c;
delete from private.crm_dirty;
select is(pg_temp.due(pg_temp.next_at()), 1, 'then it is tried');
select pg_temp.end_run('completed');
select results_eq('select pg_temp.failed_runs(), pg_temp.next_at()', $$ values (0, date_trunc('minute', clock_timestamp()) + interval '1 minute') $$, 'a success ends it');
select pg_temp.fail(), pg_temp.fail(), pg_temp.fail();
select matches(pg_temp.try_as('member', format('select (crm_start_sync(%L)).id', id)), '-', 'a person starts a run') from c;
select results_eq($$ select pg_temp.failed_runs(), pg_temp.next_at() <= clock_timestamp() + interval '1 minute' $$, 'values (0, true)', 'what failed before counts no more');
select pg_temp.end_run('failed');
select results_eq($$ select pg_temp.failed_runs(), pg_temp.next_at() <= clock_timestamp() + interval '2 minutes' $$, 'values (1, true)', 'the next failure is a first one');
select pg_temp.fail(), pg_temp.fail();
select is(pg_temp.connect_crm('salesforce', 'org1'), id, 'the account is connected again') from c;
select results_eq($$ select pg_temp.failed_runs(), pg_temp.next_at() <= clock_timestamp() + interval '1 minute' $$, 'values (0, true)', 'and tried at once');
select pg_temp.fail(), pg_temp.fail();
update crm_sync_configs set status = 'error' where id = (select id from c);
update crm_sync_configs set status = 'connected' where id = (select id from c);
select is(pg_temp.failed_runs(), 0, 'one that the CRM had refused begins anew as well');
update crm_sync_configs set sync_frequency = 'hourly' where id = (select id from c);
select pg_temp.fail(), pg_temp.fail();
select is(pg_temp.next_at(), private.crm_next_sync('hourly', null, clock_timestamp(), id), 'hourly connections keep their time') from c;
update crm_sync_configs set sync_frequency = 'manual' where id = (select id from c);

-- A thousand at once -----------------------------------------------------------------------------------------------------

delete from net.http_request_queue;
delete from crm_sync_operations;
insert into workspaces (id, name, slug) select md5('ws' || i)::uuid, 'W' || i, 'schedule-w-' || i from generate_series(1, 1000) i;
insert into crm_sync_configs (workspace_id, crm_provider, name, external_account_id, oauth_instance_url)
select md5('ws' || i)::uuid, 'hubspot', 'H', 'p' || i || '-' || k, 'https://h.example' from generate_series(1, 1000) i, generate_series(1, case when i = 1 then 5 else 1 end) k;
create temp view calls as
  select o.workspace_id, o.id from net.http_request_queue q join crm_sync_operations o on o.id::text = convert_from(q.body, 'UTF8')::jsonb ->> 'operation_id';
update crm_sync_configs set next_sync_at = now() where external_account_id like 'p%';
select is(pg_temp.due(now()), 1004, 'a thousand workspaces that are due in one minute are queued');
select is((select count(*) from calls), 20::bigint, 'twenty begin');
select is((select count(distinct workspace_id) from calls), 20::bigint, 'of twenty workspaces');
select is(private.crm_dispatch_waiting(now() + interval '10 seconds'), 0, 'the others wait');
-- The twenty finish a slice and go to the end of the queue.
update private.crm_operation_state s set dispatched_at = null, updated_at = now() + interval '1 minute' from calls where s.operation_id = calls.id;
select is(private.crm_dispatch_waiting(now() + interval '10 seconds'), 20, 'after a slice, others have their turn');
select is((select count(distinct workspace_id) from calls), 40::bigint, 'which are other workspaces');
update private.crm_engine_settings set value = 25 where name = 'max_running';
select is(private.crm_dispatch_waiting(now() + interval '10 seconds'), 5, 'more places, more runs');
select is(private.crm_dispatch_waiting(now() + interval '1 minute'), 25, 'calls that nobody answered count for half a minute');

select * from finish();
rollback;
