-- Requests that meet a live run: it takes them in, or a run for the rest follows it.

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

select isnt(pg_temp.rpc('member', 'crm_start_sync(%L, ''{accounts}'', ''from_crm'')'), null, 'a run for one entity');
create temp table first_run on commit drop as select (pg_temp.live()).id;
select is((pg_temp.live()).joined, 0, 'is nobody else''s so far');
select is(pg_temp.rpc('member', 'crm_start_sync(%L, ''{contacts}'', ''to_crm'')'), (select id from first_run)::text, 'another request, before a worker came, is taken in');
select results_eq($$ select direction, (select array_agg(e order by e) from unnest(entities) e), joined, follow_up from pg_temp.live() $$,
  $$ values ('bidirectional', '{accounts,contacts}'::text[], 1, false) $$, 'by a run that now does both');

select is(pg_temp.claim(), 1::bigint, 'a worker begins it');
select is(pg_temp.rpc('member', 'crm_start_sync(%L, ''{accounts}'')'), (select id from first_run)::text, 'the same again');
select results_eq('select joined, follow_up from pg_temp.live()', 'values (2, false)', 'is under way already');
select is(pg_temp.rpc('member', 'crm_start_sync(%L, ''{opportunities}'', ''from_crm'')'), (select id from first_run)::text, 'what the run does not do');
select results_eq('select joined, follow_up, (pg_temp.state()).wish -> ''entities'' from pg_temp.live()', $$ values (3, true, '["opportunities"]'::jsonb) $$, 'is remembered');
-- As a webhook or a retry asks: what has to be fetched by name may be looked at already.
select is((private.crm_enqueue(x, '{accounts}', null, 'webhook', '{dirty,push}')).id, (select id from first_run), 'a request for named records') from crm_sync_configs x where x.id = (select id from c);
select results_eq('select (select jsonb_agg(e order by e) from jsonb_array_elements((pg_temp.state()).wish -> ''entities'') e), (pg_temp.state()).wish ->> ''direction'' from pg_temp.live()',
  $$ values ('["accounts", "opportunities"]'::jsonb, 'bidirectional') $$, 'joins the wish, which grows');
select pg_temp.finish_run();
select is((select status from crm_sync_operations where id = (select id from first_run)), 'completed', 'when the run ends');
select isnt((pg_temp.live()).id, (select id from first_run), 'the promised one follows');
select results_eq('select status, direction, (select array_agg(e order by e) from unnest(entities) e), trigger, requested_by from pg_temp.live()',
  $$ values ('queued', 'bidirectional', '{accounts,opportunities}'::text[], 'manual', pg_temp.person('member')) $$, 'with all that was asked, in the name of who asked first');
select pg_temp.claim();
select pg_temp.finish_run();
select is((pg_temp.live()).id, null, 'and nothing follows that');

-- What an admin has closed meanwhile does not follow.
select pg_temp.rpc('member', 'crm_start_sync(%L, ''{accounts}'')');
select pg_temp.claim();
select pg_temp.rpc('member', 'crm_start_sync(%L, ''{contacts}'')');
update crm_sync_configs set sync_entities = '{accounts}' where id = (select id from c);
select pg_temp.finish_run('failed');
select is((pg_temp.live()).id, null, 'a wish that the connection no longer allows is dropped');
update crm_sync_configs set sync_entities = default where id = (select id from c);
select pg_temp.rpc('member', 'crm_start_sync(%L, ''{accounts}'')');
select pg_temp.claim();
select pg_temp.rpc('member', 'crm_start_sync(%L, ''{contacts}'')');
select is(pg_temp.try_as('member', format('select (crm_cancel_sync(%L)).status', (pg_temp.live()).id)), 'cancelled', 'who cancels a run');
select is((pg_temp.live()).id, null, 'cancels what was to follow it');

-- A full resync
insert into private.crm_cursors (config_id, entity_type, cursor) select (select id from c), e, '{"modified_at": "2026-01-01", "id": "1"}' from unnest('{accounts,contacts}'::text[]) e;
insert into private.crm_record_links (config_id, entity_type, crm_record_id, record_id, workspace_id, base)
select (select id from c), e, 'L' || i, gen_random_uuid(), (select id from w), '{}' from unnest('{accounts,contacts}'::text[]) e, generate_series(1, 3) i;
select pg_temp.rpc('member', 'crm_start_sync(%L, ''{accounts}'')');
select pg_temp.claim();
select pg_temp.try_as('member', format('select (crm_start_sync(config_id => %L, entities => ''{accounts}'', "full" => true)).follow_up', (select id from c)));
select is((select count(*) from private.crm_cursors where config_id = (select id from c)), 2::bigint, 'a full resync that is asked for during a run leaves its cursors alone');
select is((pg_temp.live()).follow_up, true, 'and follows it');
select pg_temp.finish_run();
select is((select array_agg(entity_type) from private.crm_cursors where config_id = (select id from c)), '{contacts}', 'then the cursors of the chosen entities are gone');
select is((select count(*) from private.crm_record_links where config_id = (select id from c)), 6::bigint, 'and all links are there');
select is((select string_agg(action || ' ' || (detail ->> 'entities'), ', ') from crm_audit_log where action = 'full_resync' and workspace_id = (select id from w)), 'full_resync ["accounts"]', 'which is audited');

-- Estimates
select is((pg_temp.live()).estimated_records, 3, 'an entity that is read in full has about as many records as links');
select pg_temp.try_as('member', format('select (crm_cancel_sync(%L)).status', (pg_temp.live()).id));
select is((pg_temp.live()).id, null, 'the run is gone');
insert into private.crm_dirty (config_id, entity_type, crm_record_id, reason) select (select id from c), 'contacts', 'D' || i, 'test' from generate_series(1, 4) i;
select pg_temp.try_as('member', format('select (crm_start_sync(%L, ''{contacts}'')).id', (select id from c)));
select is((pg_temp.live()).estimated_records, 4, 'one that is read on from its cursor as many as wait, and as last time');

-- Limited runs
select pg_temp.try_as('member', format('select (crm_cancel_sync(%L)).status', (pg_temp.live()).id));
create temp table asked (name text primary key, filters jsonb) on commit drop;
insert into asked values ('steel', '{"accounts": {"field": "name", "operator": "contains", "value": "Steel"}}'), ('wood', '{"accounts": {"field": "name", "operator": "contains", "value": "Wood"}}'),
  ('both', '{"accounts": {"field": "name", "operator": "empty"}, "contacts": {"field": "email", "operator": "not_empty"}}');
create function pg_temp.limited(of text, more text default '', who text default 'member') returns text language sql as $$
  select pg_temp.try_as(who, format('select (crm_start_sync(config_id => %L, filters => %L, entities => ''{accounts,contacts}''' || more || ')).id', (select id from c), (select filters from asked where name = of)))
$$;
select is(pg_temp.limited('steel', '', 'viewer'), 'PC002', 'a viewer starts none');
select isnt(pg_temp.limited('steel'), null, 'a run for some records');
select results_eq('select filters, estimated_records, (pg_temp.state()).phases, (pg_temp.state()).reads_all from pg_temp.live()',
  $$ select filters, null::int, '{pull,push}'::text[], false from asked where name = 'steel' $$, 'says which, guesses no number, and leaves what was named to others');
select is(pg_temp.rpc('member', 'crm_start_sync(%L)'), (pg_temp.live()).id::text, 'a request for all');
select results_eq('select o.filters, follow_up, (pg_temp.state()).wish -> ''filters'' from pg_temp.live() o', $$ select filters, true, 'null'::jsonb from asked where name = 'steel' $$, 'is not part of it, and follows');
select is(private.crm_is_whole(pg_temp.live(), x), false, 'and the schedule counts on no limited run') from crm_sync_configs x where x.id = (select id from c);
select pg_temp.claim();
select is((select settings -> 'filters' from private.crm_claim((pg_temp.live()).id, 'w2', 60)), null, 'one worker has it');
select pg_temp.finish_run();
select results_eq('select filters, (pg_temp.state()).phases from pg_temp.live()', $$ values (null::jsonb, '{dirty,pull,push}'::text[]) $$, 'then all comes');
select is(pg_temp.limited('steel'), (pg_temp.live()).id::text, 'a run for all does what a limited one would');
select results_eq('select follow_up, (pg_temp.state()).wish is null from pg_temp.live()', 'values (false, true)', 'so that none follows');
select pg_temp.limited('steel', ', "full" => true');
select pg_temp.limited('wood', ', "full" => true');
select is((select (wish -> 'filters', wish -> 'full')::text from pg_temp.state() s), '(null,true)', 'two that are limited otherwise become one for all');
select pg_temp.try_as('member', format('select (crm_cancel_sync(%L)).status', (pg_temp.live()).id));
insert into private.crm_cursors (config_id, entity_type, cursor) values ((select id from c), 'accounts', '{"modified_at": "2026-01-01", "id": "1"}') on conflict (config_id, entity_type) do update set cursor = excluded.cursor;
select pg_temp.limited('steel', ', "full" => true');
select is((pg_temp.state()).reads_all, true, 'a full one reads all that matches');
create temp table of_steel on commit drop as select k.* from private.crm_claim((pg_temp.live()).id, 'w', 60) k;
select is((select settings -> 'filters' from of_steel), (select filters from asked where name = 'steel'), 'of which the worker is told');
select private.crm_merge_page(operation_id, fence, 'accounts', '[]', '[]', '{"entity": "accounts", "entity_done": true}', '{"modified_at": "2026-09-09", "id": "2"}') from of_steel;
select private.crm_merge_page(operation_id, fence, 'contacts', '[]', '[]', '{"entity": "contacts", "entity_done": true}', '{"modified_at": "2026-09-09", "id": "2"}') from of_steel;
select results_eq($$ select entity_type, cursor ->> 'modified_at' from private.crm_cursors where config_id = (select id from c) order by 1 $$,
  $$ values ('accounts', '2026-01-01'), ('contacts', '2026-09-09') $$, 'where reading stopped is kept of the entities that it read without a limit');
select pg_temp.finish_run('failed');
update crm_sync_operations o set status = 'failed' where o.id = (select operation_id from of_steel);
select pg_temp.try_as('member', format('select (crm_retry_operation(%L)).id', (select operation_id from of_steel)));
select is((pg_temp.live()).filters, (select filters from asked where name = 'steel'), 'tried again, it is limited again');
select pg_temp.try_as('member', format('select (crm_cancel_sync(%L)).status', (pg_temp.live()).id));
insert into asked values ('list', '[]'), ('nothing', '{}'), ('other', '{"opportunities": {"field": "name", "operator": "empty"}}'), ('field', '{"accounts": {"field": "nonsense", "operator": "empty"}}'),
  ('condition', '{"accounts": null}'), ('leads', '{"leads": {"field": "name", "operator": "empty"}}');
select is(pg_temp.limited(a.name), 'PC004', 'what limits nothing is refused: ' || a.name) from asked a where name in ('list', 'nothing', 'other', 'field', 'condition', 'leads');
select is((pg_temp.live()).id, null, 'and nothing runs');

select * from finish();
rollback;
