-- Analytics: what there is to know of each deal, worked out once. Everything that is summed up later is summed up from here,
-- so what a deal adds to a total can be taken out again exactly as it went in (analytics_rollups).

create table public.analytics_deals (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  deal_id uuid not null,
  created_day date not null,
  first_stage_day date,
  stage_key text not null,
  kind text not null,
  value numeric(18, 2),
  currency char(3) not null,
  probability int,
  owner_id uuid,
  owner_label text,
  owner_key text not null,
  source text not null,
  size_band int,
  lost_reason text,
  competitors text[] not null default '{}',
  entered_stage_at timestamptz not null,
  closed_day date,
  cycle_days int,
  reopened int not null default 0,
  slips int not null default 0,
  slipped_days int not null default 0,
  expected_close_date date,
  last_activity_at timestamptz,
  primary key (workspace_id, deal_id)
);
comment on table public.analytics_deals is 'One row for each live deal, as the analytics know it. Refreshed each minute; read only for clients.';
comment on column public.analytics_deals.deal_id is 'Of pipeline_projects. No foreign key: rows come and go with the refresh.';
comment on column public.analytics_deals.created_day is 'The day of the record or of its first stage, whichever is earlier, in the time zone of the workspace, as all days here.';
comment on column public.analytics_deals.kind is 'Of the stage now: open, won, lost or on_hold.';
comment on column public.analytics_deals.owner_key is 'owner_id, else owner_label, else empty.';
comment on column public.analytics_deals.source is 'deal_source in lower case; empty when none was given. Lost reasons and competitors likewise.';
comment on column public.analytics_deals.size_band is 'How many of the workspace''s size bands the value has reached; null without a value.';
comment on column public.analytics_deals.lost_reason is 'Of lost deals only.';
comment on column public.analytics_deals.closed_day is 'actual_close_date, else the day on which the deal came to its stage; null while it is open or on hold.';
comment on column public.analytics_deals.cycle_days is 'Days from created_day to closed_day; null while open, and for a deal that was closed before it came here.';
comment on column public.analytics_deals.reopened is 'How often it left won or lost again.';
comment on column public.analytics_deals.slips is 'How often its expected close was moved to a later day.';
comment on column public.analytics_deals.slipped_days is 'Days between the first expected close and the one now; below zero: earlier.';
comment on column public.analytics_deals.last_activity_at is 'The last change of the deal, note or task about it, by a person or a sync.';

create index analytics_deals_closed_day_idx on public.analytics_deals (workspace_id, kind, closed_day);
create index analytics_deals_expected_idx on public.analytics_deals (workspace_id, kind, expected_close_date);
create index analytics_deals_owner_idx on public.analytics_deals (workspace_id, owner_id);
select private.apply_engine_rules('public.analytics_deals', 'facts about deals');

create table public.analytics_stage_visits (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  deal_id uuid not null,
  visit int not null,
  stage_key text not null,
  entered_at timestamptz not null,
  left_at timestamptz,
  next_stage text,
  days numeric(12, 4),
  outcome text not null check (outcome in ('won', 'lost', 'open')),
  first_visit boolean not null,
  advanced boolean not null,
  entered_month date not null,
  left_month date,
  primary key (workspace_id, deal_id, visit)
);
comment on table public.analytics_stage_visits is 'Each stay of a live deal in a stage, from the stage history. Read only for clients.';
comment on column public.analytics_stage_visits.visit is '1 for the first stay of the deal, and so on.';
comment on column public.analytics_stage_visits.stage_key is 'As it was then: the workspace may have no such stage any more.';
comment on column public.analytics_stage_visits.days is 'Between coming and leaving; null while the deal is there.';
comment on column public.analytics_stage_visits.outcome is 'What became of the deal, as it stands now; open includes on hold.';
comment on column public.analytics_stage_visits.first_visit is 'The deal''s first stay in this stage: what conversion counts.';
comment on column public.analytics_stage_visits.advanced is 'Later the deal was in won, or in an open stage further on.';
create index analytics_stage_visits_stage_idx on public.analytics_stage_visits (workspace_id, stage_key, entered_at);
select private.apply_engine_rules('public.analytics_stage_visits', 'stage visits');
