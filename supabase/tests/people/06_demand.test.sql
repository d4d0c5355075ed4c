-- Demand: what is understood, and its hours by week. Each number is worked out by hand; those named "core" are the same
-- cases as in _shared/planning/capacity/capacity.test.ts. 2026-03-02 is a Monday.

\ir fixture.psql

create temp table c on commit drop as select default_calendar_id as id from planning_settings where workspace_id = (select id from w);

-- Words.
select pg_temp.deal('Words');
create temp table line on commit drop as select l.name, pg_temp.ask('Words', l.skill, more => l.more) as id from (values
  ('spelled', 'React.JS', '{}'::jsonb), ('alias', 'Golang', '{"experience_level": "Sr."}'), ('key', 'react', '{"alternatives": ["Vue", "GoLang"]}'), ('category', 'Frontend work', '{}'), ('known category', 'frontend', '{}')) l (name, skill, more);
select is((select format('%s|%s|%s|%s', d.skill_key, d.skill_category, d.level, d.alternatives) from line l join pipeline_resource_demands d using (id) where l.name = expected.name), expected.row, 'a demand by ' || expected.name)
from (values ('alias', 'go|backend|senior|[]'), ('key', 'react|frontend||["vue", "go"]'), ('category', '|Frontend work||[]'), ('known category', '|frontend||[]'), ('spelled', '|React.JS||[]')) expected (name, row);
select is((select experience_level from pipeline_resource_demands d join line l using (id) where l.name = 'alias'), 'Sr.', 'what was written of the level stays beside');
update pipeline_resource_demands set skill_category = 'C++' where id = (select id from line where name = 'category');
select is((select format('%s|%s', d.skill_key, d.skill_category) from pipeline_resource_demands d join line l using (id) where l.name = 'category'), 'c++|backend', 'also when it is changed');
update pipeline_resource_demands set required_count = 2 where id = (select id from line where name = 'key');
select is((select skill_key from pipeline_resource_demands d join line l using (id) where l.name = 'key'), 'react', 'another change leaves the skill');
select throws_ok($$ select pg_temp.ask('Words', 'react', more => '{"alternatives": ["cobol"]}') $$, 'PC004', 'There is no skill "cobol", which is named as an alternative.', 'an alternative that nobody knows is named');
select throws_ok($$ select pg_temp.ask('Words', 'react', more => '{"alternatives": [17]}') $$, 'PC004', null, 'nor is a number one');
select throws_ok($$ select pg_temp.ask('Words', 'react', more => '{"alternatives": [null]}') $$, 'PC004', null, 'nor nothing');
select throws_ok($$ select pg_temp.ask('Words', 'react', more => '{"alternatives": "vue"}') $$, 'PC004', 'Alternatives are a list of skills, such as ["react", "vue"].', 'a list is a list');
select throws_ok($$ select pg_temp.ask('Words', 'react', more => jsonb_build_object('alternatives', array_fill('vue'::text, '{21}'))) $$, 'PC004', 'A demand names at most 20 alternatives; these are 21.', 'of which nobody reads more than twenty');
select throws_ok($$ select pg_temp.ask('Words', 'react', more => '{"experience_level": "guru"}') $$, 'PC004', 'There is no level "guru".', 'a level that nobody knows is named');
select throws_ok($$ update pipeline_resource_demands set skill_key = 'cobol' where id = (select id from line where name = 'key') $$, 'PC004', 'There is no skill "cobol".', 'and a skill');
select throws_ok($$ select pg_temp.ask('Words', 'react', more => '{"start_date": "2026-03-02", "end_date": "2026-03-01"}') $$, '23514', null, 'a demand ends after it begins');
-- One such row would be the end of every answer about the workspace.
select throws_ok(format('select pg_temp.ask(''Words'', ''react'', more => %L)', jsonb_build_object(col, day)), '23514', null, format('no demand: %s %s', col, day))
from unnest('{start_date,end_date}'::text[]) col, unnest('{infinity,-infinity}'::text[]) day;
select throws_ok(format('select pg_temp.deal(''Never'', first => %L)', day), '23514', null, 'no deal begins at ' || day) from unnest('{infinity,-infinity}'::text[]) day;
select throws_ok($$ select pg_temp.ask('Words', 'react', 10001) $$, '23514', null, 'nor does one ask for ten thousand people and one more');
select is(private.level_key(level), key, format('%L is %s', level, coalesce(key, 'no level')))
from (values ('Junior', 'junior'), ('jr', 'junior'), ('Mid-Level', 'mid'), ('SENIOR', 'senior'), ('sr.', 'senior'), ('lead', 'lead'), ('Principal', 'principal'), ('guru', null), (null, null)) l (level, key);
create temp table words on commit drop as select pg_temp.ask('Words', 'react', more => '{"alternatives": ["golang", "vue"]}') as id;
update skills set key = 'golang.org', category = 'servers' where key = 'go' and workspace_id = (select id from w);
update skills set category = 'web' where key = 'react' and workspace_id = (select id from w);
select is((select format('%s|%s|%s', d.skill_key, d.skill_category, d.alternatives) from pipeline_resource_demands d join words w using (id)), 'react|web|["golang.org", "vue"]', 'a skill with another key or category goes by it in demands, too');
update pipeline_resource_demands set skill_category = 'frontend' where id = (select id from words);
select is((select skill_key from pipeline_resource_demands d join words using (id)), null, 'whoever writes another category asks for it');
update skills set key = 'go', category = 'backend' where key = 'golang.org' and workspace_id = (select id from w);
update skills set category = 'frontend' where key = 'react' and workspace_id = (select id from w);
delete from pipeline_projects where name = 'Words';

-- Hours.
create function pg_temp.only(title text) returns text language sql immutable as $$ select format('key = %L', md5('deal ' || title)::uuid) $$;
create function pg_temp.of(title text, weeks int default 4, first date default '2026-03-02', weighting text default 'unweighted') returns text language sql as $$
  select pg_temp.demand('hours', pg_temp.only(title), weeks, first, 'deal', weighting)
$$;
select pg_temp.deal('Two'), pg_temp.ask('Two', 'go', 2, 50);
select is(pg_temp.of('Two'), '40 40', 'core: two people at half their time for two weeks');
select pg_temp.deal('Cut'), pg_temp.ask('Cut', 'go', more => '{"start_date": "2026-03-04", "end_date": "2026-03-10"}');
select is(pg_temp.of('Cut'), '24 16', 'core: Wednesday to Tuesday');
select pg_temp.deal('Day'), pg_temp.ask('Day', 'go', more => '{"start_date": "2026-03-02", "end_date": "2026-03-02"}');
select is(pg_temp.of('Day'), '8', 'core: one day');
select pg_temp.deal('Weekend'), pg_temp.ask('Weekend', 'go', more => '{"start_date": "2026-03-07", "end_date": "2026-03-08"}');
select is(pg_temp.of('Weekend'), 'nothing', 'core: a weekend asks for nothing');
select pg_temp.deal('Open', days => null), pg_temp.ask('Open', 'go');
select is(pg_temp.of('Open'), '40 40 40 40', 'core: without an end it goes on');
select is(pg_temp.of('Open', 2, '2035-01-01'), '40 40', 'for years');
select pg_temp.deal('Dateless', first => null), pg_temp.ask('Dateless', 'go');
select is(pg_temp.of('Dateless'), 'nothing', 'core: without a beginning it asks for nobody yet');
select pg_temp.ask('Dateless', 'go', more => '{"start_date": "2026-03-11"}');
select is(pg_temp.of('Dateless'), '24 40 40', 'a day of its own is a beginning');
select pg_temp.deal('Milestone', days => 0), pg_temp.ask('Milestone', 'go');
select is(pg_temp.of('Milestone'), 'nothing', 'core: of no days it asks for nobody');
select pg_temp.deal('Later', days => null), pg_temp.ask('Later', 'go', more => '{"start_date": "2026-03-09"}');
select is(pg_temp.of('Later'), '40 40 40', 'core: its own beginning and no end');
select pg_temp.deal('Beyond'), pg_temp.ask('Beyond', 'go', more => '{"start_date": "2026-04-01"}');
select is(pg_temp.of('Beyond', 8), 'nothing', 'a beginning after the end of the deal asks for nobody');
select pg_temp.deal('Endless', days => 100000), pg_temp.ask('Endless', 'go');
select is(pg_temp.of('Endless', 1), '40', 'nor is a duration of centuries an error');
select pg_temp.deal('Spring', first => '2026-03-23'), pg_temp.ask('Spring', 'go');
select is(pg_temp.of('Spring', 3, '2026-03-23'), '40 40', 'core: the week in which the clocks change is a week');
select pg_temp.deal('Year', first => '2026-12-28', days => 21), pg_temp.ask('Year', 'go');
select is(pg_temp.of('Year', 4, '2026-12-28'), '40 40 40', 'week 53 and the two after it');
select pg_temp.deal('Leap', first => '2028-02-28', days => 3), pg_temp.ask('Leap', 'go');
select is(pg_temp.of('Leap', 1, '2028-02-28'), '24', 'three days around 29 February');
insert into calendar_holidays (workspace_id, calendar_id, day, share) select w.id, c.id, h.* from w, c, (values (date '2026-03-02', 1), ('2026-03-10', 0.5)) h;
select is(pg_temp.of('Open'), '32 36 40 40', 'core: holidays count, whole and half');
delete from calendar_holidays where workspace_id = (select id from w);

-- Weights.
select pg_temp.deal('Stage', 'proposal'), pg_temp.ask('Stage', 'vue');
select is(pg_temp.of('Stage', weighting => 'weighted'), '24 24', 'nobody wrote a probability: the stage''s 60 %');
select pg_temp.deal('Own', 'proposal', percent => 25), pg_temp.ask('Own', 'vue');
select is(pg_temp.of('Own', weighting => 'weighted'), '10 10', 'somebody did: 25 %');
select pg_temp.deal('Won', 'won', percent => 40), pg_temp.ask('Won', 'vue');
select is(pg_temp.of('Won', weighting => 'weighted'), '40 40', 'won is certain, whatever stands on it');
select pg_temp.deal('Lost', 'lost'), pg_temp.ask('Lost', 'vue'), pg_temp.deal('Hold', 'on_hold'), pg_temp.ask('Hold', 'vue'), pg_temp.deal('Deleted'), pg_temp.ask('Deleted', 'vue');
update pipeline_projects set deleted_at = now() where name = 'Deleted';
select is(pg_temp.of(title), 'nothing', title || ' asks for nobody') from unnest('{Lost,Hold,Deleted}'::text[]) title;
update planning_settings set template_key = 'construction' where workspace_id = (select id from w);
select is(pg_temp.of('Stage', weighting => 'weighted'), '12 12', 'the industry template says 30 % of a proposal');
select is(pg_temp.of('Own', weighting => 'weighted'), '10 10', 'what somebody wrote comes before');
update planning_settings set trust_deals = false where workspace_id = (select id from w);
select is(pg_temp.of('Own', weighting => 'weighted'), '12 12', 'unless the workspace says otherwise');
update planning_settings set trust_deals = true, template_key = null, confidence_threshold = 0.5 where workspace_id = (select id from w);
select is(pg_temp.of('Own'), 'nothing', 'below the threshold nobody is asked for');
select is(pg_temp.of('Stage'), '40 40', 'above it all');
select is(pg_temp.try_as('owner', format($$ select string_agg(trim_scale(hours)::text, ' ' order by week) from demand_weeks(%L, '2026-03-02', 4, 'deal', 'unweighted', array[%L]::uuid[], 0.2) $$, (select id from w), md5('deal Own')::uuid)), '40 40', 'a threshold of one''s own');
update planning_settings set confidence_threshold = 0 where workspace_id = (select id from w);

-- Groups.
select is(pg_temp.demand('hours', $$ key = 'vue' $$, 2), '120 120', 'by skill: Stage, Own and Won');
select is(pg_temp.demand('deals', $$ key = 'vue' $$, 2), '3 3', 'of three deals');
select is(pg_temp.demand('hours', $$ key = 'frontend' $$, 2, by_what => 'category'), '120 120', 'by category');
select pg_temp.deal('Mixed'), pg_temp.ask('Mixed', 'vue', 1, 100, '{"experience_level": "lead", "is_critical": true}'), pg_temp.ask('Mixed', 'Surveying', 1, 50);
select is(pg_temp.demand('hours', $$ key = 'vue' and level = 'lead' $$, 2), '40 40', 'by level of the skill');
select is(pg_temp.demand('critical_hours', $$ key = 'vue' and level = 'lead' $$, 2), '40 40', 'critical demand is shown apart');
select is(pg_temp.demand('critical_hours', $$ key = 'vue' and level is null $$, 2), '0 0', 'where there is some');
select is(pg_temp.demand('hours', $$ key = 'Surveying' $$, 2), '20 20', 'a category that is no skill is a row, too');
select is(pg_temp.demand('hours', $$ key = 'lead' $$, 2, by_what => 'level'), '40 40', 'by level');

-- Demand is additive: the whole is the sum of the deals.
select is(pg_temp.try_as('owner', format($$ select sum(hours) from demand_weeks(%1$L, '2026-03-02', 12, 'deal', %2$L) $$, (select id from w), weighting)),
  pg_temp.try_as('owner', format($$ select sum(hours) from demand_weeks(%1$L, '2026-03-02', 12, 'skill', %2$L) $$, (select id from w), weighting)), 'the deals add up to the skills, ' || weighting)
from unnest('{weighted,unweighted}'::text[]) weighting;

-- What is refused.
select is(pg_temp.try_as(who, format($$ select count(*) from demand_weeks(%s) $$, replace(args, '$w', quote_literal((select id from w))))), code, format('%s asks demand_weeks(%s): %s', who, args, code))
from (values ('owner', '$w, null, 0', 'PC004'), ('owner', '$w, null, 261', 'PC004'), ('owner', '$w, ''2200-01-01''', 'PC004'), ('owner', '$w, null, 4, ''team''', 'PC004'), ('owner', '$w, null, 4, ''skill'', ''guess''', 'PC004'),
  ('owner', '$w, null, 4, ''skill'', ''weighted'', array[gen_random_uuid()]', 'PC001'), ('owner', '$w, null, 4, ''skill'', ''weighted'', null, 1.5', 'PC004'), ('owner', '$w, null, 4, ''skill'', ''weighted'', null, ''NaN''', 'PC004'),
  ('outsider', '$w', 'PC001'), ('viewer', '$w, ''1990-01-01''', '0')) r (who, args, code);
create temp table lair on commit drop as select id from workspaces where created_by = pg_temp.person('outsider');
insert into pipeline_projects (workspace_id, name) select id, 'Theirs' from lair;
select is(pg_temp.try_as('owner', format($$ select count(*) from demand_weeks(%L, deal_ids => array[%L]::uuid[]) $$, (select id from w), (select id from pipeline_projects where name = 'Theirs'))), 'PC001', 'a deal of strangers is none');
select is(pg_temp.try_as('owner', format($$ select count(*) from demand_weeks(%L, deal_ids => '{}') $$, (select id from w))), '0', 'of no deals there is no demand');

select * from finish();
rollback;
