-- Records: one search box over companies, contacts and deals.
--
-- Under row level security Postgres does not hand ilike to a trigram index: the operator is not leakproof, so it may only
-- run after the policies, row by row. The function therefore checks the membership itself, once, and then searches one
-- workspace as its owner.

create index crm_companies_search_idx on public.crm_companies
  using gin (lower(name || ' ' || coalesce(domain, '')) extensions.gin_trgm_ops) where deleted_at is null;
create index crm_contacts_search_idx on public.crm_contacts
  using gin (lower(first_name || ' ' || last_name || ' ' || coalesce(email, '') || ' ' || coalesce(company_name, '')) extensions.gin_trgm_ops)
  where deleted_at is null;
create index pipeline_projects_search_idx on public.pipeline_projects
  using gin (lower(name || ' ' || coalesce(client_name, '')) extensions.gin_trgm_ops) where deleted_at is null;

-- Three letters and more are found anywhere, fewer only at the beginning: a trigram index knows no shorter piece.
create function private.search_pattern(query text) returns text
language sql immutable parallel safe set search_path = '' as $$
  select case when char_length(q) >= 3 then '%' else '' end
    || regexp_replace(regexp_replace(q, '([\\%_])', '\\\1', 'g'), '\s+', '%', 'g') || '%'
  from (select lower(btrim(query))) cleaned (q)
$$;

-- Security definer: see above.
create function public.search_records(
  workspace_id uuid, query text, entity_types text[] default '{company,contact,deal}', max_results int default 20
) returns table (entity_type text, entity_id uuid, title text, subtitle text, updated_at timestamptz)
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
  pattern constant text := private.search_pattern(query);
  most constant int := least(greatest(coalesce(max_results, 20), 1), 100);
  -- Of each kind, to choose the best from: who asks for one is to get the best one, and a common word is not to read everything.
  enough constant int := 1000;
begin
  perform private.require_role(search_records.workspace_id, 'viewer');
  if coalesce(btrim(query), '') = '' then
    raise exception 'There is nothing to search for.' using errcode = 'PC004';
  end if;
  return query
  select f.* from (
    (select 'company', c.id, c.name, c.domain, c.updated_at
      from public.crm_companies c
      where 'company' = any (entity_types) and c.workspace_id = search_records.workspace_id and c.deleted_at is null
        and lower(c.name || ' ' || coalesce(c.domain, '')) like pattern
      limit enough)
    union all
    (select 'contact', c.id, c.name, coalesce(c.email, c.company_name), c.updated_at
      from public.crm_contacts c
      where 'contact' = any (entity_types) and c.workspace_id = search_records.workspace_id and c.deleted_at is null
        and lower(c.first_name || ' ' || c.last_name || ' ' || coalesce(c.email, '') || ' ' || coalesce(c.company_name, '')) like pattern
      limit enough)
    union all
    (select 'deal', p.id, p.name, p.stage_key, p.updated_at
      from public.pipeline_projects p
      where 'deal' = any (entity_types) and p.workspace_id = search_records.workspace_id and p.deleted_at is null
        and lower(p.name || ' ' || coalesce(p.client_name, '')) like pattern
      limit enough)
  ) f (entity_type, entity_id, title, subtitle, updated_at)
  -- What begins with the words comes first.
  order by lower(f.title) like ltrim(pattern, '%') desc, f.title, f.entity_id
  limit most;
end
$$;
comment on function public.search_records(uuid, text, text[], int) is
  'Companies by name or domain, contacts by name, e-mail or company, deals by name or client. Words must come in order; % and _ mean themselves.';

revoke execute on function private.search_pattern(text), public.search_records(uuid, text, text[], int) from public, anon, authenticated;
grant execute on function public.search_records(uuid, text, text[], int) to authenticated, service_role;
