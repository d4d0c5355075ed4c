-- Probabilities: default of the stage, template, learned; and which one counts.

\ir fixture.psql

-- The Beta distribution where it has a closed form: uniform, x², 1 - (1 - x)³; and in the tails, where naive sums overflow.
select is(round(private.beta_quantile(v.p, v.a, v.b)::numeric, 10), round(v.x::numeric, 10), format('quantile %s of Beta(%s, %s)', v.p, v.a, v.b))
from (values (0.05, 1, 1, 0.05), (0.7, 1, 1, 0.7), (0.25, 2, 1, 0.5), (0.05, 2, 1, sqrt(0.05)), (0.5, 1, 3, 1 - 0.5 ^ (1 / 3.0)), (0.95, 1, 3, 1 - 0.05 ^ (1 / 3.0)),
  (0.5, 7, 7, 0.5), (0, 3, 4, 0), (1, 3, 4, 1)) v (p, a, b, x);
select ok(private.beta_quantile(0.95, 9.99, 0.01) between 0.999999 and 1, 'next to one');
select ok(private.beta_quantile(0.05, 0.01, 9.99) between 0 and 0.000001, 'next to nothing');
select ok(abs(private.beta_quantile(0.5, 40000, 60000) - 0.4) < 0.00001, 'a hundred thousand deals');

create temp view p as select x.* from pipeline_stage_probabilities x join w on w.id = x.workspace_id;
grant select on p to authenticated;

-- Nothing closed yet: what was assumed beforehand, and how little that is sure of. Beta(10 × 0.6, 10 × 0.4).
select pg_temp.refresh();
select results_eq($$ select default_rate, template_rate, round(learned_rate::numeric, 6), n, rate, source from p where stage_key = 'proposal' $$,
  $$ values (0.6::float8, null::float8, 0.600000, 0, 0.6::float8, 'stage') $$, 'without history the stage''s own');
select ok((select low < 0.4 and high > 0.8 from p where stage_key = 'proposal'), 'with an interval as wide as ten deals leave it');
select results_eq($$ select stage_key, rate, source from p where stage_key in ('won', 'lost') order by 1 $$, $$ values ('lost', 0::float8, 'stage'), ('won', 1, 'stage') $$, 'won is certain, lost as well');

-- A template.
update planning_settings set template_key = 'spec_000', min_deals = 4 where workspace_id = (select id from w);
select pg_temp.refresh();
select results_eq($$ select template_rate, round(learned_rate::numeric, 6), rate, source from p where stage_key = 'proposal' $$, $$ values (0.8::float8, 0.800000, 0.8::float8, 'template') $$, 'the template stands before it');
select is((select source from p where stage_key = 'on_hold'), 'stage', 'where it says something');
update planning_settings set template_key = null where workspace_id = (select id from w);

-- Three closed deals of one month, then a fourth: from four on the workspace's own history counts.
select pg_temp.deal('W' || n, 'proposal 2026-01-05, won 2026-02-10') from generate_series(1, 3) n;
select pg_temp.refresh();
select is((select source from p where stage_key = 'proposal'), 'stage', 'three deals are too few');
select pg_temp.deal('L', 'proposal 2026-01-05, lost 2026-02-20');
select pg_temp.refresh();
-- Four deals of one month are worth 4 / (1 + 3 × 0.1) = 40/13 (Kish), 30/13 of them won: (6 + 30/13) / (10 + 40/13) = 108/170.
select results_eq($$ select wins, n, round(learned_rate::numeric, 9), source from p where stage_key = 'proposal' $$, $$ select 3, 4, round(108 / 170.0, 9), 'learned' $$, 'four are enough, and are drawn to what was assumed');
select ok((select low < rate and rate < high and rate = learned_rate from p where stage_key = 'proposal'), 'the rate lies in its interval');
select is((select n from p where stage_key = 'lead'), 0, 'a stage that they skipped learns nothing');

-- Months that differ: won 4 of 4, then 0 of 4. Analysis of variance: k = 2, n = 8, squares = 4, between = 4 - 16/8 = 2, within = 0,
-- size = 8 - 32/8 = 4: correlation (2 - 0) / (2 + 3 × 0) = 1, drawn to (0.1 + 1) / 2 = 0.55. Each month is worth 4 / (1 + 3 × 0.55) = 4/2.65.
delete from pipeline_projects where workspace_id = (select id from w);
select pg_temp.deal('W' || n, 'proposal 2026-01-05, won 2026-02-10'), pg_temp.deal('L' || n, 'proposal 2026-01-05, lost 2026-03-10') from generate_series(1, 4) n;
select pg_temp.refresh();
select is((select round(common_share::numeric, 9) from analytics_stage_rates r join w on w.id = r.workspace_id where stage_key = 'proposal'), 0.55, 'deals of one month are alike');
select is((select round(rate::numeric, 9) from p where stage_key = 'proposal'), round((6 + 4 / 2.65) / (10 + 8 / 2.65), 9), 'so that two months say less than eight deals');

-- What uses them.
select results_eq($$ select stage_key, round(rate::numeric, 6), source from private.effective_rates((select id from w)) where stage_key in ('proposal', 'lead') order by 1 $$,
  $$ select stage_key, round(rate::numeric, 6), source from p where stage_key in ('proposal', 'lead') order by 1 $$, 'demand and forecasts are given the same');
select pg_temp.deal('Own', 'proposal 2026-01-05', 1000, '{"probability": 25}'), pg_temp.deal('Default', 'proposal 2026-01-05', 1000);
select results_eq($$ select p.name, round(r.rate::numeric, 6), r.source from private.deal_rates((select id from w)) r join pipeline_projects p on p.id = r.pipeline_project_id where p.name in ('Own', 'Default') order by 1 $$,
  $$ select 'Default', round(rate::numeric, 6), 'learned' from p where stage_key = 'proposal' union all select 'Own', 0.25, 'deal' $$, 'what a person wrote on the deal stands before what was learned');

-- Stages come and go.
insert into pipeline_stages (workspace_id, key, label, position, default_probability, kind) select id, 'pilot', 'Pilot', 9, 100, 'open' from w;
select pg_temp.refresh();
select is((select rate from p where stage_key = 'pilot'), 1::double precision, 'a stage of 100 % says so');
select ok((select low > 0.9 and high <= 1 from p where stage_key = 'pilot'), 'and is no trouble to the arithmetic');
delete from pipeline_stages where key = 'pilot' and workspace_id = (select id from w);
select pg_temp.refresh();
select is((select count(*) from analytics_stage_rates r join w on w.id = r.workspace_id where stage_key = 'pilot'), 0::bigint, 'a removed stage has no rate');

select is(pg_temp.try_as('vera', 'select count(*) from p'), '8', 'a viewer reads them');
select is(pg_temp.try_as('eve', 'select count(*) from p'), '0', 'a stranger does not');

select * from finish();
rollback;
