-- Membership: who may change whom, and that a workspace never loses its last owner.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('olga', 'otto', 'alan', 'anna', 'mia', 'vera', 'eve');
create temp table w on commit drop as select pg_temp.try_as('olga', $$ select (create_workspace('Team')).id $$)::uuid as id;
insert into workspace_members (workspace_id, user_id, role)
select w.id, pg_temp.person(p.name), p.role from w, (values ('alan', 'admin'), ('anna', 'admin'), ('mia', 'member'), ('vera', 'viewer')) p (name, role);

create function pg_temp.change(who text, whom text, role text) returns text language sql as $$
  select pg_temp.try_as(who, format('select (change_member_role(%L, %L, %L)).role', (select id from w), pg_temp.person(whom), role))
$$;
create function pg_temp.remove(who text, whom text) returns text language sql as $$
  select pg_temp.try_as(who, format('select remove_member(%L, %L)', (select id from w), pg_temp.person(whom)))
$$;
create function pg_temp.role_of(name text) returns text language sql as $$
  select role from workspace_members m join w on w.id = m.workspace_id where m.user_id = pg_temp.person(name)
$$;

select is(pg_temp.change('alan', 'vera', 'member'), 'member', 'an admin makes a viewer a member');
select is(pg_temp.change('alan', 'vera', 'admin'), 'admin', 'and an admin');
select is(pg_temp.change('alan', 'vera', 'viewer'), 'viewer', 'and a viewer again');
select is(pg_temp.change('mia', 'vera', 'member'), 'PC002', 'a member changes nobody');
select is(pg_temp.change('mia', 'mia', 'admin'), 'PC002', 'a member cannot raise the own role');
select is(pg_temp.change('vera', 'vera', 'member'), 'PC002', 'nor can a viewer');
select is(pg_temp.change('alan', 'alan', 'owner'), 'PC002', 'an admin cannot make itself owner');
select is(pg_temp.change('alan', 'mia', 'owner'), 'PC002', 'nor anybody else');
select is(pg_temp.change('alan', 'olga', 'member'), 'PC002', 'an admin cannot demote an owner');
select is(pg_temp.change('eve', 'mia', 'viewer'), 'PC001', 'for a stranger the workspace does not exist');
select is(pg_temp.change('olga', 'eve', 'member'), 'PC001', 'who is no member has no role to change');
select is(pg_temp.change('olga', 'mia', 'king'), 'PC004', 'there is no other role');
select is(pg_temp.change('olga', 'olga', 'admin'), 'PC009', 'the last owner cannot step down');
select is(pg_temp.role_of('olga'), 'owner', 'and is still the owner');
select is(pg_temp.change('olga', 'anna', 'owner'), 'owner', 'an owner makes a second owner');
select is(pg_temp.change('anna', 'olga', 'admin'), 'admin', 'then one of them may step down');
select is(pg_temp.change('anna', 'olga', 'owner'), 'owner', 'and come back');
select is(pg_temp.change('olga', 'anna', 'admin'), 'admin', 'one owner remains');

select is(pg_temp.try_as('mia', format('update workspace_members set display_name = ''Mia'' where workspace_id = %L and user_id = %L', (select id from w), pg_temp.person('mia'))), '1 rows', 'people choose their own display name');
select is(pg_temp.try_as('olga', format('update workspace_members set display_name = ''M'' where workspace_id = %L and user_id = %L', (select id from w), pg_temp.person('mia'))), '0 rows', 'but not another''s');
select is(pg_temp.try_as('mia', format('update workspace_members set role = ''owner'' where user_id = %L', pg_temp.person('mia'))), '42501', 'and nobody writes a role past the functions');
select is(pg_temp.try_as('olga', format('insert into workspace_members (workspace_id, user_id, role) values (%L, %L, ''member'')', (select id from w), pg_temp.person('eve'))), '42501', 'nor a membership');

insert into crm_companies (workspace_id, name, owner_id, created_by) select w.id, 'Hers', pg_temp.person('mia'), pg_temp.person('mia') from w;
select is(pg_temp.remove('vera', 'mia'), 'PC002', 'a viewer removes nobody');
select is(pg_temp.remove('alan', 'olga'), 'PC002', 'an admin cannot remove an owner');
select is(pg_temp.remove('eve', 'mia'), 'PC001', 'a stranger removes nobody');
select isnt(pg_temp.remove('alan', 'mia'), 'PC002', 'an admin removes a member');
select is(pg_temp.role_of('mia'), null, 'who is then gone');
select results_eq($$ select name, owner_id from crm_companies c join w on w.id = c.workspace_id $$, $$ values ('Hers', null::uuid) $$, 'while her records stay, without owner');
select is(pg_temp.try_as('mia', 'select count(*) from crm_companies'), '0', 'and out of her sight');
select is(pg_temp.remove('olga', 'olga'), 'PC009', 'the last owner cannot be removed');
select is(pg_temp.try_as('olga', format('select leave_workspace(%L)', (select id from w))), 'PC009', 'nor leave');
select is(pg_temp.try_as('eve', format('select leave_workspace(%L)', (select id from w))), 'PC001', 'a stranger has nothing to leave');

select is(pg_temp.try_as('alan', format('select transfer_ownership(%L, %L)', (select id from w), pg_temp.person('alan'))), 'PC002', 'an admin cannot take the ownership');
select is(pg_temp.try_as('olga', format('select transfer_ownership(%L, %L)', (select id from w), pg_temp.person('eve'))), 'PC001', 'ownership goes to members only');
select isnt(pg_temp.try_as('olga', format('select transfer_ownership(%L, %L)', (select id from w), pg_temp.person('alan'))), 'PC009', 'an owner hands it over');
select results_eq($$ select pg_temp.role_of('alan'), pg_temp.role_of('olga') $$, $$ values ('owner', 'admin') $$, 'and becomes an admin');
select isnt(pg_temp.try_as('olga', format('select leave_workspace(%L)', (select id from w))), 'PC009', 'who may leave');
select is(pg_temp.role_of('olga'), null, 'and is gone');

select throws_ok($$ delete from workspace_members where user_id = pg_temp.person('alan') and role = 'owner' and workspace_id = (select id from w) $$,
  'PC009', null, 'not even a trusted job takes the last owner away');
select throws_ok($$ delete from auth.users where id = pg_temp.person('alan') $$, 'PC009', null, 'nor does deleting the account while others depend on it');
select throws_ok($$ update workspace_members set role = 'viewer' where workspace_id = (select id from w) $$, 'PC009', null, 'nor one statement that demotes everybody');

select * from finish();
rollback;
