-- The end of a connection, the story of a run, and what a log says of its failures.

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

-- Timeline
select pg_temp.rpc('member', 'crm_start_sync(%L)');
create temp table op on commit drop as select (pg_temp.live()).id;
create temp table k on commit drop as select pg_temp.claim() as fence;
select pg_temp.rpc('admin', 'crm_start_sync(%L)');
select private.crm_merge_page((select id from op), (select fence from k), 'accounts', pg_temp.record('A1', '{"name": "One"}'), '[]', '{"entity": "accounts", "cursor": null, "entity_done": true}', '{"modified_at": "2026-01-01", "id": "1"}');
select private.crm_merge_page((select id from op), (select fence from k), 'contacts', pg_temp.record('C1', '{"email": "nobody"}') || pg_temp.record('C2', '{"email": "noone"}'), '[]', '{"entity": "contacts", "cursor": null, "entity_done": true}', null);
select private.crm_note_error((select id from op), (select fence from k), 'contacts', 'transient', 'timeout', 'The CRM did not answer.');
update crm_sync_errors set first_seen_at = clock_timestamp() where operation_id = (select id from op) and code = 'timeout';
select private.crm_finish((select id from op), (select fence from k), 'paused', 'The daily quota is used up.', now() + interval '1 hour');
select pg_temp.try_as('member', format('select (crm_cancel_sync(%L)).id', (select id from op)));
create function pg_temp.story(who text) returns text language sql as $$
  select pg_temp.try_as(who, format('select string_agg(event || coalesce('' '' || entity_type, ''''), '', '' order by at) from crm_operation_timeline(%L)', (select id from op)))
$$;
select is(pg_temp.story('viewer'), 'queued, slice, running, joined, reached accounts, reached contacts, error contacts, paused, cancelled', 'a viewer reads what happened in a run');
select is(pg_temp.story('outsider'), 'PC001', 'an outsider does not');
select is(pg_temp.try_as('viewer', format('select message from crm_operation_timeline(%L) where event = ''paused''', (select id from op))), 'The daily quota is used up.', 'a wait says why');
select is(pg_temp.try_as('viewer', format('select (detail ->> ''until'')::timestamptz > now() from crm_operation_timeline(%L) where event = ''paused''', (select id from op))), 'true', 'and until when');
select results_eq($$ select error_message, error_details from crm_sync_logs where operation_id = (select id from op) and entity_type = 'contacts' $$,
  $$ values ('2 records could not be synced.', '[{"code": "not_an_email", "field": "Email", "message": "E-mail is \"nobody\", which is not an e-mail address.", "records": 2}]'::jsonb) $$, 'a log counts its failures by cause');

-- Removal
create temp table mine on commit drop as select r.record_id as id from private.crm_record_links r where r.config_id = (select id from c);
select is((select count(*) from mine), 1::bigint, 'a record came from the CRM');
create function pg_temp.remove(who text) returns text language sql as $$ select pg_temp.try_as(who, format('select crm_remove_connection(%L)', (select id from c))) $$;
select is(pg_temp.remove('member'), 'PC002', 'a member cannot remove a connection');
select is(pg_temp.remove('outsider'), 'PC001', 'an outsider finds none');
select is(pg_temp.remove('admin'), 'PC008', 'one that is connected is disconnected first');
select private.crm_disconnect(pg_temp.person('admin'), (select id from c));
select private.crm_forget_credentials((select id from c));
select isnt(pg_temp.remove('admin'), 'PC008', 'then an admin removes it');
select is((select count(*) from crm_sync_configs where id = (select id from c)), 0::bigint, 'it is gone');
select is((select count(*) from crm_companies where id in (select id from mine)), 1::bigint, 'its records are not');
create function pg_temp.left_over() returns text language plpgsql as $$
declare
  t regclass;
  here boolean;
  answer text;
begin
  for t in select a.attrelid::regclass from pg_attribute a join pg_class r on r.oid = a.attrelid
    where a.attname = 'config_id' and r.relkind = 'r' and r.relnamespace in ('public'::regnamespace, 'private'::regnamespace) loop
    execute format('select exists (select from %s where config_id = $1)', t) into here using (select id from c);
    if here then answer := concat_ws(', ', answer, t); end if;
  end loop;
  return answer;
end $$;
select is(pg_temp.left_over(), null, 'nothing else that belonged to it is left');
select is((select count(*) from private.crm_journal where operation_id = (select id from op)), 0::bigint, 'neither is its journal');
select results_eq($$ select detail ->> 'name', actor_id from crm_audit_log where action = 'removed' and workspace_id = (select id from w) $$, $$ values ('org1', pg_temp.person('admin')) $$, 'the audit log knows who removed what');

select * from finish();
rollback;
