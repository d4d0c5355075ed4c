-- Two workspaces side by side, everything in both: what a person of one can learn of the other or do to it. Tables, views, foreign
-- keys and functions are read from the catalogue, so what is new is tried by itself, or fails until it is named here.

\ir rows.psql

select no_plan();

select pg_temp.sign_up('owner', 'admin', 'member', 'viewer', 'outsider', 'stranger');
create temp table made on commit drop as
select pg_temp.try_as('owner', $$ select (create_workspace('Ours')).id $$)::uuid as ours, pg_temp.try_as('owner', $$ select (create_workspace('Theirs')).id $$)::uuid as theirs;
insert into workspace_members (workspace_id, user_id, role)
select p.workspace, pg_temp.person(p.name), p.role
from made m, lateral (values (m.ours, 'admin', 'admin'), (m.ours, 'member', 'member'), (m.ours, 'viewer', 'viewer'), (m.theirs, 'stranger', 'admin')) p (workspace, name, role);
select pg_temp.fill(m.theirs) from made m;
select pg_temp.fill(m.ours) from made m;
-- Words that name rows are others there, so that none of theirs is one of ours by chance.
update skills set key = 'elsewhere' where workspace_id = (select theirs from made);
update pipeline_stages set key = 'elsewhere' where workspace_id = (select theirs from made) and key = 'prospect';
select private.refresh_workspace(m.ours, 1000), private.refresh_workspace(m.theirs, 1000) from made m;

-- Runs a statement as a person and takes it back: its first value, "n rows", or SQLSTATE and words, with ids left out.
create function pg_temp.answer(who text, statement text) returns text language plpgsql as $$
declare
  answer text;
  touched bigint;
  more text;
  api_role constant text := case when who in ('anon', 'service_role') then who else 'authenticated' end;
begin
  begin
    perform set_config('request.jwt.claims', json_build_object('sub', case api_role when 'authenticated' then pg_temp.person(who) end, 'role', api_role)::text, true);
    perform set_config('role', api_role, true);
    if statement ~* '^\s*select' then
      execute statement into answer;
    else
      execute statement;
    end if;
    get diagnostics touched = row_count;
    set constraints all immediate;
    set constraints all deferred;
    raise exception using errcode = 'UNDO1', message = coalesce(answer, touched || ' rows');
  exception when sqlstate 'UNDO1' then
    return sqlerrm;
  when others then
    get stacked diagnostics more = pg_exception_detail;
    return regexp_replace(concat_ws(' ', sqlstate, sqlerrm, more), '[0-9a-f]{8}-[0-9a-f-]{27}', '<id>', 'g');
  end;
end $$;

-- Pointers ----------------------------------------------------------------------------------------------------------------

select is((
  select string_agg(format('%s (%s)', f.conname, f.conrelid::regclass), ', ')
  from pg_constraint f
  join pg_attribute a on a.attrelid = f.conrelid and a.attname = 'workspace_id'
  join pg_attribute b on b.attrelid = f.confrelid and b.attname = 'workspace_id'
  where f.contype = 'f' and f.connamespace = 'public'::regnamespace
    and not exists (select from unnest(f.conkey, f.confkey) as pair (here, there) where pair.here = a.attnum and pair.there = b.attnum)
), null, 'every foreign key between rows of workspaces holds the workspace');

create temp view pointer as
select t.name, t.scope, ca.attname as col, format('(select r.%I from %s r where r.%I = %L and not exists (select from %2$s o where o.%1$I = r.%1$I and o.%3$I = %5$L) limit 1)', ra.attname, f.confrelid::regclass, s.scope, m.theirs, m.ours) as theirs
from made m
cross join target t
join pg_constraint f on f.conrelid = t.oid and f.contype = 'f'
join target s on s.oid = f.confrelid
cross join unnest(f.conkey, f.confkey) as pair (here, there)
join pg_attribute ca on ca.attrelid = t.oid and ca.attnum = pair.here
join pg_attribute ra on ra.attrelid = f.confrelid and ra.attnum = pair.there
where ca.attname <> 'workspace_id' and ca.attgenerated = '' and (t.name, ca.attname) <> ('crm_contacts', 'duplicate_of') and has_column_privilege('authenticated', t.oid, ca.attnum, 'update');
select matches(pg_temp.answer('owner', format('update public.%I set %I = %s where ctid = (select ctid from public.%1$I where %4$I = %5$L limit 1)', p.name, p.col, p.theirs, p.scope, m.ours)),
  '^(23503|PC001|PC004)', format('%s.%s does not point into another workspace', p.name, p.col))
from pointer p, made m order by p.name, p.col;
select cmp_ok((select count(*) from pointer), '>=', 25::bigint, 'pointers were found');

-- Moving, and forging ----------------------------------------------------------------------------------------------------

select matches(pg_temp.answer('owner', format('update public.%I set workspace_id = %L where workspace_id = %L', t.name, m.theirs, m.ours)), '^(PC001|PC004|42501)', format('no row of %s moves to another workspace of the same owner', t.name))
from target t, made m where t.scope = 'workspace_id' and has_any_column_privilege('authenticated', t.oid, 'update') order by t.name;

select matches(pg_temp.answer('member', pg_temp.insert_sql(t, pg_temp.person('owner'), true)), '^42501', format('nobody writes %s in another''s name', t.name))
from target t where t.author is not null and t.rule in ('record', 'link', 'private record') order by t.name;
create function pg_temp.forged(t target) returns bigint language plpgsql as $$
declare
  n bigint;
begin
  perform pg_temp.try_as('member', format('update public.%I set %I = %L where workspace_id = %L and %2$I = %L', t.name, t.author, pg_temp.person('owner'), (select ours from made), pg_temp.person('member')));
  execute format('select count(*) from public.%I where workspace_id = $1 and %I = $2', t.name, t.author) into n using (select ours from made), pg_temp.person('member');
  return n;
end $$;
select cmp_ok(pg_temp.forged(t), '>', 0::bigint, format('the author of a row of %s stays', t.name))
from target t where t.author is not null and t.rule in ('record', 'link', 'private record') order by t.name;

-- Views --------------------------------------------------------------------------------------------------------------------

create temp view shown as
select c.relname as name, (select a.attname from pg_attribute a where a.attrelid = c.oid and a.attname = 'workspace_id') as scope
from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'v' and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e');
select is((select string_agg(name, ', ') from shown where scope is null), null, 'every view says whose rows it shows');
select is(pg_temp.answer('stranger', format('select count(*) from public.%I where workspace_id = %L', v.name, m.ours)), '0', format('a stranger sees nothing of ours in %s', v.name))
from shown v, made m order by v.name;
select is(pg_temp.answer('viewer', format('select count(*) from public.%I where workspace_id = %L', v.name, m.theirs)), '0', format('nor does our viewer of theirs in %s', v.name))
from shown v, made m order by v.name;
select cmp_ok((select count(*) from shown v, made m where pg_temp.answer('viewer', format('select count(*) from public.%I where workspace_id = %L', v.name, m.ours)) ~ '^[1-9]'), '>=', 18::bigint, 'of ours there is much to be seen');

-- Functions ----------------------------------------------------------------------------------------------------------------
-- An id of strangers and one that does not exist get the same answer, from each function, for each argument.

create temp table known (argument text primary key, source text) on commit drop;
insert into known values
  ('deal_id', 'pipeline_projects'), ('after_deal_id', 'pipeline_projects'), ('pipeline_project_id', 'pipeline_projects'), ('deal_ids', 'pipeline_projects'),
  ('pipeline_project_ids', 'pipeline_projects'), ('demand_id', 'pipeline_resource_demands'), ('scenario_id', 'pipeline_scenarios'), ('edit_id', 'pipeline_scenario_edits'),
  ('run_id', 'pipeline_forecast_runs'), ('task_id', 'crm_tasks'), ('config_id', 'crm_sync_configs'), ('operation_id', 'crm_sync_operations'),
  ('conflict_id', 'crm_sync_conflicts'), ('conflict_ids', 'crm_sync_conflicts'), ('error_ids', 'crm_sync_errors'), ('invitation_id', 'workspace_invitations');
create temp table said (argument text primary key, literal text) on commit drop;
insert into said values ('name', '''Named'''), ('email', '''new@example.test'''), ('role', '''viewer'''), ('stage', '''won'''), ('query', '''matrix'''), ('strategy', '''crm-wins'''),
  ('kind', '''set_probability'''), ('payload', '''{"probability": 5}'''), ('project', '''{"name": "X"}'''), ('changes', '''{"name": "X"}'''), ('token', '''none''');

-- Calls a function with the ids of a workspace (null: ids that there are not). With p_own the workspace itself is that one.
create function pg_temp.call_of(f regprocedure, from_workspace uuid, own uuid default null) returns text language plpgsql as $$
declare
  given text[] := '{}';
  a record;
  value text;
begin
  for a in
    select p.proargnames[i] as name, format_type(p.proargtypes[i - 1], null) as type, i > p.pronargs - p.pronargdefaults as has_default
    from pg_proc p, generate_series(1, p.pronargs) i where p.oid = f
  loop
    if a.type in ('uuid', 'uuid[]') then
      if a.name = 'workspace_id' then
        value := coalesce(own, from_workspace, gen_random_uuid())::text;
      elsif a.name = 'user_id' then
        value := case when from_workspace is null then gen_random_uuid() else (select m.user_id from workspace_members m where m.workspace_id = from_workspace and m.role <> 'owner' order by m.role limit 1) end::text;
      elsif from_workspace is null then
        value := gen_random_uuid()::text;
      else
        execute format('select id from public.%I where workspace_id = $1 order by id limit 1', (select k.source from known k where k.argument = a.name)) into strict value using from_workspace;
      end if;
      given := given || format('%I => %L::%s', a.name, case a.type when 'uuid[]' then '{' || value || '}' else value end, a.type);
    elsif exists (select from said s where s.argument = a.name) then
      given := given || format('%I => %s', a.name, (select s.literal from said s where s.argument = a.name));
    elsif not a.has_default then
      raise exception 'Say what % of % is to be.', a.name, f;
    end if;
  end loop;
  return format('select count(x.*)::text || coalesce(min(x::text), '''') from public.%s(%s) x', (select p.proname from pg_proc p where p.oid = f), array_to_string(given, ', '));
end $$;

create temp view callable as
select p.oid::regprocedure as f, p.proname as name, p.proargnames[1:p.pronargs] as arguments,
  (select count(*) from unnest(p.proargtypes) t where t in ('uuid'::regtype, 'uuid[]'::regtype)) as ids
from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' and p.prorettype <> 'trigger'::regtype
  and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e');

select is(pg_temp.answer('stranger', pg_temp.call_of(c.f, m.ours)), pg_temp.answer('stranger', pg_temp.call_of(c.f, null)), format('%s tells a stranger no more of our ids than of none', c.name))
from callable c, made m where c.ids > 0 order by c.name;
select is(pg_temp.answer('owner', pg_temp.call_of(c.f, m.theirs, m.ours)), pg_temp.answer('owner', pg_temp.call_of(c.f, null, m.ours)), format('%s does not mix ids of two workspaces, even for their common owner', c.name))
from callable c, made m where c.ids > 1 and c.arguments @> '{workspace_id}' and c.name not in ('change_member_role', 'remove_member', 'transfer_ownership') order by c.name;
select is(left(pg_temp.answer('anon', pg_temp.call_of(c.f, m.ours)), 5), '42501', format('%s is nothing for anon', c.name)) from callable c, made m order by c.name;
select is(pg_temp.answer('service_role', regexp_replace(pg_temp.call_of(c.f, m.ours), 'workspace_id => ''[^'']*''::uuid', 'workspace_id => null::uuid')) ~ '^(PC00|22|23|42|55)', true, format('%s does nothing for the secret key without a workspace', c.name))
from callable c, made m where c.arguments @> '{workspace_id}' order by c.name;
-- The calls are right: where the ids are one's own, the answer is another one. Nothing is deleted here, and nothing is linked.
select is((select string_agg(c.name, ', ' order by c.name) from callable c, made m where c.ids > 0 and c.name not in ('restore_workspace', 'crm_connection_counts') and pg_temp.answer('owner', pg_temp.call_of(c.f, m.ours)) = pg_temp.answer('owner', pg_temp.call_of(c.f, null))),
  null, 'to the owner each function says more of ids that are there');

-- Those in schema private that run with the rights of their owner and that a policy, a view or a call of the caller needs.
select is(pg_temp.answer('stranger', format(x.call, m.ours)), pg_temp.answer('stranger', format(x.call, gen_random_uuid())), x.call || ' tells a stranger nothing')
from made m, (values ('select count(*) from private.utilisation_weeks(%L)'), ('select private.crm_calls_left_today(%L)'), ('select private.number_column(%L, ''lead'', null)'),
  ('select private.require_role(%L, ''viewer'')')) x (call);

-- Ids within JSON ----------------------------------------------------------------------------------------------------------

create function pg_temp.one(source text, workspace uuid) returns text language plpgsql as $$
declare
  found text;
begin
  execute format('select id from public.%I where workspace_id = $1 order by id limit 1', source) into strict found using workspace;
  return found;
end $$;
create temp view inside as
select i.what, format('select (%s).id is not null', replace(i.call, '<w>', quote_literal(m.ours))) as call, i.source, i.theirs
from made m, lateral (values
  ('a company of a new deal', 'create_pipeline_project(<w>, ''{"name": "X", "company_id": "<id>"}'')', 'crm_companies', m.theirs),
  ('a contact of a new deal', 'create_pipeline_project(<w>, ''{"name": "X", "contact_id": "<id>"}'')', 'crm_contacts', m.theirs),
  ('a line of demand', 'update_pipeline_project(''' || pg_temp.one('pipeline_projects', m.ours) || ''', ''{}'', ''[{"id": "<id>", "required_count": 9}]'')', 'pipeline_resource_demands', m.theirs),
  ('a company of a changed deal', 'update_pipeline_project(''' || pg_temp.one('pipeline_projects', m.ours) || ''', ''{"company_id": "<id>"}'')', 'crm_companies', m.theirs),
  ('a deal of an edit', 'add_scenario_edit(''' || pg_temp.one('pipeline_scenarios', m.ours) || ''', ''drop_deal'', ''<id>'')', 'pipeline_projects', m.theirs),
  ('a card to drop one behind', 'place_deal(''' || pg_temp.one('pipeline_projects', m.ours) || ''', ''<id>'')', 'pipeline_projects', m.theirs)) i (what, call, source, theirs);
select is(pg_temp.answer('owner', replace(i.call, '<id>', pg_temp.one(i.source, i.theirs))), pg_temp.answer('owner', replace(i.call, '<id>', gen_random_uuid()::text)), i.what || ' of another workspace is one that there is not')
from inside i;
select is((select string_agg(i.what, ', ') from inside i where pg_temp.answer('owner', replace(i.call, '<id>', pg_temp.one(i.source, i.theirs))) !~ '^(PC|23)'), null, 'and is refused');
select is(pg_temp.answer('owner', format('select (create_pipeline_project(%L, %L)).id', m.ours, jsonb_build_object('name', 'X', 'owner_id', pg_temp.person('stranger')))) ~ '^23503', true, 'nor is a deal given to a member of another')
from made m;
-- Words: what is known elsewhere is unknown here.
select matches(pg_temp.answer('owner', format(x.call, m.ours)), '^PC004 (There is no|The skill list|This workspace has no)', x.what || ' of another workspace is unknown')
from made m, (values
  ('a skill of a demand', 'select create_pipeline_project(%L, ''{"name": "X"}'', ''[{"skill_category": "x", "skill_key": "elsewhere"}]'')'),
  ('an alternative', 'select create_pipeline_project(%L, ''{"name": "X"}'', ''[{"skill_category": "x", "alternatives": ["elsewhere"]}]'')'),
  ('a skill of a deal', 'select create_pipeline_project(%L, ''{"name": "X", "required_skills": ["elsewhere"]}'')'),
  ('a stage', 'select create_pipeline_project(%L, ''{"name": "X", "stage": "elsewhere"}'')'),
  ('a stage with a rate', 'select create_scenario_from_pipeline(%L, ''X'', ''{}'', ''{"elsewhere": 0.5}'')'),
  ('a template', 'select create_scenario_from_pipeline(%L, ''X'', ''{}'', ''{}'', ''elsewhere'')')) x (what, call);

-- The functions that the Edge Function calls, as the database's owner: they check the actor themselves -------------------

select throws_ok(format(x.call, m.ours, pg_temp.person('stranger')), 'PC001', null, x.what || ' asks whose the workspace is')
from made m, (values
  ('reading for a forecast', 'select private.forecast_inputs(%L, %L, ''{"grain": "month"}'')'),
  ('staffing', 'select private.staffing(%L, %L, ''{}'')'),
  ('an import', 'select private.import_people(%2$L, %1$L, ''employees'', ''[]'', true, false)')) x (what, call);
select throws_ok(format(x.call, m.ours, pg_temp.person('owner'), pg_temp.one(x.source, m.theirs)), 'PC001', null, x.what || ' is of the workspace, also for its common owner')
from made m, (values
  ('a deal of a forecast', 'pipeline_projects', 'select private.forecast_inputs(%L, %L, ''{"grain": "month", "pipeline_project_ids": ["%s"]}'')'),
  ('a scenario of a forecast', 'pipeline_scenarios', 'select private.forecast_inputs(%L, %L, ''{"grain": "month", "scenario_ids": ["%s"]}'')'),
  ('a deal to be staffed', 'pipeline_projects', 'select private.staffing(%L, %L, ''{%s}'')')) x (what, source, call);
select is((
  select e -> 'errors' -> 0 ->> 'message'
  from made m, private.import_people(pg_temp.person('owner'), m.ours, 'skills', '[{"line": 2, "cells": {"employee": "matrix", "skill": "elsewhere"}}]', true, true) e
  ) is not null, true, 'a file does not name skills of another workspace');

select * from finish();
rollback;
