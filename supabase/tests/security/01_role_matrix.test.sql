-- Who may do what: every table of schema public, by every role, by every verb, taken from the catalogue.
-- A table that rows.psql does not name is expected to follow the rule "record". So a new table fails here by itself until it has
-- policies and grants, or a rule of its own.

\ir rows.psql

select no_plan();

create temp table allowed (rule text, verb text, roles text[]) on commit drop;
insert into allowed values
  ('record', 'read', '{owner,admin,member,viewer}'), ('record', 'create', '{owner,admin,member}'),
  ('record', 'edit own', '{owner,admin,member}'), ('record', 'remove own', '{owner,admin,member}'),
  ('record', 'edit other', '{owner,admin}'), ('record', 'remove other', '{owner,admin}'),
  ('private record', 'read own', '{owner,admin,member}'), ('private record', 'read other', '{owner,admin}'), ('private record', 'create', '{owner,admin,member}'),
  ('private record', 'edit own', '{owner,admin,member}'), ('private record', 'remove own', '{owner,admin,member}'),
  ('private record', 'edit other', '{owner,admin}'), ('private record', 'remove other', '{owner,admin}'),
  ('link', 'read', '{owner,admin,member,viewer}'), ('link', 'create', '{owner,admin,member}'),
  ('link', 'remove own', '{owner,admin,member}'), ('link', 'remove other', '{owner,admin}'),
  ('log', 'read', '{owner,admin,member,viewer}'),
  ('admin log', 'read', '{owner,admin}'),
  ('settings', 'read', '{owner,admin,member,viewer}'), ('settings', 'create', '{owner,admin}'),
  ('settings', 'edit other', '{owner,admin}'), ('settings', 'remove other', '{owner,admin}'),
  ('connection', 'read', '{owner,admin,member,viewer}'), ('connection', 'edit other', '{owner,admin}'),
  ('workspace', 'read', '{owner,admin,member,viewer}'), ('workspace', 'edit other', '{owner,admin}'),
  ('members', 'read', '{owner,admin,member,viewer}'), ('members', 'edit own', '{owner,admin,member,viewer}');

-- The people, and one workspace with a row of each table by each of them --------------------------------------------------

select pg_temp.sign_up('owner', 'admin', 'member', 'viewer', 'outsider');
create temp table made on commit drop as select pg_temp.try_as('owner', $$ select (create_workspace('Matrix')).id $$)::uuid as id;
insert into workspace_members (workspace_id, user_id, role) select m.id, pg_temp.person(r), r from made m, unnest('{admin,member,viewer}'::text[]) r;
select pg_temp.fill(m.id) from made m;

-- What each role may do ---------------------------------------------------------------------------------------------------

-- Tries a statement and takes it back: yes, no, or the unexpected SQLSTATE. A unique or foreign key, an exclusion or a stage in use that speaks up means that the policies let it pass.
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
  if t.rule = 'private record' then
    verb := 'read own'; statement := format('select 1 from public.%I where %I = %L and %s', t.name, t.scope, (select id from w), mine); return next;
    verb := 'read other'; statement := format('select 1 from public.%I where %I = %L and %s', t.name, t.scope, (select id from w), others); return next;
  else
    verb := 'read'; statement := format('select 1 from public.%I where %I = %L', t.name, t.scope, (select id from w)); return next;
  end if;
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
