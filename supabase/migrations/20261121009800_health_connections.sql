-- Health: how each connection does, and what helps.

-- Definer: what waits is internal, how much of it is not. Members see their own workspaces', the secret key all.
create function private.crm_queue_depths()
returns table (config_id uuid, to_push bigint, to_fetch bigint, dead bigint, waiting_since timestamptz)
language sql
stable
security definer
set search_path = ''
as $$
  with mine as materialized (
    select c.id
    from public.crm_sync_configs c
    where c.workspace_id = any (array(select private.my_workspace_ids())) or (select auth.role()) = 'service_role'
  )
  select m.id, coalesce(x.live, 0), coalesce(d.records, 0), coalesce(x.dead, 0), least(x.since, d.since)
  from mine m
  left join lateral (
    -- What waits for an edit or for a person is not waiting for us.
    select count(*) filter (where not q.dead and q.not_before < 'infinity') as live, count(*) filter (where q.dead) as dead,
      min(q.enqueued_at) filter (where not q.dead and q.not_before <= now()) as since
    from private.crm_outbox q where q.config_id = m.id) x on true
  left join lateral (
    select count(*) as records, min(q.waiting_since) as since from private.crm_dirty q where q.config_id = m.id) d on true
$$;
comment on function private.crm_queue_depths() is 'Records per connection that wait to be pushed or fetched; of the caller''s workspaces only.';
revoke execute on function private.crm_queue_depths() from public, anon;
grant execute on function private.crm_queue_depths() to authenticated, service_role;

-- Definer: as above. Null where nobody has said how many calls a day has.
create function private.crm_calls_left_today(p_config uuid) returns int
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    select greatest(n.day_left - n.counted, 0)
    from private.crm_quotas q
    join public.crm_sync_configs c on c.id = q.config_id
    cross join lateral private.crm_current_quota(q, c.crm_provider, now()) n
    where q.config_id = p_config
      and (c.workspace_id = any (array(select private.my_workspace_ids())) or (select auth.role()) = 'service_role')
  );
end
$$;
revoke execute on function private.crm_calls_left_today(uuid) from public, anon;
grant execute on function private.crm_calls_left_today(uuid) to authenticated, service_role;

-- How long a connection may go without a success before somebody should know: twice what its frequency promises.
create function private.crm_patience(p_frequency text) returns interval
language sql
immutable
set search_path = ''
as $$
  select case p_frequency when 'realtime' then interval '15 minutes' when 'hourly' then interval '2 hours' when 'daily' then interval '2 days' end
$$;
revoke execute on function private.crm_patience(text) from public, anon;
grant execute on function private.crm_patience(text) to authenticated, service_role;

-- One sentence: what is the matter and what to do. In the order of what has to be mended first.
create function private.crm_health_verdict(
  p_config public.crm_sync_configs, p_late boolean, p_failures bigint, p_dead bigint, p_errors bigint, p_conflicts bigint
) returns table (status text, advice text)
language sql
stable
set search_path = ''
as $$
  select v.status, v.advice
  from (
    select case when p_config.next_sync_at is not null then
      format('It is tried again by itself at %s UTC', to_char(p_config.next_sync_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'))
        || case when p_config.sync_frequency = 'realtime' then ', later after each failure.' else '.' end end as sentence
  ) t
  cross join lateral (values
    (1, p_config.status = 'disconnected', 'broken', 'Disconnected. Connect the same account again to go on; mappings and links are kept.'),
    (2, p_config.status = 'error', 'broken', coalesce(p_config.status_reason || ' ', '') || 'Reconnect the CRM; mappings and links are kept.'),
    (3, not p_config.is_active, 'attention', 'Switched off. Set is_active to let it sync again.'),
    (4, p_config.status = 'paused', 'attention', 'Paused. Resume it when it may sync again.'),
    (5, p_failures >= 3, 'broken', 'The last runs failed: ' || coalesce(p_config.last_sync_error || ' ', '') || 'Look at the errors, then retry the last run.' || coalesce(' ' || t.sentence, '')),
    (6, p_late, 'late', 'No sync got through for longer than it should take. If a run is live, look at its timeline; if none is, ask the operator whether the schedule runs.'),
    (7, p_config.last_sync_status = 'failed', 'attention', 'The last run failed: ' || coalesce(p_config.last_sync_error || ' ', '') || coalesce(t.sentence || ' ', '') || 'Retry it to do so now.'),
    (8, p_dead > 0, 'attention', format('%s records were given up after several tries. Mend them as their errors say, then retry them.', p_dead)),
    (9, p_errors > 0, 'attention', format('%s errors are open. Mend the records as the errors say, then retry them.', p_errors)),
    (10, p_conflicts > 0, 'attention', format('%s conflicts wait for a decision.', p_conflicts)),
    (11, true, 'ok', 'Nothing to do.')) v (place, applies, status, advice)
  where v.applies
  order by v.place
  limit 1
$$;
revoke execute on function private.crm_health_verdict(public.crm_sync_configs, boolean, bigint, bigint, bigint, bigint) from public, anon;
grant execute on function private.crm_health_verdict(public.crm_sync_configs, boolean, bigint, bigint, bigint, bigint) to authenticated, service_role;

create view public.crm_sync_health with (security_invoker = true) as
select c.workspace_id, c.id as config_id, c.name, c.crm_provider, v.status, v.advice,
  r.last_success_at, extract(epoch from now() - coalesce(r.last_success_at, c.created_at))::int as lag_seconds, c.next_sync_at,
  q.to_push + q.to_fetch as queue_depth, q.to_push, q.to_fetch, q.waiting_since,
  e.open_errors, e.dead_errors, l.error_rate_24h, k.pending_conflicts, r.p95_duration_seconds,
  private.crm_calls_left_today(c.id) as quota_left
from public.crm_sync_configs c
left join private.crm_queue_depths() q on q.config_id = c.id
cross join lateral (
  select max(o.completed_at) filter (where o.status in ('completed', 'partial')) as last_success_at,
    round((percentile_cont(0.95) within group (order by extract(epoch from o.completed_at - o.started_at))
      filter (where o.status in ('completed', 'partial') and o.completed_at > now() - interval '7 days'))::numeric, 1) as p95_duration_seconds,
    count(*) filter (where o.turn <= 3 and o.status = 'failed') as failures
  from (
    -- Plans and undos say nothing about how the sync does. A week of one-minute runs is some ten thousand.
    select n.status, n.started_at, n.completed_at, row_number() over (order by n.created_at desc) as turn
    from public.crm_sync_operations n
    where n.workspace_id = c.workspace_id and n.config_id = c.id and n.operation in ('sync', 'import', 'export') and n.completed_at is not null
    order by n.created_at desc
    limit 10000
  ) o
) r
cross join lateral (
  select count(*) filter (where x.status = 'open') as open_errors, count(*) filter (where x.status = 'dead') as dead_errors
  from public.crm_sync_errors x
  where x.workspace_id = c.workspace_id and x.config_id = c.id and x.status in ('open', 'dead')
) e
cross join lateral (
  select round(sum(x.records_failed)::numeric / nullif(sum(x.records_processed), 0), 4) as error_rate_24h
  from public.crm_sync_logs x
  where x.workspace_id = c.workspace_id and x.config_id = c.id and x.started_at > now() - interval '24 hours'
) l
cross join lateral (
  select count(*) as pending_conflicts
  from public.crm_sync_conflicts x
  where x.workspace_id = c.workspace_id and x.config_id = c.id and x.status = 'pending'
) k
cross join lateral private.crm_health_verdict(
  c, coalesce(now() - coalesce(r.last_success_at, c.created_at) > private.crm_patience(c.sync_frequency), false),
  r.failures, e.dead_errors, e.open_errors, k.pending_conflicts) v;

comment on view public.crm_sync_health is
  'How each connection does: status ok, late, attention or broken, and a sentence on what to do.';
comment on column public.crm_sync_health.lag_seconds is 'Since the last run that got through, completed or partial; since connecting where none has.';
comment on column public.crm_sync_health.queue_depth is 'Records that wait: to_push for the way to the CRM, to_fetch for a look at what was named there.';
comment on column public.crm_sync_health.error_rate_24h is 'Failed records per processed record of the runs that began in the last 24 hours, 0 to 1; null without runs.';
comment on column public.crm_sync_health.quota_left is 'Calls that the CRM still allows today; null where no limit is known.';
comment on column public.crm_sync_health.p95_duration_seconds is 'Of the runs of the last 7 days that got through.';

revoke all on public.crm_sync_health from public, anon, authenticated, service_role;
grant select on public.crm_sync_health to authenticated, service_role;
