-- Records to fetch by name.

\ir fixture.psql

create function pg_temp.mark(ids text[], reason text default 'webhook') returns int language sql as $$ select private.crm_mark_dirty(config, 'contacts', ids, reason) from run where name = 'crm' $$;
create function pg_temp.due_ids(lim int default 10) returns text language sql as $$
  select coalesce(string_agg(d.crm_id, ' '), 'nothing') from run r, private.crm_due_dirty(r.operation, r.fence, 'contacts', lim) d where r.name = 'crm'
$$;
select is(pg_temp.mark('{C1,C2,C1,""}'), 2, 'records are named once each');
select is(pg_temp.mark('{C2,C3}', 'retry'), 1, 'one that waits already is not a new one');
select is(pg_temp.due_ids(), 'C1 C2 C3', 'they come in the order they were noticed');
select is(pg_temp.due_ids(2), 'C1 C2', 'as many as asked for');
create temp table fetched on commit drop as select jsonb_agg(d) as done from run r, private.crm_due_dirty(r.operation, r.fence, 'contacts', 2) d;
select pg_temp.mark('{C2}');
select is((select private.crm_settle_dirty(r.operation, r.fence, 'contacts', f.done) from run r, fetched f), 1, 'what was fetched is done with');
select is(pg_temp.due_ids(), 'C3 C2', 'unless it was named again meanwhile: then it comes again, after those that wait longer');
select pg_temp.mark('{C3}');
select is(pg_temp.due_ids(), 'C3 C2', 'being named again does not put a record off');
select is((select count(*) from run r, private.crm_due_dirty(r.operation, r.fence, 'accounts', 10)), 0::bigint, 'other entities wait for their turn');
select throws_ok($$ select private.crm_due_dirty(operation, fence - 1, 'contacts', 1) from run $$, 'PC007', null, 'a worker that lost its lease is told nothing');
update crm_sync_configs set status = 'disconnected' where id = (select config from run);
select is(pg_temp.mark('{C9}'), 0, 'a CRM that is disconnected is not listened to');

select * from finish();
rollback;
