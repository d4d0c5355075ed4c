-- Requests that meet a live run: it takes them in, or a run for the rest follows it.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql
\ir ../fixtures/run.psql

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id;
create function pg_temp.rpc(who text, call text) returns text language sql as $$ select pg_temp.try_as(who, format('select (' || call || ').id', (select id from c))) $$;
create function pg_temp.live() returns crm_sync_operations language sql as $$ select o from crm_sync_operations o where config_id = (select id from c) and o.status in ('queued', 'running', 'paused') $$;
create function pg_temp.state() returns private.crm_operation_state language sql as $$ select s from private.crm_operation_state s where operation_id = (pg_temp.live()).id $$;
create function pg_temp.claim() returns bigint language sql as $$ select k.fence from private.crm_claim((pg_temp.live()).id, 'w', 60) k $$;
create function pg_temp.finish_run(outcome text default 'completed') returns void language sql as $$
  select private.crm_finish(s.operation_id, s.fence, outcome, null) from private.crm_operation_state s where s.operation_id = (pg_temp.live()).id
$$;

select isnt(pg_temp.rpc('member', 'crm_start_sync(%L, ''{accounts}'', ''from_crm'')'), null, 'a run for one entity');
create temp table first_run on commit drop as select (pg_temp.live()).id;
select is((pg_temp.live()).joined, 0, 'is nobody else''s so far');
select is(pg_temp.rpc('member', 'crm_start_sync(%L, ''{contacts}'', ''to_crm'')'), (select id from first_run)::text, 'another request, before a worker came, is taken in');
select results_eq($$ select direction, (select array_agg(e order by e) from unnest(entities) e), joined, follow_up from pg_temp.live() $$,
  $$ values ('bidirectional', '{accounts,contacts}'::text[], 1, false) $$, 'by a run that now does both');

select is(pg_temp.claim(), 1::bigint, 'a worker begins it');
select is(pg_temp.rpc('member', 'crm_start_sync(%L, ''{accounts}'')'), (select id from first_run)::text, 'the same again');
select results_eq('select joined, follow_up from pg_temp.live()', 'values (2, false)', 'is under way already');
select is(pg_temp.rpc('member', 'crm_start_sync(%L, ''{opportunities}'', ''from_crm'')'), (select id from first_run)::text, 'what the run does not do');
select results_eq('select joined, follow_up, (pg_temp.state()).wish -> ''entities'' from pg_temp.live()', $$ values (3, true, '["opportunities"]'::jsonb) $$, 'is remembered');
-- As a webhook or a retry asks: what has to be fetched by name may be looked at already.
select is((private.crm_enqueue(x, '{accounts}', null, 'webhook', '{dirty,push}')).id, (select id from first_run), 'a request for named records') from crm_sync_configs x where x.id = (select id from c);
select results_eq('select (select jsonb_agg(e order by e) from jsonb_array_elements((pg_temp.state()).wish -> ''entities'') e), (pg_temp.state()).wish ->> ''direction'' from pg_temp.live()',
  $$ values ('["accounts", "opportunities"]'::jsonb, 'bidirectional') $$, 'joins the wish, which grows');
select pg_temp.finish_run();
select is((select status from crm_sync_operations where id = (select id from first_run)), 'completed', 'when the run ends');
select isnt((pg_temp.live()).id, (select id from first_run), 'the promised one follows');
select results_eq('select status, direction, (select array_agg(e order by e) from unnest(entities) e), trigger, requested_by from pg_temp.live()',
  $$ values ('queued', 'bidirectional', '{accounts,opportunities}'::text[], 'manual', pg_temp.person('member')) $$, 'with all that was asked, in the name of who asked first');
select pg_temp.claim();
select pg_temp.finish_run();
select is((pg_temp.live()).id, null, 'and nothing follows that');

-- What an admin has closed meanwhile does not follow.
select pg_temp.rpc('member', 'crm_start_sync(%L, ''{accounts}'')');
select pg_temp.claim();
select pg_temp.rpc('member', 'crm_start_sync(%L, ''{contacts}'')');
update crm_sync_configs set sync_entities = '{accounts}' where id = (select id from c);
select pg_temp.finish_run('failed');
select is((pg_temp.live()).id, null, 'a wish that the connection no longer allows is dropped');
update crm_sync_configs set sync_entities = default where id = (select id from c);
select pg_temp.rpc('member', 'crm_start_sync(%L, ''{accounts}'')');
select pg_temp.claim();
select pg_temp.rpc('member', 'crm_start_sync(%L, ''{contacts}'')');
select is(pg_temp.try_as('member', format('select (crm_cancel_sync(%L)).status', (pg_temp.live()).id)), 'cancelled', 'who cancels a run');
select is((pg_temp.live()).id, null, 'cancels what was to follow it');

-- A full resync
insert into private.crm_cursors (config_id, entity_type, cursor) select (select id from c), e, '{"modified_at": "2026-01-01", "id": "1"}' from unnest('{accounts,contacts}'::text[]) e;
insert into private.crm_record_links (config_id, entity_type, crm_record_id, record_id, workspace_id, base)
select (select id from c), e, 'L' || i, gen_random_uuid(), (select id from w), '{}' from unnest('{accounts,contacts}'::text[]) e, generate_series(1, 3) i;
select pg_temp.rpc('member', 'crm_start_sync(%L, ''{accounts}'')');
select pg_temp.claim();
select pg_temp.try_as('member', format('select (crm_start_sync(config_id => %L, entities => ''{accounts}'', "full" => true)).follow_up', (select id from c)));
select is((select count(*) from private.crm_cursors where config_id = (select id from c)), 2::bigint, 'a full resync that is asked for during a run leaves its cursors alone');
select is((pg_temp.live()).follow_up, true, 'and follows it');
select pg_temp.finish_run();
select is((select array_agg(entity_type) from private.crm_cursors where config_id = (select id from c)), '{contacts}', 'then the cursors of the chosen entities are gone');
select is((select count(*) from private.crm_record_links where config_id = (select id from c)), 6::bigint, 'and all links are there');
select is((select string_agg(action || ' ' || (detail ->> 'entities'), ', ') from crm_audit_log where action = 'full_resync' and workspace_id = (select id from w)), 'full_resync ["accounts"]', 'which is audited');

-- Estimates
select is((pg_temp.live()).estimated_records, 3, 'an entity that is read in full has about as many records as links');
select pg_temp.try_as('member', format('select (crm_cancel_sync(%L)).status', (pg_temp.live()).id));
select is((pg_temp.live()).id, null, 'the run is gone');
insert into private.crm_dirty (config_id, entity_type, crm_record_id, reason) select (select id from c), 'contacts', 'D' || i, 'test' from generate_series(1, 4) i;
select pg_temp.try_as('member', format('select (crm_start_sync(%L, ''{contacts}'')).id', (select id from c)));
select is((pg_temp.live()).estimated_records, 4, 'one that is read on from its cursor as many as wait, and as last time');

-- Limited runs
select pg_temp.try_as('member', format('select (crm_cancel_sync(%L)).status', (pg_temp.live()).id));
create temp table asked (name text primary key, filters jsonb) on commit drop;
insert into asked values ('steel', '{"accounts": {"field": "name", "operator": "contains", "value": "Steel"}}'), ('wood', '{"accounts": {"field": "name", "operator": "contains", "value": "Wood"}}'),
  ('both', '{"accounts": {"field": "name", "operator": "empty"}, "contacts": {"field": "email", "operator": "not_empty"}}');
create function pg_temp.limited(of text, more text default '', who text default 'member') returns text language sql as $$
  select pg_temp.try_as(who, format('select (crm_start_sync(config_id => %L, filters => %L, entities => ''{accounts,contacts}''' || more || ')).id', (select id from c), (select filters from asked where name = of)))
$$;
select is(pg_temp.limited('steel', '', 'viewer'), 'PC002', 'a viewer starts none');
select isnt(pg_temp.limited('steel'), null, 'a run for some records');
select results_eq('select filters, estimated_records, (pg_temp.state()).phases, (pg_temp.state()).reads_all from pg_temp.live()',
  $$ select filters, null::int, '{pull,push}'::text[], false from asked where name = 'steel' $$, 'says which, guesses no number, and leaves what was named to others');
select is(pg_temp.rpc('member', 'crm_start_sync(%L)'), (pg_temp.live()).id::text, 'a request for all');
select results_eq('select o.filters, follow_up, (pg_temp.state()).wish -> ''filters'' from pg_temp.live() o', $$ select filters, true, 'null'::jsonb from asked where name = 'steel' $$, 'is not part of it, and follows');
select is(private.crm_is_whole(pg_temp.live(), x), false, 'and the schedule counts on no limited run') from crm_sync_configs x where x.id = (select id from c);
select pg_temp.claim();
select is((select settings -> 'filters' from private.crm_claim((pg_temp.live()).id, 'w2', 60)), null, 'one worker has it');
select pg_temp.finish_run();
select results_eq('select filters, (pg_temp.state()).phases from pg_temp.live()', $$ values (null::jsonb, '{dirty,pull,push}'::text[]) $$, 'then all comes');
select is(pg_temp.limited('steel'), (pg_temp.live()).id::text, 'a run for all does what a limited one would');
select results_eq('select follow_up, (pg_temp.state()).wish is null from pg_temp.live()', 'values (false, true)', 'so that none follows');
select pg_temp.limited('steel', ', "full" => true');
select pg_temp.limited('wood', ', "full" => true');
select is((select (wish -> 'filters', wish -> 'full')::text from pg_temp.state() s), '(null,true)', 'two that are limited otherwise become one for all');
select pg_temp.try_as('member', format('select (crm_cancel_sync(%L)).status', (pg_temp.live()).id));
insert into private.crm_cursors (config_id, entity_type, cursor) values ((select id from c), 'accounts', '{"modified_at": "2026-01-01", "id": "1"}') on conflict (config_id, entity_type) do update set cursor = excluded.cursor;
select pg_temp.limited('steel', ', "full" => true');
select is((pg_temp.state()).reads_all, true, 'a full one reads all that matches');
create temp table of_steel on commit drop as select k.* from private.crm_claim((pg_temp.live()).id, 'w', 60) k;
select is((select settings -> 'filters' from of_steel), (select filters from asked where name = 'steel'), 'of which the worker is told');
select private.crm_merge_page(operation_id, fence, 'accounts', '[]', '[]', '{"entity": "accounts", "entity_done": true}', '{"modified_at": "2026-09-09", "id": "2"}') from of_steel;
select private.crm_merge_page(operation_id, fence, 'contacts', '[]', '[]', '{"entity": "contacts", "entity_done": true}', '{"modified_at": "2026-09-09", "id": "2"}') from of_steel;
select results_eq($$ select entity_type, cursor ->> 'modified_at' from private.crm_cursors where config_id = (select id from c) order by 1 $$,
  $$ values ('accounts', '2026-01-01'), ('contacts', '2026-09-09') $$, 'where reading stopped is kept of the entities that it read without a limit');
select pg_temp.finish_run('failed');
update crm_sync_operations o set status = 'failed' where o.id = (select operation_id from of_steel);
select pg_temp.try_as('member', format('select (crm_retry_operation(%L)).id', (select operation_id from of_steel)));
select is((pg_temp.live()).filters, (select filters from asked where name = 'steel'), 'tried again, it is limited again');
select pg_temp.try_as('member', format('select (crm_cancel_sync(%L)).status', (pg_temp.live()).id));
insert into asked values ('list', '[]'), ('nothing', '{}'), ('other', '{"opportunities": {"field": "name", "operator": "empty"}}'), ('field', '{"accounts": {"field": "nonsense", "operator": "empty"}}'),
  ('condition', '{"accounts": null}'), ('leads', '{"leads": {"field": "name", "operator": "empty"}}');
select is(pg_temp.limited(a.name), 'PC004', 'what limits nothing is refused: ' || a.name) from asked a where name in ('list', 'nothing', 'other', 'field', 'condition', 'leads');
select is((pg_temp.live()).id, null, 'and nothing runs');

select * from finish();
rollback;
