-- Rules that every object keeps, read from the catalogue: what breaks one is named.

\ir ../fixtures/people.psql

select no_plan();

create temp view tables as
select c.oid, c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relacl, c.reloptions from pg_class c
where c.relnamespace = 'public'::regnamespace and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e');
create temp view functions as
select p.oid, p.oid::regprocedure::text as signature, n.nspname, p.proconfig, p.prokind from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('public', 'private') and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e');
create temp view policies as
select p.tablename || ': ' || p.policyname as name, p.*, coalesce(p.qual, '') || ' ' || coalesce(p.with_check, '') as body from pg_policies p where p.schemaname = 'public';

select is((select string_agg(relname, ', ') from tables where relkind in ('r', 'p') and not (relrowsecurity and relforcerowsecurity)), null, 'every table has forced row level security');
select is((select string_agg(relname, ', ') from tables where relkind = 'v' and not coalesce(reloptions @> '{security_invoker=true}', false)), null, 'every view runs as the one who asks');
select is((select string_agg(relname, ', ') from tables where relkind in ('m', 'f')), null, 'there are no materialized views or foreign tables to leak');
select is((select string_agg(name, ', ') from policies where roles <> '{authenticated}'), null, 'every policy is for authenticated');
select is((select string_agg(name, ', ') from policies where btrim(body, '() ') = 'true'), null, 'no policy lets everything pass');
select is((select string_agg(name, ', ') from policies where cmd = 'UPDATE' and (qual is null or with_check is null)), null, 'an update policy checks before and after');
select is((select string_agg(name, ', ') from policies where regexp_replace(body, '\( SELECT auth\.uid\(\) AS uid\)', '', 'g') ~ 'auth\.(uid|jwt|role|email)'), null, 'who is signed in is asked once per statement');
select is((select string_agg(name, ', ') from policies where regexp_replace(body, 'ARRAY\( SELECT private\.my_workspace_ids\([^)]*\) AS my_workspace_ids\)', '', 'g') ~ 'my_workspace_ids'), null, 'and so are the workspaces');
select is((select string_agg(distinct tablename || ' ' || cmd, ', ') from policies group by tablename, cmd having count(*) > 1), null, 'one policy per table and verb');

select is((select string_agg(distinct t.relname || ' ' || a.privilege_type, ', ') from tables t, aclexplode(t.relacl) a where a.grantee in (0, 'anon'::regrole)), null, 'anon and PUBLIC hold nothing on tables and views');
select is((select string_agg(distinct t.relname || ' ' || a.privilege_type, ', ') from tables t, aclexplode(t.relacl) a where a.grantee in ('authenticated'::regrole, 'service_role'::regrole) and a.privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')), null, 'API roles hold no more than the four verbs');
select is((select string_agg(signature, ', ') from functions where has_function_privilege('anon', oid, 'execute')), null, 'anon and PUBLIC execute nothing');
select is((select string_agg(signature, ', ') from functions where nspname = 'public' and not (has_function_privilege('authenticated', oid, 'execute') and has_function_privilege('service_role', oid, 'execute'))), null, 'what is in public is for clients and for the secret key');
select is((select string_agg(signature, ', ') from functions where prokind = 'f' and not coalesce(proconfig @> array['search_path=""'], false)), null, 'every function has an empty search path');
select ok(not has_schema_privilege('anon', 'private', 'usage'), 'anon does not reach schema private');
select is((select string_agg(c.relname, ', ') from pg_class c where c.relnamespace = 'private'::regnamespace and c.relkind in ('r', 'p', 'v') and has_any_column_privilege('authenticated', c.oid, 'insert, update')), null, 'clients write nothing in schema private');
select is((select string_agg(c.relname, ', ') from pg_class c where c.relnamespace = 'private'::regnamespace and c.relkind in ('r', 'p') and has_any_column_privilege('authenticated', c.oid, 'select') and c.relname not in ('stage_aliases', 'crm_app_fields')), null, 'and read no more there than the two lists of names');

select is((
  select string_agg(format('%s %s', t.relname, v.verb), ', ')
  from tables t
  cross join unnest('{INSERT,UPDATE,DELETE}'::text[]) v (verb)
  cross join unnest('{authenticated,service_role}'::text[]) r (role)
  where t.relkind in ('r', 'p') and t.relname not in ('workspaces', 'workspace_members', 'workspace_invitations')
    and case v.verb when 'DELETE' then has_table_privilege(r.role, t.oid, v.verb) else has_any_column_privilege(r.role, t.oid, v.verb) end
    and not exists (select from policies p where p.tablename = t.relname and p.cmd = v.verb)
), null, 'what no policy lets a person write is granted to nobody, not to the secret key either');
select is((
  select string_agg(p.signature, ', ' order by p.signature) from functions p join pg_proc f on f.oid = p.oid
  where p.nspname = 'private' and f.provolatile = 'v' and (has_function_privilege('authenticated', p.oid, 'execute') or has_function_privilege('service_role', p.oid, 'execute'))
    and f.proname <> all ('{add_demand,number_column,position_after,replace_demand,scenario_to_edit,set_scenario_status,write_promotion}')
), null, 'of what writes, clients call in schema private only the parts of their own calls');
select is((
  select string_agg(t.relname, ', ') from tables t join pg_attribute a on a.attrelid = t.oid and a.attname = 'workspace_id'
  where t.relkind = 'r' and has_column_privilege('authenticated', t.oid, a.attnum, 'update') and not exists (
    select from pg_trigger g where g.tgrelid = t.oid and g.tgenabled = 'O' and g.tgfoid in ('private.touch_record'::regproc, 'private.touch_authored_record'::regproc, 'private.keep_workspace'::regproc))
), null, 'a row stays in its workspace');

select is((
  select string_agg(format('%s (%s)', c.conname, c.conrelid::regclass), ', ')
  from pg_constraint c
  where c.contype = 'f' and c.connamespace in ('public'::regnamespace, 'private'::regnamespace)
    and not exists (
      select from pg_index i
      where i.indrelid = c.conrelid
        and (select array_agg(k order by k) from unnest((i.indkey::int2[])[0:array_length(c.conkey, 1) - 1]) k) = (select array_agg(k order by k) from unnest(c.conkey) k))
), null, 'every foreign key has an index');
select is((
  select string_agg(t.relname, ', ') from tables t join pg_attribute a on a.attrelid = t.oid and a.attname = 'workspace_id'
  where t.relkind = 'r' and not exists (select from pg_index i where i.indrelid = t.oid and i.indkey[0] = a.attnum and i.indpred is null)
), null, 'every table can be read by workspace through an index');
-- On a table without statistics the planner takes the newest of equally good indexes. Were that another one, every foreign
-- key check of a first sync would walk through the workspace.
select is((
  select string_agg(t.relname, ', ')
  from tables t
  join pg_attribute w on w.attrelid = t.oid and w.attname = 'workspace_id'
  join pg_attribute d on d.attrelid = t.oid and d.attname = 'id'
  join pg_index k on k.indrelid = t.oid and k.indisunique and k.indkey::text = w.attnum || ' ' || d.attnum
  where t.relname in ('crm_companies', 'crm_contacts', 'pipeline_projects', 'crm_campaigns', 'crm_projects', 'crm_tasks', 'crm_notes')
    and exists (select from pg_index i where i.indrelid = t.oid and i.indkey[0] = w.attnum and i.indpred is null and i.indexrelid > k.indexrelid)
), null, 'foreign keys to records are answered by their own index, also before the first analyze');
select is((
  select string_agg(t.relname, ', ') from tables t join pg_attribute a on a.attrelid = t.oid and a.attname = 'updated_at'
  where t.relkind = 'r' and not exists (select from pg_trigger g where g.tgrelid = t.oid and g.tgfoid in ('private.set_updated_at'::regproc, 'private.touch_record'::regproc, 'private.touch_authored_record'::regproc))
), null, 'updated_at is kept everywhere');

select is((select string_agg(relname, ', ') from tables where relkind in ('r', 'v') and obj_description(oid, 'pg_class') is null), null, 'every table and view says what it is');
select is((select string_agg(signature, ', ') from functions where nspname = 'public' and obj_description(oid, 'pg_proc') is null), null, 'every function for clients says what it does');

-- Plans -----------------------------------------------------------------------------------------------------------------

create function pg_temp.plan_of(who text, statement text) returns text language plpgsql as $$
declare
  line text;
  plan text := '';
begin
  perform set_config('request.jwt.claims', json_build_object('sub', md5(who)::uuid, 'role', 'authenticated')::text, true), set_config('role', 'authenticated', true);
  -- A nearly empty table would rather be scanned and sorted; what matters is that the index can do it.
  perform set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
  for line in execute 'explain ' || statement loop
    plan := plan || line || E'\n';
  end loop;
  perform set_config('role', 'none', true), set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true);
  return plan;
end $$;
select pg_temp.sign_up('ada');
create temp table w on commit drop as select id from workspaces where created_by = pg_temp.person('ada');

select alike(pg_temp.plan_of('ada', 'select * from crm_companies'), '%InitPlan%', 'the role helper runs once per statement');
select unalike(pg_temp.plan_of('ada', 'select * from crm_companies'), '%SubPlan%', 'not once per row');
select alike(pg_temp.plan_of('ada', format('select * from crm_companies where workspace_id = %L and deleted_at is null order by created_at desc limit 50', (select id from w))), '%crm_companies_created_at_idx%', 'the newest companies come from an index');
select unalike(pg_temp.plan_of('ada', format('select * from crm_companies where workspace_id = %L and deleted_at is null order by created_at desc limit 50', (select id from w))), '%Sort%', 'in its order');
select alike(pg_temp.plan_of('ada', format('select * from pipeline_projects where workspace_id = %L and stage_key = ''lead'' order by board_position limit 50', (select id from w))), '%pipeline_projects_board_idx%', 'a column of the board comes from an index');
select alike(pg_temp.plan_of('ada', format('select * from crm_contacts where workspace_id = %L and deleted_at is null order by name limit 50', (select id from w))), '%crm_contacts_name_idx%', 'contacts by name come from an index');

select * from finish();
rollback;
