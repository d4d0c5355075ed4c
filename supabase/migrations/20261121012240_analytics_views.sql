-- Analytics: what clients read. All views are security_invoker: the policies of the tables beneath decide. They read facts and
-- totals, never the history, so they are as fast for a large workspace as for a small one, and as old as analytics_freshness
-- says. Counts of deals are of all currencies together, money is not.

create function private.share_in_percent(part numeric, whole numeric) returns numeric
language sql immutable parallel safe set search_path = '' as $$
  select round(100 * part / nullif(whole, 0), 2)
$$;
comment on function private.share_in_percent(numeric, numeric) is 'Null of nothing.';

-- Stages -----------------------------------------------------------------------------------------------------------------

create view public.pipeline_stage_conversion with (security_invoker = true) as
select k.workspace_id, p.period, p.since, k.stage_key, coalesce(s.label, k.stage_key) as label, s.position, s.kind,
  c.entered, c.won, c.lost, c.open, c.advanced,
  private.share_in_percent(c.won, c.won + c.lost) as win_rate,
  private.share_in_percent(c.advanced, c.entered) as advance_rate
from (
  select x.workspace_id, x.key as stage_key from public.pipeline_stages x
  union
  select x.workspace_id, x.stage_key from public.analytics_stage_months x
) k
cross join lateral private.analytics_periods(private.workspace_today(k.workspace_id)) p
left join public.pipeline_stages s on s.workspace_id = k.workspace_id and s.key = k.stage_key
cross join lateral (
  select coalesce(sum(m.entered), 0)::int as entered, coalesce(sum(m.won), 0)::int as won, coalesce(sum(m.lost), 0)::int as lost,
    coalesce(sum(m.open), 0)::int as open, coalesce(sum(m.advanced), 0)::int as advanced
  from public.analytics_stage_months m
  where m.workspace_id = k.workspace_id and m.stage_key = k.stage_key and m.month >= coalesce(p.since, '-infinity')
) c;
comment on view public.pipeline_stage_conversion is 'What became of the deals that came to each stage in a period, by their history and not by where they stand now.';
comment on column public.pipeline_stage_conversion.position is 'Null: the workspace has no such stage any more.';
comment on column public.pipeline_stage_conversion.entered is 'Deals that came to the stage for the first time; one that came back counts once, one that skipped it not at all.';
comment on column public.pipeline_stage_conversion.win_rate is 'Won in per cent of won and lost; open ones are left out.';
comment on column public.pipeline_stage_conversion.advance_rate is 'In per cent of entered: later in an open stage further on, or won.';

create view public.pipeline_funnel_months with (security_invoker = true) as
select m.workspace_id, m.month, m.stage_key, coalesce(s.label, m.stage_key) as label, s.position,
  sum(m.entered)::int as entered, sum(m.won)::int as won, sum(m.lost)::int as lost, sum(m.open)::int as open, sum(m.advanced)::int as advanced
from public.analytics_stage_months m
left join public.pipeline_stages s on s.workspace_id = m.workspace_id and s.key = m.stage_key
group by m.workspace_id, m.month, m.stage_key, s.label, s.position;
comment on view public.pipeline_funnel_months is 'The same by the month in which the deals came to the stage.';

create view public.pipeline_time_in_stage with (security_invoker = true) as
select t.workspace_id, t.period, t.since, t.stage_key, coalesce(s.label, t.stage_key) as label, s.position,
  t.n, t.mean_days, t.p50_days, t.p75_days, t.p90_days, coalesce(o.open_n, 0) as open_n, o.open_mean_days
from public.analytics_stage_times t
left join public.pipeline_stages s on s.workspace_id = t.workspace_id and s.key = t.stage_key
left join (
  select d.workspace_id, d.stage_key, count(*)::int as open_n, round(avg(extract(epoch from now() - d.entered_stage_at) / 86400)::numeric, 1) as open_mean_days
  from public.analytics_deals d
  where d.kind in ('open', 'on_hold')
  group by d.workspace_id, d.stage_key
) o on o.workspace_id = t.workspace_id and o.stage_key = t.stage_key;
comment on view public.pipeline_time_in_stage is 'How long deals stayed in each stage, of the stays that ended in a period.';
comment on column public.pipeline_time_in_stage.p50_days is 'Half of the stays were this long or shorter: the nearest rank, to a tenth of a day up to ten days, to a day beyond.';
comment on column public.pipeline_time_in_stage.open_n is 'Deals that are in the stage now. How long they will stay nobody knows yet, so they are kept apart.';

-- Money and time -----------------------------------------------------------------------------------------------------------

create view public.pipeline_cycle with (security_invoker = true) as
with by_length as (
  select t.workspace_id, t.currency, p.period, p.since, t.days, sum(t.deals) as deals
  from public.workspaces w
  cross join lateral private.analytics_periods(private.workspace_today(w.id)) p
  join public.analytics_cycle_days t on t.workspace_id = w.id and t.month >= coalesce(p.since, '-infinity')
  group by t.workspace_id, t.currency, p.period, p.since, t.days
),
ranked as (
  select b.*, sum(b.deals) over (partition by b.workspace_id, b.currency, b.period order by b.days) as up_to,
    sum(b.deals) over (partition by b.workspace_id, b.currency, b.period) as n
  from by_length b
)
select r.workspace_id, r.currency, r.period, r.since, r.n::int as n, round(sum(r.days * r.deals) / r.n, 1) as mean_days,
  min(r.days) filter (where r.up_to >= 0.5 * r.n) as p50_days,
  min(r.days) filter (where r.up_to >= 0.9 * r.n) as p90_days
from ranked r
group by r.workspace_id, r.currency, r.period, r.since, r.n;
comment on view public.pipeline_cycle is 'Days from the creation to the closing of the deals that were won in a period.';
comment on column public.pipeline_cycle.n is 'Won deals whose length is known: one that was closed before it came here has none.';
comment on column public.pipeline_cycle.p50_days is 'Half of them took this long or shorter: the nearest rank.';

create view public.pipeline_velocity with (security_invoker = true) as
select t.*, private.share_in_percent(t.won, t.won + t.lost) as win_rate,
  round(o.deals * t.average_value * t.won / nullif(t.won + t.lost, 0) / nullif(t.cycle_days, 0), 2) as velocity,
  o.deals as open_deals
from (
  select m.workspace_id, m.currency, p.period, p.since, sum(m.won)::int as won, sum(m.lost)::int as lost,
    round(sum(m.won_value) / nullif(sum(m.won_valued), 0), 2) as average_value,
    round(sum(m.cycle_days_sum)::numeric / nullif(sum(m.cycles), 0), 1) as cycle_days
  from public.workspaces w
  cross join lateral private.analytics_periods(private.workspace_today(w.id)) p
  join public.analytics_outcome_months m on m.workspace_id = w.id and m.dimension = 'all' and m.month >= coalesce(p.since, '-infinity')
  group by m.workspace_id, m.currency, p.period, p.since
) t
cross join lateral (
  select coalesce(sum(x.deals), 0)::int as deals from public.analytics_open_months x where x.workspace_id = t.workspace_id and x.currency = t.currency
) o;
comment on view public.pipeline_velocity is 'Money that the pipeline is expected to bring a day: open deals × win rate × average value of a won deal ÷ length of the cycle.';
comment on column public.pipeline_velocity.velocity is 'In the currency, a day; null while nothing was closed in the period, or the length of no cycle is known.';
comment on column public.pipeline_velocity.average_value is 'Of the won deals that have a value.';

create view public.pipeline_trend_months with (security_invoker = true) as
select c.workspace_id, g.month::date as month, c.currency,
  coalesce(m.created, 0) as created, coalesce(m.created_value, 0) as created_value,
  coalesce(m.won, 0) as won, coalesce(m.won_value, 0) as won_value, coalesce(m.lost, 0) as lost, coalesce(m.lost_value, 0) as lost_value,
  private.share_in_percent(m.won, m.won + m.lost) as win_rate,
  sum(coalesce(m.created - m.won - m.lost, 0)) over (partition by c.workspace_id, c.currency order by g.month)::int as open_at_end
from (
  select x.workspace_id, x.currency, min(x.month) as first_month from public.analytics_outcome_months x where x.dimension = 'all' group by x.workspace_id, x.currency
) c
cross join lateral generate_series(c.first_month::timestamp, date_trunc('month', private.workspace_today(c.workspace_id)::timestamp), interval '1 month') g (month)
left join public.analytics_outcome_months m
  on m.workspace_id = c.workspace_id and m.dimension = 'all' and m.key = '' and m.currency = c.currency and m.month = g.month::date;
comment on view public.pipeline_trend_months is 'Deals created, won and lost month by month up to the running one, also months in which nothing happened.';
comment on column public.pipeline_trend_months.open_at_end is 'Created and not closed by the end of the month, as known today: of a deal that was reopened nobody sees that it was closed.';

-- Why we win and lose --------------------------------------------------------------------------------------------------------

create function private.size_band_label(p_bands numeric[], p_band int) returns text
language sql immutable parallel safe set search_path = '' as $$
  select case
    when p_band is null then 'No value'
    when coalesce(cardinality(p_bands), 0) = 0 then 'Any'
    when p_band <= 0 then 'Below ' || to_char(p_bands[1], 'FM999,999,999,999,990')
    when p_band >= cardinality(p_bands) then to_char(p_bands[cardinality(p_bands)], 'FM999,999,999,999,990') || ' and more'
    else to_char(p_bands[p_band], 'FM999,999,999,999,990') || ' to ' || to_char(p_bands[p_band + 1], 'FM999,999,999,999,990')
  end
$$;

create view public.pipeline_win_loss with (security_invoker = true) as
select t.workspace_id, t.period, t.since, t.dimension, t.key,
  case
    when t.dimension = 'all' then 'All'
    when t.dimension = 'size_band' then private.size_band_label(g.size_bands, nullif(t.key, '')::int)
    when t.key = '' then case t.dimension when 'owner' then 'Nobody' else 'Not given' end
    else coalesce(u.display_name, u.email, t.key)
  end as label,
  t.currency, t.won, t.lost, private.share_in_percent(t.won, t.won + t.lost) as win_rate, t.won_value, t.lost_value
from (
  select m.workspace_id, p.period, p.since, m.dimension, m.key, m.currency, sum(m.won)::int as won, sum(m.lost)::int as lost,
    sum(m.won_value) as won_value, sum(m.lost_value) as lost_value
  from public.workspaces w
  cross join lateral private.analytics_periods(private.workspace_today(w.id)) p
  join public.analytics_outcome_months m on m.workspace_id = w.id and m.month >= coalesce(p.since, '-infinity') and m.won + m.lost > 0
  group by m.workspace_id, p.period, p.since, m.dimension, m.key, m.currency
) t
left join public.planning_settings g on g.workspace_id = t.workspace_id
left join public.workspace_members u on t.dimension = 'owner' and u.workspace_id = t.workspace_id and u.user_id::text = t.key;
comment on view public.pipeline_win_loss is 'Won and lost deals of a period by dimension: all, owner, source, size_band, lost_reason, competitor.';
comment on column public.pipeline_win_loss.key is 'Empty: not given. A reason has lost deals only; a deal with two competitors counts for both, so those do not add up to the whole.';
comment on column public.pipeline_win_loss.win_rate is 'Won in per cent of won and lost.';

-- Deal by deal ---------------------------------------------------------------------------------------------------------------

create view public.pipeline_slipped_deals with (security_invoker = true) as
select d.workspace_id, d.deal_id, d.name, d.stage_key, d.owner_id, d.owner_label, d.value, d.currency, d.probability, d.expected_close_date,
  d.slips, d.slipped_days, greatest(t.today - d.expected_close_date, 0) as days_overdue
from public.workspaces w
-- Offset: asked once a workspace, not once a deal.
cross join lateral (select private.workspace_today(w.id) as today offset 0) t
join public.analytics_deals d on d.workspace_id = w.id and d.kind = 'open'
where d.slips > 0 or d.expected_close_date < t.today;
comment on view public.pipeline_slipped_deals is 'Open deals whose expected close was moved to a later day, or has passed.';
comment on column public.pipeline_slipped_deals.slips is 'How often it was moved to a later day; slipped_days is the way from the first day to the one now.';

create view public.pipeline_ageing with (security_invoker = true) as
select d.workspace_id, d.deal_id, d.name, d.stage_key, d.owner_id, d.owner_label, d.value, d.currency, d.expected_close_date, d.created_day,
  d.entered_stage_at, a.days_in_stage, u.p75_days as usual_days, coalesce(a.days_in_stage > u.p75_days, false) as is_old
from public.analytics_deals d
left join public.analytics_stage_times u on u.workspace_id = d.workspace_id and u.period = 'last_12_months' and u.stage_key = d.stage_key
cross join lateral (select round((extract(epoch from now() - d.entered_stage_at) / 86400)::numeric, 1) as days_in_stage) a
where d.kind = 'open';
comment on view public.pipeline_ageing is 'How long each open deal has been in its stage, against how long deals usually are.';
comment on column public.pipeline_ageing.entered_stage_at is 'Order by it: the oldest first, from an index.';
comment on column public.pipeline_ageing.usual_days is 'Three of four stays in this stage that ended in the running month or the twelve before it were this long or shorter; null where none ended.';
comment on column public.pipeline_ageing.is_old is 'Longer than that.';

create view public.pipeline_top_risks with (security_invoker = true) as
select r.workspace_id, r.deal_id, r.name, r.stage_key, r.owner_id, r.owner_label, r.value, r.currency, r.probability, r.expected_close_date,
  r.overdue, r.old_in_stage, r.slipped_twice, r.quiet, r.hard_to_staff, s.score, round(r.value * s.score / 100, 2) as exposure
from (
  select d.*,
    coalesce(d.expected_close_date < t.today, false) as overdue,
    coalesce(d.entered_stage_at < now() - u.p75_days * interval '1 day', false) as old_in_stage,
    d.slips >= 2 as slipped_twice,
    coalesce(d.last_activity_at < now() - interval '30 days', true) as quiet,
    coalesce(v.score < 50, false) as hard_to_staff
  from public.workspaces w
  cross join lateral (select private.workspace_today(w.id) as today offset 0) t
  join public.analytics_deals d on d.workspace_id = w.id and d.kind = 'open'
  left join public.analytics_stage_times u on u.workspace_id = d.workspace_id and u.period = 'last_12_months' and u.stage_key = d.stage_key
  left join public.pipeline_availability v on v.workspace_id = d.workspace_id and v.pipeline_project_id = d.deal_id
) r
cross join lateral (
  select 30 * r.overdue::int + 25 * r.old_in_stage::int + 20 * r.slipped_twice::int + 15 * r.quiet::int + 10 * r.hard_to_staff::int as score
) s
-- In place of score > 0: the first that is true ends the look at a deal.
where r.overdue or r.old_in_stage or r.slipped_twice or r.quiet or r.hard_to_staff;
comment on view public.pipeline_top_risks is 'Open deals that something speaks against, with what. Order by exposure, within one currency, for the top.';
comment on column public.pipeline_top_risks.overdue is 'Its expected close has passed: 30 points.';
comment on column public.pipeline_top_risks.old_in_stage is 'In its stage for longer than three of four deals in the last twelve months: 25.';
comment on column public.pipeline_top_risks.slipped_twice is 'Its expected close was moved to a later day twice or more: 20.';
comment on column public.pipeline_top_risks.quiet is 'Nothing was changed, noted or planned for 30 days: 15.';
comment on column public.pipeline_top_risks.hard_to_staff is 'Its availability score is below 50: 10.';
comment on column public.pipeline_top_risks.score is 'The sum, 0 to 100. The weights are a convention of this project, no measurement.';
comment on column public.pipeline_top_risks.exposure is 'value × score / 100.';

-- The dashboard --------------------------------------------------------------------------------------------------------------

create view public.crm_dashboard with (security_invoker = true) as
select w.id as workspace_id,
  (select count(*) from public.crm_contacts c where c.workspace_id = w.id and c.deleted_at is null) as contacts,
  o.deals as open_opportunities, o.value as pipeline_value, o.weighted_value,
  m.won as won_this_month, m.lost as lost_this_month, m.won_value as won_value_this_month,
  y.win_rate, y.cycle_days, y.average_value,
  (select count(*) from public.crm_activities a where a.workspace_id = w.id and a.created_at > now() - interval '7 days') as activities_7_days,
  (select s.refreshed_at from public.analytics_state s where s.workspace_id = w.id) as refreshed_at
from public.workspaces w
cross join lateral (select date_trunc('month', private.workspace_today(w.id)::timestamp)::date as this_month offset 0) t
cross join lateral (
  select coalesce(sum(x.deals), 0)::int as deals, coalesce(jsonb_object_agg(x.currency, x.value), '{}') as value,
    coalesce(jsonb_object_agg(x.currency, x.weighted_value), '{}') as weighted_value
  from (
    select n.currency, sum(n.deals) as deals, sum(n.value) as value, sum(n.weighted_value) as weighted_value
    from public.analytics_open_months n where n.workspace_id = w.id group by n.currency
  ) x
) o
cross join lateral (
  select coalesce(sum(x.won), 0)::int as won, coalesce(sum(x.lost), 0)::int as lost, coalesce(jsonb_object_agg(x.currency, x.won_value) filter (where x.won > 0), '{}') as won_value
  from public.analytics_outcome_months x where x.workspace_id = w.id and x.dimension = 'all' and x.month = t.this_month
) m
cross join lateral (
  select private.share_in_percent(sum(x.won), sum(x.won + x.lost)) as win_rate, round(sum(x.cycle_days_sum) / nullif(sum(x.cycles), 0), 1) as cycle_days,
    coalesce(jsonb_object_agg(x.currency, round(x.won_value / x.won_valued, 2)) filter (where x.won_valued > 0), '{}') as average_value
  from (
    select n.currency, sum(n.won) as won, sum(n.lost) as lost, sum(n.won_valued) as won_valued, sum(n.won_value) as won_value, sum(n.cycles) as cycles,
      sum(n.cycle_days_sum) as cycle_days_sum
    from public.analytics_outcome_months n
    where n.workspace_id = w.id and n.dimension = 'all' and n.month >= (t.this_month - interval '12 months')::date
    group by n.currency
  ) x
) y;
comment on view public.crm_dashboard is 'The figures of a dashboard, one row a workspace. Money by currency: {"USD": 1000.00}.';
comment on column public.crm_dashboard.open_opportunities is 'In stages of kind open; deals on hold wait.';
comment on column public.crm_dashboard.win_rate is 'Of the running month and the twelve before it, as cycle_days and average_value.';
comment on column public.crm_dashboard.average_value is 'Of the won deals that have a value.';
comment on column public.crm_dashboard.activities_7_days is 'Entries of the history: changes by people and by syncs.';
comment on column public.crm_dashboard.refreshed_at is 'Contacts and activities are counted now; the rest is this old, see analytics_freshness.';

revoke all on table public.pipeline_stage_conversion, public.pipeline_funnel_months, public.pipeline_time_in_stage, public.pipeline_cycle,
  public.pipeline_velocity, public.pipeline_trend_months, public.pipeline_win_loss, public.pipeline_slipped_deals, public.pipeline_ageing,
  public.pipeline_top_risks, public.crm_dashboard from public, anon, authenticated, service_role;
grant select on table public.pipeline_stage_conversion, public.pipeline_funnel_months, public.pipeline_time_in_stage, public.pipeline_cycle,
  public.pipeline_velocity, public.pipeline_trend_months, public.pipeline_win_loss, public.pipeline_slipped_deals, public.pipeline_ageing,
  public.pipeline_top_risks, public.crm_dashboard to authenticated, service_role;
revoke execute on function private.share_in_percent(numeric, numeric), private.size_band_label(numeric[], int)
  from public, anon, authenticated, service_role;
-- Views run as the one who reads them.
grant execute on function private.analytics_periods(date), private.share_in_percent(numeric, numeric), private.size_band_label(numeric[], int),
  private.workspace_today(uuid) to authenticated, service_role;
