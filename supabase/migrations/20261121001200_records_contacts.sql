-- Records: contacts.

create table public.crm_contacts (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  company_id uuid,
  first_name text not null default '' check (char_length(first_name) <= 100),
  last_name text not null default '' check (char_length(last_name) <= 100),
  name text generated always as (coalesce(nullif(btrim(first_name || ' ' || last_name), ''), email)) stored,
  email text check (email ~ '^[^\s@]+@[^\s@]+$' and char_length(email) <= 255),
  phone text check (char_length(phone) <= 50),
  mobile text check (char_length(mobile) <= 50),
  title text check (char_length(title) <= 255),
  department text check (char_length(department) <= 100),
  company_name text check (char_length(company_name) <= 255),
  contact_status text not null default 'active' check (contact_status in ('active', 'inactive', 'bounced')),
  lifecycle text not null default 'lead' check (lifecycle in ('lead', 'prospect', 'customer', 'closed')),
  lead_source text check (char_length(lead_source) <= 100),
  lead_score int check (lead_score between 0 and 100),
  rating int check (rating between 0 and 5),
  social_profiles jsonb not null default '{}' check (jsonb_typeof(social_profiles) = 'object'),
  preferences jsonb not null default '{}' check (jsonb_typeof(preferences) = 'object'),
  description text,
  duplicate_of uuid check (duplicate_of <> id),
  owner_id uuid,
  owner_label text check (char_length(owner_label) <= 255),
  tags jsonb not null default '[]' check (jsonb_typeof(tags) = 'array'),
  custom_fields jsonb not null default '{}' check (jsonb_typeof(custom_fields) = 'object'),
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint crm_contacts_named_check check (first_name <> '' or last_name <> '' or email is not null),
  foreign key (workspace_id, company_id) references public.crm_companies (workspace_id, id) on delete set null (company_id),
  foreign key (workspace_id, owner_id) references public.workspace_members (workspace_id, user_id) on delete set null (owner_id)
)
-- Room on each page: a change of unindexed columns stays there and leaves the indexes alone.
with (fillfactor = 60);
comment on table public.crm_contacts is 'People. At least a name or an e-mail address is known.';
comment on column public.crm_contacts.company_name is 'The company as text, for people whose company has no row here.';
comment on column public.crm_contacts.lifecycle is 'How far the person has come as a customer; contact_status says whether the address works.';
comment on column public.crm_contacts.duplicate_of is
  'A CRM that holds two people under one e-mail address yields two rows; the later points to the first. A person cannot enter such a row, only a sync can.';

create unique index crm_contacts_email_uq on public.crm_contacts (workspace_id, lower(email))
  where deleted_at is null and duplicate_of is null;
create index crm_contacts_created_at_idx on public.crm_contacts (workspace_id, created_at desc) where deleted_at is null;
create index crm_contacts_name_idx on public.crm_contacts (workspace_id, name) where deleted_at is null;
create index crm_contacts_company_id_idx on public.crm_contacts (workspace_id, company_id) where company_id is not null;
create index crm_contacts_owner_id_idx on public.crm_contacts (workspace_id, owner_id) where owner_id is not null;
create index crm_contacts_duplicate_of_idx on public.crm_contacts (duplicate_of, workspace_id) where duplicate_of is not null;
create index crm_contacts_created_by_idx on public.crm_contacts (created_by) where created_by is not null;
create index crm_contacts_tags_idx on public.crm_contacts using gin (tags jsonb_path_ops);
create index crm_contacts_custom_fields_idx on public.crm_contacts using gin (custom_fields jsonb_path_ops);
-- Last, on purpose: while a table has no statistics yet the planner takes the newest of equally good indexes, and this is
-- the one that answers the foreign keys of other tables.
alter table public.crm_contacts add unique (workspace_id, id);
-- Deferred: when the first of several duplicates goes, the trigger below puts another in its place before the check.
alter table public.crm_contacts add foreign key (duplicate_of, workspace_id) references public.crm_contacts (id, workspace_id)
  deferrable initially deferred;

-- During a merge a clashing address flags the row instead of refusing it; outside one the unique index speaks.
-- Without sorting there is one plan only for the probe below, the index, however little the planner knows of the table.
create function private.fill_contact() returns trigger
language plpgsql set search_path = '' set enable_sort = off as $$
declare
  address constant text := lower(nullif(btrim(new.email), ''));
  nearest uuid;
  nearest_address text;
begin
  new.email := nullif(btrim(new.email), '');
  new.lifecycle := lower(new.lifecycle);
  -- Otherwise anybody could get round the unique index.
  if current_user = 'authenticated' then
    new.duplicate_of := old.duplicate_of;
  end if;
  if tg_op = 'UPDATE' then
    if new.duplicate_of is distinct from old.duplicate_of
      or (address is not distinct from lower(old.email) and (new.deleted_at is null) = (old.deleted_at is null)) then
      return new;
    end if;
    new.duplicate_of := null;
  end if;
  if new.duplicate_of is null and address is not null and new.deleted_at is null
    and coalesce(current_setting('pipeline_crm.sync_config', true), '') <> '' then
    -- Asked as "the first at or after": the order ties the planner to the index of addresses, whatever it knows of the table.
    select c.id, lower(c.email) into nearest, nearest_address
    from public.crm_contacts c
    where c.workspace_id = new.workspace_id and lower(c.email) >= address and c.deleted_at is null and c.duplicate_of is null
    order by c.workspace_id, lower(c.email)
    limit 1;
    if nearest_address = address then
      new.duplicate_of := nearest;
    end if;
  end if;
  return new;
end
$$;
comment on function private.fill_contact() is 'Trims the address and, during a merge, points a second holder of an address to the first.';

-- Security definer: the heir may belong to another member than the one who removes the first holder.
create function private.promote_duplicates() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  -- Former first holders that are gone, deleted or known by another address now.
  freed uuid[];
begin
  if tg_op = 'DELETE' then
    freed := array(select o.id from former o join public.crm_contacts d on d.duplicate_of = o.id);
  else
    freed := array(
      select o.id
      from former o
      join latter n on n.id = o.id
      where (n.email, n.duplicate_of, n.deleted_at) is distinct from (o.email, o.duplicate_of, o.deleted_at)
        and (n.deleted_at is not null or n.duplicate_of is not null or lower(n.email) is distinct from lower(o.email))
        and exists (select from public.crm_contacts d where d.duplicate_of = o.id));
  end if;
  if freed = '{}' then
    return null;
  end if;
  with waiting as (
    select d.id, d.workspace_id, d.email,
      first_value(d.id) over (partition by d.duplicate_of order by d.deleted_at is not null, d.created_at, d.id) as heir
    from public.crm_contacts d
    where d.duplicate_of = any (freed)
  )
  update public.crm_contacts c
  set duplicate_of = coalesce(h.id, nullif(w.heir, w.id))
  from waiting w
  -- Somebody else may have taken the address in the same statement.
  left join lateral (
    select h.id, h.email
    from public.crm_contacts h
    where h.workspace_id = w.workspace_id and lower(h.email) >= lower(w.email) and h.deleted_at is null and h.duplicate_of is null
    order by h.workspace_id, lower(h.email)
    limit 1
  ) h on lower(h.email) = lower(w.email)
  where c.id = w.id;
  return null;
end
$$;
comment on function private.promote_duplicates() is 'When the first holder of an address goes, the next live one takes its place and the others point to it.';

revoke execute on function private.fill_contact(), private.promote_duplicates() from public, anon, authenticated;

create trigger fill_contact before insert or update of email, lifecycle, duplicate_of, deleted_at on public.crm_contacts
  for each row execute function private.fill_contact();
create trigger touch_record before update on public.crm_contacts
  for each row execute function private.touch_record();
create trigger promote_duplicates_on_update after update on public.crm_contacts
  referencing old table as former new table as latter for each statement execute function private.promote_duplicates();
create trigger promote_duplicates_on_delete after delete on public.crm_contacts
  referencing old table as former for each statement execute function private.promote_duplicates();

select private.apply_record_rules('public.crm_contacts', 'contacts');
