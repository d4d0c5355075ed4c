-- The merge, records met for the first time: added, or found among ours where both sides are sure.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql
\ir ../fixtures/run.psql
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

-- New
select is(pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Acme", "website": "https://www.acme.example"}')), 'created=1', 'a new account is added');
select results_eq($$ select name, domain, source, created_by from pg_temp.company('A1') $$, $$ values ('Acme', 'acme.example', null, null::uuid) $$, 'with its values');
select is(pg_temp.base('A1'), '{"name": "Acme", "website": "https://www.acme.example"}'::jsonb, 'and what both sides now agree on');
select is((select metadata from crm_activities where entity_id = (pg_temp.company('A1')).id), jsonb_build_object('sync_config_id', (select config from run)), 'history says which connection');
select is((select user_id from crm_activities where entity_id = (pg_temp.company('A1')).id), null, 'and no person');
select is((select action from journal where record_id = (pg_temp.company('A1')).id), 'created', 'the journal tells');
select is((select count(*) from journal), 1::bigint, 'once');
select is(current_setting('pipeline_crm.sync_config', true), '', 'afterwards nobody is taken for the connection');

select is(pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Big deal", "stage_key": "won", "estimated_value": 1000.5, "expected_close_date": "2026-02-28", "custom_fields.product": "GTXPro"}')), 'created=1', 'a new deal is added');
select results_eq($$ select name, stage_key, probability, estimated_value, currency::text, expected_close_date, priority, custom_fields, crm_id, crm_source, sync_status from pg_temp.deal('D1') $$,
  $$ values ('Big deal', 'won', 100, 1000.50, 'USD', '2026-02-28'::date, 'medium', '{"product": "GTXPro"}'::jsonb, 'D1', 'salesforce', 'synced') $$, 'with types, defaults, custom fields and where it came from');
update workspaces set default_currency = 'EUR' where id = (select id from w);
select pg_temp.merge('opportunities', pg_temp.record('D2', '{"name": "Euro deal", "stage_key": "lead"}'));
select is((pg_temp.deal('D2')).currency::text, 'EUR', 'a deal without a currency is in the workspace''s');

-- Twice
select is(pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Acme", "website": "https://www.acme.example"}')), 'unchanged=1', 'the same again changes nothing');
select is(pg_temp.merge('accounts', pg_temp.record('A3', '{"name": "Old name"}') || pg_temp.record('A3', '{"name": "New name"}')), 'created=1', 'a record twice on a page is one');
select is((pg_temp.company('A3')).name, 'New name', 'in its last form');
select is(pg_temp.merge('accounts', '[]'), 'nothing', 'an empty page is fine');

-- Named, and left out by the filter
create function pg_temp.only(r jsonb) returns jsonb language sql as $$ select jsonb_agg(e || '{"only_linked": true}') from jsonb_array_elements(r) e $$;
select is(pg_temp.merge('accounts', pg_temp.only(pg_temp.record('F1', '{"name": "Not wanted"}') || pg_temp.record('A1', '{"name": "Acme two", "website": "https://www.acme.example"}'))),
  'updated=1 unchanged=1', 'of records that the filter leaves out the linked ones go on');
select is((select count(*) from links where crm_record_id = 'F1'), 0::bigint, 'and no other begins');
select is((pg_temp.company('A1')).name, 'Acme two', 'with their new values');
select is(pg_temp.merge('accounts', '[]', '[{"crm_id": "F1", "code": "too_long", "message": "Too long.", "only_linked": true}, {"crm_id": "A1", "code": "too_long", "message": "Too long.", "only_linked": true}]'),
  'failed=1', 'what does not fit is an error of the linked ones only');
select is((select string_agg(crm_record_id, ',') from crm_sync_errors where config_id = (select config from run) and status = 'open'), 'A1', 'by name');
select is(pg_temp.merge('accounts', pg_temp.record('A1', '{}', '{"deleted": true, "merged_into": "F2"}') || pg_temp.only(pg_temp.record('F2', '{"name": "Survivor"}'))), 'updated=1 unchanged=1',
  'one that a linked record was merged into is linked, whatever the filter says');
select is((pg_temp.company('F2')).name, 'Survivor', 'and goes on as that');
select pg_temp.merge('accounts', pg_temp.record('F2', '{}', '{"deleted": true, "merged_into": "F3"}') || pg_temp.only(pg_temp.record('F3', jsonb_build_object('name', repeat('x', 300)))));
select matches((select message from crm_sync_errors where crm_record_id = 'F3' and status = 'open' and config_id = (select config from run)), '^Name has 300 characters', 'its values are checked as any');
select pg_temp.merge('accounts', pg_temp.record('F3', '{}', '{"deleted": true, "merged_into": "A1"}') || pg_temp.record('A1', '{"name": "Acme", "website": "https://www.acme.example"}'));

-- Found among ours by domain
insert into crm_companies (workspace_id, name, website, phone) select id, 'Globex here', 'http://globex.example/about', '1' from w;
select is(pg_temp.merge('accounts', pg_temp.record('A4', '{"name": "Globex", "website": "HTTPS://WWW.Globex.example/", "industry": "Oil"}')), 'updated=1 conflicts=1', 'an account with our company''s domain is that company');
select results_eq($$ select name, phone, industry from pg_temp.company('A4') $$, $$ values ('Globex', '1', 'Oil') $$, 'empty fields are filled, of differing ones the later wins');
select is((select overruled -> 'name' ->> 'app' from journal where crm_record_id = 'A4'), 'Globex here', 'and the loser is in the journal');
select results_eq($$ select app_data ->> 'name', crm_data ->> 'name', status, resolution_strategy from pg_temp.conflict('A4') $$, $$ values ('Globex here', 'Globex', 'resolved', 'last_write_wins') $$, 'and among the conflicts');
select is((select count(*) from crm_companies where domain = 'globex.example' and workspace_id = (select id from w)), 1::bigint, 'there is one such company');

insert into crm_companies (workspace_id, name, website) select w.id, n, 'https://twin.example' from w, unnest('{Twin one,Twin two}'::text[]) n;
select is(pg_temp.merge('accounts', pg_temp.record('A5', '{"name": "Twin", "website": "twin.example"}')), 'created=1', 'where two of ours have the domain, it is a new company');
select is((select content from crm_notes where company_id = (pg_temp.company('A5')).id), 'Added as a new company: more than one record here has "twin.example".', 'with a note that says why');
insert into crm_companies (workspace_id, name, website) select id, 'Solo', 'https://solo.example' from w;
select is(pg_temp.merge('accounts', pg_temp.record('A6', '{"name": "Solo A", "website": "solo.example"}') || pg_temp.record('A7', '{"name": "Solo B", "website": "solo.example"}')), 'created=2', 'where two of theirs have it, both are new');
select is((select count(*) from crm_notes where company_id in ((pg_temp.company('A6')).id, (pg_temp.company('A7')).id)), 2::bigint, 'each with a note');
select is((select updated_at = created_at from crm_companies where name = 'Solo'), true, 'ours is left as it was');
insert into crm_companies (workspace_id, name, website, deleted_at) select id, 'Gone', 'https://gone.example', now() from w;
select is(pg_temp.merge('accounts', pg_temp.record('A8', '{"name": "Gone", "website": "gone.example"}')), 'created=1', 'a deleted company is not matched');

-- Found by e-mail
insert into crm_contacts (workspace_id, first_name, last_name, email) select id, 'Ann', 'Lee', 'Ann@Lee.example' from w;
select is(pg_temp.merge('contacts', pg_temp.record('C1', '{"first_name": "Ann", "last_name": "Lee", "email": "ann@lee.example", "title": "CEO"}')), 'updated=1', 'a contact with our contact''s e-mail is that contact, in whatever case');
select results_eq($$ select title, email, duplicate_of from pg_temp.contact('C1') $$, $$ values ('CEO', 'Ann@Lee.example', null::uuid) $$, 'what is the same but for spelling stays');
select is((select action from journal where crm_record_id = 'C1'), 'linked', 'the journal says it was linked');
select is(pg_temp.merge('contacts', pg_temp.record('C2', '{"first_name": "Ann", "last_name": "Two", "email": "ann@lee.example"}')), 'created=2', 'a second person of the CRM under that e-mail leaves it open which of them ours is');
select is(count(*), 2::bigint, 'both are rows of their own that point to ours') from crm_contacts c join crm_contacts o on o.id = c.duplicate_of
  where c.id in ((pg_temp.contact('C1')).id, (pg_temp.contact('C2')).id) and o.email = 'Ann@Lee.example';
select is(pg_temp.merge('contacts', pg_temp.record('C3', '{"last_name": "First", "email": "team@x.example"}') || pg_temp.record('C4', '{"last_name": "Second", "email": "TEAM@x.example"}')), 'created=2', 'two on one page as well');
select is((pg_temp.contact('C4')).duplicate_of, (pg_temp.contact('C3')).id, 'the later points to the former');

-- A second CRM
select pg_temp.start('other', pg_temp.connect_crm('hubspot', 'portal1'));
select is(pg_temp.merge('accounts', pg_temp.record('H1', '{"name": "Acme", "website": "acme.example"}'), run_name => 'other'), 'unchanged=1', 'another CRM''s Acme is the same Acme');
select is((pg_temp.company('H1')).id, (pg_temp.company('A1')).id, 'one company, two links');
select is((pg_temp.company('H1')).name, 'Acme', 'shown once');

-- Only what is known already
select pg_temp.settings('{"create_when_missing": false}');
select is(pg_temp.merge('accounts', pg_temp.record('A9', '{"name": "Nobody"}')), 'skipped=1', 'a connection can refuse new records');
select is((select records_skipped from crm_sync_logs l, run where l.operation_id = run.operation and run.name = 'crm' and entity_type = 'accounts'), 1, 'and the log counts them');

select * from finish();
rollback;
