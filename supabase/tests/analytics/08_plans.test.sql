-- What a member asks is answered from indexes, under the policies: the tables are filled, so that the planner has a choice.

\ir fixture.psql

insert into pipeline_projects (workspace_id, name, stage_key, estimated_value, expected_close_date)
select w.id, 'D' || n, (array['lead', 'proposal', 'won', 'lost'])[1 + n % 4], n, current_date - 50 + n % 100 from w, generate_series(1, 400) n;
select pg_temp.refresh();
-- Many workspaces beside ours. Neither triggers nor foreign keys matter here.
insert into workspaces (id, name, slug, created_by) select md5('plan' || n)::uuid, 'Other', 'plan-' || n, pg_temp.person('eve') from generate_series(1, 30) n;
insert into analytics_deals select (jsonb_populate_record(a, jsonb_build_object('workspace_id', md5('plan' || n)::uuid))).* from analytics_deals a join w on w.id = a.workspace_id cross join generate_series(1, 30) n;
insert into analytics_stage_visits select (jsonb_populate_record(a, jsonb_build_object('workspace_id', md5('plan' || n)::uuid))).* from analytics_stage_visits a join w on w.id = a.workspace_id cross join generate_series(1, 30) n;
insert into analytics_stage_days (workspace_id, month, stage_key, days, visits, days_sum)
select x.id, '2026-01-01'::date - 31 * m, 'lead', d, 1, d from (select id from w union all select md5('plan' || n)::uuid from generate_series(1, 30) n) x, generate_series(1, 12) m, generate_series(1, 40) d;
insert into analytics_outcome_months select x.id, (date_trunc('month', '2026-01-01'::date) - make_interval(months => m))::date, k.dimension, k.key || i, 'USD', 1, 1, 1, 1, 1, 1, 1, 1, 1
from (select md5('plan' || n)::uuid as id from generate_series(1, 30) n) x, generate_series(1, 12) m, generate_series(1, 20) i, (values ('owner', 'o'), ('source', 's'), ('all', '')) k (dimension, key);
analyze analytics_deals, analytics_stage_visits, analytics_stage_days, analytics_outcome_months, workspaces;

create function pg_temp.plan_of(who text, statement text) returns text language plpgsql as $$
declare
  line text;
  plan text := '';
begin
  perform set_config('request.jwt.claims', json_build_object('sub', md5(who)::uuid, 'role', 'authenticated')::text, true), set_config('role', 'authenticated', true);
  for line in execute 'explain ' || statement loop
    plan := plan || line || E'\n';
  end loop;
  perform set_config('role', 'none', true);
  return plan;
end $$;

create temp table question (view text, answer text, index text) on commit drop;
insert into question values
  ('pipeline_slipped_deals', 'order by days_overdue desc limit 50', 'analytics_deals_(entered|expected|closed_day)_idx'),
  ('pipeline_ageing', 'order by entered_stage_at limit 50', 'analytics_deals_(entered|expected|closed_day)_idx'),
  ('pipeline_top_risks', 'order by exposure desc limit 50', 'analytics_deals_(entered|expected|closed_day)_idx'),
  ('pipeline_time_in_stage', '', 'analytics_deals_(entered|expected|closed_day)_idx'),
  ('pipeline_win_loss', '', 'analytics_outcome_months_pkey|analytics_outcome_months_dimension_idx'),
  ('pipeline_velocity', '', 'analytics_outcome_months_dimension_idx'),
  ('pipeline_trend_months', '', 'analytics_outcome_months_dimension_idx'),
  ('analytics_stage_visits', 'and stage_key = ''lead'' and entered_at > now() - interval ''1 day''', 'analytics_stage_visits_stage_idx');

select matches(pg_temp.plan_of('mia', format('select * from %I where workspace_id = %L %s', q.view, (select id from w), q.answer)), q.index, q.view || ' is answered by an index')
from question q;
select unalike(pg_temp.plan_of('mia', format('select * from %I where workspace_id = %L %s', q.view, (select id from w), q.answer)), '%Seq Scan on ' || t || '%', q.view || ' does not walk through ' || t)
from question q, unnest('{analytics_deals,analytics_stage_visits,analytics_stage_days,analytics_outcome_months,pipeline_stage_history}'::text[]) t;

select * from finish();
rollback;
