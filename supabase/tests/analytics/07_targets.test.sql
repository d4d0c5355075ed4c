-- Targets, and what the pipeline holds for them.

\ir fixture.psql

select is(pg_temp.try_as('mia', $$ insert into pipeline_targets (workspace_id, period, period_start, amount, currency) select id, 'quarter', '2026-01-01', 1, 'USD' from w $$), '42501', 'a member sets no targets');
select is(pg_temp.try_as('ada', $$ insert into pipeline_targets (workspace_id, period, period_start, amount, currency) select id, 'quarter', '2026-01-01', 10000, 'USD' from w $$), '1 rows', 'an admin does');
select is(pg_temp.try_as('ada', $$ insert into pipeline_targets (workspace_id, period, period_start, amount, currency) select id, 'quarter', '2026-01-01', 5, 'USD' from w $$), '23505', 'once for a period');
select is(pg_temp.try_as('ada', format($$ insert into pipeline_targets (workspace_id, period, period_start, owner_id, amount, currency) select id, %s, 'USD' from w $$, v.row)), v.answer, v.name)
from (values ('''quarter'', ''2026-01-01'', md5(''mia'')::uuid, 4000', '1 rows', 'for a member, too'), ('''quarter'', ''2026-01-01'', md5(''eve'')::uuid, 4000', '23503', 'not for a stranger'),
  ('''month'', ''2026-01-15'', null, 4000', '23514', 'a month begins on its first'), ('''week'', ''2026-01-01'', null, 4000', '23514', 'there are no weeks'),
  ('''month'', ''2026-01-01'', null, 0', '23514', 'nothing is no target'), ('''month'', ''2026-01-01'', null, ''NaN''', '23514', 'nor is NaN'),
  ('''year'', ''2025-07-01'', null, 3000', '1 rows', 'a fiscal year begins in any month')) v (row, answer, name);

-- Won in the quarter: A 3,000, B 2,000 of mia's, not C (April) and not D (EUR). Open in it: E 6,000 at 50 %, F 4,000 of mia's at 25 %; G later.
select pg_temp.deal('A', 'lead 2026-01-05, won 2026-01-10', 3000), pg_temp.deal('B', 'lead 2026-01-05, won 2026-03-31', 2000, '{"owner": "mia"}'),
  pg_temp.deal('C', 'lead 2026-01-05, won 2026-04-01', 700), pg_temp.deal('D', 'lead 2026-01-05, won 2026-02-01', 900, '{"currency": "EUR"}'),
  pg_temp.deal('E', 'lead 2026-01-05', 6000, '{"expected": "2026-03-31", "probability": 50}'), pg_temp.deal('F', 'lead 2026-01-05', 4000, '{"expected": "2026-02-01", "probability": 25, "owner": "mia"}'),
  pg_temp.deal('G', 'lead 2026-01-05', 8000, '{"expected": "2026-04-01"}'), pg_temp.deal('H', 'on_hold 2026-01-05', 8000, '{"expected": "2026-02-01"}');
select pg_temp.refresh();
select results_eq($$ select period, owner_id is not null, period_end, target, closed, remaining, attained, open_value, weighted_value, coverage from pipeline_coverage c join w on w.id = c.workspace_id order by 1, 2 $$,
  $$ values ('quarter', false, '2026-03-31'::date, 10000.00, 5000.00, 5000.00, 50.00, 10000.00, 4000.00, 2.00),
    ('quarter', true, '2026-03-31', 4000, 2000, 2000, 50, 4000, 1000, 2),
    -- The year to June 2026: 3,000 + 2,000 + 700 is more than the 3,000 that were wanted.
    ('year', false, '2026-06-30', 3000, 5700, 0, 190, 18000, 4800, null) $$, 'coverage');
update pipeline_projects set estimated_value = null, probability = 60 where name = 'E';
select pg_temp.refresh();
select is((select open_value from pipeline_coverage c join w on w.id = c.workspace_id where period = 'quarter' and owner_id is null), 4000.00, 'a deal without value covers nothing');
select is(pg_temp.try_as('vera', 'select count(*) from pipeline_coverage join w on w.id = workspace_id'), '3', 'a viewer reads it');
select is(pg_temp.try_as('eve', 'select count(*) from pipeline_coverage join w on w.id = workspace_id'), '0', 'a stranger does not');
delete from workspace_members m using w where m.workspace_id = w.id and m.user_id = pg_temp.person('mia');
select is((select count(*) from pipeline_targets t join w on w.id = t.workspace_id), 2::bigint, 'a member who leaves takes the target along');

select * from finish();
rollback;
