-- Undo of what was pushed: the CRM gets back what it had, unless somebody has changed it there since.

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

-- A run that pushed, as the push leaves it: the base has what was sent, the journal both sides of it.
select pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee", "email": "ann@lee.example", "title": "CEO"}') || pg_temp.record('C2', '{"last_name": "Ray", "title": "CTO"}')
  || pg_temp.record('C3', '{"last_name": "New"}') || pg_temp.record('C4', '{"last_name": "Gone", "title": "COO"}'));
create temp table ids on commit drop as select crm_record_id, record_id from links;
create function pg_temp.id(crm text) returns uuid language sql as $$ select record_id from ids where crm_record_id = crm $$;
select private.crm_finish(r.operation, r.fence, 'completed', null) from run r;
create temp table pushed on commit drop as select config from run;
delete from run;
select pg_temp.start('crm', (select config from pushed));
update crm_contacts set title = 'Chair' where id in (pg_temp.id('C1'), pg_temp.id('C2'));
update private.crm_record_links set base = base || '{"title": "Chair"}' where record_id in (pg_temp.id('C1'), pg_temp.id('C2'));
update private.crm_record_links set crm_deleted_at = now() where record_id = pg_temp.id('C4');
insert into private.crm_journal (operation_id, entity_type, record_id, crm_record_id, side, action, before, after)
select r.operation, 'contacts', pg_temp.id(j.crm), j.crm, 'crm', j.action, j.before, j.after
from run r, (values ('C1', 'updated', '{"title": "CEO"}'::jsonb, '{"title": "Chair"}'::jsonb), ('C2', 'updated', '{"title": "CTO"}', '{"title": "Chair"}'),
  ('C3', 'created', null, '{"last_name": "New"}'), ('C4', 'deleted', '{"last_name": "Gone", "title": "COO"}', null)) j (crm, action, before, after);
select private.crm_finish(r.operation, r.fence, 'completed', null) from run r;
create temp table op on commit drop as select operation as id from run;

update crm_sync_configs set sync_direction = 'pull' where workspace_id = (select id from w);
select is(pg_temp.try_as('admin', format($$ select (crm_undo_sync(%L)).status $$, (select id from op))), 'PC008', 'a connection that may not write to the CRM cannot put anything back there');
update crm_sync_configs set sync_direction = 'bidirectional' where workspace_id = (select id from w);
select is(pg_temp.try_as('admin', format($$ select (crm_undo_sync(%L)).status $$, (select id from op))), 'queued', 'what concerns the CRM is for the worker');
create temp table u on commit drop as select o.id, k.fence, k.phases, k.operation from crm_sync_operations o, private.crm_claim(o.id, 'test', 60) k where o.undoes = (select id from op);
select results_eq($$ select operation, phases from u $$, $$ values ('undo', '{push}'::text[]) $$, 'in a run that pushes and reads nothing');
select is((select private.crm_undo_page(u.id, u.fence, 3) from u), '{"left": true}', 'the journal is read in pages');
select is((select private.crm_undo_page(u.id, u.fence, 3) from u), '{"left": false}', 'to its end');
select is((select private.crm_begin_push(u.id, u.fence, 'contacts') from u), 4, 'four records are to be put back');
create function pg_temp.take(records uuid[] default null) returns jsonb language sql as $$ select private.crm_take_outbound(u.id, u.fence, 'contacts', 10, records) -> 'items' from u $$;
create function pg_temp.item(items jsonb, crm text) returns jsonb language sql as $$ select i from jsonb_array_elements(items) i where (i ->> 'key')::uuid = pg_temp.id(crm) $$;
-- Somebody changed C2 in the CRM; the worker looks before it writes and finds it.
create temp table items on commit drop as select pg_temp.take() as taken;
select results_eq($$ select pg_temp.item(taken, 'C1') - '{key,match}'::text[] from items $$,
  $$ values ('{"version": "0", "action": "update", "crm_id": "C1", "intent_at": null, "values": {"title": "CEO"}, "relations": {}, "verify": true, "updated_at": null}'::jsonb) $$, 'a changed record gets its value back, after a look');
select results_eq($$ select pg_temp.item(taken, 'C3') ->> 'action', pg_temp.item(taken, 'C4') ->> 'action', pg_temp.item(taken, 'C4') -> 'values' from items $$,
  $$ values ('delete', 'create', '{"last_name": "Gone", "title": "COO"}'::jsonb) $$, 'what was made is deleted, what was deleted made anew');
select is(pg_temp.item(pg_temp.take(), 'C4') ->> 'action', 'look_up', 'a creation that may have been sent is looked for first');
update private.crm_record_links set base = base || '{"title": "Their own"}' where record_id = pg_temp.id('C2');
select is(pg_temp.item(pg_temp.take(array[pg_temp.id('C1'), pg_temp.id('C2')]), 'C2'), null, 'what somebody changed there since is kept');
select is((select message from crm_sync_errors e, u where e.operation_id = u.id), 'Edited since and kept: Title.', 'and listed');
select is((select private.crm_settle_outbound(u.id, u.fence, 'contacts', jsonb_build_array(
    jsonb_build_object('key', pg_temp.id('C1'), 'version', '0', 'action', 'update', 'outcome', 'written', 'sent', '{"title": "CEO"}'::jsonb),
    jsonb_build_object('key', pg_temp.id('C3'), 'version', '0', 'action', 'delete', 'outcome', 'failed', 'error', '{"kind": "transient"}'::jsonb),
    jsonb_build_object('key', pg_temp.id('C4'), 'version', '0', 'action', 'look_up', 'outcome', 'missing'))) from u),
  '{"created": 0, "updated": 1, "deleted": 0, "failed": 0, "linked": 0, "retried": 2}', 'what did not work is tried again');
select results_eq($$ select l.base ->> 'title', c.title, k.status, k.origin, k.app_data, k.crm_data from private.crm_record_links l join crm_contacts c on c.id = l.record_id
    left join crm_sync_conflicts k on k.entity_id = c.id and k.status = 'pending' where l.record_id = pg_temp.id('C1') $$,
  $$ values ('CEO', 'Chair', 'pending', 'undo', '{"title": "Chair"}'::jsonb, '{"title": "CEO"}'::jsonb) $$, 'ours differs now, and a conflict holds both');
select is(pg_temp.item(pg_temp.take(), 'C4') ->> 'action', 'create', 'not found: it is created');
select is((select private.crm_settle_outbound(u.id, u.fence, 'contacts', jsonb_build_array(
    jsonb_build_object('key', pg_temp.id('C3'), 'version', '1', 'action', 'delete', 'outcome', 'written'),
    jsonb_build_object('key', pg_temp.id('C4'), 'version', '1', 'action', 'create', 'outcome', 'written', 'crm_id', 'C44', 'sent', '{"last_name": "Gone", "title": "COO"}'::jsonb))) from u),
  '{"created": 1, "updated": 0, "deleted": 1, "failed": 0, "linked": 0, "retried": 0}', 'the rest');
select results_eq($$ select crm_record_id, crm_deleted_at is null from private.crm_record_links where record_id in (pg_temp.id('C3'), pg_temp.id('C4')) order by 1 $$,
  $$ values ('C3', false), ('C44', true) $$, 'links know');
select is((select private.crm_begin_push(u.id, u.fence, 'contacts') from u), 0, 'nothing is left');
select private.crm_finish(u.id, u.fence, 'completed', null) from u;
select results_eq($$ select status, results - 'contacts' from crm_sync_operations where id = (select id from u) $$, $$ values ('completed', '{"restored": 3, "kept_because_edited": 1, "failed": 0}'::jsonb) $$, 'the results count it');
select results_eq($$ select crm_record_id, action, before, after from private.crm_journal where operation_id = (select id from u) order by crm_record_id $$,
  $$ values ('C1', 'updated', '{"title": "Chair"}'::jsonb, '{"title": "CEO"}'::jsonb), ('C3', 'deleted', '{"last_name": "New"}', null), ('C44', 'created', null, '{"last_name": "Gone", "title": "COO"}') $$, 'and the journal has it, for an undo of the undo');

-- The CRM may refuse it all, or be lost half way: each record that it keeps is listed, with the reason, however the run ends.
create function pg_temp.pushed() returns uuid language plpgsql as $$
declare
  r run;
begin
  perform pg_temp.start('next', (select config from pushed));
  select * into r from run where name = 'next';
  insert into private.crm_journal (operation_id, entity_type, record_id, crm_record_id, side, action, before, after)
  values (r.operation, 'contacts', pg_temp.id('C1'), 'C1', 'crm', 'updated', '{"title": "Chair"}', '{"title": "CEO"}'),
    (r.operation, 'contacts', pg_temp.id('C2'), 'C2', 'crm', 'created', null, '{"last_name": "Ray"}');
  perform private.crm_finish(r.operation, r.fence, 'completed', null);
  delete from run where name = 'next';
  return r.operation;
end $$;
-- Undoes a run as far as the push, which takes what is due.
create temp table again (n int generated always as identity, id uuid, fence bigint) on commit drop;
create temp view latest as select id, fence from again order by n desc limit 1;
create function pg_temp.undo_until_push() returns uuid language plpgsql as $$
declare
  op constant uuid := pg_temp.pushed();
  r again;
begin
  perform pg_temp.try_as('admin', format('select (crm_undo_sync(%L)).id', op));
  insert into again (id, fence) select o.id, k.fence from crm_sync_operations o, private.crm_claim(o.id, 'test', 60) k where o.undoes = op returning * into r;
  perform private.crm_undo_page(r.id, r.fence, 100), private.crm_take_outbound(r.id, r.fence, 'contacts', 10);
  return r.id;
end $$;
create function pg_temp.report(op uuid) returns text language sql as $$
  select concat_ws(' | ', o.status, o.results ->> 'restored', o.results ->> 'failed', (select count(*) from private.crm_compensations k where k.operation_id = op),
    (select string_agg(e.message, ' / ' order by e.message) from crm_sync_errors e where e.operation_id = op and e.record_id is not null and e.status = 'resolved'))
  from crm_sync_operations o where o.id = op
$$;
select pg_temp.undo_until_push();
select private.crm_note_error(a.id, a.fence, 'contacts', 'rejected', 'no_access', 'Salesforce lets this user edit no contacts.'), private.crm_finish(a.id, a.fence, 'partial', 'Not everything.')
from latest a;
select is(pg_temp.report(id), 'failed | 0 | 2 | 0 | The CRM keeps what the run wrote to Title: Salesforce lets this user edit no contacts. / The CRM still has this record: Salesforce lets this user edit no contacts.',
  'an entity that the CRM refuses as a whole: each record is listed with its reason, and an undo that put nothing back has failed') from latest;
select pg_temp.undo_until_push();
select private.crm_settle_outbound(a.id, a.fence, 'contacts', jsonb_build_array(
    jsonb_build_object('key', pg_temp.id('C1'), 'version', '0', 'action', 'update', 'outcome', 'written', 'sent', '{"title": "Chair"}'::jsonb))), private.crm_finish(a.id, a.fence, 'partial', 'Not everything.')
from latest a;
select is(pg_temp.report(id), 'partial | 1 | 1 | 0 | The CRM still has this record: Not everything.', 'one that put something back is partial') from latest;
select pg_temp.try_as('member', format('select (crm_cancel_sync(%L)).id', pg_temp.undo_until_push()));
select matches(pg_temp.report(id), '^cancelled \| 0 \| 1 \| 0 \| .*The CRM still has this record: Cancelled by a person\.', 'one that a person cancels lists the rest as well') from latest;

select * from finish();
rollback;
