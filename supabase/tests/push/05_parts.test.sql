-- Records that get through in part: without fields that do not fit, in another spelling, less a relation; and a create that may
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

select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Known", "phone": "1"}'), done => true), pg_temp.merge('contacts', '[]', done => true), pg_temp.merge('opportunities', '[]', done => true);
create temp table item (name text, item jsonb) on commit drop;
create function pg_temp.remember(label text, entity text) returns text language sql as $$
  delete from item where name = label;
  insert into item select label, i from jsonb_array_elements(pg_temp.take(entity)) i;
  select pg_temp.told(jsonb_agg(item)) from item where name = label
$$;
create function pg_temp.item(label text) returns jsonb language sql as $$ select item from item where name = label $$;

insert into crm_companies (workspace_id, name) select id, 'Acme' from w;
insert into crm_contacts (workspace_id, company_id, first_name) select workspace_id, id, 'Ada' from crm_companies where name = 'Acme' and workspace_id = (select id from w);
select pg_temp.remember('acme', 'accounts'), pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('acme'), 'written', 'A2'));

-- In part
insert into crm_companies (workspace_id, name, phone) select id, 'Part', '1' from w;
select pg_temp.remember('part', 'accounts'), pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('part'), 'written', 'A7'));
create temp table before_part on commit drop as select coalesce(sum(records_processed), 0) as processed, coalesce(sum(records_failed), 0) as failed
  from crm_sync_logs l join run r on r.operation = l.operation_id where sync_direction = 'push' and entity_type = 'accounts';
update crm_companies set name = 'Part two', phone = 'too long' where id = pg_temp.ours('A7');
select pg_temp.remember('part', 'accounts');
create function pg_temp.partly(label text, sent jsonb) returns jsonb language sql as $$
  select pg_temp.answer(pg_temp.item(label), 'written', null, jsonb_build_object('sent', sent, 'problems',
    '[{"code": "too_long", "message": "Phone is too long.", "field": "Phone"}, {"code": "odd", "message": "Fax is odd.", "field": "Fax"}]'::jsonb))
$$;
select is(pg_temp.settle('accounts', pg_temp.partly('part', '{"name": "Part two"}')), 'updated=1', 'a record goes without the fields that do not fit');
select is((select base from links where crm_record_id = 'A7'), '{"name": "Part two", "phone": "1"}', 'what was not sent is not agreed on');
select results_eq($$ select kind, code, message, field, status from errors where status <> 'resolved' $$,
  $$ values ('rejected', 'too_long', 'Phone is too long. Fax is odd.', 'Phone', 'open') $$, 'people see which, and why');
select is(pg_temp.outbox(), 'contacts:Ada', 'it does not come again by itself');
select results_eq($$ select records_processed - b.processed, records_failed - b.failed from crm_sync_logs l join run r on r.operation = l.operation_id, before_part b
  where sync_direction = 'push' and entity_type = 'accounts' $$, $$ values (1::bigint, 1::bigint) $$, 'it counts once, and among the failed');
select is((select app_edited_at is not null from links where crm_record_id = 'A7'), true, 'our edit is not yet at the CRM');
select is(pg_temp.again(), 'partial', 'and its run is not complete');
create temp table part_journal on commit drop as select count(*) as entries from journal;
update crm_companies set description = 'now' where id = pg_temp.ours('A7');
select is(pg_temp.remember('part', 'accounts'), 'update Part two A7 {"phone": "too long", "description": "now"}', 'an edit brings the field along again');
select is(pg_temp.settle('accounts', pg_temp.partly('part', '{}')), 'nothing', 'an update of which nothing was sent is none');
select is((select count(*) from journal), (select entries from part_journal), 'not in the journal either');
select is((select count(*) from errors where status = 'open'), 1::bigint, 'the error stays one');
select private.crm_requeue_errors(config, array(select id from errors where status = 'open')) from run;
select is(pg_temp.remember('part', 'accounts'), 'update Part two A7 {"phone": "too long", "description": "now"}', 'a retry brings it too');
select pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('part'), 'written'));
select is((select count(*) from errors where status <> 'resolved'), 0::bigint, 'and closes the error once it gets through');
update crm_companies set phone = 'again too long' where id = pg_temp.ours('A7');
select pg_temp.remember('part', 'accounts'), pg_temp.settle('accounts', pg_temp.partly('part', '{}'));
update crm_companies set phone = 'too long' where id = pg_temp.ours('A7');
select is(pg_temp.told(pg_temp.take('accounts')), 'nothing', 'taken back, there is nothing to send');
select is((select count(*) from errors where status <> 'resolved'), 0::bigint, 'nor an error any more');

-- In the CRM's spelling
update crm_companies set custom_fields = '{"rating": "Real estate"}' where id = pg_temp.ours('A7');
select pg_temp.remember('part', 'accounts');
select pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('part'), 'written', null, '{"shown": {"custom_fields.rating": {"app": "Real estate", "crm": "REAL_ESTATE"}}}'));
select is(pg_temp.merge('accounts', pg_temp.record('A7', '{"name": "Part two", "custom_fields.rating": "REAL_ESTATE"}')), 'unchanged=1', 'an option that the CRM spells in its way has not changed');
select is(pg_temp.merge('accounts', pg_temp.record('A7', '{"custom_fields.rating": "BANKING"}')), 'updated=1', 'another one has');
select is((select custom_fields ->> 'rating' from crm_companies where id = pg_temp.ours('A7')), 'BANKING', 'and comes here');
select is(pg_temp.merge('accounts', pg_temp.record('A7', '{"custom_fields.rating": "REAL_ESTATE"}')), 'updated=1', 'going back is a change');
select is((select custom_fields ->> 'rating' from crm_companies where id = pg_temp.ours('A7')), 'Real estate', 'to what we called it');
select is(pg_temp.outbox(), 'contacts:Ada', 'none of which goes to the CRM');
update crm_companies set custom_fields = '{"rating": "REAL_ESTATE"}' where id = pg_temp.ours('A7');
select pg_temp.remember('part', 'accounts');
select pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('part'), 'written'));
select is((select shown from links where crm_record_id = 'A7'), '{}', 'sent as the CRM spells it, there are no two spellings left');
select is(pg_temp.merge('accounts', pg_temp.record('A7', '{"custom_fields.rating": "REAL_ESTATE"}')), 'unchanged=1', 'nothing changes');

-- A relation that the CRM left out
insert into pipeline_projects (workspace_id, name, stage_key, contact_id) select w.id, 'Fixed', 'lead', c.id from w join crm_contacts c on c.workspace_id = w.id and c.first_name = 'Ada';
select pg_temp.remember('ada', 'contacts'), pg_temp.settle('contacts', pg_temp.answer(pg_temp.item('ada'), 'written', 'C1'));
select is(pg_temp.remember('fixed', 'opportunities') ~ '"\$contact": "C1"', true, 'a deal goes out with its contact');
select pg_temp.settle('opportunities', pg_temp.answer(pg_temp.item('fixed'), 'written', 'D9', '{"relations": {}}'));
select is((select base ? '$contact' from links where crm_record_id = 'D9'), false, 'which the CRM did not take');
select is(pg_temp.merge('opportunities', pg_temp.record('D9', '{"name": "Fixed"}', '{"contact": null}')), 'unchanged=1', 'that it shows none is no change of the CRM''s');
select isnt((select contact_id from pipeline_projects where name = 'Fixed' and workspace_id = (select id from w)), null, 'so ours stays');
select is(pg_temp.take('opportunities'), '[]', 'and nothing is repeated');
update pipeline_projects set next_steps = 'Call', name = 'Fixed two' where name = 'Fixed' and workspace_id = (select id from w);
select is(pg_temp.remember('fixed', 'opportunities'), 'update Fixed two D9 {"name": "Fixed two"} {"$contact": "C1"}', 'with the next edit it is offered again');
select pg_temp.settle('opportunities', pg_temp.answer(pg_temp.item('fixed'), 'written', null, '{"relations": {}}'));
select is(pg_temp.merge('opportunities', pg_temp.record('D9', '{"name": "Fixed two"}', '{"contact": null}')), 'unchanged=1', 'left out again');
select is(pg_temp.take('opportunities'), '[]', 'and not repeated');

-- Several that may be it
insert into crm_companies (workspace_id, name) select id, 'Many' from w;
select pg_temp.remember('many', 'accounts');
select pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('many'), 'failed', null, '{"error": {"kind": "transient", "code": "timeout", "message": "No answer."}}')), pg_temp.due('accounts');
select pg_temp.remember('many', 'accounts');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('many'), 'failed', null, '{"error": {"kind": "rejected", "code": "lookup_ambiguous", "message": "Several."}}')), 'failed=1', 'several records may be the one that was created');
select is(pg_temp.take('accounts'), '[]', 'that waits for a person');
update crm_companies set phone = '4' where name = 'Many' and workspace_id = (select id from w);
select is(pg_temp.remember('many', 'accounts'), 'look_up Many', 'an edit looks again, and creates nothing');
select pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('many'), 'exists', 'A8'));
select pg_temp.merge('accounts', pg_temp.record('A8', '{"name": "Many", "phone": "4"}'));
select is(pg_temp.take('accounts'), '[]', 'found, it is linked');

select * from finish();
rollback;
