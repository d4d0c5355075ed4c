-- Pipeline: the list of deals with what a card or a table shows beside each. Its columns are its filters.

-- What is searched -------------------------------------------------------------------------------------------------------
-- Under the policies no trigram index can answer ilike (records_search). So a search reads the texts of its workspace, and
-- they lie close together here, in lower case, under a collation in which comparing them costs next to nothing: of 100,000
-- deals it takes a tenth of what the deals themselves took.

create table public.pipeline_search_texts (
  workspace_id uuid not null,
  pipeline_project_id uuid not null,
  search_text text collate "C" not null,
  foreign key (workspace_id, pipeline_project_id) references public.pipeline_projects (workspace_id, id) on delete cascade
);
comment on table public.pipeline_search_texts is 'What a deal is found by in pipeline_project_list. Written by triggers; read only for clients.';
comment on column public.pipeline_search_texts.search_text is 'Name, client, company and description in lower case.';
alter table public.pipeline_search_texts add primary key (workspace_id, pipeline_project_id);
select private.apply_engine_rules('public.pipeline_search_texts', 'search texts');

-- Deal by deal, in this order: fenced as the facts of the analytics are. A text that is the same is not written.
create function private.write_search_texts(p_deals uuid[]) returns void
language sql set search_path = '' set enable_seqscan = off as $$
  insert into public.pipeline_search_texts as t (workspace_id, pipeline_project_id, search_text)
  select d.workspace_id, d.id, lower(concat_ws(' ', d.name, d.client_name, c.name, d.description))
  from unnest(p_deals) u (id)
  cross join lateral (select * from public.pipeline_projects x where x.id = u.id offset 0) d
  left join lateral (select * from public.crm_companies x where x.workspace_id = d.workspace_id and x.id = d.company_id offset 0) c on true
  on conflict (workspace_id, pipeline_project_id) do update set search_text = excluded.search_text
  where t.search_text <> excluded.search_text
$$;
comment on function private.write_search_texts(uuid[]) is 'Works out what these deals are found by.';

-- Security definer: people write deals and companies, only these functions write what they are found by.
create function private.note_new_search_texts() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform private.write_search_texts(array(select n.id from created n));
  return null;
end
$$;

-- Security definer: as above. Without nested loops for the reason of private.log_stage_change.
create function private.note_search_texts() returns trigger
language plpgsql security definer set search_path = '' set enable_nestloop = off as $$
declare
  v_deals constant uuid[] := array(
    select n.id from latter n join former o on o.id = n.id
    where (n.name, n.client_name, n.company_id, n.description) is distinct from (o.name, o.client_name, o.company_id, o.description));
begin
  if v_deals <> '{}' then
    perform private.write_search_texts(v_deals);
  end if;
  return null;
end
$$;

-- Security definer: as above.
create function private.note_renamed_companies() returns trigger
language plpgsql security definer set search_path = '' set enable_nestloop = off as $$
declare
  v_companies constant uuid[] := array(select n.id from latter n join former o on o.id = n.id where n.name <> o.name);
begin
  if v_companies <> '{}' then
    perform private.write_search_texts(private.deals_of_companies(v_companies));
  end if;
  return null;
end
$$;

create function private.deals_of_companies(p_companies uuid[]) returns uuid[]
language sql stable set search_path = '' set enable_seqscan = off as $$
  select array(
    select d.id
    from unnest(p_companies) u (id)
    cross join lateral (select * from public.crm_companies x where x.id = u.id offset 0) c
    cross join lateral (select * from public.pipeline_projects x where x.workspace_id = c.workspace_id and x.company_id = c.id offset 0) d)
$$;

create trigger note_new_search_texts after insert on public.pipeline_projects
  referencing new table as created for each statement execute function private.note_new_search_texts();
create trigger note_search_texts after update on public.pipeline_projects
  referencing old table as former new table as latter for each statement execute function private.note_search_texts();
create trigger note_renamed_companies after update on public.crm_companies
  referencing old table as former new table as latter for each statement execute function private.note_renamed_companies();

select private.write_search_texts(array(select d.id from public.pipeline_projects d));

revoke execute on function private.write_search_texts(uuid[]), private.deals_of_companies(uuid[]), private.note_new_search_texts(),
  private.note_search_texts(), private.note_renamed_companies() from public, anon, authenticated, service_role;

-- The list ---------------------------------------------------------------------------------------------------------------

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
  p.entered_stage_at, greatest(0, floor(extract(epoch from now() - p.entered_stage_at) / 86400))::int as days_in_stage,
  t.search_text
from public.pipeline_projects p
join public.pipeline_stages s on s.workspace_id = p.workspace_id and s.key = p.stage_key
left join public.crm_companies c on c.workspace_id = p.workspace_id and c.id = p.company_id
left join public.pipeline_availability a on a.workspace_id = p.workspace_id and a.pipeline_project_id = p.id
left join public.pipeline_search_texts t on t.workspace_id = p.workspace_id and t.pipeline_project_id = p.id
where p.deleted_at is null;
comment on view public.pipeline_project_list is 'Live deals with weighted value, availability score, stage and demand. Read only; every column can be filtered and sorted by.';
comment on column public.pipeline_project_list.availability_score is '0 to 100; null: nobody is asked for, or not worked out yet.';
comment on column public.pipeline_project_list.availability_stale is 'The score is to be worked out, for the first time or because the deal or the people have changed.';
comment on column public.pipeline_project_list.demand_people is 'How many people its demand asks for.';
comment on column public.pipeline_project_list.open_critical is 'How many critical places have nobody firmly allocated to them.';
comment on column public.pipeline_project_list.is_overdue is 'Open, and the expected close has passed in the workspace''s time zone.';
comment on column public.pipeline_project_list.days_in_stage is 'Whole days since it came to its stage.';
comment on column public.pipeline_project_list.entered_stage_at is 'Order by it rather than by days_in_stage: it comes from an index.';
comment on column public.pipeline_project_list.search_text is 'Name, client, company and description in lower case, for ilike with words in lower case.';

revoke all on table public.pipeline_project_list from public, anon, authenticated, service_role;
grant select on table public.pipeline_project_list to authenticated, service_role;
grant execute on function private.workspace_today(uuid) to authenticated, service_role;
