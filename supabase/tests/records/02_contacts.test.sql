-- Contacts: one live holder per address and workspace, and what a sync does with a second one.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('ada', 'bob');
create temp table w on commit drop as select id from workspaces where created_by = pg_temp.person('ada');
create temp table w2 on commit drop as select id from workspaces where created_by = pg_temp.person('bob');
create function pg_temp.syncing(yes boolean) returns void language sql as $$
  select set_config('pipeline_crm.sync_config', case when yes then '11111111-1111-4111-8111-111111111111' else '' end, true)
$$;
-- The names of all holders of an address as first<-second<-…: the later point to the first.
create function pg_temp.holders(address text) returns text language sql as $$
  select string_agg(c.first_name || coalesce('->' || f.first_name, ''), ' ' order by c.first_name)
  from crm_contacts c left join crm_contacts f on f.id = c.duplicate_of
  where lower(c.email) = address and c.deleted_at is null
$$;

insert into crm_contacts (workspace_id, first_name, last_name, email) select id, 'Ada', 'Lovelace', '  Ada@Example.test ' from w;
select results_eq($$ select name, email from crm_contacts where workspace_id = (select id from w) $$, $$ values ('Ada Lovelace', 'Ada@Example.test') $$, 'the name is put together, the address trimmed');
select throws_ok($$ insert into crm_contacts (workspace_id, first_name, email) select id, 'Eva', 'ADA@example.test' from w $$, '23505', null, 'a person cannot enter an address twice, in whatever case');
select lives_ok($$ insert into crm_contacts (workspace_id, first_name, email) select id, 'Ada', 'ada@example.test' from w2 $$, 'another workspace can hold it');
update crm_contacts set deleted_at = now() where workspace_id = (select id from w);
select lives_ok($$ insert into crm_contacts (workspace_id, first_name, email) select id, 'New', 'ada@example.test' from w $$, 'a deleted contact frees the address');
select throws_ok($$ update crm_contacts set deleted_at = null where name = 'Ada Lovelace' $$, '23505', null, 'and cannot come back while it is taken');

insert into crm_contacts (workspace_id, email) select id, 'only@example.test' from w;
select is((select name from crm_contacts where email = 'only@example.test'), 'only@example.test', 'an address alone is a name');
select throws_ok($$ insert into crm_contacts (workspace_id, phone) select id, '1' from w $$, '23514', null, 'nobody is nameless');
select throws_ok($$ insert into crm_contacts (workspace_id, first_name, email) select id, 'X', 'not an address' from w $$, '23514', null, 'an address has an @ and no spaces');
select lives_ok($$ insert into crm_contacts (workspace_id, first_name, email) select id, 'Blank', '  ' from w $$, 'a blank address is none');
select is((select email from crm_contacts where first_name = 'Blank'), null, 'and stored as none');
select throws_ok($$ insert into crm_contacts (workspace_id, first_name, lead_score) select id, 'X', 101 from w $$, '23514', null, 'a lead score ends at 100');
select throws_ok($$ insert into crm_contacts (workspace_id, first_name, rating) select id, 'X', 6 from w $$, '23514', null, 'a rating at 5');
insert into crm_contacts (workspace_id, first_name, lifecycle) select id, 'Cased', 'Customer' from w;
select is((select lifecycle from crm_contacts where first_name = 'Cased'), 'customer', 'Customer is customer');

select pg_temp.syncing(true);
select lives_ok($$ insert into crm_contacts (workspace_id, first_name, email, created_at)
  select w.id, p.name, p.email, now() + p.n * interval '1 second'
  from w, (values (1, 'A', 'team@example.test'), (2, 'B', 'Team@Example.test'), (3, 'C', 'TEAM@example.test')) p (n, name, email) $$,
  'a sync may bring three people under one address in one statement');
select is(pg_temp.holders('team@example.test'), 'A B->A C->A', 'the later point to the first');
insert into crm_contacts (workspace_id, first_name, email, created_at) select id, 'D', 'team@example.test', now() + interval '4 seconds' from w;
select is(pg_temp.holders('team@example.test'), 'A B->A C->A D->A', 'also one that comes later');

select pg_temp.syncing(false);
update crm_contacts set deleted_at = now() where first_name = 'A';
select is(pg_temp.holders('team@example.test'), 'B C->B D->B', 'when the first is deleted the next takes its place');
select pg_temp.syncing(true);
update crm_contacts set deleted_at = null where first_name = 'A';
select is(pg_temp.holders('team@example.test'), 'A->B B C->B D->B', 'a sync that brings it back puts it behind');
update crm_contacts set email = 'b@example.test' where first_name = 'B';
select is(pg_temp.holders('team@example.test'), 'A C->A D->A', 'when the first changes its address the next takes its place');
update crm_contacts set email = 'team@example.test' where first_name = 'B';
select is(pg_temp.holders('team@example.test'), 'A B->A C->A D->A', 'a sync may give an address that is taken');
update crm_contacts set email = 'c@example.test' where first_name = 'C';
select is((select duplicate_of from crm_contacts where first_name = 'C'), null, 'a duplicate with an address of its own is none any more');
update crm_contacts set email = case first_name when 'A' then 'a@example.test' else 'team@example.test' end where first_name in ('A', 'C');
select is(pg_temp.holders('team@example.test'), 'B C->B D->B', 'also when addresses swap in one statement')
  where pg_temp.holders('team@example.test') = 'B C->B D->B'
union all
select is(pg_temp.holders('team@example.test'), 'B->C C D->C', 'also when addresses swap in one statement')
  where pg_temp.holders('team@example.test') <> 'B C->B D->B';
delete from crm_contacts where duplicate_of is null and lower(email) = 'team@example.test';
select is((select count(*) from crm_contacts where lower(email) = 'team@example.test' and deleted_at is null and duplicate_of is null), 1::bigint, 'when the first is removed for good one other takes its place');
select lives_ok($$ set constraints all immediate $$, 'and no pointer dangles');
select throws_ok($$ update crm_contacts set duplicate_of = id where first_name = 'Cased' $$, '23514', null, 'nobody duplicates itself');

insert into crm_contacts (workspace_id, first_name, email)
select w.id, 'Bulk ' || i, 'bulk' || i % 500 || '@example.test' from w, generate_series(1, 2000) i;
select results_eq($$ select count(*), count(duplicate_of) from crm_contacts where first_name like 'Bulk %' $$, $$ values (2000::bigint, 1500::bigint) $$, 'nothing is refused or lost in bulk');

select * from finish();
rollback;
