-- Conflicts: a person decides; both sides follow, or the conflict is open again.

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

create function pg_temp.theirs(vals jsonb, more jsonb default '{}') returns text language sql as $$
  select pg_temp.merge('contacts', pg_temp.record('C1', '{"first_name": "Ann", "last_name": "Lee", "email": "ann@lee.example", "title": "CEO", "phone": "+15551234567"}' || vals, more))
$$;
create function pg_temp.edit(assignment text) returns void language plpgsql as $$
begin
  execute format('update crm_contacts set %s where id = %L', assignment, (pg_temp.contact('C1')).id);
end $$;
-- The message of a refusal.
create function pg_temp.refusal(who text, statement text) returns text language plpgsql as $$
declare
  message text;
begin
  perform set_config('request.jwt.claims', json_build_object('sub', md5(who)::uuid, 'role', 'authenticated')::text, true), set_config('role', 'authenticated', true);
  execute statement;
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
  return 'no refusal';
exception when others then
  get stacked diagnostics message = message_text;
  return sqlstate || ' ' || message;
end $$;
create function pg_temp.resolve(who text, strategy text, more text default '') returns text language sql as $$
  select pg_temp.try_as(who, format($q$ select (crm_resolve_conflict(%L, %L%s)).status $q$, (pg_temp.conflict('C1')).id, strategy, more))
$$;
-- Both sides change the title; and the phone, where asked.
create function pg_temp.clash(ours text default 'ours', theirs text default 'theirs') returns void language plpgsql as $$
begin
  delete from crm_sync_conflicts where config_id in (select config from run);
  update private.crm_record_links set has_conflict = false where config_id in (select config from run);
  perform pg_temp.settings('{}', 'crm_wins'), pg_temp.theirs('{"title": "base"}'), pg_temp.settings('{}', 'manual_review');
  perform pg_temp.edit(format('title = %L', ours)), pg_temp.theirs(jsonb_build_object('title', theirs));
  delete from crm_sync_conflicts where config_id in (select config from run) and status = 'resolved';
  delete from private.crm_outbox where config_id in (select config from run);
  delete from private.crm_dirty where config_id in (select config from run);
end $$;
-- The fields of C1 that a push would send now.
create function pg_temp.pushed() returns text language plpgsql as $$
declare
  context private.crm_push_context;
begin
  context := private.crm_push_begin((select operation from run), (select fence from run), 'contacts');
  perform private.crm_enqueue_records((select config from run), (select id from w), 'contacts', array[(pg_temp.contact('C1')).id]);
  return (select coalesce(string_agg(f.field, ',' order by f.field), 'nothing')
    from private.crm_push_fields(context, private.crm_push_rows(context, array(select o from private.crm_outbox o where o.record_id = (pg_temp.contact('C1')).id))) f);
end $$;
create temp view outbox as select o.* from private.crm_outbox o where o.config_id in (select config from run);
create temp view dirty as select o.* from private.crm_dirty o where o.config_id in (select config from run);
select pg_temp.theirs('{}');

-- Who may
select pg_temp.clash();
select is(pg_temp.resolve('viewer', 'use_app'), 'PC002', 'a viewer decides nothing');
select is(pg_temp.resolve('outsider', 'use_app'), 'PC001', 'a stranger finds nothing');
select is(pg_temp.resolve('anon', 'use_app'), '42501', 'anon may not even ask');
select is(pg_temp.try_as('member', $$ select (crm_resolve_conflict(gen_random_uuid(), 'use_app')).status $$), 'PC001', 'nor is there anything under a made-up id');
select is(pg_temp.resolve('member', 'whatever'), 'PC004', 'a strategy must be one');
select is(pg_temp.resolve('member', 'use_app', ', always => true'), 'PC002', 'a rule is an admin''s to make');
select is((pg_temp.conflict('C1')).status, 'pending', 'so far nothing has happened');

-- Ours
select is(pg_temp.resolve('member', 'use_app'), 'resolved', 'a member chooses ours');
select results_eq($$ select status, resolution_strategy, resolved_by, resolved_data, applied_at from pg_temp.conflict('C1') $$,
  $$ values ('resolved', 'use_app', pg_temp.person('member'), '{"title": "ours"}'::jsonb, null::timestamptz) $$, 'the row says who and what');
select is((pg_temp.contact('C1')).title, 'ours', 'ours stays');
select is(pg_temp.base('C1') ->> 'title', 'theirs', 'the base is what the CRM was seen to have');
select is((select count(*) from outbox where record_id = (pg_temp.contact('C1')).id), 1::bigint, 'the CRM is to hear of it');
select is(pg_temp.pushed(), 'title', 'nothing holds it back');
select is((select has_conflict from links where crm_record_id = 'C1'), false, 'the record has no conflict any more');
select results_eq($$ select actor_id, action, detail ->> 'strategy' from crm_audit_log where config_id in (select config from run) and action like 'conflict%' $$,
  $$ values (pg_temp.person('member'), 'conflict_resolved', 'use_app') $$, 'the audit log has the person');
select is(pg_temp.resolve('member', 'use_app'), 'PC008', 'what is resolved is not resolved again');
select pg_temp.theirs('{"title": "theirs"}');
select is((pg_temp.conflict('C1')).applied_at, null, 'the CRM still says its own: not arrived');
select pg_temp.theirs('{"title": "ours"}');
select isnt((pg_temp.conflict('C1')).applied_at, null, 'it says ours: arrived');
select is((select count(*) from conflicts), 1::bigint, 'one row in all');

-- The CRM moves before it hears
select pg_temp.clash();
create temp table first_id on commit drop as select (pg_temp.conflict('C1')).id;
select pg_temp.resolve('member', 'use_app');
select is(pg_temp.theirs('{"title": "theirs again"}'), 'unchanged=1 conflicts=1', 'the CRM has moved meanwhile: a conflict again');
select results_eq($$ select id, status, app_data ->> 'title', crm_data ->> 'title', resolution_strategy, resolved_by, resolved_data from pg_temp.conflict('C1') $$,
  $$ select id, 'pending', 'ours', 'theirs again', null, null::uuid, null::jsonb from first_id $$, 'the same one, with the values of now');
select is((select count(*) from conflicts), 1::bigint, 'and no other');
select is(pg_temp.resolve('member', 'use_app'), 'resolved', 'it can be decided once more');
select pg_temp.theirs('{"title": "ours"}');
select pg_temp.edit($$ title = 'ours later' $$), pg_temp.theirs('{"title": "theirs later"}');
select is((select count(*) from conflicts where status = 'pending'), 1::bigint, 'after both have agreed, a new difference');
select is((select count(*) from conflicts), 2::bigint, 'is a new conflict');

-- Theirs
select pg_temp.clash('ours', 'Théirs, AS written');
select is(pg_temp.resolve('member', 'use_crm'), 'resolved', 'the CRM''s');
select is((pg_temp.contact('C1')).title, 'Théirs, AS written', 'is written as the CRM has it');
select is((select count(*) from crm_activities a where a.contact_id = (pg_temp.contact('C1')).id and a.user_id = pg_temp.person('member')), 1::bigint, 'history has the person');
select is((select count(*) from outbox), 0::bigint, 'this CRM need not hear of it');
select is((select reason from dirty where crm_record_id = 'C1'), 'conflict', 'the next run looks whether it still says so');
select is((select l.merged_at = (pg_temp.contact('C1')).updated_at from links l where crm_record_id = 'C1'), true, 'it is no edit of ours');
select pg_temp.theirs('{"title": "Théirs, AS written"}');
select isnt((pg_temp.conflict('C1')).applied_at, null, 'it does');

-- By hand
select pg_temp.clash();
select is(pg_temp.refusal('member', format($$ select crm_resolve_conflict(%L, 'manual') $$, (pg_temp.conflict('C1')).id)), 'PC004 merged_data has no value for: title.', 'by hand takes a value');
select is(pg_temp.refusal('member', format($$ select crm_resolve_conflict(%L, 'manual', '{"title": "x", "phone": "y"}') $$, (pg_temp.conflict('C1')).id)), 'PC004 These fields are in no conflict: phone.', 'for these fields');
select is(pg_temp.refusal('member', format($$ select crm_resolve_conflict(%L, 'manual', '{"title": %s}') $$, (pg_temp.conflict('C1')).id, to_json(repeat('x', 300)))),
  'PC004 Title has 300 characters; at most 255 fit.', 'that fits');
select is(pg_temp.refusal('member', format($$ select crm_resolve_conflict(%L, 'manual', '{"title": 7}') $$, (pg_temp.conflict('C1')).id)), 'PC004 Title has a value of the wrong type.', 'and is of its type');
select is(pg_temp.refusal('admin', format($$ select crm_resolve_conflict(%L, 'manual', '{"title": "x"}', true) $$, (pg_temp.conflict('C1')).id)), 'PC004 Only a side can always win: use_app or use_crm.', 'a value cannot always win');
select is(pg_temp.resolve('member', 'manual', $$, '{"title": "merged"}'$$), 'resolved', 'a value of a person''s own');
select results_eq($$ select title, pg_temp.base('C1') ->> 'title', (select count(*) from outbox) from pg_temp.contact('C1') $$, $$ values ('merged', 'theirs', 1::bigint) $$, 'is ours at once and goes to the CRM');

-- Edited since
select pg_temp.clash(), pg_temp.edit($$ title = 'newer' $$);
select is(pg_temp.refusal('member', format($$ select crm_resolve_conflict(%L, 'use_crm') $$, (pg_temp.conflict('C1')).id)), 'PC008 The record was edited since; look at it again.', 'what was edited since is not overwritten unseen');
select results_eq($$ select app_value, app_value_then, crm_value, base_value, label from crm_conflict_fields where conflict_id = (pg_temp.conflict('C1')).id $$,
  $$ values ('"newer"'::jsonb, '"ours"'::jsonb, '"theirs"'::jsonb, '"base"'::jsonb, 'Title') $$, 'the view shows what is there now');
select is(pg_temp.resolve('member', 'use_crm', $$, seen_app_data => '{"title": "other"}'$$), 'PC008', 'who saw something else is refused too');
select is(pg_temp.resolve('member', 'use_crm', format($$, seen_app_data => %L$$, seen)), 'PC004', 'who says it in another form than fields is told so: ' || seen) from unnest(array['[]', '7', '"x"']) seen;
select is(pg_temp.resolve('member', 'use_crm', $$, seen_app_data => '{"title": "newer"}'$$), 'resolved', 'who has seen it decides');
select is((pg_temp.contact('C1')).title, 'theirs', 'with effect');

-- Ignore
select pg_temp.clash();
select is(pg_temp.try_as('viewer', format($$ select (crm_ignore_conflict(%L)).status $$, (pg_temp.conflict('C1')).id)), 'PC002', 'a viewer ignores nothing');
select is(pg_temp.try_as('member', format($$ select (crm_ignore_conflict(%L)).status $$, (pg_temp.conflict('C1')).id)), 'ignored', 'a member may leave it');
select is(pg_temp.pushed(), 'nothing', 'the field is not pushed');
select pg_temp.theirs('{"title": "theirs"}');
select results_eq($$ select status, (select count(*) from conflicts) from pg_temp.conflict('C1') $$, $$ values ('ignored', 1::bigint) $$, 'nor asked about');
select pg_temp.edit($$ phone = '+1999' $$), pg_temp.theirs('{"title": "theirs", "phone": "+1888"}');
select is((pg_temp.conflict('C1')).conflicting_fields, '{phone}', 'a conflict on another field asks about that one alone');
select is(pg_temp.pushed(), 'nothing', 'neither is pushed');
select pg_temp.resolve('member', 'use_crm');
select is((select has_conflict from links where crm_record_id = 'C1'), true, 'the record is still looked at whole');
select pg_temp.edit($$ title = 'newest' $$);
select is(pg_temp.pushed(), 'title', 'an edit of ours ends it');
select pg_temp.theirs('{"title": "theirs", "phone": "+1888"}');
select is((pg_temp.conflict('C1')).conflicting_fields, '{title}', 'and asks again');
select pg_temp.clash();
select pg_temp.try_as('member', format($$ select crm_ignore_conflict(%L) $$, (pg_temp.conflict('C1')).id));
select is(pg_temp.resolve('member', 'use_app'), 'resolved', 'what was ignored can still be decided');
select is(pg_temp.pushed(), 'title', 'and goes to the CRM');

-- Always
select pg_temp.clash();
select is(pg_temp.resolve('admin', 'use_crm', ', always => true'), 'resolved', 'an admin makes a rule');
select is((select sync_rules from crm_sync_configs where id = (select config from run)), '{"contacts": {"field_strategies": {"title": "crm_wins"}}}', 'for this field');
select pg_temp.edit($$ title = 'ours' $$);
select pg_temp.theirs('{"title": "theirs by rule"}');
select is((pg_temp.contact('C1')).title, 'theirs by rule', 'which decides from then on');
select is((select count(*) from crm_audit_log where action = 'settings_changed' and detail -> 'sync_rules' -> 'contacts' is not null and actor_id = pg_temp.person('admin')), 1::bigint, 'and is in the audit log');

-- What a deal shows
create function pg_temp.their_deal(named text) returns text language sql as $$
  select pg_temp.merge('opportunities', pg_temp.record('D1', jsonb_build_object('name', named, 'stage_key', 'won')))
$$;
select pg_temp.their_deal('base'), pg_temp.settings('{}', 'manual_review');
update pipeline_projects set name = 'ours' where id = (pg_temp.deal('D1')).id;
select pg_temp.their_deal('theirs');
select is((pg_temp.deal('D1')).sync_status, 'conflict', 'a deal shows that a conflict waits');
select pg_temp.try_as('member', format($$ select crm_ignore_conflict(%L) $$, (pg_temp.conflict('D1')).id));
select is((pg_temp.deal('D1')).sync_status, 'synced', 'and no longer, once it is ignored');
select is((select (l.merged_at = (pg_temp.deal('D1')).updated_at, l.app_edited_at is not null) from links l where crm_record_id = 'D1'), (true, true), 'which is no edit, and hides none');
select pg_temp.their_deal('theirs');
select is((pg_temp.deal('D1')).sync_status, 'synced', 'a look that finds both as they were changes nothing');
select pg_temp.their_deal('theirs anew');
select is((pg_temp.deal('D1')).sync_status, 'conflict', 'until one of them changes');

-- Two CRMs have the deal
select pg_temp.start('other', pg_temp.connect_crm('hubspot', 'org2'));
update crm_sync_configs set conflict_resolution = 'manual_review' where id = (select config from run where name = 'other');
insert into private.crm_record_links (config_id, entity_type, crm_record_id, record_id, workspace_id, base, merged_at)
select r.config, 'opportunities', 'H1', d.id, d.workspace_id, '{"name": "ours", "stage_key": "won"}', d.updated_at from run r, pg_temp.deal('D1') d where r.name = 'other';
create function pg_temp.other_deal(named text) returns text language sql as $$
  select pg_temp.merge('opportunities', pg_temp.record('H1', jsonb_build_object('name', named, 'stage_key', 'won')), run_name => 'other') || ' ' || (pg_temp.deal('D1')).sync_status
$$;
create function pg_temp.decide_deal(crm text, verb text) returns text language sql as $$
  select pg_temp.try_as('member', format('select (%s).status', format(verb, (pg_temp.conflict(crm)).id))) || ' ' || (pg_temp.deal('D1')).sync_status
$$;
select is(pg_temp.other_deal('ours'), 'unchanged=1 conflict', 'a deal goes on showing the conflict with one CRM when another says the same as we do');
select is(pg_temp.merge('opportunities', pg_temp.record('H1', '{"name": "ours", "stage_key": "won", "description": "new"}'), run_name => 'other') || ' ' || (pg_temp.deal('D1')).sync_status,
  'updated=1 conflict', 'and when it changes something else');
update pipeline_projects set name = 'ours anew' where id = (pg_temp.deal('D1')).id;
select is(pg_temp.other_deal('theirs too'), 'unchanged=1 conflicts=1 conflict', 'both may wait for a person');
select is(pg_temp.other_deal('ours anew'), 'unchanged=1 conflict', 'where one CRM has come round, the other still waits');
update pipeline_projects set name = 'ours again' where id = (pg_temp.deal('D1')).id;
select is(pg_temp.other_deal('theirs too'), 'unchanged=1 conflicts=1 conflict', 'it differs again');
select is(pg_temp.decide_deal('H1', 'crm_ignore_conflict(%L)'), 'ignored conflict', 'ignoring one leaves the other');
select pg_temp.other_deal('theirs once more');
select is(pg_temp.decide_deal('H1', $$crm_resolve_conflict(%L, 'use_app')$$), 'resolved conflict', 'so does deciding it');
update pipeline_projects set sync_status = 'failed' where id = (pg_temp.deal('D1')).id;
select is(pg_temp.other_deal('ours again'), 'updated=1 conflict', 'a deal that could be sent again shows it, too');
select pg_temp.their_deal('theirs anew');
select is(pg_temp.decide_deal('D1', $$crm_resolve_conflict(%L, 'use_app')$$), 'resolved synced', 'and the last one decided is the end of it');

-- Names cannot be lost
select pg_temp.clash(), pg_temp.settings('{}', 'crm_wins'), pg_temp.theirs('{"title": "base", "first_name": null, "email": null}'), pg_temp.settings('{}', 'manual_review');
delete from crm_sync_conflicts where config_id in (select config from run);
select pg_temp.edit($$ last_name = 'Ours' $$), pg_temp.theirs('{"title": "base", "first_name": null, "email": null, "last_name": "Theirs"}');
select is(pg_temp.refusal('member', format($$ select crm_resolve_conflict(%L, 'manual', '{"last_name": ""}') $$, (pg_temp.conflict('C1')).id)),
  'PC004 The record has no name, and cannot be kept without one.', 'nobody loses the last of their names');

select * from finish();
rollback;
