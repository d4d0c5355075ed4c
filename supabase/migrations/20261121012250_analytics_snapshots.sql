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
  period_start date not null check (period_start between '1900-01-01' and '2199-12-31'),
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

select private.apply_reference_rules('public.pipeline_targets', 'targets');

-- Coverage ---------------------------------------------------------------------------------------------------------------

create view public.pipeline_coverage with (security_invoker = true) as
select t.id as target_id, t.workspace_id, t.owner_id, u.display_name as owner_name, t.period, t.period_start, e.period_end, t.currency, t.amount as target,
  c.closed, greatest(t.amount - c.closed, 0) as remaining, private.share_in_percent(c.closed, t.amount) as attained,
  o.open_value, o.weighted_value, round(o.open_value / nullif(greatest(t.amount - c.closed, 0), 0), 2) as coverage
from public.pipeline_targets t
left join public.workspace_members u on u.workspace_id = t.workspace_id and u.user_id = t.owner_id
cross join lateral (
  select (t.period_start + case t.period when 'month' then interval '1 month' when 'quarter' then interval '3 months' else interval '1 year' end)::date - 1 as period_end
) e
cross join lateral (
  select coalesce(sum(m.won_value), 0) as closed
  from public.analytics_outcome_months m
  where m.workspace_id = t.workspace_id and m.dimension = case when t.owner_id is null then 'all' else 'owner' end
    and m.key = coalesce(t.owner_id::text, '') and m.currency = t.currency and m.month between t.period_start and e.period_end
) c
cross join lateral (
  select coalesce(sum(m.value), 0) as open_value, coalesce(sum(m.weighted_value), 0) as weighted_value
  from public.analytics_open_months m
  where m.workspace_id = t.workspace_id and (t.owner_id is null or m.owner_key = t.owner_id::text) and m.currency = t.currency
    and m.month between t.period_start and e.period_end
) o;
comment on view public.pipeline_coverage is 'Each target with what was won of it and what the pipeline holds for the rest, in the currency of the target.';
comment on column public.pipeline_coverage.attained is 'closed in per cent of the target.';
comment on column public.pipeline_coverage.open_value is 'Of the open deals that are expected to close in a month of the period; weighted_value times their probability.';
comment on column public.pipeline_coverage.coverage is 'open_value for each unit of remaining; null when the target is met.';
revoke all on table public.pipeline_coverage from public, anon, authenticated, service_role;
grant select on table public.pipeline_coverage to authenticated, service_role;

-- Snapshots --------------------------------------------------------------------------------------------------------------

-- From the deals themselves, for the facts may be behind. The same day twice is the same rows.
create function private.take_snapshot(p_workspace uuid, p_day date) returns void
language plpgsql set search_path = '' as $$
begin
  delete from public.pipeline_snapshots s where s.workspace_id = p_workspace and s.day = p_day;
  insert into public.pipeline_snapshots (workspace_id, day, stage_key, owner_key, currency, deals, value, weighted_value, expected_this_quarter)
  select p_workspace, p_day, d.stage_key, coalesce(d.owner_id::text, btrim(d.owner_label), ''), d.currency, count(*),
    coalesce(sum(d.estimated_value), 0), coalesce(sum(d.weighted_value), 0),
    coalesce(sum(d.estimated_value) filter (where d.expected_close_date between q.first_day and (q.first_day + interval '3 months')::date - 1), 0)
  from public.pipeline_projects d
  cross join (select date_trunc('quarter', p_day::timestamp)::date as first_day) q
  where d.workspace_id = p_workspace and d.deleted_at is null
  group by d.stage_key, coalesce(d.owner_id::text, btrim(d.owner_label), ''), d.currency;
  insert into public.analytics_state as s (workspace_id, snapshot_day) values (p_workspace, p_day)
  on conflict (workspace_id) do update set snapshot_day = excluded.snapshot_day;
end
$$;

-- Each hour, for in each hour a day begins somewhere. A day on which nothing ran has no snapshot: the deals have moved on.
create function private.take_due_snapshots(p_now timestamptz default now()) returns int
language plpgsql set search_path = '' as $$
declare
  v_workspace record;
  v_taken int := 0;
begin
  for v_workspace in
    select w.id, z.today
    from public.workspaces w
    left join public.analytics_state s on s.workspace_id = w.id
    cross join lateral (select (p_now at time zone private.workspace_zone(w.id))::date as today) z
    where w.deleted_at is null and (s.snapshot_day is null or s.snapshot_day < z.today)
    order by s.snapshot_day nulls first, w.id
  loop
    begin
      -- In turn with a refresh, which writes the same totals. A refresh does not wait for us, so nobody waits in a circle.
      perform pg_advisory_xact_lock(hashtextextended('analytics:' || v_workspace.id, 0));
      perform private.take_snapshot(v_workspace.id, v_workspace.today);
      -- With a month a period may end, also where no deal changes.
      perform private.count_stage_times(v_workspace.id);
      v_taken := v_taken + 1;
    exception when others then
      raise warning 'No snapshot of workspace %: % (%)', v_workspace.id, sqlerrm, sqlstate;
    end;
  end loop;
  return v_taken;
end
$$;
comment on function private.take_due_snapshots(timestamptz) is 'Takes the snapshot of each workspace whose day has begun, and answers of how many.';

insert into private.retention_settings (subject, keep, about) values
  ('snapshots', '3 years', 'The daily state of the pipeline.');

create function private.retain_snapshots(p_most int default 20000) returns bigint
language sql set search_path = '' as $$
  with gone as (
    delete from public.pipeline_snapshots s
    where (s.workspace_id, s.day, s.stage_key, s.owner_key, s.currency) in (
      select o.workspace_id, o.day, o.stage_key, o.owner_key, o.currency from public.pipeline_snapshots o
      where o.day < private.retention_cutoff('snapshots')::date
      limit p_most)
    returning 1
  )
  select count(*) from gone
$$;
comment on function private.retain_snapshots(int) is 'Removes snapshots that are older than their setting, so many at most, and answers how many went.';
create index pipeline_snapshots_day_idx on public.pipeline_snapshots (day);

revoke execute on function private.take_snapshot(uuid, date), private.take_due_snapshots(timestamptz), private.retain_snapshots(int)
  from public, anon, authenticated, service_role;

select cron.schedule('analytics-snapshots', '20 * * * *', 'select private.take_due_snapshots()');
select cron.schedule('analytics-retention', '50 3 * * *', 'select private.retain_snapshots()');
