-- How fast a CRM may be called, and what the calls of a day are for.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql

create temp table c on commit drop as
  select 'hub' as name, pg_temp.connect_crm('hubspot', 'portal1') as id union all select 'sf', pg_temp.connect_crm('salesforce', 'org1');
create function pg_temp.c(n text) returns uuid language sql as $$ select id from c where name = n $$;
create function pg_temp.provider(n text) returns text language sql as $$ select case n when 'hub' then 'hubspot' else 'salesforce' end $$;
-- Takes calls and answers as "5 calls after 0 ms" or "until …".
create function pg_temp.take(n text, family text, purpose text, at timestamptz, report jsonb default null, wanted int default 25) returns text language sql as $$
  select coalesce('until ' || to_char(t.until at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), t.granted || ' calls after ' || t.wait_ms || ' ms')
  from private.crm_take_calls(pg_temp.c(n), pg_temp.provider(n), family, purpose, wanted, report, at) t
$$;

-- The rate --------------------------------------------------------------------------------------------------------------

-- Two workers that take a lot whenever theirs is used up, for a minute: when each call goes out, in ms.
create function pg_temp.busy_minute(family text) returns table (at numeric) language plpgsql as $$
declare
  start constant timestamptz := '2026-11-21 12:00Z';
  clock numeric[] := '{0,0}';
  w int;
  t record;
begin
  while least(clock[1], clock[2]) < 60000 loop
    w := case when clock[1] <= clock[2] then 1 else 2 end;
    select * into t from private.crm_take_calls(pg_temp.c('hub'), 'hubspot', family, 'push', 25, null, start + make_interval(secs => (clock[w] / 1000)::double precision));
    return query select clock[w] + t.wait_ms + i * t.spacing_ms from generate_series(0, t.granted - 1) i;
    clock[w] := clock[w] + greatest(t.wait_ms + (t.granted - 1) * t.spacing_ms, 1);
  end loop;
end $$;
create temp table call on commit drop as select 'calls' as bucket, 10000 as span, 110 as most, at from pg_temp.busy_minute('read');
insert into call select 'search', 1000, 5, at from pg_temp.busy_minute('search');
select cmp_ok(max(n), '<=', max(most)::bigint, format('two workers together never make more than HubSpot allows (%s)', bucket))
from (select a.bucket, a.most, count(*) as n from call a join call b on b.bucket = a.bucket and b.at >= a.at and b.at < a.at + a.span group by a.bucket, a.most, a.at) windows
group by bucket;
select cmp_ok(count(*)::numeric / (max(most) * 60000.0 / max(span)), '>=', 0.9, format('and use more than 90 per cent of it (%s)', bucket))
from call where at < 60000 group by bucket;

delete from private.crm_buckets;
select is(pg_temp.take('hub', 'read', 'push', '2026-11-21 13:00Z'), '5 calls after 0 ms', 'calls come in small lots');
select is(pg_temp.take('hub', 'write', 'push', '2026-11-21 13:00Z'), '5 calls after 464 ms', 'reading and writing share a limit');
select is(pg_temp.take('hub', 'search', 'push', '2026-11-21 13:00Z'), '1 calls after 0 ms', 'searching has its own');
select is(pg_temp.take('sf', 'read', 'push', '2026-11-21 13:00Z'), '25 calls after 0 ms', 'Salesforce has no such limit');
select is(pg_temp.take('hub', 'read', 'push', '2026-11-21 13:00:10Z', '{"family": "write", "too_many": true, "retry_after_ms": 3000}'), '5 calls after 3000 ms', 'too many: nobody before the time the CRM named');
select is(pg_temp.take('hub', 'search', 'push', '2026-11-21 13:00:20Z', '{"family": "search", "too_many": true}'), '1 calls after 1000 ms', 'or before its window is over');
select private.crm_report_calls(pg_temp.c('hub'), 'hubspot', '{"family": "read", "too_many": true, "retry_after_ms": 3600000}', '2026-11-21 13:01Z');
select is(pg_temp.take('hub', 'read', 'push', '2026-11-21 13:01Z'), '0 calls after 3600000 ms', 'a long refusal is not waited out');
select is(pg_temp.take('sf', 'read', 'push', '2026-11-21 13:01Z', '{"family": "read", "too_many": true}'), '25 calls after 10000 ms', 'Salesforce too may ask for a pause');

-- The day ---------------------------------------------------------------------------------------------------------------

delete from private.crm_buckets;
select is(pg_temp.take('hub', 'read', 'backfill', '2026-11-21 14:00Z'), '5 calls after 0 ms', 'where no quota is known, none is assumed');
select is(pg_temp.take('sf', 'read', 'backfill', '2026-11-21 14:00Z', '{"family": "read", "daily_left": 403, "daily_limit": 1000}'), '3 calls after 0 ms', 'a first reading may use 60 per cent');
select is(pg_temp.take('sf', 'read', 'backfill', '2026-11-21 14:00Z'), 'until 2026-11-21 15:00', 'calls that were handed out count, and then it waits');
select is(pg_temp.take('sf', 'read', 'incremental', '2026-11-21 14:00Z', '{"family": "read", "daily_left": 110, "daily_limit": 1000}'), '10 calls after 0 ms', 'reading changes may use 90 per cent');
select is(pg_temp.take('sf', 'read', 'incremental', '2026-11-21 14:00Z'), 'until 2026-11-21 15:00', 'and no more');
select is(pg_temp.take('sf', 'write', 'push', '2026-11-21 14:00Z', null, 200), '25 calls after 0 ms', 'sending changes goes on');
select is(pg_temp.take('sf', 'write', 'push', '2026-11-21 14:10Z', '{"family": "write", "daily_left": 0, "daily_limit": 1000}'), 'until 2026-11-21 15:10', 'until nothing is left');
select is(pg_temp.take('sf', 'write', 'push', '2026-11-21 15:10Z'), '1 calls after 0 ms', 'Salesforce counts 24 hours: after an hour one call asks');
select is(pg_temp.take('sf', 'write', 'push', '2026-11-21 15:10:01Z', '{"family": "write", "quota_gone": true}'), 'until 2026-11-21 17:10', 'too early: two hours');
select is(pg_temp.take('sf', 'write', 'push', '2026-11-21 17:11Z'), '1 calls after 0 ms', 'one call');
select is(pg_temp.take('sf', 'write', 'push', '2026-11-21 17:11Z'), 'until 2026-11-21 21:11', 'four hours at most');
select is(pg_temp.take('sf', 'write', 'push', '2026-11-21 21:12Z'), '1 calls after 0 ms', 'one call');
select is(pg_temp.take('sf', 'write', 'push', '2026-11-21 21:12Z', '{"family": "write", "daily_left": 600, "daily_limit": 1000}'), '25 calls after 0 ms', 'there is quota again');
select is(pg_temp.take('sf', 'write', 'push', '2026-11-21 21:20Z', '{"family": "write", "quota_gone": true}'), 'until 2026-11-21 22:20', 'and the pauses are short again');

select is(pg_temp.take('hub', 'read', 'push', '2026-11-21 14:00Z', '{"family": "read", "quota_gone": true}'), 'until 2026-11-22 00:00', 'HubSpot''s day ends at midnight');
select private.crm_keep_time_zone(pg_temp.c('hub'), 'America/New_York');
select is(pg_temp.take('hub', 'read', 'push', '2026-11-21 14:00Z'), 'until 2026-11-22 05:00', 'of the account');
select is(pg_temp.take('hub', 'read', 'push', '2026-11-22 04:59:59Z'), 'until 2026-11-22 05:00', 'not a second before');
select is(pg_temp.take('hub', 'read', 'push', '2026-11-22 05:00Z'), '5 calls after 0 ms', 'then there is a new one');
select private.crm_keep_time_zone(pg_temp.c('hub'), 'Mars/Olympus');
select is((select time_zone from private.crm_quotas where config_id = pg_temp.c('hub')), 'America/New_York', 'a zone that nobody knows is not kept');
update private.crm_engine_settings set value = 10 where name = 'hubspot_daily_calls';
update private.crm_quotas set day_limit = null, day_left = null, counted = 0 where config_id = pg_temp.c('hub');
delete from private.crm_buckets;
select is(pg_temp.take('hub', 'read', 'backfill', '2026-11-22 14:00Z'), '5 calls after 0 ms', 'where HubSpot does not say, we count');
select is(pg_temp.take('hub', 'read', 'backfill', '2026-11-22 14:01Z'), '1 calls after 0 ms', 'to the end');
select is(pg_temp.take('hub', 'read', 'backfill', '2026-11-22 14:02Z'), 'until 2026-11-23 05:00', 'which is the share of this purpose');
select is(pg_temp.take('hub', 'read', 'push', '2026-11-22 14:02Z'), '4 calls after 0 ms', 'the rest is for our changes');
select throws_ok($$ select pg_temp.take('hub', 'read', 'fun', now()) $$, 'PC004', null, 'calls have a purpose');

select * from finish();
rollback;
