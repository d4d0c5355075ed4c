-- Operations: one row per run of a connection, its counts, and the private state that its workers share.

create table public.crm_sync_operations (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null,
  config_id uuid not null,
  operation text not null default 'sync' check (operation in ('sync', 'import', 'export', 'plan', 'undo')),
  direction text not null check (direction in ('bidirectional', 'to_crm', 'from_crm')),
  entities text[] not null check (cardinality(entities) > 0 and entities <@ '{accounts,contacts,opportunities}'::text[]),
  trigger text not null default 'manual' check (trigger in ('manual', 'schedule', 'webhook', 'retry')),
  status text not null default 'queued'
    check (status in ('queued', 'running', 'paused', 'completed', 'partial', 'failed', 'cancelled')),
  progress jsonb not null default '{"entity": null, "entities": {}, "done": 0, "total": null, "rate_per_second": null, "eta_seconds": null}',
  results jsonb,
  error_message text,
  undoes uuid,
  filters jsonb check (jsonb_typeof(filters) = 'object'),
  estimated_records int,
  joined int not null default 0,
  follow_up boolean not null default false,
  journal_purged_at timestamptz,
  requested_by uuid references auth.users (id) on delete set null,
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (workspace_id, id),
  foreign key (workspace_id, config_id) references public.crm_sync_configs (workspace_id, id) on delete cascade,
  foreign key (workspace_id, undoes) references public.crm_sync_operations (workspace_id, id) on delete set null (undoes)
);
create unique index crm_sync_operations_live_uq on public.crm_sync_operations (config_id) where status in ('queued', 'running', 'paused');
create index crm_sync_operations_config_idx on public.crm_sync_operations (workspace_id, config_id, created_at desc);
create index crm_sync_operations_requested_by_idx on public.crm_sync_operations (requested_by) where requested_by is not null;
create index crm_sync_operations_undoes_idx on public.crm_sync_operations (workspace_id, undoes) where undoes is not null;
comment on table public.crm_sync_operations is 'One run of a connection: what was asked, how far it is, how it ended. Subscribe to it to show progress.';
comment on column public.crm_sync_operations.progress is
  '{"entity": "contacts", "entities": {"accounts": {"done": 85, "total": 85}, "accounts_to_crm": {…}}, "done": n, "total": n or null, "rate_per_second": r, "eta_seconds": e or null}';
comment on column public.crm_sync_operations.results is 'When the run has ended, per entity: {"accounts": {"processed", "created", "updated", "unchanged", "deleted", "failed", "skipped", "conflicts", "push": {the same}}}. push counts what went to the CRM, the rest what came from it. Of an undo also "restored", "kept_because_edited" and "failed" in all.';
comment on column public.crm_sync_operations.undoes is 'The run that this one takes back.';
comment on column public.crm_sync_operations.filters is
  'The records that this run was limited to, per entity, besides the filters of the connection: {"accounts": <filter>}. Null: all of them.';

comment on column public.crm_sync_operations.estimated_records is
  'About how many records the run looks at, guessed when it was asked for: all linked ones where an entity is read in full, else as many as last time, and what is known to wait. Null where nothing is known, and of a run with filters.';
comment on column public.crm_sync_operations.joined is
  'How many more requests this run took in. Above 0 in the answer of crm_start_sync: a run was live already, and this is it.';
comment on column public.crm_sync_operations.follow_up is 'A request that it took in wants what it does not do: a run for that starts when it ends.';
comment on column public.crm_sync_operations.journal_purged_at is 'Its changes are no longer kept in full, so it cannot be undone any more.';

create trigger set_updated_at before update on public.crm_sync_operations
  for each row execute function private.set_updated_at();

create table public.crm_sync_logs (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null,
  config_id uuid not null,
  operation_id uuid not null,
  sync_direction text not null check (sync_direction in ('push', 'pull')),
  entity_type text not null check (entity_type in ('accounts', 'contacts', 'opportunities')),
  records_processed int not null default 0,
  records_synced int not null default 0,
  records_created int not null default 0,
  records_updated int not null default 0,
  records_unchanged int not null default 0,
  records_deleted int not null default 0,
  records_failed int not null default 0,
  records_skipped int not null default 0,
  conflicts_detected int not null default 0,
  conflicts_resolved int not null default 0,
  sync_duration_ms int,
  status text not null default 'running' check (status in ('running', 'completed', 'failed', 'partial')),
  error_message text,
  error_details jsonb,
  started_at timestamptz not null default now(),
  completed_at timestamptz,
  unique (operation_id, entity_type, sync_direction),
  foreign key (workspace_id, config_id) references public.crm_sync_configs (workspace_id, id) on delete cascade,
  foreign key (workspace_id, operation_id) references public.crm_sync_operations (workspace_id, id) on delete cascade
);
create index crm_sync_logs_config_idx on public.crm_sync_logs (workspace_id, config_id, started_at desc);
create index crm_sync_logs_operation_idx on public.crm_sync_logs (workspace_id, operation_id);
create index crm_sync_logs_recent_idx on public.crm_sync_logs (workspace_id, started_at desc);
comment on table public.crm_sync_logs is 'Counts of one run per entity and direction.';
comment on column public.crm_sync_logs.records_synced is 'Created, updated, deleted and unchanged: on both sides alike after the run.';
comment on column public.crm_sync_logs.error_details is 'Failures by cause: [{"code", "field", "records", "message"}], at most 20. The records themselves are in crm_sync_errors.';
comment on column public.crm_sync_logs.records_skipped is 'Left out by a setting, such as create_when_missing = false.';

-- Which worker may write, and where the next one goes on. A worker whose fence is not the one stored here writes nothing.
create table private.crm_operation_state (
  operation_id uuid primary key references public.crm_sync_operations (id) on delete cascade,
  fence bigint not null default 0,
  lease_holder text,
  lease_expires_at timestamptz,
  slice int not null default 0,
  phases text[] not null default '{dirty,pull,push}' check (phases <@ '{dirty,pull,push}'::text[]),
  crashes int not null default 0,
  checkpoint jsonb,
  dispatched_at timestamptz,
  resume_at timestamptz,
  reads_all boolean not null default false,
  wish jsonb,
  updated_at timestamptz not null default now()
);
alter table private.crm_operation_state enable row level security;
revoke all on private.crm_operation_state from public, anon, authenticated, service_role;
comment on column private.crm_operation_state.phases is
  'What the run does, in this order: dirty fetches records that were named, pull reads what changed in the CRM, push takes our changes there.';
comment on column private.crm_operation_state.reads_all is
  'Of a limited run: it reads all that matches, not only what changed. Where reading stopped is not its business.';
comment on column private.crm_operation_state.crashes is 'Leases in a row that ran out without a page being merged.';
comment on column private.crm_operation_state.wish is
  'What was asked for while the run was under way and is not part of it: entities, direction, phases, full, filters, trigger, by. The run that follows it does that.';
comment on column private.crm_operation_state.resume_at is 'When a run that waits for the CRM''s quota goes on by itself.';

-- Read by everybody in the workspace, written by functions only.
create function private.apply_read_only_rules(target regclass, noun text) returns void
language plpgsql
set search_path = ''
as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('revoke all on table %s from public, anon, authenticated, service_role', target);
  execute format('grant select on table %s to authenticated, service_role', target);
  execute format('create policy %I on %s for select to authenticated using (workspace_id = any (array(select private.my_workspace_ids())))',
    format('Members of a workspace read its %s', noun), target);
end
$$;
revoke execute on function private.apply_read_only_rules(regclass, text) from public, anon, authenticated;

select private.apply_read_only_rules('public.crm_sync_operations', 'sync runs');
select private.apply_read_only_rules('public.crm_sync_logs', 'sync logs');
