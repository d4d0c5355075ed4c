-- Analytics: how likely a deal of a stage is to be won, learned from the workspace's own history.

create table public.analytics_stage_rates (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  stage_key text not null,
  default_rate double precision not null,
  template_rate double precision,
  wins int not null,
  trials int not null,
  rate double precision not null,
  low double precision not null,
  high double precision not null,
  common_share double precision not null,
  computed_at timestamptz not null default now(),
  primary key (workspace_id, stage_key)
);
comment on table public.analytics_stage_rates is 'The probability of each open stage as its history says, smoothed, with the interval it lies in. Read only for clients; pipeline_stage_probabilities adds which one counts.';
comment on column public.analytics_stage_rates.default_rate is 'Of the stage. 0 to 1, as all rates here.';
comment on column public.analytics_stage_rates.template_rate is 'Of the industry template that the workspace has chosen; null without one.';
comment on column public.analytics_stage_rates.trials is 'Deals that were once in the stage and are closed now; wins of them were won.';
comment on column public.analytics_stage_rates.rate is 'Mean of the posterior; of ten true rates nine lie between low and high.';
comment on column public.analytics_stage_rates.common_share is 'How alike deals of one month are (intraclass correlation): the more, the less each month''s deals say.';
select private.apply_engine_rules('public.analytics_stage_rates', 'stage rates');
