-- What puts a deal into the queue, who works it off, and how fresh the analytics are.

\ir fixture.psql

create function pg_temp.waiting() returns text language sql as $$
  select coalesce(string_agg(distinct coalesce(d.name, case when q.pipeline_project_id is null then 'all' else 'gone' end), ', '), 'nothing')
  from private.analytics_queue q join w on w.id = q.workspace_id left join pipeline_projects d on d.id = q.pipeline_project_id
$$;

select is(pg_temp.waiting(), 'all', 'a new workspace is looked at once');
select pg_temp.refresh();
select is(pg_temp.waiting(), 'nothing', 'after which nothing waits');

insert into pipeline_projects (workspace_id, name) select w.id, n from w, unnest('{Roof,Wall,Door}'::text[]) n;
select is(pg_temp.waiting(), 'Door, Roof, Wall', 'new deals wait');
select is(pg_temp.refresh(), 3, 'and are looked at');
select is((select count(*) from analytics_deals a join w on w.id = a.workspace_id), 3::bigint, 'each becomes a fact');

update pipeline_projects set estimated_value = 5 where workspace_id = (select id from w) and name = 'Roof';
select is(pg_temp.waiting(), 'Roof', 'an edited deal waits');
select pg_temp.refresh();
update pipeline_projects set stage_key = 'proposal' where workspace_id = (select id from w) and name = 'Wall';
select is(pg_temp.waiting(), 'Wall', 'a moved one too');
select pg_temp.refresh();
insert into crm_notes (workspace_id, content, related_to_type, related_to_id) select workspace_id, 'Called', 'deal', id from pipeline_projects where workspace_id = (select id from w) and name = 'Door';
select is(pg_temp.waiting(), 'Door', 'and one with a new note');
select pg_temp.refresh();
insert into crm_tasks (workspace_id, title, related_to_type, related_to_id) select workspace_id, 'Call', 'deal', id from pipeline_projects where workspace_id = (select id from w) and name = 'Roof';
select is(pg_temp.waiting(), 'Roof', 'or a new task');
select pg_temp.refresh();
insert into crm_tasks (workspace_id, title) select id, 'Tidy up' from w;
select is(pg_temp.waiting(), 'nothing', 'a task about nothing changes nothing');
update crm_tasks set related_to_id = (select id from pipeline_projects where workspace_id = (select id from w) and name = 'Wall') where title = 'Call';
select is((select string_agg(distinct d.name, ' ' order by d.name) from private.analytics_queue q join pipeline_projects d on d.id = q.pipeline_project_id join w on w.id = d.workspace_id), 'Roof Wall', 'a task that moves concerns the deal that it was about, too');
select pg_temp.refresh();
delete from crm_tasks where workspace_id = (select id from w) and title = 'Call';
select is(pg_temp.waiting(), 'Wall', 'so does one that is removed');
select pg_temp.refresh();
-- Nobody has touched the door for 40 days but for the note about it.
update crm_activities set created_at = now() - interval '40 days' where entity_id = (select id from pipeline_projects where workspace_id = (select id from w) and name = 'Door');
insert into private.analytics_queue (workspace_id, pipeline_project_id) select workspace_id, id from pipeline_projects where workspace_id = (select id from w) and name = 'Door';
select pg_temp.refresh();
select is((select quiet from pipeline_top_risks where name = 'Door'), null, 'a deal with a note is not quiet');
delete from crm_notes where content = 'Called';
select is(pg_temp.waiting(), 'Door', 'and a removed note');
select pg_temp.refresh();
select is((select quiet from pipeline_top_risks where name = 'Door'), true, 'without it it is');

update pipeline_projects set deleted_at = now() where name = 'Door';
select pg_temp.refresh();
select is((select count(*) from analytics_deals a join w on w.id = a.workspace_id), 2::bigint, 'a deleted deal is a fact no more');
select is((select count(*) from analytics_stage_visits a join w on w.id = a.workspace_id), 3::bigint, 'nor are its stays');
update pipeline_projects set deleted_at = null where workspace_id = (select id from w) and name = 'Door';
select pg_temp.refresh();
select is((select count(*) from analytics_deals a join w on w.id = a.workspace_id), 3::bigint, 'until it is restored');
delete from pipeline_projects where workspace_id = (select id from w) and name = 'Door';
select is(pg_temp.waiting(), 'gone', 'one that is gone for good waits as well');
select pg_temp.refresh();
select is((select count(*) from analytics_deals a join w on w.id = a.workspace_id), 2::bigint, 'and goes');

-- What all deals depend on.
update pipeline_stages set label = 'Offer' where key = 'proposal' and workspace_id = (select id from w);
select is(pg_temp.waiting(), 'all', 'a changed stage concerns all deals');
select is(pg_temp.refresh(), 2, 'which are then looked at');
update workspaces set time_zone = 'Asia/Tokyo' where id = (select id from w);
select is(pg_temp.waiting(), 'all', 'so does another time zone');
select pg_temp.refresh();
update workspaces set name = 'Other team' where id = (select id from w);
select is(pg_temp.waiting(), 'nothing', 'another name does not');
update planning_settings set size_bands = '{3}' where workspace_id = (select id from w);
select is(pg_temp.waiting(), 'all', 'other size bands do');
select pg_temp.refresh();
select is((select size_band from analytics_deals where name = 'Roof'), 1, 'and count at once');

-- Moved dates.
update pipeline_projects set expected_close_date = '2026-03-01' where workspace_id = (select id from w) and name = 'Roof';
update pipeline_projects set expected_close_date = '2026-04-01', estimated_start_date = '2026-05-01' where workspace_id = (select id from w) and name = 'Roof';
update pipeline_projects set notes = 'x' where workspace_id = (select id from w) and name = 'Roof';
select results_eq($$ select field, old_date, new_date from pipeline_date_history h join w on w.id = h.workspace_id order by h.id $$,
  $$ values ('expected_close_date', null::date, '2026-03-01'::date), ('expected_close_date', '2026-03-01', '2026-04-01'), ('estimated_start_date', null, '2026-05-01') $$,
  'each move of a date is kept, and nothing else');

-- Freshness.
select is(pg_temp.try_as('mia', 'select queued || '' '' || (seconds_behind >= 0) || '' '' || (refreshed_at is not null) from analytics_freshness join w on w.id = workspace_id'), '3 true true', 'what waits is shown');
select is(pg_temp.try_as('mia', 'select (refresh_analytics(id) ->> ''deals'') from w'), '1', 'a member asks for a refresh');
select is(pg_temp.try_as('mia', 'select (refresh_analytics(id) ->> ''deals'') from w'), '0', 'to ask again costs nothing');
select is(pg_temp.try_as('mia', 'select queued from analytics_freshness join w on w.id = workspace_id'), '0', 'a member sees how fresh they are');
select is(pg_temp.try_as('vera', 'select refresh_analytics(id) from w'), 'PC002', 'a viewer reads only');
select is(pg_temp.try_as('eve', 'select refresh_analytics(id) from w'), 'PC001', 'a stranger finds nothing');
select is(pg_temp.try_as('eve', 'select count(*) from analytics_freshness join w on w.id = workspace_id'), '0', 'nor sees how fresh it is');
select is(pg_temp.try_as('eve', 'select count(*) from private.analytics_waiting() join w on w.id = workspace_id'), '0', 'in no way');

-- The job.
update pipeline_projects set estimated_value = 6 where workspace_id = (select id from w) and name = 'Roof';
select lives_ok(command, 'the command of ' || jobname || ' runs') from cron.job where jobname like 'analytics-%';
select is((select value from analytics_deals where name = 'Roof'), 6.00, 'the job works the queue off');
select set_eq($$ select jobname, schedule from cron.job where jobname like 'analytics-%' $$,
  $$ values ('analytics-refresh', '* * * * *'), ('analytics-snapshots', '20 * * * *'), ('analytics-retention', '50 3 * * *') $$, 'the jobs are scheduled');

-- Two workspaces, one of which cannot be worked out: the other does not wait for it.
create temp table v on commit drop as select pg_temp.try_as('eve', $$ select (create_workspace('Sick')).id $$)::uuid as id;
insert into pipeline_projects (workspace_id, name) select id, 'Sick' from v;
update pipeline_projects set estimated_value = 7 where workspace_id = (select id from w) and name = 'Roof';
alter table analytics_deals add constraint sick check (name <> 'Sick');
set local client_min_messages = error;
select is(private.refresh_queued(), 1, 'a workspace that fails holds no other up');
set local client_min_messages = notice;
select is((select value from analytics_deals where name = 'Roof'), 7.00, 'which is up to date');
select is((select count(*) from private.analytics_queue q join v on v.id = q.workspace_id where q.pipeline_project_id is not null), 1::bigint, 'and what failed waits on');
alter table analytics_deals drop constraint sick;

delete from workspaces where id = (select id from v);
select private.refresh_queued();
select is((select count(*) from private.analytics_queue q join v on v.id = q.workspace_id), 0::bigint, 'a workspace that is gone leaves nothing behind');

select * from finish();
rollback;
