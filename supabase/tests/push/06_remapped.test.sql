-- A field of ours is mapped to another field of the CRM: what was agreed on before says nothing about that one.
-- have been done.

\ir fixture.psql

create function pg_temp.change(what text) returns text language sql as $$ select pg_temp.try_as('admin', format(what, (select config from run))) $$;
-- The next worker has the run.
create function pg_temp.claim() returns void language plpgsql as $$
begin
  update run r set fence = k.fence from private.crm_claim((select operation from run), 'next', 60) k where true;
end $$;
create function pg_temp.phones() returns text language sql as $$
  select string_agg(l.crm_record_id || '=' || coalesce(c.phone, '-'), ' ' order by l.crm_record_id) from links l join crm_companies c on c.id = l.record_id
$$;

select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "One", "phone": "1", "custom_fields.rating": "Hot"}')
  || pg_temp.record('A2', '{"name": "Two", "phone": "2"}') || pg_temp.record('A3', '{"name": "Three", "phone": null}') || pg_temp.record('A4', '{"name": "Four", "phone": "4"}'), done => true);
select pg_temp.merge('contacts', '[]', done => true), pg_temp.merge('opportunities', '[]', done => true);
select is(pg_temp.take('accounts'), '[]', 'both sides agree');

-- A worker and the mapping that it was handed
select is(pg_temp.change($$ update crm_field_mappings set confidence = 1 where config_id = %L $$) <> '0 rows', true, 'a note beside a mapping');
select is(pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "One"}')), 'unchanged=1', 'stops nobody');
select is(pg_temp.change($$ update crm_field_mappings set crm_field = 'Mobile__c' where config_id = %L and entity_type = 'accounts' and app_field = 'phone' $$), '1 rows', 'another field of the CRM is mapped');
select throws_ok($$ select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "One", "phone": "1"}')) $$, 'PC007', null, 'who reads by the old mapping stops');
select pg_temp.claim();

-- Another field
select is(pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "One", "phone": null}') || pg_temp.record('A2', '{"name": "Two", "phone": "22"}') || pg_temp.record('A3', '{"name": "Three", "phone": "33"}')
  || pg_temp.record('A4', '{"name": "Four", "phone": "4"}')), 'updated=2 unchanged=2 conflicts=1', 'the next one compares anew');
select is(pg_temp.phones(), 'A1=1 A2=22 A3=33 A4=4', 'an empty field there empties none of ours, and a value there fills an empty one');
select results_eq($$ select crm_record_id, conflicting_fields, app_data, crm_data, resolution_strategy from crm_sync_conflicts where config_id = (select config from run) $$,
  $$ values ('A2', '{phone}'::text[], '{"phone": "2"}'::jsonb, '{"phone": "22"}'::jsonb, 'last_write_wins') $$, 'two values are a conflict, for the strategy');
select pg_temp.begin_push('accounts');
select is(pg_temp.told(pg_temp.take('accounts')), 'update One A1 {"phone": "1"}', 'ours goes to the new field');
select is((select count(*) from private.crm_former_fields), 0::bigint, 'nothing is left to forget');

-- Away and back
select pg_temp.settle('accounts', pg_temp.answer(i, 'written')) from jsonb_array_elements(pg_temp.take('accounts')) i;
select pg_temp.change($$ delete from crm_field_mappings where config_id = %L and entity_type = 'accounts' and app_field in ('phone', 'custom_fields.rating') $$), pg_temp.claim();
update crm_companies set phone = '11' where id = pg_temp.ours('A1');
select is(pg_temp.change($$ insert into crm_field_mappings (config_id, entity_type, crm_field, app_field) values (%1$L, 'accounts', 'Mobile__c', 'phone'), (%1$L, 'accounts', 'Stars__c', 'custom_fields.rating') $$), '2 rows', 'removed mappings come again');
select pg_temp.claim();
select is(pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "One", "phone": "1", "custom_fields.rating": null}') || pg_temp.record('A4', '{"name": "Four", "phone": "44"}')), 'updated=1 unchanged=1', 'the CRM has changed one');
select is(pg_temp.phones(), 'A1=11 A2=22 A3=33 A4=44', 'to the same field: what was agreed on still tells who has changed');
select is((select custom_fields from crm_companies where id = pg_temp.ours('A1')), '{"rating": "Hot"}', 'to another one: it does not, and ours stays');
select pg_temp.begin_push('accounts');
select is(pg_temp.told(pg_temp.take('accounts')), 'update One A1 {"phone": "11", "custom_fields.rating": "Hot"}', 'both go out');

-- A conflict that waits for a person
delete from private.crm_outbox;
update crm_sync_configs set conflict_resolution = 'manual_review' where id = (select config from run);
select pg_temp.claim();
update crm_companies set phone = '700', name = 'Ours' where id = pg_temp.ours('A2');
select pg_temp.merge('accounts', pg_temp.record('A2', '{"name": "Theirs", "phone": "800"}'));
update crm_companies set phone = '700' where id = pg_temp.ours('A3');
select pg_temp.merge('accounts', pg_temp.record('A3', '{"name": "Three", "phone": "800"}'));
create function pg_temp.conflicts() returns text language sql as $$
  select string_agg(concat_ws(' ', k.crm_record_id, k.status, k.conflicting_fields::text, k.crm_data ->> 'phone'), ', ' order by k.crm_record_id, k.status)
  from crm_sync_conflicts k where k.config_id = (select config from run) and k.origin = 'sync' and k.operation_id is not null and (k.resolution_strategy is null or k.resolution_strategy = 'agreed')
$$;
select is(pg_temp.conflicts(), 'A2 pending {name,phone} 800, A3 pending {phone} 800', 'two records wait for a person');
select pg_temp.change($$ update crm_field_mappings set crm_field = 'Phone2__c' where config_id = %L and entity_type = 'accounts' and app_field = 'phone' $$), pg_temp.claim();
select pg_temp.begin_push('accounts');
select is(pg_temp.conflicts(), 'A2 pending {name}, A3 resolved {phone} 800', 'of the field that is mapped no more nothing is asked');
select results_eq($$ select crm_record_id, reason from private.crm_dirty where config_id = (select config from run) order by 1 $$, $$ values ('A2', 'remapped'), ('A3', 'remapped') $$, 'the records are looked at again');
select pg_temp.merge('accounts', pg_temp.record('A2', '{"name": "Theirs", "phone": null}') || pg_temp.record('A3', '{"name": "Three", "phone": "900"}'));
select is(pg_temp.conflicts(), 'A2 pending {name}, A3 pending {phone} 900, A3 resolved {phone} 800', 'and asked about the field that is mapped now, where there is something to ask');
delete from private.crm_dirty;

-- The end of a connection
select pg_temp.change('delete from crm_field_mappings where config_id = %L');
select private.crm_disconnect(pg_temp.person('admin'), (select config from run));
select is(pg_temp.try_as('admin', format('select crm_remove_connection(%L)', (select config from run))), '', 'a connection goes, whatever was mapped');
select is((select count(*) from private.crm_former_fields), 0::bigint, 'and takes this along');

select * from finish();
rollback;
