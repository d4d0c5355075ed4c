-- Plan: what people ask for and get.

create function public.crm_plan_sync(config_id uuid, entities text[] default null, direction text default null) returns public.crm_sync_operations
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_config public.crm_sync_configs := private.crm_config_for(crm_plan_sync.config_id, 'member');
  v_wish jsonb;
begin
  perform private.crm_check_request(v_config, entities, direction);
  if (private.crm_live_run(v_config.id)).id is not null then
    raise exception 'The connection "%" is syncing just now.', v_config.name using errcode = 'PC006',
      hint = 'Plan again when the run has ended: what it does would be missing from the plan.';
  end if;
  -- Records that were named are found by the pull as well; looked at twice, they would count twice.
  v_wish := jsonb_build_object(
    'operation', 'plan', 'entities', coalesce(entities, v_config.sync_entities), 'phases', '{pull,push}'::text[], 'full', false,
    'trigger', 'manual', 'direction', coalesce(direction, private.crm_own_direction(v_config.sync_direction)), 'by', private.actor_id());
  perform private.crm_audit(v_config.id, 'planned', v_wish - '{operation,by,full,trigger,phases}'::text[]);
  return private.crm_create_run(v_config.id, v_wish);
end
$$;
comment on function public.crm_plan_sync(uuid, text[], text) is
  'A dry run of the next sync (members): reads the CRM, writes nothing on either side. Follow it like a run; then ask crm_plan_result. PC006 while a run is live.';

-- Counts per entity and side; an entity that was not looked at is not there.
create function private.crm_plan_totals(p_operation uuid) returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(e.entity_type, e.sides), '{}')
  from (
    select c.entity_type, jsonb_object_agg(c.side,
      jsonb_build_object('created', c.created, 'updated', c.updated, 'deleted', c.deleted)
        || case c.side when 'here' then jsonb_build_object('linked', c.linked, 'conflicts', c.conflicts, 'failed', c.failed) else '{}' end) as sides
    from private.crm_plan_counts c
    where c.operation_id = p_operation
    group by c.entity_type
  ) e
$$;

create function public.crm_plan_result(operation_id uuid) returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations;
begin
  select * into v_operation from public.crm_sync_operations o where o.id = crm_plan_result.operation_id;
  perform private.require_role(v_operation.workspace_id, 'viewer');
  if v_operation.operation <> 'plan' then
    raise exception 'This run is no plan.' using errcode = 'PC008', hint = 'crm_plan_sync() makes one.';
  end if;
  return (
    select coalesce(jsonb_object_agg(t.key, t.value || jsonb_build_object('samples', coalesce(s.samples, '[]'))), '{}')
    from jsonb_each(private.crm_plan_totals(v_operation.id)) t
    left join lateral (
      select jsonb_agg(jsonb_build_object(
        'side', k.side, 'action', k.action, 'record_id', k.record_id, 'crm_record_id', k.crm_record_id, 'name', k.name,
        'before', k.before, 'after', k.after) order by k.side desc, k.action, k.place) as samples
      from private.crm_plan_samples k
      where k.operation_id = v_operation.id and k.entity_type = t.key
    ) s on true
  );
end
$$;
comment on function public.crm_plan_result(uuid) is
  'What a plan found (viewers), per entity: here and crm with the counts of either side, samples with up to twenty records of each kind. Grows while the plan runs.';

revoke execute on function private.crm_plan_totals(uuid) from public, anon, authenticated, service_role;
revoke execute on function public.crm_plan_sync(uuid, text[], text), public.crm_plan_result(uuid) from public, anon, authenticated;
grant execute on function public.crm_plan_sync(uuid, text[], text), public.crm_plan_result(uuid) to authenticated, service_role;
