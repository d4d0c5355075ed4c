-- Analytics: how the pipeline stood each day, and targets to hold it against.

create table public.pipeline_snapshots (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  day date not null,
  stage_key text not null,
  owner_key text not null,
  currency char(3) not null,
  deals int not null,
  value numeric(24, 2) not null,
  weighted_value numeric(24, 2) not null,
  expected_this_quarter numeric(24, 2) not null,
  primary key (workspace_id, day, stage_key, owner_key, currency)
);
comment on table public.pipeline_snapshots is 'The pipeline as it stood when a day of the workspace began, by stage, owner and currency. Read only for clients.';
comment on column public.pipeline_snapshots.day is 'In the time zone of the workspace.';
comment on column public.pipeline_snapshots.owner_key is 'As in analytics_deals.';
comment on column public.pipeline_snapshots.expected_this_quarter is 'Value of the deals whose close is expected in the calendar quarter of the day.';
select private.apply_engine_rules('public.pipeline_snapshots', 'snapshots');

create table public.pipeline_targets (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  period text not null check (period in ('month', 'quarter', 'year')),
  period_start date not null,
  owner_id uuid,
  amount numeric(18, 2) not null check (amount > 0 and amount <> 'NaN'),
  currency char(3) not null check (currency ~ '^[A-Z]{3}$'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (extract(day from period_start) = 1),
  unique nulls not distinct (workspace_id, period, period_start, owner_id, currency),
  foreign key (workspace_id, owner_id) references public.workspace_members (workspace_id, user_id) on delete cascade
);
comment on table public.pipeline_targets is 'What is to be won in a month, quarter or year, by the workspace or by one member. Admins write them.';
comment on column public.pipeline_targets.period_start is 'The first of a month; a fiscal year or quarter may begin in any.';
comment on column public.pipeline_targets.owner_id is 'Null: the target of the whole workspace.';
create index pipeline_targets_owner_idx on public.pipeline_targets (workspace_id, owner_id);

create trigger set_updated_at before update on public.pipeline_targets
  for each row execute function private.set_updated_at();

select private.apply_settings_rules('public.pipeline_targets', 'targets');
