-- Taking: what goes to the CRM for each edit.

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

-- The first push
insert into crm_companies (workspace_id, name, website, annual_revenue, custom_fields, industry, description)
select id, 'Acme', 'acme.example', 1000.5, '{"rating": "A"}', 'Steel', 'Ours' from w;
select is(pg_temp.begin_push('accounts'), 1, 'one record waits');
select is(pg_temp.take('accounts'), '[]', 'but before the CRM has been read, it may be one of the CRM''s');
select is(pg_temp.outbox(), 'nothing', 'so it leaves the outbox');
select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Theirs", "website": "theirs.example", "phone": "1"}', '{"owner": "U1"}'), done => true);
select is(pg_temp.begin_push('accounts'), 1, 'and comes back after a full read');
select is((select progress #> '{entities,accounts_to_crm}' from crm_sync_operations o join run r on r.operation = o.id), '{"done": 0, "total": 1}', 'progress shows it');
select is(pg_temp.told(pg_temp.take('accounts')),
  'create Acme {"name": "Acme", "domain": "acme.example", "website": "acme.example", "description": "Ours", "annual_revenue": 1000.50, "custom_fields.rating": "A"}',
  'with every field that is not empty and may be pushed');
select isnt((select intent_at from outbox), null, 'the intent is on record before anybody calls the CRM');
select is(pg_temp.take('accounts') #>> '{0,action}', 'look_up', 'so the next worker looks before it creates');
delete from private.crm_outbox;
select is(pg_temp.begin_push('accounts'), 0, 'records are put in once');
select pg_temp.settings('{}'), pg_temp.settings('{"phone_country": "DE"}');
select is(pg_temp.begin_push('accounts'), 1, 'and again when the rules have changed');
delete from private.crm_outbox;

-- Updates
update crm_companies set name = 'Ours', phone = '(1)', industry = 'Steel' where id = pg_temp.ours('A1');
select is(pg_temp.told(pg_temp.take('accounts')), 'update Ours A1 {"name": "Ours"}', 'of an edit the changed fields go out, spelling is no change, and a field that is only read stays here');
select is(pg_temp.take('accounts') #> '{0,verify}', 'true', 'the worker looks at the CRM first');
update crm_companies set name = 'Theirs' where id = pg_temp.ours('A1');
select is(pg_temp.take('accounts'), '[]', 'an edit taken back is nothing to say');
select is(pg_temp.outbox(), 'nothing', 'and leaves the outbox');
update crm_companies set description = 'Note' where id = pg_temp.ours('A1');
select is(pg_temp.take('accounts') #> '{0,verify}', 'false', 'a field that is only pushed needs no look');
update crm_companies set description = null, phone = null, website = null where id = pg_temp.ours('A1');
select is(pg_temp.told(pg_temp.take('accounts')), 'update Theirs A1 {"phone": null, "website": null}', 'a field emptied here is emptied there, and one that the database filled in is no edit');
update crm_companies set phone = '1', website = 'theirs.example', annual_revenue = 5 where id = pg_temp.ours('A1');
select is(pg_temp.take('accounts') #> '{0,values}', '{"annual_revenue": 5.00}', 'a number goes out as a number');
select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Theirs", "website": "theirs.example", "phone": "1", "annual_revenue": 5}', '{"owner": "U1"}'));
select is(pg_temp.take('accounts'), '[]', 'what the CRM came to say itself is not sent');

-- Owners
update crm_companies set owner_id = null, owner_label = 'Else Where' where id = pg_temp.ours('A1');
select is(pg_temp.told(pg_temp.take('accounts')), 'update Theirs A1 {"$owner": "U2"}', 'an owner goes out as the CRM''s user, by name');
update crm_companies set owner_id = pg_temp.person('admin'), owner_label = null where id = pg_temp.ours('A1');
select is(pg_temp.take('accounts'), '[]', 'one whom the CRM does not have is left alone');
update crm_companies set owner_id = null where id = pg_temp.ours('A1');
select is(pg_temp.told(pg_temp.take('accounts')), 'update Theirs A1 {"$owner": null}', 'an owner taken off here is taken off there');
update crm_companies set owner_id = pg_temp.person('member') where id = pg_temp.ours('A1');
delete from private.crm_outbox;
delete from workspace_members where user_id = pg_temp.person('member') and workspace_id = (select id from w);
select is(pg_temp.outbox(), 'accounts:Theirs', 'a member who leaves leaves records without an owner');
select is(pg_temp.take('accounts'), '[]', 'which the CRM is not told');

-- Relations
select pg_temp.merge('contacts', pg_temp.record('C1', '{"first_name": "Ada", "last_name": "Byron"}', '{"company": null}'), done => true);
update crm_contacts set company_id = pg_temp.ours('A1') where id = pg_temp.ours('C1');
select is(pg_temp.told(pg_temp.take('contacts')), 'update Ada Byron C1 {"$company": "A1"}', 'a company goes out as the CRM''s id');
update crm_contacts set company_id = (select id from crm_companies where name = 'Acme' and workspace_id = (select id from w)) where id = pg_temp.ours('C1');
select is(pg_temp.take('contacts'), '[]', 'one that the CRM does not have yet waits');
select pg_temp.merge('contacts', pg_temp.record('C1', '{"first_name": "Ada", "last_name": "Byron"}', '{"company": "A1", "modified_at": "2001-01-01T00:00:00Z"}'));
select pg_temp.merge('contacts', pg_temp.record('C2', '{"first_name": "Bob"}', '{"company": "A1"}'));
update crm_contacts set company_id = null where id = pg_temp.ours('C2');
select is(pg_temp.told(pg_temp.take('contacts')), 'update Bob C2 {"$company": null}', 'a company taken off here is taken off there');
select pg_temp.merge('contacts', pg_temp.record('C3', '{"first_name": "Cleo"}', '{"company": "A99"}'));
delete from private.crm_outbox;
update crm_contacts set title = 'Queen' where id = pg_temp.ours('C3');
select is(pg_temp.told(pg_temp.take('contacts')), 'update Cleo C3 {"title": "Queen"}', 'one that has not arrived here is not taken off there');
delete from private.crm_outbox;

-- Children of a parent that waits
update crm_companies set phone = '2' where name = 'Acme' and workspace_id = (select id from w);
insert into crm_contacts (workspace_id, company_id, first_name) select workspace_id, id, 'Dan' from crm_companies where name = 'Acme' and workspace_id = (select id from w);
select is(pg_temp.take('contacts'), '[]', 'a contact waits for its company');
select is(pg_temp.outbox(), 'accounts:Acme contacts:Dan', 'in the outbox');
update private.crm_outbox set not_before = 'infinity' where entity_type = 'accounts' and config_id = (select config from run);
select pg_temp.due('contacts');
select is(pg_temp.told(pg_temp.take('contacts')), 'create Dan {"first_name": "Dan"}', 'but not for one that the CRM refused');
delete from private.crm_outbox;

-- Conflicts
select pg_temp.merge('accounts', pg_temp.record('A2', '{"name": "Base", "phone": "1"}'));
update crm_sync_configs set conflict_resolution = 'manual_review' where id = (select config from run);
update crm_companies set name = 'Here', phone = '2' where id = pg_temp.ours('A2');
select is(pg_temp.merge('accounts', pg_temp.record('A2', '{"name": "There", "phone": "1"}')), 'unchanged=1 conflicts=1', 'both sides named the company anew');
select is(pg_temp.told(pg_temp.take('accounts')), 'update Here A2 {"phone": "2"}', 'the field that waits for a person stays, the rest goes');
update crm_sync_conflicts set status = 'ignored' where config_id = (select config from run) and status = 'pending';
select is(pg_temp.told(pg_temp.take('accounts')), 'update Here A2 {"phone": "2"}', 'so does one that a person chose to ignore');
update crm_companies set name = 'Third' where id = pg_temp.ours('A2');
select is(pg_temp.told(pg_temp.take('accounts')), 'update Third A2 {"name": "Third", "phone": "2"}', 'until somebody edits it again');
delete from private.crm_outbox;

-- Deletions
update crm_companies set deleted_at = now() where id in (pg_temp.ours('A1'), pg_temp.ours('A2'));
select is(pg_temp.take('accounts'), '[]', 'a deletion stays here unless the connection says otherwise');
select pg_temp.settings('{"delete_in_crm": true}');
update crm_companies set deleted_at = null where id = pg_temp.ours('A1');
update crm_companies set deleted_at = now() where id = pg_temp.ours('A1');
select is(pg_temp.told(pg_temp.take('accounts')), 'delete Theirs A1', 'then the record is deleted there');
delete from crm_companies where id = pg_temp.ours('A1');
select is(pg_temp.told(pg_temp.take('accounts')), 'delete ? A1', 'also when it is gone for good here');
delete from private.crm_outbox;
insert into crm_companies (workspace_id, name) select id, 'Short-lived' from w;
update crm_companies set deleted_at = now() where name = 'Short-lived' and workspace_id = (select id from w);
select is(pg_temp.take('accounts'), '[]', 'one that the CRM never had is nothing to say');
select pg_temp.merge('contacts', pg_temp.record('C1', '{}', '{"deleted": true}'));
update crm_contacts set title = 'Countess' where id = pg_temp.ours('C1');
select is(pg_temp.take('contacts'), '[]', 'a record that was deleted there is not written to');

-- Rules
select pg_temp.settings('{"create_in_crm": false, "contacts": {"exclude_fields": ["title"]}}');
insert into crm_contacts (workspace_id, first_name) select id, 'Eve' from w;
update crm_contacts set title = 'Pharaoh', first_name = 'Cleopatra' where id = pg_temp.ours('C3');
select is(pg_temp.begin_push('contacts'), 2, 'two edits wait');
select is(pg_temp.told(pg_temp.take('contacts')), 'update Cleopatra C3 {"first_name": "Cleopatra"}', 'excluded fields stay here, and nothing is created where that is not wanted');
select is(pg_temp.outbox(), 'contacts:Cleopatra', 'which costs no further look');
select pg_temp.settings('{}');
select is(pg_temp.begin_push('contacts') > 1, true, 'once it is wanted, the record is there');

-- Many
delete from private.crm_outbox;
insert into crm_companies (workspace_id, name) select w.id, 'Co ' || lpad(n::text, 3, '0') from w, generate_series(1, 30) n;
update private.crm_outbox o set not_before = now() - interval '1 hour' + c.name::text::interval from (select id, substr(name, 4) || ' s' as name from crm_companies where name like 'Co 0%') c where o.record_id = c.id;
select is(pg_temp.take('accounts', lim => 3) #>> '{}' like '%Co 001%Co 002%Co 003%', true, 'oldest first');
select is((select count(*) from outbox where intent_at is not null), 3::bigint, 'and no more than asked for');
select results_eq($$ select array_agg(i #>> '{match,name}') from run r, jsonb_array_elements(private.crm_take_outbound(r.operation, r.fence, 'accounts', 2, null,
    array(select id from crm_companies where name in ('Co 001', 'Co 003'))) -> 'items') i where r.name = 'crm' $$,
  $$ values (array['Co 002', 'Co 004']) $$, 'without those that are under way');
select is(jsonb_array_length(pg_temp.take('accounts', records => array(select id from crm_companies where name in ('Co 001', 'Co 009') and workspace_id = (select id from w)))), 2, 'certain records come when asked for');

-- A look that brings nothing new
create function pg_temp.unchanged(vals jsonb, more jsonb default '{}') returns boolean language sql as $$
  select private.crm_push_unchanged(r.operation, r.fence, 'contacts', pg_temp.record('C90', vals, more)) from run r where r.name = 'crm'
$$;
select pg_temp.merge('contacts', pg_temp.record('C90', '{"last_name": "Ninety", "title": "Chief"}'));
update crm_contacts set title = 'Ours' where last_name = 'Ninety';
select is(pg_temp.unchanged('{"last_name": "Ninety", "title": "Chief"}'), true, 'the CRM shows what it showed before: ours stands as it was taken');
select is(pg_temp.unchanged('{"title": "Chief"}'), true, 'what was not read says nothing');
select is(pg_temp.unchanged('{"last_name": "Ninety", "title": "Theirs"}'), false, 'an edit there');
select is(pg_temp.unchanged('{"last_name": "Ninety", "title": "Chief"}', '{"company": "A1"}'), false, 'a relation there');
select is(pg_temp.unchanged('{}', '{"deleted": true}'), false, 'a deletion there');
update private.crm_record_links set has_conflict = true where crm_record_id = 'C90';
select is(pg_temp.unchanged('{"last_name": "Ninety", "title": "Chief"}'), false, 'and a conflict, which the merge may close');
select throws_ok($$ select private.crm_push_unchanged(operation, fence - 1, 'contacts', '[]') from run $$, 'PC007', null, 'a worker that lost its lease is told so');

select is(pg_temp.try_as('owner', $$ select count(*) from private.crm_outbox $$), '42501', 'nobody reads the outbox from outside');
select throws_ok($$ select private.crm_take_outbound(operation, fence - 1, 'accounts', 1) from run $$, 'PC007', null, 'a worker that lost its lease takes nothing');
select throws_ok($$ select private.crm_take_outbound(operation, fence, 'leads', 1) from run $$, 'PC004', null, 'there are three entities');

select * from finish();
rollback;
