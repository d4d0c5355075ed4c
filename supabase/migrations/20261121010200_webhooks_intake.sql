-- Webhooks: what a CRM tells us the moment it happens. A message is only a hint which record to fetch: it is checked, kept from being
-- taken twice, and turned into records to fetch by name. Nothing of its content is kept.

-- Messages come more than once. The key is a hash, so its size does not depend on the sender.
create table private.crm_webhook_deliveries (
  delivery_key bytea primary key,
  received_at timestamptz not null default clock_timestamp()
);
create index crm_webhook_deliveries_received_idx on private.crm_webhook_deliveries (received_at);
alter table private.crm_webhook_deliveries enable row level security;
revoke all on private.crm_webhook_deliveries from public, anon, authenticated, service_role;
comment on table private.crm_webhook_deliveries is 'Events that were taken. Both CRMs give up repeating one after 24 hours; it is forgotten here after three days.';

create table private.crm_webhook_counts (
  crm_provider text not null,
  day date not null,
  outcome text not null check (outcome in ('accepted', 'duplicate', 'unknown_account', 'not_synced')),
  events bigint not null default 0,
  primary key (crm_provider, day, outcome)
);
alter table private.crm_webhook_counts enable row level security;
revoke all on private.crm_webhook_counts from public, anon, authenticated, service_role;
comment on table private.crm_webhook_counts is 'Events per day and what became of them. The sender is told none of it.';

-- Events as [{"key", "account", "entity", "crm_ids": […], "reason"}]. p_config narrows to one connection. Answers the counts.
create function private.crm_accept_webhook(p_provider text, p_events jsonb, p_config uuid default null) returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_counts jsonb;
  v_named jsonb;
begin
  with events as materialized (
    select distinct on (e.key) e.*, sha256(convert_to(p_provider || ':' || e.key, 'UTF8')) as delivery_key
    from jsonb_to_recordset(p_events) as e (key text, account text, entity text, crm_ids text[], reason text)
    order by e.key
  ),
  -- In one order, so that two deliveries of the same events do not block each other.
  fresh as (
    insert into private.crm_webhook_deliveries (delivery_key)
    select e.delivery_key from events e order by e.delivery_key
    on conflict do nothing
    returning delivery_key
  ),
  meant as materialized (
    select e.delivery_key, e.entity, e.crm_ids, e.reason, c.id as config_id, coalesce(e.entity = any (c.sync_entities), false) as is_synced
    from events e
    join fresh f on f.delivery_key = e.delivery_key
    left join public.crm_sync_configs c on c.crm_provider = p_provider and c.external_account_id = e.account
      and c.status <> 'disconnected' and (p_config is null or c.id = p_config)
  ),
  outcomes as (
    select case when not bool_or(m.config_id is not null) then 'unknown_account' when bool_or(m.is_synced) then 'accepted' else 'not_synced' end as outcome
    from meant m
    group by m.delivery_key
    union all
    select 'duplicate' from generate_series(1, jsonb_array_length(p_events) - (select count(*) from fresh))
  ),
  named as (
    select m.config_id, m.entity, min(m.reason) as reason, array_agg(distinct i.id order by i.id) as crm_ids
    from meant m, unnest(m.crm_ids) i (id)
    where m.is_synced
    group by m.config_id, m.entity
  )
  select (select coalesce(jsonb_object_agg(o.outcome, o.n), '{}') from (select outcome, count(*) as n from outcomes group by outcome) o),
    (select coalesce(jsonb_agg(to_jsonb(n) order by n.config_id, n.entity), '[]') from named n)
  into v_counts, v_named;

  perform private.crm_mark_dirty(n.config_id, n.entity, n.crm_ids, n.reason)
  from jsonb_to_recordset(v_named) as n (config_id uuid, entity text, crm_ids text[], reason text);
  insert into private.crm_webhook_counts as w (crm_provider, day, outcome, events)
  select p_provider, current_date, o.key, o.value::bigint from jsonb_each_text(v_counts) o order by o.key
  on conflict (crm_provider, day, outcome) do update set events = w.events + excluded.events;
  perform private.crm_wake_named(array(select distinct n.config_id from jsonb_to_recordset(v_named) as n (config_id uuid)));
  return v_counts;
end
$$;

-- A run for each connection of which records were named. One that is live looks again when it ends; a connection that only a person
-- starts, that is paused, that only sends or whose runs fail keeps the names
-- for its next run.
create function private.crm_wake_named(p_configs uuid[]) returns void
language plpgsql
set search_path = ''
as $$
begin
  -- All before the first run is queued: see crm_fill_places.
  perform from public.crm_sync_configs c where c.id = any (p_configs) order by c.id for no key update;
  perform private.crm_enqueue(c, array(
      select e from unnest(c.sync_entities) e
      where exists (select from private.crm_dirty d where d.config_id = c.id and d.entity_type = e)),
    null, 'webhook', '{dirty,push}')
  from public.crm_sync_configs c
  join public.workspaces w on w.id = c.workspace_id and w.deleted_at is null
  where c.id = any (p_configs) and c.status = 'connected' and c.is_active
    and c.sync_frequency <> 'manual' and c.sync_direction <> 'push'
    and (c.failed_runs = 0 or c.last_sync_at + private.crm_back_off(c.failed_runs, c.id) <= clock_timestamp());
end
$$;

create function private.crm_purge_webhook_deliveries() returns void
language sql
set search_path = ''
as $$
  delete from private.crm_webhook_deliveries d where d.received_at < now() - interval '3 days';
  delete from private.crm_webhook_counts c where c.day < current_date - 90;
$$;

revoke execute on function private.crm_accept_webhook(text, jsonb, uuid), private.crm_wake_named(uuid[]), private.crm_purge_webhook_deliveries()
  from public, anon, authenticated, service_role;

select cron.schedule('crm-webhook-deliveries', '23 * * * *', 'select private.crm_purge_webhook_deliveries()');
