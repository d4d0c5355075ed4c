-- Undo: a run is taken back field by field; what somebody edited since stays.

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

create function pg_temp.undo(who text, op uuid) returns text language sql as $$
  select pg_temp.try_as(who, format($q$ select concat_ws(' ', u.status, u.results ->> 'restored', u.results ->> 'kept_because_edited', u.results ->> 'failed') from crm_undo_sync(%L) u $q$, op))
$$;
-- Ends the run in hand and begins the next.
create function pg_temp.finish() returns uuid language plpgsql as $$
declare
  r run;
begin
  select * into r from run where name = 'crm';
  perform private.crm_finish(r.operation, r.fence, 'completed', null);
  delete from run where name = 'crm';
  perform pg_temp.start('crm', r.config);
  return r.operation;
end $$;
create function pg_temp.stop() returns void language plpgsql as $$
begin
  perform private.crm_finish(r.operation, r.fence, 'completed', null) from run r;
end $$;
create function pg_temp.go() returns void language plpgsql as $$
declare
  c uuid := (select config from run);
begin
  delete from run;
  perform pg_temp.start('crm', c);
end $$;
create temp table op (name text primary key, id uuid) on commit drop;
create function pg_temp.undo_of(op uuid) returns uuid language sql as $$ select id from crm_sync_operations where undoes = op order by created_at desc, id limit 1 $$;

insert into crm_contacts (workspace_id, first_name, last_name, email, title) select id, 'Met', 'Here', 'met@x.example', null from w;
select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Globex", "website": "https://globex.example"}'));
select pg_temp.merge('contacts', pg_temp.record('C1', '{"first_name": "Ann", "last_name": "Lee", "email": "ann@lee.example", "title": "CEO"}') || pg_temp.record('C2', '{"first_name": "Bob", "last_name": "Ray", "title": "CTO"}')
  || pg_temp.record('C3', '{"first_name": "Cyd", "last_name": "Oh"}', '{"company": "A1"}'));
insert into op values ('first', pg_temp.finish());

select pg_temp.settings('{"delete_when_deleted": true}');
select pg_temp.merge('contacts', pg_temp.record('C1', '{"first_name": "Anna", "last_name": "Lee", "email": "ann@lee.example", "title": "Chair"}', '{"owner": "U1"}')
  || pg_temp.record('C2', '{}', '{"deleted": true}') || pg_temp.record('C4', '{"first_name": "Met", "last_name": "Here", "email": "met@x.example", "title": "VP"}'));
select pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Deal", "stage_key": "lead"}', '{"company": "A1"}'));
insert into op values ('second', pg_temp.finish());
create temp table ids on commit drop as select crm_record_id, record_id from links;
create function pg_temp.was(crm text) returns crm_contacts language sql as $$ select c from crm_contacts c join ids i on i.record_id = c.id where i.crm_record_id = crm $$;

-- Who may, and when
select is(pg_temp.undo('member', (select id from op where name = 'second')), 'PC002', 'a member undoes nothing');
select is(pg_temp.undo('outsider', (select id from op where name = 'second')), 'PC001', 'a stranger finds nothing');
select is(pg_temp.undo('admin', gen_random_uuid()), 'PC001', 'nor does anybody under a made-up id');
select is(pg_temp.undo('admin', (select operation from run)), 'PC008', 'a run that goes on cannot be undone');
select is(pg_temp.undo('admin', (select id from op where name = 'second')), 'PC006', 'nor any while another goes on');
select pg_temp.stop();
update crm_sync_operations set journal_purged_at = now() where id = (select id from op where name = 'second');
select is(pg_temp.undo('admin', (select id from op where name = 'second')), 'PC008', 'a run of which only half is remembered is not half undone');
update crm_sync_operations set journal_purged_at = null where id = (select id from op where name = 'second');
update crm_sync_configs set last_sync_at = null, last_sync_status = null where workspace_id = (select id from w);

-- Everything
update crm_contacts set title = 'Edited here' where id = (pg_temp.was('C1')).id;
select is(pg_temp.undo('admin', (select id from op where name = 'second')), 'completed 4 1 0', 'an undo: four records put back, one field kept');
select results_eq($$ select first_name, title, owner_id from pg_temp.was('C1') $$, $$ values ('Ann', 'Edited here', null::uuid) $$, 'fields are as they were, but for the one that somebody edited since');
select is((select message from crm_sync_errors where operation_id = pg_temp.undo_of((select id from op where name = 'second'))), 'Edited since and kept: Title.', 'which is listed');
select is((pg_temp.was('C2')).deleted_at, null, 'what was deleted is back');
select isnt((select deleted_at from pipeline_projects p join ids i on i.record_id = p.id where i.crm_record_id = 'D1'), null, 'what was made is gone');
select results_eq($$ select title, (select count(*) from links where record_id = (pg_temp.was('C4')).id) from pg_temp.was('C4') $$, $$ values (null, 0::bigint) $$, 'what was linked is separate, with its own values');
select results_eq($$ select actor_id, action from crm_audit_log where action = 'sync_undone' and workspace_id = (select id from w) $$, $$ values (pg_temp.person('admin'), 'sync_undone') $$, 'the audit log has it');
select results_eq($$ select operation, undoes, results #>> '{contacts,updated}' from crm_sync_operations where id = pg_temp.undo_of((select id from op where name = 'second')) $$,
  $$ select 'undo', id, '3' from op where name = 'second' $$, 'it is a run of its own, with counts per entity');
select results_eq($$ select origin, status, app_data, crm_data from conflicts where crm_record_id = 'C1' and status = 'pending' $$,
  $$ values ('undo', 'pending', '{"$owner": null, "first_name": "Ann"}'::jsonb, jsonb_build_object('$owner', 'member:' || pg_temp.person('member'), 'first_name', 'Anna')) $$, 'where the CRM has something else, a conflict holds both');
select is((select count(*) from private.crm_outbox o where o.config_id = (select config from run) and o.record_id = (pg_temp.was('C2')).id), 0::bigint, 'nothing is pushed by itself');

-- The next run brings nothing of it back
select results_eq($$ select last_sync_at, last_sync_status from crm_sync_configs where workspace_id = (select id from w) $$, $$ values (null::timestamptz, null) $$, 'which was no a sync of the connection');
select pg_temp.go();
select pg_temp.merge('contacts', pg_temp.record('C1', '{"first_name": "Anna", "last_name": "Lee", "email": "ann@lee.example", "title": "Chair"}', '{"owner": "U1"}')
  || pg_temp.record('C2', '{}', '{"deleted": true}') || pg_temp.record('C4', '{"first_name": "Met", "last_name": "Here", "email": "met@x.example", "title": "VP"}'));
select pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Deal", "stage_key": "lead"}', '{"company": "A1"}'));
select results_eq($$ select (pg_temp.was('C1')).first_name, (pg_temp.was('C2')).deleted_at, (pg_temp.was('C4')).title, (select count(*) from crm_contacts where email = 'met@x.example') $$,
  $$ values ('Ann', null::timestamptz, null, 1::bigint) $$, 'the same records again change nothing');
select is((select count(*) from conflicts where crm_record_id = 'C1' and status = 'pending'), 1::bigint, 'the conflict stays');
select is((select count(*) from pipeline_projects where workspace_id = (select id from w) and deleted_at is null), 0::bigint, 'the deal stays away');
select pg_temp.stop();

-- And back
select is(pg_temp.undo('admin', (select id from op where name = 'second')), 'PC008', 'undone is undone');
insert into op select 'undo', pg_temp.undo_of(id) from op where name = 'second';
select is(pg_temp.undo('admin', (select id from op where name = 'undo')), 'completed 4 0 0', 'an undo can be undone');
select results_eq($$ select first_name, title, owner_id from pg_temp.was('C1') $$, $$ values ('Anna', 'Edited here', pg_temp.person('member')) $$, 'fields are as the run had left them');
select isnt((pg_temp.was('C2')).deleted_at, null, 'what it deleted is deleted');
select is((select deleted_at from pipeline_projects p join ids i on i.record_id = p.id where i.crm_record_id = 'D1'), null, 'what it made is back');
select results_eq($$ select title, (select crm_record_id from links where record_id = (pg_temp.was('C4')).id) from pg_temp.was('C4') $$, $$ values ('VP', 'C4') $$, 'and linked as it was');
select is((select count(*) from conflicts where crm_record_id = 'C1' and status = 'pending'), 0::bigint, 'both sides agree, the conflict is over');
select is(pg_temp.undo('admin', (select id from op where name = 'second')), 'completed 4 1 0', 'then the run can be undone once more');

-- New records that somebody uses
insert into crm_notes (workspace_id, content, related_to_type, related_to_id, created_by_id) select w.id, 'Called', 'contact', (pg_temp.was('C3')).id, pg_temp.person('member') from w;
select is(pg_temp.undo('admin', (select id from op where name = 'first')), 'completed 1 3 0', 'of new records those go that nobody touched');
select results_eq($$ select i.crm_record_id, c.deleted_at is null from ids i left join crm_contacts c on c.id = i.record_id where i.crm_record_id in ('C1', 'C2', 'C3') order by 1 $$,
  $$ values ('C1', true), ('C2', false), ('C3', true) $$, 'edited ones and such with a note stay');
select is((pg_temp.company('A1')).deleted_at, null, 'so does a company that still has one of them');

-- The next change of the CRM ends a conflict of an undo
select pg_temp.go(), pg_temp.settings('{}', 'crm_wins');
select pg_temp.merge('contacts', pg_temp.record('C1', '{"first_name": "Annabel", "last_name": "Lee", "email": "ann@lee.example", "title": "Chair"}', '{"owner": "U1"}'));
select is((select count(*) from conflicts where crm_record_id = 'C1' and status = 'pending'), 0::bigint, 'a new value of the CRM''s is decided by the strategy');

select * from finish();
rollback;
