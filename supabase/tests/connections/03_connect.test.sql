-- A connection comes, comes again and goes.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql
\ir ../fixtures/run.psql

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id;
select results_eq($$ select name, status, oauth_instance_url, oauth_user_email, sync_direction, conflict_resolution, created_by from crm_sync_configs where id = (select id from c) $$,
  $$ values ('org1', 'connected', 'https://org1.example', 'o@x.example', 'bidirectional', 'last_write_wins', pg_temp.person('owner')) $$, 'a connection knows its account');
select is((select count(*) from crm_field_mappings where config_id = (select id from c)), 9::bigint, 'with its mappings');
select is((select stage_key from crm_stage_mappings where config_id = (select id from c)), 'won', 'and stages');
select results_eq($$ select crm_user_id, email, member_id from private.crm_owners where config_id = (select id from c) order by 1 $$,
  $$ values ('U1', 'member@example.test', pg_temp.person('member')), ('U2', 'else@where.test', null) $$, 'owners are found among members by e-mail');
select is((select string_agg(action, ', ') from crm_audit_log where config_id = (select id from c)), 'connected', 'the audit log tells');
select is((select actor_id from crm_audit_log where config_id = (select id from c)), pg_temp.person('owner'), 'and by whom');

delete from crm_field_mappings where config_id = (select id from c) and app_field = 'website';
update crm_sync_configs set conflict_resolution = 'manual' where id = (select id from c);
select is((select conflict_resolution from crm_sync_configs where id = (select id from c)), 'manual_review', 'the other document''s name of a strategy is understood');
select is(pg_temp.connect_crm('salesforce', 'org1'), (select id from c), 'the same account again keeps its id');
select is((select count(*) from crm_field_mappings where config_id = (select id from c)), 8::bigint, 'and the mappings as they were left');
select is((select conflict_resolution from crm_sync_configs where id = (select id from c)), 'manual_review', 'and the settings');
select isnt(pg_temp.connect_crm('salesforce', 'org2'), (select id from c), 'another account is another connection');
select throws_ok($$ select private.crm_connect(pg_temp.person('member'), (select id from w), 'hubspot', 'production', '{}', '{}', '[]', '[]', '[]') $$, 'PC002', null, 'a member cannot connect');
select throws_ok($$ select private.crm_connect(pg_temp.person('owner'), (select id from w), 'hubspot', 'production', '{"external_account_id": "p", "instance_url": "https://x"}', '{"access_token": "a"}',
  '[{"entity_type": "contacts", "crm_field": "x", "app_field": "no_such_field"}]', '[]', '[]') $$, 'PC004', null, 'a mapping to nowhere fails the whole');
select is((select count(*) from crm_sync_configs where crm_provider = 'hubspot' and workspace_id = (select id from w)), 0::bigint, 'and leaves no half-made row');

-- Settings and mappings over the API
select is(pg_temp.try_as('admin', format($$ update crm_sync_configs set sync_rules = %L where id = %L $$, rules, (select id from c))), answer, 'sync rules ' || rules)
from (values ('{"delete_when_deleted": true, "contacts": {"field_strategies": {"email": "crm_wins"}}}', '1 rows'), ('{"delete_when_deleted": "yes"}', 'PC004'),
  ('{"contacts": {"field_strategies": {"email": "whoever"}}}', 'PC004'), ('{"contacts": {"field_strategies": "crm_wins"}}', 'PC004'), ('{"contacts": {"strategies": {}}}', 'PC004'),
  ('{"contacts": "crm_wins"}', 'PC004'), ('{"phone_country": 49}', 'PC004'), ('{"phone_country": "DE"}', '1 rows'), ('{"delete_when_deletd": true}', 'PC004'), ('[]', '23514'), ('{}', '1 rows')) r (rules, answer);
select is(pg_temp.try_as('admin', format($$ update crm_sync_configs set sync_entities = %L where id = %L $$, list, (select id from c))), '23514', 'entities are a plain list: ' || list) from unnest(array['{}', '{{accounts},{contacts}}', '{leads}', '{null}']) list;
select is(pg_temp.try_as('admin', format($$ update crm_sync_configs set sync_direction = 'pull' where id = %L $$, (select id from c))), '1 rows', 'an admin changes settings');
select is((select action from crm_audit_log where config_id = (select id from c) and actor_id = pg_temp.person('admin') and detail ? 'sync_direction'), 'settings_changed', 'which is audited');
select is((select detail from crm_audit_log where action = 'settings_changed' and detail ? 'sync_direction'), '{"sync_direction": "pull"}'::jsonb, 'with what changed');
select is(pg_temp.try_as('member', format($$ update crm_sync_configs set sync_direction = 'push' where id = %L $$, (select id from c))), '0 rows', 'a member does not');
select is(pg_temp.try_as('owner', format($$ update crm_sync_configs set %s where id = %L $$, x, (select id from c))), '42501', 'nobody writes ' || x)
  from unnest(array['status = ''connected''', 'oauth_instance_url = ''https://evil.example''', 'external_account_id = ''x''', 'workspace_id = gen_random_uuid()']) x;
select is(pg_temp.try_as('admin', format($$ insert into crm_field_mappings (config_id, entity_type, crm_field, app_field) values (%L, 'contacts', 'Dept', 'department') $$, (select id from c))), '1 rows', 'an admin maps a field');
select is(pg_temp.try_as('member', format($$ insert into crm_field_mappings (config_id, entity_type, crm_field, app_field) values (%L, 'contacts', 'Dept', 'custom_fields.x') $$, (select id from c))), '42501', 'a member does not');
select is(pg_temp.try_as('outsider', format($$ insert into crm_field_mappings (config_id, entity_type, crm_field, app_field) values (%L, 'contacts', 'Dept', 'custom_fields.x') $$, (select id from c))), '42501', 'nor an outsider who knows the id');
select is(pg_temp.try_as('admin', format($$ insert into crm_field_mappings (config_id, entity_type, crm_field, app_field) values (%L, 'contacts', 'Id', 'id') $$, (select id from c))), 'PC004', 'not every column can be mapped');
select is(pg_temp.try_as('admin', format($$ insert into crm_field_mappings (config_id, entity_type, crm_field, app_field) values (%L, 'contacts', 'X', '$owner') $$, (select id from c))), 'PC004', 'nor what the merge itself writes');
select is(pg_temp.try_as('admin', format($$ insert into crm_field_mappings (config_id, entity_type, crm_field, app_field, sync_direction, transform_function) values (%L, 'contacts', 'Level', 'custom_fields.level', %L, 'value') $$, (select id from c), direction)), answer, 'a transform with direction ' || direction)
  from (values ('bidirectional', 'PC004'), ('push', 'PC004'), ('pull', '1 rows')) as d (direction, answer);
select is(pg_temp.try_as('admin', format($$ update crm_field_mappings set sync_direction = %L where config_id = %L and app_field = 'custom_fields.level' $$, direction, (select id from c))), answer, 'which cannot become ' || direction)
  from (values ('bidirectional', 'PC004'), ('push', 'PC004'), ('none', '1 rows')) as d (direction, answer);
select is(pg_temp.try_as('admin', format($$ update crm_field_mappings set transform_function = 'value' where config_id = %L and app_field = 'department' $$, (select id from c))), 'PC004', 'a mapping in both directions gets no transform');
select is(pg_temp.try_as('admin', format($$ update crm_field_mappings set sync_direction = 'pull', transform_function = 'value' where config_id = %L and app_field = 'department' $$, (select id from c))), '1 rows', 'unless it becomes one that is read only');
select is(pg_temp.try_as('admin', format($$ update crm_field_mappings set transform_function = '' where config_id = %L and app_field = 'department' $$, (select id from c))), '23514', 'an empty transform is none');
select is(pg_temp.try_as('admin', format($$ insert into crm_field_mappings (config_id, entity_type, crm_field, app_field, sync_direction, transform_function) values (%L, 'opportunities', 'Level', 'stage_key', 'pull', 'value') $$, (select id from c))), 'PC004', 'stages are for the stage mapping');
select ok(pg_temp.try_as('viewer', 'select count(*) from crm_app_fields()')::int > 40, 'everybody can list the fields');
select is((select string_agg(f.entity_type || '.' || f.column_name, ', ') from private.crm_app_fields f join private.crm_entities e using (entity_type)
  where not exists (select from pg_attribute a where a.attrelid = format('public.%I', e.table_name)::regclass and a.attname = f.column_name)), null, 'each of which exists');

-- Going
create temp table op on commit drop as select (pg_temp.try_as('member', format('select (crm_start_sync(%L)).id', (select id from c))))::uuid as id;
insert into crm_sync_logs (workspace_id, config_id, operation_id, sync_direction, entity_type) select workspace_id, config_id, id, 'pull', 'accounts' from crm_sync_operations where id = (select id from op);
select throws_ok($$ select private.crm_disconnect(pg_temp.person('member'), (select id from c)) $$, 'PC002', null, 'a member cannot disconnect');
select is(private.crm_disconnect(pg_temp.person('admin'), (select id from c)) ->> 'refresh_token', 'rt', 'disconnecting hands out the token to revoke');
select is((select status from crm_sync_configs where id = (select id from c)), 'disconnected', 'is done here first');
select results_eq($$ select o.status, l.status, l.completed_at is not null from crm_sync_operations o join crm_sync_logs l on l.operation_id = o.id where o.config_id = (select id from c) $$,
  $$ values ('cancelled', 'partial', true) $$, 'its run is cancelled, and the logs of it are closed');
select is((select status from crm_sync_operations where id = (select id from op)), 'cancelled', 'and ends the run in work');
select throws_ok($$ select * from private.crm_session((select id from c)) $$, 'PC005', null, 'nobody gets a session any more');
select private.crm_forget_credentials((select id from c));
select is((select count(*) from private.crm_credentials where config_id = (select id from c)), 0::bigint, 'then the tokens are forgotten');
select pg_temp.connect_crm('salesforce', 'org1');
select private.crm_forget_credentials((select id from c));
select is((select count(*) from private.crm_credentials where config_id = (select id from c)), 1::bigint, 'a late forgetting spares a connection made again');

select * from finish();
rollback;
