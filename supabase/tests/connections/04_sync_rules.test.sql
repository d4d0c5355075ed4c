-- What sync_rules may say. Whatever a sync could not follow is refused when it is saved, and the hint names the key.

\ir ../fixtures/people.psql

select no_plan();

\ir ../fixtures/crm.psql

create temp table c on commit drop as select pg_temp.connect_crm('salesforce', 'org1') as id;
insert into crm_field_mappings (config_id, entity_type, crm_field, app_field, data_type)
select id, 'accounts', 'Sla__c', 'custom_fields.sla', 'number' from c union all
select id, 'accounts', 'Signed__c', 'custom_fields.signed', 'datetime' from c;

-- The hint of a refusal, or "saved".
create function pg_temp.save(rules jsonb) returns text language plpgsql as $$
declare
  told text;
begin
  perform set_config('request.jwt.claims', json_build_object('sub', pg_temp.person('admin'), 'role', 'authenticated')::text, true);
  set local role authenticated;
  update crm_sync_configs set sync_rules = rules where id = (select id from c);
  reset role;
  return 'saved';
exception when sqlstate 'PC004' then
  get stacked diagnostics told = pg_exception_hint;
  return told;
end $$;
grant select on c to authenticated;

select is(pg_temp.save(rules), 'saved', 'saved: ' || left(rules::text, 90)) from unnest(array[
  '{}', '{"create_when_missing": true, "create_in_crm": false, "delete_when_deleted": true, "delete_in_crm": false, "phone_country": "DE"}',
  '{"schedule": {"time_zone": "Europe/Berlin", "daily_at": "06:30", "minute": 0}}', '{"schedule": {"minute": 59}}',
  '{"contacts": {"field_strategies": {"email": "crm_wins"}, "exclude_fields": ["phone", "custom_fields.x"], "external_id_field": "App_Id__c"}}',
  '{"accounts": {"filter": {"field": "industry", "operator": "equals", "value": "Banking"}}}',
  '{"accounts": {"filter": {"all": [{"field": "annual_revenue", "operator": "between", "value": [1, 2.5]}, {"any": [{"field": "tags", "operator": "contains", "value": "vip"}, {"field": "billing_address", "operator": "empty"}]}]}}}',
  '{"accounts": {"filter": {"field": "custom_fields.sla", "operator": "greater", "value": 3}}}',
  '{"accounts": {"filter": {"field": "custom_fields.signed", "operator": "less", "value": "2026-12-31T08:00:00+01:00"}}}',
  '{"opportunities": {"filter": {"all": [{"field": "owner", "operator": "in", "value": ["{current_user}", "005xx"]}, {"field": "stage_key", "operator": "not_in", "value": ["lost"]}, {"field": "expected_close_date", "operator": "greater_or_equal", "value": "2028-02-29"}]}}}'
]::jsonb[]) rules;

select is(pg_temp.save(rules::jsonb), told, 'refused: ' || left(rules, 110)) from (values
  ('{"delete_when_deletd": true}', 'delete_when_deletd: there is no such key.'),
  ('{"create_in_crm": "yes"}', 'create_in_crm: must be true or false.'),
  ('{"delete_in_crm": null}', 'delete_in_crm: must be true or false.'),
  ('{"phone_country": 49}', 'phone_country: must be a code such as "DE".'),
  ('{"schedule": "daily"}', 'schedule: must be an object.'),
  ('{"schedule": {"time_zone": "Berlin"}}', 'schedule.time_zone: must be a time zone such as "Europe/Berlin".'),
  ('{"schedule": {"daily_at": "24:00"}}', 'schedule.daily_at: must be a time such as "06:30".'),
  ('{"schedule": {"minute": 60}}', 'schedule.minute: must be a whole number from 0 to 59.'),
  ('{"schedule": {"minute": 1.5}}', 'schedule.minute: must be a whole number from 0 to 59.'),
  ('{"schedule": {"cron": "* * * * *"}}', 'schedule.cron: there is no such key.'),
  ('{"contacts": "crm_wins"}', 'contacts: must be an object.'),
  ('{"contacts": {"strategies": {}}}', 'contacts.strategies: there is no such key.'),
  ('{"contacts": {"field_strategies": "crm_wins"}}', 'contacts.field_strategies: must be an object.'),
  ('{"contacts": {"field_strategies": {"email": "whoever"}}}', 'contacts.field_strategies.email: must be last_write_wins, crm_wins, app_wins or manual_review.'),
  ('{"contacts": {"field_strategies": {"emial": "crm_wins"}}}', 'contacts.field_strategies.emial: is no field of contacts.'),
  ('{"contacts": {"field_strategies": {"owner": "crm_wins"}}}', 'contacts.field_strategies.owner: is no field of contacts.'),
  ('{"contacts": {"field_strategies": {"$contact": "crm_wins"}}}', 'contacts.field_strategies.$contact: is no field of contacts.'),
  ('{"contacts": {"exclude_fields": "phone"}}', 'contacts.exclude_fields: must be a list of fields.'),
  ('{"contacts": {"exclude_fields": ["phone", "domain"]}}', 'contacts.exclude_fields[1]: "domain" is no field of contacts.'),
  ('{"contacts": {"exclude_fields": ["owner"]}}', 'contacts.exclude_fields[0]: "owner" is no field of contacts.'),
  ('{"contacts": {"external_id_field": "Id = null OR Name"}}', 'contacts.external_id_field: must be the name of a field of the CRM.'),
  ('{"contacts": {"external_id_field": 7}}', 'contacts.external_id_field: must be the name of a field of the CRM.'),
  ('{"accounts": {"filter": []}}', 'accounts.filter: must be {"all": […]}, {"any": […]} or a condition.'),
  ('{"accounts": {"filter": null}}', 'accounts.filter: must be {"all": […]}, {"any": […]} or a condition.'),
  ('{"accounts": {"filter": {}}}', 'accounts.filter.field: null is no field of accounts.'),
  ('{"accounts": {"filter": {"all": []}}}', 'accounts.filter.all: takes 1 to 25 parts.'),
  ('{"accounts": {"filter": {"all": {}}}}', 'accounts.filter.all: must be a list.'),
  ('{"accounts": {"filter": {"all": [], "any": []}}}', 'accounts.filter: holds all and nothing else.'),
  ('{"accounts": {"filter": {"any": [{"field": "name", "operator": "empty"}, {"field": "no_such", "operator": "empty"}]}}}', 'accounts.filter.any[1].field: "no_such" is no field of accounts.'),
  ('{"accounts": {"filter": {"field": "$company", "operator": "empty"}}}', 'accounts.filter.field: "$company" is no field of accounts.'),
  ('{"accounts": {"filter": {"field": "name", "operator": "like", "value": "x"}}}', 'accounts.filter.operator: name takes empty, not_empty, equals, not_equals, in, not_in, contains, starts_with.'),
  ('{"accounts": {"filter": {"field": "name", "operator": "greater", "value": "x"}}}', 'accounts.filter.operator: name takes empty, not_empty, equals, not_equals, in, not_in, contains, starts_with.'),
  ('{"accounts": {"filter": {"field": "name"}}}', 'accounts.filter.operator: name takes empty, not_empty, equals, not_equals, in, not_in, contains, starts_with.'),
  ('{"accounts": {"filter": {"field": "name", "operator": "equals", "value": "x", "case": true}}}', 'accounts.filter.case: there is no such key.'),
  ('{"accounts": {"filter": {"field": "name", "operator": "empty", "value": "x"}}}', 'accounts.filter.value: empty takes none.'),
  ('{"accounts": {"filter": {"field": "name", "operator": "equals"}}}', 'accounts.filter.value: equals takes one value.'),
  ('{"accounts": {"filter": {"field": "name", "operator": "equals", "value": ["x"]}}}', 'accounts.filter.value: equals takes one value.'),
  ('{"accounts": {"filter": {"field": "name", "operator": "in", "value": "x"}}}', 'accounts.filter.value: in takes a list.'),
  ('{"accounts": {"filter": {"field": "name", "operator": "in", "value": []}}}', 'accounts.filter.value: in takes 1 to 100 values.'),
  ('{"accounts": {"filter": {"field": "annual_revenue", "operator": "between", "value": [1]}}}', 'accounts.filter.value: between takes two values.'),
  ('{"accounts": {"filter": {"field": "annual_revenue", "operator": "equals", "value": "1"}}}', 'accounts.filter.value: annual_revenue is compared with numbers.'),
  ('{"accounts": {"filter": {"field": "custom_fields.sla", "operator": "equals", "value": "gold"}}}', 'accounts.filter.value: custom_fields.sla is compared with numbers.'),
  ('{"accounts": {"filter": {"field": "custom_fields.signed", "operator": "less", "value": "2026-13-31T08:00:00Z"}}}', 'accounts.filter.value: custom_fields.signed is compared with instants such as "2026-12-31T08:00:00Z".'),
  ('{"accounts": {"filter": {"field": "name", "operator": "equals", "value": " "}}}', 'accounts.filter.value: name is compared with text of 1 to 255 characters.'),
  ('{"accounts": {"filter": {"field": "name", "operator": "equals", "value": null}}}', 'accounts.filter.value: name is compared with text of 1 to 255 characters.'),
  ('{"opportunities": {"filter": {"field": "expected_close_date", "operator": "equals", "value": "2026-02-30"}}}', 'opportunities.filter.value: expected_close_date is compared with dates such as "2026-12-31".'),
  ('{"opportunities": {"filter": {"field": "stage_key", "operator": "contains", "value": "won"}}}', 'opportunities.filter.operator: stage_key takes empty, not_empty, equals, not_equals, in, not_in.'),
  ('{"accounts": {"filter": {"field": "billing_address", "operator": "equals", "value": "x"}}}', 'accounts.filter.operator: billing_address takes empty, not_empty.')
) r (rules, told);

-- The other document's names of strategies
select is(pg_temp.save('{"phone_country": "DE", "contacts": {"exclude_fields": ["title"], "field_strategies": {"email": "crm-wins", "phone": "system-wins", "$owner": "manual", "custom_fields.x": "timestamp"}}}'), 'saved', 'strategies of single fields under their other names');
select is((select sync_rules from crm_sync_configs where id = (select id from c)),
  '{"phone_country": "DE", "contacts": {"exclude_fields": ["title"], "field_strategies": {"email": "crm_wins", "phone": "app_wins", "$owner": "manual_review", "custom_fields.x": "last_write_wins"}}}'::jsonb,
  'are stored under one');

-- Depth and size
create function pg_temp.nested(depth int) returns jsonb language sql as $$
  select (repeat('{"all": [', depth - 1) || '{"field": "name", "operator": "empty"}' || repeat(']}', depth - 1))::jsonb
$$;
select is(pg_temp.save(jsonb_build_object('accounts', jsonb_build_object('filter', pg_temp.nested(5)))), 'saved', 'five levels');
select is(pg_temp.save(jsonb_build_object('accounts', jsonb_build_object('filter', pg_temp.nested(6)))),
  'accounts.filter.all[0].all[0].all[0].all[0].all[0]: groups are nested more than 5 deep.', 'but not six');
select matches(pg_temp.save(jsonb_build_object('accounts', jsonb_build_object('filter', pg_temp.nested(2000)))), 'more than 5 deep', 'nor two thousand');
create function pg_temp.wide(conditions int) returns jsonb language sql as $$
  select jsonb_build_object('accounts', jsonb_build_object('filter', jsonb_build_object('any', jsonb_agg(
    jsonb_build_object('all', jsonb_build_array('{"field": "name", "operator": "empty"}'::jsonb)
      || case n when 1 then jsonb_build_array('{"field": "phone", "operator": "empty"}'::jsonb) else '[]' end)))))
  from generate_series(1, conditions - 1) n
$$;
select is(pg_temp.save(pg_temp.wide(25)), 'saved', '25 conditions');
select is(pg_temp.save(pg_temp.wide(26)), 'accounts.filter: has more than 25 conditions.', 'but not 26');

-- What is left out
select is(private.crm_excluded_fields('{"contacts": {"exclude_fields": ["phone", "title"]}}', 'contacts'), '{phone,title}'::text[], 'excluded fields of an entity');
select is(private.crm_excluded_fields('{"contacts": {"exclude_fields": ["phone", "title"]}}', 'accounts'), '{}'::text[], 'not of another');

select * from finish();
rollback;
