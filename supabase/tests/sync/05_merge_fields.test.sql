-- The merge, field by field: what only one side changed goes through, what both changed is a conflict on that field alone.

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
-- Ours, as a person: earlier than what the CRM says, unless said otherwise.
create function pg_temp.edit(assignment text) returns void language plpgsql as $$
begin
  execute format('update crm_contacts set %s where id = %L', assignment, (pg_temp.contact('C1')).id);
end $$;
select pg_temp.theirs('{}');

-- Unchanged: nothing at all is written
create temp table before on commit drop as select c.xmin::text as row_version from crm_contacts c where c.id = (pg_temp.contact('C1')).id;
create temp table counts on commit drop as select (select count(*) from crm_activities) a, (select count(*) from journal) j;
select is(pg_temp.theirs('{}'), 'unchanged=1', 'the same again is unchanged');
select is(pg_temp.theirs('{}', '{"modified_at": "2099-02-02T00:00:00Z"}'), 'unchanged=1', 'a new modified time alone too');
select is(pg_temp.theirs('{"phone": "+1 (555) 123-4567", "email": "ANN@lee.example"}'), 'unchanged=1', 'another spelling too');
select is((select c.xmin::text from crm_contacts c where c.id = (pg_temp.contact('C1')).id), (select row_version from before), 'the row has not been touched');
select is((select count(*) from crm_activities), (select a from counts), 'history is silent');
select is((select count(*) from journal), (select j from counts), 'so is the journal');
select pg_temp.theirs('{}');

-- One side
select is(pg_temp.theirs('{"title": "Chair"}'), 'updated=1', 'a field that the CRM changed is pulled');
select is((pg_temp.contact('C1')).title, 'Chair', 'into ours');
select results_eq($$ select before, after from journal where crm_record_id = 'C1' and action = 'updated' order by id desc limit 1 $$,
  $$ values ('{"title": "CEO"}'::jsonb, '{"title": "Chair"}'::jsonb) $$, 'the journal has before and after of that field');
select pg_temp.edit($$ first_name = 'Annie' $$);
select is(pg_temp.theirs('{"title": "Chair"}'), 'unchanged=1', 'our edit stays');
select is((pg_temp.contact('C1')).first_name, 'Annie', 'as we made it');
select is(pg_temp.theirs('{"title": "Owner"}'), 'updated=1', 'when the CRM changes another field');
select results_eq($$ select first_name, title from pg_temp.contact('C1') $$, $$ values ('Annie', 'Owner') $$, 'both edits live on, side by side');
select is(pg_temp.base('C1') ->> 'first_name', 'Ann', 'the base still knows that the CRM has to hear of ours');
select is(pg_temp.theirs('{"title": "Owner", "first_name": "Annie"}'), 'unchanged=1', 'the same edit on both sides is agreed');
select is(pg_temp.base('C1') ->> 'first_name', 'Annie', 'and is the new base');
select is(pg_temp.theirs('{"title": null, "first_name": "Annie"}'), 'updated=1', 'a field that the CRM emptied');
select is((pg_temp.contact('C1')).title, null, 'is emptied here');
select pg_temp.edit($$ department = 'Board' $$);
select is(pg_temp.theirs('{"title": "CEO", "first_name": "Annie"}'), 'updated=1', 'fields that are not mapped');
select is((pg_temp.contact('C1')).department, 'Board', 'are nobody else''s');

-- Both sides, by strategy
create function pg_temp.clash(strategy text, more jsonb default '{}') returns text language plpgsql as $$
begin
  -- As if nothing later had been read.
  update links set crm_modified_at = null where crm_record_id = 'C1';
  perform pg_temp.settings('{}', 'crm_wins'), pg_temp.theirs('{"title": "base", "first_name": "Annie"}', more);
  perform pg_temp.edit($e$ title = 'ours' $e$), pg_temp.settings('{}', strategy);
  return pg_temp.theirs('{"title": "theirs", "first_name": "Anna"}', more);
end $$;
select is(pg_temp.clash('crm_wins'), 'updated=1 conflicts=1', 'crm_wins');
select results_eq($$ select title, first_name, pg_temp.base('C1') ->> 'title' from pg_temp.contact('C1') $$, $$ values ('theirs', 'Anna', 'theirs') $$, 'takes theirs');
select results_eq($$ select overruled from journal where crm_record_id = 'C1' order by id desc limit 1 $$, $$ values ('{"title": {"app": "ours", "crm": "theirs", "base": "base"}}'::jsonb) $$, 'and keeps ours in the journal');
select is(pg_temp.clash('app_wins'), 'updated=1 conflicts=1', 'app_wins');
select results_eq($$ select title, first_name, pg_temp.base('C1') ->> 'title' from pg_temp.contact('C1') $$, $$ values ('ours', 'Anna', 'theirs') $$, 'keeps ours, for the CRM to hear of');
select is(pg_temp.theirs('{"title": "theirs", "first_name": "Anna"}'), 'unchanged=1', 'and is not asked again');
select is(pg_temp.clash('last_write_wins'), 'updated=1 conflicts=1', 'last_write_wins, the CRM later');
select is((pg_temp.contact('C1')).title, 'theirs', 'takes theirs');
select is(pg_temp.clash('last_write_wins', '{"modified_at": "2001-01-01T00:00:00.000+0000"}'), 'updated=1 conflicts=1', 'last_write_wins, we later');
select results_eq($$ select title, first_name from pg_temp.contact('C1') $$, $$ values ('ours', 'Anna') $$, 'keeps ours; the field that only they changed is pulled all the same');

-- Our time is that of our edit, not that of the last merge
select pg_temp.settings('{}', 'crm_wins'), pg_temp.theirs('{"title": "base", "first_name": "Annie"}'), pg_temp.settings('{}', 'last_write_wins');
select pg_temp.edit($$ title = 'early' $$);
select pg_temp.theirs('{"title": "base", "first_name": "Bea"}');
select is((select app_edited_at < merged_at from links where crm_record_id = 'C1'), true, 'a merge of another field does not make our edit younger');

-- Manual review
select is(pg_temp.clash('manual_review'), 'updated=1 conflicts=1', 'manual_review');
select results_eq($$ select title, first_name, pg_temp.base('C1') ->> 'title' from pg_temp.contact('C1') $$, $$ values ('ours', 'Anna', 'base') $$, 'leaves both as they are, base included; the rest goes on');
select results_eq($$ select app_data, crm_data, base, conflicting_fields, status, entity_id from pg_temp.conflict('C1') $$,
  $$ values ('{"title": "ours"}'::jsonb, '{"title": "theirs"}'::jsonb, '{"title": "base"}'::jsonb, '{title}'::text[], 'pending', (pg_temp.contact('C1')).id) $$, 'and asks a person');
select is(pg_temp.theirs('{"title": "theirs", "first_name": "Anna"}'), 'unchanged=1', 'the same again is no second conflict');
select is((select count(*) from conflicts where crm_record_id = 'C1' and status = 'pending'), 1::bigint, 'there is one');
select is(pg_temp.theirs('{"title": "theirs 2", "first_name": "Anna"}'), 'unchanged=1 conflicts=1', 'a new value of theirs renews it');
select is((pg_temp.conflict('C1')).crm_data ->> 'title', 'theirs 2', 'in place');
select is(pg_temp.theirs('{"title": "ours", "first_name": "Anna"}'), 'unchanged=1', 'when they come to say the same');
select is((select status from conflicts where crm_record_id = 'C1' and resolution_strategy = 'agreed'), 'resolved', 'the conflict is over');
select is((select count(*) from conflicts where crm_record_id = 'C1' and status = 'pending'), 0::bigint, 'and nothing waits');
select pg_temp.clash('manual_review');
update crm_sync_conflicts set status = 'ignored' where crm_record_id = 'C1' and status = 'pending';
select is(pg_temp.theirs('{"title": "theirs", "first_name": "Anna"}'), 'unchanged=1', 'an ignored conflict does not come back');
select is((select count(*) from conflicts where crm_record_id = 'C1' and status = 'pending'), 0::bigint, 'while both say what they said');
select is(pg_temp.theirs('{"title": "theirs 3", "first_name": "Anna"}'), 'unchanged=1 conflicts=1', 'but does when one says something new');

-- Exceptions
select pg_temp.clash('manual_review');
select pg_temp.settings('{"contacts": {"field_strategies": {"title": "crm_wins"}}}', 'manual_review');
select is(pg_temp.theirs('{"title": "theirs", "first_name": "Anna"}'), 'updated=1 conflicts=1', 'a field can have a strategy of its own');
select is((pg_temp.contact('C1')).title, 'theirs', 'which decides');
update crm_field_mappings set sync_direction = 'pull' where config_id in (select config from run) and entity_type = 'contacts' and app_field = 'title';
-- Which ends the slice; the next worker has the run.
update run r set fence = k.fence from run o cross join lateral private.crm_claim(o.operation, 'next', 60) k where r.name = o.name;
select pg_temp.clash('app_wins');
select is((pg_temp.contact('C1')).title, 'theirs', 'a field that only comes from the CRM follows the CRM');

-- What the database fills in is no edit of ours
select pg_temp.settings('{}', 'manual_review');
select pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Deal", "stage_key": "lead", "probability": null, "priority": null}'));
select is((pg_temp.deal('D1')).probability, 10, 'a probability from the stage');
select is(pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Deal", "stage_key": "lead", "probability": 35, "priority": "high"}')), 'updated=1', 'gives way to the CRM''s');
select results_eq($$ select probability, priority from pg_temp.deal('D1') $$, $$ values (35, 'high') $$, 'so does a default');
update pipeline_projects set name = 'Our deal' where id = (pg_temp.deal('D1')).id;
select pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Their deal", "stage_key": "won", "probability": 100, "priority": "high", "custom_fields.product": "GTXPro"}'));
select results_eq($$ select name, stage_key, sync_status, custom_fields ->> 'product' from pg_temp.deal('D1') $$, $$ values ('Our deal', 'won', 'conflict', 'GTXPro') $$, 'a deal shows its conflict, and goes on otherwise');
select pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Our deal", "stage_key": "won", "probability": 100, "priority": "high", "custom_fields.product": "GTX Pro"}'));
select results_eq($$ select sync_status, custom_fields from pg_temp.deal('D1') $$, $$ values ('synced', '{"product": "GTX Pro"}'::jsonb) $$, 'and that it is over; custom fields change like others');

-- First meeting: nothing agreed on yet
insert into crm_contacts (workspace_id, first_name, last_name, email, title) select id, 'Zoe', 'Here', 'zoe@x.example', 'CTO' from w;
select is(pg_temp.merge('contacts', pg_temp.record('C9', '{"first_name": "Zoe", "last_name": "There", "email": "zoe@x.example", "title": null, "phone": "+49123456"}')), 'updated=1 conflicts=1', 'a first meeting under manual_review');
select results_eq($$ select last_name, title, phone from pg_temp.contact('C9') $$, $$ values ('Here', 'CTO', '+49123456') $$, 'fills what we lack, keeps what they lack');
select is((pg_temp.conflict('C9')).conflicting_fields, '{last_name}', 'and asks about what differs');

-- Late: a search that lags behind shows a record as it was
select pg_temp.settings('{}', 'crm_wins');
create function pg_temp.late(vals jsonb, modified text) returns text language sql as $$
  select pg_temp.merge('contacts', pg_temp.record('L1', '{"last_name": "Late", "title": "Old"}' || vals, jsonb_build_object('modified_at', modified)))
$$;
select pg_temp.late('{}', '2030-01-01T10:00:00Z'), pg_temp.late('{"title": "New"}', '2030-01-01T11:00:00Z');
select is(pg_temp.late('{}', '2030-01-01T10:00:00Z'), 'unchanged=1', 'what is older than what was merged changes nothing');
select is((pg_temp.contact('L1')).title, 'New', 'the later value stays');
update crm_contacts set title = 'Ours' where id = (pg_temp.contact('L1')).id;
select is(pg_temp.late('{}', '2030-01-01T10:00:00Z'), 'unchanged=1', 'nor is it in conflict with an edit of ours');
select is(pg_temp.late('{"title": "Same time"}', '2030-01-01T11:00:00+00:00'), 'updated=1 conflicts=1', 'two edits of one second have one time: the second counts');
select is(pg_temp.merge('contacts', pg_temp.record('L1', '{"title": "Latest"}', '{"modified_at": "2030-01-01T13:00:00Z"}')
  || pg_temp.record('L1', '{"title": "Before"}', '{"modified_at": "2030-01-01T12:00:00Z"}')), 'updated=1', 'of two forms on one page');
select is((pg_temp.contact('L1')).title, 'Latest', 'the later one counts, wherever it stands');

select * from finish();
rollback;
