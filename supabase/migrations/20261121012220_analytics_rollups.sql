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

create table public.analytics_stage_times (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  period text not null,
  stage_key text not null,
  since date,
  n int not null,
  mean_days numeric(12, 1) not null,
  p50_days numeric(12, 1) not null,
  p75_days numeric(12, 1) not null,
  p90_days numeric(12, 1) not null,
  primary key (workspace_id, period, stage_key)
);
comment on table public.analytics_stage_times is 'How long deals stayed in a stage, of the stays that ended in a period. Read only for clients; pipeline_time_in_stage adds those that have not ended.';
comment on column public.analytics_stage_times.period is 'As in private.analytics_periods. Counted anew with each refresh, and when a day begins.';
comment on column public.analytics_stage_times.p50_days is 'Half of the stays were this long or shorter: the nearest rank.';
select private.apply_engine_rules('public.analytics_stage_times', 'stage times');

create table public.analytics_cycle_days (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  month date not null,
  currency char(3) not null,
  days int not null,
  deals int not null,
  primary key (workspace_id, month, currency, days)
);
comment on table public.analytics_cycle_days is 'Won deals by the month in which they closed and by how long they took. Read only for clients.';
select private.apply_engine_rules('public.analytics_cycle_days', 'lengths of cycles');

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
  snapshot_day date
);
comment on table public.analytics_state is 'When the analytics of a workspace were last refreshed. Read only for clients; analytics_freshness says whether anything waits.';
comment on column public.analytics_state.refreshed_at is 'What was committed before then counts, but for deals that still wait.';
comment on column public.analytics_state.snapshot_day is 'The day of the last snapshot, in the time zone of the workspace.';
select private.apply_engine_rules('public.analytics_state', 'refreshes');

-- Periods ---------------------------------------------------------------------------------------------------------------

-- Whole months, so that the totals by month fit: the running one and so many before it.
create function private.analytics_periods(p_today date) returns table (period text, since date)
language sql immutable parallel safe set search_path = '' as $$
  select p.period, (date_trunc('month', p_today::timestamp) - make_interval(months => p.months))::date
  from (values ('last_3_months', 3), ('last_12_months', 12), ('all', null)) p (period, months)
$$;
comment on function private.analytics_periods(date) is 'The stretches of time that analytics are offered for. since is the first day that counts; null: the beginning.';

-- What deals add to the totals -------------------------------------------------------------------------------------------
-- One function a table, with the table's row type. Fenced as the facts are.

create function private.stage_months_of(p_workspace uuid, p_deals uuid[]) returns setof public.analytics_stage_months
language sql stable set search_path = '' set enable_seqscan = off as $$
  select v.workspace_id, v.entered_month, v.stage_key, d.currency, count(*)::int,
    (count(*) filter (where v.outcome = 'won'))::int, (count(*) filter (where v.outcome = 'lost'))::int,
    (count(*) filter (where v.outcome = 'open'))::int, (count(*) filter (where v.advanced))::int, coalesce(sum(d.value), 0)
  from unnest(p_deals) t (id)
  cross join lateral (select * from public.analytics_stage_visits x where x.workspace_id = p_workspace and x.deal_id = t.id offset 0) v
  cross join lateral (select * from public.analytics_deals x where x.workspace_id = p_workspace and x.deal_id = t.id offset 0) d
  where v.first_visit
  group by v.workspace_id, v.entered_month, v.stage_key, d.currency
$$;

create function private.stage_days_of(p_workspace uuid, p_deals uuid[]) returns setof public.analytics_stage_days
language sql stable set search_path = '' set enable_seqscan = off as $$
  select v.workspace_id, v.left_month, v.stage_key, r.days, count(*)::int, sum(v.days)
  from unnest(p_deals) t (id)
  cross join lateral (select * from public.analytics_stage_visits x where x.workspace_id = p_workspace and x.deal_id = t.id offset 0) v
  cross join lateral (select round(v.days, case when v.days < 10 then 1 else 0 end) as days) r
  where v.left_month is not null
  group by v.workspace_id, v.left_month, v.stage_key, r.days
$$;

create function private.cycle_days_of(p_workspace uuid, p_deals uuid[]) returns setof public.analytics_cycle_days
language sql stable set search_path = '' set enable_seqscan = off as $$
  select d.workspace_id, date_trunc('month', d.closed_day::timestamp)::date, d.currency, d.cycle_days, count(*)::int
  from unnest(p_deals) t (id)
  cross join lateral (select * from public.analytics_deals x where x.workspace_id = p_workspace and x.deal_id = t.id offset 0) d
  where d.kind = 'won' and d.cycle_days is not null
  group by d.workspace_id, date_trunc('month', d.closed_day::timestamp)::date, d.currency, d.cycle_days
$$;

create function private.stage_closings_of(p_workspace uuid, p_deals uuid[]) returns setof public.analytics_stage_closings
language sql stable set search_path = '' set enable_seqscan = off as $$
  select v.workspace_id, date_trunc('month', d.closed_day::timestamp)::date, v.stage_key,
    (count(*) filter (where d.kind = 'won'))::int, (count(*) filter (where d.kind = 'lost'))::int
  from unnest(p_deals) t (id)
  cross join lateral (select * from public.analytics_stage_visits x where x.workspace_id = p_workspace and x.deal_id = t.id offset 0) v
  cross join lateral (select * from public.analytics_deals x where x.workspace_id = p_workspace and x.deal_id = t.id offset 0) d
  where v.first_visit and d.closed_day is not null
  group by v.workspace_id, date_trunc('month', d.closed_day::timestamp)::date, v.stage_key
$$;

create function private.outcome_months_of(p_workspace uuid, p_deals uuid[]) returns setof public.analytics_outcome_months
language sql stable set search_path = '' set enable_seqscan = off as $$
  select d.workspace_id, e.month, k.dimension, k.key, d.currency,
    (count(*) filter (where e.what = 'created'))::int, coalesce(sum(d.value) filter (where e.what = 'created'), 0),
    (count(*) filter (where e.what = 'won'))::int, count(d.value) filter (where e.what = 'won')::int,
    coalesce(sum(d.value) filter (where e.what = 'won'), 0),
    (count(*) filter (where e.what = 'lost'))::int, coalesce(sum(d.value) filter (where e.what = 'lost'), 0),
    (count(d.cycle_days) filter (where e.what = 'won'))::int, coalesce(sum(d.cycle_days) filter (where e.what = 'won'), 0)
  from unnest(p_deals) t (id)
  cross join lateral (select * from public.analytics_deals x where x.workspace_id = p_workspace and x.deal_id = t.id offset 0) d
  cross join lateral (values ('created', date_trunc('month', d.created_day::timestamp)::date), (d.kind, date_trunc('month', d.closed_day::timestamp)::date)) e (what, month)
  cross join lateral (
    values ('all', ''), ('owner', d.owner_key), ('source', d.source), ('size_band', coalesce(d.size_band::text, '')),
      ('lost_reason', case e.what when 'lost' then d.lost_reason end)
    union all
    select 'competitor', c.name from unnest(d.competitors) c (name) where e.what <> 'created'
  ) k (dimension, key)
  where e.month is not null and k.key is not null
  group by d.workspace_id, e.month, k.dimension, k.key, d.currency
$$;

create function private.open_months_of(p_workspace uuid, p_deals uuid[]) returns setof public.analytics_open_months
language sql stable set search_path = '' set enable_seqscan = off as $$
  select d.workspace_id, date_trunc('month', d.expected_close_date::timestamp)::date, d.owner_key, d.currency, count(*)::int,
    coalesce(sum(d.value), 0), coalesce(sum(round(d.value * d.probability / 100.0, 2)), 0)
  from unnest(p_deals) t (id)
  cross join lateral (select * from public.analytics_deals x where x.workspace_id = p_workspace and x.deal_id = t.id offset 0) d
  where d.kind = 'open'
  group by d.workspace_id, date_trunc('month', d.expected_close_date::timestamp)::date, d.owner_key, d.currency
$$;

-- Taking out and adding --------------------------------------------------------------------------------------------------
-- p_before: what the deals had added so far.

create function private.move_stage_months(p_workspace uuid, p_deals uuid[], p_before public.analytics_stage_months[]) returns void
language sql set search_path = '' as $$
  insert into public.analytics_stage_months as t
  select p_workspace, c.month, c.stage_key, c.currency, sum(c.entered), sum(c.won), sum(c.lost), sum(c.open), sum(c.advanced), sum(c.value)
  from (
    select n.month, n.stage_key, n.currency, n.entered, n.won, n.lost, n.open, n.advanced, n.value
    from private.stage_months_of(p_workspace, p_deals) n
    union all
    select o.month, o.stage_key, o.currency, -o.entered, -o.won, -o.lost, -o.open, -o.advanced, -o.value from unnest(p_before) o
  ) c
  group by c.month, c.stage_key, c.currency
  having (sum(c.entered), sum(c.won), sum(c.lost), sum(c.open), sum(c.advanced), sum(c.value)) <> (0, 0, 0, 0, 0, 0)
  on conflict (workspace_id, month, stage_key, currency) do update
  set entered = t.entered + excluded.entered, won = t.won + excluded.won, lost = t.lost + excluded.lost, open = t.open + excluded.open,
    advanced = t.advanced + excluded.advanced, value = t.value + excluded.value;
  delete from public.analytics_stage_months t where t.workspace_id = p_workspace and t.entered = 0;
$$;

create function private.move_stage_days(p_workspace uuid, p_deals uuid[], p_before public.analytics_stage_days[]) returns void
language sql set search_path = '' as $$
  insert into public.analytics_stage_days as t
  select p_workspace, c.month, c.stage_key, c.days, sum(c.visits), sum(c.days_sum)
  from (
    select n.month, n.stage_key, n.days, n.visits, n.days_sum from private.stage_days_of(p_workspace, p_deals) n
    union all
    select o.month, o.stage_key, o.days, -o.visits, -o.days_sum from unnest(p_before) o
  ) c
  group by c.month, c.stage_key, c.days
  having (sum(c.visits), sum(c.days_sum)) <> (0, 0)
  on conflict (workspace_id, month, stage_key, days) do update
  set visits = t.visits + excluded.visits, days_sum = t.days_sum + excluded.days_sum;
  delete from public.analytics_stage_days t where t.workspace_id = p_workspace and t.visits = 0;
$$;

create function private.move_cycle_days(p_workspace uuid, p_deals uuid[], p_before public.analytics_cycle_days[]) returns void
language sql set search_path = '' as $$
  insert into public.analytics_cycle_days as t
  select p_workspace, c.month, c.currency, c.days, sum(c.deals)
  from (
    select n.month, n.currency, n.days, n.deals from private.cycle_days_of(p_workspace, p_deals) n
    union all
    select o.month, o.currency, o.days, -o.deals from unnest(p_before) o
  ) c
  group by c.month, c.currency, c.days
  having sum(c.deals) <> 0
  on conflict (workspace_id, month, currency, days) do update set deals = t.deals + excluded.deals;
  delete from public.analytics_cycle_days t where t.workspace_id = p_workspace and t.deals = 0;
$$;

create function private.move_stage_closings(p_workspace uuid, p_deals uuid[], p_before public.analytics_stage_closings[]) returns void
language sql set search_path = '' as $$
  insert into public.analytics_stage_closings as t
  select p_workspace, c.month, c.stage_key, sum(c.won), sum(c.lost)
  from (
    select n.month, n.stage_key, n.won, n.lost from private.stage_closings_of(p_workspace, p_deals) n
    union all
    select o.month, o.stage_key, -o.won, -o.lost from unnest(p_before) o
  ) c
  group by c.month, c.stage_key
  having (sum(c.won), sum(c.lost)) <> (0, 0)
  on conflict (workspace_id, month, stage_key) do update set won = t.won + excluded.won, lost = t.lost + excluded.lost;
  delete from public.analytics_stage_closings t where t.workspace_id = p_workspace and t.won + t.lost = 0;
$$;

create function private.move_outcome_months(p_workspace uuid, p_deals uuid[], p_before public.analytics_outcome_months[]) returns void
language sql set search_path = '' as $$
  insert into public.analytics_outcome_months as t
  select p_workspace, c.month, c.dimension, c.key, c.currency, sum(c.created), sum(c.created_value), sum(c.won), sum(c.won_valued), sum(c.won_value),
    sum(c.lost), sum(c.lost_value), sum(c.cycles), sum(c.cycle_days_sum)
  from (
    select n.month, n.dimension, n.key, n.currency, n.created, n.created_value, n.won, n.won_valued, n.won_value, n.lost, n.lost_value, n.cycles, n.cycle_days_sum
    from private.outcome_months_of(p_workspace, p_deals) n
    union all
    select o.month, o.dimension, o.key, o.currency, -o.created, -o.created_value, -o.won, -o.won_valued, -o.won_value, -o.lost, -o.lost_value, -o.cycles, -o.cycle_days_sum
    from unnest(p_before) o
  ) c
  group by c.month, c.dimension, c.key, c.currency
  having (sum(c.created), sum(c.created_value), sum(c.won), sum(c.won_valued), sum(c.won_value), sum(c.lost), sum(c.lost_value), sum(c.cycles), sum(c.cycle_days_sum))
    <> (0, 0, 0, 0, 0, 0, 0, 0, 0)
  on conflict (workspace_id, month, dimension, key, currency) do update
  set created = t.created + excluded.created, created_value = t.created_value + excluded.created_value,
    won = t.won + excluded.won, won_valued = t.won_valued + excluded.won_valued, won_value = t.won_value + excluded.won_value,
    lost = t.lost + excluded.lost, lost_value = t.lost_value + excluded.lost_value,
    cycles = t.cycles + excluded.cycles, cycle_days_sum = t.cycle_days_sum + excluded.cycle_days_sum;
  delete from public.analytics_outcome_months t where t.workspace_id = p_workspace and t.created + t.won + t.lost = 0;
$$;

create function private.move_open_months(p_workspace uuid, p_deals uuid[], p_before public.analytics_open_months[]) returns void
language sql set search_path = '' as $$
  insert into public.analytics_open_months as t
  select p_workspace, c.month, c.owner_key, c.currency, sum(c.deals), sum(c.value), sum(c.weighted_value)
  from (
    select n.month, n.owner_key, n.currency, n.deals, n.value, n.weighted_value from private.open_months_of(p_workspace, p_deals) n
    union all
    select o.month, o.owner_key, o.currency, -o.deals, -o.value, -o.weighted_value from unnest(p_before) o
  ) c
  group by c.month, c.owner_key, c.currency
  having (sum(c.deals), sum(c.value), sum(c.weighted_value)) <> (0, 0, 0)
  on conflict (workspace_id, month, owner_key, currency) do update
  set deals = t.deals + excluded.deals, value = t.value + excluded.value, weighted_value = t.weighted_value + excluded.weighted_value;
  delete from public.analytics_open_months t where t.workspace_id = p_workspace and t.deals = 0;
$$;

-- Percentiles cannot be moved by differences. They are read from the counts of each length, by their index whatever share of
-- the table the workspace has.
create function private.count_stage_times(p_workspace uuid) returns void
language plpgsql set search_path = '' set enable_seqscan = off as $$
begin
  delete from public.analytics_stage_times t where t.workspace_id = p_workspace;
  insert into public.analytics_stage_times (workspace_id, period, stage_key, since, n, mean_days, p50_days, p75_days, p90_days)
  select p_workspace, r.period, r.stage_key, r.since, r.n, round(sum(r.days_sum) / r.n, 1),
    min(r.days) filter (where r.up_to >= 0.5 * r.n), min(r.days) filter (where r.up_to >= 0.75 * r.n), min(r.days) filter (where r.up_to >= 0.9 * r.n)
  from (
    select b.*, sum(b.visits) over (partition by b.period, b.stage_key order by b.days) as up_to, sum(b.visits) over (partition by b.period, b.stage_key) as n
    from (
      select p.period, p.since, d.stage_key, d.days, sum(d.visits) as visits, sum(d.days_sum) as days_sum
      from private.analytics_periods(private.workspace_today(p_workspace)) p
      join public.analytics_stage_days d on d.workspace_id = p_workspace and d.month >= coalesce(p.since, '-infinity')
      group by p.period, p.since, d.stage_key, d.days
    ) b
  ) r
  group by r.period, r.stage_key, r.since, r.n;
end
$$;

revoke execute on function private.analytics_periods(date), private.stage_months_of(uuid, uuid[]), private.stage_days_of(uuid, uuid[]), private.cycle_days_of(uuid, uuid[]),
  private.stage_closings_of(uuid, uuid[]), private.outcome_months_of(uuid, uuid[]), private.open_months_of(uuid, uuid[]),
  private.move_stage_months(uuid, uuid[], public.analytics_stage_months[]), private.move_stage_days(uuid, uuid[], public.analytics_stage_days[]),
  private.move_cycle_days(uuid, uuid[], public.analytics_cycle_days[]), private.move_stage_closings(uuid, uuid[], public.analytics_stage_closings[]),
  private.move_outcome_months(uuid, uuid[], public.analytics_outcome_months[]), private.move_open_months(uuid, uuid[], public.analytics_open_months[]),
  private.count_stage_times(uuid)
  from public, anon, authenticated, service_role;
