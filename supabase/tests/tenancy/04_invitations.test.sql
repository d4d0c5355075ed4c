-- Invitations: one token, one address, one use.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('olga', 'alan', 'mia', 'vera', 'ivan', 'eve');
create temp table w on commit drop as select pg_temp.try_as('olga', $$ select (create_workspace('Team')).id $$)::uuid as id;
insert into workspace_members (workspace_id, user_id, role, email)
select w.id, pg_temp.person(p.name), p.role, p.name || '@example.test' from w, (values ('alan', 'admin'), ('mia', 'member')) p (name, role);

create function pg_temp.invite(who text, email text, role text default 'member', valid_for text default '7 days') returns text language sql as $$
  select pg_temp.try_as(who, format('select token from invite_member(%L, %L, %L, %L)', (select id from w), email, role, valid_for))
$$;
create function pg_temp.accept(who text, token text) returns text language sql as $$
  select pg_temp.try_as(who, format('select (accept_invitation(%L)).name', token))
$$;
create temp table t (name text primary key, token text) on commit drop;

insert into t values ('ivan', pg_temp.invite('alan', ' Ivan@Example.test '));
select matches((select token from t where name = 'ivan'), '^[0-9a-f]{64}$', 'an admin invites and gets the token once');
select is((select count(*) from workspace_invitations i where to_jsonb(i)::text like '%' || (select token from t where name = 'ivan') || '%'), 0::bigint, 'the token itself is stored nowhere');
select is(pg_temp.try_as('alan', 'select email from workspace_invitations'), 'ivan@example.test', 'admins see the invitation');
select is(pg_temp.try_as('alan', 'select token_hash from workspace_invitations'), '42501', 'but not even its hash');
select is(pg_temp.try_as('mia', 'select count(*) from workspace_invitations'), '0', 'members see none');

select is(pg_temp.invite('mia', 'x@example.test'), 'PC002', 'a member cannot invite');
select is(pg_temp.invite('eve', 'x@example.test'), 'PC001', 'a stranger cannot either');
select is(pg_temp.invite('anon', 'x@example.test'), '42501', 'anon cannot call it at all');
select is(pg_temp.invite('alan', 'x@example.test', 'owner'), 'PC004', 'ownership is not given by invitation');
select is(pg_temp.invite('alan', 'no address'), 'PC004', 'an address is needed');
select is(pg_temp.invite('alan', 'x@example.test', 'viewer', '1 year'), 'PC004', 'an invitation does not live for a year');
select is(pg_temp.invite('alan', 'MIA@example.test'), 'PC008', 'members are not invited again');

select is(pg_temp.accept('eve', (select token from t where name = 'ivan')), 'PC010', 'the token of another address does not work');
select is(pg_temp.accept('ivan', 'f00'), 'PC010', 'nor does a made-up one');
select is(pg_temp.accept('ivan', null), 'PC010', 'nor none');
select is(pg_temp.accept('ivan', (select token from t where name = 'ivan')), 'Team', 'the invited person joins');
select is(pg_temp.try_as('ivan', format('select role from workspace_members where workspace_id = %L and user_id = %L', (select id from w), pg_temp.person('ivan'))), 'member', 'in the role that was offered');
select is(pg_temp.accept('ivan', (select token from t where name = 'ivan')), 'PC010', 'the token works once');

insert into t values ('vera 1', pg_temp.invite('alan', 'vera@example.test', 'viewer'));
insert into t values ('vera 2', pg_temp.invite('alan', 'vera@example.test', 'viewer'));
select is(pg_temp.accept('vera', (select token from t where name = 'vera 1')), 'PC010', 'a newer invitation replaces the older');
update workspace_invitations set expires_at = now() - interval '1 second' where email = 'vera@example.test' and revoked_at is null;
select is(pg_temp.accept('vera', (select token from t where name = 'vera 2')), 'PC010', 'an expired one does not work');
insert into t values ('vera 3', pg_temp.invite('alan', 'vera@example.test', 'viewer'));
select is(pg_temp.try_as('mia', format('select revoke_invitation(%L)', (select id from workspace_invitations where email = 'vera@example.test' and revoked_at is null))), 'PC002', 'a member cannot revoke');
select is(pg_temp.try_as('alan', format('select revoke_invitation(%L)', gen_random_uuid())), 'PC001', 'an unknown invitation is not found');
select is(pg_temp.try_as('service_role', format('select revoke_invitation(%L)', gen_random_uuid())), 'PC001', 'not with the secret key either');
select is(pg_temp.try_as('service_role', format('select token from invite_member(%L, ''x@example.test'')', gen_random_uuid())), 'PC001', 'nor is an unknown workspace');
select isnt(pg_temp.try_as('alan', format('select revoke_invitation(%L)', (select id from workspace_invitations where email = 'vera@example.test' and revoked_at is null))), 'PC001', 'an admin revokes');
select is(pg_temp.accept('vera', (select token from t where name = 'vera 3')), 'PC010', 'a revoked one does not work');
select is(pg_temp.try_as('alan', format('select revoke_invitation(%L)', (select id from workspace_invitations where email = 'ivan@example.test'))), 'PC010', 'an accepted one cannot be revoked');

insert into t values ('vera 4', pg_temp.invite('alan', 'vera@example.test', 'admin'));
select is(pg_temp.try_as('olga', format('select (change_member_role(%L, %L, ''member'')).role', (select id from w), pg_temp.person('alan'))), 'member', 'an admin who loses the role');
select is(pg_temp.accept('vera', (select token from t where name = 'vera 4')), 'PC010', 'takes the invitations down that he sent');

insert into t values ('vera 5', pg_temp.invite('olga', 'vera@example.test', 'viewer'));
insert into workspace_members (workspace_id, user_id, role) select id, pg_temp.person('vera'), 'admin' from w;
select is(pg_temp.accept('vera', (select token from t where name = 'vera 5')), 'Team', 'somebody who joined meanwhile may still accept');
select is((select role from workspace_members where user_id = pg_temp.person('vera') and workspace_id = (select id from w)), 'admin', 'and keeps the higher role');
insert into t values ('eve', pg_temp.invite('olga', 'eve@example.test'));
select isnt(pg_temp.try_as('olga', format('select delete_workspace(%L)', (select id from w))), 'PC002', 'when the workspace is deleted');
select is(pg_temp.accept('eve', (select token from t where name = 'eve')), 'PC010', 'its invitations are worth nothing');

select * from finish();
rollback;
