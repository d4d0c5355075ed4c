-- Platform: where things live, and what is closed until a migration opens it.
--
-- public   what clients see: tables under row level security, security_invoker views, a handful of verbs
-- private  what only the database uses: helpers, triggers, internals. The Data API never exposes it.

create schema if not exists private;
comment on schema private is 'Internals of Pipeline CRM. Not exposed by the Data API; policies and triggers call into it.';

revoke all on schema private from public;
-- Policies run as the caller, so the caller must be able to reach the helpers they name.
grant usage on schema private to authenticated, service_role;

create extension if not exists pg_trgm with schema extensions;

-- A new function is nobody's and a new table is nobody's until its migration grants it. Older projects still hand new
-- objects in public to the API roles; this makes both kinds of project behave alike.
alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;
