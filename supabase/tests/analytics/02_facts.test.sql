-- The facts of a deal, worked out by hand.

\ir fixture.psql

create temp table d on commit drop as
select pg_temp.deal('Bridge', 'lead 2026-01-05, proposal 2026-01-15, lead 2026-01-20, proposal 2026-02-04, won 2026-02-14', 75000,
  '{"source": " Web ", "owner": "mia", "competitors": ["ACME ", {"name": "Beta"}, {"name": "acme"}, 7, null, true, [["deep"]], {"name": {"odd": 1}}, {"company": "Gamma"}, ""]}') as id;
select pg_temp.refresh();

select results_eq($$ select visit, stage_key, entered_at::date, left_at::date, next_stage, days, outcome, first_visit, advanced, entered_month, left_month from analytics_stage_visits join d on d.id = deal_id order by visit $$,
  $$ values (1, 'lead', '2026-01-05'::date, '2026-01-15'::date, 'proposal', 10.0000, 'won', true, true, '2026-01-01'::date, '2026-01-01'::date),
     (2, 'proposal', '2026-01-15', '2026-01-20', 'lead', 5, 'won', true, true, '2026-01-01', '2026-01-01'),
     (3, 'lead', '2026-01-20', '2026-02-04', 'proposal', 15, 'won', false, true, '2026-01-01', '2026-02-01'),
     (4, 'proposal', '2026-02-04', '2026-02-14', 'won', 10, 'won', false, true, '2026-02-01', '2026-02-01'),
     (5, 'won', '2026-02-14', null, null, null, 'won', true, false, '2026-02-01', null) $$, 'each stay, with its days and what became of the deal');
select results_eq($$ select created_day, first_stage_day, kind, value, size_band, closed_day, cycle_days, reopened, source, owner_key, competitors from analytics_deals join d on d.id = deal_id $$,
  $$ select '2026-01-05'::date, '2026-01-05'::date, 'won', 75000.00, 2, '2026-02-14'::date, 40, 0, 'web', pg_temp.person('mia')::text, '{acme,beta,gamma}'::text[] $$,
  'the deal: 40 days from 5 January to 14 February, in the band of 50,000 to 100,000, competitors by name, once, whatever else stood there');

-- Slips.
update pipeline_projects p set expected_close_date = '2026-02-01' from d where p.id = d.id;
update pipeline_projects p set expected_close_date = '2026-03-01' from d where p.id = d.id;
update pipeline_projects p set expected_close_date = '2026-02-20' from d where p.id = d.id;
update pipeline_projects p set expected_close_date = '2026-03-05' from d where p.id = d.id;
select pg_temp.refresh();
select results_eq($$ select slips, slipped_days from analytics_deals join d on d.id = deal_id $$, $$ values (2, 32) $$, 'moved later twice, and 32 days in all from 1 February to 5 March');

-- Reopened, and closed on another day than it was moved.
update pipeline_projects p set stage_key = 'negotiation' from d where p.id = d.id;
update pipeline_projects p set stage_key = 'lost', actual_close_date = '2026-03-10', lost_reason = '  Price ' from d where p.id = d.id;
select pg_temp.refresh();
select results_eq($$ select kind, reopened, closed_day, cycle_days, lost_reason from analytics_deals join d on d.id = deal_id $$,
  $$ values ('lost', 1, '2026-03-10'::date, 64, 'price') $$, 'a deal that was won, reopened and lost is lost, on the day that is written on it');
select is((select string_agg(distinct outcome, ',') from analytics_stage_visits join d on d.id = deal_id), 'lost', 'for each of its stays');

-- Open, on hold, imported.
create temp table o on commit drop as select pg_temp.deal('Open', 'lead 2026-03-01', null) as id;
select pg_temp.refresh();
select results_eq($$ select kind, value, size_band, closed_day, cycle_days, lost_reason, source, owner_key from analytics_deals join o on o.id = deal_id $$,
  $$ values ('open', null::numeric, null::int, null::date, null::int, null::text, '', '') $$, 'an open deal without value, source or owner');
update pipeline_projects p set stage_key = 'won', actual_close_date = '2020-01-01' from o where p.id = o.id;
select pg_temp.refresh();
select is((select cycle_days from analytics_deals join o on o.id = deal_id), null, 'a deal that was closed before it came here has no length');

-- Days that are no days.
update pipeline_projects p set actual_close_date = '0001-01-01', expected_close_date = '9999-12-31' from o where p.id = o.id;
select lives_ok('select pg_temp.refresh()', 'slips of the pen do not stop the refresh');
select results_eq($$ select closed_day, expected_close_date from analytics_deals join o on o.id = deal_id $$, $$ select current_date, null::date $$, 'they count as not given');

-- competitor_info may be any array; nothing else gets in.
select is(private.competitor_names(v.info::jsonb), v.names, 'competitors of ' || v.info)
from (values ('[]', '{}'::text[]), ('"Acme"', '{}'), ('{"name": "Acme"}', '{}'), ('null', '{}'), ('[1, true, null, []]', '{}'), ('[{"name": 5}, {"name": null, "competitor": "B"}]', '{b}'),
  ('[" A ", "a", "A"]', '{a}')) v (info, names);
select is(cardinality(private.competitor_names((select jsonb_agg('C' || n) from generate_series(1, 50) n))), 20, 'twenty at most');
select is(char_length((private.competitor_names(jsonb_build_array(repeat('x', 5000))))[1]), 100, 'a long name is cut');

-- The zone of the workspace decides which day and month it was.
create temp table z on commit drop as select pg_temp.deal('Zone', 'lead 2026-01-31') as id;
update pipeline_stage_history h set changed_at = '2026-01-31 20:00+00' from z where h.pipeline_project_id = z.id;
update workspaces set time_zone = 'Asia/Tokyo' where id = (select id from w);
select pg_temp.refresh();
select results_eq($$ select entered_month from analytics_stage_visits join z on z.id = deal_id $$, $$ values ('2026-02-01'::date) $$, 'in Tokyo it was February already');
-- Written before the list of zones changed.
alter table workspaces disable trigger check_time_zone;
update workspaces set time_zone = 'Nowhere/At_all' where id = (select id from w);
alter table workspaces enable trigger check_time_zone;
select pg_temp.refresh();
select results_eq($$ select entered_month from analytics_stage_visits join z on z.id = deal_id $$, $$ values ('2026-01-01'::date) $$, 'a zone that nobody knows is UTC');

-- Two moves in one transaction have the same time; their order is kept.
create temp table s on commit drop as select pg_temp.deal('Same', 'lead 2026-01-05') as id;
update pipeline_projects p set stage_key = 'proposal' from s where p.id = s.id;
update pipeline_projects p set stage_key = 'negotiation' from s where p.id = s.id;
update pipeline_projects p set stage_key = 'won' from s where p.id = s.id;
select pg_temp.refresh();
select is((select string_agg(stage_key, ' ' order by visit) from analytics_stage_visits join s on s.id = deal_id), 'lead proposal negotiation won', 'moves of one moment stay in order');

-- A stage that is removed while the history names it.
insert into pipeline_stages (workspace_id, key, label, position, default_probability, kind) select id, 'pilot', 'Pilot', 9, 70, 'open' from w;
create temp table r on commit drop as select pg_temp.deal('Pilot', 'lead 2026-01-05, pilot 2026-01-10, proposal 2026-01-20') as id;
select pg_temp.refresh();
select is((select advanced from analytics_stage_visits join r on r.id = deal_id where stage_key = 'pilot'), false, 'proposal comes before the pilot');
update pipeline_stages set position = 0 where key = 'pilot' and workspace_id = (select id from w);
select pg_temp.refresh();
select is((select advanced from analytics_stage_visits join r on r.id = deal_id where stage_key = 'pilot'), true, 'and behind it when the stages are put in another order');
delete from pipeline_stages where key = 'pilot' and workspace_id = (select id from w);
select lives_ok('select pg_temp.refresh()', 'a removed stage does not stop the refresh');
select is((select advanced from analytics_stage_visits join r on r.id = deal_id where stage_key = 'pilot'), false, 'nothing but won is behind a stage that is no more');
select results_eq($$ select entered, label, position from pipeline_stage_conversion c join w on w.id = c.workspace_id where stage_key = 'pilot' and period = 'all' $$, $$ values (1, 'pilot', null::int) $$, 'it is still shown, by its key');

-- Last activity.
select ok((select last_activity_at >= now() from analytics_deals join r on r.id = deal_id), 'the creation is an activity');

select * from finish();
rollback;
