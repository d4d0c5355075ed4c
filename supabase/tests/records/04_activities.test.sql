-- The activity log: every change with who made it and what it was before.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('ada', 'mia');
create temp table w on commit drop as select id from workspaces where created_by = pg_temp.person('ada');
insert into workspace_members (workspace_id, user_id, role) select id, pg_temp.person('mia'), 'member' from w;
create function pg_temp.log(entity uuid) returns table (activity_type text, user_id uuid, description text, metadata jsonb) language sql as $$
  select a.activity_type, a.user_id, a.description, a.metadata from crm_activities a where a.entity_id = entity order by a.created_at, a.ctid
$$;
create temp table r on commit drop as
select pg_temp.try_as('mia', format('insert into crm_companies (workspace_id, name) values (%L, ''Acme'') returning id', (select id from w)))::uuid as company;

select results_eq('select * from pg_temp.log((select company from r))', $$ values ('created', pg_temp.person('mia'), 'Created company Acme', '{}'::jsonb) $$, 'a create says who and what');
select is(pg_temp.try_as('mia', $$ update crm_companies set industry = 'Steel', employee_count = 5, tags = '["a"]' $$), '1 rows', 'an update');
select results_eq('select * from pg_temp.log((select company from r)) offset 1',
  $$ values ('updated', pg_temp.person('mia'), 'Updated company Acme', '{"changes": {"industry": {"old": null, "new": "Steel"}, "employee_count": {"old": null, "new": 5}, "tags": {"old": [], "new": ["a"]}}}'::jsonb) $$, 'keeps each changed column, old and new');
update crm_companies set industry = 'Steel' where id = (select company from r);
select is((select count(*) from pg_temp.log((select company from r))), 2::bigint, 'an update that changes nothing is no activity');
select is(pg_temp.try_as('mia', $$ update crm_companies set company_status = 'customer' $$), '1 rows', 'a status change');
select is((select activity_type from pg_temp.log((select company from r)) offset 2), 'status_changed', 'has its own type');
select is(pg_temp.try_as('mia', $$ update crm_companies set deleted_at = now() $$), '1 rows', 'a soft delete');
select is((select activity_type from pg_temp.log((select company from r)) offset 3), 'deleted', 'is a deletion');
select is(pg_temp.try_as('mia', $$ update crm_companies set deleted_at = null $$), '1 rows', 'and undoing it');
select is((select activity_type from pg_temp.log((select company from r)) offset 4), 'restored', 'a restoration');
select is(pg_temp.try_as('mia', 'delete from crm_companies'), '1 rows', 'a removal for good');
select results_eq('select activity_type, user_id, description, metadata from pg_temp.log((select company from r)) offset 5',
  $$ values ('deleted', pg_temp.person('mia'), 'Deleted company Acme', '{"permanently": true}'::jsonb) $$, 'says so');

create temp table d on commit drop as
select pg_temp.try_as('mia', format('insert into pipeline_projects (workspace_id, name) values (%L, ''Big deal'') returning id', (select id from w)))::uuid as id;
select is(pg_temp.try_as('mia', $$ update pipeline_projects set stage_key = 'proposal' $$), '1 rows', 'moving a deal');
select results_eq($$ select activity_type, description, metadata -> 'changes' -> 'stage_key' from pg_temp.log((select id from d)) offset 1 $$,
  $$ values ('stage_changed', 'Moved deal Big deal', '{"old": "lead", "new": "proposal"}'::jsonb) $$, 'is logged as a stage change');
select is(pg_temp.try_as('mia', $$ update pipeline_projects set board_position = 3 $$), '1 rows', 'ordering a board');
select is((select count(*) from pg_temp.log((select id from d))), 2::bigint, 'is not worth an entry');

select set_config('request.headers', '{"x-forwarded-for": "192.0.2.7", "user-agent": "browser"}', true);
update pipeline_projects set notes = 'x' where id = (select id from d);
select is((select metadata - 'changes' from pg_temp.log((select id from d)) offset 2), '{"ip": "192.0.2.7", "user_agent": "browser"}', 'a request leaves its address and browser');
select set_config('request.headers', '', true);

-- Each kind of record is logged.
insert into crm_contacts (workspace_id, first_name) select id, 'P' from w;
insert into crm_campaigns (workspace_id, name) select id, 'K' from w;
insert into crm_projects (workspace_id, name) select id, 'J' from w;
insert into crm_tasks (workspace_id, title) select id, 'T' from w;
insert into crm_notes (workspace_id, content, related_to_type, related_to_id) select w.id, 'N', 'deal', d.id from w, d;
select bag_eq($$ select entity_type from crm_activities where activity_type = 'created' and workspace_id = (select id from w) $$,
  $$ values ('company'), ('deal'), ('contact'), ('campaign'), ('project'), ('task'), ('note') $$, 'seven kinds of records are logged');
update crm_tasks set status = 'completed' where title = 'T' and workspace_id = (select id from w);
select is((select a.activity_type from crm_activities a where a.entity_type = 'task' and a.workspace_id = (select id from w) and a.activity_type <> 'created'), 'status_changed', 'completing a task is a status change');

-- A sync.
select set_config('pipeline_crm.sync_config', '11111111-1111-4111-8111-111111111111', true);
insert into crm_contacts (workspace_id, first_name) select w.id, 'Synced ' || i from w, generate_series(1, 300) i;
update crm_contacts set title = 'CEO' where first_name like 'Synced %';
select results_eq($$ select activity_type, metadata ->> 'sync_config_id', user_id, count(*) from crm_activities where workspace_id = (select id from w) and description like '%Synced %' group by 1, 2, 3 order by 1 $$,
  $$ values ('created', '11111111-1111-4111-8111-111111111111', null::uuid, 300::bigint), ('updated', '11111111-1111-4111-8111-111111111111', null, 300) $$,
  'a sync is named as the author of what it wrote');
select set_config('pipeline_crm.sync_config', '', true);
select set_config('pipeline_crm.actor', pg_temp.person('ada')::text, true);
update crm_contacts set title = 'CTO' where first_name = 'Synced 1';
select is((select user_id from crm_activities where workspace_id = (select id from w) and metadata -> 'changes' -> 'title' ->> 'new' = 'CTO'), pg_temp.person('ada'), 'a job can act for a person');

select is(pg_temp.try_as('mia', 'insert into crm_activities (workspace_id, activity_type, entity_type, entity_id, description) select workspace_id, activity_type, entity_type, entity_id, description from crm_activities limit 1 returning 1'), '42501', 'nobody writes history');
select is(pg_temp.try_as('ada', 'update crm_activities set description = ''x'' where true'), '42501', 'or rewrites it');
select is(pg_temp.try_as('ada', 'delete from crm_activities where true'), '42501', 'or deletes it');
select is(pg_temp.try_as('service_role', 'delete from crm_activities where true'), '42501', 'not even with the secret key');
delete from auth.users where id = pg_temp.person('mia');
select is((select count(*) from crm_activities where user_id is null and workspace_id = (select id from w) and description like '%Acme%'), 6::bigint, 'history outlives the account that made it');

select * from finish();
rollback;
