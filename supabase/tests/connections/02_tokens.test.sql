-- Tokens: in Vault only, read by no API role, refreshed by compare-and-set.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql
\ir ../fixtures/run.psql

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id;
create temp view held as select s.decrypted_secret::jsonb ->> 'access_token' as access, s.decrypted_secret::jsonb ->> 'refresh_token' as refresh, k.version
  from private.crm_credentials k join vault.decrypted_secrets s on s.id = k.secret_id where k.config_id = (select id from c);

select results_eq('select access, refresh, version from held', $$ values ('at', 'rt', 1) $$, 'the tokens of a new connection lie in Vault');
select is((select count(*) from pg_class r join pg_namespace n on n.oid = r.relnamespace, aclexplode(r.relacl) a
  where n.nspname = 'private' and r.relname in ('crm_credentials', 'crm_oauth_states') and a.grantee in (0, 'anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole)),
  0::bigint, 'no API role holds any right on credentials and states');
select is(pg_temp.try_as(r, 'select count(*) from private.crm_credentials'), '42501', r || ' cannot read credentials') from unnest('{anon,owner,service_role}'::text[]) r;
select is(pg_temp.try_as(r, format('select access_token from private.crm_session(%L)', (select id from c))), '42501', r || ' cannot call crm_session') from unnest('{anon,owner,service_role}'::text[]) r;
select is(pg_temp.try_as(r, 'select private.crm_client_secret(''salesforce'')'), '42501', r || ' cannot ask for a client secret') from unnest('{anon,owner,service_role}'::text[]) r;
select is((select count(*) from crm_sync_configs x where to_jsonb(x)::text ~ '"(at|rt)"'), 0::bigint, 'no token stands in the connection');
select is((select count(*) from crm_audit_log x where to_jsonb(x)::text ~ '"(at|rt)"'), 0::bigint, 'nor in the audit log');

select results_eq($$ select crm_provider, instance_url, access_token, refresh_token, expires_at, version from private.crm_session((select id from c)) $$,
  $$ values ('salesforce', 'https://org1.example', 'at', 'rt', null::timestamptz, 1) $$, 'a worker gets its session');
select throws_ok($$ select * from private.crm_session(gen_random_uuid()) $$, 'PC001', null, 'of a connection that exists');

select is(private.crm_store_tokens((select id from c), 1, '{"access_token": "at2", "expires_at": "2030-01-01T00:00:00Z", "scopes": ["api"]}'), true, 'a refresh is stored');
select results_eq('select access, refresh, version from held', $$ values ('at2', 'rt', 2) $$, 'an answer without a refresh token keeps the old one');
select is(private.crm_store_tokens((select id from c), 1, '{"access_token": "late", "refresh_token": "late"}'), false, 'the second of two refreshes loses');
select results_eq('select access, refresh, version from held', $$ values ('at2', 'rt', 2) $$, 'and changes nothing');
select is(private.crm_store_tokens((select id from c), 2, '{"access_token": "at3", "refresh_token": "rt3"}'), true, 'a rotated refresh token');
select results_eq('select access, refresh, version from held', $$ values ('at3', 'rt3', 3) $$, 'replaces the old one');
select throws_ok($$ select private.crm_store_tokens((select id from c), 3, '{}') $$, 'PC004', null, 'nothing is not a token');

select is(pg_temp.connect_crm('salesforce', 'org1'), (select id from c), 'reconnecting is the same connection');
select results_eq('select access, refresh, version from held', $$ values ('at', 'rt', 4) $$, 'with the new tokens');
select is(private.crm_store_tokens((select id from c), 3, '{"access_token": "stale"}'), false, 'a refresh begun before the reconnect loses');
select is((select count(*) from vault.secrets where name = 'crm_tokens_' || (select id from c)), 1::bigint, 'one secret per connection');

select private.crm_connection_failed((select id from c), 'The CRM says the app was removed.');
select results_eq($$ select status, status_reason from crm_sync_configs where id = (select id from c) $$, $$ values ('error', 'The CRM says the app was removed.') $$, 'a revoked connection says why');
select throws_ok($$ select * from private.crm_session((select id from c)) $$, 'PC005', null, 'and is called no more');
select pg_temp.connect_crm('salesforce', 'org1');
select is((select status from crm_sync_configs where id = (select id from c)), 'connected', 'a reconnect mends it');

select throws_ok($$ select private.crm_client_secret('none') $$, 'PC011', 'The secret "crm_none_client_secret" is not set in Vault.', 'a missing client secret is named');
select vault.create_secret('hush', 'crm_test_client_secret');
select is(private.crm_client_secret('test'), 'hush', 'a set one is found');

delete from workspaces where id = (select id from w);
select is((select count(*) from vault.secrets where name = 'crm_tokens_' || (select id from c)), 0::bigint, 'a deleted workspace leaves no token behind');

select * from finish();
rollback;
