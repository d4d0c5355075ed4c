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

-- Refreshing -------------------------------------------------------------------------------------------------------------

-- Stays and facts that did not change are not written again.
create function private.store_deal_facts(p_workspace uuid, p_deals uuid[]) returns void
language plpgsql set search_path = '' as $$
begin
  with fresh as materialized (
    select * from private.stage_visits_of(p_workspace, p_deals)
  ),
  gone as (
    delete from public.analytics_stage_visits v
    using unnest(p_deals) t (id)
    where v.workspace_id = p_workspace and v.deal_id = t.id
      and not exists (select from fresh f where f.deal_id = v.deal_id and f.visit = v.visit)
  )
  insert into public.analytics_stage_visits as t
  select f.* from fresh f
  left join public.analytics_stage_visits v on v.workspace_id = p_workspace and v.deal_id = f.deal_id and v.visit = f.visit
  where v.visit is null or v.* is distinct from f.*
  on conflict (workspace_id, deal_id, visit) do update
  set stage_key = excluded.stage_key, entered_at = excluded.entered_at, left_at = excluded.left_at, next_stage = excluded.next_stage,
    days = excluded.days, outcome = excluded.outcome, first_visit = excluded.first_visit, advanced = excluded.advanced,
    entered_month = excluded.entered_month, left_month = excluded.left_month;

  delete from public.analytics_deals a
  using unnest(p_deals) t (id)
  where a.workspace_id = p_workspace and a.deal_id = t.id
    and not exists (select from public.pipeline_projects d where d.workspace_id = a.workspace_id and d.id = a.deal_id and d.deleted_at is null);
  insert into public.analytics_deals as t select * from private.deal_facts_of(p_workspace, p_deals)
  on conflict (workspace_id, deal_id) do update
  set name = excluded.name, created_day = excluded.created_day, first_stage_day = excluded.first_stage_day, stage_key = excluded.stage_key, kind = excluded.kind,
    value = excluded.value, currency = excluded.currency, probability = excluded.probability, owner_id = excluded.owner_id,
    owner_label = excluded.owner_label, owner_key = excluded.owner_key, source = excluded.source, size_band = excluded.size_band,
    lost_reason = excluded.lost_reason, competitors = excluded.competitors, entered_stage_at = excluded.entered_stage_at,
    closed_day = excluded.closed_day, cycle_days = excluded.cycle_days, reopened = excluded.reopened, slips = excluded.slips,
    slipped_days = excluded.slipped_days, expected_close_date = excluded.expected_close_date, last_activity_at = excluded.last_activity_at
  where t.* is distinct from excluded.*;
end
$$;

-- The totals move by the difference, so a deal that only got a note moves none.
create function private.refresh_deals(p_workspace uuid, p_deals uuid[]) returns void
language plpgsql set search_path = '' as $$
declare
  v_stage_months constant public.analytics_stage_months[] := array(select o from private.stage_months_of(p_workspace, p_deals) o);
  v_stage_days constant public.analytics_stage_days[] := array(select o from private.stage_days_of(p_workspace, p_deals) o);
  v_cycles constant public.analytics_cycle_days[] := array(select o from private.cycle_days_of(p_workspace, p_deals) o);
  v_closings constant public.analytics_stage_closings[] := array(select o from private.stage_closings_of(p_workspace, p_deals) o);
  v_outcomes constant public.analytics_outcome_months[] := array(select o from private.outcome_months_of(p_workspace, p_deals) o);
  v_open constant public.analytics_open_months[] := array(select o from private.open_months_of(p_workspace, p_deals) o);
begin
  perform private.store_deal_facts(p_workspace, p_deals);
  perform private.move_stage_months(p_workspace, p_deals, v_stage_months);
  perform private.move_stage_days(p_workspace, p_deals, v_stage_days);
  perform private.move_cycle_days(p_workspace, p_deals, v_cycles);
  perform private.move_stage_closings(p_workspace, p_deals, v_closings);
  perform private.move_outcome_months(p_workspace, p_deals, v_outcomes);
  perform private.move_open_months(p_workspace, p_deals, v_open);
end
$$;

-- Takes a workspace's next deals from the queue. What all deals depend on is turned into the deals first.
create function private.take_queued_deals(p_workspace uuid, p_limit int) returns uuid[]
language plpgsql set search_path = '' as $$
declare
  v_deals uuid[];
begin
  with whole as (
    delete from private.analytics_queue q where q.workspace_id = p_workspace and q.pipeline_project_id is null returning q.queued_at
  )
  insert into private.analytics_queue (workspace_id, pipeline_project_id, queued_at)
  select p_workspace, d.id, w.since
  from (select min(queued_at) as since from whole) w
  join public.pipeline_projects d on d.workspace_id = p_workspace
  where w.since is not null;

  with taken as (
    delete from private.analytics_queue q
    where q.id in (select n.id from private.analytics_queue n where n.workspace_id = p_workspace order by n.id limit p_limit)
    returning q.pipeline_project_id
  )
  select array_agg(distinct t.pipeline_project_id) into v_deals from taken t;
  return v_deals;
end
$$;

-- Answers how many deals were looked at; null while somebody else refreshes this workspace, who must not be met half-way.
create function private.refresh_workspace(p_workspace uuid, p_limit int) returns int
language plpgsql set search_path = '' as $$
declare
  v_started constant timestamptz := clock_timestamp();
  v_deals uuid[];
begin
  if not pg_try_advisory_xact_lock(hashtextextended('analytics:' || p_workspace, 0)) then
    return null;
  end if;
  -- The workspace may be gone, with all its facts.
  perform from public.workspaces w where w.id = p_workspace for key share;
  if not found then
    delete from private.analytics_queue q where q.workspace_id = p_workspace;
    return 0;
  end if;
  v_deals := private.take_queued_deals(p_workspace, p_limit);
  if v_deals is not null then
    perform private.refresh_deals(p_workspace, v_deals);
  end if;
  perform private.count_stage_times(p_workspace);
  perform private.learn_stage_rates(p_workspace);
  insert into public.analytics_state as s (workspace_id, refreshed_at) values (p_workspace, v_started)
  on conflict (workspace_id) do update set refreshed_at = excluded.refreshed_at;
  return coalesce(cardinality(v_deals), 0);
end
$$;

-- Each minute. Workspaces take turns, the one that waits longest first; what one of them cannot stomach holds no other up.
create function private.refresh_queued(p_seconds int default 20, p_limit int default 5000) returns int
language plpgsql set search_path = '' as $$
declare
  v_until constant timestamptz := clock_timestamp() + make_interval(secs => p_seconds);
  v_workspace uuid;
  v_seen int;
  v_before int;
  v_total int := 0;
begin
  loop
    v_before := v_total;
    for v_workspace in select q.workspace_id from private.analytics_queue q group by q.workspace_id order by min(q.id) loop
      begin
        v_seen := private.refresh_workspace(v_workspace, p_limit);
        v_total := v_total + coalesce(v_seen, 0);
      exception when others then
        raise warning 'The analytics of workspace % were not refreshed: % (%)', v_workspace, sqlerrm, sqlstate;
      end;
      exit when clock_timestamp() >= v_until;
    end loop;
    exit when v_total = v_before or clock_timestamp() >= v_until;
  end loop;
  return v_total;
end
$$;
comment on function private.refresh_queued(int, int) is 'Works the queue off for so many seconds and answers how many deals were looked at.';

-- For an operator: everything of a workspace is counted anew, should a total ever be in doubt.
create function private.rebuild_analytics(p_workspace uuid) returns int
language plpgsql set search_path = '' as $$
declare
  v_seen int;
  v_total int := 0;
begin
  perform pg_advisory_xact_lock(hashtextextended('analytics:' || p_workspace, 0));
  delete from public.analytics_stage_visits t where t.workspace_id = p_workspace;
  delete from public.analytics_deals t where t.workspace_id = p_workspace;
  delete from public.analytics_stage_months t where t.workspace_id = p_workspace;
  delete from public.analytics_stage_days t where t.workspace_id = p_workspace;
  delete from public.analytics_cycle_days t where t.workspace_id = p_workspace;
  delete from public.analytics_stage_closings t where t.workspace_id = p_workspace;
  delete from public.analytics_outcome_months t where t.workspace_id = p_workspace;
  delete from public.analytics_open_months t where t.workspace_id = p_workspace;
  insert into private.analytics_queue (workspace_id) values (p_workspace);
  loop
    v_seen := private.refresh_workspace(p_workspace, 20000);
    v_total := v_total + v_seen;
    exit when v_seen = 0;
  end loop;
  return v_total;
end
$$;
comment on function private.rebuild_analytics(uuid) is 'Counts the analytics of a workspace from scratch and answers how many deals there are.';

-- Definer: facts and totals are written by nobody else; it checks the membership.
create function public.refresh_analytics(workspace_id uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_deals int;
begin
  perform private.require_role(refresh_analytics.workspace_id, 'member');
  -- As many as fit into the eight seconds of a client's statement on a busy machine.
  v_deals := private.refresh_workspace(refresh_analytics.workspace_id, 2000);
  if v_deals is null then
    raise exception 'The analytics of this workspace are being refreshed just now.' using errcode = 'PC008',
      hint = 'Read them again in a few seconds.';
  end if;
  return (
    select jsonb_build_object('refreshed_at', s.refreshed_at, 'deals', v_deals,
      'more', exists (select from private.analytics_queue q where q.workspace_id = s.workspace_id))
    from public.analytics_state s where s.workspace_id = refresh_analytics.workspace_id);
end
$$;
comment on function public.refresh_analytics(uuid) is
  'Brings the analytics of a workspace up to date now rather than within the minute: 2,000 changed deals at a time, more says that some are left. PC008 while they are being refreshed anyway.';

-- Freshness --------------------------------------------------------------------------------------------------------------

-- Definer: what waits is internal, how much of it is not. Members see their own workspaces', the secret key all.
create function private.analytics_waiting()
returns table (workspace_id uuid, queued bigint, since timestamptz)
language sql stable security definer set search_path = '' as $$
  select w.id, q.queued, q.since
  from public.workspaces w
  cross join lateral (
    select count(*) as queued, min(n.queued_at) as since
    from (select x.queued_at from private.analytics_queue x where x.workspace_id = w.id order by x.id limit 100000) n
  ) q
  where w.id = any (array(select private.my_workspace_ids())) or (select auth.role()) = 'service_role'
$$;
comment on function private.analytics_waiting() is 'Changes per workspace that the analytics do not show yet, counted up to 100,000; of the caller''s workspaces only.';

create view public.analytics_freshness with (security_invoker = true) as
select w.id as workspace_id, s.refreshed_at, coalesce(q.queued, 0) as queued,
  coalesce(greatest(extract(epoch from now() - q.since), 0), 0)::int as seconds_behind, s.snapshot_day
from public.workspaces w
left join public.analytics_state s on s.workspace_id = w.id
left join private.analytics_waiting() q on q.workspace_id = w.id;
comment on view public.analytics_freshness is 'How up to date the analytics of a workspace are.';
comment on column public.analytics_freshness.refreshed_at is 'The last refresh that had something to do; null before the first.';
comment on column public.analytics_freshness.queued is 'Changes that are not counted yet, up to 100,000. A deal that changed twice is two.';
comment on column public.analytics_freshness.seconds_behind is 'How long the oldest of them has waited; 0: all is counted.';
revoke all on table public.analytics_freshness from public, anon, authenticated, service_role;
grant select on table public.analytics_freshness to authenticated, service_role;

revoke execute on function private.analytics_periods(date), private.stage_months_of(uuid, uuid[]), private.stage_days_of(uuid, uuid[]), private.cycle_days_of(uuid, uuid[]),
  private.stage_closings_of(uuid, uuid[]),
  private.outcome_months_of(uuid, uuid[]), private.open_months_of(uuid, uuid[]),
  private.move_stage_months(uuid, uuid[], public.analytics_stage_months[]), private.move_stage_days(uuid, uuid[], public.analytics_stage_days[]),
  private.move_cycle_days(uuid, uuid[], public.analytics_cycle_days[]), private.move_stage_closings(uuid, uuid[], public.analytics_stage_closings[]), private.move_outcome_months(uuid, uuid[], public.analytics_outcome_months[]),
  private.move_open_months(uuid, uuid[], public.analytics_open_months[]), private.count_stage_times(uuid), private.store_deal_facts(uuid, uuid[]), private.refresh_deals(uuid, uuid[]),
  private.take_queued_deals(uuid, int), private.refresh_workspace(uuid, int), private.refresh_queued(int, int), private.rebuild_analytics(uuid)
  from public, anon, authenticated, service_role;
revoke execute on function public.refresh_analytics(uuid), private.analytics_waiting() from public, anon, authenticated, service_role;
grant execute on function public.refresh_analytics(uuid), private.analytics_waiting() to authenticated, service_role;

select cron.schedule('analytics-refresh', '* * * * *', 'select private.refresh_queued()');
