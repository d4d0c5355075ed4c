-- Tokens: in Vault only, read by no API role, refreshed by compare-and-set.

begin;
set local search_path = public, extensions;
create extension if not exists pgtap with schema extensions;

-- Helpers, the same in every file: people are known by a name, and every attempt runs as one of them.
create function pg_temp.person(name text) returns uuid language sql immutable as $$ select md5(name)::uuid $$;
create function pg_temp.sign_up(variadic names text[]) returns void language sql as $$
  insert into auth.users (id, email, aud, role) select md5(n)::uuid, n || '@example.test', 'authenticated', 'authenticated' from unnest(names) n
$$;
-- Runs a statement as a person (or anon, service_role) and answers with its first value, its row count or its SQLSTATE.
create function pg_temp.try_as(who text, statement text) returns text language plpgsql as $$
declare
  answer text;
  touched bigint;
  api_role constant text := case when who in ('anon', 'service_role') then who else 'authenticated' end;
begin
  perform set_config('request.jwt.claims', json_build_object('sub', case api_role when 'authenticated' then md5(who)::uuid end, 'role', api_role)::text, true);
  perform set_config('role', api_role, true);
  if statement ~* '^\s*(select|with)|returning' then
    execute statement into answer;
  else
    execute statement;
  end if;
  get diagnostics touched = row_count;
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
  return coalesce(answer, touched || ' rows');
exception when others then
  return sqlstate;
end $$;

select no_plan();

-- A workspace with people and one connected CRM. Set the address the database would call: nothing is sent before a commit.
select pg_temp.sign_up('owner', 'admin', 'member', 'viewer', 'outsider');
create temp table w on commit drop as select pg_temp.try_as('owner', $$ select (create_workspace('Acme')).id $$)::uuid as id;
insert into workspace_members (workspace_id, user_id, role) select w.id, pg_temp.person(r), r from w, unnest('{admin,member,viewer}'::text[]) r;
select vault.create_secret('http://project.test', 'project_url') where not exists (select from vault.secrets where name = 'project_url');
select vault.update_secret(id, 'http://project.test') from vault.secrets where name = 'project_url';
create function pg_temp.connect_crm(provider text, account text) returns uuid language sql as $$
  select private.crm_connect(pg_temp.person('owner'), (select id from w), provider, 'production',
    jsonb_build_object('external_account_id', account, 'external_account_name', account, 'instance_url', 'https://' || account || '.example', 'user_id', '1', 'user_email', 'o@x.example'),
    '{"access_token": "at", "refresh_token": "rt", "expires_at": null, "scopes": []}',
    '[{"entity_type": "accounts", "crm_field": "Name", "app_field": "name"}, {"entity_type": "accounts", "crm_field": "Website", "app_field": "website"},
      {"entity_type": "contacts", "crm_field": "FirstName", "app_field": "first_name"}, {"entity_type": "contacts", "crm_field": "LastName", "app_field": "last_name"},
      {"entity_type": "contacts", "crm_field": "Email", "app_field": "email"}, {"entity_type": "contacts", "crm_field": "Title", "app_field": "title"},
      {"entity_type": "contacts", "crm_field": "Phone", "app_field": "phone"},
      {"entity_type": "opportunities", "crm_field": "Name", "app_field": "name"}, {"entity_type": "opportunities", "crm_field": "StageName", "app_field": "stage_key"}]',
    '[{"crm_pipeline_id": "", "crm_stage_id": "Won", "crm_stage_label": "Won", "stage_key": "won", "crm_probability": 100, "position": 1}]',
    '[{"crm_user_id": "U1", "email": "MEMBER@example.test", "name": "Mem Ber"}, {"crm_user_id": "U2", "email": "else@where.test", "name": "Else Where"}]')
$$;
-- A claimed run of a connection.
create temp table run (name text primary key, config uuid, operation uuid, fence bigint, pages int default 0) on commit drop;
create function pg_temp.start(run_name text, connection uuid) returns void language plpgsql as $$
declare
  op uuid;
begin
  insert into crm_sync_operations (workspace_id, config_id, direction, entities)
  select c.workspace_id, c.id, 'from_crm', '{accounts,contacts,opportunities}' from crm_sync_configs c where c.id = connection returning id into op;
  insert into private.crm_operation_state (operation_id) values (op);
  insert into run select run_name, connection, op, k.fence from private.crm_claim(op, 'test', 60) k;
end $$;
-- Merges a page and answers the counts that are not nought, as created=1 updated=2 …
create function pg_temp.merge(entity text, records jsonb, rejected jsonb default '[]', run_name text default 'crm', done boolean default false) returns text language plpgsql as $$
declare
  answer jsonb;
  r run;
begin
  update run set pages = pages + 1 where name = run_name returning * into r;
  answer := private.crm_merge_page(r.operation, r.fence, entity, records, rejected,
    jsonb_build_object('entity', entity, 'cursor', r.pages, 'entity_done', done), '{"modified_at": "2030-01-01", "id": "9"}');
  return (select coalesce(string_agg(k || '=' || v, ' ' order by place), 'nothing')
    from unnest('{created,updated,unchanged,deleted,failed,skipped,conflicts}'::text[]) with ordinality n (k, place)
    cross join lateral (select answer ->> k as v) a where v <> '0');
end $$;
-- One record as the worker sends it. Far in the future unless said otherwise, so that the CRM is the later one.
create function pg_temp.record(crm_id text, vals jsonb, more jsonb default '{}') returns jsonb language sql as $$
  select jsonb_build_array(jsonb_build_object('crm_id', crm_id, 'modified_at', '2099-01-01T00:00:00Z', 'deleted', false, 'values', vals) || more)
$$;

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
