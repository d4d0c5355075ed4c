-- Records: companies.
--
-- Shared habits of the record tables: workspace_id is part of every foreign key, so a row cannot point into another
-- workspace; owner_id is a member, owner_label the name of a CRM owner who is none; deleted_at is the soft delete (set it
-- to delete, null it to restore), DELETE removes for good.

create table public.crm_companies (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  name text not null check (char_length(btrim(name)) between 1 and 255),
  -- The default only makes it optional for clients: a trigger puts the real one in its place.
  slug text not null default '' check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and char_length(slug) <= 100),
  industry text check (char_length(industry) <= 100),
  company_size text check (company_size in ('startup', 'small', 'medium', 'enterprise')),
  website text check (char_length(website) <= 500),
  domain text check (domain = private.normalize_domain(domain)),
  phone text check (char_length(phone) <= 50),
  description text,
  parent_company_id uuid check (parent_company_id <> id),
  billing_address jsonb not null default '{}' check (jsonb_typeof(billing_address) = 'object'),
  shipping_address jsonb not null default '{}' check (jsonb_typeof(shipping_address) = 'object'),
  annual_revenue numeric(18, 2) check (annual_revenue <> 'NaN'),
  employee_count int check (employee_count >= 0),
  founded_year int check (founded_year between 1 and 9999),
  company_status text not null default 'lead' check (company_status in ('lead', 'prospect', 'customer', 'churned')),
  source text check (char_length(source) <= 100),
  owner_id uuid,
  owner_label text check (char_length(owner_label) <= 255),
  tags jsonb not null default '[]' check (jsonb_typeof(tags) = 'array'),
  custom_fields jsonb not null default '{}' check (jsonb_typeof(custom_fields) = 'object'),
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint crm_companies_slug_uq unique (workspace_id, slug),
  foreign key (workspace_id, owner_id) references public.workspace_members (workspace_id, user_id)
    on delete set null (owner_id)
)
-- Room on each page: a change of unindexed columns stays there and leaves the indexes alone.
with (fillfactor = 60);
comment on table public.crm_companies is 'Customers, prospects and other firms. Called accounts by the CRMs.';
comment on column public.crm_companies.slug is 'Made from the name when left out, with a suffix where the workspace already has it. Does not follow a later rename.';
comment on column public.crm_companies.domain is 'Normalised host, from the website unless given. Companies of several CRMs are matched by it.';
comment on column public.crm_companies.owner_label is 'Name of the owner in the CRM when that person is no member here.';

create index crm_companies_created_at_idx on public.crm_companies (workspace_id, created_at desc) where deleted_at is null;
create index crm_companies_name_idx on public.crm_companies (workspace_id, name) where deleted_at is null;
create index crm_companies_domain_idx on public.crm_companies (workspace_id, domain) where domain is not null;
create index crm_companies_parent_company_id_idx on public.crm_companies (workspace_id, parent_company_id) where parent_company_id is not null;
create index crm_companies_owner_id_idx on public.crm_companies (workspace_id, owner_id) where owner_id is not null;
create index crm_companies_created_by_idx on public.crm_companies (created_by) where created_by is not null;
create index crm_companies_tags_idx on public.crm_companies using gin (tags jsonb_path_ops);
create index crm_companies_custom_fields_idx on public.crm_companies using gin (custom_fields jsonb_path_ops);
-- Last, on purpose: while a table has no statistics yet the planner takes the newest of equally good indexes, and this is
-- the one that answers the foreign keys of other tables.
alter table public.crm_companies add unique (workspace_id, id);
alter table public.crm_companies add foreign key (workspace_id, parent_company_id) references public.crm_companies (workspace_id, id)
    on delete set null (parent_company_id);

-- A slug never refuses a company. Taken already: the row's own id makes the suffix, so no search for a free number. Two
-- transactions naming the same company at once: only the holder of the lock may take the plain form; the other does not
-- wait, it takes the suffix.
-- Without sorting there is one plan only for the probe below, the index, however little the planner knows of the table.
create function private.fill_company() returns trigger
language plpgsql set search_path = '' set enable_sort = off as $$
declare
  nearest text;
begin
  if new.domain is not null then
    new.domain := private.normalize_domain(new.domain);
  end if;
  if tg_op = 'INSERT' then
    new.domain := coalesce(new.domain, private.normalize_domain(new.website));
  elsif new.website is distinct from old.website
    and (new.domain is null or new.domain is not distinct from private.normalize_domain(old.website)) then
    new.domain := private.normalize_domain(new.website);
  end if;
  if coalesce(new.slug, '') = '' then
    new.slug := private.slugify(new.name, 'company');
    -- Asked as "the first at or after": the order ties the planner to the index of slugs, whatever it knows of the table.
    select c.slug into nearest
    from public.crm_companies c
    where c.workspace_id = new.workspace_id and c.slug >= new.slug
    order by c.workspace_id, c.slug
    limit 1;
    if nearest = new.slug
      or not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(new.workspace_id::text, 1100)) then
      new.slug := new.slug || '-' || left(replace(new.id::text, '-', ''), 12);
    end if;
  end if;
  return new;
end
$$;
comment on function private.fill_company() is 'Fills the slug and the domain of a company.';
revoke execute on function private.fill_company() from public, anon, authenticated;

create trigger fill_company before insert or update of name, slug, website, domain on public.crm_companies
  for each row execute function private.fill_company();
create trigger touch_record before update on public.crm_companies
  for each row execute function private.touch_record();

select private.apply_record_rules('public.crm_companies', 'companies');
