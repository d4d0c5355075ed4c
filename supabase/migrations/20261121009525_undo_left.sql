-- Undo, left: a run may end before the CRM has taken everything back: the CRM refuses an entity as a whole or cannot be reached, a
-- person cancels. What it keeps is listed then, record by record, with the reason.

-- Goes on after "The CRM".
create function private.crm_compensation_kept(p_compensation private.crm_compensations) returns text
language sql
stable
set search_path = ''
as $$
  select case p_compensation.action
    when 'create' then 'does not have this record again'
    when 'delete' then 'still has this record'
    else 'keeps what the run wrote to ' || (
      select string_agg(coalesce(f.label, substr(w.key, 15)), ', ' order by coalesce(f.label, w.key))
      from jsonb_object_keys(p_compensation.written) w (key)
      left join private.crm_app_fields f on f.entity_type = p_compensation.entity_type and f.app_field = w.key)
  end
$$;

-- p_reason: why the run ended, where the CRM said nothing about the entity itself. Nothing for other runs.
create function private.crm_undo_left(p_operation uuid, p_reason text) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_entity text;
  v_reason text;
  v_left private.crm_undo_change[];
begin
  for v_entity in select distinct k.entity_type from private.crm_compensations k where k.operation_id = p_operation loop
    v_reason := coalesce((
      select e.message
      from public.crm_sync_errors e
      where e.operation_id = p_operation and e.entity_type = v_entity and num_nonnulls(e.crm_record_id, e.record_id) = 0
      order by e.last_seen_at desc
      limit 1), p_reason, 'The run ended before its turn came.');
    v_left := array(
      select (k.record_id, k.crm_record_id, null, null, '{}'::text[],
        jsonb_build_object('The CRM', private.crm_compensation_kept(k::private.crm_compensations) || ': ' || v_reason))::private.crm_undo_change
      from private.crm_compensations k
      where k.operation_id = p_operation and k.entity_type = v_entity);
    perform private.crm_undo_list(private.crm_merge_settings(o.config_id, v_entity, o.id, o.started_at), 'push', v_left)
    from public.crm_sync_operations o
    where o.id = p_operation;
  end loop;
  delete from private.crm_compensations k where k.operation_id = p_operation;
end
$$;

-- An undo that put back nothing of what it should has failed.
create function private.crm_undo_outcome(p_operation uuid, p_outcome text) returns text
language sql
stable
set search_path = ''
as $$
  select case when p_outcome = 'partial' and t.totals ->> 'restored' = '0' and t.totals ->> 'failed' <> '0' then 'failed' else p_outcome end
  from (select private.crm_undo_totals(p_operation) as totals) t
$$;

revoke execute on function
  private.crm_compensation_kept(private.crm_compensations), private.crm_undo_left(uuid, text), private.crm_undo_outcome(uuid, text)
  from public, anon, authenticated, service_role;
