-- What failed is tried again: records, and whole runs.

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
create function pg_temp.rpc(who text, call text) returns text language sql as $$ select pg_temp.try_as(who, format('select (' || call || ').id', (select id from c))) $$;
create function pg_temp.live() returns crm_sync_operations language sql as $$ select o from crm_sync_operations o where config_id = (select id from c) and o.status in ('queued', 'running', 'paused') $$;
create function pg_temp.state() returns private.crm_operation_state language sql as $$ select s from private.crm_operation_state s where operation_id = (pg_temp.live()).id $$;
create function pg_temp.claim() returns bigint language sql as $$ select k.fence from private.crm_claim((pg_temp.live()).id, 'w', 60) k $$;
create function pg_temp.finish_run(outcome text default 'completed') returns void language sql as $$
  select private.crm_finish(s.operation_id, s.fence, outcome, null) from private.crm_operation_state s where s.operation_id = (pg_temp.live()).id
$$;

create temp table e on commit drop as select gen_random_uuid() as id, d as direction, n, 'crm' || n as crm, pg_temp.person('record ' || n) as record, s as status
from (values ('pull', 1, 'open'), ('pull', 2, 'open'), ('push', 3, 'open'), ('push', 4, 'dead'), ('pull', 5, 'resolved')) v (d, n, s);
insert into crm_sync_errors (id, workspace_id, config_id, entity_type, direction, crm_record_id, record_id, kind, code, message, status)
select e.id, w.id, c.id, 'contacts', e.direction, case e.direction when 'pull' then e.crm end, case e.direction when 'push' then e.record end, 'rejected', 'bad', 'It does not fit.', e.status from e, c, w;
insert into private.crm_outbox (config_id, entity_type, record_id, workspace_id, not_before, attempts, dead)
select c.id, 'contacts', e.record, w.id, 'infinity', 5, e.status = 'dead' from e, c, w where e.direction = 'push';
create function pg_temp.dirty() returns text[] language sql as $$ select array_agg(crm_record_id order by 1) from private.crm_dirty where config_id = (select id from c) $$;
create function pg_temp.due() returns bigint language sql as $$ select count(*) from private.crm_outbox where config_id = (select id from c) and not dead and attempts = 0 and not_before <= clock_timestamp() $$;

select is(pg_temp.rpc('viewer', 'crm_retry_failed(%L)'), 'PC002', 'a viewer cannot retry');
select is(pg_temp.rpc('outsider', 'crm_retry_failed(%L)'), 'PC001', 'an outsider learns nothing');
select is(pg_temp.try_as('member', format('select (crm_retry_failed(%L, %L)).id', (select id from c), array(select id from e where n = 5))), 'PC008', 'what is resolved needs no retry');
select is(pg_temp.try_as('member', format('select (crm_retry_failed(%L, %L)).trigger', (select id from c), array(select id from e where n = 1))), 'retry', 'a member retries one record');
select is(pg_temp.dirty(), '{crm1}', 'which is fetched by name');
select is(pg_temp.due(), 0::bigint, 'and no other');
select results_eq('select entities, (pg_temp.state()).phases from pg_temp.live()', $$ values ('{contacts}'::text[], '{dirty,push}'::text[]) $$, 'by a run that reads nothing else');
select is(pg_temp.rpc('member', 'crm_retry_failed(%L)'), (pg_temp.live()).id::text, 'all of them');
select is(pg_temp.dirty(), '{crm1,crm2}', 'records of the CRM are fetched');
select is(pg_temp.due(), 2::bigint, 'ours are pushed, the dead letter as well');
select is((select status from crm_sync_errors where id = (select id from e where n = 4)), 'dead', 'whose error stays until it got through');
select is((select count(*) from crm_audit_log where action = 'retried' and workspace_id = (select id from w) and actor_id = pg_temp.person('member')), 2::bigint, 'retries are audited');
select is((select sum(estimated_records) from pg_temp.live()), 1::bigint, 'the run knew how much there was when it was made');

-- A whole run
create temp table ran on commit drop as select (pg_temp.live()).id;
create function pg_temp.retry(who text) returns text language sql as $$ select pg_temp.try_as(who, format('select (crm_retry_operation(%L)).id', (select id from ran))) $$;
select is(pg_temp.retry('member'), 'PC008', 'a run that has not ended cannot be retried');
select pg_temp.claim();
update crm_sync_errors set operation_id = (select id from ran) where id = (select id from e where n = 2);
delete from private.crm_dirty where config_id = (select id from c);
select pg_temp.finish_run('partial');
select is(pg_temp.retry('viewer'), 'PC002', 'nor by a viewer');
select is(pg_temp.retry('outsider'), 'PC001', 'an outsider finds none');
select isnt(pg_temp.retry('member'), null, 'a member retries what was left out');
select results_eq('select trigger, entities, direction, (pg_temp.state()).phases from pg_temp.live()', $$ values ('retry', '{contacts}'::text[], 'bidirectional', '{dirty,pull,push}'::text[]) $$, 'with the same entities and direction');
select is(pg_temp.dirty(), '{crm2}', 'the failed record is fetched again');
select pg_temp.claim();
select pg_temp.finish_run();
select is(pg_temp.try_as('member', format('select (crm_retry_operation(%L)).id', (select id from crm_sync_operations where config_id = (select id from c) and status = 'completed'))), 'PC008', 'a run that got through has nothing to retry');
update crm_sync_configs set status = 'paused' where id = (select id from c);
select is(pg_temp.retry('member'), 'PC005', 'a paused connection retries nothing');
select is(pg_temp.rpc('member', 'crm_retry_failed(%L)'), 'PC005', 'of neither kind');

select * from finish();
rollback;
