-- move_deal_stage() and complete_task(): what a board calls.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('ada', 'mia', 'vera', 'eve');
create temp table w on commit drop as select pg_temp.try_as('ada', $$ select (create_workspace('Team')).id $$)::uuid as id;
insert into workspace_members (workspace_id, user_id, role) select w.id, pg_temp.person(p.name), p.role from w, (values ('mia', 'member'), ('vera', 'viewer')) p (name, role);
create temp table d on commit drop as select pg_temp.try_as('mia', format($$ insert into pipeline_projects (workspace_id, name) values (%L, 'Roof') returning id $$, (select id from w)))::uuid as id;
create function pg_temp.move(who text, stage text, extra text default '') returns text language sql as $$
  select pg_temp.try_as(who, format('select (move_deal_stage(%L, %L %s)).stage_key', (select id from d), stage, extra))
$$;
create function pg_temp.version() returns text language sql as $$ select updated_at::text from pipeline_projects p join d using (id) $$;

select is(pg_temp.move('mia', 'Proposal'), 'proposal', 'a member moves the own deal, in any spelling');
select is((select probability from pipeline_projects p join d using (id)), 60, 'the probability follows');
select is(pg_temp.move('ada', 'negotiation', ', board_position => 2.5'), 'negotiation', 'an admin moves any deal');
select is((select board_position from pipeline_projects p join d using (id)), 2.5::double precision, 'to a place on the board');
select is(pg_temp.move('vera', 'won'), 'PC002', 'a viewer moves nothing');
select is(pg_temp.move('eve', 'won'), 'PC001', 'for a stranger there is no such deal');
select is(pg_temp.move('anon', 'won'), '42501', 'anon cannot call it');
select is(pg_temp.move('mia', 'nonsense'), 'PC004', 'an unknown stage is named');
select is(pg_temp.move('mia', 'won', ', board_position => ''NaN'''), 'PC004', 'and a place that is no number');
select is(pg_temp.move('mia', 'won', format(', expected_updated_at => %L', pg_temp.version())), 'won', 'with the version that was read it moves');
select is(pg_temp.move('mia', 'lost', ', expected_updated_at => ''2020-01-01'''), 'PC008', 'with an older one it does not');
select is(pg_temp.move('mia', 'lost', ', expected_stage => ''closed_won'''), 'lost', 'with the stage that was seen it moves');
select is(pg_temp.move('mia', 'won', ', expected_stage => ''closed_won'''), 'PC008', 'with another it does not');
select is(pg_temp.move('mia', 'won', ', expected_stage => ''nonsense'''), 'PC008', 'nor with one that does not exist');
select is(pg_temp.move('vera', 'won', format(', expected_updated_at => %L', pg_temp.version())), 'PC002', 'a refused role is not called a conflict');
select is(pg_temp.move('service_role', 'lead'), 'lead', 'the secret key moves every deal');
update pipeline_projects set deleted_at = now() where id = (select id from d);
select is(pg_temp.move('mia', 'won'), 'PC001', 'a deleted deal does not move');

insert into crm_tasks (workspace_id, title, task_type, priority, assigned_to_id) select id, 'Call', 'Follow-Up', 'Normal', pg_temp.person('mia') from w;
create temp table t on commit drop as select x.id from crm_tasks x join w on w.id = x.workspace_id;
select results_eq($$ select task_type, priority, status, completed from crm_tasks join t using (id) $$, $$ values ('follow_up', 'medium', 'pending', false) $$, 'spellings of other documents are understood');
select is(pg_temp.try_as('vera', format('select complete_task(%L)', (select id from t))), 'PC002', 'a viewer completes nothing');
select is(pg_temp.try_as('eve', format('select complete_task(%L)', (select id from t))), 'PC001', 'a stranger finds no task');
select is(pg_temp.try_as('mia', format('select (complete_task(%L)).completed', (select id from t))), 'true', 'who it is assigned to completes it');
select isnt((select completed_at from crm_tasks join t using (id)), null, 'with the time');
create temp table first_time on commit drop as select completed_at from crm_tasks join t using (id);
select is(pg_temp.try_as('mia', format('select (complete_task(%L)).status', (select id from t))), 'completed', 'completing twice is fine');
select is((select completed_at from crm_tasks join t using (id)), (select completed_at from first_time), 'and keeps the first time');
update crm_tasks set status = 'pending' where id = (select id from t);
select is((select completed_at from crm_tasks join t using (id)), null, 'reopening empties it');

select * from finish();
rollback;
