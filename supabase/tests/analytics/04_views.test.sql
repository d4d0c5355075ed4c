-- Money, reasons and single deals, counted by hand.

\ir fixture.psql

select pg_temp.deal('A', 'lead 2026-01-05, won 2026-02-10', 9000, '{"owner": "mia", "source": "Web", "competitors": ["Acme"]}'),
  pg_temp.deal('B', 'lead 2026-01-10, lost 2026-02-20', 20000, '{"owner": "mia", "source": "web ", "reason": "Price", "competitors": ["Acme", "Beta"]}'),
  pg_temp.deal('C', 'lead 2026-01-12, lost 2026-03-30', 600000, '{"source": "Fair"}'),
  pg_temp.deal('D', 'lead 2026-02-01, won 2026-02-15', null, '{"source": "Fair", "competitors": ["Beta"]}'),
  pg_temp.deal('E', 'lead 2026-02-03, won 2026-03-05', 31000),
  pg_temp.deal('F', 'lead 2026-02-03, won 2026-03-05', 700, '{"currency": "EUR"}'),
  pg_temp.deal('G', 'negotiation 2026-03-01', 5000, '{"expected": "2026-04-01"}'),
  pg_temp.deal('H', 'lead 2026-03-01, proposal 2026-03-10', 3000),
  pg_temp.deal('I', 'lead 2026-03-01, on_hold 2026-03-10', 3000);
select pg_temp.refresh();

-- USD: won A (36 days), D (14), E (30): 80 / 3 = 26.7 days; values 9,000 and 31,000, D has none: 20,000 on average. Lost B, C.
-- Open: G and H; I waits. 2 × 20,000 × 3/5 / 26.7 = 898.88 a day.
select results_eq($$ select currency::text, won, lost, average_value, cycle_days, win_rate, velocity, open_deals from pipeline_velocity v join w on w.id = v.workspace_id where period = 'all' order by currency $$,
  $$ values ('EUR', 1, 0, 700.00, 30.0, 100.00, 0.00, 0), ('USD', 3, 2, 20000.00, 26.7, 60.00, 898.88, 2) $$, 'velocity');
select results_eq($$ select currency::text, n, mean_days, p50_days, p90_days from pipeline_cycle c join w on w.id = c.workspace_id where period = 'all' order by currency $$,
  $$ values ('EUR', 1, 30.0, 30, 30), ('USD', 3, 26.7, 30, 36) $$, 'cycle: 14, 30 and 36 days');

select results_eq($$ select month, created, created_value, won, won_value, lost, lost_value, win_rate, open_at_end from pipeline_trend_months t join w on w.id = t.workspace_id where currency = 'USD' and month <= '2026-04-01' order by month $$,
  $$ values ('2026-01-01'::date, 3, 629000.00, 0, 0::numeric, 0, 0::numeric, null, 3), ('2026-02-01', 2, 31000.00, 2, 9000.00, 1, 20000.00, 66.67, 2),
    ('2026-03-01', 3, 11000.00, 1, 31000.00, 1, 600000.00, 50.00, 3), ('2026-04-01', 0, 0, 0, 0, 0, 0, null, 3) $$, 'the trend, also of months in which nothing happened');

create function pg_temp.split(what text) returns table (label text, won int, lost int, win_rate numeric, won_value numeric, lost_value numeric) language sql as $$
  select label, won, lost, win_rate, won_value, lost_value from pipeline_win_loss l join w on w.id = l.workspace_id where dimension = what and period = 'all' and currency = 'USD' order by 1
$$;
update workspace_members set display_name = 'Mia' where user_id = pg_temp.person('mia');
select results_eq($$ select * from pg_temp.split('all') $$, $$ values ('All', 3, 2, 60.00, 40000.00, 620000.00) $$, 'the whole');
select results_eq($$ select * from pg_temp.split('owner') $$, $$ values ('Mia', 1, 1, 50.00, 9000.00, 20000.00), ('Nobody', 2, 1, 66.67, 31000, 600000) $$, 'by owner');
select results_eq($$ select * from pg_temp.split('source') $$, $$ values ('fair', 1, 1, 50.00, 0.00, 600000.00), ('Not given', 1, 0, 100.00, 31000, 0), ('web', 1, 1, 50.00, 9000, 20000) $$, 'by source, in any spelling');
select results_eq($$ select * from pg_temp.split('lost_reason') $$, $$ values ('Not given', 0, 1, 0.00, 0.00, 600000.00), ('price', 0, 1, 0.00, 0, 20000) $$, 'by reason');
select results_eq($$ select * from pg_temp.split('competitor') $$, $$ values ('acme', 1, 1, 50.00, 9000.00, 20000.00), ('beta', 1, 1, 50.00, 0, 20000) $$, 'by competitor: B counts for both');
select results_eq($$ select label, won, lost from pg_temp.split('size_band') $$, $$ values ('10,000 to 50,000', 1, 1), ('500,000 and more', 0, 1), ('Below 10,000', 1, 0), ('No value', 1, 0) $$, 'by size');

-- Deal by deal. G is overdue since 1 April, and quiet once its history is old.
update crm_activities a set created_at = now() - interval '40 days' from w where a.workspace_id = w.id;
insert into crm_notes (workspace_id, content, related_to_type, related_to_id) select workspace_id, 'Called', 'deal', id from pipeline_projects where name = 'H';
insert into private.analytics_queue (workspace_id) select id from w;
select pg_temp.refresh();
select results_eq($$ select name, slips, days_overdue from pipeline_slipped_deals s join w on w.id = s.workspace_id $$, $$ select 'G', 0, current_date - '2026-04-01'::date $$, 'overdue');
select results_eq($$ select name, overdue, old_in_stage, slipped_twice, quiet, hard_to_staff, score, exposure from pipeline_top_risks r join w on w.id = r.workspace_id order by name $$,
  $$ values ('G', true, false, false, true, false, 45, 2250.00) $$, 'risks: 30 for overdue and 15 for quiet, of 5,000; H has a new note, I waits');
update pipeline_projects set expected_close_date = current_date + 10 where name = 'G';
update pipeline_projects set expected_close_date = current_date + 20 where name = 'G';
insert into pipeline_availability (workspace_id, pipeline_project_id, score) select workspace_id, id, 49 from pipeline_projects where name = 'G';
select pg_temp.refresh();
select results_eq($$ select overdue, slipped_twice, quiet, hard_to_staff, score from pipeline_top_risks r join w on w.id = r.workspace_id $$, $$ values (false, true, false, true, 30) $$,
  'moved later twice: 20, hard to staff: 10, and active again');
select results_eq($$ select name, slips, slipped_days, days_overdue from pipeline_slipped_deals s join w on w.id = s.workspace_id $$, $$ select 'G', 2, current_date + 20 - '2026-04-01'::date, 0 $$, 'slipped');

-- Ageing: four stays in opportunity that ended lately, of 2, 4, 6 and 8 days: three of four were 6 days or shorter.
select pg_temp.deal('S' || n, format('opportunity %s, won %s', current_date - 20, current_date - 20 + 2 * n)) from generate_series(1, 4) n;
select pg_temp.deal('Young', format('opportunity %s', current_date - 3)), pg_temp.deal('Old', format('opportunity %s', current_date - 9));
select pg_temp.refresh();
select results_eq($$ select name, usual_days, is_old, round(days_in_stage) between 2 and 10, created_day from pipeline_ageing a join w on w.id = a.workspace_id where stage_key = 'opportunity' order by name $$,
  $$ values ('Old', 6.0, true, true, current_date - 9), ('Young', 6.0, false, true, current_date - 3) $$, 'ageing, against how long deals usually stay');
select is((select old_in_stage from pipeline_top_risks r join w on w.id = r.workspace_id where name = 'Old'), true, 'which is a risk');

-- The dashboard.
insert into crm_contacts (workspace_id, first_name, last_name, deleted_at) select w.id, 'A', n, case n when 'gone' then now() end from w, unnest('{one,two,gone}'::text[]) n;
select results_eq($$ select contacts, open_opportunities, pipeline_value, weighted_value, win_rate from crm_dashboard d join w on w.id = d.workspace_id $$,
  -- G 5,000 at 80 %, H 3,000 at 60 %, Young and Old 1,000 each at 40 %. Won A, D, E, F and four S; lost B and C.
  $$ values (2::bigint, 4, '{"USD": 10000.00}'::jsonb, '{"USD": 6600.00}'::jsonb, 80.00) $$, 'the dashboard');
select is((select won_this_month from crm_dashboard d join w on w.id = d.workspace_id),
  (select count(*)::int from generate_series(1, 4) n where date_trunc('month', current_date - 20 + 2 * n) = date_trunc('month', current_date)), 'closed this month');
select is(pg_temp.try_as('eve', 'select count(*) from crm_dashboard join w on w.id = workspace_id'), '0', 'a stranger has no dashboard of ours');

-- Empty.
create temp table e on commit drop as select pg_temp.try_as('eve', $$ select (create_workspace('Empty')).id $$)::uuid as id;
grant select on e to authenticated;
select is(pg_temp.try_as('eve', 'select format(''%s %s %s %s'', open_opportunities, pipeline_value, win_rate, refreshed_at) from crm_dashboard join e on e.id = workspace_id'), '0 {}  ', 'an empty workspace has zeros');
select is(pg_temp.try_as('eve', format('select count(*) from %I join e on e.id = workspace_id', v)), '0', v || ' of an empty workspace is empty')
from unnest('{pipeline_velocity,pipeline_cycle,pipeline_trend_months,pipeline_win_loss,pipeline_time_in_stage,pipeline_funnel_months,pipeline_slipped_deals,pipeline_ageing,pipeline_top_risks,pipeline_coverage}'::text[]) v;

select * from finish();
rollback;
