-- The merge: owners, relations, deletions.

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

-- Owners
select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Acme"}', '{"owner": "U1"}') || pg_temp.record('A2', '{"name": "Globex"}', '{"owner": "U2"}') || pg_temp.record('A3', '{"name": "Initech"}', '{"owner": "U9"}'));
select results_eq($$ select owner_id, owner_label from pg_temp.company('A1') $$, $$ values (pg_temp.person('member'), null) $$, 'an owner who is a member is that member');
select results_eq($$ select owner_id, owner_label from pg_temp.company('A2') $$, $$ values (null::uuid, 'Else Where') $$, 'one who is not stays a name');
select is((pg_temp.company('A3')).owner_label, 'U9', 'one whom the CRM does not list stays an id');
select is(pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Acme"}', '{"owner": "U2"}')), 'updated=1', 'a new owner in the CRM');
select results_eq($$ select owner_id, owner_label from pg_temp.company('A1') $$, $$ values (null::uuid, 'Else Where') $$, 'is the new owner here');
update crm_companies set owner_id = pg_temp.person('admin'), owner_label = null where name = 'Globex';
select is(pg_temp.merge('accounts', pg_temp.record('A2', '{"name": "Globex 2"}', '{"owner": "U2"}')), 'updated=1', 'an owner that we changed');
select is((pg_temp.company('A2')).owner_id, pg_temp.person('admin'), 'stays ours');
select pg_temp.settings('{}', 'crm_wins');
select is(pg_temp.merge('accounts', pg_temp.record('A2', '{"name": "Globex 2"}', '{"owner": "U1"}')), 'updated=1 conflicts=1', 'when both changed it, that is a conflict');
select is((pg_temp.company('A2')).owner_id, pg_temp.person('member'), 'decided by the strategy');
select is(pg_temp.merge('accounts', pg_temp.record('A2', '{"name": "Globex 2"}', '{"owner": null}')), 'updated=1', 'no owner any more');
select results_eq($$ select owner_id, owner_label from pg_temp.company('A2') $$, $$ values (null::uuid, null) $$, 'is no owner');
delete from workspace_members where user_id = pg_temp.person('member') and workspace_id = (select id from w);
select is(pg_temp.merge('accounts', pg_temp.record('A4', '{"name": "Hooli"}', '{"owner": "U1"}')), 'created=1', 'a member who left');
select is((pg_temp.company('A4')).owner_label, 'Mem Ber', 'is a name again');

-- Relations
select pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee"}', '{"company": "A1"}'));
select is((pg_temp.contact('C1')).company_id, (pg_temp.company('A1')).id, 'a contact is at the linked company');
select pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Deal", "stage_key": "lead"}', '{"company": "A1", "contact": "C1"}'));
select results_eq($$ select company_id, contact_id from pg_temp.deal('D1') $$, $$ values ((pg_temp.company('A1')).id, (pg_temp.contact('C1')).id) $$, 'a deal has company and contact');
select is(pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee"}', '{"company": "A2"}')), 'updated=1', 'a contact who moves');
select is((pg_temp.contact('C1')).company_id, (pg_temp.company('A2')).id, 'moves here');
select is(pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee"}')), 'unchanged=1', 'a relation that was not read');
select is((pg_temp.contact('C1')).company_id, (pg_temp.company('A2')).id, 'stays');
select pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee"}', '{"company": null}'));
select is((pg_temp.contact('C1')).company_id, null, 'one that is gone is gone');

select pg_temp.merge('contacts', pg_temp.record('C2', '{"last_name": "Early"}', '{"company": "A7"}') || pg_temp.record('C3', '{"last_name": "Bird"}', '{"company": "A7"}'));
select is((pg_temp.contact('C2')).company_id, null, 'a contact before its company waits');
select is((select count(*) from private.crm_pending_relations p, run where p.config_id = run.config), 2::bigint, 'so do both');
update crm_contacts set company_id = (pg_temp.company('A3')).id where last_name = 'Bird';
select pg_temp.merge('accounts', pg_temp.record('A7', '{"name": "Late Inc"}'));
select is((pg_temp.contact('C2')).company_id, (pg_temp.company('A7')).id, 'until the company arrives');
select is((pg_temp.contact('C3')).company_id, (pg_temp.company('A3')).id, 'one that a person has placed meanwhile stays there');

select pg_temp.merge('accounts', pg_temp.record('A8', '{"name": "Gone Inc"}') || pg_temp.record('A9', '{"name": "Here Inc"}'));
select pg_temp.merge('contacts', pg_temp.record('C8', '{"last_name": "Mover"}', '{"company": "A9"}'));
delete from crm_companies where id = (pg_temp.company('A8')).id;
select is(pg_temp.merge('contacts', pg_temp.record('C7', '{"last_name": "Orphan"}', '{"company": "A8"}')), 'created=1', 'a contact of a company that was deleted for good here is kept');
select is((pg_temp.contact('C7')).company_id, null, 'without it');
select is(pg_temp.merge('contacts', pg_temp.record('C8', '{"last_name": "Mover"}', '{"company": "A8"}') ), 'unchanged=1', 'a contact who moves to such a company');
select is((pg_temp.contact('C8')).company_id, (pg_temp.company('A9')).id, 'stays where it is until that one is here again');
select pg_temp.merge('accounts', pg_temp.record('A8', '{"name": "Gone Inc, back"}'));
select is((pg_temp.contact('C7')).company_id, (pg_temp.company('A8')).id, 'and is at it once the CRM has brought it back');
select is((select count(*) from private.crm_pending_relations p, run where p.config_id = run.config), 0::bigint, 'nothing waits any more');
select is(pg_temp.merge('contacts', pg_temp.record('C2', '{"last_name": "Early"}', '{"company": "A7"}')), 'unchanged=1', 'and the next sync has nothing to do');
select pg_temp.merge('contacts', pg_temp.record('C4', '{"last_name": "Fickle"}', '{"company": "A8"}')), pg_temp.merge('contacts', pg_temp.record('C4', '{"last_name": "Fickle"}', '{"company": "A1"}'));
select pg_temp.merge('accounts', pg_temp.record('A8', '{"name": "Eight"}'));
select is((pg_temp.contact('C4')).company_id, (pg_temp.company('A1')).id, 'whoever chose another company does not wait for the first');

select pg_temp.merge('accounts', pg_temp.record('B1', '{"name": "Daughter"}', '{"company": "B2"}') || pg_temp.record('B2', '{"name": "Mother"}'));
select is((pg_temp.company('B1')).parent_company_id, (pg_temp.company('B2')).id, 'daughter and mother on one page find each other');
select is(pg_temp.merge('accounts', pg_temp.record('B3', '{"name": "Own parent"}', '{"company": "B3"}')), 'created=1', 'a company that is its own parent');
select is((pg_temp.company('B3')).parent_company_id, null, 'has none');

-- Deletions
select is(pg_temp.merge('contacts', pg_temp.record('C1', '{}', '{"deleted": true}')), 'deleted=1', 'a record deleted in the CRM');
select is((pg_temp.contact('C1')).deleted_at, null, 'stays here, unless the connection says otherwise');
select ok((select crm_deleted_at is not null from links where crm_record_id = 'C1'), 'its link knows');
select is(pg_temp.merge('contacts', pg_temp.record('C1', '{}', '{"deleted": true}')), 'unchanged=1', 'once');
select is(pg_temp.merge('contacts', pg_temp.record('X1', '{}', '{"deleted": true}')), 'unchanged=1', 'one that we never had is no loss');
select is(pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee"}')), 'unchanged=1', 'one that comes back');
select is((select crm_deleted_at from links where crm_record_id = 'C1'), null, 'is alive again');

select pg_temp.settings('{"delete_when_deleted": true}');
select is(pg_temp.merge('contacts', pg_temp.record('C1', '{}', '{"deleted": true}')), 'deleted=1', 'when the connection says so');
select ok((pg_temp.contact('C1')).deleted_at is not null, 'it is deleted here');
select is((select action from journal where crm_record_id = 'C1' order by id desc limit 1), 'deleted', 'which the journal knows');
select is(pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee-Back"}')), 'updated=1', 'undeleted there');
select results_eq($$ select deleted_at, last_name from pg_temp.contact('C1') $$, $$ values (null::timestamptz, 'Lee-Back') $$, 'it is back here');
update crm_contacts set deleted_at = now() - interval '1 day' where id = (pg_temp.contact('C1')).id;
select pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee-Again"}'));
select ok((pg_temp.contact('C1')).deleted_at is not null, 'what a person deleted here stays deleted');
select is(pg_temp.merge('contacts', pg_temp.record('C2', '{}', '{"deleted": true, "merged_into": "C4"}')), 'deleted=1', 'merged into another in the CRM');
select ok((pg_temp.contact('C2')).deleted_at is not null, 'goes here too, for it is the other one now');
delete from crm_contacts where id = (pg_temp.contact('C4')).id;
select is(pg_temp.merge('contacts', pg_temp.record('C4', '{"last_name": "Fickle"}', '{"company": "A1"}')), 'unchanged=1', 'a record removed here for good is not brought back by a sync');
select is(pg_temp.merge('contacts', pg_temp.record('C4', '{"last_name": "Changed"}', '{"company": "A1"}')), 'created=1', 'unless the CRM changes it');

select * from finish();
rollback;
