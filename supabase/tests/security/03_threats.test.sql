-- Attacks by name, each made as the person who would make it.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('olga', 'alan', 'mia', 'vera', 'eve');
create temp table w on commit drop as select pg_temp.try_as('olga', $$ select (create_workspace('Target')).id $$)::uuid as id;
insert into workspace_members (workspace_id, user_id, role) select w.id, pg_temp.person(p.name), p.role from w, (values ('alan', 'admin'), ('mia', 'member'), ('vera', 'viewer')) p (name, role);
create temp table lair on commit drop as select id from workspaces where created_by = pg_temp.person('eve');
-- eve's workspace has mia as a member too: the dangerous case is a person who belongs to both.
insert into workspace_members (workspace_id, user_id, role) select id, pg_temp.person('mia'), 'member' from lair;
create temp table c on commit drop as select
  pg_temp.try_as('olga', format($$ insert into crm_companies (workspace_id, name) values (%L, 'Ours') returning id $$, (select id from w)))::uuid as ours,
  pg_temp.try_as('mia', format($$ insert into crm_companies (workspace_id, name) values (%L, 'Hers') returning id $$, (select id from w)))::uuid as hers,
  pg_temp.try_as('eve', format($$ insert into crm_companies (workspace_id, name) values (%L, 'Lair') returning id $$, (select id from lair)))::uuid as theirs;
create temp table invitation on commit drop as select pg_temp.try_as('alan', format($$ select token from invite_member(%L, 'eve@example.test', 'viewer') $$, (select id from w))) as token;

-- Cross-workspace pointers.
select is(pg_temp.try_as('mia', format($$ insert into crm_contacts (workspace_id, first_name, company_id) values (%L, 'X', %L) $$, (select id from w), (select theirs from c))), '23503', 'XW-01 a member of two workspaces cannot link a contact across them');
select is(pg_temp.try_as('mia', format($$ update crm_companies set parent_company_id = %L where id = %L $$, (select theirs from c), (select hers from c))), '23503', 'XW-02 nor a parent company');
select is(pg_temp.try_as('mia', format($$ insert into crm_notes (workspace_id, content, related_to_type, related_to_id) values (%L, 'X', 'company', %L) $$, (select id from lair), (select ours from c))), '23503', 'XW-03 nor a note');
select is(pg_temp.try_as('mia', format($$ update crm_companies set workspace_id = %L where id = %L $$, (select id from lair), (select hers from c))), 'PC004', 'XW-04 nor carry a record over');
select is(pg_temp.try_as('mia', format($$ update crm_companies set owner_id = %L where id = %L $$, pg_temp.person('eve'), (select hers from c))), '23503', 'XW-05 nor give a record to somebody outside');
select is(pg_temp.try_as('eve', format($$ select count(*) from crm_companies where workspace_id = %L $$, (select id from w))), '0', 'XW-06 a stranger reads nothing');
select is(pg_temp.try_as('eve', format($$ insert into crm_companies (workspace_id, name) values (%L, 'X') $$, (select id from w))), '42501', 'XW-07 a stranger writes nothing');
select is(pg_temp.try_as('eve', format($$ insert into crm_companies (id, workspace_id, name) values (%L, %L, 'X') on conflict (id) do update set name = 'stolen' $$, (select ours from c), (select id from lair))), '42501', 'XW-08 an upsert on a foreign id is refused');
select is(pg_temp.try_as('eve', format($$ select count(*) from crm_activities where workspace_id = %L $$, (select id from w))), '0', 'XW-09 history leaks nothing');
select is(pg_temp.try_as('eve', format($$ select search_records(%L, 'Ours') $$, (select id from w))), 'PC001', 'XW-10 search leaks nothing');
select is(pg_temp.try_as('eve', format($$ select search_records(%L, 'Ours') $$, gen_random_uuid())), 'PC001', 'XW-11 and answers the same for a workspace that does not exist');

-- Escalation.
select is(pg_temp.try_as('vera', format($$ insert into crm_companies (workspace_id, name) values (%L, 'X') $$, (select id from w))), '42501', 'ES-01 a viewer creates nothing');
select is(pg_temp.try_as('vera', 'update crm_companies set name = ''X'''), '0 rows', 'ES-02 or changes');
select is(pg_temp.try_as('vera', 'delete from crm_companies'), '0 rows', 'ES-03 or deletes');
select is(pg_temp.try_as('mia', format($$ update crm_companies set name = 'X' where id = %L $$, (select ours from c))), '0 rows', 'ES-04 a member does not change what is another''s');
select is(pg_temp.try_as('mia', format($$ update crm_companies set owner_id = %L where id = %L $$, pg_temp.person('mia'), (select ours from c))), '0 rows', 'ES-05 nor take it over');
select is(pg_temp.try_as('mia', format($$ insert into crm_companies (workspace_id, name, created_by) values (%L, 'X', %L) $$, (select id from w), pg_temp.person('olga'))), '42501', 'ES-06 nor create in another''s name');
select is(pg_temp.try_as('mia', format($$ insert into crm_companies (id, workspace_id, name) values (%L, %L, 'X') on conflict (id) do update set name = 'stolen' $$, (select ours from c), (select id from w))), '42501', 'ES-07 nor change it by an upsert');
select is(pg_temp.try_as('mia', format($$ update workspace_members set role = 'owner' where user_id = %L $$, pg_temp.person('mia'))), '42501', 'ES-08 a member does not write the own role');
select is(pg_temp.try_as('alan', format($$ select change_member_role(%L, %L, 'owner') $$, (select id from w), pg_temp.person('alan'))), 'PC002', 'ES-09 an admin does not become owner');
select is(pg_temp.try_as('alan', format($$ select transfer_ownership(%L, %L) $$, (select id from w), pg_temp.person('alan'))), 'PC002', 'ES-10 in no way');
select is(pg_temp.try_as('alan', format($$ select token from invite_member(%L, 'accomplice@example.test', 'owner') $$, (select id from w))), 'PC004', 'ES-11 and invites no owner');
select is(pg_temp.try_as('alan', format($$ select delete_workspace(%L) $$, (select id from w))), 'PC002', 'ES-12 and does not delete the workspace');
select is(pg_temp.try_as('mia', format($$ select private.apply_record_rules('public.crm_companies', 'x') $$)), '42501', 'ES-13 nobody calls what migrations call');
select is(pg_temp.try_as('mia', format($$ select set_config('pipeline_crm.actor', %L, true), (select private.actor_id()) $$, pg_temp.person('olga'))), pg_temp.person('olga')::text, 'ES-14 a setting may be written');
select is(pg_temp.try_as('mia', 'select private.actor_id()'), pg_temp.person('mia')::text, 'ES-15 but the signed-in person stays the actor');

-- Last owner, invitations.
select is(pg_temp.try_as('olga', format($$ select leave_workspace(%L) $$, (select id from w))), 'PC009', 'LO-01 the last owner does not leave');
select is(pg_temp.try_as('olga', format($$ select (change_member_role(%L, %L, 'viewer')).role $$, (select id from w), pg_temp.person('olga'))), 'PC009', 'LO-02 or step down');
select is(pg_temp.try_as('mia', format($$ select accept_invitation(%L) $$, (select token from invitation))), 'PC010', 'IN-01 a stolen token is worth nothing to another address');
select is(pg_temp.try_as('eve', format($$ select (accept_invitation(%L)).name $$, (select token from invitation))), 'Target', 'IN-02 its owner uses it');
select isnt(pg_temp.try_as('alan', format($$ select remove_member(%L, %L) $$, (select id from w), pg_temp.person('eve'))), 'PC002', 'IN-03 is removed');
select is(pg_temp.try_as('eve', format($$ select accept_invitation(%L) $$, (select token from invitation))), 'PC010', 'IN-04 and does not come back with it');
select is(pg_temp.try_as('eve', 'select count(*) from crm_companies'), '1', 'IN-05 who is removed sees the own workspace only, at once');

-- Forged history, forged metadata.
select is(pg_temp.try_as('alan', format($$ insert into pipeline_stage_history (workspace_id, pipeline_project_id, to_stage) values (%L, gen_random_uuid(), 'won') $$, (select id from w))), '42501', 'HI-01 nobody writes stage history');
select is(pg_temp.try_as('olga', 'delete from crm_activities'), '42501', 'HI-02 nobody deletes history');
select is(pg_temp.try_as('mia', format($$ update crm_companies set created_by = %L where id = %L returning created_by $$, pg_temp.person('olga'), (select hers from c))), pg_temp.person('mia')::text, 'HI-03 the author of a record stays');
select is(pg_temp.try_as('olga', format($$ update crm_companies set owner_id = %L where id = %L $$, pg_temp.person('mia'), (select ours from c))), '1 rows', 'HI-04 whoever is given a record');
select is(pg_temp.try_as('mia', format($$ update crm_companies set created_by = null where id = %L returning created_by $$, (select ours from c))), pg_temp.person('olga')::text, 'HI-05 does not make its author forgotten');
select is(pg_temp.try_as('mia', format($$ insert into crm_notes (workspace_id, content, related_to_type, related_to_id) values (%L, 'Signed', 'company', %L) returning content $$, (select id from w), (select hers from c))), 'Signed', 'HI-06 nor that');
select is(pg_temp.try_as('mia', $$ update crm_notes set created_by_id = null where content = 'Signed' returning created_by_id $$), pg_temp.person('mia')::text, 'HI-07 of a note');
select is(pg_temp.try_as('mia', format($$ insert into pipeline_projects (workspace_id, name, crm_id, crm_source, sync_status) values (%L, 'Claimed', '006', 'salesforce', 'synced') returning num_nulls(crm_id, crm_source, sync_status) $$, (select id from w))), '3', 'HI-08 nobody passes a deal off as the CRM''s');
select is(pg_temp.try_as('mia', $$ update pipeline_projects set crm_id = '006', crm_source = 'salesforce', sync_status = 'synced' where name = 'Claimed' returning num_nulls(crm_id, crm_source, sync_status) $$), '3', 'HI-09 not later either');
select is(pg_temp.try_as('mia', format($$ insert into crm_companies (workspace_id, name, created_at, updated_at) values (%L, 'Timeless', '2001-01-01', '2099-01-01') returning created_at = now() and updated_at = now() $$, (select id from w))), 'true', 'HI-10 nobody writes last for ever by a date in the future');
select is(pg_temp.try_as('mia', format($$ insert into pipeline_projects (workspace_id, name, %s) values (%L, 'NaN', 'NaN') $$, target, (select id from w))), '23514', 'HI-11 nobody spoils the totals or the order of a board: ' || target)
from unnest('{estimated_value,board_position}'::text[]) target;
select is(pg_temp.try_as('olga', format($$ insert into crm_contacts (workspace_id, first_name, email) values (%L, 'First', 'one@example.test') returning first_name $$, (select id from w))), 'First', 'HI-12 an address in use');
select is(pg_temp.try_as('mia', format($$ insert into crm_contacts (workspace_id, first_name, email, duplicate_of) select %L, 'Second', email, id from crm_contacts where first_name = 'First' $$, (select id from w))), '23505', 'HI-13 cannot be entered as a duplicate');
select is(pg_temp.try_as('olga', format($$ insert into crm_contacts (workspace_id, first_name, email) values (%L, 'Third', 'three@example.test') returning first_name $$, (select id from w))), 'Third', 'HI-14 nor');
select is(pg_temp.try_as('olga', $$ update crm_contacts c set duplicate_of = f.id from crm_contacts f where f.first_name = 'First' and c.first_name = 'Third' returning c.duplicate_of is null $$), 'true', 'HI-15 a contact made one');
delete from auth.users where id = pg_temp.person('mia');
select is((select created_by from crm_companies where id = (select hers from c)), null, 'HI-16 an account that is deleted leaves its records without author');

-- anon.
select is(pg_temp.try_as('anon', format('select 1 from public.%I', relname)), '42501', format('AN-%s anon does not read %s', lpad(row_number() over (order by relname)::text, 2, '0'), relname))
from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'm', 'p');

select * from finish();
rollback;
