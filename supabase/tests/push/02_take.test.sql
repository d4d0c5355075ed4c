-- Taking: what goes to the CRM for each edit.

\ir fixture.psql

-- The first push
insert into crm_companies (workspace_id, name, website, annual_revenue, custom_fields, industry, description)
select id, 'Acme', 'acme.example', 1000.5, '{"rating": "A"}', 'Steel', 'Ours' from w;
select is(pg_temp.begin_push('accounts'), 1, 'one record waits');
select is(pg_temp.take('accounts'), '[]', 'but before the CRM has been read, it may be one of the CRM''s');
select is(pg_temp.outbox(), 'nothing', 'so it leaves the outbox');
select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Theirs", "website": "theirs.example", "phone": "1"}', '{"owner": "U1"}'), done => true);
select is(pg_temp.begin_push('accounts'), 1, 'and comes back after a full read');
select is((select progress #> '{entities,accounts_to_crm}' from crm_sync_operations o join run r on r.operation = o.id), '{"done": 0, "total": 1}', 'progress shows it');
select is(pg_temp.told(pg_temp.take('accounts')),
  'create Acme {"name": "Acme", "domain": "acme.example", "website": "acme.example", "description": "Ours", "annual_revenue": 1000.50, "custom_fields.rating": "A"}',
  'with every field that is not empty and may be pushed');
select isnt((select intent_at from outbox), null, 'the intent is on record before anybody calls the CRM');
select is(pg_temp.take('accounts') #>> '{0,action}', 'look_up', 'so the next worker looks before it creates');
delete from private.crm_outbox;
select is(pg_temp.begin_push('accounts'), 0, 'records are put in once');
select pg_temp.settings('{}'), pg_temp.settings('{"phone_country": "DE"}');
select is(pg_temp.begin_push('accounts'), 1, 'and again when the rules have changed');
delete from private.crm_outbox;

-- Updates
update crm_companies set name = 'Ours', phone = '(1)', industry = 'Steel' where id = pg_temp.ours('A1');
select is(pg_temp.told(pg_temp.take('accounts')), 'update Ours A1 {"name": "Ours"}', 'of an edit the changed fields go out, spelling is no change, and a field that is only read stays here');
select is(pg_temp.take('accounts') #> '{0,verify}', 'true', 'the worker looks at the CRM first');
update crm_companies set name = 'Theirs' where id = pg_temp.ours('A1');
select is(pg_temp.take('accounts'), '[]', 'an edit taken back is nothing to say');
select is(pg_temp.outbox(), 'nothing', 'and leaves the outbox');
update crm_companies set description = 'Note' where id = pg_temp.ours('A1');
select is(pg_temp.take('accounts') #> '{0,verify}', 'false', 'a field that is only pushed needs no look');
update crm_companies set description = null, phone = null, website = null where id = pg_temp.ours('A1');
select is(pg_temp.told(pg_temp.take('accounts')), 'update Theirs A1 {"phone": null, "website": null}', 'a field emptied here is emptied there, and one that the database filled in is no edit');
update crm_companies set phone = '1', website = 'theirs.example', annual_revenue = 5 where id = pg_temp.ours('A1');
select is(pg_temp.take('accounts') #> '{0,values}', '{"annual_revenue": 5.00}', 'a number goes out as a number');
select pg_temp.merge('accounts', pg_temp.record('A1', '{"name": "Theirs", "website": "theirs.example", "phone": "1", "annual_revenue": 5}', '{"owner": "U1"}'));
select is(pg_temp.take('accounts'), '[]', 'what the CRM came to say itself is not sent');

-- Owners
update crm_companies set owner_id = null, owner_label = 'Else Where' where id = pg_temp.ours('A1');
select is(pg_temp.told(pg_temp.take('accounts')), 'update Theirs A1 {"$owner": "U2"}', 'an owner goes out as the CRM''s user, by name');
update crm_companies set owner_id = pg_temp.person('admin'), owner_label = null where id = pg_temp.ours('A1');
select is(pg_temp.take('accounts'), '[]', 'one whom the CRM does not have is left alone');
update crm_companies set owner_id = null where id = pg_temp.ours('A1');
select is(pg_temp.told(pg_temp.take('accounts')), 'update Theirs A1 {"$owner": null}', 'an owner taken off here is taken off there');
update crm_companies set owner_id = pg_temp.person('member') where id = pg_temp.ours('A1');
delete from private.crm_outbox;
delete from workspace_members where user_id = pg_temp.person('member') and workspace_id = (select id from w);
select is(pg_temp.outbox(), 'accounts:Theirs', 'a member who leaves leaves records without an owner');
select is(pg_temp.take('accounts'), '[]', 'which the CRM is not told');

-- Relations
select pg_temp.merge('contacts', pg_temp.record('C1', '{"first_name": "Ada", "last_name": "Byron"}', '{"company": null}'), done => true);
update crm_contacts set company_id = pg_temp.ours('A1') where id = pg_temp.ours('C1');
select is(pg_temp.told(pg_temp.take('contacts')), 'update Ada Byron C1 {"$company": "A1"}', 'a company goes out as the CRM''s id');
update crm_contacts set company_id = (select id from crm_companies where name = 'Acme' and workspace_id = (select id from w)) where id = pg_temp.ours('C1');
select is(pg_temp.take('contacts'), '[]', 'one that the CRM does not have yet waits');
select pg_temp.merge('contacts', pg_temp.record('C1', '{"first_name": "Ada", "last_name": "Byron"}', '{"company": "A1", "modified_at": "2001-01-01T00:00:00Z"}'));
select pg_temp.merge('contacts', pg_temp.record('C2', '{"first_name": "Bob"}', '{"company": "A1"}'));
update crm_contacts set company_id = null where id = pg_temp.ours('C2');
select is(pg_temp.told(pg_temp.take('contacts')), 'update Bob C2 {"$company": null}', 'a company taken off here is taken off there');
select pg_temp.merge('contacts', pg_temp.record('C3', '{"first_name": "Cleo"}', '{"company": "A99"}'));
delete from private.crm_outbox;
update crm_contacts set title = 'Queen' where id = pg_temp.ours('C3');
select is(pg_temp.told(pg_temp.take('contacts')), 'update Cleo C3 {"title": "Queen"}', 'one that has not arrived here is not taken off there');
delete from private.crm_outbox;

-- Children of a parent that waits
update crm_companies set phone = '2' where name = 'Acme' and workspace_id = (select id from w);
insert into crm_contacts (workspace_id, company_id, first_name) select workspace_id, id, 'Dan' from crm_companies where name = 'Acme' and workspace_id = (select id from w);
select is(pg_temp.take('contacts'), '[]', 'a contact waits for its company');
select is(pg_temp.outbox(), 'accounts:Acme contacts:Dan', 'in the outbox');
update private.crm_outbox set not_before = 'infinity' where entity_type = 'accounts' and config_id = (select config from run);
select pg_temp.due('contacts');
select is(pg_temp.told(pg_temp.take('contacts')), 'create Dan {"first_name": "Dan"}', 'but not for one that the CRM refused');
delete from private.crm_outbox;

-- Conflicts
select pg_temp.merge('accounts', pg_temp.record('A2', '{"name": "Base", "phone": "1"}'));
update crm_sync_configs set conflict_resolution = 'manual_review' where id = (select config from run);
update crm_companies set name = 'Here', phone = '2' where id = pg_temp.ours('A2');
select is(pg_temp.merge('accounts', pg_temp.record('A2', '{"name": "There", "phone": "1"}')), 'unchanged=1 conflicts=1', 'both sides named the company anew');
select is(pg_temp.told(pg_temp.take('accounts')), 'update Here A2 {"phone": "2"}', 'the field that waits for a person stays, the rest goes');
update crm_sync_conflicts set status = 'ignored' where config_id = (select config from run) and status = 'pending';
select is(pg_temp.told(pg_temp.take('accounts')), 'update Here A2 {"phone": "2"}', 'so does one that a person chose to ignore');
update crm_companies set name = 'Third' where id = pg_temp.ours('A2');
select is(pg_temp.told(pg_temp.take('accounts')), 'update Third A2 {"name": "Third", "phone": "2"}', 'until somebody edits it again');
delete from private.crm_outbox;

-- Deletions
update crm_companies set deleted_at = now() where id in (pg_temp.ours('A1'), pg_temp.ours('A2'));
select is(pg_temp.take('accounts'), '[]', 'a deletion stays here unless the connection says otherwise');
select pg_temp.settings('{"delete_in_crm": true}');
update crm_companies set deleted_at = null where id = pg_temp.ours('A1');
update crm_companies set deleted_at = now() where id = pg_temp.ours('A1');
select is(pg_temp.told(pg_temp.take('accounts')), 'delete Theirs A1', 'then the record is deleted there');
delete from crm_companies where id = pg_temp.ours('A1');
select is(pg_temp.told(pg_temp.take('accounts')), 'delete ? A1', 'also when it is gone for good here');
delete from private.crm_outbox;
insert into crm_companies (workspace_id, name) select id, 'Short-lived' from w;
update crm_companies set deleted_at = now() where name = 'Short-lived' and workspace_id = (select id from w);
select is(pg_temp.take('accounts'), '[]', 'one that the CRM never had is nothing to say');
select pg_temp.merge('contacts', pg_temp.record('C1', '{}', '{"deleted": true}'));
update crm_contacts set title = 'Countess' where id = pg_temp.ours('C1');
select is(pg_temp.take('contacts'), '[]', 'a record that was deleted there is not written to');

-- Rules
select pg_temp.settings('{"create_in_crm": false, "contacts": {"exclude_fields": ["title"]}}');
insert into crm_contacts (workspace_id, first_name) select id, 'Eve' from w;
update crm_contacts set title = 'Pharaoh', first_name = 'Cleopatra' where id = pg_temp.ours('C3');
select is(pg_temp.begin_push('contacts'), 2, 'two edits wait');
select is(pg_temp.told(pg_temp.take('contacts')), 'update Cleopatra C3 {"first_name": "Cleopatra"}', 'excluded fields stay here, and nothing is created where that is not wanted');
select is(pg_temp.outbox(), 'contacts:Cleopatra', 'which costs no further look');
select pg_temp.settings('{}');
select is(pg_temp.begin_push('contacts') > 1, true, 'once it is wanted, the record is there');

-- Many
delete from private.crm_outbox;
insert into crm_companies (workspace_id, name) select w.id, 'Co ' || lpad(n::text, 3, '0') from w, generate_series(1, 30) n;
update private.crm_outbox o set not_before = now() - interval '1 hour' + c.name::text::interval from (select id, substr(name, 4) || ' s' as name from crm_companies where name like 'Co 0%') c where o.record_id = c.id;
select is(pg_temp.take('accounts', lim => 3) #>> '{}' like '%Co 001%Co 002%Co 003%', true, 'oldest first');
select is((select count(*) from outbox where intent_at is not null), 3::bigint, 'and no more than asked for');
select results_eq($$ select array_agg(i #>> '{match,name}') from run r, jsonb_array_elements(private.crm_take_outbound(r.operation, r.fence, 'accounts', 2, null,
    array(select id from crm_companies where name in ('Co 001', 'Co 003'))) -> 'items') i where r.name = 'crm' $$,
  $$ values (array['Co 002', 'Co 004']) $$, 'without those that are under way');
select is(jsonb_array_length(pg_temp.take('accounts', records => array(select id from crm_companies where name in ('Co 001', 'Co 009') and workspace_id = (select id from w)))), 2, 'certain records come when asked for');

-- A look that brings nothing new
create function pg_temp.unchanged(vals jsonb, more jsonb default '{}') returns boolean language sql as $$
  select private.crm_push_unchanged(r.operation, r.fence, 'contacts', pg_temp.record('C90', vals, more)) from run r where r.name = 'crm'
$$;
select pg_temp.merge('contacts', pg_temp.record('C90', '{"last_name": "Ninety", "title": "Chief"}'));
update crm_contacts set title = 'Ours' where last_name = 'Ninety';
select is(pg_temp.unchanged('{"last_name": "Ninety", "title": "Chief"}'), true, 'the CRM shows what it showed before: ours stands as it was taken');
select is(pg_temp.unchanged('{"title": "Chief"}'), true, 'what was not read says nothing');
select is(pg_temp.unchanged('{"last_name": "Ninety", "title": "Theirs"}'), false, 'an edit there');
select is(pg_temp.unchanged('{"last_name": "Ninety", "title": "Chief"}', '{"company": "A1"}'), false, 'a relation there');
select is(pg_temp.unchanged('{}', '{"deleted": true}'), false, 'a deletion there');
update private.crm_record_links set has_conflict = true where crm_record_id = 'C90';
select is(pg_temp.unchanged('{"last_name": "Ninety", "title": "Chief"}'), false, 'and a conflict, which the merge may close');
select throws_ok($$ select private.crm_push_unchanged(operation, fence - 1, 'contacts', '[]') from run $$, 'PC007', null, 'a worker that lost its lease is told so');

select is(pg_temp.try_as('owner', $$ select count(*) from private.crm_outbox $$), '42501', 'nobody reads the outbox from outside');
select throws_ok($$ select private.crm_take_outbound(operation, fence - 1, 'accounts', 1) from run $$, 'PC007', null, 'a worker that lost its lease takes nothing');
select throws_ok($$ select private.crm_take_outbound(operation, fence, 'leads', 1) from run $$, 'PC004', null, 'there are three entities');

select * from finish();
rollback;
