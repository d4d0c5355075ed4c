-- Analytics: totals by month. A refresh takes what the touched deals had added out of them, works the facts anew, and adds
-- those: it costs as much as there are touched deals, not as the workspace has, and ends with the same rows as a count from
-- scratch would (tests/database/conversion.test.ts).

create table public.analytics_stage_months (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  month date not null,
  stage_key text not null,
  currency char(3) not null,
  entered int not null,
  won int not null,
  lost int not null,
  open int not null,
  advanced int not null,
  value numeric(24, 2) not null,
  primary key (workspace_id, month, stage_key, currency)
);
comment on table public.analytics_stage_months is 'Deals that came to a stage for the first time, by the month in which they did, and what became of them. Read only for clients.';
comment on column public.analytics_stage_months.open is 'Neither won nor lost so far: open or on hold.';
comment on column public.analytics_stage_months.advanced is 'Later in won, or in an open stage further on.';
select private.apply_engine_rules('public.analytics_stage_months', 'stage months');

create table public.analytics_stage_days (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  month date not null,
  stage_key text not null,
  days numeric(12, 1) not null,
  visits int not null,
  days_sum numeric(24, 4) not null,
  primary key (workspace_id, month, stage_key, days)
);
comment on table public.analytics_stage_days is 'Finished stays in a stage by the month in which they ended and by how long they were: what medians are read from. Read only for clients.';
comment on column public.analytics_stage_days.days is 'Rounded: to a tenth of a day up to ten days, to a day beyond.';
comment on column public.analytics_stage_days.days_sum is 'Not rounded.';
select private.apply_engine_rules('public.analytics_stage_days', 'times in stages');

create table public.analytics_stage_closings (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  month date not null,
  stage_key text not null,
  won int not null,
  lost int not null,
  primary key (workspace_id, month, stage_key)
);
comment on table public.analytics_stage_closings is 'Closed deals that were once in a stage, by the month in which they closed: what the learned rates are made from. Read only for clients.';
select private.apply_engine_rules('public.analytics_stage_closings', 'closings by stage');

create table public.analytics_outcome_months (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  month date not null,
  dimension text not null check (dimension in ('all', 'owner', 'source', 'size_band', 'lost_reason', 'competitor')),
  key text not null,
  currency char(3) not null,
  created int not null,
  created_value numeric(24, 2) not null,
  won int not null,
  won_valued int not null,
  won_value numeric(24, 2) not null,
  lost int not null,
  lost_value numeric(24, 2) not null,
  cycles int not null,
  cycle_days_sum bigint not null,
  primary key (workspace_id, month, dimension, key, currency)
);
comment on table public.analytics_outcome_months is 'Deals created, won and lost by month, as a whole and by owner, source, size band, lost reason and competitor. Read only for clients.';
comment on column public.analytics_outcome_months.key is 'Empty: not given. A deal with two competitors counts for both.';
comment on column public.analytics_outcome_months.won_valued is 'Won deals that have a value.';
comment on column public.analytics_outcome_months.cycles is 'Won deals whose length is known; cycle_days_sum adds them up.';
create index analytics_outcome_months_dimension_idx on public.analytics_outcome_months (workspace_id, dimension, month);
select private.apply_engine_rules('public.analytics_outcome_months', 'outcome months');

create table public.analytics_open_months (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  month date,
  owner_key text not null,
  currency char(3) not null,
  deals int not null,
  value numeric(24, 2) not null,
  weighted_value numeric(24, 2) not null,
  unique nulls not distinct (workspace_id, month, owner_key, currency)
);
comment on table public.analytics_open_months is 'Open deals by the month in which they are expected to close and by owner. Read only for clients.';
comment on column public.analytics_open_months.month is 'Null: no close is expected yet.';
select private.apply_engine_rules('public.analytics_open_months', 'open months');

create table public.analytics_state (
  workspace_id uuid primary key references public.workspaces (id) on delete cascade,
  refreshed_at timestamptz,
  asked_at timestamptz,
  snapshot_day date
);
comment on table public.analytics_state is 'When the analytics of a workspace were last refreshed. Read only for clients; analytics_freshness says whether anything waits.';
comment on column public.analytics_state.asked_at is 'When a person last asked for a refresh.';
comment on column public.analytics_state.snapshot_day is 'The day of the last snapshot, in the time zone of the workspace.';
select private.apply_engine_rules('public.analytics_state', 'refreshes');
