-- One search over companies, contacts and deals of a workspace.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('ada', 'eve');
create temp table w on commit drop as select id from workspaces where created_by = pg_temp.person('ada');
insert into crm_companies (workspace_id, name, website) select w.id, v.* from w, (values ('Acme Steel', 'https://acme.example'), ('100% Pure_Water', null), ('New Acme', null)) v;
insert into crm_companies (workspace_id, name, deleted_at) select id, 'Acme Gone', now() from w;
insert into crm_contacts (workspace_id, first_name, last_name, email, company_name) select id, 'Ada', 'Lovelace', 'ada@acme.example', 'Acme Steel' from w;
insert into pipeline_projects (workspace_id, name, client_name) select id, 'Bridge', 'Acme Steel' from w;
insert into crm_companies (workspace_id, name) select id, 'Acme of Eve' from workspaces where created_by = pg_temp.person('eve');
create function pg_temp.find(query text, extra text default '', who text default 'ada') returns text language sql as $$
  select pg_temp.try_as(who, format('select coalesce(string_agg(entity_type || '':'' || title, '', ''), ''nothing'') from search_records(%L, %L %s)', (select id from w), query, extra))
$$;

select is(pg_temp.find('acme'), 'company:Acme Steel, contact:Ada Lovelace, deal:Bridge, company:New Acme', 'finds all kinds, what begins with the word first');
select is(pg_temp.find('  LOVELACE '), 'contact:Ada Lovelace', 'in any case');
select is(pg_temp.find('ada love'), 'contact:Ada Lovelace', 'words in order');
select is(pg_temp.find('@acme.ex'), 'contact:Ada Lovelace', 'by e-mail address');
select is(pg_temp.find('acme.example'), 'company:Acme Steel, contact:Ada Lovelace', 'by domain');
select is(pg_temp.find('ac'), 'company:Acme Steel', 'two letters are found at the beginning');
select is(pg_temp.find('100%'), 'company:100% Pure_Water', 'a per cent sign means itself');
select is(pg_temp.find('e_w'), 'company:100% Pure_Water', 'an underscore too');
select is(pg_temp.find('acme', ', ''{deal}'''), 'deal:Bridge', 'only of the kinds asked for');
select is(pg_temp.find('acme', ', max_results => 1'), 'company:Acme Steel', 'no more than asked for');
select is(pg_temp.find('zzz'), 'nothing', 'nothing where there is nothing');
select is(pg_temp.find('  '), 'PC004', 'an empty query is refused');
select is(pg_temp.find('acme', '', 'eve'), 'PC001', 'a stranger does not search here');
select is(pg_temp.find('acme', '', 'anon'), '42501', 'nor does anon');
select is(pg_temp.find('acme', '', 'service_role'), 'company:Acme Steel, contact:Ada Lovelace, deal:Bridge, company:New Acme', 'the secret key does');

select * from finish();
rollback;
