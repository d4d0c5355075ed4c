-- Settling: what the CRM answered.

\ir fixture.psql

select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Known", "phone": "1"}'), done => true), pg_temp.merge('contacts', '[]', done => true), pg_temp.merge('opportunities', '[]', done => true);
create temp table item (name text, item jsonb) on commit drop;
create function pg_temp.remember(label text, entity text) returns text language sql as $$
  delete from item where name = label;
  insert into item select label, i from jsonb_array_elements(pg_temp.take(entity)) i;
  select pg_temp.told(jsonb_agg(item)) from item where name = label
$$;
create function pg_temp.item(label text) returns jsonb language sql as $$ select item from item where name = label $$;

-- Created
insert into crm_companies (workspace_id, name, phone) select id, 'Acme', '030 1' from w;
insert into crm_contacts (workspace_id, company_id, first_name) select workspace_id, id, 'Ada' from crm_companies where name = 'Acme' and workspace_id = (select id from w);
select is(pg_temp.remember('acme', 'accounts'), 'create Acme {"name": "Acme", "phone": "030 1"}', 'a company goes to the CRM');
select is(pg_temp.take('contacts'), '[]', 'its contact waits');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('acme'), 'written', 'A2')), 'created=1', 'it is created');
select is((select base from links where crm_record_id = 'A2'), '{"name": "Acme", "phone": "030 1"}', 'both sides agree on what was sent');
select is((select count(*) from outbox where entity_type = 'accounts'), 0::bigint, 'nothing more to say');
select results_eq($$ select action, before, after from journal $$, $$ values ('created', null::jsonb, '{"name": "Acme", "phone": "030 1"}'::jsonb) $$, 'the journal tells of the CRM''s side');
select results_eq($$ select records_processed, records_synced, records_created, records_failed from crm_sync_logs l join run r on r.operation = l.operation_id where sync_direction = 'push' $$, $$ values (1, 1, 1, 0) $$, 'so does the log');
select is((select progress #> '{entities,accounts_to_crm}' from crm_sync_operations o join run r on r.operation = o.id), '{"done": 1, "total": 1}', 'and the progress');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('acme'), 'written', 'A2')), 'nothing', 'the same answer again changes nothing');
select is((select count(*) from journal), 1::bigint, 'in no place');
select is(pg_temp.told(pg_temp.take('contacts')), 'create Ada {"first_name": "Ada"} {"$company": "A2"}', 'now the contact can go, with its company');
select is(pg_temp.merge('accounts', pg_temp.record('A2', '{"name": "Acme", "phone": "0301"}')), 'unchanged=1', 'the CRM''s own spelling is no change');
select is(pg_temp.outbox(), 'contacts:Ada', 'and no edit of ours');

-- Updated
update crm_companies set name = 'Known better', phone = '2' where id = pg_temp.ours('A1');
select pg_temp.remember('known', 'accounts');
update crm_companies set phone = '3' where id = pg_temp.ours('A1');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('known'), 'written')), 'updated=1', 'an update is written while somebody edits on');
select is((select base from links where crm_record_id = 'A1'), '{"name": "Known better", "phone": "2"}', 'both sides agree on what was sent');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('known'), 'written')), 'nothing', 'the same answer again changes nothing');
select is(pg_temp.remember('known', 'accounts'), 'update Known better A1 {"phone": "3"}', 'the later edit is still to be sent');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('known'), 'written')), 'updated=1', 'and is');
select results_eq($$ select before, after from journal where action = 'updated' order by id $$,
  $$ values ('{"name": "Known", "phone": "1"}'::jsonb, '{"name": "Known better", "phone": "2"}'::jsonb), ('{"phone": "2"}', '{"phone": "3"}') $$, 'the journal tells before and after');
select is((select l.merged_at = c.updated_at and l.app_edited_at is null from links l join crm_companies c on c.id = l.record_id where l.crm_record_id = 'A1'), true, 'nobody has edited since');

-- Refused
insert into crm_companies (workspace_id, name) select id, 'Odd' from w;
select pg_temp.remember('odd', 'accounts');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('odd'), 'failed', null, '{"error": {"kind": "rejected", "code": "REQUIRED_FIELD", "message": "Industry is required.", "field": "Industry"}}')), 'failed=1', 'the CRM refuses a record');
select results_eq($$ select kind, code, message, field, status, attempts, record_id is not null from errors $$, $$ values ('rejected', 'REQUIRED_FIELD', 'Industry is required.', 'Industry', 'open', 1, true) $$, 'for a reason that people can see');
select is(pg_temp.take('accounts'), '[]', 'it is not tried again by itself');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('odd'), 'failed', null, '{"error": {"kind": "rejected", "code": "REQUIRED_FIELD", "message": "Industry is required."}}')), 'nothing', 'the same answer again changes nothing');
select is((select attempts from errors), 1, 'not the count either');
select is((select records_failed from crm_sync_logs l join run r on r.operation = l.operation_id where sync_direction = 'push'), 1, 'the run has a failure');
update crm_companies set industry = 'Steel', phone = '1' where name = 'Odd' and workspace_id = (select id from w);
select is(pg_temp.remember('odd', 'accounts'), 'create Odd {"name": "Odd", "phone": "1"}', 'an edit brings it back, as a create: it was certainly not made');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('odd'), 'written', 'A3')), 'created=1', 'and it gets through');
select is((select status from errors), 'resolved', 'which settles the error');
select is((select records_failed from crm_sync_logs l join run r on r.operation = l.operation_id where sync_direction = 'push'), 0, 'the run has none any more');

-- Disturbed
insert into crm_companies (workspace_id, name) select id, 'Late' from w;
select pg_temp.remember('late', 'accounts');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('late'), 'failed', null, '{"error": {"kind": "transient", "code": "timeout", "message": "No answer."}, "retry_after_ms": 600000}')), 'retried=1', 'no answer comes');
select results_eq($$ select not_before > now() + interval '9 minutes', intent_at is not null, attempts, dead from outbox where entity_type = 'accounts' $$, $$ values (true, true, 1, false) $$, 'it is tried again later, not before the CRM said');
select pg_temp.due('accounts');
select is(pg_temp.remember('late', 'accounts'), 'look_up Late', 'beginning with a look whether it is there');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('late'), 'missing')), 'retried=1', 'it is not');
select is(pg_temp.remember('late', 'accounts'), 'create Late {"name": "Late"}', 'so it is created');
select pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('late'), 'failed', null, '{"error": {"kind": "rate_limited", "code": "429", "message": "Slow down."}}'));
select pg_temp.due('accounts');
select is(pg_temp.remember('late', 'accounts'), 'create Late {"name": "Late"}', 'a CRM that is too busy has created nothing');
select pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('late'), 'failed', null, '{"error": {"kind": "transient", "code": "timeout", "message": "No answer."}}'));
select pg_temp.due('accounts');
select pg_temp.remember('late', 'accounts');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('late'), 'exists', 'A4')), 'linked=1', 'this time the create had arrived');
select is((select base from links where crm_record_id = 'A4'), '{}', 'what the CRM has of it is not known');
select is((select reason from private.crm_dirty where crm_record_id = 'A4' and config_id = (select config from run)), 'linked', 'so it is fetched');
select is(pg_temp.told(pg_temp.take('accounts')), 'update Late A4 {"name": "Late"}', 'or looked at before anything is written');
select pg_temp.merge('accounts', pg_temp.record('A4', '{"name": "Late"}'));
select is(pg_temp.take('accounts'), '[]', 'and found alike');

-- Dead letters
insert into crm_companies (workspace_id, name) select id, 'Never' from w;
do $$
begin
  for n in 1..5 loop
    perform pg_temp.due('accounts');
    perform pg_temp.remember('never', 'accounts');
    perform pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('never'), 'failed', null, '{"error": {"kind": "rejected", "code": "NO", "message": "No."}}'));
  end loop;
end $$;
select results_eq($$ select attempts, dead from outbox where entity_type = 'accounts' $$, $$ values (5, true) $$, 'refused five times, a record is given up');
select results_eq($$ select status, attempts from errors where status <> 'resolved' $$, $$ values ('dead', 5) $$, 'visibly');
select is((select not_before from outbox where entity_type = 'accounts'), 'infinity', 'and not tried again');
update crm_companies set phone = '9' where name = 'Never' and workspace_id = (select id from w);
select pg_temp.remember('never', 'accounts');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('never'), 'written', 'A5')), 'created=1', 'an edit revives it');
select is((select count(*) from errors where status <> 'resolved'), 0::bigint, 'and settles the error');
insert into crm_companies (workspace_id, name) select id, 'Slow' from w;
do $$
begin
  for n in 1..7 loop
    perform pg_temp.due('accounts');
    perform pg_temp.remember('slow', 'accounts');
    perform pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('slow'), 'failed', null, '{"error": {"kind": "transient", "code": "timeout", "message": "No answer."}}'));
  end loop;
end $$;
select is((select dead from outbox where entity_type = 'accounts'), false, 'what may pass by itself gets more patience');
select pg_temp.due('accounts'), pg_temp.remember('slow', 'accounts');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('slow'), 'failed', null, '{"error": {"kind": "transient", "code": "timeout", "message": "No answer."}}')), 'failed=1', 'but not for ever');
select is(pg_temp.again(), 'partial', 'a run with failures is not complete');
delete from private.crm_outbox where entity_type = 'accounts';

-- The same record twice
insert into crm_companies (workspace_id, name) select id, 'Acme again' from w;
select pg_temp.remember('twin', 'accounts');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('twin'), 'exists', 'A2')), 'failed=1', 'a record that the CRM takes for another one of ours is not linked');
select matches((select message from errors where status = 'open' and code = 'duplicate'), '^Salesforce has this company already, as "Acme" \(', 'the error names the other');
select is((select record_id from links where crm_record_id = 'A2'), (select id from crm_companies where name = 'Acme' and workspace_id = (select id from w)), 'whose link stays');
delete from private.crm_outbox where entity_type = 'accounts';
insert into crm_companies (workspace_id, name) select w.id, n from w, unnest('{Twin 1,Twin 2}'::text[]) n;
select is(pg_temp.settle('accounts', (select jsonb_agg(pg_temp.answer(i, 'exists', 'A6')) from jsonb_array_elements(pg_temp.take('accounts')) i)), 'failed=1 linked=1', 'nor are two of ours to one of theirs');
delete from private.crm_outbox where entity_type = 'accounts';

-- Deleted
select pg_temp.settings('{"delete_in_crm": true}');
update crm_companies set deleted_at = now() where id = pg_temp.ours('A3');
select pg_temp.remember('gone', 'accounts');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('gone'), 'written')), 'deleted=1', 'a deletion goes to the CRM');
select results_eq($$ select crm_deleted_at is not null, deleted_by from links where crm_record_id = 'A3' $$, $$ values (true, 'app') $$, 'the link knows whose it was');
select is(pg_temp.merge('accounts', pg_temp.record('A3', '{}', '{"deleted": true}')), 'unchanged=1', 'the CRM says so too');
update crm_companies set deleted_at = null where id = pg_temp.ours('A3');
select is(pg_temp.remember('back', 'accounts'), 'create Odd {"name": "Odd", "phone": "1"}', 'restored here, it is created anew');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('back'), 'written', 'A7')), 'created=1', 'under another id');
select results_eq($$ select crm_record_id, crm_deleted_at from links where record_id = pg_temp.ours('A7') $$, $$ values ('A7', null::timestamptz) $$, 'which takes the place of the old one');
update crm_companies set phone = '77' where id = pg_temp.ours('A7');
select pg_temp.remember('lost', 'accounts');
create function pg_temp.look() returns int language sql as $$
  select private.crm_settle_dirty(r.operation, r.fence, 'accounts', (select jsonb_agg(d) from private.crm_due_dirty(r.operation, r.fence, 'accounts', 9) d where d.crm_id <> 'A3')) from run r
$$;
create temp view gone as select d.crm_record_id, d.reason from private.crm_dirty d join run r on r.config = d.config_id where d.reason = 'gone';
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('lost'), 'gone')), 'retried=1', 'a record that the CRM does not know any more');
select results_eq('select * from gone', $$ values ('A7', 'gone') $$, 'is looked at: it may have been merged into another');
select is((select crm_deleted_at from links where crm_record_id = 'A7'), null, 'until then it counts as there');
select is(pg_temp.take('accounts'), '[]', 'and is not written to');
select pg_temp.look();
select is(pg_temp.remember('lost', 'accounts'), 'update Odd A7 {"phone": "77"}', 'found after all, it is written again');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('lost'), 'gone')), 'retried=1', 'and again');
select pg_temp.look(), pg_temp.remember('lost', 'accounts');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('lost'), 'gone')), 'failed=1', 'but not for ever');
select results_eq($$ select code, attempts from errors where status = 'open' and record_id = pg_temp.ours('A7') $$, $$ values ('gone', 3) $$, 'which a person is told');
update crm_companies set phone = '78' where id = pg_temp.ours('A7');
select pg_temp.remember('lost', 'accounts'), pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('lost'), 'gone'));
select pg_temp.merge('accounts', pg_temp.record('A7', '{}', '{"deleted": true}'));
select pg_temp.look();
select is(pg_temp.take('accounts'), '[]', 'found deleted there, it is not written to');
select is((select deleted_at from crm_companies where id = pg_temp.ours('A7')), null, 'and stays here');
select is(pg_temp.outbox(), 'contacts:Ada', 'alone');
update crm_companies set phone = '11' where id = pg_temp.ours('A5');
select pg_temp.remember('lost', 'accounts'), pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('lost'), 'gone'));
select pg_temp.merge('accounts', pg_temp.record('A5', '{}', '{"deleted": true, "merged_into": "A2"}') || pg_temp.record('A2', '{"name": "Acme", "phone": "0301"}', '{"modified_at": "2001-01-01T00:00:00Z"}'));
select pg_temp.look();
select is((select l.record_id is not null and c.deleted_at is null from links l join crm_companies c on c.id = l.record_id where l.crm_record_id = 'A2'), true, 'one that was merged there into another is one here as well, not deleted');
select is((select count(*) from gone), 0::bigint, 'nothing is left to look at');
delete from private.crm_outbox where entity_type = 'accounts' and config_id = (select config from run);
update crm_sync_errors set status = 'resolved' where config_id = (select config from run);

-- Deleted there, restored here
select pg_temp.settings('{"delete_when_deleted": true}');
create function pg_temp.delete_and_restore(crm text) returns text language plpgsql as $$
begin
  perform pg_temp.merge('accounts', pg_temp.record(crm, '{}', '{"deleted": true}'));
  if (select deleted_at is null from crm_companies where id = pg_temp.ours(crm)) then
    return 'not deleted';
  end if;
  update crm_companies set deleted_at = null where id = pg_temp.ours(crm);
  return pg_temp.remember('restored', 'accounts');
end $$;
create temp view notices as select e.record_id, e.status, e.message from errors e where e.code = 'kept_here';
select pg_temp.merge('accounts', pg_temp.record('R1', '{"name": "Back"}'));
select is(pg_temp.delete_and_restore('R1'), 'create Back {"name": "Back"}', 'what went with the CRM''s and is restored here is created there anew');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('restored'), 'written', 'R9')), 'created=1', 'as a new record');
select is((select string_agg(crm_record_id, ' ') from links where record_id = pg_temp.ours('R9')), 'R9', 'to which it is linked');
select is(pg_temp.merge('accounts', pg_temp.record('R1', '{}', '{"deleted": true}')), 'unchanged=1', 'the deletion told again means nothing');
select is(pg_temp.merge('accounts', pg_temp.record('R1', '{"name": "Back"}')), 'unchanged=1', 'nor does a late page that still shows the old one');
update crm_companies set phone = '5' where id = pg_temp.ours('R9');
select is(pg_temp.told(pg_temp.take('accounts')), 'update Back R9 {"phone": "5"}', 'later edits go to the new one');
select is(pg_temp.merge('accounts', pg_temp.record('R1', '{"name": "Back"}', '{"modified_at": "2099-06-01T00:00:00Z"}')), 'failed=1', 'the old one restored there is not added here');
select is((select count(*) from crm_companies where name = 'Back' and workspace_id = (select id from w)), 1::bigint, 'where there is one');
select is((select e.message from crm_sync_errors e where e.config_id = (select config from run) and e.code = 'back_again' and e.status = 'open'),
  'This company was gone from Salesforce, created there anew from ours as R9, and has been restored there since. Merge the two in Salesforce, or delete one of them.', 'a person is told');
select is(pg_temp.merge('accounts', pg_temp.record('R9', '{}', '{"deleted": true, "merged_into": "R1"}') || pg_temp.record('R1', '{"name": "Back"}', '{"modified_at": "2099-07-01T00:00:00Z"}')),
  'unchanged=2', 'merged there');
select results_eq($$ select c.deleted_at is null, (select e.status from crm_sync_errors e where e.config_id = (select config from run) and e.code = 'back_again') from crm_companies c where c.id = pg_temp.ours('R1') $$, $$ values (true, 'resolved') $$, 'it is the one that lives, and nothing is open');
delete from private.crm_outbox where entity_type = 'accounts';

select pg_temp.merge('accounts', pg_temp.record('R6', '{"name": "Twice gone"}'));
update crm_companies set deleted_at = now() - interval '1 day' where id = pg_temp.ours('R6');
select pg_temp.merge('accounts', pg_temp.record('R6', '{}', '{"deleted": true}'));
update crm_companies set deleted_at = null where id = pg_temp.ours('R6');
select is(pg_temp.told(pg_temp.take('accounts')), 'create Twice gone {"name": "Twice gone"}', 'so is what a person had deleted here before the CRM did');
select pg_temp.settings('{}');
select pg_temp.merge('accounts', pg_temp.record('R7', '{"name": "Gone on both"}'));
update crm_companies set deleted_at = now() - interval '1 day' where id = pg_temp.ours('R7');
select pg_temp.merge('accounts', pg_temp.record('R7', '{}', '{"deleted": true}'));
update crm_companies set deleted_at = null where id = pg_temp.ours('R7');
select matches(pg_temp.told(pg_temp.take('accounts')), 'create Gone on both', 'also where the CRM''s deletions change nothing here');
select pg_temp.settings('{"delete_when_deleted": true}');
delete from private.crm_outbox where entity_type = 'accounts';

select pg_temp.merge('opportunities', pg_temp.record('R4', '{"name": "Won back", "stage_key": "lead"}'));
select pg_temp.merge('opportunities', pg_temp.record('R4', '{}', '{"deleted": true}'));
update pipeline_projects set deleted_at = null where id = pg_temp.ours('R4');
select is(pg_temp.remember('deal', 'opportunities') like 'create Won back%', true, 'a deal goes the same way');
select pg_temp.settle('opportunities', pg_temp.answer(pg_temp.item('deal'), 'written', 'R5'));
select results_eq($$ select p.crm_id, p.crm_source, l.merged_at = p.updated_at from pipeline_projects p join links l on l.record_id = p.id where l.crm_record_id = 'R5' $$, $$ values ('R5', 'salesforce', true) $$,
  'and shows its new id, which is no edit');

-- Merged away there, restored here
select pg_temp.settings('{}');
select pg_temp.merge('accounts', pg_temp.record('M1', '{"name": "Survivor"}') || pg_temp.record('M2', '{"name": "Merged"}') || pg_temp.record('M3', '{"name": "Merged too"}'));
create temp table merged on commit drop as select pg_temp.ours('M2') as two, pg_temp.ours('M3') as three;
select pg_temp.merge('accounts', pg_temp.record('M2', '{}', '{"deleted": true, "merged_into": "M1", "modified_at": "2099-03-01T00:00:00Z"}') || pg_temp.record('M3', '{}', '{"deleted": true, "merged_into": "M1"}'));
update crm_companies set deleted_at = null where id = (select two from merged);
select is(pg_temp.remember('unmerged', 'accounts'), 'create Merged {"name": "Merged"}', 'what was merged away there and is restored here is created there anew');
select is(pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('unmerged'), 'written', 'M9')), 'created=1', 'as a record of its own');
select results_eq($$ select record_id, (select f.modified from private.crm_former_ids f join run r on r.config = f.config_id where f.crm_record_id = 'M2') from links where crm_record_id in ('M2', 'M9') $$,
  $$ select two, '2099-03-01T00:00:00Z' from merged $$, 'to which it is linked');
select is(pg_temp.merge('accounts', pg_temp.record('M2', '{}', '{"deleted": true, "merged_into": "M1", "modified_at": "2099-03-01T00:00:00Z"}') || pg_temp.record('M2', '{"name": "Late"}', '{"modified_at": "2099-02-01T00:00:00Z"}')), 'unchanged=1', 'the merge told again means nothing');
select pg_temp.settings('{"create_in_crm": false}');
update crm_companies set deleted_at = null where id = (select three from merged);
select is(pg_temp.told(pg_temp.take('accounts')), 'nothing', 'where nothing is created there, it stays here');
select is((select message from notices where record_id = (select three from merged)),
  'This company was merged into M1 in Salesforce and restored here. It stays here only, because this connection creates nothing there. Let it (create_in_crm), restore the company in Salesforce, or delete it here.', 'which a person is told');
update crm_sync_errors set status = 'resolved' where config_id = (select config from run);
delete from crm_sync_errors where config_id = (select config from run) and code = 'kept_here';
delete from private.crm_outbox where entity_type = 'accounts';

select pg_temp.settings('{"delete_when_deleted": true, "create_in_crm": false}');
select pg_temp.merge('accounts', pg_temp.record('R3', '{"name": "Kept"}'));
select is(pg_temp.delete_and_restore('R3'), 'nothing', 'where nothing is created there, it stays here');
select results_eq('select status, message from notices', $$ values ('open', 'This company was deleted in Salesforce and restored here. It stays here only, because this connection creates nothing there. Let it (create_in_crm), restore the company in Salesforce, or delete it here.') $$,
  'which a person is told');
update crm_companies set phone = '6' where id = pg_temp.ours('R3');
select is(pg_temp.told(pg_temp.take('accounts')), 'nothing', 'an edit stays here too');
select results_eq('select count(*), min(status) from notices', $$ values (1::bigint, 'open') $$, 'and the notice stands');
select is(pg_temp.outbox(), 'contacts:Ada', 'it costs no further look');
select pg_temp.merge('accounts', pg_temp.record('R3', '{"name": "Kept"}', '{"modified_at": "2099-06-01T00:00:00Z"}'));
select is(pg_temp.remember('kept', 'accounts'), 'update Kept R3 {"phone": "6"}', 'restored there as well, the edit goes out');
select pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('kept'), 'written'));
select is((select status from notices), 'resolved', 'and the notice is closed');
select is(pg_temp.delete_and_restore('R3'), 'nothing', 'deleted there and restored here once more');
select is((select count(*) from notices where status = 'open'), 1::bigint, 'it is told again');
select pg_temp.settings('{"delete_when_deleted": true, "create_in_crm": true}');
select is(pg_temp.remember('kept', 'accounts'), 'create Kept {"name": "Kept", "phone": "6"}', 'once records may be created there, it is');
select pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('kept'), 'written', 'R8'));
select is((select count(*) from notices where status = 'open'), 0::bigint, 'and nothing is open');
select pg_temp.settings('{}');
select pg_temp.merge('accounts', pg_temp.record('R8', '{}', '{"deleted": true}'));
update crm_companies set phone = '8' where id = pg_temp.ours('R8');
select is(pg_temp.told(pg_temp.take('accounts')), 'nothing', 'what stayed here when the CRM deleted its own was not restored, and stays here');
select pg_temp.merge('accounts', pg_temp.record('R8', '{"name": "Kept", "phone": "6"}', '{"modified_at": "2099-08-01T00:00:00Z"}'));
select is(pg_temp.remember('kept', 'accounts'), 'update Kept R8 {"phone": "8"}', 'until the CRM has its own back: what was edited meanwhile goes out');
select pg_temp.settle('accounts', pg_temp.answer(pg_temp.item('kept'), 'written'));
select pg_temp.merge('accounts', pg_temp.record('R8', '{}', '{"deleted": true}')), pg_temp.merge('accounts', pg_temp.record('R8', '{"name": "Kept", "phone": "8"}', '{"modified_at": "2099-09-01T00:00:00Z"}'));
select is(pg_temp.outbox(), 'contacts:Ada', 'where nothing was, nothing is due');
update crm_sync_errors set status = 'resolved' where config_id = (select config from run);

-- Deals
insert into pipeline_projects (workspace_id, name, stage_key, estimated_value, expected_close_date) select id, 'Engine', 'won', 10, '2027-02-28' from w;
select is(pg_temp.remember('deal', 'opportunities'), 'create Engine {"name": "Engine", "stage_key": "won", "probability": 100, "estimated_value": 10.00, "expected_close_date": "2027-02-28"}', 'a deal goes out with its dates as text');
select pg_temp.settle('opportunities', pg_temp.answer(pg_temp.item('deal'), 'written', 'D1'));
select results_eq($$ select p.sync_status, p.crm_id, l.merged_at = p.updated_at from pipeline_projects p join links l on l.record_id = p.id where l.crm_record_id = 'D1' $$, $$ values ('synced', null::text, true) $$, 'and shows that it got there, which is no edit');
update pipeline_projects set name = 'Engine 2' where id = pg_temp.ours('D1');
select pg_temp.remember('deal', 'opportunities');
select pg_temp.settle('opportunities', pg_temp.answer(pg_temp.item('deal'), 'written', null, '{"problems": [{"code": "not_an_option", "message": "Salesforce got this record without Region.", "field": "Region"}]}'));
select results_eq($$ select p.sync_status, e.message, l.merged_at = p.updated_at from pipeline_projects p join links l on l.record_id = p.id join crm_sync_errors e on e.record_id = p.id and e.status = 'open' where l.crm_record_id = 'D1' $$,
  $$ values ('failed', 'Salesforce got this record without Region.', true) $$, 'a deal that went in part does not pass for one that is in step; its open error says what is missing');
select pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Engine 2", "stage_key": "won", "probability": 90, "estimated_value": 10, "expected_close_date": "2027-02-28"}'));
select results_eq($$ select sync_status, probability::int from pipeline_projects where id = pg_temp.ours('D1') $$, $$ values ('failed', 90) $$, 'what the CRM changes of it meanwhile does not make it so');
update pipeline_projects set description = 'looked at' where id = pg_temp.ours('D1');
select pg_temp.take('opportunities');
select results_eq($$ select p.sync_status, l.merged_at = p.updated_at, (select e.status from errors e where e.record_id = p.id order by e.last_seen_at desc limit 1), pg_temp.outbox()
    from pipeline_projects p join links l on l.record_id = p.id where l.crm_record_id = 'D1' $$,
  $$ values ('synced', true, 'resolved', 'contacts:Ada') $$, 'one of which nothing is left to send is in step again, which is no edit either');
update pipeline_projects set name = 'Engine 2b' where id = pg_temp.ours('D1');
select pg_temp.remember('deal', 'opportunities');
select pg_temp.settle('opportunities', pg_temp.answer(pg_temp.item('deal'), 'failed', null, '{"error": {"kind": "rejected", "code": "no", "message": "No."}}'));
insert into crm_sync_errors (workspace_id, config_id, entity_type, direction, record_id, kind, code, message)
select w.id, pg_temp.connect_crm('hubspot', 'elsewhere'), 'opportunities', 'push', pg_temp.ours('D1'), 'rejected', 'no', 'Nor here.' from w;
update pipeline_projects set name = 'Engine 2c' where id = pg_temp.ours('D1');
select pg_temp.remember('deal', 'opportunities');
select pg_temp.settle('opportunities', pg_temp.answer(pg_temp.item('deal'), 'written'));
select is((select sync_status from pipeline_projects where id = pg_temp.ours('D1')), 'failed', 'nor is one that another CRM has not got');
delete from crm_sync_configs where workspace_id = (select id from w) and external_account_id = 'elsewhere';
insert into crm_sync_conflicts (workspace_id, config_id, entity_type, entity_id, crm_record_id, app_data, crm_data, conflicting_fields)
select w.id, pg_temp.connect_crm('hubspot', 'differs'), 'opportunities', pg_temp.ours('D1'), 'H1', '{"name": "a"}', '{"name": "b"}', '{name}' from w;
update pipeline_projects set name = 'Engine 2d' where id = pg_temp.ours('D1');
select pg_temp.remember('deal', 'opportunities');
select pg_temp.settle('opportunities', pg_temp.answer(pg_temp.item('deal'), 'written'));
select is((select sync_status from pipeline_projects where id = pg_temp.ours('D1')), 'conflict', 'one that gets through shows the conflict that waits meanwhile');
update pipeline_projects set sync_status = 'failed', description = 'looked at again' where id = pg_temp.ours('D1');
select pg_temp.take('opportunities');
select is((select sync_status from pipeline_projects where id = pg_temp.ours('D1')), 'conflict', 'so does one of which nothing is left to send');
delete from crm_sync_configs where workspace_id = (select id from w) and external_account_id = 'differs';
update pipeline_projects set sync_status = 'failed' where id = pg_temp.ours('D1');
update pipeline_projects set name = 'Engine 3' where id = pg_temp.ours('D1');
select pg_temp.remember('deal', 'opportunities');
select pg_temp.settle('opportunities', pg_temp.answer(pg_temp.item('deal'), 'written'));
select is((select sync_status from pipeline_projects where id = pg_temp.ours('D1')), 'synced', 'once all of it got there, it does');

-- Read back before it was looked for
insert into pipeline_projects (workspace_id, name, stage_key) select id, 'Lost', 'lead' from w;
select pg_temp.remember('echo', 'opportunities');
select is(pg_temp.merge('opportunities', pg_temp.record('D2', '{"name": "Lost", "stage_key": "lead", "probability": 10}')), 'created=1', 'a deal whose create got no answer is read back as a new one');
update private.crm_outbox set intent_at = now() where record_id = (pg_temp.item('echo') ->> 'key')::uuid;
update item set item = item || (select jsonb_build_object('version', o.version::text, 'action', 'look_up') from outbox o where o.record_id = (item ->> 'key')::uuid) where name = 'echo';
select is(pg_temp.settle('opportunities', pg_temp.answer(pg_temp.item('echo'), 'exists', 'D2')), 'linked=1', 'and recognised when it is looked for');
select is((select count(*) from pipeline_projects where name = 'Lost' and workspace_id = (select id from w)), 1::bigint, 'so there is one of it');
select is(pg_temp.ours('D2'), (pg_temp.item('echo') ->> 'key')::uuid, 'the one that was here first');
select is((select count(*) from pg_temp.told(pg_temp.take('opportunities')) t where t like '%Lost%'), 0::bigint, 'which has nothing to say');

-- Counts
select is((select records_created from crm_sync_logs l join run r on r.operation = l.operation_id where sync_direction = 'push' and entity_type = 'accounts'), 4, 'the run counts its own');
create temp table ended on commit drop as select operation from run;
select pg_temp.again();
select results_eq($$ select (results #>> '{accounts,push,created}')::int, (results #>> '{accounts,push,deleted}')::int, (results #>> '{accounts,unchanged}')::int from crm_sync_operations o join ended e on e.operation = o.id $$,
  $$ values (4, 1, 10) $$, 'the results tell both directions apart');
-- A search that lags behind shows what was there before the write
select pg_temp.settings('{}');
select pg_temp.merge('contacts', pg_temp.record('L1', '{"last_name": "Late", "title": "Old"}', '{"modified_at": "2030-01-01T10:00:00Z"}'));
update crm_contacts set title = 'Ours' where id = pg_temp.ours('L1');
select is(pg_temp.settle('contacts', pg_temp.answer(pg_temp.take('contacts', records => array[pg_temp.ours('L1')]) -> 0, 'written', more => '{"modified": "2030-01-01T11:00:00Z"}')),
  'updated=1', 'an edit is written, and the CRM says when');
select is(pg_temp.merge('contacts', pg_temp.record('L1', '{"last_name": "Late", "title": "Old"}', '{"modified_at": "2030-01-01T10:00:00Z"}')), 'unchanged=1', 'the record as it was before');
select is((select title from crm_contacts where id = pg_temp.ours('L1')), 'Ours', 'takes nothing back');

select throws_ok($$ select private.crm_settle_outbound(operation, fence - 1, 'accounts', '[]') from run $$, 'PC007', null, 'a worker that lost its lease settles nothing');
select is(current_setting('pipeline_crm.sync_config', true), '', 'afterwards nobody is taken for the connection');

select * from finish();
rollback;
