-- Functions that run with the rights of their owner. Which they may be, and why, is a table in docs/security.md, compared with
-- the catalogue by tests/database/definers.test.ts; here is what holds for each.

begin;
set local search_path = public, extensions;
create extension if not exists pgtap with schema extensions;

select plan(4);

create temp view definer as
select format('%s.%s(%s)', n.nspname, p.proname, replace(oidvectortypes(p.proargtypes), ', ', ',')) as signature, p.oid, p.proconfig, p.proowner
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where p.prosecdef and n.nspname in ('public', 'private');

select isnt_empty('select 1 from definer', 'there are such functions');
select is((select string_agg(signature, ', ') from definer where not coalesce(proconfig @> array['search_path=""'], false)), null, 'each has an empty search path');
select is((select string_agg(signature, ', ') from definer where (select rolsuper from pg_roles r where r.oid = proowner)), null, 'none is owned by a superuser');
select is((select string_agg(signature, ', ') from definer where has_function_privilege('anon', oid, 'execute')), null, 'anon may execute none of them');

select * from finish();
rollback;
