-- Which of our records a connection's filter lets through.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id;
select private.crm_upsert_owners(c.id, '[{"crm_user_id": "1", "email": "owner@example.test", "name": "Own Er"}]') from c;
insert into crm_companies (workspace_id, name, industry, annual_revenue, phone, website, tags, billing_address, owner_id, owner_label, custom_fields)
select w.id, v.* from w, (values
  ('Acme', 'Banking', 100.5, '+49 30 / 123', 'https://www.acme.com/', '["VIP", "a b"]'::jsonb, '{"city": "Berlin"}'::jsonb, pg_temp.person('owner'), null, '{"sla": 3, "odd": "x"}'::jsonb),
  ('Ölmühle 100%', null, 0, null, null, '[]', '{}', null, 'Else Where', '{"sla": "3", "odd": {"a": 1}}'),
  ('o''Brien \\ Co_', 'banking', null, null, 'acme.com', '["vip"]', '{}', null, null, '{}')
) v;

create function pg_temp.allowed(filter jsonb) returns text language plpgsql as $$
begin
  update crm_sync_configs set sync_rules = jsonb_build_object('accounts', jsonb_build_object('filter', filter)) where id = (select id from c);
  return (select string_agg(left(r.name, 4), ',' order by r.name collate "C")
    from unnest(private.crm_filter_allows((select id from c), 'accounts', array(select x.id from crm_companies x where x.workspace_id = (select id from w)))) a (id) join crm_companies r using (id));
end $$;
create function pg_temp.allowed(field text, operator text, value jsonb default null) returns text language sql as $$
  select pg_temp.allowed(jsonb_strip_nulls(jsonb_build_object('field', field, 'operator', operator, 'value', value)))
$$;
insert into crm_field_mappings (config_id, entity_type, crm_field, app_field, data_type) select id, 'accounts', 'Sla__c', 'custom_fields.sla', 'number' from c;

select is(array_length(private.crm_filter_allows(c.id, 'accounts', array(select x.id from crm_companies x where x.workspace_id = (select id from w))), 1), 3, 'without a filter all of them') from c;
select is(pg_temp.allowed(field, operator, value::jsonb), names, concat_ws(' ', field, operator, value)) from (values
  ('industry', 'equals', '"BANKING "', 'Acme,o''Br'), ('industry', 'not_equals', '"x"', 'Acme,o''Br'), ('industry', 'not_equals', '"banking"', null),
  ('industry', 'empty', null, 'Ölmü'), ('industry', 'not_empty', null, 'Acme,o''Br'), ('industry', 'not_in', '["x", "banking"]', null),
  ('name', 'contains', '"\\"', 'o''Br'), ('name', 'contains', '"%"', 'Ölmü'), ('name', 'contains', '"_"', 'o''Br'), ('name', 'starts_with', '"O''b"', 'o''Br'),
  ('name', 'starts_with', '"öL"', 'Ölmü'), ('name', 'equals', '"x'') or true --"', null), ('name', 'in', '["acme", "''); drop table crm_companies; --"]', 'Acme'),
  ('annual_revenue', 'greater', '100.49', 'Acme'), ('annual_revenue', 'less_or_equal', '0', 'Ölmü'), ('annual_revenue', 'between', '[0, 100.5]', 'Acme,Ölmü'),
  ('annual_revenue', 'not_in', '[0]', 'Acme'), ('phone', 'equals', '"+4930123"', 'Acme'), ('phone', 'contains', '"30 12"', 'Acme'),
  ('website', 'equals', '"http://acme.com"', 'Acme,o''Br'), ('website', 'starts_with', '"https://www.acme"', 'Acme,o''Br'),
  ('tags', 'contains', '"vip"', 'Acme,o''Br'), ('tags', 'in', '["x", "A B"]', 'Acme'), ('tags', 'not_in', '["a b"]', 'o''Br'), ('tags', 'empty', null, 'Ölmü'),
  ('billing_address', 'empty', null, 'o''Br,Ölmü'), ('billing_address', 'not_empty', null, 'Acme'),
  ('custom_fields.sla', 'equals', '3', 'Acme'), ('custom_fields.sla', 'empty', null, 'o''Br,Ölmü'), ('custom_fields.odd', 'contains', '"X"', 'Acme'),
  ('owner', 'equals', '"{current_user}"', 'Acme'), ('owner', 'not_equals', '"{current_user}"', 'Ölmü'), ('owner', 'in', '["{current_user}", "U2"]', 'Acme,Ölmü'),
  ('owner', 'empty', null, 'o''Br'), ('owner', 'equals', '"nobody"', null)
) t (field, operator, value, names);
select is(pg_temp.allowed('{"all": [{"field": "industry", "operator": "not_empty"}, {"any": [{"field": "name", "operator": "starts_with", "value": "a"}, {"field": "tags", "operator": "empty"}]}]}'), 'Acme', 'groups in groups');
select is(pg_temp.allowed('{"any": [{"field": "industry", "operator": "empty"}, {"field": "name", "operator": "starts_with", "value": "a"}]}'), 'Acme,Ölmü', 'any');

-- What changes beside the filter
select pg_temp.allowed('custom_fields.sla', 'equals', '3');
update crm_field_mappings set data_type = 'string' where app_field = 'custom_fields.sla' and config_id = (select id from c);
select is(private.crm_filter_allows(c.id, 'accounts', array(select x.id from crm_companies x where x.workspace_id = (select id from w))), '{}'::uuid[], 'a condition that its field cannot answer any more lets nothing through') from c;
select pg_temp.allowed('owner', 'not_equals', '"{current_user}"');
delete from private.crm_owners where crm_user_id = '1' and config_id = (select id from c);
select is(private.crm_filter_allows(c.id, 'accounts', array(select x.id from crm_companies x where x.workspace_id = (select id from w))), '{}'::uuid[], 'nor one on a current user who is unknown') from c;
select is(private.crm_filter_allows(c.id, 'contacts', '{00000000-0000-0000-0000-000000000001}'), '{00000000-0000-0000-0000-000000000001}'::uuid[], 'another entity has no filter') from c;
select is(private.crm_filter_allows(c.id, 'accounts', array[gen_random_uuid()]), '{}'::uuid[], 'an unknown record is not let through') from c;

-- The person who connected, as owner
select is(private.crm_current_owner(pg_temp.connect_crm('hubspot', 'p1')), null, 'HubSpot''s users are not its owners: the same number says nothing');
update crm_sync_configs set oauth_user_email = 'Else@Where.test' where crm_provider = 'hubspot' and workspace_id = (select id from w);
select is((select private.crm_current_owner(id) from crm_sync_configs where crm_provider = 'hubspot' and workspace_id = (select id from w)), 'U2', 'there the address tells');
select ok(not has_function_privilege(r, 'private.crm_filter_allows(uuid, text, uuid[])', 'execute'), 'not for ' || r) from unnest('{anon,authenticated,service_role}'::text[]) r;

select * from finish();
rollback;
