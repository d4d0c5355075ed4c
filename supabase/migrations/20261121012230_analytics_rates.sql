-- Analytics: how likely a deal of a stage is to be won, learned from the workspace's own history.

create table public.analytics_stage_rates (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  stage_key text not null,
  default_rate double precision not null,
  template_rate double precision,
  wins int not null,
  trials int not null,
  rate double precision not null,
  low double precision not null,
  high double precision not null,
  common_share double precision not null,
  computed_at timestamptz not null default now(),
  primary key (workspace_id, stage_key)
);
comment on table public.analytics_stage_rates is 'The probability of each open stage as its history says, smoothed, with the interval it lies in. Read only for clients; pipeline_stage_probabilities adds which one counts.';
comment on column public.analytics_stage_rates.default_rate is 'Of the stage. 0 to 1, as all rates here.';
comment on column public.analytics_stage_rates.template_rate is 'Of the industry template that the workspace has chosen; null without one.';
comment on column public.analytics_stage_rates.trials is 'Deals that were once in the stage and are closed now; wins of them were won.';
comment on column public.analytics_stage_rates.rate is 'Mean of the posterior; of ten true rates nine lie between low and high.';
comment on column public.analytics_stage_rates.common_share is 'How alike deals of one month are (intraclass correlation): the more, the less each month''s deals say.';
select private.apply_engine_rules('public.analytics_stage_rates', 'stage rates');

-- The Beta distribution --------------------------------------------------------------------------------------------------
-- The same arithmetic as supabase/functions/_shared/planning/stats/beta.ts, compared with it by tests/database/rates.test.ts.

-- PostgreSQL has lgamma from version 18 on. Lanczos' series with g = 7 and nine terms (Godfrey's coefficients), for x >= 0.5;
-- below it the recurrence.
create function private.log_gamma(x double precision) returns double precision
language plpgsql immutable parallel safe set search_path = '' as $$
declare
  z constant double precision := x - 1;
  t constant double precision := x + 6.5;
begin
  if x < 0.5 then
    return private.log_gamma(x + 1) - ln(x);
  end if;
  return 0.5 * ln(2 * pi()) + (z + 0.5) * ln(t) - t + ln(0.99999999999980993::double precision
    + 676.5203681218851 / (z + 1) - 1259.1392167224028 / (z + 2) + 771.32342877765313 / (z + 3)
    - 176.61502916214059 / (z + 4) + 12.507343278686905 / (z + 5) - 0.13857109526572012 / (z + 6)
    + 9.9843695780195716e-6 / (z + 7) + 1.5056327351493116e-7 / (z + 8));
end
$$;

-- Continued fraction 8.17.22 of the NIST Digital Library of Mathematical Functions, by Lentz's method as in Numerical Recipes 6.4.
create function private.beta_fraction(x double precision, a double precision, b double precision) returns double precision
language plpgsql immutable parallel safe set search_path = '' as $$
declare
  tiny constant double precision := 1e-300;
  c double precision := 1;
  d double precision := 1 - (a + b) * x / (a + 1);
  h double precision;
  term double precision;
  factor double precision;
begin
  d := 1 / case when abs(d) < tiny then tiny else d end;
  h := d;
  for m in 1..10000 loop
    term := (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d := 1 + term * d;
    d := 1 / case when abs(d) < tiny then tiny else d end;
    c := 1 + term / c;
    c := case when abs(c) < tiny then tiny else c end;
    h := h * d * c;
    term := -((a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d := 1 + term * d;
    d := 1 / case when abs(d) < tiny then tiny else d end;
    c := 1 + term / c;
    c := case when abs(c) < tiny then tiny else c end;
    factor := d * c;
    h := h * factor;
    exit when abs(factor - 1) < 1e-15;
  end loop;
  return h;
end
$$;

-- Newton's steps, and a halving wherever one would leave the bounds: some ten looks at the fraction in place of sixty. ln and
-- exp of what would underflow are errors here, not 0.
create function private.beta_quantile(p double precision, a double precision, b double precision) returns double precision
language plpgsql immutable parallel safe set search_path = '' as $$
declare
  log_beta double precision;
  low double precision := 0;
  high double precision := 1;
  x double precision := a / (a + b);
  power double precision;
  below double precision;
  step double precision;
begin
  if p <= 0 or p >= 1 then
    return case when p <= 0 then 0 else 1 end;
  end if;
  log_beta := private.log_gamma(a) + private.log_gamma(b) - private.log_gamma(a + b);
  for turn in 1..200 loop
    power := a * ln(x) + b * ln(1 - x) - log_beta;
    -- The fraction converges fast on this side of the mean; the other side is its mirror image.
    if power < -700 then
      below := case when x < a / (a + b) then 0 else 1 end;
    elsif x < (a + 1) / (a + b + 2) then
      below := exp(power) * private.beta_fraction(x, a, b) / a;
    else
      below := 1 - exp(power) * private.beta_fraction(1 - x, b, a) / b;
    end if;
    if below < p then
      low := x;
    else
      high := x;
    end if;
    step := case when power > -700 then (below - p) * x * (1 - x) / exp(power) end;
    exit when abs(step) < 1e-15 or high - low < 1e-16;
    x := case when x - step > low and x - step < high then x - step else (low + high) / 2 end;
    -- No number lies between the last one below 1 and 1.
    exit when x = 0 or x = 1;
  end loop;
  return x;
end
$$;
comment on function private.beta_quantile(double precision, double precision, double precision) is
  'The value below which a number drawn from Beta(a, b) lies with probability p.';

-- Learning ---------------------------------------------------------------------------------------------------------------

-- How alike the deals of one month are, as the months say: the analysis-of-variance estimator of the intraclass correlation
-- for unequal sizes (Ridout, Demétrio and Firth, Biometrics 55, 1999), drawn towards the usual 0.1 as if that came from one
-- more pair of months.
create function private.common_shares(p_workspace uuid) returns table (stage_key text, share double precision)
language sql stable set search_path = '' as $$
  with filled as (
    select c.stage_key, c.won::double precision as wins, (c.won + c.lost)::double precision as n
    from public.analytics_stage_closings c
    where c.workspace_id = p_workspace and c.won + c.lost > 1
  ),
  sums as (
    select f.stage_key, count(*)::double precision as k, sum(f.n) as n, sum(f.wins) as wins, sum(f.wins * f.wins / f.n) as squares, sum(f.n * f.n) as sizes
    from filled f
    group by f.stage_key
    having count(*) > 1
  ),
  spread as (
    select s.stage_key, s.k, (s.squares - s.wins * s.wins / s.n) / (s.k - 1) as between_, (s.wins - s.squares) / (s.n - s.k) as within,
      (s.n - s.sizes / s.n) / (s.k - 1) as size
    from sums s
  )
  select s.stage_key, (0.1 + (s.k - 1) * case
    when s.between_ + (s.size - 1) * s.within > 0 then greatest(0, (s.between_ - s.within) / (s.between_ + (s.size - 1) * s.within))
    else 0 end) / s.k
  from spread s
$$;

-- Wins of trials as a rate that does not jump with the first deal: prior Beta(w·r, w·(1 - r)), likelihood binomial, so the
-- posterior is Beta(w·r + wins, w·(1 - r) + losses) (Gelman et al., Bayesian Data Analysis, 2.4). n deals that closed in one
-- month count as n / (1 + (n - 1)·ρ) (the design effect of Kish, Survey Sampling, 1965): they share their weather.
create function private.learn_stage_rates(p_workspace uuid) returns void
language sql set search_path = '' as $$
  with settings as (
    select coalesce(max(x.prior_weight), 10)::double precision as weight, private.template_rates(p_workspace, max(x.template_key)) as template
    from public.planning_settings x where x.workspace_id = p_workspace
  ),
  stages as (
    select s.key, s.default_probability / 100.0::double precision as default_rate, (g.template ->> s.key)::double precision as template_rate, g.weight,
      coalesce(h.share, 0.1) as share
    from public.pipeline_stages s
    cross join settings g
    left join private.common_shares(p_workspace) h on h.stage_key = s.key
    where s.workspace_id = p_workspace and s.kind in ('open', 'on_hold')
  ),
  counted as (
    select s.key, s.default_rate, s.template_rate, s.share,
      s.weight, least(0.999, greatest(0.001, coalesce(s.template_rate, s.default_rate))) as believed,
      coalesce(sum(c.won), 0)::int as wins, coalesce(sum(c.won + c.lost), 0)::int as trials,
      coalesce(sum(e.worth), 0) as worth, coalesce(sum(e.worth * c.won / (c.won + c.lost)), 0) as worth_won
    from stages s
    left join public.analytics_stage_closings c on c.workspace_id = p_workspace and c.stage_key = s.key
    left join lateral (select (c.won + c.lost) / (1 + (c.won + c.lost - 1) * s.share) as worth) e on true
    group by s.key, s.default_rate, s.template_rate, s.share, s.weight
  ),
  posterior as (
    select c.*, c.weight * c.believed + c.worth_won as a, c.weight * (1 - c.believed) + c.worth - c.worth_won as b from counted c
  ),
  gone as (
    delete from public.analytics_stage_rates r where r.workspace_id = p_workspace and not exists (select from stages s where s.key = r.stage_key)
  )
  insert into public.analytics_stage_rates as t (workspace_id, stage_key, default_rate, template_rate, wins, trials, rate, low, high, common_share)
  select p_workspace, p.key, p.default_rate, p.template_rate, p.wins, p.trials, p.a / (p.a + p.b),
    private.beta_quantile(0.05, p.a, p.b), private.beta_quantile(0.95, p.a, p.b), p.share
  from posterior p
  on conflict (workspace_id, stage_key) do update
  set default_rate = excluded.default_rate, template_rate = excluded.template_rate, wins = excluded.wins, trials = excluded.trials,
    rate = excluded.rate, low = excluded.low, high = excluded.high, common_share = excluded.common_share, computed_at = now()
$$;
comment on function private.learn_stage_rates(uuid) is 'Works out the learned rate of each open stage of a workspace, from its closed deals and the rate assumed beforehand.';

-- Which one counts -------------------------------------------------------------------------------------------------------

-- Takes the place of the one that knew no history.
create or replace function private.effective_rates(p_workspace uuid)
returns table (stage_key text, kind text, default_rate double precision, rate double precision, source text)
language sql stable set search_path = '' rows 10 as $$
  select s.key, s.kind, s.default_probability / 100.0,
    case c.source when 'learned' then a.rate when 'template' then (t.rates ->> s.key)::double precision
      else case s.kind when 'won' then 1 when 'lost' then 0 else s.default_probability / 100.0 end end,
    c.source
  from public.pipeline_stages s
  left join public.planning_settings o on o.workspace_id = s.workspace_id
  left join lateral (select private.template_rates(s.workspace_id, o.template_key)) t (rates) on o.template_key is not null
  left join public.analytics_stage_rates a on a.workspace_id = s.workspace_id and a.stage_key = s.key
  cross join lateral (
    select case when s.kind in ('won', 'lost') then 'stage' when a.trials >= coalesce(o.min_deals, 20) then 'learned'
      when t.rates ->> s.key is not null then 'template' else 'stage' end as source
  ) c
  where s.workspace_id = p_workspace
$$;

create view public.pipeline_stage_probabilities with (security_invoker = true) as
select s.workspace_id, s.key as stage_key, s.label, s.position, s.kind, e.default_rate,
  (t.rates ->> s.key)::double precision as template_rate,
  r.rate as learned_rate, coalesce(r.wins, 0) as wins, coalesce(r.trials, 0) as n, r.low, r.high, e.rate, e.source
from public.workspaces w
left join public.planning_settings g on g.workspace_id = w.id
-- Offset: asked once a workspace, not once a stage.
cross join lateral (select private.template_rates(w.id, g.template_key) as rates offset 0) t
cross join lateral private.effective_rates(w.id) e
join public.pipeline_stages s on s.workspace_id = w.id and s.key = e.stage_key
left join public.analytics_stage_rates r on r.workspace_id = w.id and r.stage_key = s.key;
comment on view public.pipeline_stage_probabilities is
  'The probability of each stage: default of the stage, of the industry template, learned from history, and which of them counts. A deal''s own and a scenario''s rates stand before these.';
comment on column public.pipeline_stage_probabilities.n is 'Closed deals behind the learned rate; it counts from planning_settings.min_deals on.';
comment on column public.pipeline_stage_probabilities.low is 'Of ten true rates nine lie between low and high.';
comment on column public.pipeline_stage_probabilities.rate is 'The one that counts, by source: learned, template or stage. 0 to 1, as all rates here.';
revoke all on table public.pipeline_stage_probabilities from public, anon, authenticated, service_role;
grant select on table public.pipeline_stage_probabilities to authenticated, service_role;

revoke execute on function private.log_gamma(double precision), private.beta_fraction(double precision, double precision, double precision),
  private.beta_quantile(double precision, double precision, double precision), private.common_shares(uuid), private.learn_stage_rates(uuid)
  from public, anon, authenticated, service_role;
-- The view runs as the one who reads it.
grant execute on function private.effective_rates(uuid) to authenticated, service_role;
