-- Companies: slugs that never refuse, domains that compare, values that make sense.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('ada', 'bob');
create temp table w on commit drop as select id from workspaces where created_by = pg_temp.person('ada');
create temp table w2 on commit drop as select id from workspaces where created_by = pg_temp.person('bob');
-- Only the companies of this file; what a database holds besides does not matter.
create temp view ours as select c.* from crm_companies c where c.workspace_id in (select id from w union all select id from w2);

insert into crm_companies (workspace_id, name) select id, 'Acme & Söhne GmbH' from w;
select is((select slug from ours), 'acme-sohne-gmbh', 'the slug comes from the name');
insert into crm_companies (workspace_id, name) select w.id, 'Acme & Söhne GmbH' from w, generate_series(1, 3);
select is((select count(distinct slug) from ours), 4::bigint, 'companies of one name get suffixes');
select is((select count(*) from ours where slug ~ '^acme-sohne-gmbh-[0-9a-f]{12}$'), 3::bigint, 'made of their ids');
select lives_ok($$ insert into crm_companies (workspace_id, name) select id, 'Acme & Söhne GmbH' from w2 $$, 'another workspace has its own slugs');
select is((select slug from ours c join w2 on w2.id = c.workspace_id), 'acme-sohne-gmbh', 'without suffix');
insert into crm_companies (workspace_id, name) select id, '株式会社' from w2;
select is((select slug from ours where name = '株式会社'), 'company', 'a name without Latin letters has a slug too');
select throws_ok($$ insert into crm_companies (workspace_id, name, slug) select id, 'X', 'acme-sohne-gmbh' from w2 $$, '23505', null, 'a slug that is asked for must be free');
update ours set name = 'Renamed' where name = '株式会社';
select is((select slug from ours where name = 'Renamed'), 'company', 'a rename keeps the slug');
insert into crm_companies (workspace_id, name) select id, left(repeat('Long name ', 30), 255) from w2;
select cmp_ok((select max(char_length(slug)) from ours), '<=', 100, 'slugs stay short');

select results_eq(
  $$ select private.normalize_domain(d) from unnest(array['https://www.Acme.com/about?x#y', 'ACME.com.', 'http://u:p@shop.acme.co.uk:8080', 'info@acme.com', '//cdn.acme.io/x', 'n/a', '', 'acme', null]) d $$,
  array['acme.com', 'acme.com', 'shop.acme.co.uk', 'acme.com', 'cdn.acme.io', null, null, null, null], 'a domain is the bare host');
insert into crm_companies (workspace_id, name, website) select id, 'Web', 'https://www.Web.example/home' from w2;
select is((select domain from ours where name = 'Web'), 'web.example', 'it comes from the website');
update ours set website = 'https://new.example' where name = 'Web';
select is((select domain from ours where name = 'Web'), 'new.example', 'and follows it');
update ours set domain = 'WWW.Other.example' where name = 'Web';
select is((select domain from ours where name = 'Web'), 'other.example', 'unless somebody sets it');
update ours set website = 'https://third.example' where name = 'Web';
select is((select domain from ours where name = 'Web'), 'other.example', 'which then stays');
insert into crm_companies (workspace_id, name, website) select id, 'No web', 'none yet' from w2;
select is((select domain from ours where name = 'No web'), null, 'no host, no domain');

select throws_ok($$ insert into crm_companies (workspace_id, name) select id, '  ' from w $$, '23514', null, 'a company has a name');
select throws_ok($$ insert into crm_companies (workspace_id, name) select id, repeat('x', 256) from w $$, '23514', null, 'of at most 255 characters');
select throws_ok($$ insert into crm_companies (workspace_id, name, tags) select id, 'X', '{}' from w $$, '23514', null, 'tags are a list');
select throws_ok($$ insert into crm_companies (workspace_id, name, custom_fields) select id, 'X', '[]' from w $$, '23514', null, 'custom fields are an object');
select throws_ok($$ insert into crm_companies (workspace_id, name, company_status) select id, 'X', 'friend' from w $$, '23514', null, 'a status is one of four');
select throws_ok($$ insert into crm_companies (workspace_id, name, employee_count) select id, 'X', -1 from w $$, '23514', null, 'nobody employs fewer than none');
select throws_ok($$ update ours set parent_company_id = id where name = 'Web' $$, '23514', null, 'no company is its own parent');
select throws_ok($$ update ours set workspace_id = (select id from w) where name = 'Web' $$, 'PC004', null, 'a record does not move to another workspace');

update ours set created_by = pg_temp.person('bob'), created_at = '2000-01-01' where name = 'Web';
select results_eq($$ select created_by, created_at > now() - interval '1 day' from ours where name = 'Web' $$, $$ values (null::uuid, true) $$, 'nobody rewrites who created a record and when');
create temp table before on commit drop as select updated_at from ours where name = 'Web';
update ours set phone = '1' where name = 'Web';
select ok((select c.updated_at > b.updated_at from ours c, before b where c.name = 'Web'), 'updated_at grows with each update, also within a transaction');

select lives_ok($$ insert into crm_companies (workspace_id, name) select w.id, 'Bulk' from w, generate_series(1, 500) $$, 'five hundred of one name in one statement');
select is((select count(distinct slug) from ours where name = 'Bulk'), 500::bigint, 'get five hundred slugs');

select * from finish();
rollback;
