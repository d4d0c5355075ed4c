-- Connections: which CRM field is which of ours, and which CRM stage is which of ours.

create table public.crm_field_mappings (
  id uuid primary key default gen_random_uuid(),
  config_id uuid not null,
  -- The default only makes it optional for clients: a trigger puts the connection's in its place.
  workspace_id uuid not null default '00000000-0000-0000-0000-000000000000',
  entity_type text not null check (entity_type in ('accounts', 'contacts', 'opportunities')),
  crm_field text not null check (char_length(crm_field) between 1 and 255),
  app_field text not null check (char_length(app_field) between 1 and 255),
  data_type text not null default 'string'
    check (data_type in ('string', 'number', 'boolean', 'date', 'datetime', 'picklist', 'array', 'object', 'email', 'phone', 'url')),
  sync_direction text not null default 'bidirectional' check (sync_direction in ('push', 'pull', 'bidirectional', 'none')),
  is_required boolean not null default false,
  transform_function text check (char_length(transform_function) between 1 and 4000),
  confidence numeric(3, 2) check (confidence between 0 and 1),
  reason text,
  position int not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (workspace_id, config_id) references public.crm_sync_configs (workspace_id, id) on delete cascade,
  -- One source per field of ours; it also keeps the pair of fields unique.
  unique (config_id, entity_type, app_field)
);
create index crm_field_mappings_config_idx on public.crm_field_mappings (workspace_id, config_id);
comment on table public.crm_field_mappings is 'Field mapping of a connection, one row per pair of fields.';
comment on column public.crm_field_mappings.sync_direction is 'from-crm and to-crm are accepted, and stored as pull and push.';
comment on column public.crm_field_mappings.app_field is 'A field listed by crm_app_fields(), or custom_fields.<name>.';
comment on column public.crm_field_mappings.transform_function is 'JavaScript expression over value and record, for what comes from the CRM, before its type is converted.';
comment on column public.crm_field_mappings.confidence is 'How sure auto-map was, 0 to 1; null for a mapping that a person made.';

create table public.crm_stage_mappings (
  config_id uuid not null,
  -- The default only makes it optional for clients: a trigger puts the connection's in its place.
  workspace_id uuid not null default '00000000-0000-0000-0000-000000000000',
  crm_pipeline_id text not null default '',
  crm_stage_id text not null check (crm_stage_id <> ''),
  crm_stage_label text,
  stage_key text not null,
  crm_probability int check (crm_probability between 0 and 100),
  position int not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (config_id, crm_pipeline_id, crm_stage_id),
  foreign key (workspace_id, config_id) references public.crm_sync_configs (workspace_id, id) on delete cascade,
  -- Deferred, so that a workspace can be deleted with its stages in any order.
  foreign key (workspace_id, stage_key) references public.pipeline_stages (workspace_id, key) on update cascade deferrable initially deferred
);
create index crm_stage_mappings_config_idx on public.crm_stage_mappings (workspace_id, config_id);
create index crm_stage_mappings_stage_idx on public.crm_stage_mappings (workspace_id, stage_key);
comment on table public.crm_stage_mappings is 'Which stage of the workspace each stage of the CRM means.';
comment on column public.crm_stage_mappings.crm_pipeline_id is 'Empty where the CRM knows no pipelines (Salesforce).';

-- Definer: the caller may not read connections of other workspaces; the row's workspace is filled in and then checked by the policy.
create function private.fill_mapping_workspace() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  select c.workspace_id into new.workspace_id from public.crm_sync_configs c where c.id = new.config_id;
  return new;
end
$$;

-- The fields of the CRM behind a mapping. An object is made of several: city=BillingCity,country=BillingCountry.
create function private.crm_source_fields(p_crm_field text) returns text[]
language sql
immutable
set search_path = ''
as $$
  select case when strpos(p_crm_field, '=') = 0 then array[btrim(p_crm_field)]
    else array(select btrim(split_part(p.pair, '=', 2)) from unnest(string_to_array(p_crm_field, ',')) p (pair)) end
$$;

create function private.check_mapped_field() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  -- Two documents name the directions differently; one spelling is stored.
  new.sync_direction := case new.sync_direction
    when 'from-crm' then 'pull'
    when 'to-crm' then 'push'
    else new.sync_direction
  end;
  if new.transform_function is not null and new.sync_direction not in ('pull', 'none') then
    raise exception 'The mapping of "%" has a transform, so it can only be read from the CRM.', new.app_field
      using errcode = 'PC004', hint = 'Set sync_direction to pull: a transform has no way back, and what it made would overwrite the CRM''s own value.';
  elsif new.transform_function is not null and new.app_field = 'stage_key' then
    raise exception 'Stages are translated by the stage mapping, not by a transform.'
      using errcode = 'PC004', hint = 'Say in crm_stage_mappings what each stage of the CRM means.';
  elsif '' = any (private.crm_source_fields(new.crm_field)) or new.crm_field ~ '(^|,)\s*=' then
    raise exception 'The mapping of "%" names no field of the CRM: "%".', new.app_field, new.crm_field
      using errcode = 'PC004', hint = 'Name one field, or for an object its parts: city=BillingCity,country=BillingCountry.';
  end if;
  if new.app_field ~ '^custom_fields\.[A-Za-z0-9_]{1,100}$'
    or exists (
      select from private.crm_app_fields f
      where f.entity_type = new.entity_type and f.app_field = new.app_field and f.is_mappable)
  then
    return new;
  end if;
  raise exception 'There is no field "%" on % to map to.', new.app_field, new.entity_type
    using errcode = 'PC004', hint = 'Call crm_app_fields() for the list, or use custom_fields.<name>.';
end
$$;
-- Of two fields of ours that go to one field of the CRM, one would never arrive, and nobody would hear of it.
create function private.check_written_fields() returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_twice record;
begin
  select f.field, min(m.app_field) as one, max(m.app_field) as other into v_twice
  from public.crm_field_mappings m
  cross join lateral unnest(private.crm_source_fields(m.crm_field)) f (field)
  where m.sync_direction in ('push', 'bidirectional') and (m.config_id, m.entity_type) in (select n.config_id, n.entity_type from latter n)
  group by m.config_id, m.entity_type, f.field
  having count(*) > 1
  order by f.field
  limit 1;
  if found then
    raise exception '"%" and "%" cannot both be written to "%" of the CRM.', v_twice.one, v_twice.other, v_twice.field
      using errcode = 'PC004', hint = 'Set sync_direction of one of them to pull: one field of the CRM can be read into several of ours.';
  end if;
  return null;
end
$$;
revoke execute on function private.fill_mapping_workspace(), private.check_mapped_field(), private.crm_source_fields(text),
  private.check_written_fields() from public, anon, authenticated, service_role;
grant execute on function private.crm_source_fields(text) to authenticated, service_role;

create trigger fill_mapping_workspace before insert or update of config_id on public.crm_field_mappings
  for each row execute function private.fill_mapping_workspace();
create trigger fill_mapping_workspace before insert or update of config_id on public.crm_stage_mappings
  for each row execute function private.fill_mapping_workspace();
create trigger check_mapped_field before insert or update of entity_type, crm_field, app_field, sync_direction, transform_function on public.crm_field_mappings
  for each row execute function private.check_mapped_field();
create trigger check_added_fields after insert on public.crm_field_mappings referencing new table as latter
  for each statement execute function private.check_written_fields();
create trigger check_changed_fields after update on public.crm_field_mappings referencing new table as latter
  for each statement execute function private.check_written_fields();
create trigger set_updated_at before update on public.crm_field_mappings
  for each row execute function private.set_updated_at();
create trigger set_updated_at before update on public.crm_stage_mappings
  for each row execute function private.set_updated_at();

-- Both tables follow one rule: everybody in the workspace reads, admins write.
create function private.apply_settings_rules(target regclass, noun text) returns void
language plpgsql
set search_path = ''
as $$
declare
  admin constant text := 'workspace_id = any (array(select private.my_workspace_ids(''admin'')))';
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('revoke all on table %s from public, anon, authenticated, service_role', target);
  execute format('grant select, delete on table %s to authenticated, service_role', target);
  execute format('create policy %I on %s for select to authenticated using (workspace_id = any (array(select private.my_workspace_ids())))',
    format('Members of a workspace read its %s', noun), target);
  execute format('create policy %I on %s for insert to authenticated with check (%s)', format('Admins add %s', noun), target, admin);
  execute format('create policy %I on %s for update to authenticated using (%s) with check (%s)', format('Admins edit %s', noun), target, admin, admin);
  execute format('create policy %I on %s for delete to authenticated using (%s)', format('Admins delete %s', noun), target, admin);
end
$$;
revoke execute on function private.apply_settings_rules(regclass, text) from public, anon, authenticated;

select private.apply_settings_rules('public.crm_field_mappings', 'field mappings');
select private.apply_settings_rules('public.crm_stage_mappings', 'stage mappings');

grant insert (config_id, entity_type, crm_field, app_field, data_type, sync_direction, is_required, transform_function, confidence, reason, position)
  on public.crm_field_mappings to authenticated, service_role;
grant update (crm_field, app_field, data_type, sync_direction, is_required, transform_function, confidence, reason, position)
  on public.crm_field_mappings to authenticated, service_role;
grant insert (config_id, crm_pipeline_id, crm_stage_id, crm_stage_label, stage_key, crm_probability, position)
  on public.crm_stage_mappings to authenticated, service_role;
grant update (crm_stage_label, stage_key, crm_probability, position) on public.crm_stage_mappings to authenticated, service_role;
