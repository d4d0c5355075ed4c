-- Conversion and time in stage of seven deals, counted by hand.

\ir fixture.psql

select pg_temp.deal('A', 'lead 2026-01-05, proposal 2026-01-20, won 2026-02-10'),
  pg_temp.deal('B', 'lead 2026-01-10, proposal 2026-02-05, lost 2026-02-20'),
  pg_temp.deal('C', 'lead 2026-01-12, lost 2026-01-30'),
  pg_temp.deal('D', 'lead 2026-02-01, proposal 2026-02-15'),
  pg_temp.deal('E', 'prospect 2026-02-03, lead 2026-02-10, prospect 2026-02-12'),
  pg_temp.deal('F', 'proposal 2026-01-08, won 2026-01-20, negotiation 2026-02-01, lost 2026-03-01', 5000, '{"currency": "EUR"}'),
  pg_temp.deal('G', 'lead 2026-03-01, on_hold 2026-03-05');
select pg_temp.refresh();

create temp view conversion as
select stage_key, entered, won, lost, open, advanced, win_rate, advance_rate, position from pipeline_stage_conversion c join w on w.id = c.workspace_id where period = 'all';
select results_eq($$ select stage_key, entered, won, lost, open, advanced, win_rate, advance_rate from conversion order by position $$,
  $$ values
    -- A, B, C, D, E and G. On from there went A, B, D to proposal and E to prospect; G on hold has not.
    ('lead', 6, 1, 2, 3, 4, 33.33, 66.67),
    -- E came twice and counts once; what it went to lies before.
    ('prospect', 1, 0, 0, 1, 0, null, 0.00),
    ('opportunity', 0, 0, 0, 0, 0, null, null),
    -- A, B, D, F. C and G skipped it. F was won on the way, and is lost now.
    ('proposal', 4, 1, 2, 1, 2, 33.33, 50.00),
    ('negotiation', 1, 0, 1, 0, 0, 0.00, 0.00),
    ('won', 2, 1, 1, 0, 0, 50.00, 0.00),
    ('lost', 3, 0, 3, 0, 0, 0.00, 0.00),
    ('on_hold', 1, 0, 0, 1, 0, null, 0.00) $$, 'conversion by stage, from history');

-- Where the deals stand now says something else: proposal holds one deal, D.
select is((select count(*) from pipeline_projects p join w on w.id = p.workspace_id where p.stage_key = 'proposal'), 1::bigint, 'and not from the current stage');

select results_eq($$ select entered, won, lost, open, advanced from pipeline_funnel_months m join w on w.id = m.workspace_id where stage_key = 'lead' order by month $$,
  $$ values (3, 1, 2, 0, 2), (2, 0, 0, 2, 2), (1, 0, 0, 1, 0) $$, 'by month: A, B and C in January, D and E in February, G in March');
select results_eq($$ select currency::text, entered, value from analytics_stage_months m join w on w.id = m.workspace_id where stage_key = 'proposal' and month = '2026-01-01' order by currency $$,
  $$ values ('EUR', 1, 5000.00), ('USD', 1, 1000.00) $$, 'money of two currencies is kept apart');

-- Stays in lead: A 15 days, B 26, C 18, D 14, E 2, G 4. In order 2, 4, 14, 15, 18, 26: the third, the fifth, the sixth.
select results_eq($$ select n, mean_days, p50_days, p75_days, p90_days, open_n from pipeline_time_in_stage t join w on w.id = t.workspace_id where stage_key = 'lead' and period = 'all' $$,
  $$ values (6, 13.2, 14.0, 18.0, 26.0, 0) $$, 'time in stage of finished stays');
-- D waits in proposal, and is kept apart from A (21 days), B (15) and F (12).
select results_eq($$ select n, mean_days, p50_days, p75_days, open_n, open_mean_days > 1 from pipeline_time_in_stage t join w on w.id = t.workspace_id where stage_key = 'proposal' and period = 'all' $$,
  $$ values (3, 16.0, 15.0, 21.0, 1, true) $$, 'those that are not finished are not mixed in');
select is((select days_sum from analytics_stage_days t join w on w.id = t.workspace_id where stage_key = 'prospect'), 7.0000, 'the first stay of E in prospect');

-- Periods: whole months, the running one and those before it.
select pg_temp.deal('Now', format('opportunity %s', current_date - 1)), pg_temp.deal('Earlier', format('opportunity %s', (date_trunc('month', now()) - interval '5 months')::date)),
  pg_temp.deal('Edge', format('opportunity %s', (date_trunc('month', now()) - interval '3 months')::date)), pg_temp.deal('Before', format('opportunity %s', (date_trunc('month', now()) - interval '3 months')::date - 1)),
  pg_temp.deal('Long ago', format('opportunity %s', current_date - 800));
select pg_temp.refresh();
select results_eq($$ select period, entered, since from pipeline_stage_conversion c join w on w.id = c.workspace_id where stage_key = 'opportunity' order by entered $$,
  $$ values ('last_3_months', 2, (date_trunc('month', now()) - interval '3 months')::date), ('last_12_months', 4, (date_trunc('month', now()) - interval '12 months')::date), ('all', 5, null) $$,
  'a period begins with the first of a month, which it says');

-- Short stays are kept to a tenth of a day.
select pg_temp.deal('Quick', 'negotiation 2026-05-01, won 2026-05-02');
update pipeline_stage_history h set changed_at = '2026-05-02 20:24+00' from pipeline_projects p where p.id = h.pipeline_project_id and p.name = 'Quick' and h.to_stage = 'won';
insert into private.analytics_queue (workspace_id) select id from w;
select pg_temp.refresh();
select results_eq($$ select days, days_sum from analytics_stage_days t join w on w.id = t.workspace_id where stage_key = 'negotiation' and month = '2026-05-01' $$, $$ values (1.4, 1.3500) $$, '32.4 hours are 1.35 days, counted with 1.4');

-- Nobody else sees any of it.
select is(pg_temp.try_as('vera', 'select count(*) from pipeline_stage_conversion join w on w.id = workspace_id'), '24', 'a viewer sees eight stages in three periods');
select is(pg_temp.try_as('eve', 'select count(*) from pipeline_stage_conversion join w on w.id = workspace_id'), '0', 'a stranger none');
select is(pg_temp.try_as('eve', 'select count(*) from pipeline_time_in_stage join w on w.id = workspace_id'), '0', 'no times');
select is(pg_temp.try_as('eve', 'select count(*) from analytics_deals join w on w.id = workspace_id'), '0', 'no facts');
select is(pg_temp.try_as('mia', 'update analytics_deals set value = 0'), '42501', 'a member writes none');
select is(pg_temp.try_as('anon', 'select count(*) from pipeline_stage_conversion'), '42501', 'anon may not ask');

select * from finish();
rollback;
