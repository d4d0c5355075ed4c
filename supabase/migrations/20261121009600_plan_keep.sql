-- Plan: what a sync would do, found out by doing it and taking it back. Each page goes through the merge itself, in a block that
-- ends with an exception of its own: everything the merge wrote is undone, and what it did is kept here.

create table private.crm_plan_counts (
  operation_id uuid not null references public.crm_sync_operations (id) on delete cascade,
  entity_type text not null,
  side text not null check (side in ('here', 'crm')),
  created int not null default 0,
  updated int not null default 0,
  deleted int not null default 0,
  linked int not null default 0,
  conflicts int not null default 0,
  failed int not null default 0,
  reached uuid,
  primary key (operation_id, entity_type, side)
);
comment on table private.crm_plan_counts is 'How many records of each side a plan would change.';
comment on column private.crm_plan_counts.linked is 'Records of the CRM that would be recognised as ones of ours, and left as they are.';
comment on column private.crm_plan_counts.reached is 'The last record of ours that was looked at for pushing; null before the first.';

create table private.crm_plan_samples (
  operation_id uuid not null references public.crm_sync_operations (id) on delete cascade,
  entity_type text not null,
  side text not null check (side in ('here', 'crm')),
  action text not null,
  place int not null check (place between 1 and 20),
  record_id uuid,
  crm_record_id text,
  name text,
  before jsonb,
  after jsonb,
  primary key (operation_id, entity_type, side, action, place)
);
comment on table private.crm_plan_samples is 'The first twenty records of each kind that a plan would change, with their fields.';

-- What the pull of a plan would do to records of ours, which its push then does not count again.
create table private.crm_plan_touched (
  operation_id uuid not null references public.crm_sync_operations (id) on delete cascade,
  entity_type text not null,
  record_id uuid not null,
  fields text[],
  primary key (operation_id, entity_type, record_id)
);
comment on column private.crm_plan_touched.fields is 'Fields that would come from the CRM or be in conflict; null for a record that would be linked first.';

-- Pages overlap, and a record that changes while the CRM is read comes again.
create table private.crm_plan_records (
  operation_id uuid not null references public.crm_sync_operations (id) on delete cascade,
  entity_type text not null,
  crm_record_id text not null,
  primary key (operation_id, entity_type, crm_record_id)
);
comment on table private.crm_plan_records is 'Records of the CRM that a plan has counted; each counts once.';

do $$
declare
  t regclass;
begin
  foreach t in array array['private.crm_plan_counts', 'private.crm_plan_samples', 'private.crm_plan_touched', 'private.crm_plan_records']::regclass[] loop
    execute format('alter table %s enable row level security', t);
    execute format('revoke all on %s from public, anon, authenticated, service_role', t);
  end loop;
end
$$;

create type private.crm_plan_sample as (
  action text, record_id uuid, crm_record_id text, name text, before jsonb, after jsonb
);

-- Fields as a person looks at them: without the relations' ids, and long texts cut.
create function private.crm_plan_fields(p_fields jsonb) returns jsonb
language sql
immutable
set search_path = ''
as $$
  select jsonb_object_agg(f.key, case when char_length(f.value #>> '{}') > 200 then to_jsonb(left(f.value #>> '{}', 200) || '…') else f.value end)
  from jsonb_each(p_fields) f
  where f.key not in ('$company', '$contact', '$owner')
$$;

create function private.crm_add_plan(
  p_operation uuid, p_entity text, p_side text, p_counts jsonb, p_samples private.crm_plan_sample[], p_reached uuid default null
) returns void
language sql
set search_path = ''
as $$
  insert into private.crm_plan_counts as c (operation_id, entity_type, side, created, updated, deleted, linked, conflicts, failed, reached)
  select p_operation, p_entity, p_side, coalesce(n.created, 0), coalesce(n.updated, 0), coalesce(n.deleted, 0), coalesce(n.linked, 0),
    coalesce(n.conflicts, 0), coalesce(n.failed, 0), p_reached
  from jsonb_to_record(p_counts) n (created int, updated int, deleted int, linked int, conflicts int, failed int)
  on conflict (operation_id, entity_type, side) do update
  set created = c.created + excluded.created, updated = c.updated + excluded.updated, deleted = c.deleted + excluded.deleted,
    linked = c.linked + excluded.linked, conflicts = c.conflicts + excluded.conflicts, failed = c.failed + excluded.failed,
    reached = coalesce(excluded.reached, c.reached);

  insert into private.crm_plan_samples (operation_id, entity_type, side, action, place, record_id, crm_record_id, name, before, after)
  select p_operation, p_entity, p_side, s.action, s.place, s.record_id, s.crm_record_id, s.name,
    private.crm_plan_fields(s.before), private.crm_plan_fields(s.after)
  from (
    select n.*, h.held + row_number() over (partition by n.action order by n.name, n.crm_record_id, n.record_id) as place
    from unnest(p_samples) n
    cross join lateral (
      select count(*) as held
      from private.crm_plan_samples k
      where k.operation_id = p_operation and k.entity_type = p_entity and k.side = p_side and k.action = n.action) h
  ) s
  where s.place <= 20;
$$;

revoke execute on function private.crm_plan_fields(jsonb),
  private.crm_add_plan(uuid, text, text, jsonb, private.crm_plan_sample[], uuid) from public, anon, authenticated, service_role;
