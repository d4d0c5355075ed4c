-- Limits: how many calls a day has. The CRM's headers say what is left; between two answers, and where the CRM does not say, we count.
-- Sending our changes may use all of it, reading what changed stops a little before the end, and the first reading of everything
-- well before: the last calls of a day are for what people wait for.

create table private.crm_quotas (
  config_id uuid primary key references public.crm_sync_configs (id) on delete cascade,
  time_zone text not null default 'UTC',
  day_limit int,
  day_left int,
  counted int not null default 0,
  as_of timestamptz not null,
  probes int not null default 0
);
alter table private.crm_quotas enable row level security;
revoke all on private.crm_quotas from public, anon, authenticated, service_role;
comment on table private.crm_quotas is 'The calls of the day of each connection, as far as known.';
comment on column private.crm_quotas.time_zone is 'The account''s: HubSpot''s day begins at its midnight.';
comment on column private.crm_quotas.counted is 'Calls handed out since as_of, which day_left does not know of.';
comment on column private.crm_quotas.probes is 'Tries in a row that found the quota of a rolling day still used up. Each makes the next pause longer.';

insert into private.crm_engine_settings (name, value, about) values
  ('share_push', 1, 'Share of a day''s calls that sending our changes may use.'),
  ('share_incremental', 0.9, 'Share of a day''s calls after which reading what changed pauses.'),
  ('share_backfill', 0.6, 'Share of a day''s calls after which the first reading of everything pauses.'),
  ('hubspot_daily_calls', 0, 'Calls a day where HubSpot does not say (apps with OAuth); 0: no daily limit is assumed. Private apps: 250000, 625000 or 1000000.'),
  ('salesforce_daily_calls', 0, 'Calls a day until Salesforce has said (it does with each answer).');

create function private.crm_day_began(p_time_zone text, p_now timestamptz) returns timestamptz
language sql
stable
set search_path = ''
as $$
  select private.first_at_local((p_now at time zone p_time_zone)::date::timestamp, p_time_zone)
$$;

-- The quota as it is now. A day of HubSpot begins anew at midnight of the account; Salesforce counts the last 24 hours.
create function private.crm_current_quota(p_quota private.crm_quotas, p_provider text, p_now timestamptz) returns private.crm_quotas
language plpgsql
stable
set search_path = ''
as $$
declare
  v_quota private.crm_quotas := p_quota;
begin
  v_quota.day_limit := coalesce(v_quota.day_limit, nullif(private.crm_setting(p_provider || '_daily_calls'), 0)::int);
  if p_provider = 'hubspot' and v_quota.as_of < private.crm_day_began(v_quota.time_zone, p_now) then
    v_quota.day_left := v_quota.day_limit;
    v_quota.counted := 0;
    v_quota.as_of := p_now;
  end if;
  v_quota.day_left := coalesce(v_quota.day_left, v_quota.day_limit);
  return v_quota;
end
$$;

-- Calls left for a purpose; null where no limit is known.
create function private.crm_calls_left(p_quota private.crm_quotas, p_purpose text) returns int
language sql
stable
set search_path = ''
as $$
  -- greatest() would take an unknown number for none.
  select case when p_quota.day_left is not null then greatest(0, p_quota.day_left - p_quota.counted
    - ceil(coalesce(p_quota.day_limit, 0) * (1 - private.crm_setting('share_' || p_purpose)))::int) end
$$;

-- When there are calls again: at the account's midnight, or, for a rolling day, when it is worth asking.
create function private.crm_quota_returns_at(p_quota private.crm_quotas, p_provider text, p_now timestamptz) returns timestamptz
language sql
stable
set search_path = ''
as $$
  select case p_provider
    when 'hubspot' then private.crm_next_daily('00:00', p_quota.time_zone, p_now)
    else p_quota.as_of + interval '1 hour' * least(4, 2 ^ p_quota.probes)
  end
$$;

-- What the CRM said with an answer: {"daily_left", "daily_limit"}, {"quota_gone": true}, {"too_many": true, "retry_after_ms"}, each with "family".
create function private.crm_report_calls(
  p_config uuid, p_provider text, p_report jsonb, p_now timestamptz default clock_timestamp()
) returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into private.crm_quotas (config_id, as_of) values (p_config, p_now) on conflict (config_id) do nothing;
  if p_report ->> 'daily_left' is not null or (p_report ->> 'quota_gone')::boolean then
    update private.crm_quotas q
    set day_left = coalesce((p_report ->> 'daily_left')::int, 0), day_limit = coalesce((p_report ->> 'daily_limit')::int, q.day_limit),
      counted = 0, as_of = p_now
    where q.config_id = p_config;
  end if;
  if (p_report ->> 'too_many')::boolean then
    perform private.crm_hold_bucket(p_config, p_provider, p_report ->> 'family', (p_report ->> 'retry_after_ms')::int, p_now);
  end if;
end
$$;

-- Takes calls for a purpose (push, incremental, backfill), after hearing what the CRM last said. until: the quota of the day is
-- gone for this purpose, and returns then.
create function private.crm_take_calls(
  p_config uuid, p_provider text, p_family text, p_purpose text, p_wanted int, p_report jsonb default null,
  p_now timestamptz default clock_timestamp()
) returns table (granted int, wait_ms int, spacing_ms numeric, tolerance_ms numeric, bucket text, until timestamptz)
language plpgsql
set search_path = ''
as $$
declare
  v_quota private.crm_quotas;
  v_left int;
  v_returns_at timestamptz;
begin
  if p_purpose is null or p_purpose not in ('push', 'incremental', 'backfill') then
    raise exception 'Calls are taken for push, incremental or backfill, not for "%".', p_purpose using errcode = 'PC004';
  end if;
  perform private.crm_report_calls(p_config, p_provider, p_report, p_now);
  select * into v_quota from private.crm_quotas q where q.config_id = p_config for update;
  v_quota := private.crm_current_quota(v_quota, p_provider, p_now);
  v_left := private.crm_calls_left(v_quota, p_purpose);
  if v_left = 0 then
    v_returns_at := private.crm_quota_returns_at(v_quota, p_provider, p_now);
    if v_returns_at > p_now then
      update private.crm_quotas q
      set day_limit = v_quota.day_limit, day_left = v_quota.day_left, counted = v_quota.counted, as_of = v_quota.as_of
      where q.config_id = p_config;
      return query select 0, 0, 0::numeric, 0::numeric, p_family, v_returns_at;
      return;
    end if;
    -- Worth asking: one call, and a longer pause if that is too early.
    v_left := 1;
    v_quota.probes := v_quota.probes + 1;
    v_quota.as_of := p_now;
  else
    v_quota.probes := 0;
  end if;

  select b.granted, b.wait_ms, b.spacing_ms, b.tolerance_ms, b.bucket into granted, wait_ms, spacing_ms, tolerance_ms, bucket
  from private.crm_take_from_bucket(p_config, p_provider, p_family, least(p_wanted, v_left), p_now) b;
  update private.crm_quotas q
  set day_limit = v_quota.day_limit, day_left = v_quota.day_left, counted = v_quota.counted + granted, as_of = v_quota.as_of,
    probes = v_quota.probes
  where q.config_id = p_config;
  return next;
end
$$;

revoke execute on function
  private.crm_day_began(text, timestamptz), private.crm_current_quota(private.crm_quotas, text, timestamptz),
  private.crm_calls_left(private.crm_quotas, text), private.crm_quota_returns_at(private.crm_quotas, text, timestamptz),
  private.crm_report_calls(uuid, text, jsonb, timestamptz),
  private.crm_take_calls(uuid, text, text, text, int, jsonb, timestamptz)
  from public, anon, authenticated, service_role;

-- The account's time zone, as the CRM named it when it was connected.
-- A zone that nobody knows is left alone. Tried out: the list of all zones reads hundreds of files.
create function private.crm_keep_time_zone(p_config uuid, p_time_zone text) returns void
language plpgsql
set search_path = ''
as $$
begin
  if now() at time zone p_time_zone is null then
    return;
  end if;
  insert into private.crm_quotas as q (config_id, time_zone, as_of)
  values (p_config, p_time_zone, clock_timestamp())
  on conflict (config_id) do update set time_zone = excluded.time_zone;
exception when invalid_parameter_value then
  return;
end
$$;
revoke execute on function private.crm_keep_time_zone(uuid, text) from public, anon, authenticated, service_role;
