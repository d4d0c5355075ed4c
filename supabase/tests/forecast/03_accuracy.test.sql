-- What was predicted beside what came, and the daily forecast that is measured.

\ir ../fixtures/people.psql
\ir ../fixtures/deals.psql
\ir ../fixtures/forecast_calls.psql

select no_plan();

create function pg_temp.calls() returns bigint language sql as $$ select count(*) from sent where body ->> 'daily' = (select id::text from w) $$;

-- When it is due -----------------------------------------------------------------------------------------------------------

select private.forecast_daily();
select is(pg_temp.calls(), 0::bigint, 'without an open deal there is nothing to forecast');
select pg_temp.deal('Bridge', '{"stage": "proposal", "estimated_value": 1000}');
select private.forecast_daily();
select is(pg_temp.calls(), 1::bigint, 'with one it is asked for');
select private.forecast_daily();
select is(pg_temp.calls(), 1::bigint, 'and given an hour');
select private.forecast_daily(clock_timestamp() + interval '61 minutes');
select is(pg_temp.calls(), 2::bigint, 'after which it is asked for again');

-- One that is refused is shown as a failed run, once for each reason, and tried again when something has changed.
create function pg_temp.refuse(reason text) returns void language sql as $$
  select private.forecast_refuse_daily((select id from w), '{"runs": 10}', 1, 10, 'currency_without_rate', reason)
$$;
create function pg_temp.due(hours int) returns bigint language sql as $$
  select count(*) from private.forecast_daily_due(clock_timestamp() + make_interval(hours => hours), 100) d where d = (select id from w)
$$;
update private.forecast_workspaces set daily_called_at = clock_timestamp();
select pg_temp.refuse('Give a rate for EUR.');
select is(pg_temp.try_as('vera', format('select status || '' '' || error_code || '': '' || error_message from pipeline_forecast_runs where kind = ''daily'' and workspace_id = %L', (select id from w))),
  'failed currency_without_rate: Give a rate for EUR.', 'a viewer sees that there is none, and why');
select is(pg_temp.due(3), 0::bigint, 'as long as nothing changes it is not tried again');
select pg_temp.refuse('Give a rate for EUR.');
select is((select count(*) from pipeline_forecast_runs where kind = 'daily'), 1::bigint, 'the same reason is said once');
select pg_temp.refuse('Give a rate for GBP.');
select is((select count(*) from pipeline_forecast_runs where kind = 'daily'), 2::bigint, 'another one is news');
alter table pipeline_projects disable trigger user;
update pipeline_projects set updated_at = clock_timestamp() + interval '1 second' where workspace_id = (select id from w);
select is(pg_temp.due(0) || ' ' || pg_temp.due(3), '0 1', 'a deal that has changed: in an hour');
update pipeline_projects set updated_at = now() where workspace_id = (select id from w);
alter table pipeline_projects enable trigger user;
alter table planning_settings disable trigger user;
update planning_settings set updated_at = clock_timestamp() + interval '1 second' where workspace_id = (select id from w);
select is(pg_temp.due(0), 1::bigint, 'a setting that has changed, such as a rate: at once');
update planning_settings set updated_at = now() where workspace_id = (select id from w);
alter table planning_settings enable trigger user;
select is(pg_temp.due(3), 0::bigint, 'neither: not');
update private.forecast_workspaces set daily_refused_on = daily_refused_on - 1;
select is(pg_temp.due(3), 1::bigint, 'the next day it is tried in any case');
update private.forecast_workspaces set daily_refused_on = daily_refused_on + 1, daily_called_at = clock_timestamp() + interval '1 minute';
select is(pg_temp.due(3), 1::bigint, 'and after a call of which nothing came, refusal or forecast');
delete from pipeline_forecast_runs where kind = 'daily';

-- A forecast of 2026-01-15 over two months, and what came of it: 900 in January, 2,000 in February.
create temp table r on commit drop as
select b.run_id as id from private.forecast_begin((select id from w), null, 'daily', '{}', '{}', '2026-01-15', 'aa', 1, 1, 10, false, 30) b;
select is(private.forecast_finish((select id from r), 1, '{"currency": "USD", "periods": [
  {"period": "2026-01", "closed": 100, "commit": 100, "best": 1500, "weighted": 800, "p10": 500, "p50": 800, "p90": 1000, "mean": 800, "naive": 700},
  {"period": "2026-02", "closed": 0, "commit": 0, "best": 1800, "weighted": 900, "p10": 600, "p50": 1000, "p90": 1500, "mean": 950, "naive": 2400}]}', '{}'), true, 'the daily forecast is kept');
select is((select count(*) from pipeline_forecast_points where workspace_id = (select id from w)), 2::bigint, 'month by month');
select is((select daily_on from private.forecast_workspaces where workspace_id = (select id from w)), '2026-01-15'::date, 'with its day');
insert into analytics_outcome_months (workspace_id, month, dimension, key, currency, created, created_value, won, won_valued, won_value, lost, lost_value, cycles, cycle_days_sum)
select w.id, o.* from w, (values
  ('2026-01-01'::date, 'all', '', 'USD', 0, 0, 1, 1, 900, 0, 0, 0, 0), ('2026-01-01', 'owner', 'x', 'USD', 0, 0, 1, 1, 900, 0, 0, 0, 0),
  ('2026-02-01', 'all', '', 'EUR', 0, 0, 1, 1, 1000, 0, 0, 0, 0)) o;

-- Errors by hand: 800 - 900 = -100, 700 - 900 = -200. February is known only once somebody says what a euro is worth.
create temp view seen as
select to_char(period_start, 'YYYY-MM') as month, horizon_months, p50::int as p50, actual::numeric as actual, error::int as error, naive_error::int as naive_error, inside
from forecast_accuracy where workspace_id = (select id from w);
select results_eq('select * from seen where month = ''2026-01''', $$ values ('2026-01', 0, 800, 900::numeric, -100, -200, true) $$, 'January: between P10 and P90');
select results_eq('select * from seen where month = ''2026-02''', $$ values ('2026-02', 1, 1000, null::numeric, null::int, null::int, null::boolean) $$, 'February was won in euros, which nobody has a rate for');
update planning_settings set exchange_rates = '{"EUR": 2}' where workspace_id = (select id from w);
select results_eq('select * from seen where month = ''2026-02''', $$ values ('2026-02', 1, 1000, 2000::numeric, -1000, 400, false) $$, 'with one it is a month too optimistic for the naive forecast, and above P90 for ours');
delete from analytics_outcome_months where workspace_id = (select id from w) and month = '2026-02-01';
select is((select actual from seen where month = '2026-02'), 0::numeric, 'a month without a win brought nothing');
update pipeline_forecast_points set period_start = date_trunc('month', now())::date where period_start = '2026-02-01';
select is((select count(*) from seen), 1::bigint, 'a month that is not over is not judged');
-- Kiritimati is fourteen hours ahead of GMT, Midway eleven behind: there the same day is a day and an hour apart.
update pipeline_forecast_points set period_start = (date_trunc('month', now() at time zone 'Pacific/Midway') - interval '1 month')::date where period_start = date_trunc('month', now())::date;
update workspaces set time_zone = 'Pacific/Midway' where id = (select id from w);
select is((select count(*) from seen), 2::bigint, 'over it is where the workspace is');
update pipeline_forecast_points set period_start = date_trunc('month', private.workspace_today(workspace_id))::date where period_start > '2026-01-01';
select is((select count(*) from seen), 1::bigint, 'and not before');
select is(pg_temp.try_as('vera', format('select 1 from forecast_accuracy where workspace_id = %L', (select id from w))), '1', 'a viewer reads it');
select is(pg_temp.try_as('eve', format('select 1 from forecast_accuracy where workspace_id = %L', (select id from w))), '0 rows', 'a stranger does not');
select is(pg_temp.try_as('ada', 'delete from pipeline_forecast_points'), '42501', 'and nobody corrects it');

select * from finish();
rollback;
