-- Relations: they stay inside a workspace, they cannot dangle, and history outlives the record.

\ir ../fixtures/people.psql

select no_plan();

select pg_temp.sign_up('ada', 'eve');
create temp table w on commit drop as select id from workspaces where created_by = pg_temp.person('ada');
create temp table w2 on commit drop as select id from workspaces where created_by = pg_temp.person('eve');
create temp table r (kind text, side text, id uuid) on commit drop;

with c as (insert into crm_companies (workspace_id, name) select id, 'C' from w union all select id, 'C' from w2 returning id, workspace_id)
insert into r select 'company', case when workspace_id = (select id from w) then 'ours' else 'theirs' end, id from c;
with c as (insert into crm_contacts (workspace_id, first_name) select id, 'P' from w union all select id, 'P' from w2 returning id, workspace_id)
insert into r select 'contact', case when workspace_id = (select id from w) then 'ours' else 'theirs' end, id from c;
with c as (insert into pipeline_projects (workspace_id, name) select id, 'D' from w union all select id, 'D' from w2 returning id, workspace_id)
insert into r select 'deal', case when workspace_id = (select id from w) then 'ours' else 'theirs' end, id from c;
with c as (insert into crm_campaigns (workspace_id, name) select id, 'K' from w union all select id, 'K' from w2 returning id, workspace_id)
insert into r select 'campaign', case when workspace_id = (select id from w) then 'ours' else 'theirs' end, id from c;
with c as (insert into crm_projects (workspace_id, name) select id, 'J' from w union all select id, 'J' from w2 returning id, workspace_id)
insert into r select 'project', case when workspace_id = (select id from w) then 'ours' else 'theirs' end, id from c;
create function pg_temp.rec(kind text, side text default 'ours') returns uuid language sql as $$ select r.id from r where r.kind = $1 and r.side = $2 $$;

select lives_ok(format($$ insert into crm_tasks (workspace_id, title, related_to_type, related_to_id) select id, 'Call', %L, %L from w $$, kind, id), 'a task can be about a ' || kind) from r where side = 'ours';
select lives_ok(format($$ insert into crm_notes (workspace_id, content, related_to_type, related_to_id) select id, 'Note', %L, %L from w $$, kind, id), 'a note can be about a ' || kind) from r where side = 'ours';
select is((select count(*) from crm_tasks t join w on w.id = t.workspace_id where t.related_to_id = coalesce(t.company_id, t.contact_id, t.deal_id, t.campaign_id, t.project_id) and num_nonnulls(t.company_id, t.contact_id, t.deal_id, t.campaign_id, t.project_id) = 1), 5::bigint, 'the typed column carries the pointer');

select throws_ok(format($$ insert into crm_tasks (workspace_id, title, related_to_type, related_to_id) select id, 'X', %L, %L from w $$, kind, id), '23503', null, 'a task cannot be about another workspace''s ' || kind) from r where side = 'theirs';
select throws_ok(format($$ insert into crm_notes (workspace_id, content, related_to_type, related_to_id) select id, 'X', %L, %L from w $$, kind, id), '23503', null, 'a note cannot be about another workspace''s ' || kind) from r where side = 'theirs';
select throws_ok(format($$ insert into crm_notes (workspace_id, content, related_to_type, related_to_id) select id, 'X', %L, gen_random_uuid() from w $$, kind), '23503', null, 'nor about a ' || kind || ' that does not exist') from r where side = 'ours';
select throws_ok(format($$ insert into crm_notes (workspace_id, content, related_to_type, related_to_id) select id, 'X', 'contact', %L from w $$, pg_temp.rec('company')), '23503', null, 'a company is not a contact');
select throws_ok($$ insert into crm_tasks (workspace_id, title, related_to_type) select id, 'X', 'company' from w $$, '23514', null, 'a kind without a record is refused');
select throws_ok(format($$ insert into crm_tasks (workspace_id, title, related_to_id) select id, 'X', %L from w $$, pg_temp.rec('company')), '23514', null, 'a record without its kind too');
select throws_ok(format($$ insert into crm_notes (workspace_id, content, related_to_type, related_to_id) select id, 'X', 'workspace', id from w $$), '23514', null, 'there are five kinds');
select lives_ok($$ insert into crm_tasks (workspace_id, title) select id, 'About nothing' from w $$, 'a task may be about nothing');

-- Every foreign key between records, from the catalogue: pointing it at another workspace must fail.
create function pg_temp.cross_pointers() returns setof text language plpgsql as $$
declare
  k record;
begin
  for k in
    select c.conrelid::regclass as source, a.attname as col, e.kind
    from pg_constraint c
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey) and a.attname <> 'workspace_id'
    join (values ('crm_companies', 'company'), ('crm_contacts', 'contact'), ('pipeline_projects', 'deal'), ('crm_campaigns', 'campaign'), ('crm_projects', 'project')) e (target, kind)
      on c.confrelid = ('public.' || e.target)::regclass
    where c.contype = 'f' and array_length(c.conkey, 1) = 2 and a.attgenerated = ''
      and c.conrelid in ('crm_companies'::regclass, 'crm_contacts'::regclass, 'pipeline_projects'::regclass, 'crm_projects'::regclass)
    order by 1, 2
  loop
    return next throws_ok(format('update %s set %I = %L where workspace_id = %L; set constraints all immediate', k.source, k.col, pg_temp.rec(k.kind, 'theirs'), (select id from w)),
      '23503', null, format('%s.%s cannot point into another workspace', k.source, k.col));
  end loop;
end $$;
select pg_temp.cross_pointers();
select is((
  select string_agg(c.conname, ', ') from pg_constraint c
  where c.contype = 'f' and c.connamespace = 'public'::regnamespace and array_length(c.conkey, 1) = 1
    and exists (select from pg_attribute a join pg_class t on t.oid = a.attrelid where a.attrelid = c.confrelid and a.attname = 'workspace_id' and t.relnamespace = 'public'::regnamespace)
), null, 'every foreign key to a record carries the workspace');
select throws_ok($$ update crm_companies set owner_id = pg_temp.person('eve') where workspace_id = (select id from w) $$, '23503', null, 'an owner is a member of the workspace');
select throws_ok($$ insert into crm_tasks (workspace_id, title, assigned_to_id) select id, 'X', pg_temp.person('eve') from w $$, '23503', null, 'and so is who a task is given to');
select throws_ok(format($$ insert into crm_campaign_contacts (workspace_id, campaign_id, contact_id) select id, %L, %L from w $$, pg_temp.rec('campaign'), pg_temp.rec('contact', 'theirs')), '23503', null, 'a campaign reaches contacts of its own workspace');
select throws_ok(format($$ insert into pipeline_resource_demands (workspace_id, pipeline_project_id, skill_category) select id, %L, 'sql' from w $$, pg_temp.rec('deal', 'theirs')), '23503', null, 'a demand belongs to a deal of its own workspace');

-- Soft and hard deletion.
update crm_companies set deleted_at = now() where id = pg_temp.rec('company');
select is((select count(*) from crm_notes where related_to_id = pg_temp.rec('company')), 1::bigint, 'a soft delete leaves the notes');
delete from crm_companies where id = pg_temp.rec('company');
select is((select count(*) from crm_notes where related_to_id = pg_temp.rec('company')) + (select count(*) from crm_tasks where related_to_id = pg_temp.rec('company')), 0::bigint, 'a hard delete takes notes and tasks along');
select results_eq(format($$ select activity_type, company_id from crm_activities where entity_id = %L order by activity_type $$, pg_temp.rec('company')),
  $$ values ('created', null::uuid), ('deleted', null), ('deleted', null) $$, 'the history of a removed record stays, pointing nowhere');
delete from crm_contacts where id = pg_temp.rec('contact');
select is((select contact_id from pipeline_projects where id = pg_temp.rec('deal')), null, 'a deal survives its contact');
select is((select count(*) from crm_activities a where a.contact_id is not null and not exists (select from crm_contacts c where c.id = a.contact_id)), 0::bigint, 'no activity dangles');

select * from finish();
rollback;
