-- Realtime: the tables of the sync that a client can subscribe to. Row level security decides per subscriber what arrives.

do $$
declare
  t text;
begin
  foreach t in array array['crm_sync_configs', 'crm_sync_operations', 'crm_sync_logs', 'crm_sync_errors', 'crm_sync_conflicts'] loop
    if not exists (
      select from pg_catalog.pg_publication_tables p
      where p.pubname = 'supabase_realtime' and p.schemaname = 'public' and p.tablename = t)
    then
      execute format('alter publication supabase_realtime add table public.%I', t);
    end if;
  end loop;
end
$$;
