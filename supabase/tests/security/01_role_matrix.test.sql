-- Who may do what: every table of schema public, by every role, by every verb, taken from the catalogue.
-- A table that is not named below is expected to follow the rule "record". So a new table fails here by itself until it has
-- policies and grants, or a rule of its own.

\ir ../fixtures/people.psql

select no_plan();

create temp table rule (target text primary key, rule text not null) on commit drop;
insert into rule values
  ('conversion_templates', 'settings'),
  ('workspaces', 'workspace'), ('workspace_members', 'members'), ('workspace_invitations', 'admin log'),
  ('pipeline_stages', 'settings'), ('pipeline_stage_history', 'log'), ('crm_activities', 'log'),
  ('crm_sync_configs', 'connection'), ('crm_field_mappings', 'settings'), ('crm_stage_mappings', 'settings'), ('crm_available_fields', 'log'),
  ('planning_settings', 'connection'), ('skills', 'settings'), ('skill_aliases', 'settings'), ('teams', 'settings'), ('working_calendars', 'settings'),
  ('calendar_holidays', 'settings'), ('employee_time_off', 'private record'),
  ('crm_sync_operations', 'log'), ('crm_sync_logs', 'log'), ('crm_sync_errors', 'log'), ('crm_sync_conflicts', 'log'), ('crm_audit_log', 'admin log');
insert into rule values ('pipeline_targets', 'settings');
insert into rule select t, 'log' from unnest('{pipeline_availability,pipeline_forecast_runs,pipeline_forecast_results,pipeline_forecast_points}'::text[]) t;
insert into rule select t, 'log' from unnest('{pipeline_date_history,analytics_deals,analytics_stage_visits,analytics_stage_months,analytics_stage_days,analytics_stage_times,analytics_stage_closings,analytics_cycle_days,analytics_outcome_months,analytics_open_months,analytics_state,analytics_stage_rates,pipeline_snapshots}'::text[]) t;

create temp table allowed (rule text, verb text, roles text[]) on commit drop;
insert into allowed values
  ('record', 'read', '{owner,admin,member,viewer}'), ('record', 'create', '{owner,admin,member}'),
  ('record', 'edit own', '{owner,admin,member}'), ('record', 'remove own', '{owner,admin,member}'),
  ('record', 'edit other', '{owner,admin}'), ('record', 'remove other', '{owner,admin}'),
  ('private record', 'read', '{owner,admin,member}'), ('private record', 'create', '{owner,admin,member}'),
  ('private record', 'edit own', '{owner,admin,member}'), ('private record', 'remove own', '{owner,admin,member}'),
  ('private record', 'edit other', '{owner,admin}'), ('private record', 'remove other', '{owner,admin}'),
  ('log', 'read', '{owner,admin,member,viewer}'),
  ('admin log', 'read', '{owner,admin}'),
  ('settings', 'read', '{owner,admin,member,viewer}'), ('settings', 'create', '{owner,admin}'),
  ('settings', 'edit other', '{owner,admin}'), ('settings', 'remove other', '{owner,admin}'),
  ('connection', 'read', '{owner,admin,member,viewer}'), ('connection', 'edit other', '{owner,admin}'),
  ('workspace', 'read', '{owner,admin,member,viewer}'), ('workspace', 'edit other', '{owner,admin}'),
  ('members', 'read', '{owner,admin,member,viewer}'), ('members', 'edit own', '{owner,admin,member,viewer}');

-- An expression for a column whose value neither a default, a foreign key nor a list in a check can tell.
create temp table word (target text, col text, expression text) on commit drop;
insert into word values
  ('conversion_templates', 'workspace_id', 'null'), ('pipeline_scenarios', 'name', 'gen_random_uuid()::text'),
  ('pipeline_scenario_edits', 'kind', '''drop_deal'''), ('pipeline_scenario_edits', 'pipeline_project_id', 'null'),
  ('pipeline_stages', 'key', '''matrix'''), ('skill_aliases', 'alias', '''grid'''), ('workspaces', 'slug', '''matrix'''), ('crm_contacts', 'first_name', '''matrix'''),
  ('crm_notes', 'related_to_id', '(select c.id from public.crm_companies c join w on w.id = c.workspace_id limit 1)'),
  ('workspace_invitations', 'email', '''matrix@example.test'''), ('crm_field_mappings', 'app_field', '''custom_fields.matrix'''),
  ('crm_sync_operations', 'entities', '''{accounts}'''), ('crm_sync_configs', 'oauth_instance_url', '''https://matrix.example'''), ('crm_sync_conflicts', 'conflicting_fields', '''{name}''');
insert into word values ('pipeline_forecast_points', 'currency', '''USD''');
insert into word values ('pipeline_targets', 'currency', '''USD''');

-- The people, and one workspace with a row of each table by each of them --------------------------------------------------

select pg_temp.sign_up('owner', 'admin', 'member', 'viewer', 'outsider');
create temp table w on commit drop as select pg_temp.try_as('owner', $$ select (create_workspace('Matrix')).id $$)::uuid as id;
insert into workspace_members (workspace_id, user_id, role) select w.id, pg_temp.person(r), r from w, unnest('{admin,member,viewer}'::text[]) r;

create temp view target as
select c.oid, c.relname as name, coalesce(r.rule, 'record') as rule,
  (select a.attname from pg_attribute a where a.attrelid = c.oid and a.attname = any ('{created_by,created_by_id,user_id}') and c.relname <> 'workspaces'
     and coalesce(r.rule, 'record') in ('record', 'private record', 'members') order by a.attname limit 1) as author,
  coalesce((select a.attname from pg_attribute a where a.attrelid = c.oid and a.attname = 'workspace_id'), 'id') as scope
from pg_class c
left join rule r on r.target = c.relname
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e');

-- A value for a column: the row of the same author that its foreign key needs, else a word that passes its check.
create function pg_temp.value_for(t target, col pg_attribute, author uuid) returns text language plpgsql as $$
declare
  k record;
  answer text;
begin
  if col.attname = t.author then return author::text; end if;
  if col.attname = t.scope then return (select id from w); end if;
  select f.confrelid::regclass as source, ra.attname as key, s.author, s.scope into k
  from pg_constraint f
  cross join unnest(f.conkey, f.confkey) as pair (here, there)
  join pg_attribute ra on ra.attrelid = f.confrelid and ra.attnum = pair.there
  join target s on s.oid = f.confrelid
  where f.conrelid = t.oid and f.contype = 'f' and pair.here = col.attnum and ra.attname <> 'workspace_id';
  if found then
    execute format('select %I from %s where %I = $1 order by %s limit 1', k.key, k.source, k.scope,
      case when k.author is null then '1' else format('(%I is not distinct from %L) desc', k.author, author) end) into answer using (select id from w);
    return answer;
  end if;
  execute coalesce('select ' || (select x.expression from word x where x.target = t.name and x.col = col.attname), 'select null') into answer;
  return coalesce(
    answer,
    (select (regexp_match(pg_get_constraintdef(c.oid), '\(' || col.attname || ' = ANY \(ARRAY\[''([^'']+)'''))[1]
      from pg_constraint c where c.conrelid = t.oid and c.contype = 'c' and c.conkey = array[col.attnum] order by 1 nulls last limit 1),
    case col.atttypid::regtype::text when 'uuid' then gen_random_uuid()::text when 'jsonb' then '{}' when 'boolean' then 'true' when 'bytea' then gen_random_uuid()::text
      when 'date' then '2026-01-01' when 'timestamp with time zone' then '2026-01-01' when 'text' then 'matrix' when 'text[]' then '{}' else '1' end);
end $$;

create function pg_temp.insert_sql(t target, author uuid, as_client boolean) returns text language plpgsql as $$
declare
  col pg_attribute;
  cols text[] := '{}';
  vals text[] := '{}';
  limited constant boolean := as_client and has_any_column_privilege('authenticated', t.oid, 'insert');
begin
  for col in
    select * from pg_attribute a
    where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
      and (a.attnotnull and not a.atthasdef or a.attname = t.author or (t.name, a.attname) in (select x.target, x.col from word x))
      and not (t.name = 'crm_companies' and a.attname = 'slug')
      and (not limited or has_column_privilege('authenticated', t.oid, a.attnum, 'insert'))
    order by a.attnum
  loop
    cols := cols || quote_ident(col.attname);
    vals := vals || quote_nullable(pg_temp.value_for(t, col, author));
  end loop;
  return format('insert into public.%I (%s) values (%s)', t.name, array_to_string(cols, ', '), array_to_string(vals, ', '));
end $$;

-- A table may need rows of another first: go round until nothing new can be made.
do $$
declare
  t target;
  who text;
  present boolean;
  missing text[];
begin
  for round in 1..6 loop
    missing := '{}';
    for t in select * from target order by name loop
      foreach who in array case when t.author is null then '{owner}'::text[] else '{owner,admin,member,viewer,outsider}' end loop
        execute format('select exists (select from public.%I where %I = $1 and %s)', t.name, t.scope, case when t.author is null then 'true' else format('%I = %L', t.author, pg_temp.person(who)) end)
          into present using (select id from w);
        continue when present or t.rule = 'members';
        begin
          execute pg_temp.insert_sql(t, pg_temp.person(who), false);
        exception when others then
          missing := missing || format('%s: %s', t.name, sqlerrm);
        end;
      end loop;
    end loop;
    exit when missing = '{}';
  end loop;
  if missing <> '{}' then
    raise exception 'no row could be made for %', array_to_string(missing, E'\n');
  end if;
end $$;

-- What each role may do ---------------------------------------------------------------------------------------------------

-- Tries a statement and takes it back: yes, no, or the unexpected SQLSTATE. A unique or foreign key or an exclusion that speaks up, or a row that is in use (PC008), means that the policies let it pass.
create function pg_temp.verdict(who text, statement text) returns text language plpgsql as $$
declare
  answer text;
begin
  begin
    raise exception using errcode = 'UNDO1', message = pg_temp.try_as(who, statement);
  exception when sqlstate 'UNDO1' then
    answer := sqlerrm;
  end;
  return case when answer in ('0 rows', '42501', 'PC001', 'PC002') then 'no' when answer in ('23505', '23503', '23P01', 'PC008', '1') or answer ~ '^\d+ rows$' then 'yes' else answer end;
end $$;

create function pg_temp.attempts(t target, who text) returns table (verb text, statement text) language plpgsql as $$
declare
  me constant uuid := pg_temp.person(who);
  col constant text := coalesce(
    (select a.attname from pg_attribute a where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and has_column_privilege('authenticated', t.oid, a.attnum, 'update') order by a.attnum limit 1),
    t.scope);
  mine constant text := case when t.author is null then 'false' else format('%I = %L', t.author, me) end;
  others constant text := case when t.author is null then 'true' else format('%I is distinct from %L', t.author, me) end;
begin
  verb := 'read'; statement := format('select 1 from public.%I where %I = %L', t.name, t.scope, (select id from w)); return next;
  verb := 'create'; statement := pg_temp.insert_sql(t, me, true); return next;
  verb := 'edit other'; statement := format('update public.%I set %I = %2$I where %I = %L and %s', t.name, col, t.scope, (select id from w), others); return next;
  verb := 'remove other'; statement := format('delete from public.%I where %I = %L and %s', t.name, t.scope, (select id from w), others); return next;
  if t.author is not null then
    verb := 'edit own'; statement := format('update public.%I set %I = %2$I where %I = %L and %s', t.name, col, t.scope, (select id from w), mine); return next;
    verb := 'remove own'; statement := format('delete from public.%I where %I = %L and %s', t.name, t.scope, (select id from w), mine); return next;
  end if;
end $$;

create function pg_temp.may(t target, who text) returns text language sql as $$
  select coalesce(string_agg(case v when 'yes' then a.verb else a.verb || ' → ' || v end, ', ' order by a.verb) filter (where v <> 'no'), 'nothing')
  from pg_temp.attempts(t, who) a, pg_temp.verdict(who, a.statement) v
$$;

select is(
  pg_temp.may(t, who),
  coalesce((select string_agg(a.verb, ', ' order by a.verb) from allowed a where a.rule = t.rule and who = any (a.roles)), 'nothing'),
  format('%s on %s: %s', who, t.name, t.rule))
from target t, unnest('{owner,admin,member,viewer,outsider,anon}'::text[]) who
order by t.name, who;

select cmp_ok((select count(*) from target), '>=', 14::bigint, 'the catalogue was read');

select * from finish();
rollback;
