-- Connections: the fields that a CRM account has, as it described them last. Functions write, members read.

create table public.crm_available_fields (
  config_id uuid not null,
  workspace_id uuid not null,
  entity_type text not null check (entity_type in ('accounts', 'contacts', 'opportunities')),
  name text not null check (name <> ''),
  label text not null,
  type text not null
    check (type in ('string', 'number', 'boolean', 'date', 'datetime', 'picklist', 'array', 'object', 'email', 'phone', 'url')),
  crm_type text not null,
  required boolean not null default false,
  read_only boolean not null default false,
  custom boolean not null default false,
  options jsonb,
  max_length int,
  position int not null default 0,
  refreshed_at timestamptz not null default now(),
  primary key (config_id, entity_type, name),
  foreign key (workspace_id, config_id) references public.crm_sync_configs (workspace_id, id) on delete cascade
);
create index crm_available_fields_config_idx on public.crm_available_fields (workspace_id, config_id);
comment on table public.crm_available_fields is 'Fields of a connected CRM account, per entity, as described last.';
comment on column public.crm_available_fields.required is 'Needed to create a record in the CRM.';
comment on column public.crm_available_fields.options is 'Of a picklist: [{"value", "label"}].';

alter table public.crm_available_fields enable row level security;
alter table public.crm_available_fields force row level security;
create policy "Members of a workspace read its available fields" on public.crm_available_fields for select to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids())));
revoke all on public.crm_available_fields from public, anon, authenticated, service_role;
grant select on public.crm_available_fields to authenticated, service_role;

-- What a CRM has just described takes the place of what it described before.
create function private.crm_keep_fields(p_config uuid, p_entity text, p_fields jsonb) returns void
language sql
set search_path = ''
as $$
  delete from public.crm_available_fields f
  where f.config_id = p_config and f.entity_type = p_entity
    and f.name <> all (array(select k ->> 'name' from jsonb_array_elements(p_fields) k));

  insert into public.crm_available_fields as f
    (config_id, workspace_id, entity_type, name, label, type, crm_type, required, read_only, custom, options, max_length, position)
  select distinct on (k.name)
    c.id, c.workspace_id, p_entity, k.name, k.label, k.type, k.crm_type, k.required, k.read_only, k.custom, nullif(k.options, 'null'), k.max_length, e.place
  from public.crm_sync_configs c
  cross join jsonb_array_elements(p_fields) with ordinality e (field, place)
  cross join lateral jsonb_to_record(e.field) as k (
    name text, label text, type text, crm_type text, required boolean, read_only boolean, custom boolean, options jsonb, max_length int)
  where c.id = p_config
  -- Two that refresh at once take the rows in one order.
  order by k.name, e.place
  on conflict (config_id, entity_type, name) do update
  set label = excluded.label, type = excluded.type, crm_type = excluded.crm_type, required = excluded.required, read_only = excluded.read_only,
    custom = excluded.custom, options = excluded.options, max_length = excluded.max_length, position = excluded.position, refreshed_at = now()
$$;
revoke execute on function private.crm_keep_fields(uuid, text, jsonb) from public, anon, authenticated, service_role;

-- A field that the CRM does not have would be passed over by every run. Where the CRM has never said what it has, only that tells;
-- a mapping that is there already, or that is switched off, may name one that is gone.
create function private.check_source_field() returns trigger
language plpgsql
set search_path = ''
as $$
declare
  v_gone constant text := (
    select string_agg(format('"%s"', s.field), ', ')
    from unnest(private.crm_source_fields(new.crm_field)) s (field)
    where not exists (
      select from public.crm_available_fields f where (f.config_id, f.entity_type, f.name) = (new.config_id, new.entity_type, s.field)));
begin
  if v_gone is null or new.sync_direction = 'none'
    or not exists (select from public.crm_available_fields f where (f.config_id, f.entity_type) = (new.config_id, new.entity_type))
    or exists (
      select from public.crm_field_mappings m
      where (m.config_id, m.entity_type, m.app_field, m.crm_field) = (new.config_id, new.entity_type, new.app_field, new.crm_field))
  then
    return new;
  end if;
  raise exception 'The CRM has no field % on %, or hides it from the user who connected.', v_gone, new.entity_type
    using errcode = 'PC004', hint = 'crm-mapping/available-fields lists the fields as they were described last; ask it to refresh where one was added since.';
end
$$;
revoke execute on function private.check_source_field() from public, anon, authenticated, service_role;
-- What a function saves it has from the CRM.
create trigger check_source_field before insert or update of crm_field, entity_type on public.crm_field_mappings
  for each row when (current_user in ('authenticated', 'service_role')) execute function private.check_source_field();

-- Only where the connection would create records: a field that is always there already needs no value.
create view public.crm_unmapped_required_fields with (security_invoker = true) as
with mapped as (
  select m.config_id, m.entity_type, m.app_field, m.sync_direction, private.crm_source_fields(m.crm_field) as crm_fields
  from public.crm_field_mappings m
  join public.crm_sync_configs c on c.id = m.config_id
  where not coalesce(c.sync_rules #> array[m.entity_type, 'exclude_fields'] ? m.app_field, false)
)
select c.workspace_id, c.id as config_id, f.entity_type, 'crm' as side, f.name as field, f.label
from public.crm_sync_configs c
join public.crm_available_fields f on f.config_id = c.id and f.workspace_id = c.workspace_id and f.entity_type = any (c.sync_entities)
where c.sync_direction <> 'pull' and coalesce(c.sync_rules -> 'create_in_crm', 'true') = 'true' and f.required and not f.read_only
  and not exists (
    select from mapped m
    where m.config_id = c.id and m.entity_type = f.entity_type and m.sync_direction in ('push', 'bidirectional') and f.name = any (m.crm_fields))
union all
select c.workspace_id, c.id, f.entity_type, 'app', f.app_field, f.label
from public.crm_sync_configs c
join private.crm_app_fields f on f.entity_type = any (c.sync_entities)
-- A person has a name or an e-mail address, whichever of them is mapped.
cross join lateral (select case when f.entity_type = 'contacts' then '{last_name,first_name,email}'::text[] else array[f.app_field] end as either) r
where c.sync_direction <> 'push' and coalesce(c.sync_rules -> 'create_when_missing', 'true') = 'true'
  and f.is_mappable and (f.is_required or f.entity_type = 'contacts' and f.app_field = 'last_name')
  and not exists (
    select from mapped m
    where m.config_id = c.id and m.entity_type = f.entity_type and m.sync_direction in ('pull', 'bidirectional') and m.app_field = any (r.either));
comment on view public.crm_unmapped_required_fields is
  'What a new record cannot do without and no mapping fills: side crm, fields the CRM wants for what we create there; side app, fields of ours for what comes from it.';
revoke all on public.crm_unmapped_required_fields from public, anon, authenticated, service_role;
grant select on public.crm_unmapped_required_fields to authenticated, service_role;
