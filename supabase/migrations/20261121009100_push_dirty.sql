-- Push, dirty: CRM records that somebody named, to be fetched and merged by the next run: a webhook, a person's retry, a
-- create that met a record which was there already.

create table private.crm_dirty (
  config_id uuid not null references public.crm_sync_configs (id) on delete cascade,
  entity_type text not null check (entity_type in ('accounts', 'contacts', 'opportunities')),
  crm_record_id text not null check (crm_record_id <> ''),
  reason text not null,
  noticed_at timestamptz not null default clock_timestamp(),
  waiting_since timestamptz not null default clock_timestamp(),
  version bigint not null default nextval('private.crm_outbox_version'),
  primary key (config_id, entity_type, crm_record_id)
);
create index crm_dirty_due_idx on private.crm_dirty (config_id, entity_type, waiting_since, crm_record_id);
alter table private.crm_dirty enable row level security;
revoke all on private.crm_dirty from public, anon, authenticated, service_role;
comment on table private.crm_dirty is 'CRM records to fetch by name. A notice that comes while its record is being fetched stays: it has a new version.';
comment on column private.crm_dirty.noticed_at is 'The latest notice.';
comment on column private.crm_dirty.waiting_since is
  'The first notice since the record was last fetched: more notices do not put it off, and one that never stops changing lets the others pass.';

-- Answers how many were not waiting already.
create function private.crm_mark_dirty(p_config uuid, p_entity text, p_crm_ids text[], p_reason text) returns int
language sql
set search_path = ''
as $$
  with marked as (
    insert into private.crm_dirty as d (config_id, entity_type, crm_record_id, reason)
    select c.id, p_entity, i.id, p_reason
    from public.crm_sync_configs c
    cross join (select distinct u.id from unnest(p_crm_ids) u (id) where u.id <> '') i
    where c.id = p_config and c.status <> 'disconnected'
    order by i.id
    on conflict (config_id, entity_type, crm_record_id) do update
    -- A write waits for the look at what is gone, whoever names it besides.
    set version = excluded.version, reason = case d.reason when 'gone' then d.reason else excluded.reason end, noticed_at = excluded.noticed_at
    returning d.xmax = 0 as is_new
  )
  select count(*) filter (where m.is_new)::int from marked m
$$;

create function private.crm_due_dirty(p_operation uuid, p_fence bigint, p_entity text, p_limit int)
returns table (crm_id text, version text)
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations := private.crm_check_fence(p_operation, p_fence);
begin
  return query
    select d.crm_record_id, d.version::text
    from private.crm_dirty d
    where d.config_id = v_operation.config_id and d.entity_type = p_entity
    order by d.waiting_since, d.crm_record_id
    limit p_limit;
end
$$;

-- Answers how many are done with; those that were named again meanwhile are not, and wait anew.
create function private.crm_settle_dirty(p_operation uuid, p_fence bigint, p_entity text, p_done jsonb) returns int
language plpgsql
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations := private.crm_check_fence(p_operation, p_fence);
  v_settled int;
begin
  with settled as (
    delete from private.crm_dirty d
    using jsonb_to_recordset(p_done) as r (crm_id text, version bigint)
    where d.config_id = v_operation.config_id and d.entity_type = p_entity and d.crm_record_id = r.crm_id and d.version = r.version
    returning d.crm_record_id, d.reason
  ),
  -- A write that met nothing there waited for this look.
  woken as (
    update private.crm_outbox o
    set not_before = clock_timestamp(), version = nextval('private.crm_outbox_version')
    from settled s
    join private.crm_record_links l on l.config_id = v_operation.config_id and l.entity_type = p_entity and l.crm_record_id = s.crm_record_id
    where s.reason = 'gone' and o.record_id = l.record_id and o.config_id = l.config_id and o.entity_type = l.entity_type
      and not o.dead and o.not_before = 'infinity'
  )
  select count(*)::int into v_settled from settled;
  update private.crm_dirty d
  set waiting_since = clock_timestamp()
  from jsonb_to_recordset(p_done) as r (crm_id text, version bigint)
  where d.config_id = v_operation.config_id and d.entity_type = p_entity and d.crm_record_id = r.crm_id and d.version > r.version
    and d.waiting_since < d.noticed_at;
  return v_settled;
end
$$;

revoke execute on function private.crm_mark_dirty(uuid, text, text[], text), private.crm_due_dirty(uuid, bigint, text, int),
  private.crm_settle_dirty(uuid, bigint, text, jsonb) from public, anon, authenticated, service_role;
