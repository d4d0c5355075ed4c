-- Conflicts in bulk, of relations, of deals; and what the screens show.

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

create function pg_temp.bulk(who text, more text) returns text language sql as $$
  select pg_temp.try_as(who, format($q$ select crm_resolve_conflicts(%L, %s) $q$, (select config from run), more))
$$;
select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Globex", "website": "globex.example"}') || pg_temp.record('A2', '{"name": "Initech"}') || pg_temp.record('A3', '{"name": "Umbrella"}'));
select pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee", "title": "a", "phone": "1"}', '{"company": "A1", "owner": "U1"}') || pg_temp.record('C2', '{"last_name": "Ray", "title": "a"}'));
select pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Deal", "stage_key": "lead", "probability": 20}'));
select pg_temp.settings('{}', 'manual_review');
update crm_contacts set title = 'ours', phone = '2' where workspace_id = (select id from w);
update crm_contacts set company_id = (pg_temp.company('A2')).id, owner_id = null, owner_label = 'Somebody' where id = (pg_temp.contact('C1')).id;
update pipeline_projects set stage_key = 'prospect', probability = 30 where id = (pg_temp.deal('D1')).id;
select pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee", "title": "theirs", "phone": "3"}', '{"company": "A3", "owner": "U2"}') || pg_temp.record('C2', '{"last_name": "Ray", "title": "theirs"}'));
select pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Deal", "stage_key": "won", "probability": 77}'));

select is(pg_temp.bulk('member', $$'use_app', 'leads'$$), 'PC004', 'conflicts of what there is not are none that could be decided');

-- The screens
select is(pg_temp.try_as('viewer', $$ select string_agg(concat_ws(' ', record_name, entity_type, cardinality(conflicting_fields), detected_ago is not null), ', ' order by record_name) from crm_conflict_list where status = 'pending' $$),
  'Deal opportunities 2 t, Lee contacts 4 t, Ray contacts 1 t', 'the list shows records by name');
select is(pg_temp.try_as('viewer', $$ select string_agg(concat_ws(' ', f.label, f.app_label, f.crm_label), ', ' order by f.field) from crm_conflict_fields f join crm_conflict_list l on l.id = f.conflict_id where l.record_name = 'Lee' and f.field like '$%' $$),
  'Company Initech Umbrella, Owner Somebody Else Where', 'relations by their names too');
select is(pg_temp.try_as('outsider', 'select (select count(*) from crm_conflict_list) + (select count(*) from crm_conflict_fields)'), '0', 'a stranger sees none');

-- In bulk
select is(pg_temp.bulk('viewer', '''use_crm'''), 'PC002', 'a viewer decides none');
select is(pg_temp.bulk('outsider', '''use_crm'''), 'PC001', 'a stranger finds none');
select is(pg_temp.bulk('member', '''manual'''), 'PC004', 'by hand goes one by one');
select is(pg_temp.bulk('member', '''use_app'', always => true'), 'PC002', 'a rule is an admin''s');
update crm_contacts set title = 'edited' where id = (pg_temp.contact('C2')).id;
select is(pg_temp.bulk('member', '''use_crm'', entity_type => ''contacts'', fields => ''{title}''')::jsonb, '{"resolved": 1, "edited_since": 1, "refused": 0, "more": false}', 'one field of all contacts');
select results_eq($$ select (pg_temp.contact('C1')).title, (pg_temp.contact('C2')).title, (pg_temp.contact('C1')).phone $$, $$ values ('theirs', 'edited', '2') $$, 'that field alone, and only where nobody has edited since');
select results_eq($$ select status, conflicting_fields, app_data from conflicts where crm_record_id = 'C1' and 'title' = any (conflicting_fields) $$, $$ values ('resolved', '{title}'::text[], '{"title": "ours"}'::jsonb) $$, 'what is decided has a row of its own');
select is((select array_agg(f order by f) from unnest((pg_temp.conflict('C1')).conflicting_fields) f), '{$company,$owner,phone}', 'the rest waits');
select is((select has_conflict from links where crm_record_id = 'C1'), true, 'and the record with it');
select is((pg_temp.conflict('C2')).app_data ->> 'title', 'edited', 'the other shows what is there now');
select is(pg_temp.bulk('admin', '''use_crm'', entity_type => ''contacts'', always => true')::jsonb, '{"resolved": 2, "edited_since": 0, "refused": 0, "more": false}', 'then all contacts, for ever');
select results_eq($$ select company_id, owner_id, owner_label, phone from pg_temp.contact('C1') $$, $$ select (pg_temp.company('A3')).id, null::uuid, 'Else Where', '3' $$, 'relations are taken over like fields');
select is(pg_temp.base('C1') ->> '$company', 'A3', 'their base is the CRM''s id');
select is((select sync_rules #> '{contacts,field_strategies}' from crm_sync_configs where id = (select config from run)), '{"title": "crm_wins", "phone": "crm_wins", "$owner": "crm_wins", "$company": "crm_wins"}', 'a rule for each of the fields');
select is((select count(*) from crm_audit_log where action = 'conflicts_resolved' and workspace_id = (select id from w)), 2::bigint, 'an audit row for each call');

-- Deals
select is((pg_temp.deal('D1')).sync_status, 'conflict', 'the deal shows its conflict');
select is(pg_temp.bulk('member', '''use_crm''')::jsonb, '{"resolved": 1, "edited_since": 0, "refused": 0, "more": false}', 'the CRM''s stage');
select results_eq($$ select stage_key, probability, sync_status from pg_temp.deal('D1') $$, $$ values ('won', 77, 'synced') $$, 'comes without what a person''s move would bring');
select is(pg_temp.bulk('member', '''use_crm''')::jsonb, '{"resolved": 0, "edited_since": 0, "refused": 0, "more": false}', 'nothing is left');

-- A relation that is gone
select pg_temp.settings('{}', 'manual_review');
update crm_contacts set company_id = (pg_temp.company('A1')).id where id = (pg_temp.contact('C1')).id;
select pg_temp.merge('contacts', pg_temp.record('C1', '{"last_name": "Lee", "title": "theirs", "phone": "3"}', '{"company": "A2", "owner": "U2"}'));
delete from crm_companies where id = (pg_temp.company('A2')).id;
select is(pg_temp.bulk('member', '''use_crm''')::jsonb, '{"resolved": 0, "edited_since": 0, "refused": 1, "more": false}', 'a company that was deleted for good cannot be chosen');
select is(pg_temp.try_as('member', format($$ select (crm_resolve_conflict(%L, 'manual', jsonb_build_object('$company', %L::uuid))).status $$, (pg_temp.conflict('C1')).id, (pg_temp.company('A3')).id)), 'resolved', 'another one can');

select * from finish();
rollback;
