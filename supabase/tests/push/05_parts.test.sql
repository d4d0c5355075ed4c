-- Records that get through in part: without fields that do not fit, in another spelling, less a relation; and a create that may
-- have been done.

\ir fixture.psql

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
