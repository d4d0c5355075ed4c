-- Undo, verb: what an admin asks for. A small undo is done at once; the worker does the rest, and what concerns the CRM.

create function private.crm_check_undo(p_operation public.crm_sync_operations) returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if p_operation.operation = 'plan' then
    raise exception 'A plan has changed nothing that could be undone.' using errcode = 'PC004';
  elsif p_operation.status in ('queued', 'running', 'paused') then
    raise exception 'This run has not ended yet.' using errcode = 'PC008', hint = 'Cancel it first.';
  elsif p_operation.journal_purged_at is not null then
    raise exception 'This run cannot be undone any more: what it changed is no longer kept in full.' using errcode = 'PC008',
      hint = 'How long that is kept, an operator can set (retention_settings, journal).';
  elsif exists (
    select from public.crm_sync_operations u
    where u.workspace_id = p_operation.workspace_id and u.undoes = p_operation.id and not exists (
      select from public.crm_sync_operations v where v.workspace_id = u.workspace_id and v.undoes = u.id))
  then
    raise exception 'This run was undone already.' using errcode = 'PC008', hint = 'Undo the undo to have it back.';
  elsif exists (
    select from public.crm_sync_operations o
    where o.config_id = p_operation.config_id and o.status in ('queued', 'running', 'paused'))
  then
    raise exception 'A run of this connection is going on.' using errcode = 'PC006', hint = 'Wait for its end, or cancel it.';
  end if;
end
$$;

create function public.crm_undo_sync(operation_id uuid) returns public.crm_sync_operations
language plpgsql
security definer
set search_path = ''
set work_mem = '64MB'
as $$
declare
  v_at_once constant int := 2000;
  v_undone public.crm_sync_operations;
  v_config public.crm_sync_configs;
  v_undo public.crm_sync_operations;
  v_rows bigint;
  v_pushed bigint;
  v_is_small boolean;
begin
  select * into v_undone from public.crm_sync_operations o where o.id = crm_undo_sync.operation_id;
  -- Also for an unknown id: require_role() then answers as for a run of strangers.
  perform private.require_role(v_undone.workspace_id, 'admin');
  v_config := private.crm_config_for(v_undone.config_id, 'admin');
  perform private.crm_check_undo(v_undone);
  select count(*), count(*) filter (where j.side = 'crm') into v_rows, v_pushed
  from private.crm_journal j
  where j.operation_id = v_undone.id;
  v_is_small := v_rows <= v_at_once and v_pushed = 0;
  if not v_is_small and (v_config.status <> 'connected' or not v_config.is_active) then
    perform private.refuse_connection(v_config);
  end if;
  if v_pushed > 0 and v_config.sync_direction = 'pull' then
    raise exception 'This run changed records in the CRM, and the connection may not write there any more.' using errcode = 'PC008',
      hint = 'Let the connection sync in both directions, then undo.';
  end if;

  insert into public.crm_sync_operations (workspace_id, config_id, operation, undoes, direction, entities, status, started_at, requested_by, progress)
  values (v_config.workspace_id, v_config.id, 'undo', v_undone.id, case when v_pushed > 0 then 'bidirectional' else 'from_crm' end, v_undone.entities, 'running', clock_timestamp(),
    private.actor_id(), jsonb_build_object('entity', null, 'entities', '{}'::jsonb, 'done', 0, 'total', v_rows, 'rate_per_second', null, 'eta_seconds', null))
  returning * into v_undo;
  insert into private.crm_operation_state (operation_id, phases) values (v_undo.id, '{push}');
  perform private.crm_audit(v_config.id, 'sync_undone', jsonb_build_object('operation_id', v_undone.id, 'undo_id', v_undo.id, 'changes', v_rows));
  if v_is_small then
    perform private.crm_undo_window(v_undo.id, v_at_once), private.crm_finish(v_undo.id, 0, 'completed', null);
  else
    update public.crm_sync_operations o set status = 'queued' where o.id = v_undo.id;
    perform private.crm_dispatch(v_undo.id);
  end if;
  select * into v_undo from public.crm_sync_operations o where o.id = v_undo.id;
  return v_undo;
end
$$;
comment on function public.crm_undo_sync(uuid) is
  'Takes back what a run changed (admins), as a run of its own: done at once where it is small and concerns our records only. Fields edited since are kept. An undo can be undone.';

revoke execute on function private.crm_check_undo(public.crm_sync_operations) from public, anon, authenticated, service_role;
revoke execute on function public.crm_undo_sync(uuid) from public, anon, authenticated;
grant execute on function public.crm_undo_sync(uuid) to authenticated, service_role;
