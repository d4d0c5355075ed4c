-- The fields of our side that a CRM field can be mapped to. Validation, comparison and writing in the merge, the mapping editor
-- and auto-map all read this one list; a new mappable column is one new row.

create table private.crm_app_fields (
  entity_type text not null check (entity_type in ('accounts', 'contacts', 'opportunities')),
  app_field text not null,
  column_name name not null,
  sql_type text not null,
  data_type text not null check (data_type in
    ('string', 'number', 'boolean', 'date', 'datetime', 'picklist', 'array', 'object', 'email', 'phone', 'url', 'relation')),
  label text not null,
  max_length int,
  decimals int,
  min_value numeric,
  max_value numeric,
  allowed text[],
  is_required boolean not null default false,
  fallback text,
  is_derived boolean not null default false,
  is_mappable boolean not null default true,
  parent_entity text,
  position int generated always as identity,
  primary key (entity_type, app_field, column_name)
);
alter table private.crm_app_fields enable row level security;
create policy "Everyone signed in can read the list of fields" on private.crm_app_fields for select to authenticated using (true);
revoke all on private.crm_app_fields from public, anon, authenticated, service_role;
grant select on private.crm_app_fields to authenticated, service_role;

comment on table private.crm_app_fields is 'Mappable fields per entity, with the limits of their columns. Relations ($company, $contact, $owner) are compared and written like fields.';
comment on column private.crm_app_fields.fallback is 'Value a NOT NULL column takes when the CRM has none; equal to empty when comparing.';
comment on column private.crm_app_fields.is_derived is 'The database fills it when empty; such a value never counts as an edit of ours while the CRM has none.';

insert into private.crm_app_fields
  (entity_type, app_field, column_name, sql_type, data_type, label, max_length, decimals, min_value, max_value, allowed, is_required, fallback, is_derived)
values
  ('accounts', 'name', 'name', 'text', 'string', 'Name', 255, null, null, null, null, true, null, false),
  ('accounts', 'industry', 'industry', 'text', 'string', 'Industry', 100, null, null, null, null, false, null, false),
  ('accounts', 'company_size', 'company_size', 'text', 'picklist', 'Company size', 50, null, null, null, '{startup,small,medium,enterprise}', false, null, false),
  ('accounts', 'website', 'website', 'text', 'url', 'Website', 500, null, null, null, null, false, null, false),
  ('accounts', 'domain', 'domain', 'text', 'string', 'Domain', 253, null, null, null, null, false, null, true),
  ('accounts', 'phone', 'phone', 'text', 'phone', 'Phone', 50, null, null, null, null, false, null, false),
  ('accounts', 'description', 'description', 'text', 'string', 'Description', 32000, null, null, null, null, false, null, false),
  ('accounts', 'billing_address', 'billing_address', 'jsonb', 'object', 'Billing address', null, null, null, null, null, false, '{}', false),
  ('accounts', 'shipping_address', 'shipping_address', 'jsonb', 'object', 'Shipping address', null, null, null, null, null, false, '{}', false),
  ('accounts', 'annual_revenue', 'annual_revenue', 'numeric', 'number', 'Annual revenue', null, 2, 0, 9999999999999999, null, false, null, false),
  ('accounts', 'employee_count', 'employee_count', 'integer', 'number', 'Employees', null, 0, 0, 2147483647, null, false, null, false),
  ('accounts', 'founded_year', 'founded_year', 'integer', 'number', 'Founded', null, 0, 1000, 2200, null, false, null, false),
  ('accounts', 'company_status', 'company_status', 'text', 'picklist', 'Status', 50, null, null, null, '{lead,prospect,customer,churned}', false, 'lead', false),
  ('accounts', 'source', 'source', 'text', 'string', 'Source', 100, null, null, null, null, false, null, false),
  ('accounts', 'tags', 'tags', 'jsonb', 'array', 'Tags', null, null, null, null, null, false, '[]', false),
  ('contacts', 'first_name', 'first_name', 'text', 'string', 'First name', 100, null, null, null, null, false, '', false),
  ('contacts', 'last_name', 'last_name', 'text', 'string', 'Last name', 100, null, null, null, null, false, '', false),
  ('contacts', 'email', 'email', 'text', 'email', 'E-mail', 254, null, null, null, null, false, null, false),
  ('contacts', 'phone', 'phone', 'text', 'phone', 'Phone', 50, null, null, null, null, false, null, false),
  ('contacts', 'mobile', 'mobile', 'text', 'phone', 'Mobile', 50, null, null, null, null, false, null, false),
  ('contacts', 'title', 'title', 'text', 'string', 'Title', 255, null, null, null, null, false, null, false),
  ('contacts', 'department', 'department', 'text', 'string', 'Department', 100, null, null, null, null, false, null, false),
  ('contacts', 'company_name', 'company_name', 'text', 'string', 'Company name', 255, null, null, null, null, false, null, true),
  ('contacts', 'contact_status', 'contact_status', 'text', 'picklist', 'Status', 50, null, null, null, '{active,inactive,bounced}', false, 'active', false),
  ('contacts', 'lifecycle', 'lifecycle', 'text', 'picklist', 'Lifecycle', 50, null, null, null, '{lead,prospect,customer,closed}', false, 'lead', false),
  ('contacts', 'lead_source', 'lead_source', 'text', 'string', 'Lead source', 100, null, null, null, null, false, null, false),
  ('contacts', 'lead_score', 'lead_score', 'integer', 'number', 'Lead score', null, 0, 0, 100, null, false, null, true),
  ('contacts', 'rating', 'rating', 'integer', 'number', 'Rating', null, 0, 0, 5, null, false, null, true),
  ('contacts', 'social_profiles', 'social_profiles', 'jsonb', 'object', 'Social profiles', null, null, null, null, null, false, '{}', false),
  ('contacts', 'preferences', 'preferences', 'jsonb', 'object', 'Preferences', null, null, null, null, null, false, '{}', false),
  ('contacts', 'description', 'description', 'text', 'string', 'Description', 32000, null, null, null, null, false, null, false),
  ('contacts', 'tags', 'tags', 'jsonb', 'array', 'Tags', null, null, null, null, null, false, '[]', false),
  ('opportunities', 'name', 'name', 'text', 'string', 'Name', 255, null, null, null, null, true, null, false),
  ('opportunities', 'description', 'description', 'text', 'string', 'Description', 32000, null, null, null, null, false, null, false),
  ('opportunities', 'client_name', 'client_name', 'text', 'string', 'Client name', 255, null, null, null, null, false, null, true),
  ('opportunities', 'client_contact', 'client_contact', 'jsonb', 'object', 'Client contact', null, null, null, null, null, false, '{}', false),
  ('opportunities', 'stage_key', 'stage_key', 'text', 'picklist', 'Stage', 50, null, null, null, null, true, null, false),
  ('opportunities', 'priority', 'priority', 'text', 'picklist', 'Priority', 20, null, null, null, '{low,medium,high,critical}', false, 'medium', false),
  ('opportunities', 'probability', 'probability', 'integer', 'number', 'Probability (%)', null, 0, 0, 100, null, false, null, true),
  ('opportunities', 'estimated_value', 'estimated_value', 'numeric', 'number', 'Value', null, 2, 0, 9999999999999999, null, false, null, false),
  ('opportunities', 'currency', 'currency', 'text', 'string', 'Currency', 3, null, null, null, null, false, null, true),
  ('opportunities', 'expected_close_date', 'expected_close_date', 'date', 'date', 'Expected close date', null, null, null, null, null, false, null, false),
  ('opportunities', 'actual_close_date', 'actual_close_date', 'date', 'date', 'Actual close date', null, null, null, null, null, false, null, true),
  ('opportunities', 'estimated_start_date', 'estimated_start_date', 'date', 'date', 'Estimated start', null, null, null, null, null, false, null, false),
  ('opportunities', 'estimated_duration', 'estimated_duration', 'integer', 'number', 'Estimated duration', null, 0, 0, 100000, null, false, null, false),
  ('opportunities', 'deal_source', 'deal_source', 'text', 'string', 'Source', 100, null, null, null, null, false, null, false),
  ('opportunities', 'next_steps', 'next_steps', 'text', 'string', 'Next steps', 32000, null, null, null, null, false, null, false),
  ('opportunities', 'lost_reason', 'lost_reason', 'text', 'string', 'Lost reason', 32000, null, null, null, null, false, null, false),
  ('opportunities', 'notes', 'notes', 'text', 'string', 'Notes', 32000, null, null, null, null, false, null, false),
  ('opportunities', 'tags', 'tags', 'jsonb', 'array', 'Tags', null, null, null, null, null, false, '[]', false);

-- Not for mapping: relations, and what the merge itself sets.
insert into private.crm_app_fields (entity_type, app_field, column_name, sql_type, data_type, label, is_mappable, parent_entity)
values
  ('accounts', '$company', 'parent_company_id', 'uuid', 'relation', 'Parent company', false, 'accounts'),
  ('accounts', '$owner', 'owner_id', 'owner', 'relation', 'Owner', false, null),
  ('contacts', '$company', 'company_id', 'uuid', 'relation', 'Company', false, 'accounts'),
  ('contacts', '$owner', 'owner_id', 'owner', 'relation', 'Owner', false, null),
  ('opportunities', '$company', 'company_id', 'uuid', 'relation', 'Company', false, 'accounts'),
  ('opportunities', '$contact', 'contact_id', 'uuid', 'relation', 'Primary contact', false, 'contacts'),
  ('opportunities', '$owner', 'owner_id', 'owner', 'relation', 'Owner', false, null),
  ('accounts', '$deleted_at', 'deleted_at', 'timestamptz', 'datetime', 'Deleted', false, null),
  ('contacts', '$deleted_at', 'deleted_at', 'timestamptz', 'datetime', 'Deleted', false, null),
  ('opportunities', '$deleted_at', 'deleted_at', 'timestamptz', 'datetime', 'Deleted', false, null),
  ('opportunities', '$sync_status', 'sync_status', 'text', 'string', 'Sync status', false, null),
  ('opportunities', '$crm_id', 'crm_id', 'text', 'string', 'CRM id', false, null),
  ('opportunities', '$crm_source', 'crm_source', 'text', 'string', 'CRM', false, null);

create function public.crm_app_fields(entity_type text default null)
returns table (
  entity_type text, app_field text, label text, data_type text, max_length int, min_value numeric, max_value numeric,
  decimals int, options text[], is_required boolean, "position" int
)
language sql
stable
set search_path = ''
as $$
  select f.entity_type, f.app_field, f.label, f.data_type, f.max_length, f.min_value, f.max_value, f.decimals, f.allowed, f.is_required, f.position
  from private.crm_app_fields f
  where f.is_mappable and f.entity_type = coalesce(crm_app_fields.entity_type, f.entity_type)
  order by f.position
$$;
comment on function public.crm_app_fields(text) is 'The fields on our side that CRM fields can be mapped to, with their limits. custom_fields.<name> is accepted besides.';
revoke execute on function public.crm_app_fields(text) from public, anon, authenticated;
grant execute on function public.crm_app_fields(text) to authenticated, service_role;
