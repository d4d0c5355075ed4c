-- Stages: eight to begin with, a workspace's own from then on, and every spelling understood.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('ada');
create temp table w on commit drop as select id from workspaces where created_by = pg_temp.person('ada');

select results_eq(
  $$ select key, label, default_probability, kind from pipeline_stages s join w on w.id = s.workspace_id order by position $$,
  $$ values ('lead', 'Lead', 10, 'open'), ('prospect', 'Prospect', 20, 'open'), ('opportunity', 'Opportunity', 40, 'open'), ('proposal', 'Proposal', 60, 'open'),
            ('negotiation', 'Negotiation', 80, 'open'), ('won', 'Won', 100, 'won'), ('lost', 'Lost', 0, 'lost'), ('on_hold', 'On hold', 10, 'on_hold') $$,
  'a workspace starts with eight stages');

select is(private.stage_key((select id from w), spelling), key, format('%L is %s', spelling, coalesce(key, 'no stage')))
from (values ('prospecting', 'prospect'), ('qualification', 'opportunity'), ('proposal', 'proposal'), ('negotiation', 'negotiation'), ('closed_won', 'won'), ('closed_lost', 'lost'),
  ('Prospect', 'prospect'), ('Qualification', 'opportunity'), ('Closed-Won', 'won'), ('Closed Lost', 'lost'), ('on-hold', 'on_hold'), (' WON ', 'won'), ('On hold', 'on_hold'), ('nonsense', null), ('', null), (null, null)) s (spelling, key);

insert into pipeline_stages (workspace_id, key, label, position, default_probability, kind) select id, 'demo', 'Product Demo', 3, 35, 'open' from w;
select is(private.stage_key((select id from w), 'product demo'), 'demo', 'an own stage is found by its label');
insert into pipeline_stages (workspace_id, key, label, position, default_probability, kind) select id, 'qualification', 'Qualifying', 2, 25, 'open' from w;
select is(private.stage_key((select id from w), 'qualification'), 'qualification', 'an own key beats an alias');

insert into pipeline_projects (workspace_id, name, stage_key) select id, 'Deal', 'demo' from w;
select throws_ok($$ delete from pipeline_stages where key = 'demo' and workspace_id = (select id from w) $$, 'PC008', 'The stage "Product Demo" holds deals: 1, of which 0 deleted.', 'a stage in use is not deleted');
update pipeline_projects set probability = 77, entered_stage_at = '2026-01-02' where name = 'Deal' and workspace_id = (select id from w);
update pipeline_stages set key = 'presentation' where key = 'demo' and workspace_id = (select id from w);
select is((select stage_key from pipeline_projects where workspace_id = (select id from w)), 'presentation', 'a renamed key takes its deals along');
select is((select probability || ' ' || entered_stage_at::date from pipeline_projects where workspace_id = (select id from w)), '77 2026-01-02', 'with what a person wrote on them, and as long there as they have been');
select is((select count(*) from pipeline_stage_history where workspace_id = (select id from w) and to_stage = 'demo'), 1::bigint, 'while history keeps the old one');
select lives_ok($$ delete from pipeline_stages where key = 'proposal' and workspace_id = (select id from w) $$, 'an unused stage is deleted');
select throws_ok($$ insert into pipeline_projects (workspace_id, name, stage_key) select id, 'X', 'proposal' from w $$, '23503', null, 'and takes no deals any more');
select throws_ok($$ insert into pipeline_stages (workspace_id, key, label, position, default_probability, kind) select id, 'Bad Key', 'X', 9, 0, 'open' from w $$, '23514', null, 'a key is lower-case words');
select throws_ok($$ insert into pipeline_stages (workspace_id, key, label, position, default_probability, kind) select id, 'x', 'X', 9, 101, 'open' from w $$, '23514', null, 'a probability ends at 100');
select throws_ok($$ insert into pipeline_stages (workspace_id, key, label, position, default_probability, kind) select id, 'x', 'X', 9, 1, 'maybe' from w $$, '23514', null, 'a stage is open, won, lost or on hold');

select * from finish();
rollback;
