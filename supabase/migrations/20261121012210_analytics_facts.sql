-- Analytics: what there is to know of each deal, worked out once. Everything that is summed up later is summed up from here,
-- so what a deal adds to a total can be taken out again exactly as it went in (analytics_rollups).

create table public.analytics_deals (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  deal_id uuid not null,
  name text not null,
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
  last_activity_at timestamptz
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
create index analytics_deals_entered_idx on public.analytics_deals (workspace_id, kind, entered_stage_at) include (stage_key);
create index analytics_deals_owner_idx on public.analytics_deals (workspace_id, owner_id);
-- Last, on purpose: while a table has no statistics yet the planner takes the newest of equally good indexes, and by this one
-- the refresh finds a deal. By another it would walk through the workspace for each.
alter table public.analytics_deals add primary key (workspace_id, deal_id);
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
  left_month date
);
comment on table public.analytics_stage_visits is 'Each stay of a live deal in a stage, from the stage history. Read only for clients.';
comment on column public.analytics_stage_visits.visit is '1 for the first stay of the deal, and so on.';
comment on column public.analytics_stage_visits.stage_key is 'As it was then: the workspace may have no such stage any more.';
comment on column public.analytics_stage_visits.days is 'Between coming and leaving; null while the deal is there.';
comment on column public.analytics_stage_visits.outcome is 'What became of the deal, as it stands now; open includes on hold.';
comment on column public.analytics_stage_visits.first_visit is 'The deal''s first stay in this stage: what conversion counts.';
comment on column public.analytics_stage_visits.advanced is 'Later the deal was in won, or in an open stage further on.';
create index analytics_stage_visits_stage_idx on public.analytics_stage_visits (workspace_id, stage_key, entered_at);
-- Last, for the same reason.
alter table public.analytics_stage_visits add primary key (workspace_id, deal_id, visit);
select private.apply_engine_rules('public.analytics_stage_visits', 'stage visits');

-- Working them out ------------------------------------------------------------------------------------------------------

create function private.workspace_zone(workspace uuid) returns text
language plpgsql stable set search_path = '' as $$
declare
  zone constant text := (select w.time_zone from public.workspaces w where w.id = workspace);
begin
  perform now() at time zone zone;
  return coalesce(zone, 'UTC');
exception when invalid_parameter_value then
  return 'UTC';
end
$$;
comment on function private.workspace_zone(uuid) is 'The time zone of a workspace; UTC where that is no zone that the database knows.';

-- CRMs and people write what they like there: names, objects with a name, nested lists. What has no name is left out.
create function private.competitor_names(info jsonb) returns text[]
language sql immutable parallel safe set search_path = '' as $$
  select coalesce((array_agg(distinct n.name))[1:20], '{}')
  from jsonb_array_elements(case jsonb_typeof(info) when 'array' then info else '[]' end) e
  cross join lateral (
    select v.value
    from (values (1, e), (2, e -> 'name'), (3, e -> 'competitor'), (4, e -> 'company')) v (place, value)
    where jsonb_typeof(v.value) = 'string'
    order by v.place
    limit 1
  ) first
  cross join lateral (select left(lower(btrim(first.value #>> '{}')), 100) as name) n
  where n.name <> ''
$$;
comment on function private.competitor_names(jsonb) is 'The names in competitor_info, in lower case, each once, twenty at most.';

-- What follows finds rows deal by deal, in this order: each lateral with an offset is a fence. A table that was filled a moment
-- ago looks nearly empty to the planner, which would then begin with it and walk through the ids for each of its rows.
create function private.stage_visits_of(p_workspace uuid, p_deals uuid[]) returns setof public.analytics_stage_visits
language sql stable set search_path = '' set enable_seqscan = off as $$
  with stages as materialized (
    select s.key, s.kind, s.position from public.pipeline_stages s where s.workspace_id = p_workspace
  ),
  entries as (
    select h.pipeline_project_id as deal_id, h.to_stage, h.changed_at, h.seq, d.stage_key as last_stage,
      lag(h.to_stage) over (partition by h.pipeline_project_id order by h.changed_at, h.seq) as former
    from unnest(p_deals) t (id)
    cross join lateral (select * from public.pipeline_projects x where x.id = t.id offset 0) d
    cross join lateral (select * from public.pipeline_stage_history x where x.workspace_id = p_workspace and x.pipeline_project_id = t.id offset 0) h
    where d.workspace_id = p_workspace and d.deleted_at is null
  ),
  -- A stage that was entered from itself is one stay. A stage that the workspace has no more is behind nothing but won.
  stays as (
    select e.deal_id, e.to_stage, e.changed_at, e.last_stage,
      row_number() over deal as visit,
      row_number() over (partition by e.deal_id, e.to_stage order by e.changed_at, e.seq) = 1 as first_visit,
      lead(e.changed_at) over deal as left_at,
      lead(e.to_stage) over deal as next_stage,
      coalesce(s.position, 2147483647) as position,
      max(case s.kind when 'won' then 2147483648 when 'open' then s.position end) over (deal rows between 1 following and unbounded following) as furthest
    from entries e
    left join stages s on s.key = e.to_stage
    where e.to_stage is distinct from e.former
    window deal as (partition by e.deal_id order by e.changed_at, e.seq)
  )
  select p_workspace, v.deal_id, v.visit::int, v.to_stage, v.changed_at, v.left_at, v.next_stage,
    round(extract(epoch from v.left_at - v.changed_at) / 86400, 4),
    case when s.kind in ('won', 'lost') then s.kind else 'open' end,
    v.first_visit, coalesce(v.furthest > v.position, false),
    date_trunc('month', v.changed_at at time zone z.zone)::date, date_trunc('month', v.left_at at time zone z.zone)::date
  from stays v
  -- Offset: asked once, not once a row.
  cross join (select private.workspace_zone(p_workspace) as zone offset 0) z
  left join stages s on s.key = v.last_stage
$$;
comment on function private.stage_visits_of(uuid, uuid[]) is 'The stays of these deals in their stages, by their history and the stages as they are defined now.';

-- Reads the stays that are stored, so it comes after them.
create function private.deal_facts_of(p_workspace uuid, p_deals uuid[]) returns setof public.analytics_deals
language sql stable set search_path = '' set enable_seqscan = off as $$
  select d.workspace_id, d.id, d.name, c.created_day, v.first_day, d.stage_key, s.kind, d.estimated_value, d.currency, d.probability,
    d.owner_id, d.owner_label, coalesce(d.owner_id::text, btrim(d.owner_label), ''),
    lower(btrim(coalesce(d.deal_source, ''))),
    width_bucket(d.estimated_value, p.bands),
    case when s.kind = 'lost' then left(lower(btrim(coalesce(d.lost_reason, ''))), 200) end,
    private.competitor_names(d.competitor_info),
    coalesce(v.entered_at, d.created_at),
    c.closed_day, case when c.closed_day >= c.created_day then c.closed_day - c.created_day end,
    coalesce(v.reopened, 0), coalesce(m.slips, 0), coalesce(private.plausible_day(d.expected_close_date) - m.first_date, 0),
    private.plausible_day(d.expected_close_date),
    greatest(a.at, n.at, k.at)
  from unnest(p_deals) t (id)
  cross join lateral (select * from public.pipeline_projects x where x.id = t.id offset 0) d
  join public.pipeline_stages s on s.workspace_id = d.workspace_id and s.key = d.stage_key
  cross join (
    select private.workspace_zone(p_workspace) as zone,
      coalesce((select x.size_bands from public.planning_settings x where x.workspace_id = p_workspace), '{}') as bands
    offset 0
  ) p
  cross join lateral (
    select (min(x.entered_at) at time zone p.zone)::date as first_day, max(x.entered_at) as entered_at,
      count(*) filter (where gone_from.kind in ('won', 'lost') and coalesce(came_to.kind, 'open') in ('open', 'on_hold') and x.next_stage is not null)::int as reopened
    from public.analytics_stage_visits x
    left join public.pipeline_stages gone_from on gone_from.workspace_id = x.workspace_id and gone_from.key = x.stage_key
    left join public.pipeline_stages came_to on came_to.workspace_id = x.workspace_id and came_to.key = x.next_stage
    where x.workspace_id = d.workspace_id and x.deal_id = d.id
  ) v
  cross join lateral (
    select coalesce(least(private.plausible_day((d.created_at at time zone p.zone)::date), v.first_day), current_date) as created_day,
      case when s.kind in ('won', 'lost') then
        coalesce(private.plausible_day(d.actual_close_date), v.last_day, private.plausible_day((d.created_at at time zone p.zone)::date), current_date)
      end as closed_day
    from (select v.first_day, (v.entered_at at time zone p.zone)::date as last_day) v
  ) c
  cross join lateral (
    select count(*) filter (where x.new_date > x.old_date)::int as slips,
      (array_agg(coalesce(private.plausible_day(x.old_date), private.plausible_day(x.new_date)) order by x.changed_at, x.id))[1] as first_date
    from public.pipeline_date_history x
    where x.workspace_id = d.workspace_id and x.pipeline_project_id = d.id and x.field = 'expected_close_date'
  ) m
  cross join lateral (select max(x.created_at) as at from public.crm_activities x where x.entity_id = d.id) a
  cross join lateral (select max(x.created_at) as at from public.crm_notes x where x.workspace_id = d.workspace_id and x.deal_id = d.id) n
  cross join lateral (select max(x.updated_at) as at from public.crm_tasks x where x.workspace_id = d.workspace_id and x.deal_id = d.id) k
  where d.workspace_id = p_workspace and d.deleted_at is null
$$;
comment on function private.deal_facts_of(uuid, uuid[]) is 'The facts of these deals, without those that are deleted.';

revoke execute on function private.workspace_zone(uuid), private.competitor_names(jsonb),
  private.stage_visits_of(uuid, uuid[]), private.deal_facts_of(uuid, uuid[]) from public, anon, authenticated, service_role;
