-- Runs after @supabase/lite has made its auth tables (as the superuser): adds what hosted has and Lite lacks,
-- hands everything to its hosted owner, and puts back the hosted bodies of the auth functions.

alter table auth.users
  add column if not exists instance_id uuid,
  add column if not exists is_super_admin boolean,
  add column if not exists invited_at timestamptz,
  add column if not exists confirmation_token text,
  add column if not exists confirmation_sent_at timestamptz,
  add column if not exists recovery_token text,
  add column if not exists recovery_sent_at timestamptz,
  add column if not exists email_change_token_new text,
  add column if not exists email_change text,
  add column if not exists email_change_sent_at timestamptz,
  add column if not exists phone_change text default '',
  add column if not exists phone_change_token text default '',
  add column if not exists phone_change_sent_at timestamptz,
  add column if not exists email_change_token_current text default '',
  add column if not exists email_change_confirm_status smallint default 0,
  add column if not exists banned_until timestamptz,
  add column if not exists reauthentication_token text default '',
  add column if not exists reauthentication_sent_at timestamptz,
  add column if not exists is_sso_user boolean not null default false,
  add column if not exists deleted_at timestamptz,
  add column if not exists is_anonymous boolean not null default false;

create or replace function auth.uid() returns uuid
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')
  )::uuid
$$;

create or replace function auth.role() returns text
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
  )::text
$$;

create or replace function auth.email() returns text
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.email', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email')
  )::text
$$;

create or replace function auth.jwt() returns jsonb
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')
  )::jsonb
$$;

comment on function auth.uid() is 'Deprecated. Use auth.jwt() -> ''sub'' instead.';
comment on function auth.role() is 'Deprecated. Use auth.jwt() -> ''role'' instead.';
comment on function auth.email() is 'Deprecated. Use auth.jwt() -> ''email'' instead.';

-- Owners, RLS and grants as hosted.
do $$
declare
  item record;
begin
  for item in
    select format('alter table %s owner to supabase_auth_admin', c.oid::regclass) as owner_sql,
           format('alter table %s enable row level security', c.oid::regclass) as rls_sql
    from pg_class c
    where c.relnamespace = 'auth'::regnamespace and c.relkind in ('r', 'p')
  loop
    execute item.owner_sql;
    execute item.rls_sql;
  end loop;
  for item in
    select format('alter routine %s owner to supabase_auth_admin', p.oid::regprocedure) as owner_sql
    from pg_proc p
    where p.pronamespace = 'auth'::regnamespace
  loop
    execute item.owner_sql;
  end loop;
end
$$;

grant usage on schema auth to anon, authenticated, service_role, postgres;
grant all on schema auth to supabase_auth_admin, dashboard_user;
grant all on all tables in schema auth to postgres, dashboard_user;
grant select on all tables in schema auth to postgres with grant option;
grant all on all sequences in schema auth to postgres, dashboard_user;
grant all on all routines in schema auth to postgres, dashboard_user;

-- The CLI pushes migrations as postgres onto the history table.
alter schema supabase_migrations owner to postgres;
do $$
declare
  item record;
begin
  for item in
    select format('alter table %s owner to postgres', c.oid::regclass) as owner_sql
    from pg_class c
    where c.relnamespace = 'supabase_migrations'::regnamespace and c.relkind = 'r'
  loop
    execute item.owner_sql;
  end loop;
end
$$;
