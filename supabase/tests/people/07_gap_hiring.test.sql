-- Supply beside demand: gaps, who helps out in which order, whom that leaves to be hired. Worked out by hand.
-- 2026-03-02 is a Monday.

\ir fixture.psql

update planning_settings set hiring_availability = 0.9 where workspace_id = (select id from w);

-- Gap: demand less the free time of those whose primary skill it is.
select pg_temp.hire('Ada', 'react', 'senior'), pg_temp.hire('Bea', 'react', 'senior'), pg_temp.hire('Vera', 'vue', 'senior');
select pg_temp.deal('Shop'), pg_temp.ask('Shop', 'react', 3, 100, '{"experience_level": "senior"}');
select is(pg_temp.capacity('gap', $$ key = 'react' $$, 3, by_what => 'skill', weighting => 'unweighted'), '40 40 -80', 'three asked for, two there: 120 - 80; then nobody is asked for');
select is(pg_temp.capacity('gap', $$ key = 'react' $$, 3, by_what => 'skill'), '-8 -8 -80', 'weighted by 60 %: 72 - 80');
select is(pg_temp.capacity('demand', $$ key = 'react' $$, 2, by_what => 'skill'), '120 120', 'what is asked for stands beside');
select is(pg_temp.capacity('weighted_demand', $$ key = 'react' $$, 2, by_what => 'skill'), '72 72', 'and what it weighs');
select pg_temp.promise('Bea', '2026-03-09', '2026-03-15', 50);
select is(pg_temp.capacity('gap', $$ key = 'react' $$, 2, by_what => 'skill', weighting => 'unweighted'), '40 60', 'who is promised elsewhere is not free');
select is(pg_temp.try_as('owner', format($$ select count(*) filter (where demand is not null or gap is not null) from capacity_weeks(%L, '2026-03-02', 2, 'team') $$, (select id from w))), '0', 'deals ask for skills, not for teams');

-- What is staffed is not asked for again.
create temp table shop on commit drop as select id from pipeline_resource_demands where workspace_id = (select id from w);
delete from employee_allocations where workspace_id = (select id from w);
select pg_temp.promise('Ada', '2026-03-02', '2026-03-15', 100, 'firm', (select id from shop));
select is(pg_temp.capacity('demand', $$ key = 'react' $$, 2, by_what => 'skill'), '80 80', 'one of three is staffed');
select is(pg_temp.capacity('gap', $$ key = 'react' $$, 2, by_what => 'skill', weighting => 'unweighted'), '40 40', 'so the gap is what it was: 80 - 40');
select is(pg_temp.demand('hours', $$ key = 'react' $$, 2), '120 120', 'the demand itself is the whole one');
select is(pg_temp.demand('unstaffed_hours', $$ key = 'react' $$, 2), '80 80', 'beside what is left of it');
select pg_temp.away('Ada', '2026-03-12', '2026-03-13');
select is(pg_temp.demand('unstaffed_hours', $$ key = 'react' $$, 2), '80 96', 'whoever is away does not do it: 16 hours are asked for again');
update working_calendars set hours = '{8,8,8,8,8,0,4}' where workspace_id = (select id from w);
select is(pg_temp.demand('unstaffed_hours', $$ key = 'react' $$, 2), '88 104', 'who works on Sundays gives a Sunday, too: 132 - 44, and 132 - 28');
update working_calendars set hours = '{8,8,8,8,8,0,0}' where workspace_id = (select id from w);
select pg_temp.promise('Bea', '2026-03-02', '2026-03-08', 100, 'firm', (select id from shop)), pg_temp.promise('Vera', '2026-03-02', '2026-03-08', 100, 'firm', (select id from shop)), pg_temp.promise('Vera', '2026-03-02', '2026-03-08', 100, 'firm', (select id from shop));
select is(pg_temp.demand('unstaffed_hours', $$ key = 'react' $$, 2), '0 96', 'more than was asked for is nothing less than nothing');
delete from employee_allocations where workspace_id = (select id from w);
delete from employee_time_off where workspace_id = (select id from w);

-- Who helps out, in order.
create function pg_temp.cover(condition text default 'true', first date default '2026-03-02', weeks int default 1) returns text language sql as $$
  select pg_temp.try_as('owner', format($q$ select coalesce(string_agg(format('%%s %%s: %%s', coalesce(used_skill, used_category, 'nobody'), coalesce(used_level, '-'), trim_scale(hours)), ', ' order by week, is_critical desc, level, pass nulls last), 'nothing')
    from demand_cover(%L, %L, %s, 'unweighted') where %s $q$, (select id from w), first, weeks, condition))
$$;
select is(pg_temp.cover(), 'react senior: 80, nobody -: 40', 'without an alternative a third is missing');
update pipeline_resource_demands set alternatives = '["vue"]' where id = (select id from shop);
select is(pg_temp.cover(), 'react senior: 80, vue senior: 40', 'an alternative fills it');
select is(pg_temp.cover('pass = 1'), 'react senior: 80', 'after the skill itself');
update pipeline_resource_demands set alternatives = '["go", "vue"]' where id = (select id from shop);
select pg_temp.hire('Gina', 'go', 'senior', '{"fte": 0.5}');
select is(pg_temp.cover(), 'react senior: 80, go senior: 20, vue senior: 20', 'alternatives in their order: what the first cannot do the second does');
select is(pg_temp.try_as('owner', format($$ select string_agg(trim_scale(sum)::text, ' ' order by week) from (select week, sum(hours) from demand_cover(%L, '2026-03-02', 2, 'weighted') group by week) x $$, (select id from w))), '72 72', 'the parts add up to what was asked for, weighted');

-- Levels: the one asked for, higher ones the nearest first, one below, then unknown ones; two below never.
delete from employees where workspace_id = (select id from w);
delete from pipeline_projects where workspace_id = (select id from w);
select pg_temp.hire(level || ' Smith', 'react', nullif(level, 'unknown'), '{"fte": 0.25}') from unnest('{junior,mid,senior,lead,principal,unknown}'::text[]) level;
select pg_temp.deal('House'), pg_temp.ask('House', 'react', 2, 100, '{"experience_level": "senior"}');
select is(pg_temp.cover(), 'react senior: 10, react lead: 10, react principal: 10, react mid: 10, react -: 10, nobody -: 30', 'senior, then up, then one below, then unknown; no junior');
update pipeline_resource_demands set experience_level = null where workspace_id = (select id from w);
select is(pg_temp.cover(), 'react -: 10, react junior: 10, react mid: 10, react senior: 10, react lead: 10, react principal: 10, nobody -: 20', 'no level: the least senior first');

-- Who comes first.
delete from employees where workspace_id = (select id from w);
delete from pipeline_projects where workspace_id = (select id from w);
select pg_temp.hire('Ada', 'react', 'senior');
select pg_temp.deal('First'), pg_temp.ask('First', 'react', 1, 75), pg_temp.deal('Urgent'), pg_temp.ask('Urgent', 'react', 1, 50, '{"priority": 5}'), pg_temp.deal('Key'), pg_temp.ask('Key', 'react', 1, 25, '{"is_critical": true}');
select is(pg_temp.try_as('owner', format($$ select string_agg(format('%%s/%%s %%s', trim_scale(asked), coalesce(used_skill, 'nobody'), trim_scale(hours)), ', ' order by asked, used_skill nulls last) from demand_cover(%L, '2026-03-02', 1, 'unweighted') $$, (select id from w))),
  '10/react 10, 20/react 20, 30/react 10, 30/nobody 20', 'the critical one, then by priority, then the others');

-- A category is met by anybody of it who is left, and nobody is used twice.
delete from pipeline_projects where workspace_id = (select id from w);
select pg_temp.hire('Vera', 'vue', 'senior'), pg_temp.hire('Gina', 'go', 'senior');
select pg_temp.deal('Site'), pg_temp.ask('Site', 'frontend', 3), pg_temp.ask('Site', 'react', 1, 50);
select is(pg_temp.cover('category = ''frontend'' and skill_key is null'), 'frontend senior: 60, nobody -: 60', 'a category: 80 hours of two less the 20 that react itself takes');
select is(pg_temp.cover('skill_key = ''react'''), 'react senior: 20', 'the skill comes before the category');
update pipeline_resource_demands set alternatives = '["go"]' where workspace_id = (select id from w) and skill_key is null;
select is(pg_temp.cover('category = ''frontend'' and skill_key is null'), 'frontend senior: 60, go senior: 40, nobody -: 20', 'then its alternatives');
delete from pipeline_projects where workspace_id = (select id from w);
select pg_temp.deal('Site'), pg_temp.ask('Site', 'frontend'), pg_temp.ask('Site', 'c#', 1, 100, '{"alternatives": ["react"]}');
select is(pg_temp.cover(), 'frontend senior: 40, react senior: 40', 'of a category those first whom nobody asks for by name');
select is(pg_temp.try_as('owner', format($$ select bool_and(used <= free + 0.001)::text from (select week, sum(hours) filter (where pass is not null) as used from demand_cover(%1$L, '2026-03-02', 2, 'unweighted') group by week) u join (select week, sum(free) as free from capacity_weeks(%1$L, '2026-03-02', 2, 'person') group by week) f using (week) $$, (select id from w))), 'true', 'nobody''s hour is used twice');

-- Hiring. A full-time person works 40 × 0.9 = 36 hours a week. core: "by hand", _shared/planning/capacity/capacity.test.ts:
-- gaps of 0 0 30 36 70 70 108 0 hours are one person from week 2, a second from week 4, nobody for a week of three.
delete from employees where workspace_id = (select id from w);
delete from pipeline_projects where workspace_id = (select id from w);
select pg_temp.deal('Weeks', first => '2040-01-02', days => 56);
select pg_temp.ask('Weeks', 'c#', 1, percent, jsonb_build_object('start_date', monday, 'end_date', monday + 4, 'is_critical', critical))
from (values (date '2040-01-16', 75, false), ('2040-01-23', 90, false), ('2040-01-30', 75, true), ('2040-01-30', 100, false), ('2040-02-06', 75, false), ('2040-02-06', 100, false), ('2040-02-13', 90, false), ('2040-02-13', 90, false), ('2040-02-13', 90, false)) g (monday, percent, critical);
create function pg_temp.hires(first date, weeks int default 8, weighting text default 'unweighted') returns text language sql as $$
  select pg_temp.try_as('owner', format($q$ select coalesce(string_agg(format('%%s %%s%%s for %%s, open by %%s%%s%%s', people, coalesce(skill_key, category), ' ' || level, needed_by, open_by, case when late then ', late' end, case when is_critical then ', critical' end), '; ' order by needed_by, skill_key), 'nobody')
    from hiring_need(%L, %L, %s, %L) $q$, (select id from w), first, weeks, weighting))
$$;
select is(pg_temp.hires('2040-01-02'), '1 c# for 2040-01-16, open by 2039-11-21; 1 c# for 2040-01-30, open by 2039-12-05, critical', 'core: one for week 2, a second for week 4, and nobody for one week of three');
select is(pg_temp.hires('2040-01-02', 3), 'nobody', 'at the end of the horizon nobody knows whether it lasts');
select is(pg_temp.hires('2040-01-02', 4), '1 c# for 2040-01-16, open by 2039-11-21', 'two weeks of it do');
update planning_settings set hiring_min_weeks = 4, hiring_lead_weeks = 0 where workspace_id = (select id from w);
select is(pg_temp.hires('2040-01-02'), '1 c# for 2040-01-16, open by 2040-01-16, critical', 'what must last four weeks is one person');
update planning_settings set hiring_min_weeks = 2, hiring_lead_weeks = 8 where workspace_id = (select id from w);
select pg_temp.hire('Sharp', 'c#', 'mid', '{"fte": 0.9}');
select is(pg_temp.hires('2040-01-02'), '1 c# for 2040-01-30, open by 2039-12-05', 'who is there covers the first, and of two the critical one');
delete from employees where workspace_id = (select id from w);
update pipeline_projects set stage_key = 'won' where workspace_id = (select id from w);
select is(pg_temp.hires('2040-01-02', 8, 'weighted'), pg_temp.hires('2040-01-02'), 'what is won weighs all of itself');
select pg_temp.deal('Now', 'won', current_date, 60), pg_temp.ask('Now', 'go', 1, 90, '{"experience_level": "lead"}');
select is(pg_temp.try_as('viewer', format($$ select string_agg(format('%%s %%s %%s %%s', people, skill_key, level, late), '; ') from hiring_need(%L) $$, (select id from w))), '1 go lead t', 'for this week it is too late to hire');
update working_calendars set hours = '{0,0,0,0,0,0,0}' where workspace_id = (select id from w);
select is(pg_temp.hires('2040-01-02'), 'nobody', 'in a workspace that never works nobody is needed');

select is(pg_temp.try_as(who, format($$ select count(*) from %s(%s) $$, f, replace(args, '$w', quote_literal((select id from w))))), code, format('%s asks %s(%s): %s', who, f, args, code))
from unnest('{hiring_need,demand_cover}'::text[]) f, (values ('owner', '$w, null, 0', 'PC004'), ('owner', '$w, null, 261', 'PC004'), ('owner', '$w, ''infinity''', 'PC004'), ('owner', '$w, null, 2, ''heavy''', 'PC004'), ('outsider', '$w', 'PC001'), ('anon', '$w', '42501')) r (who, args, code);
select is(pg_temp.try_as(who, format($$ select count(*) from over_allocations(%s) $$, replace(args, '$w', quote_literal((select id from w))))), code, format('%s asks over_allocations(%s): %s', who, args, code))
from (values ('owner', '$w, null, 0', 'PC004'), ('outsider', '$w', 'PC001'), ('viewer', '$w', '0')) r (who, args, code);

select * from finish();
rollback;
