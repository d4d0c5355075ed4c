-- A field of ours is mapped to another field of the CRM: what was agreed on before says nothing about that one.
-- have been done.

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
create function pg_temp.connect_crm(provider text, account text, direction text default 'bidirectional') returns uuid language sql as $$
  with made as materialized (select private.crm_connect(pg_temp.person('owner'), (select id from w), provider, 'production',
    jsonb_build_object('external_account_id', account, 'external_account_name', account, 'instance_url', 'https://' || account || '.example', 'user_id', '1', 'user_email', 'o@x.example'),
    '{"access_token": "at", "refresh_token": "rt", "expires_at": null, "scopes": []}',
    '[{"entity_type": "accounts", "crm_field": "Name", "app_field": "name"}, {"entity_type": "accounts", "crm_field": "Website", "app_field": "website"},
      {"entity_type": "accounts", "crm_field": "Domain__c", "app_field": "domain"}, {"entity_type": "accounts", "crm_field": "Phone", "app_field": "phone"},
      {"entity_type": "accounts", "crm_field": "AnnualRevenue", "app_field": "annual_revenue", "data_type": "number"},
      {"entity_type": "accounts", "crm_field": "Industry", "app_field": "industry", "sync_direction": "pull"},
      {"entity_type": "accounts", "crm_field": "Rating__c", "app_field": "custom_fields.rating"},
      {"entity_type": "accounts", "crm_field": "Note__c", "app_field": "description", "sync_direction": "push"},
      {"entity_type": "contacts", "crm_field": "FirstName", "app_field": "first_name"}, {"entity_type": "contacts", "crm_field": "LastName", "app_field": "last_name"},
      {"entity_type": "contacts", "crm_field": "Email", "app_field": "email"}, {"entity_type": "contacts", "crm_field": "Title", "app_field": "title"},
      {"entity_type": "opportunities", "crm_field": "Name", "app_field": "name"}, {"entity_type": "opportunities", "crm_field": "StageName", "app_field": "stage_key"},
      {"entity_type": "opportunities", "crm_field": "Amount", "app_field": "estimated_value", "data_type": "number"},
      {"entity_type": "opportunities", "crm_field": "Probability", "app_field": "probability", "data_type": "number"},
      {"entity_type": "opportunities", "crm_field": "CloseDate", "app_field": "expected_close_date", "data_type": "date"}]',
    '[]',
    '[{"crm_user_id": "U1", "email": "MEMBER@example.test", "name": "Mem Ber"}, {"crm_user_id": "U2", "email": "else@where.test", "name": "Else Where"}]') as id)
  select id from made
$$;
-- A claimed run of a connection.
create temp table run (name text primary key, config uuid, operation uuid, fence bigint, pages int default 0) on commit drop;
create function pg_temp.start(run_name text, connection uuid) returns void language plpgsql as $$
declare
  op uuid;
begin
  insert into crm_sync_operations (workspace_id, config_id, direction, entities)
  select c.workspace_id, c.id, 'bidirectional', '{accounts,contacts,opportunities}' from crm_sync_configs c where c.id = connection returning id into op;
  insert into private.crm_operation_state (operation_id) values (op);
  insert into run select run_name, connection, op, k.fence from private.crm_claim(op, 'test', 60) k;
end $$;
-- Ends the run of a connection and starts the next.
create function pg_temp.again(run_name text default 'crm') returns text language plpgsql as $$
declare
  r run;
  ended text;
begin
  delete from run where name = run_name returning * into r;
  perform private.crm_finish(r.operation, r.fence, 'completed', null);
  select status into ended from crm_sync_operations where id = r.operation;
  perform pg_temp.start(run_name, r.config);
  return ended;
end $$;
create function pg_temp.merge(entity text, records jsonb, run_name text default 'crm', done boolean default false) returns text language plpgsql as $$
declare
  answer jsonb;
  r run;
begin
  update run set pages = pages + 1 where name = run_name returning * into r;
  answer := private.crm_merge_page(r.operation, r.fence, entity, records, '[]',
    jsonb_build_object('entity', entity, 'cursor', r.pages, 'entity_done', done), '{"modified_at": "2030-01-01", "id": "9"}');
  return (select coalesce(string_agg(k || '=' || v, ' ' order by place), 'nothing')
    from unnest('{created,updated,unchanged,deleted,failed,skipped,conflicts}'::text[]) with ordinality n (k, place)
    cross join lateral (select answer ->> k as v) a where v <> '0');
end $$;
-- One record as the worker sends it. Far in the future unless said otherwise, so that the CRM is the later one.
create function pg_temp.record(crm_id text, vals jsonb, more jsonb default '{}') returns jsonb language sql as $$
  select jsonb_build_array(jsonb_build_object('crm_id', crm_id, 'modified_at', '2099-01-01T00:00:00Z', 'deleted', false, 'values', vals) || more)
$$;
create function pg_temp.begin_push(entity text, run_name text default 'crm') returns int language sql as $$
  select private.crm_begin_push(r.operation, r.fence, entity) from run r where r.name = run_name
$$;
create function pg_temp.take(entity text, run_name text default 'crm', lim int default 100, records uuid[] default null) returns jsonb language sql as $$
  select private.crm_take_outbound(r.operation, r.fence, entity, lim, records) -> 'items' from run r where r.name = run_name
$$;
-- The items as action:name(crm id) {values} {relations}, in their order; the name is ours.
create function pg_temp.told(items jsonb) returns text language sql as $$
  select coalesce(string_agg(i ->> 'action' || ' ' || coalesce(i #>> '{match,name}', '?') || case when i ->> 'crm_id' is not null then ' ' || (i ->> 'crm_id') else '' end
    || case when i -> 'values' <> '{}' then ' ' || (i ->> 'values') else '' end
    || case when i -> 'relations' <> '{}' then ' ' || (i ->> 'relations') else '' end, '; ' order by place), 'nothing')
  from jsonb_array_elements(items) with ordinality x (i, place)
$$;
-- What the CRM answers to an item.
create function pg_temp.answer(item jsonb, outcome text, crm_id text default null, more jsonb default '{}') returns jsonb language sql as $$
  select jsonb_build_object('key', item -> 'key', 'version', item -> 'version', 'action', item -> 'action', 'outcome', outcome,
    'crm_id', coalesce(crm_id, item ->> 'crm_id'), 'sent', item -> 'values', 'relations', item -> 'relations', 'updated_at', item -> 'updated_at') || more
$$;
-- Settles and answers the counts that are not nought.
create function pg_temp.settle(entity text, results jsonb, run_name text default 'crm') returns text language sql as $$
  select coalesce((select string_agg(k || '=' || (a ->> k), ' ' order by place)
    from unnest('{created,updated,deleted,failed,linked,retried}'::text[]) with ordinality n (k, place) where a ->> k <> '0'), 'nothing')
  from (select private.crm_settle_outbound(r.operation, r.fence, entity, case jsonb_typeof(results) when 'array' then results else jsonb_build_array(results) end) as a
        from run r where r.name = run_name) s
$$;
create function pg_temp.settings(rules jsonb, connection uuid default null) returns void language sql as $$
  update crm_sync_configs set sync_rules = rules where workspace_id = (select id from w) and id = coalesce(connection, id)
$$;
create function pg_temp.ours(crm text) returns uuid language sql as $$
  select record_id from private.crm_record_links where crm_record_id = crm and config_id in (select config from run)
$$;
-- Writes the outbox down as entity:name, by name; gone records as ?.
create function pg_temp.outbox(run_name text default 'crm') returns text language sql as $$
  select coalesce(string_agg(o.entity_type || ':' || coalesce(n.name, '?'), ' ' order by o.entity_type, n.name), 'nothing')
  from private.crm_outbox o join run r on r.config = o.config_id and r.name = run_name
  left join lateral private.crm_record_names(o.entity_type, array[o.record_id]) n on true
$$;
create function pg_temp.due(entity text, run_name text default 'crm') returns void language sql as $$
  update private.crm_outbox o set not_before = now() from run r where r.config = o.config_id and r.name = run_name and o.entity_type = entity
$$;
select pg_temp.start('crm', pg_temp.connect_crm('salesforce', 'org1'));
create temp view links as select l.* from private.crm_record_links l where l.config_id in (select config from run);
create temp view outbox as select o.* from private.crm_outbox o where o.config_id in (select config from run);
create temp view errors as select e.* from crm_sync_errors e where e.config_id in (select config from run) and e.direction = 'push';
create temp view journal as select j.* from private.crm_journal j join crm_sync_operations o on o.id = j.operation_id where j.side = 'crm' and o.workspace_id = (select id from w);

create function pg_temp.change(what text) returns text language sql as $$ select pg_temp.try_as('admin', format(what, (select config from run))) $$;
-- The next worker has the run.
create function pg_temp.claim() returns void language plpgsql as $$
begin
  update run r set fence = k.fence from private.crm_claim((select operation from run), 'next', 60) k where true;
end $$;
create function pg_temp.phones() returns text language sql as $$
  select string_agg(l.crm_record_id || '=' || coalesce(c.phone, '-'), ' ' order by l.crm_record_id) from links l join crm_companies c on c.id = l.record_id
$$;

select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "One", "phone": "1", "custom_fields.rating": "Hot"}')
  || pg_temp.record('A2', '{"name": "Two", "phone": "2"}') || pg_temp.record('A3', '{"name": "Three", "phone": null}') || pg_temp.record('A4', '{"name": "Four", "phone": "4"}'), done => true);
select pg_temp.merge('contacts', '[]', done => true), pg_temp.merge('opportunities', '[]', done => true);
select is(pg_temp.take('accounts'), '[]', 'both sides agree');

-- A worker and the mapping that it was handed
select is(pg_temp.change($$ update crm_field_mappings set confidence = 1 where config_id = %L $$) <> '0 rows', true, 'a note beside a mapping');
select is(pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "One"}')), 'unchanged=1', 'stops nobody');
select is(pg_temp.change($$ update crm_field_mappings set crm_field = 'Mobile__c' where config_id = %L and entity_type = 'accounts' and app_field = 'phone' $$), '1 rows', 'another field of the CRM is mapped');
select throws_ok($$ select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "One", "phone": "1"}')) $$, 'PC007', null, 'who reads by the old mapping stops');
select pg_temp.claim();

-- Another field
select is(pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "One", "phone": null}') || pg_temp.record('A2', '{"name": "Two", "phone": "22"}') || pg_temp.record('A3', '{"name": "Three", "phone": "33"}')
  || pg_temp.record('A4', '{"name": "Four", "phone": "4"}')), 'updated=2 unchanged=2 conflicts=1', 'the next one compares anew');
select is(pg_temp.phones(), 'A1=1 A2=22 A3=33 A4=4', 'an empty field there empties none of ours, and a value there fills an empty one');
select results_eq($$ select crm_record_id, conflicting_fields, app_data, crm_data, resolution_strategy from crm_sync_conflicts where config_id = (select config from run) $$,
  $$ values ('A2', '{phone}'::text[], '{"phone": "2"}'::jsonb, '{"phone": "22"}'::jsonb, 'last_write_wins') $$, 'two values are a conflict, for the strategy');
select pg_temp.begin_push('accounts');
select is(pg_temp.told(pg_temp.take('accounts')), 'update One A1 {"phone": "1"}', 'ours goes to the new field');
select is((select count(*) from private.crm_former_fields), 0::bigint, 'nothing is left to forget');

-- Away and back
select pg_temp.settle('accounts', pg_temp.answer(i, 'written')) from jsonb_array_elements(pg_temp.take('accounts')) i;
select pg_temp.change($$ delete from crm_field_mappings where config_id = %L and entity_type = 'accounts' and app_field in ('phone', 'custom_fields.rating') $$), pg_temp.claim();
update crm_companies set phone = '11' where id = pg_temp.ours('A1');
select is(pg_temp.change($$ insert into crm_field_mappings (config_id, entity_type, crm_field, app_field) values (%1$L, 'accounts', 'Mobile__c', 'phone'), (%1$L, 'accounts', 'Stars__c', 'custom_fields.rating') $$), '2 rows', 'removed mappings come again');
select pg_temp.claim();
select is(pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "One", "phone": "1", "custom_fields.rating": null}') || pg_temp.record('A4', '{"name": "Four", "phone": "44"}')), 'updated=1 unchanged=1', 'the CRM has changed one');
select is(pg_temp.phones(), 'A1=11 A2=22 A3=33 A4=44', 'to the same field: what was agreed on still tells who has changed');
select is((select custom_fields from crm_companies where id = pg_temp.ours('A1')), '{"rating": "Hot"}', 'to another one: it does not, and ours stays');
select pg_temp.begin_push('accounts');
select is(pg_temp.told(pg_temp.take('accounts')), 'update One A1 {"phone": "11", "custom_fields.rating": "Hot"}', 'both go out');

-- The end of a connection
select pg_temp.change('delete from crm_field_mappings where config_id = %L');
select private.crm_disconnect(pg_temp.person('admin'), (select config from run));
select is(pg_temp.try_as('admin', format('select crm_remove_connection(%L)', (select config from run))), '', 'a connection goes, whatever was mapped');
select is((select count(*) from private.crm_former_fields), 0::bigint, 'and takes this along');

select * from finish();
rollback;
