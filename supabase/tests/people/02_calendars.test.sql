-- Calendars: hours by weekday, days off, and weeks that are weeks whatever the clock or the year does.

\ir fixture.psql

create temp table c on commit drop as select default_calendar_id as id from planning_settings where workspace_id = (select id from w);
select is((select hours::text from working_calendars where id = (select id from c)), '{8.00,8.00,8.00,8.00,8.00,0.00,0.00}', 'a workspace begins with Monday to Friday, 8 hours');
select is((select count(*) from planning_settings where workspace_id = (select id from w)), 1::bigint, 'and with its settings');
select is(pg_temp.try_as('admin', format($$ delete from planning_settings where workspace_id = %L $$, (select id from w))), '42501', 'which nobody deletes');
select is(pg_temp.try_as('admin', format($$ update planning_settings set hiring_lead_weeks = 12 where workspace_id = %L $$, (select id from w))), '1 rows', 'an admin changes them');
select is(pg_temp.try_as('member', format($$ update planning_settings set hiring_lead_weeks = 12 where workspace_id = %L $$, (select id from w))), '0 rows', 'a member does not');

select throws_ok(format('update planning_settings set %s where workspace_id = (select id from w)', change), '23514', null, 'no setting: ' || change)
from unnest(array['confidence_threshold = 1.5', $$confidence_threshold = 'NaN'$$, 'client_correlation = 0.95', 'commit_from = 101', 'hiring_availability = 0', 'hiring_min_weeks = 0',
  $$size_bands = '{5,1}'$$, $$size_bands = '{1,NaN}'$$, $$size_bands = '{1,null}'$$, $$size_bands = '{0,1}'$$, 'fiscal_year_start_month = 13',
  $$exchange_rates = '{"EUR": 0}'$$, $$exchange_rates = '{"EUR": "1.1"}'$$, $$exchange_rates = '{"EUR": [1.1]}'$$, $$exchange_rates = '{"euro": 1.1}'$$, $$exchange_rates = '[]'$$, $$reporting_currency = 'eur'$$]) change;
select lives_ok($$ update planning_settings set exchange_rates = '{"EUR": 1.08}', size_bands = '{1,2.5}' where workspace_id = (select id from w) $$, 'rates above nothing and ascending bands are');

select throws_ok(format('insert into working_calendars (workspace_id, name, hours) select id, ''X'', %L from w', hours), '23514', null, 'no week: ' || hours)
from unnest('{"{8,8,8,8,8}","{8,8,8,8,8,0,25}","{8,8,8,8,8,0,-1}","{8,8,8,8,8,0,NaN}","{8,8,8,8,8,0,null}","{{8},{8},{8},{8},{8},{0},{0}}","[0:6]={8,8,8,8,8,0,0}"}'::text[]) hours;
select throws_ok($$ delete from working_calendars where id = (select id from c) $$, '23503', 'The calendar "Monday to Friday, 8 hours" is the default one of the workspace.', 'the default calendar is not deleted');
insert into working_calendars (id, workspace_id, name) select md5('nights')::uuid, id, 'Nights' from w;
select pg_temp.hire('Owl', more => jsonb_build_object('working_calendar_id', md5('nights')::uuid));
select throws_ok($$ delete from working_calendars where id = md5('nights')::uuid $$, '23503', 'The calendar "Nights" is in use (people: 1).', 'nor one that somebody follows');
delete from employees where name = 'Owl';
select lives_ok($$ delete from working_calendars where id = md5('nights')::uuid $$, 'but one that nobody follows');

-- Hours between two days, by hand.
create function pg_temp.hours(first date, last date) returns double precision language sql as $$
  select t.running[last - first + 2] - t.running[1] from private.calendar_totals((select id from w), first, last) t where t.calendar_id = (select id from c)
$$;
select is(pg_temp.hours('2026-03-02', '2026-03-08'), 40::double precision, 'a week is five days of eight hours');
select is(pg_temp.hours('2026-03-04', '2026-03-10'), 40::double precision, 'so are any seven days');
select is(pg_temp.hours('2026-03-07', '2026-03-08'), 0::double precision, 'a weekend is none');
select is(pg_temp.hours('2026-03-23', '2026-03-29'), 40::double precision, 'the week in which the clocks go forward');
select is(pg_temp.hours('2026-10-19', '2026-10-25'), 40::double precision, 'and the one in which they go back');
select is(pg_temp.hours('2028-02-28', '2028-03-05'), 40::double precision, 'a week with 29 February');
select is(pg_temp.hours('2028-02-01', '2028-02-29'), 21 * 8::double precision, 'February 2028 has 21 working days');
select is(pg_temp.hours('2026-12-28', '2027-01-03'), 40::double precision, 'week 53 of 2026 is a week');
select is(pg_temp.hours('2026-01-01', '2026-12-31'), 261 * 8::double precision, '2026 has 261 working days');

insert into calendar_holidays (workspace_id, calendar_id, day, share, name) select w.id, c.id, h.* from w, c, (values (date '2026-03-02', 1, 'Holiday'), ('2026-03-10', 0.5, 'Half'), ('2026-03-08', 1, 'A Sunday')) h;
select is(pg_temp.hours('2026-03-02', '2026-03-08'), 32::double precision, 'a holiday takes its day; on a Sunday it takes nothing');
select is(pg_temp.hours('2026-03-09', '2026-03-15'), 36::double precision, 'a half one half of it');
select throws_ok($$ insert into calendar_holidays (workspace_id, calendar_id, day) select w.id, c.id, '2026-03-02' from w, c $$, '23505', null, 'a day is a holiday once');
select throws_ok(format('insert into calendar_holidays (workspace_id, calendar_id, day, share) select w.id, c.id, ''2026-04-01'', %s from w, c', share), '23514', null, 'no share of a day: ' || share) from unnest('{0,1.5,-0.5}'::text[]) share;

-- Weeks of the workspace.
select is(private.week_start(day), monday, day || ' is in the week of ' || monday)
from (values (date '2026-03-02', date '2026-03-02'), ('2026-03-08', '2026-03-02'), ('2027-01-03', '2026-12-28'), ('2028-02-29', '2028-02-28'), ('1970-01-01', '1969-12-29')) d (day, monday);
update workspaces set time_zone = 'Pacific/Kiritimati' where id = (select id from w);
select is(private.workspace_today((select id from w)), (now() at time zone 'Pacific/Kiritimati')::date, 'it is the day of the workspace''s zone');
-- Written before the list of zones changed.
alter table workspaces disable trigger check_time_zone;
update workspaces set time_zone = 'Nowhere/Land' where id = (select id from w);
alter table workspaces enable trigger check_time_zone;
select is(private.workspace_today((select id from w)), (now() at time zone 'UTC')::date, 'a zone that nobody knows counts as UTC');

select * from finish();
rollback;
