-- Planning: tables whose changes clients can subscribe to: progress of forecasts, scenarios and what deals ask for. Time off
-- of people is none of them.

do $$
declare
  target text;
begin
  foreach target in array array['pipeline_forecast_runs', 'pipeline_scenarios', 'pipeline_resource_demands'] loop
    if not exists (
      select from pg_catalog.pg_publication_tables t
      where t.pubname = 'supabase_realtime' and t.schemaname = 'public' and t.tablename = target
    ) then
      execute format('alter publication supabase_realtime add table public.%I', target);
    end if;
  end loop;
end
$$;
