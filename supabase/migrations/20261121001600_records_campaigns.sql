-- Records: campaigns, and how each contact answered them.

create table public.crm_campaigns (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  name text not null check (char_length(btrim(name)) between 1 and 255),
  description text,
  campaign_type text not null default 'other'
    check (campaign_type in ('email', 'social', 'webinar', 'event', 'content', 'other')),
  status text not null default 'planning' check (status in ('planning', 'active', 'paused', 'completed', 'cancelled')),
  start_date date,
  end_date date,
  budget numeric(18, 2) check (budget >= 0 and budget <> 'NaN'),
  actual_cost numeric(18, 2) check (actual_cost >= 0 and actual_cost <> 'NaN'),
  currency char(3) not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  target_audience jsonb not null default '{}' check (jsonb_typeof(target_audience) = 'object'),
  goals jsonb not null default '{}' check (jsonb_typeof(goals) in ('object', 'array')),
  metrics jsonb not null default '{}' check (jsonb_typeof(metrics) = 'object'),
  owner_id uuid,
  owner_label text check (char_length(owner_label) <= 255),
  tags jsonb not null default '[]' check (jsonb_typeof(tags) = 'array'),
  custom_fields jsonb not null default '{}' check (jsonb_typeof(custom_fields) = 'object'),
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  check (end_date >= start_date),
  foreign key (workspace_id, owner_id) references public.workspace_members (workspace_id, user_id) on delete set null (owner_id)
);
comment on table public.crm_campaigns is 'Marketing campaigns.';
comment on column public.crm_campaigns.metrics is 'Figures from outside (impressions, clicks, conversions, roi); per-contact answers are in crm_campaign_contacts.';

create index crm_campaigns_status_idx on public.crm_campaigns (workspace_id, status, created_at desc) where deleted_at is null;
create index crm_campaigns_owner_id_idx on public.crm_campaigns (workspace_id, owner_id) where owner_id is not null;
create index crm_campaigns_created_by_idx on public.crm_campaigns (created_by) where created_by is not null;
create index crm_campaigns_tags_idx on public.crm_campaigns using gin (tags jsonb_path_ops);
create index crm_campaigns_custom_fields_idx on public.crm_campaigns using gin (custom_fields jsonb_path_ops);
-- Last, on purpose: while a table has no statistics yet the planner takes the newest of equally good indexes, and this is
-- the one that answers the foreign keys of other tables.
alter table public.crm_campaigns add unique (workspace_id, id);

create trigger touch_record before update on public.crm_campaigns
  for each row execute function private.touch_record();

select private.apply_record_rules('public.crm_campaigns', 'campaigns');

create table public.crm_campaign_contacts (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  campaign_id uuid not null,
  contact_id uuid not null,
  status text not null default 'sent'
    check (status in ('sent', 'delivered', 'opened', 'clicked', 'bounced', 'unsubscribed')),
  sent_at timestamptz,
  opened_at timestamptz,
  clicked_at timestamptz,
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- Leads with the campaign so that it also serves that foreign key.
  unique (workspace_id, campaign_id, contact_id),
  foreign key (workspace_id, campaign_id) references public.crm_campaigns (workspace_id, id) on delete cascade,
  foreign key (workspace_id, contact_id) references public.crm_contacts (workspace_id, id) on delete cascade
);
comment on table public.crm_campaign_contacts is 'Who was reached by a campaign, and what came of it.';

create index crm_campaign_contacts_contact_id_idx on public.crm_campaign_contacts (workspace_id, contact_id);
create index crm_campaign_contacts_created_by_idx on public.crm_campaign_contacts (created_by) where created_by is not null;

create trigger touch_record before update on public.crm_campaign_contacts
  for each row execute function private.touch_record();

select private.apply_record_rules('public.crm_campaign_contacts', 'campaign contacts', theirs => '{created_by}');
