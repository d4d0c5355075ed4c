-- Planning: what a workspace decides once about its forecasts and its capacity, and the day that it is there.
-- Days are dates everywhere in planning: an instant becomes one at the border, so no change of the clock shortens a week.

-- The rule of reference data: members read, admins write, every column.
create function private.apply_reference_rules(target regclass, noun text) returns void
language plpgsql set search_path = '' as $$
begin
  perform private.apply_settings_rules(target, noun);
  execute format('grant insert, update on table %s to authenticated, service_role', target);
  execute format('create trigger keep_workspace before update of workspace_id on %s
    for each row when (new.workspace_id <> old.workspace_id) execute function private.keep_workspace()', target);
end
$$;
comment on function private.apply_reference_rules(regclass, text) is
  'For migrations: forced row level security, grants and policies of a table that members read and admins write.';

-- A check cannot look into an array by itself.
create function private.is_ascending(numbers numeric[]) returns boolean
language sql immutable parallel safe set search_path = '' as $$
  select coalesce(bool_and(coalesce(n.number <> 'NaN' and n.number > coalesce(n.former, 0), false)), true)
  from (select u.number, lag(u.number) over (order by u.place) as former from unnest(numbers) with ordinality u (number, place)) n
$$;
comment on function private.is_ascending(numeric[]) is 'Whether each number is above the one before it, the first above 0. False with a null or NaN among them.';

create table public.planning_settings (
  workspace_id uuid primary key references public.workspaces (id) on delete cascade,
  reporting_currency char(3) check (reporting_currency ~ '^[A-Z]{3}$'),
  exchange_rates jsonb not null default '{}',
  template_key text check (char_length(template_key) <= 50),
  commit_from int not null default 70 check (commit_from between 0 and 100),
  confidence_threshold numeric(4, 3) not null default 0 check (confidence_threshold between 0 and 1),
  min_deals int not null default 20 check (min_deals between 1 and 100000),
  prior_weight int not null default 10 check (prior_weight between 1 and 100000),
  trust_deals boolean not null default true,
  client_correlation numeric(4, 3) not null default 0.2 check (client_correlation between 0 and 0.9),
  size_bands numeric(18, 2)[] not null default '{10000,50000,100000,500000}'
    check (cardinality(size_bands) <= 10 and private.is_ascending(size_bands)),
  hiring_lead_weeks int not null default 8 check (hiring_lead_weeks between 0 and 104),
  hiring_availability numeric(4, 3) not null default 0.85 check (hiring_availability > 0 and hiring_availability <= 1),
  hiring_min_weeks int not null default 2 check (hiring_min_weeks between 1 and 52),
  fiscal_year_start_month int not null default 1 check (fiscal_year_start_month between 1 and 12),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- Strict: in lax mode [1.08] would pass for 1.08.
  constraint exchange_rates_are_positive_numbers check (
    jsonb_typeof(exchange_rates) = 'object'
    and not jsonb_path_exists(exchange_rates, 'strict $.* ? (@.type() != "number" || @ < 0.000001 || @ > 1000000000)', '{}', true)
    and not jsonb_path_exists(exchange_rates, '$.keyvalue() ? (!(@.key like_regex "^[A-Z]{3}$"))', '{}', true))
);
comment on table public.planning_settings is 'Rules of a workspace''s forecasts and capacity. One row comes with each workspace; admins edit it.';
comment on column public.planning_settings.reporting_currency is 'The currency of forecasts; null: the workspace''s default currency.';
comment on column public.planning_settings.exchange_rates is 'What one unit of another currency is worth in the reporting one: {"EUR": 1.08}. A currency without a rate is an error, never added up. From a millionth to a thousand million.';
comment on column public.planning_settings.template_key is 'The industry template whose rates count where the workspace''s own history is too short; null: the defaults of the stages.';
comment on column public.planning_settings.commit_from is 'Deals of at least this probability, in per cent, count into the commit line.';
comment on column public.planning_settings.confidence_threshold is 'Deals below this probability (0 to 1) are left out.';
comment on column public.planning_settings.min_deals is 'A learned rate counts from this many closed deals on.';
comment on column public.planning_settings.prior_weight is 'How many deals the rate assumed beforehand weighs when rates are learned.';
comment on column public.planning_settings.trust_deals is 'Whether the probability written on a deal counts for more than what the history says.';
comment on column public.planning_settings.client_correlation is 'How far deals of one client succeed and fail together, 0 to 0.9.';
comment on column public.planning_settings.size_bands is 'Upper ends of the size bands of deals, ascending.';
comment on column public.planning_settings.hiring_lead_weeks is 'Weeks from opening a position to the first working day.';
comment on column public.planning_settings.hiring_availability is 'Share of the working hours that a hired person is there, after holidays and time off.';
comment on column public.planning_settings.hiring_min_weeks is 'A gap that lasts fewer weeks is bridged otherwise.';

create trigger keep_workspace before update of workspace_id on public.planning_settings
  for each row when (new.workspace_id <> old.workspace_id) execute function private.keep_workspace();
create trigger set_updated_at before update on public.planning_settings
  for each row execute function private.set_updated_at();

-- The row comes with the workspace (chapter of the calendars) and stays as long as it.
alter table public.planning_settings enable row level security;
alter table public.planning_settings force row level security;
revoke all on table public.planning_settings from public, anon, authenticated, service_role;
grant select, update on table public.planning_settings to authenticated, service_role;
create policy "Members of a workspace read its planning settings" on public.planning_settings for select to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids())));
create policy "Admins edit planning settings" on public.planning_settings for update to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids('admin'))))
  with check (workspace_id = any (array(select private.my_workspace_ids('admin'))));

create function private.workspace_today(workspace uuid) returns date
language plpgsql stable set search_path = '' as $$
declare
  zone text := (select w.time_zone from public.workspaces w where w.id = workspace);
begin
  return (now() at time zone zone)::date;
exception when invalid_parameter_value then
  -- A zone that nobody knows must not stop a forecast.
  return (now() at time zone 'UTC')::date;
end
$$;
comment on function private.workspace_today(uuid) is 'The day it is in the workspace''s time zone.';

create function private.plausible_day(day date) returns date
language sql immutable parallel safe set search_path = '' as $$
  select case when day between '1900-01-01' and '2199-12-31' then day end
$$;
comment on function private.plausible_day(date) is 'Null for infinity and for a slip of the pen like the year 20226: neither can be counted with.';

revoke execute on function private.apply_reference_rules(regclass, text), private.is_ascending(numeric[]), private.workspace_today(uuid), private.plausible_day(date)
  from public, anon, authenticated, service_role;
-- A check runs as the one who writes.
grant execute on function private.is_ascending(numeric[]), private.plausible_day(date) to authenticated, service_role;
