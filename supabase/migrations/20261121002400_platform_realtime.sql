-- Platform: tables whose changes clients can subscribe to. Each subscriber sees what the policies let that person read.

do $$
declare
  target text;
begin
  foreach target in array array['crm_companies', 'crm_contacts', 'pipeline_projects', 'crm_tasks', 'crm_notes', 'crm_activities'] loop
    if not exists (
      select from pg_publication_tables t
      where t.pubname = 'supabase_realtime' and t.schemaname = 'public' and t.tablename = target
    ) then
      execute format('alter publication supabase_realtime add table public.%I', target);
    end if;
  end loop;
end
$$;
