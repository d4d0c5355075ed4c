-- What becomes of a message from a CRM once its sender is known.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql

create temp table c on commit drop as
  select 'hub' as name, pg_temp.connect_crm('hubspot', '4711') as id union all select 'sf', pg_temp.connect_crm('salesforce', '00D000000000001EAA');
create function pg_temp.c(n text) returns uuid language sql as $$ select id from c where name = n $$;
create function pg_temp.event(key text, entity text, ids text[], account text default '4711', reason text default 'webhook') returns jsonb language sql as $$
  select jsonb_build_object('key', key, 'account', account, 'entity', entity, 'crm_ids', ids, 'reason', reason)
$$;
create function pg_temp.accept(variadic events jsonb[]) returns jsonb language sql as $$ select private.crm_accept_webhook('hubspot', to_jsonb(events)) $$;
create function pg_temp.named() returns text language sql as $$
  select coalesce(string_agg(d.entity_type || ' ' || d.crm_record_id, ', ' order by d.entity_type, d.crm_record_id), 'none') from private.crm_dirty d where d.config_id in (select id from c)
$$;
create function pg_temp.live() returns text language sql as $$
  select coalesce(string_agg(o.trigger || ' ' || o.entities::text || ' ' || s.phases::text, ', '), 'none')
  from crm_sync_operations o join private.crm_operation_state s on s.operation_id = o.id where o.config_id in (select id from c) and o.status = 'queued'
$$;

select is(pg_temp.accept(pg_temp.event('e1', 'contacts', '{1}'), pg_temp.event('e2', 'contacts', '{2}')), '{"accepted": 2}', 'events of a connected account are taken');
select is(pg_temp.named(), 'contacts 1, contacts 2', 'their records are to be fetched');
select is(pg_temp.live(), 'webhook {contacts} {dirty,push}', 'and a run does that');
select is(pg_temp.accept(pg_temp.event('e1', 'contacts', '{1}'), pg_temp.event('e3', 'contacts', '{1}'), pg_temp.event('e3', 'contacts', '{1}')), '{"accepted": 1, "duplicate": 2}', 'an event that comes again is not taken again, nor one that is twice in a message');
select is((select count(*) from crm_sync_operations where config_id = pg_temp.c('hub')), 1::bigint, 'what comes while a run is live waits with it');
select is(pg_temp.accept(pg_temp.event('e4', 'contacts', '{9}', '9999')), '{"unknown_account": 1}', 'an account that nobody connected is counted');
select is(pg_temp.named(), 'contacts 1, contacts 2', 'and nothing else');
update crm_sync_configs set sync_entities = '{accounts}' where id = pg_temp.c('hub');
select is(pg_temp.accept(pg_temp.event('e5', 'contacts', '{5}')), '{"not_synced": 1}', 'so are records that the connection does not sync');
update crm_sync_configs set sync_entities = '{accounts,contacts}' where id = pg_temp.c('hub');
select pg_temp.accept(pg_temp.event('e6', 'contacts', '{7}', reason => 'privacy_deletion'));
select is((select reason from private.crm_dirty where crm_record_id = '7' and config_id = pg_temp.c('hub')), 'privacy_deletion', 'the reason is kept');
select is((select sum(events) from private.crm_webhook_counts where crm_provider = 'hubspot' and outcome = 'accepted'), 4::numeric, 'the day''s events are counted');

-- Connections that are not woken.
select private.crm_stop_run(o.id, 'x') from crm_sync_operations o where o.config_id in (select id from c) and o.status = 'queued';
update crm_sync_configs set sync_frequency = 'manual' where id = pg_temp.c('hub');
select pg_temp.accept(pg_temp.event('e7', 'accounts', '{70}'));
select is(pg_temp.live(), 'none', 'a connection that only a person starts is not woken');
update crm_sync_configs set sync_frequency = 'hourly', status = 'paused' where id = pg_temp.c('hub');
select pg_temp.accept(pg_temp.event('e8', 'accounts', '{80}'));
select is(pg_temp.live(), 'none', 'nor a paused one');
select matches(pg_temp.named(), 'accounts 70, accounts 80', 'both keep the names');
update crm_sync_configs set status = 'disconnected' where id = pg_temp.c('hub');
select is(pg_temp.accept(pg_temp.event('e9', 'accounts', '{90}')), '{"unknown_account": 1}', 'a disconnected one is nobody''s');

-- Salesforce: the address is the secret.
create temp table url on commit drop as select pg_temp.try_as('admin', format('select crm_create_webhook_url(%L)', pg_temp.c('sf'))) as at;
select matches(at, '^http://project.test/functions/v1/crm-webhook/salesforce/[0-9a-f]{64}$', 'an admin gets an address') from url;
create function pg_temp.secret() returns text language sql as $$ select right(at, 64) from url $$;
create function pg_temp.send(secret text, org text, key text default 'n1') returns jsonb language sql as $$
  select private.crm_accept_outbound_message(secret, org, jsonb_build_array(jsonb_build_object('key', key, 'entity', 'accounts', 'crm_ids', array['001A'], 'reason', 'webhook')))
$$;
select is(pg_temp.send(pg_temp.secret(), '00D000000000002EAA'), null, 'the right address, another organisation: refused');
select is(pg_temp.send(repeat('0', 64), '00D000000000001EAA'), null, 'a guessed address: refused');
select is(pg_temp.send(pg_temp.secret(), '00D000000000001'), '{"accepted": 1}', 'the organisation that is connected: taken');
select is(pg_temp.send(pg_temp.secret(), '00D000000000001EAA'), '{"duplicate": 1}', 'once');
select ok(not exists (select from private.crm_webhook_secrets s where encode(s.secret_hash, 'hex') = pg_temp.secret()), 'the secret itself is stored nowhere');
create temp table former on commit drop as select pg_temp.secret() as secret;
create function pg_temp.former() returns text language sql as $$ select secret from former $$;
update url set at = pg_temp.try_as('admin', format('select crm_create_webhook_url(%L)', pg_temp.c('sf')));
select is(pg_temp.send(pg_temp.secret(), '00D000000000001EAA', 'n2'), '{"accepted": 1}', 'a new address works');
select is(pg_temp.send(pg_temp.former(), '00D000000000001EAA', 'n3'), '{"accepted": 1}', 'and the one before it for a day');
select is(pg_temp.send(pg_temp.former(), '00D000000000002EAA', 'n4'), null, 'for its organisation only');
update private.crm_webhook_secrets set former_until = former_until - interval '23 hours 59 minutes' where config_id = pg_temp.c('sf');
select is(pg_temp.send(pg_temp.former(), '00D000000000001EAA', 'n5'), '{"accepted": 1}', 'to the last minute');
update private.crm_webhook_secrets set former_until = former_until - interval '1 minute' where config_id = pg_temp.c('sf');
select is(pg_temp.send(pg_temp.former(), '00D000000000001EAA', 'n6'), null, 'then it is out of use');
update former set secret = pg_temp.secret();
update url set at = pg_temp.try_as('admin', format('select crm_create_webhook_url(%L, at_once => true)', pg_temp.c('sf')));
select is(pg_temp.send(pg_temp.former(), '00D000000000001EAA', 'n7'), null, 'an address that others have seen is out of use at once');
select is(pg_temp.send(pg_temp.secret(), '00D000000000001EAA', 'n8'), '{"accepted": 1}', 'and the new one works');
select results_eq($$ select detail -> 'at_once', count(*) from crm_audit_log where action = 'webhook_url_created' and config_id = pg_temp.c('sf') group by 1 order by 1 $$,
  $$ values ('false'::jsonb, 2::bigint), ('true', 1) $$, 'all are in the audit log');
select is(pg_temp.try_as('member', format('select crm_create_webhook_url(%L)', pg_temp.c('sf'))), 'PC002', 'a member gets none');
select is(pg_temp.try_as('outsider', format('select crm_create_webhook_url(%L)', pg_temp.c('sf'))), 'PC001', 'a stranger learns nothing');
select is(pg_temp.try_as('admin', format('select crm_create_webhook_url(%L)', pg_temp.c('hub'))), 'PC004', 'HubSpot has one for all');
update crm_sync_configs set status = 'disconnected' where id = pg_temp.c('sf');
select is(pg_temp.try_as('admin', format('select crm_create_webhook_url(%L)', pg_temp.c('sf'))), 'PC005', 'a connection that is disconnected gets no address that nobody answers at');
update crm_sync_configs set status = 'connected' where id = pg_temp.c('sf');

-- HubSpot signs with the app's client secret.
delete from vault.secrets where name like 'crm\_hubspot\_client\_secret%';
select vault.create_secret('first', 'crm_hubspot_client_secret');
select is(private.crm_signing_secrets('hubspot'), '{first}', 'one secret signs');
select private.crm_rotate_client_secret('hubspot', 'second');
select is(private.crm_client_secret('hubspot'), 'second', 'a new one takes its place');
select is(private.crm_signing_secrets('hubspot'), '{second,first}', 'what the one before has signed is taken');
select private.crm_rotate_client_secret('hubspot', 'third');
select is(private.crm_signing_secrets('hubspot'), '{third,second}', 'never more than two');
select is(private.crm_signing_secrets('hubspot', now() + interval '24 hours'), '{third}', 'and that for a day');

-- Retention.
update private.crm_webhook_deliveries set received_at = now() - interval '4 days' where delivery_key = sha256('hubspot:e1');
select private.crm_purge_webhook_deliveries();
select is((select count(*) from private.crm_webhook_deliveries where delivery_key in (sha256('hubspot:e1'), sha256('hubspot:e2'))), 1::bigint, 'events are forgotten after three days');
select lives_ok(command, 'the command of ' || jobname || ' runs') from cron.job where jobname in ('crm-schedule', 'crm-webhook-deliveries');

select * from finish();
rollback;
