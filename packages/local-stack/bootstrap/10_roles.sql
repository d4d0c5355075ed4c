-- The roles of a hosted project, with its attributes, memberships and role settings.
-- `supabase_admin` is the superuser that initdb made; `postgres`, the role of migrations, is not a superuser.

create role postgres login createrole createdb replication bypassrls password 'postgres';
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create role authenticator login noinherit password 'postgres';
create role supabase_auth_admin login noinherit password 'postgres';
create role supabase_storage_admin login noinherit createrole password 'postgres';
create role supabase_functions_admin login noinherit createrole password 'postgres';
create role supabase_realtime_admin login noinherit createrole replication password 'postgres';
create role supabase_replication_admin login replication password 'postgres';
create role supabase_read_only_user login bypassrls password 'postgres';
create role supabase_etl_admin login replication password 'postgres';
create role dashboard_user nologin createrole createdb replication;
create role pgbouncer login password 'postgres';
create role pgtle_admin nologin;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role, authenticator, pg_monitor, pg_read_all_data, pg_signal_backend
  to postgres with admin option;
grant pgtle_admin to postgres;
do $$
begin
  -- The role exists from PostgreSQL 16 on.
  if exists (select 1 from pg_roles where rolname = 'pg_create_subscription') then
    grant pg_create_subscription to postgres;
  end if;
end
$$;
grant authenticator to supabase_storage_admin;
grant pg_read_all_data to supabase_read_only_user;

alter role supabase_admin set search_path to "$user", public, auth, extensions;
alter role supabase_admin set log_statement to 'none';
alter role postgres set search_path to "$user", public, extensions;
alter role anon set statement_timeout to '3s';
alter role authenticated set statement_timeout to '8s';
alter role authenticator set statement_timeout to '8s';
alter role authenticator set lock_timeout to '8s';
alter role supabase_auth_admin set search_path to auth;
alter role supabase_auth_admin set idle_in_transaction_session_timeout to 60000;
alter role supabase_auth_admin set log_statement to 'none';
alter role supabase_storage_admin set search_path to storage;
alter role supabase_storage_admin set log_statement to 'none';
alter role supabase_realtime_admin set search_path to realtime;

alter database postgres owner to postgres;
grant all on database postgres to dashboard_user, supabase_auth_admin, supabase_storage_admin, supabase_realtime_admin;

-- Superuser settings that hosted lets `postgres` change.
grant set on parameter
  auto_explain.log_analyze, auto_explain.log_buffers, auto_explain.log_format, auto_explain.log_level,
  auto_explain.log_min_duration, auto_explain.log_nested_statements, auto_explain.log_settings,
  auto_explain.log_timing, auto_explain.log_triggers, auto_explain.log_verbose, auto_explain.log_wal,
  auto_explain.sample_rate, auto_explain.log_parameter_max_length,
  log_lock_waits, log_min_duration_statement, log_statement, pg_stat_statements.track,
  session_replication_role, track_io_timing, wal_compression
  to postgres;
