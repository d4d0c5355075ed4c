-- Analytics: the queue is worked off: what the touched deals had added goes out of the totals, what they add now goes in.

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

revoke execute on function private.store_deal_facts(uuid, uuid[]), private.refresh_deals(uuid, uuid[]), private.take_queued_deals(uuid, int),
  private.refresh_workspace(uuid, int), private.refresh_queued(int, int), private.rebuild_analytics(uuid)
  from public, anon, authenticated, service_role;
revoke execute on function public.refresh_analytics(uuid), private.analytics_waiting() from public, anon, authenticated, service_role;
grant execute on function public.refresh_analytics(uuid), private.analytics_waiting() to authenticated, service_role;

select cron.schedule('analytics-refresh', '* * * * *', 'select private.refresh_queued()');
