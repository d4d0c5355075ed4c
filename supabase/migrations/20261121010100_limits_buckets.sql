-- Limits: how fast a CRM may be called. All workers of a connection take their calls from one place, a few at a time.
--
-- A bucket is kept as the time of its next free call: calls are a fixed distance apart, so that no window of any length holds more
-- than the CRM allows, whoever makes them. A call that is not made near its time is lost, not saved up.

create table private.crm_call_limits (
  crm_provider text not null,
  family text not null check (family in ('read', 'write', 'search')),
  bucket text not null,
  calls int not null check (calls > 0),
  window_ms int not null check (window_ms > 0),
  lot int not null check (lot > 0),
  primary key (crm_provider, family)
);
alter table private.crm_call_limits enable row level security;
revoke all on private.crm_call_limits from public, anon, authenticated, service_role;
comment on table private.crm_call_limits is
  'What each CRM allows an account: calls per window, and how many of them a worker takes at once. Families with one bucket share it. No row: no such limit.';
insert into private.crm_call_limits (crm_provider, family, bucket, calls, window_ms, lot) values
  ('hubspot', 'read', 'calls', 110, 10000, 5),
  ('hubspot', 'write', 'calls', 110, 10000, 5),
  ('hubspot', 'search', 'search', 5, 1000, 1);

create table private.crm_buckets (
  config_id uuid not null references public.crm_sync_configs (id) on delete cascade,
  bucket text not null,
  next_at timestamptz not null,
  primary key (config_id, bucket)
);
alter table private.crm_buckets enable row level security;
revoke all on private.crm_buckets from public, anon, authenticated, service_role;
comment on column private.crm_buckets.next_at is 'When the next call may go out. After a refusal for too many calls: when the CRM said.';

insert into private.crm_engine_settings (name, value, about) values
  ('rate_share', 0.98, 'Share of a CRM''s rate limit that is used; the rest is for clocks and networks that do not keep time.'),
  ('longest_call_wait_ms', 15000, 'A call whose turn is further off fails as rate limited instead of waiting.');

-- Takes up to so many calls from the bucket of a family. wait_ms is until the first of them, the others follow at spacing_ms; each
-- may be late by tolerance_ms. None granted: wait_ms says when to ask again.
create function private.crm_take_from_bucket(p_config uuid, p_provider text, p_family text, p_wanted int, p_now timestamptz)
returns table (granted int, wait_ms int, spacing_ms numeric, tolerance_ms numeric, bucket text)
language plpgsql
set search_path = ''
as $$
declare
  v_limit private.crm_call_limits;
  v_next timestamptz;
  v_granted int;
begin
  select * into v_limit from private.crm_call_limits l where l.crm_provider = p_provider and l.family = p_family;
  bucket := coalesce(v_limit.bucket, 'calls');
  insert into private.crm_buckets (config_id, bucket, next_at)
  values (p_config, crm_take_from_bucket.bucket, p_now)
  on conflict on constraint crm_buckets_pkey do nothing;
  select greatest(b.next_at, p_now) into v_next
  from private.crm_buckets b
  where b.config_id = p_config and b.bucket = crm_take_from_bucket.bucket
  for update;

  wait_ms := ceil(extract(epoch from v_next - p_now) * 1000);
  -- Half of what is left free goes to calls that are late, half to answers that travel at different speeds.
  spacing_ms := coalesce(v_limit.window_ms / (v_limit.calls * private.crm_setting('rate_share')), 0);
  tolerance_ms := coalesce(v_limit.window_ms * (1 - private.crm_setting('rate_share')) / 2, 60000);
  v_granted := case when wait_ms <= private.crm_setting('longest_call_wait_ms') then least(p_wanted, coalesce(v_limit.lot, 25)) else 0 end;
  if v_granted > 0 then
    update private.crm_buckets b
    set next_at = v_next + make_interval(secs => (v_granted * spacing_ms / 1000)::double precision)
    where b.config_id = p_config and b.bucket = crm_take_from_bucket.bucket;
  end if;
  granted := v_granted;
  return next;
end
$$;

-- The CRM refused a call for too many: nobody calls before the time it named, or before its window is over.
create function private.crm_hold_bucket(p_config uuid, p_provider text, p_family text, p_retry_after_ms int, p_now timestamptz) returns void
language sql
set search_path = ''
as $$
  insert into private.crm_buckets as b (config_id, bucket, next_at)
  select p_config, coalesce(l.bucket, 'calls'), p_now + make_interval(secs => coalesce(p_retry_after_ms, l.window_ms, 10000) / 1000.0)
  from (select 1) one
  left join private.crm_call_limits l on l.crm_provider = p_provider and l.family = p_family
  on conflict (config_id, bucket) do update set next_at = greatest(b.next_at, excluded.next_at)
$$;

revoke execute on function private.crm_take_from_bucket(uuid, text, text, int, timestamptz),
  private.crm_hold_bucket(uuid, text, text, int, timestamptz) from public, anon, authenticated, service_role;
