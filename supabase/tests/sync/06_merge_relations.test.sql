-- The merge: owners, relations, deletions.

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
select is(pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee"}', '{"may_lag": true}')), 'unchanged=1', 'a search that lags behind still shows it');
select ok((select crm_deleted_at is not null from links where crm_record_id = 'C1'), 'and brings nothing back, not even with the time of the deletion');
select pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee"}', '{"may_lag": true, "modified_at": "2099-01-01T00:00:01Z"}'));
select is((select crm_deleted_at from links where crm_record_id = 'C1'), null, 'with a later time it is alive again');
select pg_temp.merge('contacts', pg_temp.record('C1', '{}', '{"deleted": true, "modified_at": "2099-01-01T00:00:02Z"}'));
select is(pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee"}')), 'unchanged=1', 'one that comes back under its old time, seen by name or in a list,');
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
select is(pg_temp.merge('contacts', pg_temp.record('C1', '{}', '{"deleted": true}')), 'deleted=1', 'deleted in the CRM as well');
select is((pg_temp.contact('C1')).deleted_at, now() - interval '1 day', 'it went when that person deleted it');
select is((select count(*) from journal where crm_record_id = 'C1' and action = 'deleted'), 1::bigint, 'of which the run has nothing to undo');
select pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee-Once-More"}'));
select ok((pg_temp.contact('C1')).deleted_at is not null, 'and stays so when the CRM has its own back');
select is(pg_temp.merge('contacts', pg_temp.record('C2', '{}', '{"deleted": true, "merged_into": "C4"}')), 'deleted=1', 'merged into another in the CRM');
select ok((pg_temp.contact('C2')).deleted_at is not null, 'goes here too, for it is the other one now');
delete from crm_contacts where id = (pg_temp.contact('C4')).id;
select is(pg_temp.merge('contacts', pg_temp.record('C4', '{"last_name": "Fickle"}', '{"company": "A1"}')), 'unchanged=1', 'a record removed here for good is not brought back by a sync');
select is(pg_temp.merge('contacts', pg_temp.record('C4', '{"last_name": "Changed"}', '{"company": "A1"}')), 'created=1', 'unless the CRM changes it');

select * from finish();
rollback;
