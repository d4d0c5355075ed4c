-- The merge, matches taken back: a further record of the CRM shows that an earlier match was a guess.

\ir ../fixtures/people.psql

select no_plan();

-- A workspace with people and one connected CRM. Set the address the database would call: nothing is sent before a commit.
select pg_temp.sign_up('owner', 'admin', 'member', 'viewer', 'outsider');
create temp table w on commit drop as select pg_temp.try_as('owner', $$ select (create_workspace('Acme')).id $$)::uuid as id;
insert into workspace_members (workspace_id, user_id, role) select w.id, pg_temp.person(r), r from w, unnest('{admin,member,viewer}'::text[]) r;
\ir ../fixtures/project_url.psql
create function pg_temp.connect_crm(provider text, account text) returns uuid language sql as $$
  select private.crm_connect(pg_temp.person('owner'), (select id from w), provider, 'production',
    jsonb_build_object('external_account_id', account, 'external_account_name', account, 'instance_url', 'https://' || account || '.example', 'user_id', '1', 'user_email', 'o@x.example'),
    '{"access_token": "at", "refresh_token": "rt", "expires_at": null, "scopes": []}',
    '[{"entity_type": "accounts", "crm_field": "Name", "app_field": "name"}, {"entity_type": "accounts", "crm_field": "Website", "app_field": "website"},
      {"entity_type": "accounts", "crm_field": "Phone", "app_field": "phone"}, {"entity_type": "accounts", "crm_field": "Industry", "app_field": "industry"},
      {"entity_type": "contacts", "crm_field": "FirstName", "app_field": "first_name"}, {"entity_type": "contacts", "crm_field": "LastName", "app_field": "last_name"},
      {"entity_type": "contacts", "crm_field": "Email", "app_field": "email"}, {"entity_type": "contacts", "crm_field": "Title", "app_field": "title"},
      {"entity_type": "contacts", "crm_field": "Phone", "app_field": "phone"},
      {"entity_type": "opportunities", "crm_field": "Name", "app_field": "name"}, {"entity_type": "opportunities", "crm_field": "StageName", "app_field": "stage_key"}]',
    '[{"crm_pipeline_id": "", "crm_stage_id": "Won", "crm_stage_label": "Won", "stage_key": "won", "crm_probability": 100, "position": 1}]',
    '[{"crm_user_id": "U1", "email": "MEMBER@example.test", "name": "Mem Ber"}, {"crm_user_id": "U2", "email": "else@where.test", "name": "Else Where"}]')
$$;
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

create function pg_temp.note(record uuid) returns text language sql as $$
  select string_agg(n.content, ' | ' order by n.created_at) from crm_notes n where n.related_to_id = record
$$;
create function pg_temp.log(entity text, run_name text default 'crm') returns text language sql as $$
  select format('processed=%s created=%s updated=%s unchanged=%s', records_processed, records_created, records_updated, records_unchanged)
  from crm_sync_logs l join run r on r.operation = l.operation_id where r.name = run_name and l.entity_type = entity
$$;
create function pg_temp.ours(company text) returns crm_companies language sql as $$
  select c from crm_companies c where c.workspace_id = (select id from w) and c.tags ? company
$$;

-- Two pages
insert into crm_companies (workspace_id, name, website, phone, tags) select id, 'Globex here', 'http://www.Globex.example/about', '030 / 12-34', '["globex"]' from w;
select is(pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Globex Berlin", "website": "https://globex.example", "phone": "+49 30 99", "industry": "Oil"}', '{"owner": "U2"}')),
  'updated=1 conflicts=1', 'the first account with our company''s domain is taken for it');
select results_eq($$ select record_id, matched_on from links where crm_record_id = 'A1' $$, $$ values ((pg_temp.ours('globex')).id, 'globex.example') $$, 'and its link says by what');
select is((select before ->> 'phone' from journal where crm_record_id = 'A1'), '030 / 12-34', 'the journal has our values as we wrote them');
select is(pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Follows"}', '{"company": "A1"}') || pg_temp.record('C2', '{"last_name": "Placed"}', '{"company": "A1"}')), 'created=2', 'contacts come with it');
insert into crm_companies (workspace_id, name) select id, 'Elsewhere' from w;
update crm_contacts set company_id = (select id from crm_companies where name = 'Elsewhere' and workspace_id = (select id from w)) where last_name = 'Placed';
insert into crm_contacts (workspace_id, last_name, company_id) select id, 'By hand', (pg_temp.ours('globex')).id from w;
insert into crm_contacts (workspace_id, last_name, email, company_id) select w.id, 'Known', 'known@globex.example', (pg_temp.ours('globex')).id from w;
insert into crm_contacts (workspace_id, last_name, email) select w.id, 'Brought', 'brought@globex.example' from w;
select is(pg_temp.merge('contacts', pg_temp.record('C3', '{"last_name": "Known", "email": "known@globex.example"}', '{"company": "A1"}') || pg_temp.record('C4', '{"last_name": "Brought", "email": "brought@globex.example"}', '{"company": "A1"}')),
  'updated=1 unchanged=1', 'also such as are ours, one placed by hand and one by the match');
select pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Deal", "stage_key": "lead"}', '{"company": "A1", "contact": "C1"}'));

select is(pg_temp.merge('accounts', pg_temp.record('A2', '{"name": "Globex Paris", "website": "globex.example"}')), 'created=2', 'a second one on a later page: both are new');
select isnt((pg_temp.company('A1')).id, (pg_temp.ours('globex')).id, 'the first has a record of its own');
select results_eq($$ select name, website, phone, industry, owner_label, created_by from pg_temp.company('A1') $$,
  $$ values ('Globex Berlin', 'https://globex.example', '+49 30 99', 'Oil', 'Else Where', null::uuid) $$, 'with its values');
select is(pg_temp.note((pg_temp.company('A1')).id), 'Added as a new company, no longer taken for one here: another record from Salesforce also has "globex.example".', 'and a note that says why');
select is(pg_temp.note((pg_temp.company('A2')).id), 'Added as a new company: another record from Salesforce already has "globex.example".', 'so has the second');
select results_eq($$ select name, website, phone, industry, owner_id, owner_label, domain from pg_temp.ours('globex') $$,
  $$ values ('Globex here', 'http://www.Globex.example/about', '030 / 12-34', null, null::uuid, null, 'globex.example') $$, 'ours is as it was');
select is((select count(*) from links where record_id = (pg_temp.ours('globex')).id), 0::bigint, 'and belongs to no record of that CRM');
select is((select matched_on from links where crm_record_id = 'A1'), null, 'the link knows that it is no match any more');
select results_eq($$ select action, record_id = (pg_temp.ours('globex')).id from journal where crm_record_id = 'A1' order by id $$,
  $$ values ('linked', true), ('created', false), ('unlinked', true) $$, 'the journal tells the whole story');
select results_eq($$ select before ->> 'phone', after ->> 'phone' from journal where action = 'unlinked' $$, $$ values ('+49 30 99', '030 / 12-34') $$, 'with values');
select is(pg_temp.log('accounts'), 'processed=2 created=2 updated=0 unchanged=0', 'the log counts each record once, as what became of it');

-- Children
select is((pg_temp.contact('C1')).company_id, (pg_temp.company('A1')).id, 'a contact that came with it follows');
select is((pg_temp.deal('D1')).company_id, (pg_temp.company('A1')).id, 'so does a deal');
select is((pg_temp.contact('C4')).company_id, (pg_temp.company('A1')).id, 'and one of ours that the match had placed there');
select isnt((pg_temp.contact('C2')).company_id, (pg_temp.company('A1')).id, 'one that a person has moved stays where it is');
select is((pg_temp.contact('C3')).company_id, (pg_temp.ours('globex')).id, 'so does one whom a person had placed at ours');
select is((select company_id from crm_contacts where last_name = 'By hand'), (pg_temp.ours('globex')).id, 'and one entered by hand');
select is((select after from journal where crm_record_id = 'C1' and action = 'updated'), jsonb_build_object('$company', (pg_temp.company('A1')).id), 'the journal has the move');

-- Again
create temp table first_time on commit drop as select crm_record_id, record_id, base from links;
create temp table stamps on commit drop as select id, updated_at from crm_companies where workspace_id = (select id from w);
select is(pg_temp.merge('accounts', pg_temp.record('A2', '{"name": "Globex Paris", "website": "globex.example"}')), 'unchanged=1', 'the page once more changes nothing');
select is(pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Globex Berlin", "website": "https://globex.example", "phone": "+49 30 99", "industry": "Oil"}', '{"owner": "U2"}')), 'unchanged=1', 'nor does the first record');
select is(pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Follows"}', '{"company": "A1"}')), 'unchanged=1', 'nor a child');
select results_eq($$ select crm_record_id, record_id, base from links order by 1 $$, $$ select * from first_time order by 1 $$, 'every link stays');
select is((select count(*) from crm_companies c join stamps s on s.id = c.id and s.updated_at = c.updated_at), (select count(*) from stamps), 'no company is touched');
select is(pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Globex Hamburg", "website": "https://globex.example"}')), 'updated=1', 'a change of the first record');
select results_eq($$ select (pg_temp.company('A1')).name, (pg_temp.ours('globex')).name $$, $$ values ('Globex Hamburg', 'Globex here') $$, 'goes to its own');

-- Three records
select is(pg_temp.merge('accounts', pg_temp.record('A3', '{"name": "Globex Rome", "website": "globex.example"}')), 'created=1', 'a third one is new as well');
select is((select count(distinct record_id) from links where crm_record_id in ('A1', 'A2', 'A3')), 3::bigint, 'three records, three companies');
insert into crm_companies (workspace_id, name, website, tags) select id, 'Trio', 'https://trio.example', '["trio"]' from w;
select pg_temp.merge('accounts', pg_temp.record('T1', '{"name": "Trio 1", "website": "trio.example"}'));
select is(pg_temp.merge('accounts', pg_temp.record('T2', '{"name": "Trio 2", "website": "trio.example"}') || pg_temp.record('T3', '{"name": "Trio 3", "website": "trio.example"}')), 'created=3', 'two at once take back one match');
select is((pg_temp.ours('trio')).name, 'Trio', 'and ours is itself again');
insert into crm_companies (workspace_id, name, website, tags) select id, 'Quad', 'https://quad.example', '["quad"]' from w;
select pg_temp.merge('accounts', pg_temp.record('Q1', '{"name": "Quad", "website": "quad.example"}'));
select is(pg_temp.merge('accounts', pg_temp.record('Q1', '{"name": "Quad news", "website": "quad.example"}') || pg_temp.record('Q2', '{"name": "Quad 2", "website": "quad.example"}')),
  'created=2 updated=1', 'the first record''s own news on the page of the second');
select results_eq($$ select (pg_temp.company('Q1')).name, (pg_temp.ours('quad')).name $$, $$ values ('Quad news', 'Quad') $$, 'go to its own');
insert into crm_companies (workspace_id, name, website) select id, 'Solo', 'https://solo.example' from w;
select is(pg_temp.merge('accounts', pg_temp.record('S1', '{"name": "Solo A", "website": "solo.example"}') || pg_temp.record('S2', '{"name": "Solo B", "website": "solo.example"}')), 'created=2', 'on one page there is no match to take back');
select is((select count(*) from journal where crm_record_id in ('S1', 'S2')), 2::bigint, 'and none is made');

-- Edited since
insert into crm_companies (workspace_id, name, website, phone, tags) select id, 'Hooli here', 'https://hooli.example', '1', '["hooli"]' from w;
select pg_temp.merge('accounts', pg_temp.record('E1', '{"name": "Hooli", "website": "hooli.example", "phone": "2", "industry": "Web"}'));
update crm_companies set phone = '3' where id = (pg_temp.ours('hooli')).id;
select pg_temp.merge('accounts', pg_temp.record('E1', '{"name": "Hooli Inc", "website": "hooli.example", "phone": "2", "industry": "Web"}'));
update crm_companies set industry = 'Search' where id = (pg_temp.ours('hooli')).id;
select pg_temp.merge('accounts', pg_temp.record('E1', '{"name": "Hooli Inc", "website": "hooli.example", "phone": "2", "industry": "Ads"}'));
select is((pg_temp.ours('hooli')).industry, 'Ads', 'a company that both sides went on editing');
select pg_temp.merge('accounts', pg_temp.record('E2', '{"name": "Hooli too", "website": "hooli.example"}'));
select is((pg_temp.ours('hooli')).name, 'Hooli here', 'gets back what all merges of the match together had changed');
select is((pg_temp.ours('hooli')).phone, '3', 'keeps what a person wrote since');
select is((pg_temp.ours('hooli')).industry, 'Search', 'and gets back what a person wrote in between');
select results_eq($$ select name, phone, industry from pg_temp.company('E1') $$, $$ values ('Hooli Inc', '2', 'Ads') $$, 'the CRM''s values are with its own record');

insert into crm_companies (workspace_id, name, domain, tags) select id, 'Bare', 'bare.example', '["bare"]' from w;
select pg_temp.merge('accounts', pg_temp.record('F1', '{"name": "Bare", "website": "https://bare.example"}')), pg_temp.merge('accounts', pg_temp.record('F2', '{"name": "Bare 2", "website": "https://bare.example"}'));
select results_eq($$ select website, domain from pg_temp.ours('bare') $$, $$ values (null, 'bare.example') $$, 'a domain without a website stays one');

-- Held back by a conflict
select pg_temp.settings('{}', 'manual_review');
insert into crm_companies (workspace_id, name, website, owner_id, tags) select id, 'Review', 'https://review.example', pg_temp.person('admin'), '["review"]' from w;
select is(pg_temp.merge('accounts', pg_temp.record('R1', '{"name": "Reviewed", "website": "http://review.example/x"}', '{"owner": "U2"}')), 'unchanged=1 conflicts=1', 'a match that waits for a person');
select is(pg_temp.merge('accounts', pg_temp.record('R2', '{"name": "Review 2", "website": "review.example"}')), 'created=2', 'is taken back too');
select results_eq($$ select name, domain, owner_id, owner_label from pg_temp.company('R1') $$, $$ values ('Reviewed', 'review.example', null::uuid, 'Else Where') $$, 'with what the conflict held back');
select is((select string_agg(status, ',') from conflicts where crm_record_id = 'R1'), 'resolved', 'and the conflict is none any more');
select is(pg_temp.merge('accounts', pg_temp.record('R1', '{"name": "Reviewed", "website": "http://review.example/x"}', '{"owner": "U2"}')), 'unchanged=1', 'also when it comes again');
select is((select has_conflict from links where crm_record_id = 'R1'), false, 'in accord');
select pg_temp.settings('{}');

-- What is gone
insert into crm_companies (workspace_id, name) select id, 'Doomed' from w;
insert into crm_contacts (workspace_id, last_name, email, company_id, owner_id) select w.id, 'Loose', 'loose@end.example', c.id, pg_temp.person('viewer')
  from w join crm_companies c on c.workspace_id = w.id and c.name = 'Doomed';
select pg_temp.merge('accounts', pg_temp.record('NEW', '{"name": "New home"}'));
select pg_temp.merge('contacts', pg_temp.record('L1', '{"last_name": "Loose", "email": "loose@end.example"}', '{"company": "NEW", "owner": "U2"}'));
select results_eq($$ select company_id, owner_label from pg_temp.contact('L1') $$, $$ values ((pg_temp.company('NEW')).id, 'Else Where') $$, 'a match that moved a contact of ours');
delete from crm_companies where name = 'Doomed' and workspace_id = (select id from w);
delete from workspace_members where user_id = pg_temp.person('viewer') and workspace_id = (select id from w);
select is(pg_temp.merge('contacts', pg_temp.record('L2', '{"last_name": "Loose 2", "email": "loose@end.example"}')), 'created=2', 'is taken back');
select results_eq($$ select company_id, owner_id, owner_label from crm_contacts where email = 'loose@end.example' and duplicate_of is null and workspace_id = (select id from w) $$,
  $$ values (null::uuid, null::uuid, null) $$, 'without the company and the owner that are gone');

-- A parent of its own, a family
insert into crm_companies (workspace_id, name, website, tags) select w.id, n, 'https://' || n || '.example', jsonb_build_array(n) from w, unnest('{mother,daughter,self}'::text[]) n;
select pg_temp.merge('accounts', pg_temp.record('MO', '{"name": "mother", "website": "mother.example"}'));
select pg_temp.merge('accounts', pg_temp.record('DA', '{"name": "daughter", "website": "daughter.example"}', '{"company": "MO"}') || pg_temp.record('SE', '{"name": "self", "website": "self.example"}', '{"company": "SE"}'));
select is((pg_temp.ours('daughter')).parent_company_id, (pg_temp.ours('mother')).id, 'a matched daughter is given its mother');
select is(pg_temp.merge('accounts', pg_temp.record('MO2', '{"name": "m", "website": "mother.example"}') || pg_temp.record('DA2', '{"name": "d", "website": "daughter.example"}') || pg_temp.record('SE2', '{"name": "s", "website": "self.example"}')),
  'created=6', 'three matches are taken back at once');
select is((pg_temp.company('DA')).parent_company_id, (pg_temp.company('MO')).id, 'daughter and mother stay together');
select is((pg_temp.ours('daughter')).parent_company_id, null, 'ours are apart as before');
select is((pg_temp.company('SE')).parent_company_id, null, 'nobody is its own parent');

-- Contacts
insert into crm_contacts (workspace_id, first_name, email, title) select id, 'Ann', 'Ann@Lee.example', 'Boss' from w;
select pg_temp.merge('contacts', pg_temp.record('P1', '{"first_name": "Anna", "last_name": "Lee", "email": "ann@lee.example", "title": "CEO"}', '{"company": "LATE"}'));
select pg_temp.merge('opportunities', pg_temp.record('D2', '{"name": "Ann''s deal", "stage_key": "lead"}', '{"contact": "P1"}'));
select pg_temp.merge('accounts', pg_temp.record('LATE', '{"name": "Late Inc"}'));
select is((pg_temp.contact('P1')).company_id, (pg_temp.company('LATE')).id, 'a matched contact whose company came later');
select is(pg_temp.merge('contacts', pg_temp.record('P2', '{"first_name": "Ann", "last_name": "Two", "email": "ANN@lee.example"}')), 'created=2', 'a second one with that e-mail: both are new');
select results_eq($$ select first_name, last_name, email, title, company_id from crm_contacts where first_name = 'Ann' and duplicate_of is null and workspace_id = (select id from w) $$,
  $$ values ('Ann', '', 'Ann@Lee.example', 'Boss', null::uuid) $$, 'ours is as it was, without the company');
select results_eq($$ select first_name, last_name, title, company_id, duplicate_of is not null from pg_temp.contact('P1') $$,
  $$ values ('Anna', 'Lee', 'CEO', (pg_temp.company('LATE')).id, true) $$, 'the first has its own row, which points to ours');
select is((pg_temp.contact('P2')).duplicate_of, (pg_temp.contact('P1')).duplicate_of, 'as the second does');
select is((pg_temp.deal('D2')).contact_id, (pg_temp.contact('P1')).id, 'its deal follows');
select ok(pg_temp.note((pg_temp.contact('P1')).id) like 'Added as a new contact, no longer taken for one here: another record from Salesforce also has "ann@lee.example".', 'and a note says why');

-- No rival
insert into crm_companies (workspace_id, name, website, tags) select w.id, n, 'https://' || n || '.example', jsonb_build_array(n) from w, unnest('{gone,moved,hidden,kept}'::text[]) n;
select pg_temp.merge('accounts', pg_temp.record('G1', '{"name": "Gone", "website": "gone.example"}') || pg_temp.record('M1', '{"name": "Moved", "website": "moved.example"}')
  || pg_temp.record('H1', '{"name": "Hidden", "website": "hidden.example"}') || pg_temp.record('K1', '{"name": "Kept", "website": "kept.example"}'));
select is(pg_temp.merge('accounts', pg_temp.record('G1', '{}', '{"deleted": true}') || pg_temp.record('G2', '{"name": "Gone 2", "website": "gone.example"}')), 'created=1 deleted=1', 'a record deleted in the CRM keeps its match');
select is(pg_temp.merge('accounts', pg_temp.record('M1', '{"name": "Moved", "website": "other.example"}') || pg_temp.record('M2', '{"name": "Moved 2", "website": "moved.example"}')), 'created=1 updated=1', 'so does one that gave the key up');
update crm_companies set deleted_at = now() where id = (pg_temp.ours('hidden')).id;
select is(pg_temp.merge('accounts', pg_temp.record('H2', '{"name": "Hidden 2", "website": "hidden.example"}')), 'created=1', 'and one whose record a person deleted here');
select pg_temp.settings('{"create_when_missing": false}');
select is(pg_temp.merge('accounts', pg_temp.record('K2', '{"name": "Kept 2", "website": "kept.example"}')), 'skipped=1', 'and where nothing may be added');
select is((select count(*) from links l join crm_companies c on c.id = l.record_id and c.tags ?| '{gone,moved,hidden,kept}' where matched_on is not null), 4::bigint, 'all four are still ours');
select pg_temp.settings('{}');

-- A later run, another CRM
select pg_temp.start('other', pg_temp.connect_crm('hubspot', 'portal1'));
select is(pg_temp.merge('accounts', pg_temp.record('X1', '{"name": "Late Inc", "website": "late.example"}'), run_name => 'other'), 'created=1', 'a company that another CRM brought');
insert into crm_companies (workspace_id, name, website, tags) select id, 'Later', 'https://later.example', '["later"]' from w;
select pg_temp.merge('accounts', pg_temp.record('L1', '{"name": "Later", "website": "later.example"}'), run_name => 'other');
select is(pg_temp.merge('accounts', pg_temp.record('N1', '{"name": "Late SF", "website": "late.example"}')), 'updated=1 conflicts=1', 'is matched by this one');
select is(pg_temp.merge('accounts', pg_temp.record('N2', '{"name": "Late SF 2", "website": "late.example"}')), 'created=2', 'until it shows a second');
select results_eq($$ select (pg_temp.company('X1')).name, (pg_temp.company('N1')).name $$, $$ values ('Late Inc', 'Late SF') $$, 'the other CRM keeps its company');
update crm_sync_operations set status = 'completed' where id = (select operation from run where name = 'other');
select pg_temp.start('next', (select config from run where name = 'other'));
select is(pg_temp.merge('accounts', pg_temp.record('L2', '{"name": "Later 2", "website": "later.example"}'), run_name => 'next'), 'created=2', 'a match of an earlier run is taken back');
select is(pg_temp.log('accounts', 'next'), 'processed=2 created=2 updated=0 unchanged=0', 'and counted in this one');

select * from finish();
rollback;
