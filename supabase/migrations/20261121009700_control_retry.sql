-- Control: how much there is to do, and doing again what failed.

-- About how many records a run will look at. Cheap: links are only counted where an entity is about to be read in full anyway;
-- elsewhere the last run's number stands in for what the CRM would have to be asked.
create function private.crm_estimate(p_config uuid, p_wish jsonb) returns int
language sql
stable
set search_path = ''
as $$
  select (sum(coalesce(pull.records, 0) + dirty.records + outbox.records)
    filter (where pull.records is not null or dirty.records + outbox.records > 0))::int
  from unnest(private.crm_texts(p_wish -> 'entities')) e (entity)
  cross join lateral (
    select case
      when not p_wish -> 'phases' ? 'pull' or p_wish ->> 'direction' = 'to_crm' then 0
      when exists (select from private.crm_cursors c where c.config_id = p_config and c.entity_type = e.entity) then (
        select l.records_processed
        from public.crm_sync_logs l
        join public.crm_sync_configs c on c.id = p_config
        where l.workspace_id = c.workspace_id and l.config_id = p_config and l.entity_type = e.entity and l.sync_direction = 'pull'
        order by l.started_at desc
        limit 1)
      else (
        select nullif(count(*), 0)
        from private.crm_record_links k
        where k.config_id = p_config and k.entity_type = e.entity and k.crm_deleted_at is null)
    end as records
  ) pull
  cross join lateral (
    select count(*) as records from private.crm_dirty d where d.config_id = p_config and d.entity_type = e.entity
  ) dirty
  cross join lateral (
    select count(*) as records
    from private.crm_outbox x
    where x.config_id = p_config and x.entity_type = e.entity and not x.dead and x.not_before <= clock_timestamp()
      and p_wish ->> 'direction' <> 'from_crm'
  ) outbox
$$;

-- Failed records wait for the next run again: those of the CRM are fetched by name, ours are due for pushing, also where all but
-- some fields got through. Errors that are closed
-- or belong to no record are passed over. Answers the entities that have something to do now.
create function private.crm_requeue_errors(p_config uuid, p_errors uuid[]) returns text[]
language plpgsql
set search_path = ''
as $$
declare
  v_errors public.crm_sync_errors[] := array(
    select e from public.crm_sync_errors e
    where e.config_id = p_config and e.id = any (p_errors) and e.status in ('open', 'dead') and e.entity_type is not null
      and num_nonnulls(e.crm_record_id, e.record_id) > 0);
begin
  perform private.crm_mark_dirty(p_config, pulled.entity_type, pulled.crm_ids, 'retry')
  from (
    select e.entity_type, array_agg(distinct e.crm_record_id) as crm_ids
    from unnest(v_errors) e
    where e.direction = 'pull' and e.crm_record_id is not null
    group by e.entity_type
  ) pulled;
  perform private.crm_enqueue_records(p_config, pushed.workspace_id, pushed.entity_type, pushed.records)
  from (
    select e.workspace_id, e.entity_type, array_agg(distinct e.record_id) as records
    from unnest(v_errors) e
    where e.direction = 'push' and e.record_id is not null
    group by e.workspace_id, e.entity_type
  ) pushed;
  return array(select distinct e.entity_type from unnest(v_errors) e);
end
$$;

create function public.crm_retry_failed(config_id uuid, error_ids uuid[] default null) returns public.crm_sync_operations
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_config public.crm_sync_configs := private.crm_config_for(crm_retry_failed.config_id, 'member');
  v_entities text[];
begin
  perform private.crm_check_request(v_config, null, null);
  v_entities := private.crm_requeue_errors(v_config.id, array(
    select e.id
    from public.crm_sync_errors e
    where e.workspace_id = v_config.workspace_id and e.config_id = v_config.id
      and (error_ids is null or e.id = any (error_ids)) and e.entity_type = any (v_config.sync_entities)));
  if v_entities = '{}' then
    raise exception 'No failed record of this connection waits to be tried again.' using errcode = 'PC008',
      hint = 'A run that failed as a whole is started again with crm_retry_operation().';
  end if;
  perform private.crm_audit(v_config.id, 'retried', jsonb_build_object('entities', v_entities, 'errors', cardinality(error_ids)));
  return private.crm_enqueue(v_config, v_entities, null, 'retry', '{dirty,push}');
end
$$;
comment on function public.crm_retry_failed(uuid, uuid[]) is
  'Tries records again whose errors are open or dead (members): all of a connection, or the errors named. Answers the run that does it. PC008 when there are none.';

create function public.crm_retry_operation(operation_id uuid) returns public.crm_sync_operations
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations := private.crm_operation_for(crm_retry_operation.operation_id, 'member');
  v_config public.crm_sync_configs;
begin
  if v_operation.status not in ('failed', 'partial') or v_operation.operation in ('plan', 'undo') then
    raise exception 'This run has nothing to retry (%, %).', v_operation.operation, v_operation.status using errcode = 'PC008',
      hint = 'Only a sync that failed, in part or as a whole, can be retried.';
  end if;
  select * into v_config from public.crm_sync_configs c where c.id = v_operation.config_id;
  perform private.crm_check_request(v_config, v_operation.entities, v_operation.direction);
  perform private.crm_requeue_errors(v_config.id, array(
    select e.id
    from public.crm_sync_errors e
    where e.workspace_id = v_operation.workspace_id and e.operation_id = v_operation.id));
  perform private.crm_audit(v_config.id, 'retried', jsonb_build_object('operation_id', v_operation.id));
  return private.crm_enqueue(v_config, v_operation.entities, v_operation.direction, 'retry', p_filters => v_operation.filters);
end
$$;
comment on function public.crm_retry_operation(uuid) is
  'Runs a failed or partial sync again, with its entities, direction and filters, its failed records included (members). PC008 for any other run.';

revoke execute on function private.crm_estimate(uuid, jsonb), private.crm_requeue_errors(uuid, uuid[])
  from public, anon, authenticated, service_role;
revoke execute on function public.crm_retry_failed(uuid, uuid[]), public.crm_retry_operation(uuid) from public, anon, authenticated;
grant execute on function public.crm_retry_failed(uuid, uuid[]), public.crm_retry_operation(uuid) to authenticated, service_role;
