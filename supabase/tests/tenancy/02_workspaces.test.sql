-- Team workspaces: creating, editing, deleting and restoring them.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('ada', 'bob', 'mia');
create temp table made (label text primary key, id uuid) on commit drop;

insert into made select 'acme', pg_temp.try_as('ada', $$ select (create_workspace('Acme Größe & Co')).id $$)::uuid;
select results_eq($$ select w.slug, w.kind, w.default_currency::text, w.created_by from workspaces w join made using (id) where label = 'acme' $$,
  $$ values ('acme-grosse-co', 'team', 'USD', pg_temp.person('ada')) $$, 'a workspace gets a slug from its name');
select results_eq($$ select user_id, role from workspace_members m join made on made.id = m.workspace_id $$,
  $$ values (pg_temp.person('ada'), 'owner') $$, 'its creator owns it');
select is((select count(*) from pipeline_stages s join made on made.id = s.workspace_id), 8::bigint, 'it starts with eight stages');

select matches(pg_temp.try_as('bob', $$ select (create_workspace('Acme Größe & Co')).slug $$), '^acme-grosse-co-[0-9a-f]{12}$', 'a clash of names adds a suffix');
select is(pg_temp.try_as('bob', $$ select create_workspace('Other', 'acme-grosse-co') $$), 'PC008', 'a chosen slug that is taken is refused');
select is(pg_temp.try_as('bob', $$ select create_workspace('  ') $$), 'PC004', 'a workspace needs a name');
select is(pg_temp.try_as('bob', $$ select create_workspace('Money', default_currency => 'dollars') $$), 'PC004', 'a currency is three letters');
select is(pg_temp.try_as('bob', $$ select (create_workspace('Money', default_currency => 'eur')).default_currency $$), 'EUR', 'in any case');
select is(pg_temp.try_as('anon', $$ select create_workspace('Nobody') $$), '42501', 'anon creates none');
select is(pg_temp.try_as('service_role', $$ select create_workspace('Nobody') $$), 'PC002', 'a key without a person creates none');

insert into workspace_members (workspace_id, user_id, role) select id, pg_temp.person('mia'), 'member' from made;
select is(pg_temp.try_as('bob', $$ select (create_workspace('Zone', time_zone => 'Europe/Berlin')).time_zone $$), 'Europe/Berlin', 'a workspace has a time zone');
select is(pg_temp.try_as('bob', format('select create_workspace(''Zone'', time_zone => %L)', zone)), 'PC004', 'no zone: ' || zone) from unnest('{Berlin,CEST5,+02:00,europe/berlin,Nowhere/Land}'::text[]) zone;
select is(pg_temp.try_as('bob', $$ select create_workspace('Zone', time_zone => '') $$), '23514', 'nor is nothing');
select throws_ok($$ update workspaces set time_zone = 'Nowhere/Land' where slug = 'acme-grosse-co' $$, 'PC004', '"Nowhere/Land" is not a time zone. Give its name, such as "Europe/Berlin".', 'who writes an unknown one reads what to do');
select is(pg_temp.try_as('ada', $$ update workspaces set time_zone = 'Nowhere/Land' where slug = 'acme-grosse-co' $$), 'PC004', 'whoever writes it');
select is(pg_temp.try_as('ada', $$ update workspaces set time_zone = 'America/New_York' where slug = 'acme-grosse-co' $$), '1 rows', 'an owner moves it to another zone');
select is(pg_temp.try_as('ada', $$ update workspaces set name = 'Acme Ltd', settings = '{"theme": "dark"}' where slug = 'acme-grosse-co' $$), '1 rows', 'an owner edits it');
select is(pg_temp.try_as('mia', $$ update workspaces set name = 'Mine' where slug = 'acme-grosse-co' $$), '0 rows', 'a member does not');
select is(pg_temp.try_as('ada', $$ update workspaces set kind = 'personal' where slug = 'acme-grosse-co' $$), '42501', 'nobody changes what it is');
select is(pg_temp.try_as('ada', $$ update workspaces set deleted_at = now() where slug = 'acme-grosse-co' $$), '42501', 'deleting goes through delete_workspace()');
select is(pg_temp.try_as('ada', $$ insert into workspaces (name, slug) values ('x', 'x') $$), '42501', 'creating goes through create_workspace()');

insert into crm_companies (workspace_id, name) select id, 'Kept' from made;
select is(pg_temp.try_as('mia', format('select delete_workspace(%L)', (select id from made))), 'PC002', 'a member cannot delete it');
select is(pg_temp.try_as('bob', format('select delete_workspace(%L)', (select id from made))), 'PC001', 'for a stranger it does not exist');
select is(pg_temp.try_as('ada', format('select (delete_workspace(%L)).deleted_at is not null', (select id from made))), 'true', 'the owner deletes it');
select is(pg_temp.try_as('ada', format('select count(*) from crm_companies where workspace_id = %L', (select id from made))), '0', 'its records are out of sight');
select is(pg_temp.try_as('ada', format('insert into crm_companies (workspace_id, name) values (%L, ''Late'')', (select id from made))), '42501', 'and no new ones get in');
select is(pg_temp.try_as('mia', format('select restore_workspace(%L)', (select id from made))), 'PC001', 'a member cannot restore it');
select is(pg_temp.try_as('ada', format('select (restore_workspace(%L)).deleted_at is null', (select id from made))), 'true', 'the owner restores it');
select is(pg_temp.try_as('mia', format('select count(*) from crm_companies where workspace_id = %L', (select id from made))), '1', 'with everything in it');

select lives_ok($$ delete from workspaces where id = (select id from made) $$, 'a trusted job may delete it for good');
select is((select count(*) from crm_activities a join made on made.id = a.workspace_id), 0::bigint, 'and nothing of it is left');

select * from finish();
rollback;
