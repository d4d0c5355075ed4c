-- Push, outbox: which of our records a connection has yet to be told about. Triggers on the records write it; one row per
-- connection and record, the latest edit counts. What exactly goes out is worked out when the row is taken.

create sequence private.crm_outbox_version;

create table private.crm_outbox (
  config_id uuid not null references public.crm_sync_configs (id) on delete cascade,
  entity_type text not null check (entity_type in ('accounts', 'contacts', 'opportunities')),
  record_id uuid not null,
  workspace_id uuid not null,
  version bigint not null default nextval('private.crm_outbox_version'),
  settled bigint not null default 0,
  enqueued_at timestamptz not null default clock_timestamp(),
  not_before timestamptz not null default now(),
  attempts int not null default 0,
  dead boolean not null default false,
  intent_at timestamptz,
  primary key (config_id, entity_type, record_id)
)
with (fillfactor = 80);
create index crm_outbox_due_idx on private.crm_outbox (config_id, entity_type, enqueued_at, record_id)
  where not dead and not_before < 'infinity';
alter table private.crm_outbox enable row level security;
revoke all on private.crm_outbox from public, anon, authenticated, service_role;
comment on table private.crm_outbox is 'Records of ours that differ, or may differ, from the CRM of a connection.';
comment on column private.crm_outbox.version is 'A new one with every edit and every answer: an answer settles only the version it was given for.';
comment on column private.crm_outbox.settled is 'The version that was answered last; the same answer again finds nothing to do.';
comment on column private.crm_outbox.not_before is 'infinity: the CRM refused the record, which waits for an edit or a person''s retry.';
comment on column private.crm_outbox.dead is 'Tried too often; an edit or a person''s retry revives it.';
comment on column private.crm_outbox.intent_at is 'A create was about to be sent. Until its answer is in, the record may be in the CRM already.';

-- Entities whose unlinked records have been put into the outbox; without a row that is done by the next run.
create table private.crm_push_starts (
  config_id uuid not null references public.crm_sync_configs (id) on delete cascade,
  entity_type text not null,
  started_at timestamptz not null default now(),
  primary key (config_id, entity_type)
);
alter table private.crm_push_starts enable row level security;
revoke all on private.crm_push_starts from public, anon, authenticated, service_role;

-- Connections that take changes of an entity, except the one whose merge is writing: its CRM knows already.
create function private.crm_pushers(p_entity text, p_workspaces uuid[]) returns table (config_id uuid, workspace_id uuid)
language sql
stable
set search_path = ''
as $$
  select c.id, c.workspace_id
  from public.crm_sync_configs c
  -- A workspace that is being deleted takes its connections along.
  join public.workspaces w on w.id = c.workspace_id
  where c.workspace_id = any (p_workspaces) and c.status <> 'disconnected' and c.sync_direction in ('push', 'bidirectional')
    and p_entity = any (c.sync_entities) and c.id is distinct from private.sync_config_id()
$$;

-- The same record again is one row with a new version, due at once.
create function private.crm_enqueue_records(p_config uuid, p_workspace uuid, p_entity text, p_records uuid[]) returns void
language sql
set search_path = ''
as $$
  insert into private.crm_outbox as o (config_id, entity_type, record_id, workspace_id)
  select p_config, p_entity, r.id, p_workspace
  from unnest(p_records) r (id)
  order by r.id
  on conflict (config_id, entity_type, record_id) do update
  set version = excluded.version, not_before = excluded.not_before, attempts = 0, dead = false
$$;

-- Makes the trigger function of one entity from the list of fields, so that only changes of what can be mapped count. A
-- migration that adds a field calls it again.
create function private.crm_make_outbox_trigger(p_entity text) returns void
language plpgsql
set search_path = ''
as $make$
declare
  v_columns constant name[] := array(
    select f.column_name from private.crm_app_fields f
    where f.entity_type = p_entity and (f.is_mappable or f.data_type = 'relation' or f.app_field = '$deleted_at')
    union all
    select unnest('{owner_label,custom_fields}'::name[]));
begin
  execute format($sql$
    create or replace function private.enqueue_%1$s() returns trigger
    language plpgsql
    security definer
    set search_path = ''
    -- A page of rows on both sides of the join: whatever the planner expects, it is hashed.
    set enable_nestloop = off
    as $body$
    declare
      v_workspaces uuid[];
      v_pusher record;
      v_ids uuid[];
      v_of uuid[];
    begin
      if tg_op = 'DELETE' then
        v_workspaces := array(select distinct o.workspace_id from former o);
      else
        v_workspaces := array(select distinct n.workspace_id from latter n);
      end if;
      if not exists (select from private.crm_pushers(%1$L, v_workspaces)) then
        return null;
      end if;
      if tg_op = 'INSERT' then
        select array_agg(n.id), array_agg(n.workspace_id) into v_ids, v_of from latter n where n.deleted_at is null;
      elsif tg_op = 'DELETE' then
        select array_agg(o.id), array_agg(o.workspace_id) into v_ids, v_of from former o;
      else
        select array_agg(n.id), array_agg(n.workspace_id) into v_ids, v_of
        from latter n
        join former o on o.id = n.id
        where (%2$s) is distinct from (%3$s);
      end if;
      if v_ids is null then
        return null;
      end if;
      for v_pusher in select p.config_id, p.workspace_id from private.crm_pushers(%1$L, v_workspaces) p order by p.config_id loop
        perform private.crm_enqueue_records(v_pusher.config_id, v_pusher.workspace_id, %1$L, array(
          select r.id from unnest(v_ids, v_of) r (id, workspace_id) where r.workspace_id = v_pusher.workspace_id));
      end loop;
      return null;
    end
    $body$
  $sql$, p_entity,
    (select string_agg(format('n.%I', c), ', ') from unnest(v_columns) c),
    (select string_agg(format('o.%I', c), ', ') from unnest(v_columns) c));
  execute format('revoke execute on function private.enqueue_%s() from public, anon, authenticated, service_role', p_entity);
end
$make$;

do $$
declare
  v_entity private.crm_entities;
begin
  for v_entity in select * from private.crm_entities loop
    perform private.crm_make_outbox_trigger(v_entity.entity_type);
    execute format('create trigger enqueue_created after insert on public.%I referencing new table as latter
      for each statement execute function private.enqueue_%s()', v_entity.table_name, v_entity.entity_type);
    execute format('create trigger enqueue_updated after update on public.%I referencing old table as former new table as latter
      for each statement execute function private.enqueue_%s()', v_entity.table_name, v_entity.entity_type);
    execute format('create trigger enqueue_deleted after delete on public.%I referencing old table as former
      for each statement execute function private.enqueue_%s()', v_entity.table_name, v_entity.entity_type);
  end loop;
end
$$;

revoke execute on function private.crm_pushers(text, uuid[]), private.crm_enqueue_records(uuid, uuid, text, uuid[]),
  private.crm_make_outbox_trigger(text) from public, anon, authenticated, service_role;

-- Records of a connection that somebody edited since the CRM was last told: for one that begins to push, or pushes again.
create function private.crm_enqueue_edited(p_config uuid, p_entity text) returns void
language plpgsql
set search_path = ''
as $$
begin
  execute format($sql$
    insert into private.crm_outbox (config_id, entity_type, record_id, workspace_id)
    select l.config_id, l.entity_type, l.record_id, l.workspace_id
    from private.crm_record_links l
    left join public.%I t on t.id = l.record_id
    where l.config_id = $1 and l.entity_type = $2 and l.crm_deleted_at is null
      and (t.id is null or t.updated_at > l.merged_at or l.merged_at is null or l.app_edited_at is not null)
    order by l.record_id
    on conflict do nothing
  $sql$, (select e.table_name from private.crm_entities e where e.entity_type = p_entity)) using p_config, p_entity;
end
$$;

-- Definer: an admin changes the settings of a connection; what follows for the outbox is internal.
create function private.follow_push_settings() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_entity text;
  v_before text[] := case when old.status <> 'disconnected' and old.sync_direction <> 'pull' then old.sync_entities else '{}' end;
  v_after text[] := case when new.status <> 'disconnected' and new.sync_direction <> 'pull' then new.sync_entities else '{}' end;
begin
  -- Which of our records belong into the CRM is asked anew.
  delete from private.crm_push_starts s where s.config_id = new.id;
  delete from private.crm_outbox o where o.config_id = new.id and o.entity_type <> all (v_after);
  if new.status = 'disconnected' then
    delete from private.crm_dirty d where d.config_id = new.id;
  end if;
  for v_entity in select unnest(v_after) except select unnest(v_before) loop
    perform private.crm_enqueue_edited(new.id, v_entity);
  end loop;
  return null;
end
$$;
revoke execute on function private.crm_enqueue_edited(uuid, text), private.follow_push_settings() from public, anon, authenticated, service_role;

create trigger follow_push_settings after update of status, sync_direction, sync_entities, sync_rules on public.crm_sync_configs
  for each row when ((old.status = 'disconnected', old.sync_direction, old.sync_entities, old.sync_rules)
    is distinct from (new.status = 'disconnected', new.sync_direction, new.sync_entities, new.sync_rules))
  execute function private.follow_push_settings();
