-- Push, remapped: the base of a field is what both sides agreed on in the CRM's field that was mapped then. Once another one is, it
-- says nothing any more; kept, the new field's emptiness would look like a change of the CRM's and empty ours. So it is
-- forgotten, and the next comparison is as at a first meeting: an empty side takes the other's value.

create table private.crm_former_fields (
  config_id uuid not null references public.crm_sync_configs (id) on delete cascade,
  entity_type text not null,
  app_field text not null,
  crm_field text not null,
  is_stale boolean not null default false,
  primary key (config_id, entity_type, app_field)
);
alter table private.crm_former_fields enable row level security;
revoke all on private.crm_former_fields from public, anon, authenticated, service_role;
comment on table private.crm_former_fields is 'The field of the CRM that bases still speak of, where the mapping is gone or names another.';
comment on column private.crm_former_fields.is_stale is 'It names another: before the next comparison the bases are forgotten.';

-- A worker goes by the mapping that it was handed. It stops here, and the next goes by the new one. The caller is not yet holding
-- anything that a worker waits for; places are given last (see crm_fill_places).
create function private.crm_end_slices(p_configs uuid[]) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_config uuid;
  v_live public.crm_sync_operations;
  v_ended uuid[] := '{}';
begin
  foreach v_config in array p_configs loop
    perform from public.crm_sync_configs c where c.id = v_config for no key update;
    v_live := private.crm_live_run(v_config);
    if v_live.status = 'running' then
      perform private.crm_fence_off(v_live.id);
      v_ended := v_ended || v_live.id;
    end if;
  end loop;
  perform private.crm_dispatch(e) from unnest(v_ended) e;
end
$$;

-- Definer: an admin maps a field, or another one; bases and runs are internal. Before follow_… (triggers fire by name), which
-- locks what a worker waits for.
create function private.change_field_mappings() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_notes constant text[] := '{is_required,confidence,reason,position,updated_at}';
  v_configs uuid[];
begin
  if tg_op = 'INSERT' then
    update private.crm_former_fields f set is_stale = true
    from latter n
    where (f.config_id, f.entity_type, f.app_field) = (n.config_id, n.entity_type, n.app_field) and f.crm_field <> n.crm_field;
    delete from private.crm_former_fields f
    using latter n
    where (f.config_id, f.entity_type, f.app_field) = (n.config_id, n.entity_type, n.app_field) and not f.is_stale;
    v_configs := array(select distinct n.config_id from latter n order by 1);
  elsif tg_op = 'UPDATE' then
    insert into private.crm_former_fields as f (config_id, entity_type, app_field, crm_field, is_stale)
    select o.config_id, o.entity_type, o.app_field, o.crm_field, true
    from former o
    join latter n on n.id = o.id and n.crm_field <> o.crm_field
    on conflict (config_id, entity_type, app_field) do update set is_stale = true;
    v_configs := array(
      select distinct n.config_id
      from latter n
      join former o on o.id = n.id
      where to_jsonb(n) - v_notes <> to_jsonb(o) - v_notes
      order by 1);
  else
    insert into private.crm_former_fields as f (config_id, entity_type, app_field, crm_field)
    select o.config_id, o.entity_type, o.app_field, o.crm_field
    from former o
    -- A connection that is being removed takes its mappings along.
    join public.crm_sync_configs c on c.id = o.config_id
    on conflict (config_id, entity_type, app_field) do nothing;
    v_configs := array(select distinct o.config_id from former o order by 1);
  end if;
  perform private.crm_end_slices(v_configs);
  return null;
end
$$;

create trigger change_added_mappings after insert on public.crm_field_mappings referencing new table as latter
  for each statement execute function private.change_field_mappings();
create trigger change_changed_mappings after update on public.crm_field_mappings referencing old table as former new table as latter
  for each statement execute function private.change_field_mappings();
create trigger change_deleted_mappings after delete on public.crm_field_mappings referencing old table as former
  for each statement execute function private.change_field_mappings();

-- What waits for a person names a value of the CRM's former field. It is asked anew, of the field that is mapped now: the records
-- are fetched by name.
create function private.crm_forget_conflicts(p_config uuid, p_entity text, p_fields text[]) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_records text[];
begin
  with asked as (
    update public.crm_sync_conflicts k
    set conflicting_fields = coalesce(r.fields, k.conflicting_fields), app_data = k.app_data - r.forgotten, crm_data = k.crm_data - r.forgotten,
      crm_values = k.crm_values - r.forgotten, base = k.base - r.forgotten,
      status = case when r.fields is null then 'resolved' else k.status end,
      resolution_strategy = case when r.fields is null then 'agreed' else k.resolution_strategy end,
      resolved_at = case when r.fields is null then now() else k.resolved_at end
    from (
      select c.id, l.fields, case when l.fields is null then '{}' else p_fields end as forgotten
      from public.crm_sync_conflicts c
      cross join lateral (
        select array_agg(f) as fields from unnest(c.conflicting_fields) f where f <> all (p_fields)
      ) l
      where c.config_id = p_config and c.entity_type = p_entity and c.status in ('pending', 'ignored') and c.conflicting_fields && p_fields
    ) r
    where k.id = r.id
    returning k.crm_record_id
  )
  select coalesce(array_agg(a.crm_record_id), '{}') into v_records from asked a;
  perform private.crm_mark_dirty(p_config, p_entity, v_records, 'remapped');
end
$$;

-- Before anything is compared. The caller holds the run's state.
create function private.crm_forget_bases(p_config uuid, p_entity text) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_fields constant text[] := array(
    select f.app_field from private.crm_former_fields f where f.config_id = p_config and f.entity_type = p_entity and f.is_stale);
begin
  if v_fields = '{}' then
    return;
  end if;
  update private.crm_record_links l
  set base = l.base - v_fields, shown = l.shown - v_fields
  where l.config_id = p_config and l.entity_type = p_entity and l.base ?| v_fields;
  perform private.crm_forget_conflicts(p_config, p_entity, v_fields);
  delete from private.crm_former_fields f
  where f.config_id = p_config and f.entity_type = p_entity and f.is_stale and f.app_field = any (v_fields);
end
$$;

revoke execute on function private.crm_end_slices(uuid[]), private.change_field_mappings(),
  private.crm_forget_conflicts(uuid, text, text[]), private.crm_forget_bases(uuid, text)
  from public, anon, authenticated, service_role;
