-- Time off and allocations: what is refused, and who reads why somebody is away.

\ir fixture.psql

select pg_temp.hire('Ada', 'react'), pg_temp.hire('Bob', 'go');
select pg_temp.away('Ada', '2026-03-02', '2026-03-06');

select throws_ok($$ select pg_temp.away('Ada', '2026-03-06', '2026-03-10') $$, '23P01', null, 'time off of one person does not overlap, not by a day');
select lives_ok($$ select pg_temp.away('Ada', '2026-03-07', '2026-03-10') $$, 'the next day it goes on');
select lives_ok($$ select pg_temp.away('Bob', '2026-03-02', '2026-03-06') $$, 'others are away when they like');
select throws_ok($$ select pg_temp.away('Ada', '2026-05-02', '2026-05-01') $$, '23514', null, 'it ends after it begins');
select throws_ok(format('select pg_temp.away(''Ada'', ''2026-06-01'', ''2026-06-01'', %s)', share), '23514', null, 'no share of a day: ' || share) from unnest('{0,1.5,-1}'::text[]) share;
select throws_ok($$ select pg_temp.away('Ada', '2026-06-01', 'infinity') $$, '23514', null, 'nobody is away for ever');
select throws_ok($$ select pg_temp.away('Nobody', '2026-06-01', '2026-06-01') $$, '23503', null, 'nobody that there is not');

select is(pg_temp.try_as('viewer', format($$ select count(*) from employee_time_off where workspace_id = %L $$, (select id from w))), '0', 'a viewer does not read who is away, and why');
select is(pg_temp.try_as('member', format($$ select count(*) from employee_time_off where workspace_id = %L $$, (select id from w))), '0', 'nor does a member that of colleagues: an illness is no news');
select is(pg_temp.try_as('admin', format($$ select count(*) from employee_time_off where workspace_id = %L $$, (select id from w))), '3', 'an admin reads all of it');
select is(pg_temp.try_as('member', format($$ select string_agg(e.name || ' ' || a.start_date || ' ' || a.share, ', ' order by a.start_date, e.name) from absences(%L, '2026-03-06', '2026-03-07') a join employees e on e.id = a.employee_id $$, (select id from w))), 'Ada 2026-03-02 1.00, Bob 2026-03-02 1.00, Ada 2026-03-07 1.00', 'a member learns who is away when, with its ends included, and not why');
select is(pg_temp.try_as(who, format($$ select count(*) from absences(%L) $$, (select id from w))), code, who || ' is not told that') from (values ('viewer', 'PC002'), ('outsider', 'PC001'), ('anon', '42501')) t (who, code);
select is(pg_temp.try_as('viewer', format($$ select trim_scale(capacity) from capacity_weeks(%L, '2026-03-02', 1, 'person') where key = %L $$, (select id from w), pg_temp.employee('Ada'))), '0', 'and the hours tell a viewer the same as anybody');
update employees set user_id = pg_temp.person('member'), created_by = null where id = pg_temp.employee('Ada');
update employee_time_off set created_by = pg_temp.person('admin');
select is(pg_temp.try_as('member', format($$ select count(*) from employee_time_off where workspace_id = %L $$, (select id from w))), '2', 'a member reads their own, whoever wrote it');
select is(pg_temp.try_as('member', format($$ update employee_time_off set kind = 'sick' where employee_id = %L and start_date = '2026-03-02' $$, pg_temp.employee('Ada'))), '1 rows', 'a member corrects their own');
select is(pg_temp.try_as('member', format($$ delete from employee_time_off where employee_id = %L $$, pg_temp.employee('Bob'))), '0 rows', 'not that of others');

select throws_ok(format('select pg_temp.promise(''Ada'', ''2026-03-02'', ''2026-03-06'', %s)', percent), '23514', null, 'no allocation of ' || percent || ' per cent') from unnest('{0,-10,120}'::text[]) percent;
select lives_ok($$ select pg_temp.promise('Ada', '2026-03-02', '2026-03-06', 60), pg_temp.promise('Ada', '2026-03-02', null, 60) $$, 'but two may be of 120: a finding, no error');
select throws_ok($$ select pg_temp.promise('Ada', '2026-03-02', '2026-03-01', 50) $$, '23514', null, 'an allocation ends after it begins');
select throws_ok($$ select pg_temp.promise('Ada', '2026-03-02', null, 50, 'maybe') $$, '23514', null, 'it is firm or tentative');
select pg_temp.deal('Roof');
insert into crm_projects (workspace_id, name) select id, 'House' from w;
select throws_ok($$ insert into employee_allocations (workspace_id, employee_id, start_date, crm_project_id, pipeline_project_id) select w.id, pg_temp.employee('Ada'), '2026-03-02', p.id, md5('deal Roof')::uuid from w join crm_projects p on p.workspace_id = w.id $$, '23514', null, 'it is for one thing');
create temp table theirs on commit drop as select id from workspaces where created_by = pg_temp.person('outsider');
insert into pipeline_projects (workspace_id, name) select id, 'Theirs' from theirs;
select throws_ok($$ insert into employee_allocations (workspace_id, employee_id, start_date, pipeline_project_id) select w.id, pg_temp.employee('Ada'), '2026-03-02', p.id from w, pipeline_projects p where p.name = 'Theirs' $$, '23503', null, 'of this workspace');
insert into employee_allocations (workspace_id, employee_id, start_date, pipeline_project_id) select w.id, pg_temp.employee('Bob'), '2026-03-02', md5('deal Roof')::uuid from w;
delete from pipeline_projects where id = md5('deal Roof')::uuid;
select is((select count(*) from employee_allocations where employee_id = pg_temp.employee('Bob') and pipeline_project_id is null), 1::bigint, 'a deal that goes leaves the promise');

select * from finish();
rollback;
