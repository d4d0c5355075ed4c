-- Conflicts in bulk, of relations, of deals; and what the screens show.

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
select pg_temp.start('crm', pg_temp.connect_crm('salesforce', 'org1'));
-- Only what belongs to the runs of this file.
create temp view links as select l.* from private.crm_record_links l where l.config_id in (select config from run);
create temp view journal as select j.* from private.crm_journal j where j.operation_id in (select operation from run);
create temp view conflicts as select k.* from crm_sync_conflicts k where k.config_id in (select config from run);
create function pg_temp.settings(rules jsonb, strategy text default 'last_write_wins') returns void language sql as $$
  update crm_sync_configs set sync_rules = rules, conflict_resolution = strategy where workspace_id = (select id from w)
$$;
create function pg_temp.contact(crm text) returns crm_contacts language sql as $$
  select c from crm_contacts c join links l on l.record_id = c.id and l.entity_type = 'contacts' where l.crm_record_id = crm
$$;
create function pg_temp.company(crm text) returns crm_companies language sql as $$
  select c from crm_companies c join links l on l.record_id = c.id and l.entity_type = 'accounts' where l.crm_record_id = crm
$$;
create function pg_temp.deal(crm text) returns pipeline_projects language sql as $$
  select c from pipeline_projects c join links l on l.record_id = c.id and l.entity_type = 'opportunities' where l.crm_record_id = crm
$$;
create function pg_temp.base(crm text) returns jsonb language sql as $$ select base from links where crm_record_id = crm $$;
create function pg_temp.conflict(crm text) returns crm_sync_conflicts language sql as $$
  select k from crm_sync_conflicts k where k.id = (select c.id from conflicts c where c.crm_record_id = crm order by c.status = 'pending' desc limit 1)
$$;

create function pg_temp.bulk(who text, more text) returns text language sql as $$
  select pg_temp.try_as(who, format($q$ select crm_resolve_conflicts(%L, %s) $q$, (select config from run), more))
$$;
select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Globex", "website": "globex.example"}') || pg_temp.record('A2', '{"name": "Initech"}') || pg_temp.record('A3', '{"name": "Umbrella"}'));
select pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee", "title": "a", "phone": "1"}', '{"company": "A1", "owner": "U1"}') || pg_temp.record('C2', '{"last_name": "Ray", "title": "a"}'));
select pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Deal", "stage_key": "lead", "probability": 20}'));
select pg_temp.settings('{}', 'manual_review');
update crm_contacts set title = 'ours', phone = '2' where workspace_id = (select id from w);
update crm_contacts set company_id = (pg_temp.company('A2')).id, owner_id = null, owner_label = 'Somebody' where id = (pg_temp.contact('C1')).id;
update pipeline_projects set stage_key = 'prospect', probability = 30 where id = (pg_temp.deal('D1')).id;
select pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee", "title": "theirs", "phone": "3"}', '{"company": "A3", "owner": "U2"}') || pg_temp.record('C2', '{"last_name": "Ray", "title": "theirs"}'));
select pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Deal", "stage_key": "won", "probability": 77}'));

select is(pg_temp.bulk('member', $$'use_app', 'leads'$$), 'PC004', 'conflicts of what there is not are none that could be decided');

-- The screens
select is(pg_temp.try_as('viewer', $$ select string_agg(concat_ws(' ', record_name, entity_type, cardinality(conflicting_fields), detected_ago is not null), ', ' order by record_name) from crm_conflict_list where status = 'pending' $$),
  'Deal opportunities 2 t, Lee contacts 4 t, Ray contacts 1 t', 'the list shows records by name');
select is(pg_temp.try_as('viewer', $$ select string_agg(concat_ws(' ', f.label, f.app_label, f.crm_label), ', ' order by f.field) from crm_conflict_fields f join crm_conflict_list l on l.id = f.conflict_id where l.record_name = 'Lee' and f.field like '$%' $$),
  'Company Initech Umbrella, Owner Somebody Else Where', 'relations by their names too');
select is(pg_temp.try_as('outsider', 'select (select count(*) from crm_conflict_list) + (select count(*) from crm_conflict_fields)'), '0', 'a stranger sees none');

-- In bulk
select is(pg_temp.bulk('viewer', '''use_crm'''), 'PC002', 'a viewer decides none');
select is(pg_temp.bulk('outsider', '''use_crm'''), 'PC001', 'a stranger finds none');
select is(pg_temp.bulk('member', '''manual'''), 'PC004', 'by hand goes one by one');
select is(pg_temp.bulk('member', '''use_app'', always => true'), 'PC002', 'a rule is an admin''s');
update crm_contacts set title = 'edited' where id = (pg_temp.contact('C2')).id;
select is(pg_temp.bulk('member', '''use_crm'', entity_type => ''contacts'', fields => ''{title}''')::jsonb, '{"resolved": 1, "edited_since": 1, "refused": 0, "more": false}', 'one field of all contacts');
select results_eq($$ select (pg_temp.contact('C1')).title, (pg_temp.contact('C2')).title, (pg_temp.contact('C1')).phone $$, $$ values ('theirs', 'edited', '2') $$, 'that field alone, and only where nobody has edited since');
select results_eq($$ select status, conflicting_fields, app_data from conflicts where crm_record_id = 'C1' and 'title' = any (conflicting_fields) $$, $$ values ('resolved', '{title}'::text[], '{"title": "ours"}'::jsonb) $$, 'what is decided has a row of its own');
select is((select array_agg(f order by f) from unnest((pg_temp.conflict('C1')).conflicting_fields) f), '{$company,$owner,phone}', 'the rest waits');
select is((select has_conflict from links where crm_record_id = 'C1'), true, 'and the record with it');
select is((pg_temp.conflict('C2')).app_data ->> 'title', 'edited', 'the other shows what is there now');
select is(pg_temp.bulk('admin', '''use_crm'', entity_type => ''contacts'', always => true')::jsonb, '{"resolved": 2, "edited_since": 0, "refused": 0, "more": false}', 'then all contacts, for ever');
select results_eq($$ select company_id, owner_id, owner_label, phone from pg_temp.contact('C1') $$, $$ select (pg_temp.company('A3')).id, null::uuid, 'Else Where', '3' $$, 'relations are taken over like fields');
select is(pg_temp.base('C1') ->> '$company', 'A3', 'their base is the CRM''s id');
select is((select sync_rules #> '{contacts,field_strategies}' from crm_sync_configs where id = (select config from run)), '{"title": "crm_wins", "phone": "crm_wins", "$owner": "crm_wins", "$company": "crm_wins"}', 'a rule for each of the fields');
select is((select count(*) from crm_audit_log where action = 'conflicts_resolved' and workspace_id = (select id from w)), 2::bigint, 'an audit row for each call');

-- Deals
select is((pg_temp.deal('D1')).sync_status, 'conflict', 'the deal shows its conflict');
select is(pg_temp.bulk('member', '''use_crm''')::jsonb, '{"resolved": 1, "edited_since": 0, "refused": 0, "more": false}', 'the CRM''s stage');
select results_eq($$ select stage_key, probability, sync_status from pg_temp.deal('D1') $$, $$ values ('won', 77, 'synced') $$, 'comes without what a person''s move would bring');
select is(pg_temp.bulk('member', '''use_crm''')::jsonb, '{"resolved": 0, "edited_since": 0, "refused": 0, "more": false}', 'nothing is left');

-- A relation that is gone
select pg_temp.settings('{}', 'manual_review');
update crm_contacts set company_id = (pg_temp.company('A1')).id where id = (pg_temp.contact('C1')).id;
select pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee", "title": "theirs", "phone": "3"}', '{"company": "A2", "owner": "U2"}'));
delete from crm_companies where id = (pg_temp.company('A2')).id;
select is(pg_temp.bulk('member', '''use_crm''')::jsonb, '{"resolved": 0, "edited_since": 0, "refused": 1, "more": false}', 'a company that was deleted for good cannot be chosen');
select is(pg_temp.try_as('member', format($$ select (crm_resolve_conflict(%L, 'manual', jsonb_build_object('$company', %L::uuid))).status $$, (pg_temp.conflict('C1')).id, (pg_temp.company('A3')).id)), 'resolved', 'another one can');

select * from finish();
rollback;
