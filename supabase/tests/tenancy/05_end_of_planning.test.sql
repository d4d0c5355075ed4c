-- What becomes of planning when somebody leaves, an account ends, or a workspace is deleted for good.

\ir ../security/rows.psql

select no_plan();

select pg_temp.sign_up('owner', 'admin', 'member', 'viewer', 'outsider');
create temp table made on commit drop as select pg_temp.try_as('owner', $$ select (create_workspace('Matrix')).id $$)::uuid as id;
insert into workspace_members (workspace_id, user_id, role) select m.id, pg_temp.person(r), r from made m, unnest('{admin,member,viewer}'::text[]) r;
select pg_temp.fill(m.id) from made m;
insert into employees (workspace_id, name, user_id) select m.id, 'The member', pg_temp.person('member') from made m;
insert into pipeline_targets (workspace_id, period, period_start, owner_id, amount, currency) select m.id, 'year', '2026-01-01', pg_temp.person('member'), 1, 'EUR' from made m;
update pipeline_forecast_runs set requested_by = pg_temp.person('member') where workspace_id = (select id from made);
select private.refresh_workspace(m.id, 1000), private.take_snapshot(m.id, '2026-11-21') from made m;

-- Everything that names a workspace, without keys too, and how much of it is this one's.
create function pg_temp.left_over() returns text language plpgsql as $$
declare
  t record;
  n bigint;
  answer text;
begin
  for t in select c.oid::regclass as name, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'workspace_id' and not a.attisdropped
    where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and c.relkind in ('r', 'p') order by 1::text
  loop
    execute format('select count(*) from %s where workspace_id = $1', t.name) into n using (select id from made);
    if n > 0 then answer := concat_ws(', ', answer, t.name::text); end if;
  end loop;
  return answer;
end $$;

-- A member goes ------------------------------------------------------------------------------------------------------------

select lives_ok(format('select pg_temp.try_as(''owner'', %L)', format('select remove_member(%L, %L)', (select id from made), pg_temp.person('member'))), 'a member is removed');
select is((select user_id from employees where name = 'The member'), null, 'the person stays in the plan, as nobody''s account');
select is((select count(*) from pipeline_targets where owner_id = pg_temp.person('member')), 0::bigint, 'the targets of the member go');
select cmp_ok((select count(*) from pipeline_scenarios where created_by = pg_temp.person('member')), '>', 0::bigint, 'what the member wrote stays, with its author');
select is(pg_temp.try_as('member', format('update pipeline_scenarios set name = ''Mine'' where workspace_id = %L', (select id from made))), '0 rows', 'who is out of reach of it');
select is(pg_temp.try_as('member', format('select count(*) from employee_time_off where workspace_id = %L', (select id from made))), '0', 'and of their own time off');

delete from auth.users where id = pg_temp.person('member');
select is((
  select string_agg(format('%s.%s', f.conrelid::regclass, a.attname), ', ')
  from pg_constraint f join pg_attribute a on a.attrelid = f.conrelid and a.attnum = f.conkey[1]
  where f.contype = 'f' and f.confrelid = 'auth.users'::regclass and f.connamespace = 'public'::regnamespace and f.confdeltype not in ('n', 'c')
), null, 'no row stands in the way of the end of an account');
select is((select count(*) from pipeline_scenarios where created_by = pg_temp.person('member')), 0::bigint, 'with the account the name of the author goes');
select is((select count(*) from pipeline_forecast_runs where requested_by = pg_temp.person('member')), 0::bigint, 'of who asked too');

insert into employees (workspace_id, name) select id, 'Elsewhere' from workspaces where created_by = pg_temp.person('outsider');
-- The workspace goes -------------------------------------------------------------------------------------------------------

select is(pg_temp.try_as('owner', format('select (delete_workspace(%L)).id is not null', (select id from made))), 'true', 'a workspace is deleted');
select is(pg_temp.try_as(who, 'select count(*) from employees') || pg_temp.try_as(who, format('select count(*) from capacity_weeks(%L)', (select id from made))), '0PC001', who || ' sees nothing of it')
from unnest('{owner,admin,viewer}'::text[]) who;
select is(pg_temp.try_as('service_role', 'select count(*) > 0 from resource_utilisation'), 'true', 'what is read over all workspaces passes it over');
select lives_ok('select private.forecast_sweep(), private.refresh_queued(1), private.take_due_snapshots(), private.forecast_daily()', 'and no job stumbles over it');
delete from workspaces where id = (select id from made);
select private.mark_availability(), private.refresh_queued(1);
select is(pg_temp.left_over(), null, 'for good: nothing of it is left, in whatever table');

select * from finish();
rollback;
