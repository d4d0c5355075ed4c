-- Operations: what a run leaves behind. Errors and conflicts for people; links, journal, cursors and waiting relations for the engine.

create table public.crm_sync_errors (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null,
  config_id uuid not null,
  operation_id uuid,
  entity_type text check (entity_type in ('accounts', 'contacts', 'opportunities')),
  direction text not null default 'pull' check (direction in ('push', 'pull')),
  crm_record_id text,
  record_id uuid,
  kind text not null check (kind in ('transient', 'rate_limited', 'revoked', 'rejected')),
  code text not null,
  message text not null,
  field text,
  attempts int not null default 1,
  status text not null default 'open' check (status in ('open', 'resolved', 'dead')),
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  foreign key (workspace_id, config_id) references public.crm_sync_configs (workspace_id, id) on delete cascade,
  foreign key (workspace_id, operation_id) references public.crm_sync_operations (workspace_id, id) on delete set null (operation_id)
);
create unique index crm_sync_errors_open_record_uq on public.crm_sync_errors (config_id, entity_type, crm_record_id)
  where status = 'open' and crm_record_id is not null;
create unique index crm_sync_errors_open_run_uq on public.crm_sync_errors (operation_id, entity_type, code) nulls not distinct
  where status = 'open' and crm_record_id is null and record_id is null and operation_id is not null;
create unique index crm_sync_errors_open_push_uq on public.crm_sync_errors (config_id, entity_type, record_id)
  where status = 'open' and direction = 'push';
create index crm_sync_errors_push_idx on public.crm_sync_errors (config_id, entity_type, record_id) where direction = 'push' and status <> 'resolved';
create index crm_sync_errors_config_idx on public.crm_sync_errors (workspace_id, config_id, status, last_seen_at desc);
create index crm_sync_errors_operation_idx on public.crm_sync_errors (workspace_id, operation_id);
comment on table public.crm_sync_errors is 'Records that could not be synced, and runs that were disturbed, each with the reason. One open row per record.';
comment on column public.crm_sync_errors.crm_record_id is 'Of a record that could not be read. One that could not be written names ours, in record_id.';
comment on column public.crm_sync_errors.field is 'The CRM''s field, where the mapping knows it.';

create table public.crm_sync_conflicts (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null,
  config_id uuid not null,
  operation_id uuid,
  entity_type text not null check (entity_type in ('accounts', 'contacts', 'opportunities')),
  entity_id uuid,
  crm_record_id text not null,
  app_data jsonb not null,
  crm_data jsonb not null,
  base jsonb not null default '{}',
  conflicting_fields text[] not null check (cardinality(conflicting_fields) > 0),
  status text not null default 'pending' check (status in ('pending', 'resolved', 'ignored')),
  resolution_strategy text
    check (resolution_strategy in ('use_app', 'use_crm', 'manual', 'last_write_wins', 'crm_wins', 'app_wins', 'agreed')),
  resolved_by uuid references auth.users (id) on delete set null,
  resolved_at timestamptz,
  origin text not null default 'sync' check (origin in ('sync', 'undo')),
  crm_values jsonb not null default '{}',
  resolved_data jsonb,
  applied_at timestamptz,
  detected_at timestamptz not null default now(),
  foreign key (workspace_id, config_id) references public.crm_sync_configs (workspace_id, id) on delete cascade,
  foreign key (workspace_id, operation_id) references public.crm_sync_operations (workspace_id, id) on delete set null (operation_id)
);
create unique index crm_sync_conflicts_pending_uq on public.crm_sync_conflicts (config_id, entity_type, crm_record_id) where status = 'pending';
create index crm_sync_conflicts_pending_record_idx on public.crm_sync_conflicts (entity_id) where status = 'pending';
create index crm_sync_conflicts_unapplied_idx on public.crm_sync_conflicts (config_id, entity_type, crm_record_id)
  where status = 'resolved' and applied_at is null and resolution_strategy in ('use_app', 'use_crm', 'manual');
create index crm_sync_conflicts_workspace_idx on public.crm_sync_conflicts (workspace_id, status, detected_at desc);
create index crm_sync_conflicts_config_idx on public.crm_sync_conflicts (workspace_id, config_id, detected_at desc);
create index crm_sync_conflicts_record_idx on public.crm_sync_conflicts (config_id, entity_type, crm_record_id);
create index crm_sync_conflicts_operation_idx on public.crm_sync_conflicts (workspace_id, operation_id);
create index crm_sync_conflicts_resolved_by_idx on public.crm_sync_conflicts (resolved_by) where resolved_by is not null;
comment on table public.crm_sync_conflicts is
  'Fields that both sides changed. pending ones wait for a person and keep both values; the others record what the strategy decided.';
comment on column public.crm_sync_conflicts.app_data is 'Our values of the conflicting fields; crm_data the CRM''s, base what both last agreed on.';
comment on column public.crm_sync_conflicts.crm_values is 'The values of crm_data as the CRM writes them: unchanged in spelling, relations as its ids.';
comment on column public.crm_sync_conflicts.origin is 'undo: not both sides changed it, a run was taken back on one of them.';
comment on column public.crm_sync_conflicts.resolved_data is 'The values a person chose.';
comment on column public.crm_sync_conflicts.applied_at is
  'When both sides were seen to have what a person chose. Until then a new difference in these fields opens the conflict again.';

-- The link of a CRM record to ours, with the base: the values both sides last agreed on, as the CRM writes them.
-- Relations are kept in it under $company, $contact and $owner, as ids of the CRM.
create table private.crm_record_links (
  config_id uuid not null references public.crm_sync_configs (id) on delete cascade,
  entity_type text not null,
  crm_record_id text not null,
  record_id uuid not null,
  workspace_id uuid not null,
  base jsonb not null,
  shown jsonb not null default '{}',
  crm_modified_at text,
  crm_deleted_at timestamptz,
  deleted_by text check (deleted_by in ('app', 'crm')),
  merged_at timestamptz,
  app_edited_at timestamptz,
  has_conflict boolean not null default false,
  matched_on text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (config_id, entity_type, crm_record_id),
  -- Begins with the record, so that no plan takes it for a search by CRM id.
  unique (record_id, config_id, entity_type)
)
-- Room on each page for the base to change in place.
with (fillfactor = 50);
comment on column private.crm_record_links.shown is
  'Values that were sent and come back in another form, {field: {"app": …, "crm": …}}: read in that form, they mean ours.';
comment on column private.crm_record_links.deleted_by is 'Who deleted the record in the CRM: a deletion here that was pushed, or the CRM itself.';
comment on column private.crm_record_links.merged_at is 'updated_at of our row as the last merge left it: a later one means somebody edited since.';
comment on column private.crm_record_links.app_edited_at is 'When our side was last edited before the merge that wrote merged_at, while edits of ours are not yet at the CRM.';
create index crm_record_links_matched_idx on private.crm_record_links (config_id, entity_type, matched_on) where matched_on is not null;
comment on column private.crm_record_links.matched_on is
  'The domain or e-mail by which the record was found to be one of ours; null when the merge made ours. Such a match is taken back when the CRM shows the key again.';
comment on column private.crm_record_links.has_conflict is 'A pending conflict keeps the record from being taken as unchanged.';

create table private.crm_journal (
  id bigint generated always as identity primary key,
  operation_id uuid not null references public.crm_sync_operations (id) on delete cascade,
  entity_type text not null,
  record_id uuid not null,
  crm_record_id text not null,
  side text not null default 'app' check (side in ('app', 'crm')),
  action text not null check (action in ('created', 'linked', 'unlinked', 'updated', 'deleted', 'restored')),
  before jsonb,
  after jsonb,
  overruled jsonb,
  created_at timestamptz not null default now()
);
create index crm_journal_operation_idx on private.crm_journal (operation_id, id);
create index crm_journal_record_idx on private.crm_journal (record_id);
comment on table private.crm_journal is 'Every change a sync made, to our records (side app) or the CRM''s (side crm): fields before and after. Undo and audit read it.';
comment on column private.crm_journal.side is 'Where the change was made. On the side of the CRM, before and after are as the base keeps values: relations as its ids.';
comment on column private.crm_journal.overruled is 'Values that lost a conflict, {field: {"app": …, "crm": …}}: nothing is lost without a trace.';

create table private.crm_cursors (
  config_id uuid not null references public.crm_sync_configs (id) on delete cascade,
  entity_type text not null,
  cursor jsonb,
  updated_at timestamptz not null default now(),
  primary key (config_id, entity_type)
);
comment on table private.crm_cursors is
  'Entities that have been read to the end once, and how far: modified time as the CRM wrote it, id, and when deletions were read where that is not done with every run.';

-- A relation to a record that has not arrived yet.
create table private.crm_pending_relations (
  config_id uuid not null references public.crm_sync_configs (id) on delete cascade,
  entity_type text not null,
  record_id uuid not null,
  relation text not null,
  parent_entity text not null,
  parent_crm_id text not null,
  created_at timestamptz not null default now(),
  primary key (config_id, entity_type, record_id, relation)
);
create index crm_pending_relations_parent_idx on private.crm_pending_relations (config_id, parent_entity, parent_crm_id);

do $$
declare
  t regclass;
begin
  foreach t in array array['private.crm_record_links', 'private.crm_journal', 'private.crm_cursors', 'private.crm_pending_relations']::regclass[] loop
    execute format('alter table %s enable row level security', t);
    execute format('revoke all on %s from public, anon, authenticated, service_role', t);
  end loop;
end
$$;

select private.apply_read_only_rules('public.crm_sync_errors', 'sync errors');
select private.apply_read_only_rules('public.crm_sync_conflicts', 'sync conflicts');
