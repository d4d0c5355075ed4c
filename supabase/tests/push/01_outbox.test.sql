-- The outbox: which edits of ours a connection has to hear of.

\ir fixture.psql

-- Edits
insert into crm_companies (workspace_id, name) select id, 'Acme' from w;
select is(pg_temp.outbox(), 'accounts:Acme', 'a new company is noted for the connection');
insert into crm_contacts (workspace_id, first_name, last_name) select id, 'Ada', 'Byron' from w;
insert into pipeline_projects (workspace_id, name) select id, 'Engine' from w;
select is(pg_temp.outbox(), 'accounts:Acme contacts:Ada Byron opportunities:Engine', 'so are a contact and a deal');
delete from private.crm_outbox;
update crm_companies set name = name, phone = phone where workspace_id = (select id from w);
select is(pg_temp.outbox(), 'nothing', 'a write that changes nothing is no edit');
update pipeline_projects set board_position = 1, sync_status = 'pending' where workspace_id = (select id from w);
update crm_companies set slug = 'other' where workspace_id = (select id from w);
select is(pg_temp.outbox(), 'nothing', 'nor is one of a column that no CRM can have');
update crm_companies set phone = '1' where workspace_id = (select id from w);
select is(pg_temp.outbox(), 'accounts:Acme', 'an edit is');
create temp table before on commit drop as select version, enqueued_at from outbox;
update private.crm_outbox set attempts = 4, dead = true, not_before = 'infinity' where config_id = (select config from run);
update crm_companies set custom_fields = '{"rating": "A"}' where workspace_id = (select id from w);
select results_eq($$ select o.version > b.version, o.enqueued_at = b.enqueued_at, o.attempts, o.dead, o.not_before < 'infinity' from outbox o, before b $$,
  $$ values (true, true, 0, false, true) $$, 'a further edit is the same row with a new version, its place in the queue, and a fresh start');
delete from private.crm_outbox;
update crm_companies set owner_label = 'Else Where' where workspace_id = (select id from w);
update crm_contacts set deleted_at = now() where workspace_id = (select id from w);
delete from pipeline_projects where workspace_id = (select id from w);
select is(pg_temp.outbox(), 'accounts:Acme contacts:Ada Byron opportunities:?', 'so are a new owner, a deletion and a removal for good');
select is(pg_temp.try_as('member', format($$ insert into crm_companies (workspace_id, name) values (%L, 'By a member') $$, (select id from w))), '1 rows', 'a member''s edit');
select matches(pg_temp.outbox(), 'By a member', 'is noted too');

-- Whose edits
delete from private.crm_outbox;
select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "From the CRM"}'));
select is(pg_temp.outbox(), 'nothing', 'what the CRM sent does not go back to it');
select pg_temp.start('second', pg_temp.connect_crm('hubspot', 'portal1'));
select pg_temp.merge('accounts', pg_temp.record('A2', '{"name": "For both"}'));
select is(pg_temp.outbox() || ' / ' || pg_temp.outbox('second'), 'nothing / accounts:For both', 'it goes to the workspace''s other CRM');
update crm_companies set name = 'By hand' where name = 'For both' and workspace_id = (select id from w);
select is(pg_temp.outbox() || ' / ' || pg_temp.outbox('second'), 'accounts:By hand / accounts:By hand', 'an edit of ours goes to both');

-- New settings end the slice; the next worker has the run.
create function pg_temp.claim() returns void language plpgsql as $$
begin
  update run r set fence = k.fence from run o cross join lateral private.crm_claim(o.operation, 'next', 60) k where o.name = 'crm' and r.name = o.name;
end $$;

-- A connection that begins to push
delete from private.crm_outbox;
update crm_sync_configs set sync_direction = 'pull' where id = (select config from run where name = 'crm');
update crm_companies set phone = '5' where id = pg_temp.ours('A1');
select is(pg_temp.outbox(), 'nothing', 'a connection that only reads is told nothing');
update crm_sync_configs set sync_direction = 'bidirectional' where id = (select config from run where name = 'crm');
update crm_companies set deleted_at = now() where id = pg_temp.ours('A1');
select results_eq($$ select entity_type, with_deleted from private.crm_push_reviews where config_id = (select config from run where name = 'crm') $$, $$ values ('accounts', true) $$,
  'it looks at its records again when it begins to push');
select pg_temp.claim();
select is(pg_temp.begin_push('accounts') > 0 and pg_temp.outbox() like '%accounts:From the CRM%', true, 'and hears of what was edited or deleted meanwhile');
select pg_temp.begin_push('accounts');
select is((select count(*) from private.crm_push_reviews where config_id = (select config from run where name = 'crm')), 0::bigint, 'once');
update crm_companies set deleted_at = null where id = pg_temp.ours('A1');
select pg_temp.settings('{"delete_when_deleted": true}');
select pg_temp.claim();
select pg_temp.merge('accounts', pg_temp.record('Z1', '{"name": "Zed"}')), pg_temp.merge('accounts', pg_temp.record('Z1', '{}', '{"deleted": true}'));
update crm_sync_configs set sync_direction = 'pull' where id = (select config from run where name = 'crm');
update crm_companies set deleted_at = null where id = pg_temp.ours('Z1');
update crm_sync_configs set sync_direction = 'bidirectional' where id = (select config from run where name = 'crm');
select pg_temp.claim();
select is(pg_temp.begin_push('accounts') > 0 and pg_temp.outbox() like '%accounts:Zed%', true, 'also of what the CRM deleted and a person restored');
delete from crm_companies where id = pg_temp.ours('Z1');
select pg_temp.settings('{}');
delete from private.crm_push_reviews;

-- Fields mapped anew
delete from private.crm_outbox;
update crm_field_mappings set reason = 'by hand', position = 9 where config_id = (select config from run where name = 'crm');
delete from crm_field_mappings where config_id = (select config from run where name = 'crm') and app_field = 'phone';
select is((select count(*) from private.crm_push_reviews), 0::bigint, 'a note beside a mapping, or one mapping less, changes nothing');
update crm_field_mappings set sync_direction = 'pull' where config_id = (select config from run where name = 'crm') and app_field = 'website';
select is((select count(*) from private.crm_push_reviews), 0::bigint, 'nor does a field that is only read from now on');
update crm_field_mappings set sync_direction = 'bidirectional' where config_id = (select config from run where name = 'crm') and app_field = 'website';
select is((select string_agg(entity_type, ' ') from private.crm_push_reviews), 'accounts', 'a field that goes out from now on asks for another look');
select pg_temp.claim();
select is(pg_temp.begin_push('accounts'), 2, 'at every linked record');
select is(pg_temp.told(pg_temp.take('accounts')), 'update By hand A2 {"name": "By hand"}', 'what is in step is not sent');
select is(pg_temp.outbox(), 'accounts:By hand', 'and leaves again');
delete from private.crm_outbox;
select results_eq($$ select private.crm_take_outbound(operation, fence, 'accounts', 10) from run where name = 'crm' $$, $$ values ('{"items": [], "more": false}'::jsonb) $$, 'then nothing is due');
insert into crm_field_mappings (config_id, entity_type, crm_field, app_field) select config, 'contacts', 'Phone', 'phone' from run where name = 'crm';
select is((select count(*) from private.crm_push_reviews), 0::bigint, 'where nothing is linked, there is nothing to look at');
select pg_temp.settings('{"accounts": {"exclude_fields": ["name"]}}');
select is((select count(*) from private.crm_push_reviews), 0::bigint, 'a field that stays here from now on asks for none');
select pg_temp.settings('{}');
select is((select count(*) from private.crm_push_reviews where config_id = (select config from run where name = 'crm')), 1::bigint, 'one that may go out again does');
delete from private.crm_push_reviews;

-- Stages mapped otherwise
select pg_temp.claim();
select pg_temp.merge('opportunities', pg_temp.record('D1', '{"name": "Deal", "stage_key": "won"}') || pg_temp.record('D2', '{"name": "Other", "stage_key": "lead"}'), done => true);
select pg_temp.begin_push('opportunities');
select pg_temp.take('opportunities');
delete from private.crm_outbox;
delete from private.crm_push_reviews;
create function pg_temp.dirty() returns text language sql as $$
  select coalesce(string_agg(crm_record_id || ' ' || reason, ', ' order by crm_record_id), 'none') from private.crm_dirty where config_id = (select config from run where name = 'crm') and entity_type = 'opportunities'
$$;
create function pg_temp.map_stage(crm text, ours text) returns void language sql as $$
  insert into crm_stage_mappings as s (config_id, crm_stage_id, stage_key) select config, crm, ours from run where name = 'crm'
  on conflict (config_id, crm_pipeline_id, crm_stage_id) do update set stage_key = excluded.stage_key;
  select pg_temp.claim()
$$;
update pipeline_projects set stage_key = 'negotiation' where id = pg_temp.ours('D2');
delete from private.crm_outbox;
select pg_temp.map_stage('Won', 'won');
delete from private.crm_push_reviews;
select pg_temp.map_stage('Haggling', 'negotiation');
select is((select string_agg(entity_type, ' ') from private.crm_push_reviews), 'opportunities', 'a stage that has a counterpart from now on asks for another look');
select is(pg_temp.begin_push('opportunities'), 2, 'at every linked deal');
select is(pg_temp.told(pg_temp.take('opportunities')), 'update Other D2 {"stage_key": "negotiation"}', 'and a deal that could not go out goes');
select is(pg_temp.dirty(), 'none', 'which changes the meaning of no other');
delete from private.crm_outbox;
delete from private.crm_push_reviews;
update crm_stage_mappings set crm_stage_label = 'W', crm_probability = 99 where config_id = (select config from run where name = 'crm');
select is((select count(*) from private.crm_push_reviews), 0::bigint, 'a note beside a stage changes nothing');
select pg_temp.map_stage('Won', 'lost');
select pg_temp.begin_push('opportunities');
select is(pg_temp.dirty(), 'D1 stage_mapping', 'a stage of the CRM that means another of ours: its deals are fetched, and ours follow');
update crm_field_mappings set sync_direction = 'push' where config_id = (select config from run where name = 'crm') and app_field = 'stage_key';
update pipeline_projects set stage_key = 'lead' where id = pg_temp.ours('D2');
delete from private.crm_outbox;
delete from private.crm_push_reviews;
delete from private.crm_dirty;
select pg_temp.map_stage('Closed', 'won');
select pg_temp.map_stage('Won', 'won');
select pg_temp.map_stage('Won', 'lead');
select pg_temp.claim(), pg_temp.begin_push('opportunities');
select is(pg_temp.told(pg_temp.take('opportunities')), 'update Deal D1 {"stage_key": "won"}', 'where stages are only sent, ours goes again, and what is in step does not');
select is(pg_temp.dirty(), 'none', 'and nothing is fetched');
update crm_field_mappings set sync_direction = 'pull' where config_id = (select config from run where name = 'crm') and app_field = 'stage_key';
delete from private.crm_push_reviews;
delete from crm_stage_mappings where config_id = (select config from run where name = 'crm') and crm_stage_id = 'Haggling';
select is((select count(*) from private.crm_push_reviews), 0::bigint, 'stages that are only read ask for nothing');

-- Restored here before the CRM has been read in full
delete from private.crm_outbox;
select pg_temp.settings('{"delete_when_deleted": true}'), pg_temp.claim();
select pg_temp.merge('accounts', pg_temp.record('Y1', '{"name": "Yore"}')), pg_temp.merge('accounts', pg_temp.record('Y1', '{}', '{"deleted": true}'));
update crm_companies set deleted_at = null where id = pg_temp.ours('Y1');
select pg_temp.begin_push('accounts'), pg_temp.take('accounts');
select is(pg_temp.outbox() like '%Yore%', false, 'what was restored here before the CRM has been read in full is not sent yet');
insert into private.crm_cursors (config_id, entity_type) select config, 'accounts' from run where name = 'crm';
select pg_temp.begin_push('accounts');
select is(pg_temp.outbox(), 'accounts:Acme accounts:By a member accounts:Yore', 'afterwards it is due like what was never there, and what is linked is not');
delete from crm_companies where id = pg_temp.ours('Y1');

-- What is not linked is found by its key, however little is known of a connection that is new
insert into private.crm_cursors (config_id, entity_type) select config, 'accounts' from run where name = 'crm' on conflict do nothing;
delete from private.crm_push_starts;
with made as (insert into crm_companies (workspace_id, name) select w.id, 'Many ' || i from w, generate_series(1, 300) i returning id, workspace_id)
insert into private.crm_record_links (config_id, entity_type, crm_record_id, record_id, workspace_id, base) select r.config, 'accounts', m.id, m.id, m.workspace_id, '{}' from made m, run r where r.name = 'crm';
create temp table scans on commit drop as select pg_stat_get_xact_numscans('private.crm_record_links_record_id_config_id_entity_type_key'::regclass) as before;
select pg_temp.claim(), pg_temp.begin_push('accounts');
select cmp_ok(pg_stat_get_xact_numscans('private.crm_record_links_record_id_config_id_entity_type_key'::regclass) - (select before from scans), '>=', 300::bigint, 'each record of ours is looked up for itself');
delete from crm_companies where workspace_id = (select id from w) and name like 'Many %';
delete from private.crm_record_links where crm_record_id ~ '-' and config_id = (select config from run where name = 'crm');

-- Connections that hear nothing
delete from private.crm_outbox;
update crm_sync_configs set sync_direction = 'pull' where id = (select config from run where name = 'crm');
update crm_sync_configs set sync_entities = '{contacts}' where id = (select config from run where name = 'second');
update crm_companies set name = 'Quiet' where name = 'By hand' and workspace_id = (select id from w);
select is((select count(*) from outbox), 0::bigint, 'one that only reads, or leaves the entity out, is told nothing');
update crm_sync_configs set sync_direction = 'push', sync_entities = '{accounts,contacts,opportunities}', is_active = false where workspace_id = (select id from w);
delete from private.crm_outbox;
update crm_companies set name = 'Loud' where name = 'Quiet' and workspace_id = (select id from w);
select is(pg_temp.outbox() || ' / ' || pg_temp.outbox('second'), 'accounts:Loud / accounts:Loud', 'one that is switched off for now will hear of it');
select private.crm_mark_dirty((select config from run where name = 'crm'), 'accounts', '{A1}', 'webhook');
select lives_ok(format('select private.crm_disconnect(%L, %L)', pg_temp.person('owner'), (select config from run where name = 'crm')), 'when a CRM is disconnected');
select is((select count(*) from outbox where config_id = (select config from run where name = 'crm')), 0::bigint, 'nothing is kept for it');
select is((select count(*) from private.crm_dirty where config_id = (select config from run where name = 'crm')), 0::bigint, 'either way');
update crm_companies set name = 'Later' where name = 'Loud' and workspace_id = (select id from w);
select is((select count(*) from outbox where config_id = (select config from run where name = 'crm')), 0::bigint, 'nor noted afterwards');

select lives_ok($$ delete from workspaces where id = (select id from w) $$, 'a workspace goes with all it has');
select is((select count(*) from outbox), 0::bigint, 'and leaves nothing');

select * from finish();
rollback;
