-- What the CRM has, what a new record cannot do without, and who changed a mapping.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id;
create temp table d on commit drop as select pg_temp.connect_crm('hubspot', 'portal1') as id;
create function pg_temp.field(name text, more jsonb default '{}') returns jsonb language sql as $$
  select jsonb_build_object('name', name, 'label', initcap(name), 'type', 'string', 'crm_type', 'string', 'required', false, 'read_only', false,
    'custom', false, 'options', null, 'max_length', null) || more
$$;
create function pg_temp.missing(connection uuid, who text default 'viewer') returns text language sql as $$
  select coalesce(pg_temp.try_as(who, format($q$ select coalesce(string_agg(entity_type || ' ' || side || ' ' || field, ', ' order by entity_type, side, field), 'nothing')
    from crm_unmapped_required_fields where config_id = %L $q$, connection)), 'nothing')
$$;

-- Fields
select private.crm_keep_fields((select id from c), 'accounts', jsonb_build_array(
  pg_temp.field('Name', '{"required": true}'), pg_temp.field('Website', '{"type": "url", "max_length": 255}'), pg_temp.field('Gone')));
select private.crm_keep_fields((select id from c), 'contacts', jsonb_build_array(pg_temp.field('LastName')));
update crm_available_fields set refreshed_at = '2020-01-01' where config_id = (select id from c);
select private.crm_keep_fields((select id from c), 'accounts', jsonb_build_array(
  pg_temp.field('Rating', '{"type": "picklist", "options": [{"value": "Hot", "label": "Hot"}]}'), pg_temp.field('Name', '{"label": "Firm", "required": true}'),
  pg_temp.field('Website'), pg_temp.field('Name', '{"label": "Twice"}')));
select results_eq($$ select name, label, type, options, max_length, position, refreshed_at = now() from crm_available_fields where config_id = (select id from c) and entity_type = 'accounts' order by position $$,
  $$ values ('Rating', 'Rating', 'picklist', '[{"value": "Hot", "label": "Hot"}]'::jsonb, null::int, 1, true), ('Name', 'Firm', 'string', null, null, 2, true), ('Website', 'Website', 'string', null, null, 3, true) $$,
  'a description takes the place of the one before: fields come, change and go, in the order of the CRM');
select is((select refreshed_at from crm_available_fields where config_id = (select id from c) and entity_type = 'contacts'), '2020-01-01'::timestamptz, 'of its entity only');
select lives_ok($$ select private.crm_keep_fields(gen_random_uuid(), 'accounts', jsonb_build_array(pg_temp.field('Name'))) $$, 'a connection that is gone meanwhile keeps nothing');
select is(pg_temp.try_as('viewer', 'select count(*) from crm_available_fields'), '4', 'everybody in the workspace reads them');
select is(pg_temp.try_as('outsider', 'select count(*) from crm_available_fields'), '0', 'nobody else');
select is(pg_temp.try_as('admin', 'delete from crm_available_fields'), '42501', 'and nobody writes them');

-- Fields that the CRM lacks
create function pg_temp.map_new(entity text, crm text, app text, direction text default 'bidirectional') returns text language sql as $$
  select pg_temp.try_as('admin', format('insert into crm_field_mappings (config_id, entity_type, crm_field, app_field, sync_direction) values (%L, %L, %L, %L, %L)',
    (select id from c), entity, crm, app, direction))
$$;
select is(pg_temp.map_new('accounts', 'Raiting', 'custom_fields.rating'), 'PC004', 'a mapping to a field that the CRM lacks is refused');
select is(pg_temp.map_new('accounts', 'city=City,country=Rating', 'custom_fields.rating'), 'PC004', 'also where it is one part of several');
select throws_ok(format('set local role service_role; insert into crm_field_mappings (config_id, entity_type, crm_field, app_field) values (%L, ''accounts'', ''a=City,b=Rating,c=Town'', ''custom_fields.rating'')', (select id from c)),
  'PC004', 'The CRM has no field "City", "Town" on accounts, or hides it from the user who connected.', 'with a sentence that names it');
select is(pg_temp.map_new('accounts', 'Rating', 'custom_fields.rating'), '1 rows', 'one that it has is not');
select is(pg_temp.try_as('admin', format('update crm_field_mappings set crm_field = %L where config_id = %L and app_field = %L', 'Gone', (select id from c), 'custom_fields.rating')), 'PC004', 'nor may it become another');
select is(pg_temp.map_new('opportunities', 'Anything__c', 'custom_fields.any'), '1 rows', 'what was never described may be mapped');
delete from crm_available_fields where config_id = (select id from c) and name = 'Rating';
select is(pg_temp.try_as('admin', format('update crm_field_mappings set sync_direction = %L, crm_field = crm_field where config_id = %L and app_field = %L', 'pull', (select id from c), 'custom_fields.rating')), '1 rows', 'a field that went since may stay in its mapping');
select is(pg_temp.try_as('admin', format('insert into crm_field_mappings (config_id, entity_type, crm_field, app_field) values (%L, %L, %L, %L) on conflict (config_id, entity_type, app_field) do update set position = 7',
  (select id from c), 'accounts', 'Rating', 'custom_fields.rating')), '1 rows', 'also when all of them are saved once more');
select is(pg_temp.map_new('accounts', 'Raiting', 'custom_fields.other', 'none'), '1 rows', 'and a mapping that is switched off may name any');
delete from crm_field_mappings where config_id = (select id from c) and app_field like 'custom_fields.%';

-- Required fields without a mapping
select is(pg_temp.missing((select id from c)), 'nothing', 'what is required is mapped');
update crm_field_mappings set sync_direction = 'pull' where config_id = (select id from c) and entity_type = 'accounts' and app_field = 'name';
select is(pg_temp.missing((select id from c)), 'accounts crm Name', 'a field the CRM requires is not filled by what only comes from there');
update crm_field_mappings set sync_direction = 'push' where config_id = (select id from c) and entity_type = 'accounts' and app_field = 'name';
select is(pg_temp.missing((select id from c)), 'accounts app name', 'nor one of ours by what only goes there');
update crm_field_mappings set sync_direction = 'none' where config_id = (select id from c) and entity_type = 'accounts' and app_field = 'name';
select is(pg_temp.missing((select id from c)), 'accounts app name, accounts crm Name', 'one that is switched off fills neither');
select is(pg_temp.missing((select id from d)), 'nothing', 'every connection by itself');
select is(pg_temp.missing((select id from c), 'outsider'), 'nothing', 'strangers see nothing of it');
update crm_sync_configs set sync_direction = 'push' where id = (select id from c);
select is(pg_temp.missing((select id from c)), 'accounts crm Name', 'a connection that only pushes needs no field of ours');
update crm_sync_configs set sync_direction = 'pull' where id = (select id from c);
select is(pg_temp.missing((select id from c)), 'accounts app name', 'one that only reads needs no field of the CRM');
update crm_sync_configs set sync_direction = 'bidirectional', sync_rules = '{"create_in_crm": false}' where id = (select id from c);
select is(pg_temp.missing((select id from c)), 'accounts app name', 'nor does one that creates nothing there');
update crm_sync_configs set sync_rules = '{"create_when_missing": false}' where id = (select id from c);
select is(pg_temp.missing((select id from c)), 'accounts crm Name', 'or here');
update crm_sync_configs set sync_rules = '{}', sync_entities = '{contacts}' where id = (select id from c);
select is(pg_temp.missing((select id from c)), 'nothing', 'an entity that is not synced needs nothing');
update crm_sync_configs set sync_entities = '{accounts,contacts,opportunities}' where id = (select id from c);
update crm_field_mappings set sync_direction = 'bidirectional' where config_id = (select id from c);
update crm_sync_configs set sync_rules = '{"accounts": {"exclude_fields": ["name"]}}' where id = (select id from c);
select is(pg_temp.missing((select id from c)), 'accounts app name, accounts crm Name', 'an excluded field is as good as unmapped');
update crm_sync_configs set sync_rules = '{}' where id = (select id from c);
select private.crm_keep_fields((select id from c), 'contacts', jsonb_build_array(pg_temp.field('MailingCity', '{"required": true}'), pg_temp.field('Id', '{"required": true, "read_only": true}')));
select is(pg_temp.missing((select id from c)), 'contacts crm MailingCity', 'what nobody can set is not asked for');
insert into crm_field_mappings (config_id, entity_type, crm_field, app_field, data_type) select id, 'contacts', 'street=MailingStreet, city = MailingCity', 'preferences', 'object' from c;
select is(pg_temp.missing((select id from c)), 'nothing', 'a part of an object counts as mapped');
delete from crm_field_mappings where config_id = (select id from c) and entity_type = 'contacts' and app_field in ('first_name', 'last_name');
select is(pg_temp.missing((select id from c)), 'nothing', 'a person is known by an e-mail address');
delete from crm_field_mappings where config_id = (select id from c) and entity_type = 'contacts' and app_field = 'email';
select is(pg_temp.missing((select id from c)), 'contacts app last_name', 'or by a name, and needs one of them');

-- One field of the CRM, several of ours
create function pg_temp.map(field text, target text, direction text) returns text language sql as $$
  select pg_temp.try_as('admin', format($q$ insert into crm_field_mappings (config_id, entity_type, crm_field, app_field, sync_direction) values (%L, 'accounts', %L, %L, %L) $q$, (select id from d), field, target, direction))
$$;
select is(pg_temp.map('Website', 'domain', direction), 'PC004', 'a field of the CRM is not written by two of ours: ' || direction) from unnest('{bidirectional,push}'::text[]) direction;
select is(pg_temp.map('Website', 'domain', 'pull'), '1 rows', 'but may be read into both');
select is(pg_temp.try_as('admin', format($$ update crm_field_mappings set sync_direction = 'bidirectional' where config_id = %L and app_field = 'domain' $$, (select id from d))), 'PC004', 'which then cannot both be sent');
select is(pg_temp.try_as('admin', format($$ update crm_field_mappings set sync_direction = case app_field when 'domain' then 'push' else 'pull' end where config_id = %L and crm_field = 'Website' $$, (select id from d))), '2 rows', 'to change places takes one statement');
select is(pg_temp.map('city=Town,phone=Website', 'billing_address', 'push'), 'PC004', 'a part of an object counts');
select is(pg_temp.map('city=Town', 'shipping_address', 'push'), '1 rows', 'others are free');
delete from crm_field_mappings where config_id = (select id from d) and app_field in ('domain', 'shipping_address');
select is(pg_temp.map('Town', 'custom_fields.town', 'from-crm'), '1 rows', 'a direction goes by its other name as well');
select is(pg_temp.try_as('admin', format($$ update crm_field_mappings set sync_direction = 'to-crm' where config_id = %L and app_field = 'custom_fields.town' $$, (select id from d))), '1 rows', 'or the other way');
select is((select sync_direction from crm_field_mappings where config_id = (select id from d) and app_field = 'custom_fields.town'), 'push', 'is stored under one');
delete from crm_field_mappings where config_id = (select id from d) and app_field = 'custom_fields.town';
select is(pg_temp.map(field, 'shipping_address', 'pull'), 'PC004', 'names no field: ' || field) from unnest(array['=', ' ', 'city=', '=Town', 'city=Town,', 'city=Town,zip']) field;
delete from crm_audit_log where action = 'field_mappings_changed';

-- Who changed a mapping
delete from crm_available_fields where config_id = (select id from c);
create function pg_temp.audit(of_action text) returns setof text language sql as $$
  select format('%s %s', (select p from unnest('{owner,admin,member}'::text[]) p where pg_temp.person(p) = a.actor_id), a.detail)
  from crm_audit_log a where a.action = of_action and a.config_id = (select id from c) order by a.detail::text
$$;
select is_empty($$ select pg_temp.audit('field_mappings_changed') $$, 'what a connection brings along is no change by a person');
select is(pg_temp.try_as('admin', format($$ insert into crm_field_mappings (config_id, entity_type, crm_field, app_field) values (%1$L, 'accounts', 'A', 'custom_fields.a'), (%1$L, 'accounts', 'B', 'custom_fields.b') $$, (select id from c))), '2 rows', 'an admin maps two fields');
select is((select jsonb_array_length(detail -> 'after') from crm_audit_log where action = 'field_mappings_changed'), 2, 'one statement is one row of the log');
select is((select actor_id from crm_audit_log where action = 'field_mappings_changed'), pg_temp.person('admin'), 'with who did it');
select is((select detail -> 'after' -> 0 from crm_audit_log where action = 'field_mappings_changed'),
  '{"entity_type": "accounts", "crm_field": "A", "app_field": "custom_fields.a", "data_type": "string", "sync_direction": "bidirectional", "is_required": false}'::jsonb, 'and what');
delete from crm_audit_log;
select is(pg_temp.try_as('admin', format($$ update crm_field_mappings set sync_direction = case app_field when 'custom_fields.a' then 'pull' else sync_direction end where config_id = %L and entity_type = 'accounts' $$, (select id from c))), '4 rows', 'an admin saves the whole form');
select is((select jsonb_path_query_array(detail, '$.*[*].sync_direction') from crm_audit_log where action = 'field_mappings_changed'), '["pull", "bidirectional"]'::jsonb, 'the log has what differs, before and after');
delete from crm_audit_log;
select pg_temp.try_as('admin', format($$ update crm_field_mappings set is_required = is_required where config_id = %L $$, (select id from c)));
select is_empty('select 1 from crm_audit_log', 'saving what is there already is no change');
select is(pg_temp.try_as('owner', format($$ delete from crm_field_mappings where config_id = %L and app_field = 'custom_fields.b' $$, (select id from c))), '1 rows', 'the owner removes one');
select is((select detail ? 'before' and not detail ? 'after' from crm_audit_log where action = 'field_mappings_changed'), true, 'the log has what is gone');
select is(pg_temp.try_as('member', format($$ delete from crm_field_mappings where config_id = %L $$, (select id from c))), '0 rows', 'a member removes none');
select is(pg_temp.try_as('admin', format($$ update crm_stage_mappings set stage_key = 'lost' where config_id = %L $$, (select id from c))), '1 rows', 'an admin changes a stage');
select is((select detail -> 'before' -> 0 ->> 'stage_key' || ' ' || (detail -> 'after' -> 0 ->> 'stage_key') from crm_audit_log where action = 'stage_mappings_changed'), 'won lost', 'which the log tells too');
select is((select count(*) from crm_audit_log), 2::bigint, 'and nothing else was written');
delete from crm_audit_log;
update crm_sync_configs set status = 'disconnected' where id = (select id from c);
select is(pg_temp.try_as('admin', format('select crm_remove_connection(%L)', (select id from c))), '', 'a connection goes with its mappings');
select is((select string_agg(action, ', ') from crm_audit_log), 'removed', 'which its own row of the log tells');

-- Our side of a preview
select pg_temp.try_as('member', format($$ insert into crm_companies (workspace_id, name, website, custom_fields) values (%L, 'Linked', 'https://linked.example', '{"tier": "gold"}'), (%1$L, 'Alone', null, '{}'), (%1$L, 'Deleted', null, '{}') $$, (select id from w)));
update crm_companies set deleted_at = now() where name = 'Deleted';
insert into private.crm_record_links (config_id, entity_type, crm_record_id, record_id, workspace_id, base)
select d.id, 'accounts', 'L1', k.id, k.workspace_id, '{}' from d, crm_companies k where k.name = 'Linked';
create temp table ours on commit drop as
select p.* from d, private.crm_preview_ours(d.id, 'accounts', '{L1,L2}', array(select id from crm_companies where name in ('Alone', 'Deleted'))) p;
select results_eq('select crm_id, name from ours order by name', $$ values (null, 'Alone'), ('L1', 'Linked') $$, 'live records of ours come by either id');
select is(fields -> 'website' || (fields -> 'custom_fields.tier'), '["https://linked.example", "gold"]'::jsonb, 'with their values by app field') from ours where crm_id = 'L1';
select ok(not fields ?| '{workspace_id,$owner,custom_fields}', 'and with nothing that cannot be mapped') from ours where crm_id = 'L1';
select is_empty($$ select p.* from d, private.crm_preview_ours(d.id, 'accounts', '{}', array[gen_random_uuid()]) p $$, 'an id that means nothing gives nothing');

create function pg_temp.drop_stage(stage text) returns text language sql as $$
  select pg_temp.try_as('owner', format('delete from pipeline_stages where key = %L and workspace_id = %L', stage, (select id from w)))
$$;
select is(pg_temp.drop_stage('negotiation'), '1 rows', 'a stage that nothing maps to is deleted');
insert into crm_stage_mappings (workspace_id, config_id, crm_stage_id, stage_key) select w.id, d.id, 'Lost', 'lost' from w, d;
select is(pg_temp.drop_stage('lost'), 'PC008', 'one that a stage of a CRM means is not');

select * from finish();
rollback;
