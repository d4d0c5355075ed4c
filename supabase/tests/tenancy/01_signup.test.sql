-- Signing up: every account gets one personal workspace, and nothing about it is half made.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('ada', 'bob');
insert into auth.users (id, email, raw_user_meta_data)
values (pg_temp.person('grace'), 'Grace@Example.Test', '{"full_name": "Grace Hopper"}'), (pg_temp.person('nobody'), null, null);

select results_eq(
  $$ select w.kind, count(*) from workspaces w where w.created_by in (pg_temp.person('ada'), pg_temp.person('bob'), pg_temp.person('grace'), pg_temp.person('nobody')) group by 1 $$,
  $$ values ('personal', 4::bigint) $$, 'each account gets one personal workspace');
select results_eq(
  $$ select m.role, m.email, m.display_name from workspace_members m where m.user_id = pg_temp.person('grace') $$,
  $$ values ('owner', 'grace@example.test', 'Grace Hopper') $$, 'the account owns it, with its address in lower case and its name');
select is((select name from workspaces where created_by = pg_temp.person('grace')), 'Grace Hopper''s workspace', 'it is called after the person');
select is((select name from workspaces where created_by = pg_temp.person('nobody')), 'My workspace', 'an account without address or name works too');
insert into auth.users (id, raw_user_meta_data) values (pg_temp.person('display'), '{"display_name": "Ann"}'), (pg_temp.person('provider'), '{"name": "Ben"}');
select results_eq($$ select display_name from workspace_members where user_id in (pg_temp.person('display'), pg_temp.person('provider')) order by 1 $$, array['Ann', 'Ben'], 'other spellings of a name are read too');
select is(
  (select count(*) from pipeline_stages s join workspaces w on w.id = s.workspace_id where w.created_by = pg_temp.person('ada')),
  8::bigint, 'the eight default stages are there at once');

select lives_ok($$ select private.create_personal_workspaces(array[pg_temp.person('ada'), pg_temp.person('bob')]) $$, 'making personal workspaces again is safe');
select is((select count(*) from workspaces where created_by = pg_temp.person('ada')), 1::bigint, 'and makes no second one');

insert into auth.users (id, email) values (pg_temp.person('ada two'), 'ada@other.test');
select isnt(
  (select slug from workspaces where created_by = pg_temp.person('ada')),
  (select slug from workspaces where created_by = pg_temp.person('ada two')), 'two people called ada get two slugs');

update auth.users set email = 'Ada.Lovelace@example.test' where id = pg_temp.person('ada');
select is((select email from workspace_members where user_id = pg_temp.person('ada')), 'ada.lovelace@example.test', 'a changed address reaches the memberships');

select is(pg_temp.try_as('ada', 'select count(*) from workspaces'), '1', 'a person sees only the own workspace');

create temp table bobs on commit drop as select id from workspaces where created_by = pg_temp.person('bob');
delete from auth.users where id = pg_temp.person('bob');
select is((select count(*) from workspaces join bobs using (id)), 0::bigint, 'deleting the account deletes its personal workspace');

-- A sign-up that cannot have its workspace stores nothing and says why.
alter table workspaces add constraint no_more check (name <> 'eve''s workspace');
select throws_like($$ select pg_temp.sign_up('eve') $$, 'The account was not created because its personal workspace could not be:%', 'a failure is told in a sentence');
select is((select count(*) from auth.users where id = pg_temp.person('eve')), 0::bigint, 'and leaves no account behind');

select * from finish();
rollback;
