-- The sweep: runs whose worker never came or died are dispatched again, in turn.

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

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id union all select pg_temp.connect_crm('hubspot', 'portal1');
create temp table op on commit drop as select pg_temp.try_as('member', format('select (crm_start_sync(%L)).id', id))::uuid as id from c;
create temp view sent as select q.* from net.http_request_queue q join op on convert_from(q.body, 'UTF8')::jsonb ->> 'operation_id' = op.id::text;
create function pg_temp.sweep() returns bigint language plpgsql as $$
declare
  before bigint := (select count(*) from sent);
begin
  perform private.crm_dispatch_waiting();
  return (select count(*) from sent) - before;
end $$;
create function pg_temp.wait_a_minute() returns void language sql as $$
  update private.crm_operation_state set dispatched_at = now() - interval '1 minute' where operation_id in (select id from op)
$$;

select is((select count(*) from sent), 2::bigint, 'each start calls a worker');
select is(pg_temp.sweep(), 0::bigint, 'a call just made is given time');
select pg_temp.wait_a_minute();
select is(pg_temp.sweep(), 2::bigint, 'calls that nobody answered are made again');
select pg_temp.wait_a_minute();
select count(*) from op, private.crm_claim(op.id, 'w', 60);
select is(pg_temp.sweep(), 0::bigint, 'runs in a worker''s hands are left alone');
update private.crm_operation_state set lease_expires_at = now() - interval '1 second' where operation_id in (select id from op);
select is(pg_temp.sweep(), 2::bigint, 'runs whose worker died are not');
select pg_temp.wait_a_minute();
update crm_sync_configs set is_active = false where crm_provider = 'hubspot' and workspace_id = (select id from w);
select is(pg_temp.sweep(), 1::bigint, 'a connection that is switched off waits');
select pg_temp.wait_a_minute();
update workspaces set deleted_at = now() where id = (select id from w);
select is(pg_temp.sweep(), 0::bigint, 'so does everything in a workspace that is deleted');
select is((select count(*) from op, private.crm_claim(op.id, 'w', 60)), 0::bigint, 'which no worker touches');
update workspaces set deleted_at = null where id = (select id from w);
select is(pg_temp.sweep(), 1::bigint, 'until it is restored');
select set_eq($$ select jobname from cron.job where jobname in ('crm-dispatch', 'crm-schedule', 'crm-oauth-states', 'crm-job-history', 'crm-retention') $$, $$ values ('crm-dispatch'), ('crm-schedule'), ('crm-oauth-states'), ('crm-job-history'), ('crm-retention') $$, 'the jobs are scheduled');
select is((select schedule from cron.job where jobname = 'crm-dispatch'), '* * * * *', 'the sweep each minute');
select lives_ok(command, 'the command of ' || jobname || ' runs') from cron.job where jobname like 'crm-%';

select * from finish();
rollback;
