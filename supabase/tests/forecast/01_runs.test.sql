-- Runs of forecasts: who reads them, one calculation for equal questions, lease and fence, cancelling, how often one may ask.

\ir ../fixtures/people.psql
\ir ../fixtures/deals.psql
\ir ../fixtures/forecast_calls.psql

select no_plan();

create temp table run (name text primary key, id uuid, status text, reused boolean, fence bigint) on commit drop;
create function pg_temp.begin(run_name text, hash text, queued boolean default false, who text default 'mia', version int default 1) returns text language plpgsql as $$
begin
  insert into run
  select run_name, b.run_id, b.status, b.reused, b.fence
  from private.forecast_begin((select id from w), pg_temp.person(who), 'forecast', '{"runs": 10}', '{"deals": []}', '2026-11-02', hash, version, 42, 10, queued, 30) b;
  return (select status || case when reused then ' again' else '' end || coalesce(' ' || fence, '') from run where name = run_name);
end $$;
create function pg_temp.id(run_name text) returns uuid language sql as $$ select id from run where name = run_name $$;
create function pg_temp.status(run_name text) returns text language sql as $$ select r.status from pipeline_forecast_runs r where r.id = pg_temp.id(run_name) $$;

-- Equal questions --------------------------------------------------------------------------------------------------------

select is(pg_temp.begin('small', 'aa'), 'running 1', 'a small one is calculated by who asks');
select is(pg_temp.begin('same', 'aa'), 'running again', 'the same question meanwhile is the same run');
select is(pg_temp.id('same'), pg_temp.id('small'), 'by its id');
select is(private.forecast_finish(pg_temp.id('small'), 1, '{"total": 1}', '{"done": 1}'), true, 'who holds it brings the result');
select is(pg_temp.begin('later', 'aa'), 'completed again', 'which the same question finds later');
select is(pg_temp.begin('newer', 'aa', version => 2), 'running 1', 'not with another version of the engine');
select is(pg_temp.begin('other', 'bb'), 'running 1', 'nor with other inputs');
select is(pg_temp.try_as('vera', format('select forecast_result(%L)', pg_temp.id('small'))), '{"total": 1}', 'a viewer reads the result');
select is(pg_temp.try_as('vera', format('select result from pipeline_forecast_results where run_id = %L', pg_temp.id('small'))), '{"total": 1}', 'as a row too');
select is(pg_temp.try_as('eve', format('select forecast_result(%L)', pg_temp.id('small'))), 'PC001', 'a stranger learns nothing');
select is(pg_temp.try_as('eve', 'select 1 from pipeline_forecast_runs'), '0 rows', 'and sees no run');
select is(pg_temp.try_as('ada', 'delete from pipeline_forecast_runs'), '42501', 'nobody writes them');
select is(pg_temp.try_as('mia', $$ insert into pipeline_forecast_results (run_id, workspace_id, result) values (gen_random_uuid(), gen_random_uuid(), '{}') $$), '42501', 'nor results');

-- Lease and fence --------------------------------------------------------------------------------------------------------

select is((select count(*) from private.forecast_claim(pg_temp.id('other'), 30)), 0::bigint, 'one in somebody''s hands is not taken');
update private.forecast_state set lease_expires_at = now() - interval '1 second' where run_id = pg_temp.id('other');
select results_eq(format('select fence, seed, runs, inputs from private.forecast_claim(%L, 30)', pg_temp.id('other')),
  $$ values (2::bigint, 42::bigint, 10, '{"deals": []}'::jsonb) $$, 'one whose lease is out is, with all that is needed to do it again');
select is(private.forecast_progress(pg_temp.id('other'), 1, '{"done": 5}', 30), false, 'the former worker is told to stop');
select is(private.forecast_finish(pg_temp.id('other'), 1, '{"total": 2}', '{}'), false, 'and writes nothing');
select is(private.forecast_progress(pg_temp.id('other'), 2, '{"done": 5}', 30), true, 'the present one goes on');
select is((select progress ->> 'done' from pipeline_forecast_runs where id = pg_temp.id('other')), '5', 'and shows how far it is');
select is(private.forecast_fail(pg_temp.id('other'), 2, 'internal_error', 'It broke off.'), true, 'a run can fail');
select is((select status || ': ' || error_message from pipeline_forecast_runs where id = pg_temp.id('other')), 'failed: It broke off.', 'and says why');
select is(pg_temp.begin('anew', 'bb'), 'running 1', 'after which it can be asked for again');
update private.forecast_state set lease_expires_at = now() - interval '1 second', attempts = 2 where run_id = pg_temp.id('anew');
select is((select count(*) from private.forecast_claim(pg_temp.id('anew'), 30)), 0::bigint, 'one that two workers died of');
select is(pg_temp.status('anew'), 'failed', 'is not tried a third time');
select throws_ok(format('select private.forecast_finish(%L, 1, jsonb_build_object(''x'', repeat(''x'', 4200000)), ''{}'')', pg_temp.id('newer')), '23514', null, 'a result has at most 4 MiB');
select is(pg_temp.status('newer'), 'running', 'of which nothing is kept');

-- Workers ----------------------------------------------------------------------------------------------------------------

select is(private.forecast_fail(pg_temp.id('newer'), 1, 'x', 'x'), true, 'the table is cleared');
select is((select count(*) from sent), 0::bigint, 'so far nobody was called');
select is(pg_temp.begin('large 1', 'c1', true), 'queued', 'a large one waits');
select is(pg_temp.begin('large 2', 'c2', true), 'queued', 'so does the next');
select is(pg_temp.begin('large 3', 'c3', true), 'queued', 'and the third');
select results_eq('select body ->> ''run_id'' from sent order by 1', $$ select id::text from run where name in ('large 1', 'large 2') order by 1 $$, 'two workers are called, not three');
select is(private.forecast_fill_places(clock_timestamp()), 0, 'a call just made is given time');
select is((select fence from private.forecast_claim(pg_temp.id('large 1'), 30)), 1::bigint, 'a worker comes');
select is(pg_temp.status('large 1'), 'running', 'and it runs');
select is(private.forecast_finish(pg_temp.id('large 1'), 1, '{}', '{}'), true, 'when it is done');
select is((select count(*) from sent where body ->> 'run_id' = pg_temp.id('large 3')::text), 1::bigint, 'the third one''s worker is called');
update private.forecast_state set dispatched_at = now() - interval '1 minute' where run_id = pg_temp.id('large 2');
select is((private.forecast_sweep() ->> 'runs')::int, 1, 'a call that nobody answered is made again');

-- Two places are taken and two runs wait: whichever way a run goes, the next one's worker is called at once.
create function pg_temp.called(run_name text) returns bigint language sql as $$ select count(*) from sent where body ->> 'run_id' = pg_temp.id(run_name)::text $$;
select is((select fence from private.forecast_claim(pg_temp.id('large 2'), 30)) + (select fence from private.forecast_claim(pg_temp.id('large 3'), 30)), 2::bigint, 'both places are taken');
select is(pg_temp.begin('large 4', 'c4', true) || ' ' || pg_temp.begin('large 5', 'c5', true), 'queued queued', 'two more wait');
select is(pg_temp.called('large 4') + pg_temp.called('large 5'), 0::bigint, 'and nobody is called for them');
select is(pg_temp.try_as('mia', format('select (cancel_forecast(%L)).status', pg_temp.id('large 2'))), 'cancelled', 'one that runs is cancelled');
select is(pg_temp.called('large 4'), 1::bigint, 'and the next one begins');
update private.forecast_state set lease_expires_at = now() - interval '1 second', attempts = 2 where run_id = pg_temp.id('large 3');
select is((select count(*) from private.forecast_claim(pg_temp.id('large 3'), 30)), 0::bigint, 'one that two workers died of is given up');
select is(pg_temp.called('large 5'), 1::bigint, 'and the next one begins');

select is(pg_temp.begin('large 6', 'c6', true), 'queued', 'another one waits');
insert into run
select 'eve''s', b.run_id, b.status, b.reused, b.fence
from workspaces e, private.forecast_begin(e.id, pg_temp.person('eve'), 'forecast', '{}', '{}', '2026-11-02', 'e1', 1, 42, 10, true, 30) b
where e.created_by = pg_temp.person('eve');
select is((select count(*) from private.forecast_claim(pg_temp.id('large 4'), 30)) || ' ' || private.forecast_finish(pg_temp.id('large 4'), 1, '{}', '{}'), '1 true', 'while one place becomes free');
select is((select string_agg(r.name, ', ') from sent s join run r on r.id::text = s.body ->> 'run_id' where r.name in ('large 6', 'eve''s')), 'eve''s', 'a workspace gets its first before another gets its second');

-- Cancelling -------------------------------------------------------------------------------------------------------------

select is(pg_temp.begin('max''s', 'd1', who => 'max'), 'running 1', 'max asks for one');
select is(pg_temp.try_as('mia', format('select (cancel_forecast(%L)).status', pg_temp.id('max''s'))), 'PC002', 'mia cannot cancel it');
select is(pg_temp.try_as('eve', format('select (cancel_forecast(%L)).status', pg_temp.id('max''s'))), 'PC001', 'eve does not learn that it is there');
select is(pg_temp.try_as('eve', format('select (cancel_forecast(%L)).status', gen_random_uuid())), 'PC001', 'as she would hear of one that is not');
select is(pg_temp.try_as('otto', format('select (cancel_forecast(%L)).status', pg_temp.id('max''s'))), 'cancelled', 'an admin cancels it');
select is(private.forecast_progress(pg_temp.id('max''s'), 1, '{}', 30), false, 'its worker is told');
select is(private.forecast_finish(pg_temp.id('max''s'), 1, '{}', '{}'), false, 'and keeps nothing');
select is((select count(*) from private.forecast_claim(pg_temp.id('max''s'), 30)), 0::bigint, 'no other takes it up');
select is(pg_temp.try_as('vera', format('select coalesce(forecast_result(%L)::text, %L)', pg_temp.id('max''s'), 'nothing')), 'nothing', 'there is no result');
select is(pg_temp.try_as('max', format('select (cancel_forecast(%L)).status', pg_temp.id('small'))), 'PC002', 'that of somebody else stays');
select is(pg_temp.try_as('mia', format('select (cancel_forecast(%L)).status', pg_temp.id('small'))), 'completed', 'and one that is done stays done');
delete from workspace_members where workspace_id = (select id from w) and user_id = pg_temp.person('max');
select is(pg_temp.try_as('max', format('select (cancel_forecast(%L)).status', pg_temp.id('max''s'))), 'PC001', 'who has left does not reach even what they asked for');

-- How often --------------------------------------------------------------------------------------------------------------

create temp table asked on commit drop as
select n, private.forecast_take_token((select id from w), '2026-11-02 10:00:00+00'::timestamptz) as wait from generate_series(1, 32) n;
select is((select count(*) from asked where wait = 0), 30::bigint, 'thirty times in a minute');
select is((select max(wait) from asked where n = 31), 2, 'and then every two seconds');
select is(private.forecast_take_token((select id from w), '2026-11-02 10:00:02+00'), 0, 'which is so');

-- Retention --------------------------------------------------------------------------------------------------------------

update pipeline_forecast_runs set finished_at = now() - interval '100 days' where id = pg_temp.id('small');
update pipeline_forecast_runs set finished_at = now() - interval '500 days' where id = pg_temp.id('other');
select is(private.retain_forecasts(), '{"forecasts": 1, "forecast_inputs": 1}', 'inputs go after 90 days, runs after 400');
select is(pg_temp.status('small'), 'completed', 'the younger run is still there');
select is((select count(*) from pipeline_forecast_results where run_id = pg_temp.id('small')), 1::bigint, 'with its result');
select is(pg_temp.status('other'), null, 'the older is not');

select * from finish();
rollback;
