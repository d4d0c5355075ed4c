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
