-- The merge, survivors: a record that the CRM merged into another is not lost; what belonged to it belongs to the survivor.

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

-- Salesforce keeps one of the two, and the children do not change there.
select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Acme"}') || pg_temp.record('A2', '{"name": "Acme Inc"}'));
select pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee"}', '{"company": "A2"}') || pg_temp.record('C2', '{"last_name": "Wong"}', '{"company": "A2"}'));
select pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Deal", "stage_key": "lead"}', '{"company": "A2", "contact": "C1"}'));
create temp table was on commit drop as select (pg_temp.company('A1')).id as acme, (pg_temp.company('A2')).id as loser;
insert into crm_contacts (workspace_id, last_name, company_id) select w.id, 'Local', was.loser from w, was;
insert into crm_notes (workspace_id, content, related_to_type, related_to_id) select w.id, 'Call them', 'company', was.loser from w, was;
insert into crm_tasks (workspace_id, title, related_to_type, related_to_id) select w.id, 'Call', 'company', was.loser from w, was;
update crm_contacts set title = 'Ours' where last_name = 'Wong';
select is(pg_temp.merge('accounts', pg_temp.record('A2', '{}', '{"deleted": true, "merged_into": "A1"}') || pg_temp.record('A1', '{"name": "Acme"}')),
  'unchanged=1 deleted=1', 'a company that was merged into another');
select ok((select deleted_at is not null from crm_companies, was where id = was.loser), 'is no company of its own any more');
select is((select string_agg(last_name, ',' order by last_name) from crm_contacts, was where company_id = was.acme), 'Lee,Local,Wong', 'its people are at the survivor, the one that no CRM knows as well');
select is((pg_temp.deal('D1')).company_id, (select acme from was), 'so is its deal');
select is((select count(*) from crm_notes, was where related_to_id = was.acme and content = 'Call them'), 1::bigint, 'its note');
select is((select count(*) from crm_tasks, was where related_to_id = was.acme), 1::bigint, 'and its task');
select is((select content from crm_notes, was where related_to_id = was.acme and content <> 'Call them'),
  'Merged in Salesforce with the company "Acme Inc"; what belonged to it is here now.', 'a note says where they come from');
select is((select merged_into from links where crm_record_id = 'A2'), 'A1', 'its link knows where it went');
select is((select string_agg(action || ' ' || entity_type, ', ' order by id) from journal where action in ('updated', 'deleted')),
  'updated contacts, updated contacts, updated contacts, updated opportunities, deleted accounts', 'the journal has every step');
select is(pg_temp.merge('accounts', pg_temp.record('A2', '{}', '{"deleted": true, "merged_into": "A1"}')), 'unchanged=1', 'told again, nothing happens');
select is(pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee"}', '{"company": "A1"}')), 'unchanged=1', 'a child that arrives under the survivor is no change');
select is((select app_edited_at is not null from links where crm_record_id = 'C2'), true, 'an edit of ours on a child is still one');
select is((select app_edited_at from links where crm_record_id = 'C1'), null, 'a child that only moved was not edited');

-- HubSpot gives the survivor an id of its own.
select pg_temp.merge('contacts', pg_temp.record('H1', '{"last_name": "One", "title": "Boss"}') || pg_temp.record('H2', '{"last_name": "Two"}'));
select pg_temp.merge('opportunities', pg_temp.record('D2', '{"name": "Second", "stage_key": "lead"}', '{"contact": "H2"}'));
create temp table people on commit drop as select (pg_temp.contact('H1')).id as one, (pg_temp.contact('H2')).id as two;
select is(pg_temp.merge('contacts', pg_temp.record('H9', '{"last_name": "One", "title": "Chief"}')
  || pg_temp.record('H1', '{}', '{"deleted": true, "merged_into": "H9"}') || pg_temp.record('H2', '{}', '{"deleted": true, "merged_into": "H9"}')),
  'updated=1 unchanged=1 deleted=1', 'two people who became a third');
select is((pg_temp.contact('H9')).id, (select one from people), 'the first goes on under the new id');
select is((pg_temp.contact('H9')).title, 'Chief', 'with what the CRM says of it');
select is((pg_temp.deal('D2')).contact_id, (select one from people), 'what the second had is the survivor''s');
select ok((select deleted_at is not null from crm_contacts, people where id = people.two), 'and the second is gone');
select is((select count(*) from links where crm_record_id = 'H1'), 0::bigint, 'the old id is forgotten');
select is(pg_temp.base('D2') ->> '$contact', 'H9', 'no base names an id that is gone');
select is(pg_temp.merge('contacts', pg_temp.record('H9', '{"last_name": "One", "title": "Chief"}')
  || pg_temp.record('H1', '{}', '{"deleted": true, "merged_into": "H9"}') || pg_temp.record('H2', '{}', '{"deleted": true, "merged_into": "H9"}')),
  'unchanged=3', 'the same page again changes nothing');

-- One after the other
select pg_temp.merge('accounts', pg_temp.record('B1', '{"name": "B1"}') || pg_temp.record('B2', '{"name": "B2"}') || pg_temp.record('B3', '{"name": "B3"}'));
select pg_temp.merge('contacts', pg_temp.record('E1', '{"last_name": "Chained"}', '{"company": "B1"}'));
select is(pg_temp.merge('accounts', pg_temp.record('B1', '{}', '{"deleted": true, "merged_into": "B2"}') || pg_temp.record('B2', '{}', '{"deleted": true, "merged_into": "B3"}')),
  'deleted=2', 'a survivor that went into a third');
select is((pg_temp.contact('E1')).company_id, (pg_temp.company('B3')).id, 'hands everything on');
select pg_temp.merge('accounts', pg_temp.record('P1', '{"name": "Mother"}') || pg_temp.record('P2', '{"name": "Daughter"}', '{"company": "P1"}'));
select pg_temp.merge('accounts', pg_temp.record('P1', '{}', '{"deleted": true, "merged_into": "P2"}'));
select is((pg_temp.company('P2')).parent_company_id, null, 'a daughter that took over its mother has none');
select is(pg_temp.merge('accounts', pg_temp.record('X1', '{}', '{"deleted": true, "merged_into": "A1"}')), 'unchanged=1', 'one that we never had is nothing to do');

-- Another CRM knows the one that went away.
select pg_temp.start('other', pg_temp.connect_crm('hubspot', 'portal1'));
select pg_temp.merge('contacts', pg_temp.record('K1', '{"last_name": "Kim", "email": "kim@x.example"}') || pg_temp.record('K2', '{"last_name": "Kim", "email": "k2@x.example"}'));
select pg_temp.merge('contacts', pg_temp.record('O2', '{"last_name": "Kim", "email": "k2@x.example"}'), run_name => 'other');
select pg_temp.merge('contacts', pg_temp.record('K2', '{}', '{"deleted": true, "merged_into": "K1"}'));
select is((pg_temp.contact('O2')).id, (pg_temp.contact('K1')).id, 'there it is linked to the survivor from now on');

-- A search that lags behind shows records as they were before the merge.
create temp table late (place int, id text, what text) on commit drop;
insert into late values (1, 'H1', 'the one whose record goes on under the new id'), (2, 'H2', 'the one that went into it'), (3, 'X2', 'one that was never seen here');
select pg_temp.merge('contacts', pg_temp.record('X2', '{}', '{"deleted": true, "merged_into": "H9"}'));
select is(pg_temp.merge('contacts', pg_temp.record(id, '{"last_name": "Late"}')), 'unchanged=1', 'a late page brings nothing back: ' || what) from late order by place;
select is(pg_temp.merge('contacts', pg_temp.record('H2', '{"last_name": "Two"}', '{"modified_at": "2098-12-31T00:00:00Z"}')), 'unchanged=1', 'nor does one from before');
select is((select count(*) from crm_contacts where last_name = 'Late' and workspace_id = (select id from w)), 0::bigint, 'nobody is doubled');
select ok((select deleted_at is not null from crm_contacts, people where id = people.two), 'who went into another stays gone');
-- Salesforce can take one that was merged away out of the bin.
select is(pg_temp.merge('contacts', pg_temp.record('H2', '{"last_name": "Two"}', '{"modified_at": "2099-01-02T00:00:00Z"}')), 'updated=1', 'one that came back after the merge');
select ok((select deleted_at is null from crm_contacts, people where id = people.two), 'is here again');
select is(pg_temp.merge('contacts', pg_temp.record('H2', '{}', '{"deleted": true, "merged_into": "H9", "modified_at": "2099-01-03T00:00:00Z"}')), 'deleted=1', 'merged away once more');
select is(pg_temp.merge('contacts', pg_temp.record('H2', '{"last_name": "Two"}', '{"modified_at": "2099-01-02T00:00:00Z"}')), 'unchanged=1', 'it is not brought back by what was before that');
select is((select merged_into from links where crm_record_id = 'H2'), 'H9', 'its link knows where it is');

-- A person had deleted ours before.
select pg_temp.merge('accounts', pg_temp.record('Q1', '{"name": "Stays"}') || pg_temp.record('Q2', '{"name": "Went before"}'));
update crm_companies set deleted_at = now() - interval '1 day' where id = (pg_temp.company('Q2')).id;
select is(pg_temp.merge('accounts', pg_temp.record('Q2', '{}', '{"deleted": true, "merged_into": "Q1"}')), 'deleted=1', 'what a person deleted here may be merged away there');
select is((select deleted_at from crm_companies where name = 'Went before' and workspace_id = (select id from w)), now() - interval '1 day', 'it went when that person deleted it');

select * from finish();
rollback;
