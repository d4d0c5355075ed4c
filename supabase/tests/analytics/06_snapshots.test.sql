-- The state of the pipeline each day of the workspace.

\ir fixture.psql

select pg_temp.deal('A', 'lead 2026-01-05', 1000, '{"expected": "2026-06-30", "probability": 10}'), pg_temp.deal('B', 'lead 2026-01-05', 2000, '{"expected": "2026-07-01", "probability": 20, "owner": "mia"}'),
  pg_temp.deal('C', 'lead 2026-01-05', 4000, '{"expected": "2026-04-01", "probability": 50}'), pg_temp.deal('D', 'proposal 2026-01-05', null, '{"currency": "EUR"}'), pg_temp.deal('E', 'won 2026-01-05', 500);
update pipeline_projects set deleted_at = now() where name = 'E';

create temp view snapshot as select s.* from pipeline_snapshots s join w on w.id = s.workspace_id;
select private.take_snapshot(w.id, '2026-05-20') from w;
select results_eq($$ select stage_key, owner_key, currency::text, deals, value, weighted_value, expected_this_quarter from snapshot order by 1, 2 $$,
  -- A and C are expected in the quarter from 1 April to 30 June, B a day later; E is deleted.
  $$ select * from (values ('lead', '', 'USD', 2, 5000.00, 2100.00, 5000.00), ('lead', pg_temp.person('mia')::text, 'USD', 1, 2000, 400, 0), ('proposal', '', 'EUR', 1, 0, 0, 0)) v order by 1, 2 $$, 'by stage, owner and currency');

update pipeline_projects set estimated_value = 9000 where name = 'A';
select private.take_snapshot(w.id, '2026-05-20') from w;
select is((select sum(value) from snapshot), 15000.00, 'the same day again takes the place of the first');
select is((select sum(deals)::int from snapshot), 4, 'no deal is counted twice');

-- When a day begins: at 10:20 UTC it is the 1st in Kiritimati (+14), still the 31st in Pago Pago (-11) until 11:00.
update analytics_state set snapshot_day = '2026-05-31' from w where workspace_id = w.id;
update workspaces set time_zone = 'Pacific/Pago_Pago' where id = (select id from w);
select private.take_due_snapshots('2026-06-01 10:20+00');
select is((select count(*) from snapshot where day = '2026-06-01'), 0::bigint, 'it is the day before in Pago Pago');
update workspaces set time_zone = 'Pacific/Kiritimati' where id = (select id from w);
select private.take_due_snapshots('2026-05-31 10:20+00');
select ok(exists (select from snapshot where day = '2026-06-01'), 'and the day after in Kiritimati');
select is((select snapshot_day from analytics_freshness f join w on w.id = f.workspace_id), '2026-06-01'::date, 'the day is noted');
update pipeline_projects set estimated_value = 1 where name = 'A';
select private.take_due_snapshots('2026-05-31 11:20+00');
select is((select sum(value) from snapshot where day = '2026-06-01'), 15000.00, 'an hour later it is the same day, and stays as it was');
update workspaces set deleted_at = now() where id = (select id from w);
select private.take_due_snapshots('2026-06-02 11:20+00');
select is((select count(*) from snapshot where day > '2026-06-01'), 0::bigint, 'a deleted workspace has no snapshots');
update workspaces set deleted_at = null where id = (select id from w);

select is(pg_temp.try_as('vera', format('select sum(deals) from pipeline_snapshots where workspace_id = %L', (select id from w))), '8', 'a viewer reads them');
select is(pg_temp.try_as('eve', format('select count(*) from pipeline_snapshots where workspace_id = %L', (select id from w))), '0', 'a stranger does not');
select is(pg_temp.try_as('ada', 'delete from pipeline_snapshots'), '42501', 'not even the owner rewrites history');

-- How long they are kept.
select private.take_snapshot(w.id, '2020-01-01') from w;
select is(private.retain_snapshots(2), 2::bigint, 'old ones go, so many at a time');
select is(private.retain_snapshots(), 1::bigint, 'until none is left');
select is((select min(day) from snapshot), '2026-05-20'::date, 'younger ones stay');
update private.retention_settings set keep = null where subject = 'snapshots';
select private.take_snapshot(w.id, '2020-01-01') from w;
select is(private.retain_snapshots(), 0::bigint, 'an operator may keep them for good');

select * from finish();
rollback;
