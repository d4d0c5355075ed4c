-- Schemas, what may be created where, and the default privileges as they are since October 2026:
-- what `postgres` makes in public is granted to nobody; migrations write their grants.

create schema extensions authorization postgres;
grant usage on schema extensions to anon, authenticated, service_role, postgres;
grant all on schema extensions to dashboard_user;
create extension "uuid-ossp" with schema extensions;
create extension pgcrypto with schema extensions;
create extension pg_stat_statements with schema extensions;
grant execute on all functions in schema extensions to anon, authenticated, service_role, postgres, dashboard_user;

grant usage on schema public to postgres, anon, authenticated, service_role;

-- First the grants that every project began with …
alter default privileges for role postgres in schema public
  grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on functions to postgres, anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on sequences to postgres, anon, authenticated, service_role;
alter default privileges for role supabase_admin in schema public
  grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges for role supabase_admin in schema public
  grant all on functions to postgres, anon, authenticated, service_role;
alter default privileges for role supabase_admin in schema public
  grant all on sequences to postgres, anon, authenticated, service_role;

-- … then what was taken away again. TRUNCATE, REFERENCES, TRIGGER, MAINTAIN and UPDATE on sequences stay, as on hosted.
alter default privileges for role postgres in schema public
  revoke select, insert, update, delete on tables from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  revoke usage, select on sequences from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  revoke execute on functions from anon, authenticated, service_role;
