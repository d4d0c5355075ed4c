-- Schedule: when a connection syncs next. Pure functions of their arguments, so the same answer whoever asks.

-- The first instant at which clocks in a time zone show this time or a later one. Where clocks jump over it, the next time that
-- exists; where they show it twice, the first. No zone has moved its clocks by more than two hours in the last century.
create function private.first_at_local(p_local timestamp, p_time_zone text) returns timestamptz
language sql
stable
set search_path = ''
as $$
  select min(t)
  from generate_series((p_local at time zone p_time_zone) - interval '3 hours', p_local at time zone p_time_zone, interval '1 minute') t
  where t at time zone p_time_zone >= p_local
$$;

-- A place of its own within a span for each connection, so that a thousand do not begin together.
create function private.crm_spread(p_config uuid, p_minutes int) returns int
language sql
immutable
set search_path = ''
as $$
  select (hashtextextended(p_config::text, 0) & 2147483647)::int % p_minutes
$$;

create function private.crm_next_hourly(p_minute int, p_time_zone text, p_from timestamptz) returns timestamptz
language sql
stable
set search_path = ''
as $$
  -- Two hours hold every minute of the clock, also where a zone moves its clocks by half an hour.
  select min(t)
  from generate_series(date_trunc('minute', p_from) + interval '1 minute', p_from + interval '2 hours', interval '1 minute') t
  where extract(minute from t at time zone p_time_zone) = p_minute
$$;

create function private.crm_next_daily(p_at time, p_time_zone text, p_from timestamptz) returns timestamptz
language sql
stable
set search_path = ''
as $$
  select min(t)
  from generate_series(-1, 2) d
  cross join lateral private.first_at_local((p_from at time zone p_time_zone)::date + d + p_at, p_time_zone) t
  where t > p_from
$$;

-- How long a connection is left alone after so many failed runs in a row: twice as long each time, up to an hour, and between half
-- and all of that, so that connections that failed together do not come back together.
create function private.crm_back_off(p_failed_runs int, p_config uuid) returns interval
language sql
immutable
set search_path = ''
as $$
  select case when p_failed_runs > 0 then
    least(interval '1 hour', interval '1 minute' * 2 ^ least(p_failed_runs, 10)) * (0.5 + private.crm_spread(p_config, 1000) / 2000.0)
  else interval '0' end
$$;

create function private.crm_next_sync(
  p_frequency text, p_schedule jsonb, p_from timestamptz, p_config uuid, p_failed_runs int default 0
) returns timestamptz
language sql
stable
set search_path = ''
as $$
  select case p_frequency
    when 'realtime' then greatest(date_trunc('minute', p_from) + interval '1 minute', p_from + private.crm_back_off(p_failed_runs, p_config))
    when 'hourly' then private.crm_next_hourly(
      coalesce((p_schedule ->> 'minute')::int, private.crm_spread(p_config, 60)), z.time_zone, p_from)
    -- Without a time, somewhere in the night.
    when 'daily' then private.crm_next_daily(
      coalesce((p_schedule ->> 'daily_at')::time, time '00:00' + make_interval(mins => private.crm_spread(p_config, 360))), z.time_zone, p_from)
  end
  from (select coalesce(p_schedule ->> 'time_zone', 'UTC') as time_zone) z
$$;
comment on function private.crm_next_sync(text, jsonb, timestamptz, uuid, int) is
  'When a connection syncs next after an instant: realtime each minute, later after failed runs, hourly at schedule.minute, daily at schedule.daily_at in schedule.time_zone, manual never (null).';

revoke execute on function
  private.first_at_local(timestamp, text), private.crm_spread(uuid, int), private.crm_next_hourly(int, text, timestamptz),
  private.crm_next_daily(time, text, timestamptz), private.crm_back_off(int, uuid),
  private.crm_next_sync(text, jsonb, timestamptz, uuid, int)
  from public, anon, authenticated, service_role;
