-- pipeline_project_list: deals with what a card shows, and the filters of a list.

\ir ../fixtures/people.psql
\ir ../fixtures/deals.psql

select no_plan();

insert into skills (workspace_id, key, label) select w.id, s.* from w, (values ('react', 'React'), ('sql', 'SQL')) s (key, label);
create temp table c on commit drop as select pg_temp.try_as('mia', format($$ insert into crm_companies (workspace_id, name) values (%L, 'Acme Steel') returning id $$, (select id from w)))::uuid as id;
create temp table d on commit drop as
select 'Bridge' as name, pg_temp.deal('Bridge', jsonb_build_object('stage', 'proposal', 'priority', 'high', 'estimated_value', 1000, 'probability', 55, 'company_id', (select id from c),
  'client_name', 'City', 'description', 'Two lanes', 'required_skills', '["react", "sql"]'::jsonb, 'expected_close_date', '2020-01-31', 'estimated_start_date', '2020-03-01', 'owner_id', pg_temp.person('max'), 'tags', '["vip"]'::jsonb), 'mia',
  '[{"skill_key": "react", "required_count": 3, "is_critical": true}, {"skill_key": "sql", "required_count": 2}]') as id
union all select 'Roof', pg_temp.deal('Roof', '{"stage": "lead", "priority": "low", "estimated_value": 300, "probability": 10, "client_name": "Village", "required_skills": ["sql"], "expected_close_date": "2999-01-31"}')
union all select 'Wall', pg_temp.deal('Wall', '{"stage": "won", "estimated_value": 700, "currency": "EUR", "expected_close_date": "2020-01-31"}')
union all select 'Gone', pg_temp.deal('Gone');
update pipeline_projects set deleted_at = now() where id = (select id from d where name = 'Gone');

create function pg_temp.listed(condition text, who text default 'vera') returns text language sql as $$
  select pg_temp.try_as(who, format('select coalesce(string_agg(name, %L order by name), %L) from pipeline_project_list where %s', ' ', 'none', condition))
$$;
select is(pg_temp.listed('true'), 'Bridge Roof Wall', 'live deals are listed, for a viewer too');
select is(pg_temp.listed('true', 'eve'), 'none', 'not for a stranger');
select is(pg_temp.try_as('anon', 'select 1 from pipeline_project_list'), '42501', 'nor for anon');
select is(pg_temp.try_as('ada', 'delete from pipeline_project_list'), '55000', 'the list is read only');
select is(pg_temp.listed($$ stage_key in ('lead', 'won') $$), 'Roof Wall', 'by stage');
select is(pg_temp.listed($$ stage_kind = 'open' $$), 'Bridge Roof', 'by what the stage means');
select is(pg_temp.listed($$ priority = 'high' $$), 'Bridge', 'by priority');
select is(pg_temp.listed($$ client_name ilike 'VILL%' $$), 'Roof', 'by client');
select is(pg_temp.listed($$ probability between 10 and 55 $$), 'Bridge Roof', 'by probability');
select is(pg_temp.listed($$ estimated_value >= 700 and estimated_value < 1000 $$), 'Wall', 'by value');
select is(pg_temp.listed($$ weighted_value > 500 $$), 'Bridge Wall', 'by weighted value');
select is(pg_temp.listed($$ required_skills @> '["sql"]' $$), 'Bridge Roof', 'by skill');
select is(pg_temp.listed($$ required_skills @> '["sql", "react"]' $$), 'Bridge', 'by several');
select is(pg_temp.listed($$ expected_close_date <= '2020-01-31' $$), 'Bridge Wall', 'by day');
select is(pg_temp.listed(format($$ owner_id = %L $$, pg_temp.person('max'))), 'Bridge', 'by owner');
select is(pg_temp.listed($$ tags @> '["vip"]' $$), 'Bridge', 'by tag');
select is(pg_temp.listed($$ search_text ilike '%steel%' $$), 'Bridge', 'by words of the company');
select is(pg_temp.listed($$ search_text ilike '%two lanes%' $$), 'Bridge', 'of the description');
select is(pg_temp.listed($$ search_text ilike '%village%' $$), 'Roof', 'of the client');
select is(pg_temp.listed($$ is_overdue $$), 'Bridge', 'an open deal whose day has passed is overdue, a won one is not');

create function pg_temp.shown(columns text, deal text) returns jsonb language sql as $$
  select pg_temp.try_as('vera', format('select to_jsonb(x) from (select %s from pipeline_project_list where name = %L) x', columns, deal))::jsonb
$$;
select is(pg_temp.shown('stage_label, stage_kind, stage_position, company_name, weighted_value', 'Bridge'), '{"stage_label": "Proposal", "stage_kind": "open", "stage_position": 4, "company_name": "Acme Steel", "weighted_value": 550.00}', 'a card has the names beside the keys');
select is(pg_temp.shown('demand_people, open_critical, availability_score, availability_reasons, availability_stale', 'Bridge'), '{"demand_people": 5, "open_critical": 3, "availability_score": null, "availability_reasons": [], "availability_stale": true}', 'what is asked for, and that nobody has been looked for yet');
select is(pg_temp.shown('demand_people, open_critical, availability_score, availability_stale', 'Roof'), '{"demand_people": 0, "open_critical": 0, "availability_score": null, "availability_stale": false}', 'who asks for nobody lacks nobody');

-- Two people, one of them allocated twice; an intention is no allocation.
insert into employees (workspace_id, id, name, employed_from, created_by) select w.id, md5(n)::uuid, n, '2020-01-01', pg_temp.person('ada') from w, unnest('{ann,ben}'::text[]) n;
insert into employee_allocations (workspace_id, employee_id, pipeline_project_id, demand_id, start_date, end_date, percentage, status, created_by)
select r.workspace_id, md5(a.who)::uuid, r.pipeline_project_id, r.id, a.first::date, a.last::date, 50, a.status, pg_temp.person('ada')
from pipeline_resource_demands r, (values ('ann', '2020-03-01', '2020-03-31', 'firm'), ('ann', '2020-05-01', '2020-05-31', 'firm'), ('ben', '2020-03-01', '2020-03-31', 'tentative')) a (who, first, last, status)
where r.pipeline_project_id = (select id from d where name = 'Bridge') and r.is_critical;
select is(pg_temp.shown('open_critical', 'Bridge'), '{"open_critical": 2}', 'a person counts once, and only when it is firm');

insert into pipeline_availability (workspace_id, pipeline_project_id, score, reasons, stale) select w.id, d.id, 62, '["Nobody for SQL."]', false from w, d where d.name = 'Bridge'
on conflict (workspace_id, pipeline_project_id) do update set score = 62, reasons = excluded.reasons, stale = false;
select is(pg_temp.shown('availability_score, availability_reasons, availability_stale', 'Bridge'), '{"availability_score": 62, "availability_reasons": ["Nobody for SQL."], "availability_stale": false}', 'the score comes with its reasons');
select is(pg_temp.listed('availability_score < 70'), 'Bridge', 'by availability');

update pipeline_projects set entered_stage_at = now() - interval '5 days 13 hours' where name = 'Bridge';
select is(pg_temp.shown('days_in_stage', 'Bridge'), '{"days_in_stage": 5}', 'days in a stage are whole');
select pg_temp.try_as('mia', $$ update pipeline_projects set name = 'Bridge', entered_stage_at = '2000-01-01' where name = 'Bridge' $$);
select is(pg_temp.shown('days_in_stage', 'Bridge'), '{"days_in_stage": 5}', 'nobody writes when a deal came to its stage');
select pg_temp.try_as('mia', format('select move_deal_stage(%L, %L)', (select id from d where name = 'Bridge'), 'negotiation'));
select is(pg_temp.shown('days_in_stage, stage_label', 'Bridge'), '{"days_in_stage": 0, "stage_label": "Negotiation"}', 'and begin anew with a move');
select pg_temp.try_as('mia', format($$ insert into pipeline_projects (workspace_id, name, entered_stage_at) values (%L, 'Claimed', '2000-01-01') $$, (select id from w)));
select is(pg_temp.shown('days_in_stage', 'Claimed'), '{"days_in_stage": 0}', 'nor on a new one');
select is((select count(*) from pipeline_projects p where p.workspace_id = (select id from w) and p.name <> 'Bridge'
  and p.entered_stage_at <> (select max(h.changed_at) from pipeline_stage_history h where h.pipeline_project_id = p.id)), 0::bigint, 'it is what the stage history says');

-- What a deal is found by follows its words and its company's name.
select pg_temp.try_as('mia', $$ update pipeline_projects set client_name = 'Überlingen', description = null where name = 'Bridge' $$);
select is(pg_temp.listed($$ search_text ilike '%überlingen%' $$), 'Bridge', 'a new word is found, whatever letters it has');
select is(pg_temp.listed($$ search_text ilike '%LINGEN%' $$), 'Bridge', 'in capitals too, those from A to Z');
select is(pg_temp.listed($$ search_text ilike '%two lanes%' $$), 'none', 'one that is gone is not');
select pg_temp.try_as('mia', format($$ update crm_companies set name = 'Borealis 100%% \ _' where id = %L $$, (select id from c)));
select is(pg_temp.listed($$ search_text ilike '%borealis 100\%%' $$), 'Bridge', 'a renamed company is found by its new name');
select is(pg_temp.listed($$ search_text ilike '%steel%' $$), 'none', 'and not by its old one');
select pg_temp.try_as('mia', $$ update pipeline_projects set company_id = null where name = 'Bridge' $$);
select is(pg_temp.listed($$ search_text ilike '%borealis%' $$), 'none', 'a deal that left its company neither');
select is(pg_temp.listed($$ search_text ilike '%roof%' $$, 'eve'), 'none', 'a stranger finds nothing');
delete from pipeline_projects where name = 'Wall';
select is((select count(*) from pipeline_search_texts t where t.workspace_id = (select id from w)), (select count(*) from pipeline_projects p where p.workspace_id = (select id from w)), 'no text outlives its deal, and none is missing');

select * from finish();
rollback;
