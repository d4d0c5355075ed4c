-- Mapping: our side of a preview. Reads, and locks nothing.

-- Records of ours with the values that a mapping can name. Linked ones are found by the CRM's id or by ours, others by ours.
create function private.crm_preview_ours(p_config uuid, p_entity text, p_crm_ids text[], p_record_ids uuid[])
returns table (crm_id text, record_id uuid, name text, fields jsonb)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query execute format($sql$
    select l.crm_record_id, t.id, t.name, (
        select coalesce(jsonb_object_agg(f.app_field, to_jsonb(t) -> f.column_name), '{}')
        from private.crm_app_fields f
        where f.entity_type = $2 and f.is_mappable
      ) || (select coalesce(jsonb_object_agg('custom_fields.' || k.key, k.value), '{}') from jsonb_each(t.custom_fields) k)
    from public.crm_sync_configs c
    join public.%I t on t.workspace_id = c.workspace_id and t.deleted_at is null
    left join private.crm_record_links l
      on l.record_id = t.id and l.config_id = c.id and l.entity_type = $2 and l.crm_deleted_at is null
    where c.id = $1
      and t.id = any ($4 || array(
        select k.record_id from private.crm_record_links k
        where k.config_id = $1 and k.entity_type = $2 and k.crm_record_id = any ($3) and k.crm_deleted_at is null))
  $sql$, (select e.table_name from private.crm_entities e where e.entity_type = p_entity)) using p_config, p_entity, p_crm_ids, p_record_ids;
end
$$;
revoke execute on function private.crm_preview_ours(uuid, text, text[], uuid[]) from public, anon, authenticated, service_role;
