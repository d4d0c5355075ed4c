-- Pipeline: the list of deals with what a card or a table shows beside each. Its columns are its filters.

create view public.pipeline_project_list with (security_invoker = true) as
select p.id, p.workspace_id, p.name, p.description, p.client_name, p.client_contact, p.company_id, c.name as company_name, p.contact_id,
  p.stage_key, s.label as stage_label, s.kind as stage_kind, s.position as stage_position, p.priority, p.probability,
  p.estimated_value, p.weighted_value, p.currency, p.expected_close_date, p.actual_close_date, p.estimated_start_date, p.estimated_duration,
  p.required_skills, p.risk_factors, p.competitor_info, p.deal_source, p.next_steps, p.lost_reason, p.notes, p.board_position,
  p.owner_id, p.owner_label, p.tags, p.custom_fields, p.sync_status, p.crm_id, p.crm_source, p.created_by, p.created_at, p.updated_at,
  a.score as availability_score, coalesce(a.reasons, '[]') as availability_reasons,
  -- From here on each is worked out for the rows of a page only, unless one filters or sorts by it.
  coalesce(a.stale, exists (select from public.pipeline_resource_demands d
    where d.workspace_id = p.workspace_id and d.pipeline_project_id = p.id)) as availability_stale,
  (select coalesce(sum(d.required_count), 0)::int from public.pipeline_resource_demands d
    where d.workspace_id = p.workspace_id and d.pipeline_project_id = p.id) as demand_people,
  (select coalesce(sum(greatest(0, d.required_count - (
      select count(distinct l.employee_id) from public.employee_allocations l
      where l.workspace_id = d.workspace_id and l.demand_id = d.id and l.status = 'firm'))), 0)::int
    from public.pipeline_resource_demands d
    where d.workspace_id = p.workspace_id and d.pipeline_project_id = p.id and d.is_critical) as open_critical,
  -- What day it is, once a query for each workspace one sees.
  coalesce(s.kind = 'open' and p.expected_close_date < (
    (select jsonb_object_agg(w.id, private.workspace_today(w.id)) from public.workspaces w) ->> p.workspace_id::text)::date, false) as is_overdue,
  (select greatest(0, extract(epoch from now() - max(h.changed_at)) / 86400)::int from public.pipeline_stage_history h
    where h.workspace_id = p.workspace_id and h.pipeline_project_id = p.id) as days_in_stage,
  p.name || ' ' || coalesce(p.client_name, '') || ' ' || coalesce(c.name, '') || ' ' || coalesce(p.description, '') as search_text
from public.pipeline_projects p
join public.pipeline_stages s on s.workspace_id = p.workspace_id and s.key = p.stage_key
left join public.crm_companies c on c.workspace_id = p.workspace_id and c.id = p.company_id
left join public.pipeline_availability a on a.workspace_id = p.workspace_id and a.pipeline_project_id = p.id
where p.deleted_at is null;
comment on view public.pipeline_project_list is 'Live deals with weighted value, availability score, stage and demand. Read only; every column can be filtered and sorted by.';
comment on column public.pipeline_project_list.availability_score is '0 to 100; null: nobody is asked for, or not worked out yet.';
comment on column public.pipeline_project_list.availability_stale is 'The score is to be worked out, for the first time or because the deal or the people have changed.';
comment on column public.pipeline_project_list.demand_people is 'How many people its demand asks for.';
comment on column public.pipeline_project_list.open_critical is 'How many critical places have nobody firmly allocated to them.';
comment on column public.pipeline_project_list.is_overdue is 'Open, and the expected close has passed in the workspace''s time zone.';
comment on column public.pipeline_project_list.days_in_stage is 'Whole days since it came to its stage.';
comment on column public.pipeline_project_list.search_text is 'Name, client, company and description, for ilike.';

revoke all on table public.pipeline_project_list from public, anon, authenticated, service_role;
grant select on table public.pipeline_project_list to authenticated, service_role;
grant execute on function private.workspace_today(uuid) to authenticated, service_role;
