-- Pipeline: the base table under the column names of other documents, and its totals.
--
-- All views are security_invoker: the policies of the tables beneath decide. crm_deals and crm_opportunities are simple
-- enough for Postgres to insert and update through them; only delete is replaced, by a soft delete. The stage may be
-- written in any spelling (closed_won, Prospecting …) and reads as the workspace's own key.

create view public.crm_deals with (security_invoker = true) as
select
  id,
  workspace_id,
  id as opportunity_id,
  company_id,
  contact_id as primary_contact_id,
  name,
  description,
  estimated_value as amount,
  weighted_value as weighted_amount,
  currency,
  stage_key as stage,
  probability,
  expected_close_date,
  actual_close_date,
  coalesce(actual_close_date, expected_close_date) as close_date,
  deal_source,
  next_steps,
  lost_reason,
  owner_id,
  owner_label,
  tags,
  custom_fields,
  created_by,
  created_at,
  updated_at,
  deleted_at
from public.pipeline_projects;
comment on view public.crm_deals is 'Deals. The rows of pipeline_projects as amount, stage, primary_contact_id …; delete is a soft delete.';
comment on column public.crm_deals.opportunity_id is 'The same as id: deal and opportunity are one row.';

create view public.crm_opportunities with (security_invoker = true) as
select
  id,
  workspace_id,
  company_id,
  contact_id,
  name,
  estimated_value as value,
  weighted_value,
  currency,
  probability,
  stage_key as stage,
  expected_close_date,
  description,
  owner_id,
  created_by,
  created_at,
  updated_at
from public.pipeline_projects
where deleted_at is null;
comment on view public.crm_opportunities is 'Live deals under the names value, stage, contact_id; delete is a soft delete.';

-- Runs as the caller: a row the caller may not edit is not deleted, and the count says so.
create function private.soft_delete_deal() returns trigger
language plpgsql set search_path = '' as $$
begin
  update public.pipeline_projects set deleted_at = now() where id = old.id and deleted_at is null;
  if found then
    return old;
  end if;
  return null;
end
$$;
revoke execute on function private.soft_delete_deal() from public, anon, authenticated;
create trigger soft_delete instead of delete on public.crm_deals for each row execute function private.soft_delete_deal();
create trigger soft_delete instead of delete on public.crm_opportunities for each row execute function private.soft_delete_deal();

-- Totals. One row per workspace, CRM and currency: money of two currencies is never added up, and a client sums the CRMs
-- for the whole.

create view public.pipeline_summary with (security_invoker = true) as
select
  s.workspace_id,
  p.crm_source,
  s.key as stage_key,
  s.label,
  s.position,
  s.kind,
  count(p.id) as opportunities,
  coalesce(sum(p.estimated_value), 0) as value,
  coalesce(sum(p.weighted_value), 0) as weighted_value,
  coalesce(p.currency, w.default_currency) as currency
from public.pipeline_stages s
join public.workspaces w on w.id = s.workspace_id
left join public.pipeline_projects p on p.workspace_id = s.workspace_id and p.stage_key = s.key and p.deleted_at is null
group by s.workspace_id, p.crm_source, s.key, s.label, s.position, s.kind, coalesce(p.currency, w.default_currency);
comment on view public.pipeline_summary is 'Deals, value and weighted value per stage, CRM and currency. A stage without deals has one row of zeros.';
comment on column public.pipeline_summary.crm_source is 'The CRM the deals came from; null: created here.';

create view public.pipeline_win_rate with (security_invoker = true) as
select
  p.workspace_id,
  p.crm_source,
  count(*) filter (where s.kind = 'won') as won,
  count(*) filter (where s.kind = 'lost') as lost,
  count(*) filter (where s.kind in ('open', 'on_hold')) as open,
  coalesce(sum(p.estimated_value) filter (where s.kind = 'won'), 0) as won_value,
  round(100.0 * count(*) filter (where s.kind = 'won') / nullif(count(*) filter (where s.kind in ('won', 'lost')), 0), 2)::numeric(5, 2) as win_rate,
  p.currency
from public.pipeline_projects p
join public.pipeline_stages s on s.workspace_id = p.workspace_id and s.key = p.stage_key
where p.deleted_at is null
group by p.workspace_id, p.crm_source, p.currency;
comment on view public.pipeline_win_rate is 'Won, lost and open deals per CRM and currency.';
comment on column public.pipeline_win_rate.win_rate is 'Won deals in per cent of closed ones; null while nothing is closed.';

revoke all on table public.crm_deals, public.crm_opportunities, public.pipeline_summary, public.pipeline_win_rate
  from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.crm_deals, public.crm_opportunities to authenticated, service_role;
grant select on table public.pipeline_summary, public.pipeline_win_rate to authenticated, service_role;
