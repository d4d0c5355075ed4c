-- The OAuth round trip: a state works once, for ten minutes, for one person in one browser.

\ir ../fixtures/people.psql

select no_plan();

-- A workspace with people and one connected CRM. Set the address the database would call: nothing is sent before a commit.
select pg_temp.sign_up('owner', 'admin', 'member', 'viewer', 'outsider');
create temp table w on commit drop as select pg_temp.try_as('owner', $$ select (create_workspace('Acme')).id $$)::uuid as id;
insert into workspace_members (workspace_id, user_id, role) select w.id, pg_temp.person(r), r from w, unnest('{admin,member,viewer}'::text[]) r;
\ir ../fixtures/project_url.psql

create function pg_temp.hash(word text) returns text language sql as $$ select encode(sha256(convert_to(word, 'UTF8')), 'hex') $$;
create function pg_temp.begin(who text, state text) returns timestamptz language sql as $$
  select private.crm_oauth_begin(pg_temp.person(who), (select id from w), 'salesforce', 'sandbox', pg_temp.hash(state), pg_temp.hash('browser of ' || who),
    'the verifier of ' || state, 'https://app.example/done', 'https://api.example/callback')
$$;
create function pg_temp.consume(who text, state text, browser text) returns text language plpgsql as $$
begin
  return (select concat_ws(' ', c.provider, c.environment, c.code_verifier, c.return_url, c.redirect_uri, c.workspace_id = (select id from w))
    from private.crm_oauth_consume(pg_temp.person(who), pg_temp.hash(state), pg_temp.hash('browser of ' || browser)) c);
exception when others then
  return sqlstate;
end $$;

select is(pg_temp.begin('admin', 's1'), now() + interval '10 minutes', 'a state lives ten minutes');
select throws_ok($$ select pg_temp.begin('member', 'x') $$, 'PC002', null, 'a member cannot begin');
select throws_ok($$ select pg_temp.begin('outsider', 'x') $$, 'PC001', null, 'an outsider does not learn that the workspace exists');
select throws_ok($$ select private.crm_oauth_begin(pg_temp.person('admin'), (select id from w), 'fax', 'sandbox', pg_temp.hash('y'), pg_temp.hash('b'), 'v', 'r', 'u') $$, 'PC004', null, 'there is no connector for everything');
select is((select count(*) from private.crm_oauth_states where state_hash = pg_temp.hash('s1')), 1::bigint, 'stored as a hash');
select is((select count(*) from private.crm_oauth_states s where to_jsonb(s)::text ~ 'verifier of|"s1"'), 0::bigint, 'neither state nor verifier lies in the table');
select is((select decrypted_secret from vault.decrypted_secrets where name = 'crm_oauth_verifier_' || pg_temp.hash('s1')), 'the verifier of s1', 'the verifier lies in Vault');

select results_eq($$ select return_url, provider from private.crm_oauth_peek(pg_temp.hash('s1')) $$, $$ values ('https://app.example/done', 'salesforce') $$, 'a look shows where to go');
select results_eq($$ select return_url, provider from private.crm_oauth_peek(pg_temp.hash('s1')) $$, $$ values ('https://app.example/done', 'salesforce') $$, 'and uses nothing up');
select throws_ok($$ select * from private.crm_oauth_peek(pg_temp.hash('unknown')) $$, 'PC003', null, 'an unknown state shows nothing');

select is(pg_temp.consume('owner', 's1', 'admin'), 'PC003', 'another person cannot use it');
select is(pg_temp.consume('admin', 's1', 'owner'), 'PC003', 'nor the same person in another browser');
select is(pg_temp.consume('admin', 's1', 'admin'), 'salesforce sandbox the verifier of s1 https://app.example/done https://api.example/callback t', 'the right one can, unspoilt by those attempts');
select is(pg_temp.consume('admin', 's1', 'admin'), 'PC003', 'once');
select throws_ok($$ select * from private.crm_oauth_peek(pg_temp.hash('s1')) $$, 'PC003', null, 'and it cannot be looked at any more');
select is((select count(*) from vault.secrets where name = 'crm_oauth_verifier_' || pg_temp.hash('s1')), 0::bigint, 'the verifier is gone from Vault');

select pg_temp.begin('admin', 's2');
update private.crm_oauth_states set expires_at = now() - interval '1 second' where state_hash = pg_temp.hash('s2');
select is(pg_temp.consume('admin', 's2', 'admin'), 'PC003', 'an expired state is refused');
select throws_ok($$ select * from private.crm_oauth_peek(pg_temp.hash('s2')) $$, 'PC003', null, 'and shows nothing');
select ok(private.crm_purge_oauth_states() >= 1, 'the purge takes it');
select is((select count(*) from private.crm_oauth_states where state_hash = pg_temp.hash('s2')), 0::bigint, 'whole');
select is((select count(*) from vault.secrets where name = 'crm_oauth_verifier_' || pg_temp.hash('s2')), 0::bigint, 'with its verifier');

select pg_temp.begin('admin', 's3');
update workspace_members set role = 'member' where user_id = pg_temp.person('admin') and workspace_id = (select id from w);
select is(pg_temp.consume('admin', 's3', 'admin'), 'PC002', 'whoever is no admin any more cannot finish');
select pg_temp.begin('owner', 's4');
delete from workspaces where id = (select id from w);
select is((select count(*) from vault.secrets where name = 'crm_oauth_verifier_' || pg_temp.hash('s4')), 0::bigint, 'a deleted workspace leaves no verifier behind');
select is(pg_temp.try_as('service_role', 'select * from private.crm_oauth_states'), '42501', 'not even the secret key reads states');

select * from finish();
rollback;
