-- create_pipeline_project() and update_pipeline_project(): every field of a deal and its demand, all or nothing.

\ir ../fixtures/people.psql
\ir ../fixtures/deals.psql

select no_plan();

insert into skills (workspace_id, key, label, category) select w.id, s.* from w, (values ('react', 'React', 'frontend'), ('sql', 'SQL', 'data')) s (key, label, category);
insert into skill_aliases (workspace_id, alias, skill_key) select id, 'reactjs', 'react' from w;

create function pg_temp.create_as(who text, project text, demand text default '[]') returns text language sql as $$
  select pg_temp.refusal(who, format('select create_pipeline_project(%L, %L, %L)', (select id from w), project, demand))
$$;

-- Every field ------------------------------------------------------------------------------------------------------------

create temp table d on commit drop as select pg_temp.try_as('mia', format($$ select (create_pipeline_project(%L, %L, %L)).id $$, (select id from w), $${
  "name": "Bridge", "description": "Two lanes", "client_name": "Acme", "client_contact": {"name": "Ann", "email": "ann@acme.example"},
  "stage": "Closed-Won", "priority": "high", "probability": 35, "estimated_value": 120000.5, "currency": "EUR",
  "estimated_start_date": "2027-03-01", "estimated_duration": 90, "expected_close_date": "2027-01-31",
  "required_skills": [" ReactJS ", "SQL", "react"], "competitor_info": [{"name": "Rival"}], "risk_factors": [{"type": "budget", "level": "high"}],
  "deal_source": "fair", "next_steps": "Call", "notes": "By phone", "board_position": 2.5, "owner_label": "Ann", "tags": ["vip"], "custom_fields": {"tier": 1, "none": null}
}$$, $$[
  {"skill_category": "ReactJS", "experience_level": "Sr.", "required_count": 2, "allocation_percentage": 50, "start_date": "2027-03-01",
    "end_date": "2027-05-31", "hourly_rate": 95.5, "is_critical": true, "alternatives": ["SQL"], "priority": 3},
  {"skill_key": "sql"},
  {"skill_category": "Welding"}
]$$))::uuid as id;

select results_eq(
  $$ select name, description, client_name, client_contact ->> 'email', stage_key, priority, probability, estimated_value, weighted_value, currency::text from pipeline_projects join d using (id) $$,
  $$ values ('Bridge', 'Two lanes', 'Acme'::text, 'ann@acme.example', 'won', 'high', 35, 120000.50::numeric(18,2), 42000.18::numeric(18,2), 'EUR') $$,
  'a deal has what was said, in any spelling of the stage');
select results_eq(
  $$ select estimated_start_date, estimated_duration, expected_close_date, required_skills, competitor_info, risk_factors from pipeline_projects join d using (id) $$,
  $$ values (date '2027-03-01', 90, date '2027-01-31', '["react", "sql"]'::jsonb, '[{"name": "Rival"}]'::jsonb, '[{"type": "budget", "level": "high"}]'::jsonb) $$,
  'skills are the keys of the list, each once, in the order given');
select results_eq(
  $$ select deal_source, next_steps, notes, board_position, owner_label, tags, custom_fields, created_by from pipeline_projects join d using (id) $$,
  $$ values ('fair', 'Call', 'By phone', 2.5::float8, 'Ann', '["vip"]'::jsonb, '{"tier": 1, "none": null}'::jsonb, pg_temp.person('mia')) $$,
  'and whoever calls is the author');
select results_eq(
  $$ select skill_category, skill_key, level, required_count, allocation_percentage, start_date, end_date, hourly_rate, is_critical, alternatives, priority
     from pipeline_resource_demands r join d on d.id = r.pipeline_project_id order by required_count desc, skill_key nulls last $$,
  $$ values ('frontend', 'react', 'senior', 2, 50, date '2027-03-01', date '2027-05-31', 95.50::numeric(10,2), true, '["sql"]'::jsonb, 3),
            ('data', 'sql', null, 1, 100, null, null, null, false, '[]', 0), ('Welding', null, null, 1, 100, null, null, null, false, '[]', 0) $$,
  'the demand comes with it, in the words of the skill list');
select is((select count(*) from pipeline_stage_history h join d on d.id = h.pipeline_project_id), 1::bigint, 'its history begins');

update workspaces set default_currency = 'CHF' where id = (select id from w);
select is(pg_temp.try_as('mia', format($$ select to_jsonb(p) - '{id,workspace_id,created_at,updated_at,created_by}'::text[] from create_pipeline_project(%L, '{"name": "Bare", "priority": null, "notes": null}') p $$, (select id from w)))::jsonb
    - '{name}'::text[] @> '{"stage_key": "lead", "priority": "medium", "probability": 10, "currency": "CHF", "estimated_value": null, "required_skills": [], "client_contact": {}}', true,
  'a name is enough: the first open stage, its probability, the workspace''s currency');

-- Refusals: which field, and nothing half-written ------------------------------------------------------------------------

select is(pg_temp.create_as('mia', '{"name": "X", "colour": "red"}'), 'PC004 colour: A deal has no field "colour" that could be written.', 'an unknown field is named');
select is(pg_temp.create_as('mia', '{"name": "X", "crm_id": "1"}'), 'PC004 crm_id: A deal has no field "crm_id" that could be written.', 'what a sync writes is not a person''s');
select is(pg_temp.create_as('mia', '[]'), 'PC004 : A deal is an object of fields, such as {"name": "Bridge", "stage": "proposal"}.', 'a list is no deal');
select is(pg_temp.create_as('mia', '{"name": "X", "stage": "nonsense"}'), 'PC004 stage: This workspace has no stage "nonsense".', 'an unknown stage is named');
select is(pg_temp.create_as('mia', '{"name": "X", "required_skills": ["react", "telepathy"]}'), 'PC004 required_skills: The skill list of this workspace has no "telepathy".', 'an unknown skill is named');
select is(pg_temp.create_as('mia', '{"name": "X", "required_skills": ["react", 7]}'), 'PC004 required_skills: required_skills is a list of at most 200 skills, such as ["react", "sql"].', 'a number is no skill');
select is(pg_temp.create_as('mia', '{"name": "X", "probability": -1}'), '23514 probability: The value of probability does not fit. The rule is: probability >= 0 AND probability <= 100.', 'a probability below 0 is refused, with the rule');
select is(pg_temp.create_as('mia', '{"name": "X", "probability": 101}'), '23514 probability: The value of probability does not fit. The rule is: probability >= 0 AND probability <= 100.', 'and above 100');
select is(pg_temp.create_as('mia', '{"name": "X", "probability": "NaN"}'), 'PC004 probability: The value of probability does not fit: invalid input syntax for type integer: "NaN".', 'NaN is no probability');
select is(pg_temp.create_as('mia', '{"name": "X", "estimated_value": "NaN"}'), '23514 estimated_value: The value of estimated_value does not fit. The rule is: estimated_value <> ''NaN''::numeric.', 'nor a value');
select alike(pg_temp.create_as('mia', '{"name": "X", "estimated_value": "Infinity"}'), 'PC004 estimated_value: %', 'nor is infinity');
select is(pg_temp.create_as('mia', '{"name": "X", "board_position": "NaN"}'), '23514 board_position: The value of board_position does not fit. The rule is: board_position <> ''NaN''::double precision.', 'a place on the board is a number');
select is(pg_temp.create_as('mia', '{"name": "X", "estimated_start_date": "soon"}'), 'PC004 estimated_start_date: The value of estimated_start_date does not fit: invalid input syntax for type date: "soon".', 'a day is a day');
select is(pg_temp.create_as('mia', '{"name": "X", "estimated_duration": -1}'), '23514 estimated_duration: The value of estimated_duration does not fit. The rule is: estimated_duration >= 0 AND estimated_duration <= 100000.', 'work does not end before it starts');
select is(pg_temp.create_as('mia', '{"name": " "}') , '23514 name: The value of name does not fit. The rule is: char_length(btrim(name)) >= 1 AND char_length(btrim(name)) <= 255.', 'a name has letters');
select is(pg_temp.create_as('mia', '{}'), '23502 name: name cannot be empty.', 'and there is one');
select is(pg_temp.create_as('mia', '{"name": "X", "priority": "urgent"}'), '23514 priority: The value of priority does not fit. The rule is: priority = ANY (ARRAY[''low''::text, ''medium''::text, ''high''::text, ''critical''::text]).', 'priorities are four');
select is(pg_temp.create_as('mia', '{"name": "X"}', '[{"skill_category": "a", "start_date": "2027-02-01", "end_date": "2027-01-31"}]'), '23514 resource_demand.0.start_date, resource_demand.0.end_date: The value of resource_demand.0.start_date, resource_demand.0.end_date does not fit. The rule is: end_date >= start_date.', 'demand does not end before it starts');
select is(pg_temp.create_as('mia', '{"name": "X"}', '[{"skill_category": "a"}, {"skill_key": "telepathy"}]'), 'PC004 resource_demand.1.skill_key: There is no skill "telepathy".', 'a skill asked for by key must be one');
select is(pg_temp.create_as('mia', '{"name": "X"}', '[{"skill_category": "a", "alternatives": ["telepathy"]}]'), 'PC004 resource_demand.0.alternatives: There is no skill "telepathy", which is named as an alternative.', 'an alternative too');
select is(pg_temp.create_as('mia', '{"name": "X"}', '[{"skill_category": "a"}, {"skill_category": "a", "colour": 1}]'), 'PC004 resource_demand.1.colour: Line 2 of resource_demand has no field "colour" that could be written.', 'a line''s unknown field is named with its line');
select is(pg_temp.create_as('mia', '{"name": "X"}', '[{"skill_category": "a"}, 7]'), 'PC004 resource_demand.1: Line 2 of resource_demand is not an object of fields.', 'a number is no line');
select is(pg_temp.create_as('mia', '{"name": "X"}', '[{"skill_category": "a", "required_count": 1.5}]'), 'PC004 resource_demand.0.required_count: The value of resource_demand.0.required_count does not fit: invalid input syntax for type integer: "1.5".', 'people are counted whole');
select is(pg_temp.create_as('mia', '{"name": "X"}', '[{"skill_category": "a", "hourly_rate": "NaN"}]'), '23514 resource_demand.0.hourly_rate: The value of resource_demand.0.hourly_rate does not fit. The rule is: hourly_rate >= 0::numeric AND hourly_rate <> ''NaN''::numeric.', 'a rate is a number');
select is(pg_temp.create_as('mia', '{"name": "X"}', '[{}]'), 'PC004 resource_demand.0.skill_category: A line of resource_demand says which skill it asks for.', 'a line says which skill');
select is(pg_temp.create_as('mia', '{"name": "X"}', '[{"skill_category": "a"}, {"skill_category": "a", "experience_level": "guru"}]'), 'PC004 resource_demand.1.experience_level: There is no level "guru". There are junior, mid, senior, lead and principal.', 'nor is there any other level');
select is(pg_temp.create_as('mia', '{"name": "X"}', '[{"skill_category": "a", "alternatives": "sql"}]'), '23514 resource_demand.0.alternatives: The value of resource_demand.0.alternatives does not fit. The rule is: jsonb_typeof(alternatives) = ''array''::text.', 'alternatives are a list');
select is(pg_temp.create_as('mia', '{"name": "X"}', '[{"skill_category": "a", "required_count": 10001}]'), '23514 resource_demand.0.required_count: The value of resource_demand.0.required_count does not fit. The rule is: required_count >= 1 AND required_count <= 10000.', 'nobody asks for more people than a list could add up');
select is(split_part(pg_temp.create_as('mia', format('{"name": "X", "%s": "%s"}', f, d)), ':', 1), '23514 ' || f, format('%s of %s is a day that nothing can count with', f, d))
from unnest('{expected_close_date,actual_close_date,estimated_start_date}'::text[]) f, unnest('{infinity,-infinity,20226-01-01,0044-03-15 BC}'::text[]) d;
select is(split_part(pg_temp.create_as('mia', '{"name": "X"}', format('[{"skill_category": "a", "%s": "%s"}]', f, d)), ':', 1), '23514 resource_demand.0.' || f, format('%s of %s neither', f, d))
from unnest('{start_date,end_date}'::text[]) f, unnest('{infinity,20226-01-01}'::text[]) d;
select is(pg_temp.create_as('mia', '{"name": "X"}', '{}'), 'PC004 resource_demand: resource_demand is a list of at most 500 lines.', 'demand is a list');
select is(pg_temp.create_as('mia', '{"name": "X"}', (select jsonb_agg('{"skill_category": "a"}'::jsonb) from generate_series(1, 501))::text), 'PC004 resource_demand: resource_demand is a list of at most 500 lines.', 'of 500 at most');
select is(pg_temp.create_as('vera', '{"name": "X"}'), 'PC002 : This needs the role member in the workspace; yours is viewer.', 'a viewer creates nothing');
select is(pg_temp.create_as('eve', '{"name": "X"}'), 'PC001 : There is nothing under this id, or you are not a member of its workspace.', 'a stranger neither');
select is(pg_temp.try_as('anon', format($$ select create_pipeline_project(%L, '{"name": "X"}') $$, (select id from w))), '42501', 'nor does anon');
create temp table foreigner on commit drop as select pg_temp.try_as('eve', $$ insert into crm_companies (workspace_id, name) select id, 'Hers' from workspaces limit 1 returning id $$) as company;
select is(pg_temp.create_as('mia', format('{"name": "X", "company_id": "%s"}', (select company from foreigner))), '23503 company_id: company_id points to nothing in this workspace.', 'a company of strangers is none');
select is(pg_temp.create_as('mia', format('{"name": "X", "owner_id": "%s"}', pg_temp.person('eve'))), '23503 owner_id: owner_id points to nothing in this workspace.', 'nor is a stranger an owner');
select is((select count(*) from pipeline_projects p join w on w.id = p.workspace_id), 2::bigint, 'none of these left a deal');
select is((select count(*) from pipeline_resource_demands r join w on w.id = r.workspace_id), 3::bigint, 'or a line of demand');

delete from skill_aliases where workspace_id = (select id from w);
update pipeline_resource_demands set skill_key = null, alternatives = '[]';
delete from skills where workspace_id = (select id from w);
select is(pg_temp.try_as('mia', format($$ select (create_pipeline_project(%L, '{"name": "X", "required_skills": [" Welding", "Welding"]}')).required_skills $$, (select id from w))), '["Welding"]', 'a workspace that keeps no list of skills takes any word');

-- Changes ----------------------------------------------------------------------------------------------------------------

insert into skills (workspace_id, key, label) select id, 'react', 'React' from w;
create function pg_temp.update_as(who text, changes text, demand text default null, extra text default '') returns text language sql as $$
  select pg_temp.refusal(who, format('select update_pipeline_project(%L, %L, %L %s)', (select id from d), changes, demand, extra))
$$;
create function pg_temp.lines() returns table (id uuid, skill_category text, required_count int) language sql as $$
  select r.id, r.skill_category, r.required_count from pipeline_resource_demands r join d on d.id = r.pipeline_project_id order by r.required_count desc, r.skill_category
$$;

select is(pg_temp.update_as('mia', '{"stage": "proposal", "notes": null, "estimated_value": 100}'), 'allowed', 'a member changes the own deal');
select results_eq($$ select stage_key, probability, notes, estimated_value, description from pipeline_projects join d using (id) $$, $$ values ('proposal', 60, null, 100.00::numeric(18,2), 'Two lanes') $$, 'null empties, what is not named stays, the probability follows the stage');
select is((select count(*) from pipeline_stage_history h join d on d.id = h.pipeline_project_id), 2::bigint, 'the move is in the history');
select is((select count(*) from pg_temp.lines()), 3::bigint, 'demand that is not named stays');
select is(pg_temp.update_as('mia', '{"required_skills": ["telepathy"]}'), 'PC004 required_skills: The skill list of this workspace has no "telepathy".', 'an unknown skill is refused here too');
select is(pg_temp.update_as('mia', '{"stage": null}'), 'PC004 stage: This workspace has no stage "null".', 'a deal is in a stage');
select is(pg_temp.update_as('mia', '{"name": null}'), '23502 name: name cannot be empty.', 'and has a name');
select is(pg_temp.update_as('mia', '{"updated_at": "2020-01-01"}'), 'PC004 updated_at: A deal has no field "updated_at" that could be written.', 'upkeep is not a person''s');
select is(pg_temp.update_as('max', '{"name": "Mine"}'), 'PC002 : Your role does not let you edit this deal.', 'another member changes nothing');
select is(pg_temp.update_as('vera', '{"name": "Mine"}'), 'PC002 : Your role does not let you edit this deal.', 'nor does a viewer');
select is(pg_temp.update_as('eve', '{"name": "Mine"}'), 'PC001 : This deal does not exist or is not yours to see.', 'for a stranger there is no such deal');
select is(pg_temp.update_as('mia', '{"name": "Mine"}', null, ', expected_updated_at => ''2020-01-01'''), 'PC008 Read it again and decide anew.: Somebody else changed this deal meanwhile.', 'with an older version it is refused');
select is(pg_temp.update_as('mia', '{"name": "Bridge 2"}', null, format(', expected_updated_at => %L', (select updated_at from pipeline_projects join d using (id)))), 'allowed', 'with the version that was read it is not');
select is(pg_temp.try_as('otto', format($$ select (update_pipeline_project(%L, '{"priority": "low"}')).priority $$, (select id from d))), 'low', 'an admin changes any deal');

create temp table line on commit drop as select * from pg_temp.lines();
select is(pg_temp.update_as('mia', '{}', format('[{"id": "%s", "required_count": 4}, {"skill_category": "react", "required_count": 3}]', (select id from line limit 1))), 'allowed', 'a list of demand replaces what was there');
select results_eq($$ select l.id, l.skill_category, l.required_count, r.allocation_percentage from pg_temp.lines() l join pipeline_resource_demands r using (id) where l.id = (select id from line limit 1) $$,
  $$ select id, 'frontend', 4, 50 from line limit 1 $$, 'a line with its id keeps what is not named');
select is(split_part(pg_temp.update_as('mia', '{}', format('[{"skill_category": "react"}, {"id": "%s", "start_date": "2027-02-01", "end_date": "2027-01-01"}]', (select id from line limit 1))), ':', 1), '23514 resource_demand.1.start_date, resource_demand.1.end_date', 'a line that is changed is named, too, where it does not fit');
select results_eq($$ select skill_category, required_count from pg_temp.lines() $$, $$ values ('frontend', 4), ('other', 3) $$, 'one without is new, and what is missing is gone');
select is(pg_temp.update_as('mia', '{"name": "Y"}', format('[{"id": "%s"}]', gen_random_uuid())) like 'PC001 resource_demand: Line % is not there, or is named twice.', true, 'a line of another deal is none');
select is(pg_temp.update_as('mia', '{"name": "Y"}', format('[{"id": "%1$s"}, {"id": "%1$s"}]', (select id from pg_temp.lines() limit 1))) like 'PC001 resource_demand: Line % is not there, or is named twice.', true, 'a line is named once');
insert into pipeline_resource_demands (workspace_id, pipeline_project_id, skill_category, created_by) select w.id, d.id, 'Welding', pg_temp.person('otto') from w, d;
select is(pg_temp.update_as('mia', '{"name": "Y"}', '[]'), 'PC002 Send those lines as they are, or ask an admin.: Some of this deal''s demand was written by somebody else, and your role does not let you change it.', 'a line that an admin wrote is not a member''s to remove');
select is((select name from pipeline_projects join d using (id)), 'Bridge 2', 'and then nothing else is written');
select is(pg_temp.update_as('mia', '{}', (select jsonb_agg(jsonb_build_object('id', id)) from pg_temp.lines())::text), 'allowed', 'but may stand in the list as it is');
select is(pg_temp.update_as('otto', '{}', '[]'), 'allowed', 'an admin removes it');
select is((select count(*) from pg_temp.lines()), 0::bigint, 'and then none is left');
update pipeline_projects set deleted_at = now() where id = (select id from d);
select is(pg_temp.update_as('mia', '{"name": "Z"}'), 'PC001 : This deal does not exist or is not yours to see.', 'a deleted deal is not changed');
select is(pg_temp.try_as('service_role', format($$ select (create_pipeline_project(%L, '{"name": "By a job"}')).name $$, (select id from w))), 'By a job', 'the secret key creates deals');

select throws_ok($$ select private.refuse_misfit('23503', 'pipeline_projects', 'pipeline_projects_workspace_id_fkey', '', 'raw') $$, '23503', 'This workspace is not there any more.', 'a workspace that goes meanwhile is said to be gone');
select throws_ok($$ select private.refuse_misfit('23505', 'pipeline_projects', 'nobody_knows_it', null, 'A sentence.') $$, '23505', 'A sentence.', 'and what has no field is said without one');

select * from finish();
rollback;
