-- Supply by week. Each number is worked out by hand; those named "core" are the same cases as in
-- _shared/planning/capacity/capacity.test.ts. 2026-03-02 is a Monday.

\ir fixture.psql

create temp table c on commit drop as select default_calendar_id as id from planning_settings where workspace_id = (select id from w);
create function pg_temp.of(who text) returns text language sql immutable as $$ select format('key = %L', pg_temp.employee(who)) $$;

-- The contract.
select pg_temp.hire('Full');
select is(pg_temp.capacity('capacity', pg_temp.of('Full')), '40 40', 'core: full-time is five days of eight hours');
select pg_temp.hire('Half', more => '{"fte": 0.5}');
select is(pg_temp.capacity('capacity', pg_temp.of('Half')), '20 20', 'part-time on all days: half of each');
insert into working_calendars (id, workspace_id, name, hours) select md5('three')::uuid, id, 'Three days', '{8,8,8,0,0,0,0}' from w;
select pg_temp.hire('Three', more => jsonb_build_object('working_calendar_id', md5('three')::uuid));
select is(pg_temp.capacity('capacity', pg_temp.of('Three')), '24 24', 'core: part-time on some days: three of five');
select pg_temp.hire('Joins', more => '{"employed_from": "2026-03-04", "employed_to": "2026-03-09"}');
select is(pg_temp.capacity('capacity', pg_temp.of('Joins')), '24 8', 'core: from the first to the last day of the contract');
select pg_temp.hire('Weekend', more => '{"employed_from": "2026-03-07", "employed_to": "2026-03-08"}');
select is(pg_temp.capacity('capacity', pg_temp.of('Weekend')), '0', 'a contract of one weekend has no hours');
insert into working_calendars (id, workspace_id, name, hours) select md5('sundays')::uuid, id, 'Sundays', '{0,0,0,0,0,0,6}' from w;
select pg_temp.hire('Edge', more => jsonb_build_object('working_calendar_id', md5('sundays')::uuid, 'employed_from', '2026-03-15', 'employed_to', '2026-03-15'));
select is(pg_temp.capacity('capacity', pg_temp.of('Edge')), '6', 'a contract of the last day that is asked for');
select is(pg_temp.capacity('capacity', pg_temp.of('Edge'), 1, '2026-03-09'), '6', 'and of the last day of one week');
update employees set employed_from = '2026-03-01', employed_to = '2026-03-02', working_calendar_id = null where name = 'Edge';
select is(pg_temp.capacity('capacity', pg_temp.of('Edge')), '8', 'or of the first');
delete from employees where name = 'Edge';
select pg_temp.hire('Gone', more => '{"employed_to": "2026-03-01"}'), pg_temp.hire('Later', more => '{"employed_from": "2026-03-16"}'), pg_temp.hire('Deleted', more => '{"deleted_at": "2026-01-01T00:00:00Z"}');
select is(pg_temp.capacity('capacity', pg_temp.of(who)), 'nothing', who || ' is not counted') from unnest('{Gone,Later,Deleted}'::text[]) who;

-- Weeks that are not like others.
select is(pg_temp.capacity('capacity', pg_temp.of('Full'), 3, '2026-03-23'), '40 40 40', 'the clocks go forward on 29 March 2026: a week is a week');
select is(pg_temp.capacity('capacity', pg_temp.of('Full'), 2, '2026-10-19'), '40 40', 'they go back on 25 October');
select is(pg_temp.try_as('owner', format($$ select string_agg(week::text || ' ' || to_char(week, 'IYYY-"W"IW'), ', ' order by week) from capacity_weeks(%L, '2026-12-31', 3, 'person') where %s $$, (select id from w), pg_temp.of('Full'))),
  '2026-12-28 2026-W53, 2027-01-04 2027-W01, 2027-01-11 2027-W02', 'asked for a Thursday it begins on Monday, and week 53 is one of them');
select is(pg_temp.capacity('capacity', pg_temp.of('Full'), 1, '2028-02-29'), '40', 'a week with 29 February');

-- Holidays and time off.
insert into calendar_holidays (workspace_id, calendar_id, day, share) select w.id, c.id, h.* from w, c, (values (date '2026-03-16', 1), ('2026-03-24', 0.5)) h;
select is(pg_temp.capacity('capacity', pg_temp.of('Full'), 2, '2026-03-16'), '32 36', 'core: a holiday takes a day, a half one half of it');
select is(pg_temp.capacity('capacity', pg_temp.of('Half'), 2, '2026-03-16'), '16 18', 'of part-time its part');
select is(pg_temp.capacity('capacity', pg_temp.of('Three'), 2, '2026-03-16'), '24 24', 'those with a calendar of their own have its holidays');
select pg_temp.away('Full', '2026-03-17', '2026-03-18'), pg_temp.away('Full', '2026-03-19', '2026-03-19', 0.5), pg_temp.away('Full', '2026-03-24', '2026-03-24', 0.5);
select is(pg_temp.capacity('capacity', pg_temp.of('Full'), 2, '2026-03-16'), '12 34', 'two days and a half away: 32 - 16 - 4; half of a half holiday leaves a quarter: 36 - 2');
select pg_temp.away('Joins', '2026-02-23', '2026-03-04');
select is(pg_temp.capacity('capacity', pg_temp.of('Joins')), '16 8', 'away before the contract takes nothing, on its first day the day');
select pg_temp.away('Half', '2026-12-21', '2027-01-08');
select is(pg_temp.capacity('capacity', pg_temp.of('Half'), 4, '2026-12-14'), '20 0 0 0', 'three weeks over the turn of the year');

-- Allocations.
select pg_temp.hire('Ada');
select pg_temp.promise('Ada', '2026-03-02', '2026-03-06', 60), pg_temp.promise('Ada', '2026-03-05', null, 60);
select is(pg_temp.capacity('allocated', pg_temp.of('Ada')), '33.6 24', 'core: those that overlap add up: 24 + 9.6');
select is(pg_temp.capacity('free', pg_temp.of('Ada')), '6.4 16', 'core: so much is free');
select is(pg_temp.capacity('over', pg_temp.of('Ada')), '3.2 0', 'core: Thursday and Friday are promised for 9.6 hours each');
select is(pg_temp.capacity('allocated', pg_temp.of('Ada'), 2, '2031-03-03'), '24 24', 'without an end it goes on for years');
select pg_temp.away('Ada', '2026-03-06', '2026-03-06');
select is(pg_temp.capacity('capacity', pg_temp.of('Ada')), '32 40', 'a Friday off');
select is(pg_temp.capacity('allocated', pg_temp.of('Ada')), '24 24', 'a promise on a day off is no work: 24 - 4.8 and 9.6 - 4.8');
select is(pg_temp.capacity('over', pg_temp.of('Ada')), '1.6 0', 'nor is it too much');
select pg_temp.promise('Half', '2026-03-02', '2026-03-15', 50), pg_temp.promise('Half', '2026-03-02', '2026-03-15', 40, 'tentative');
select is(pg_temp.capacity('allocated', pg_temp.of('Half')), '10 10', 'a share of one''s own hours; what is tentative takes nothing');
select pg_temp.hire('Bea');
select pg_temp.promise('Bea', '2026-03-05', '2026-03-05', 100), pg_temp.promise('Bea', '2026-03-05', '2026-03-05', 100);
select is(pg_temp.capacity('free', pg_temp.of('Bea')), '24 40', 'a double Thursday is 16 hours of 40');
select is(pg_temp.capacity('over', pg_temp.of('Bea')), '8 0', 'and eight too many, whatever Friday is');
select pg_temp.promise('Bea', '2026-03-09', '2026-03-10', 5), pg_temp.promise('Bea', '2026-02-23', '2026-03-01', 5);
select is(pg_temp.try_as('owner', format($$ select string_agg(format('%%s %%s %%s of %%s: %%s', employee_name, week, trim_scale(over), trim_scale(capacity), jsonb_array_length(allocations)), ', ' order by employee_name) from over_allocations(%L, '2026-03-02', 4) $$, (select id from w))),
  'Ada 2026-03-02 1.6 of 32: 2, Bea 2026-03-02 8 of 40: 2', 'who is promised too much, with the promises of that week, not of the ones beside it');
delete from employee_allocations where percentage = 5;

-- Groups.
insert into teams (id, workspace_id, name) select md5('red')::uuid, id, 'Red' from w;
update employees set team_id = md5('red')::uuid where name in ('Full', 'Three');
select is(pg_temp.capacity('capacity', format('key = %L', md5('red')::uuid), by_what => 'team'), '64 64', 'a team is the sum of its people');
insert into employee_skills (workspace_id, employee_id, skill_key, level) select w.id, pg_temp.employee(s.who), s.skill, s.level from w, (values ('Full', 'react', 'senior'), ('Full', 'vue', 'mid'), ('Three', 'react', 'senior'), ('Ada', 'vue', 'mid'), ('Bea', 'go', null)) s (who, skill, level);
select is(pg_temp.capacity('capacity', $$ key = 'react' and level = 'senior' $$, by_what => 'skill'), '64 64', 'people count under their primary skill and level');
select is(pg_temp.capacity('capacity', $$ key = 'vue' $$, by_what => 'skill'), '32 40', 'and under no other');
select is(pg_temp.capacity('reach', $$ key = 'vue' $$, by_what => 'skill'), '48 56', 'within reach are all who know it: 40 + 8 and 40 + 16');
select is(pg_temp.capacity('capacity', $$ key = 'frontend' $$, by_what => 'category'), '96 104', 'a category is the sum of its skills');
select is(
  pg_temp.try_as('owner', format($$ select string_agg(trim_scale(s)::text, ' ' order by g) from (select 'skill' as g, sum(capacity) s from capacity_weeks(%1$L, '2026-03-02', 4, 'skill') union all select 'team', sum(capacity) from capacity_weeks(%1$L, '2026-03-02', 4, 'team')
    union all select 'person', sum(capacity) from capacity_weeks(%1$L, '2026-03-02', 4, 'person') union all select 'level', sum(capacity) from capacity_weeks(%1$L, '2026-03-02', 4, 'level') union all select 'category', sum(capacity) from capacity_weeks(%1$L, '2026-03-02', 4, 'category')) x $$, (select id from w))),
  (select string_agg(x.total, ' ') from (select pg_temp.try_as('owner', format($$ select trim_scale(sum(capacity)) from capacity_weeks(%L, '2026-03-02', 4, 'person') $$, (select id from w))) as total from generate_series(1, 5)) x),
  'however they are grouped, everybody is counted once');

-- The view of how busy teams are: around today, so it is compared with the RPC.
select is(pg_temp.try_as('viewer', format($$ select count(distinct week) || ' ' || bool_and(week between private.week_start(current_date) - 91 and private.week_start(current_date) + 189) from resource_utilisation where workspace_id = %L $$, (select id from w))), '42501', 'helpers are nobody''s');
select is(pg_temp.try_as('viewer', format($$ select count(distinct week) from resource_utilisation where workspace_id = %L $$, (select id from w))), '39', 'twelve weeks back, this one and twenty-six ahead');
select is(pg_temp.try_as('viewer', format($$ select bool_and(u.capacity = round(c.capacity, 2) and u.free = round(c.free, 2))::text from resource_utilisation u join capacity_weeks(u.workspace_id, u.week, 1, 'team') c on c.week = u.week and c.key is not distinct from u.team_id::text where u.workspace_id = %L $$, (select id from w))), 'true', 'with the hours of the RPC');
select is(pg_temp.try_as('outsider', format($$ select count(*) from resource_utilisation where workspace_id = %L $$, (select id from w))), '0', 'strangers see none of it');

-- What is refused.
select is(pg_temp.try_as(who, format($$ select count(*) from capacity_weeks(%s) $$, replace(args, '$w', quote_literal((select id from w))))), code, format('%s asks capacity_weeks(%s): %s', who, args, code))
from (values ('owner', '$w, ''2026-03-02'', 0', 'PC004'), ('owner', '$w, ''2026-03-02'', 261', 'PC004'), ('owner', '$w, ''2026-03-02'', null', 'PC004'), ('owner', '$w, ''infinity''', 'PC004'), ('owner', '$w, ''1969-12-31''', 'PC004'),
  ('owner', '$w, ''2026-02-30''', '22008'), ('owner', '$w, null, 2, ''colour''', 'PC004'), ('owner', '$w, null, 2, ''skill'', ''heavy''', 'PC004'), ('outsider', '$w', 'PC001'), ('owner', 'gen_random_uuid()', 'PC001'), ('anon', '$w', '42501')) r (who, args, code);
select is(pg_temp.try_as('owner', format($$ select count(*) from capacity_weeks(%L, '2026-03-02', 260, 'person') $$, (select id from w))), (260 * 5 + 258 + 2 + 1)::text, 'five years are no problem: five people, one from the third week on, one for two weeks and one for a weekend');

select * from finish();
rollback;
