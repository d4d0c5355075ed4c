-- Records: the activity log. Who (or which CRM connection) created, changed, moved or deleted what, and what it was before.
--
-- Written by triggers only, one statement per statement: a page of 2,000 merged rows costs one insert here. The entry keeps
-- entity_type and entity_id for good; the typed column beside them is a real foreign key, emptied when the record is
-- deleted for good. So history survives, and a pointer that is set never dangles.

create table public.crm_activities (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  activity_type text not null
    check (activity_type in ('created', 'updated', 'deleted', 'restored', 'stage_changed', 'status_changed')),
  entity_type text not null check (entity_type in ('company', 'contact', 'deal', 'campaign', 'project', 'task', 'note')),
  entity_id uuid not null,
  company_id uuid,
  contact_id uuid,
  deal_id uuid,
  campaign_id uuid,
  project_id uuid,
  task_id uuid,
  note_id uuid,
  description text not null,
  user_id uuid references auth.users (id) on delete set null,
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz not null default now(),
  foreign key (workspace_id, company_id) references public.crm_companies (workspace_id, id) on delete set null (company_id),
  foreign key (workspace_id, contact_id) references public.crm_contacts (workspace_id, id) on delete set null (contact_id),
  foreign key (workspace_id, deal_id) references public.pipeline_projects (workspace_id, id) on delete set null (deal_id),
  foreign key (workspace_id, campaign_id) references public.crm_campaigns (workspace_id, id) on delete set null (campaign_id),
  foreign key (workspace_id, project_id) references public.crm_projects (workspace_id, id) on delete set null (project_id),
  foreign key (workspace_id, task_id) references public.crm_tasks (workspace_id, id) on delete set null (task_id),
  foreign key (workspace_id, note_id) references public.crm_notes (workspace_id, id) on delete set null (note_id)
);
comment on table public.crm_activities is 'History of every record: created, updated, deleted, restored, stage_changed, status_changed. Read only for clients.';
comment on column public.crm_activities.entity_id is 'The record, also after it is gone; the typed column (company_id …) is set while it exists.';
comment on column public.crm_activities.user_id is 'The person. Null for a sync (metadata.sync_config_id names the connection) and for jobs.';
comment on column public.crm_activities.metadata is '{"changes": {column: {"old": …, "new": …}}, "sync_config_id": …, "permanently": true, "ip": …, "user_agent": …}, each where it applies.';

create index crm_activities_recent_idx on public.crm_activities (workspace_id, created_at desc);
create index crm_activities_entity_idx on public.crm_activities (entity_id, created_at desc);
create index crm_activities_user_id_idx on public.crm_activities (user_id) where user_id is not null;
create index crm_activities_company_id_idx on public.crm_activities (workspace_id, company_id) where company_id is not null;
create index crm_activities_contact_id_idx on public.crm_activities (workspace_id, contact_id) where contact_id is not null;
create index crm_activities_deal_id_idx on public.crm_activities (workspace_id, deal_id) where deal_id is not null;
create index crm_activities_campaign_id_idx on public.crm_activities (workspace_id, campaign_id) where campaign_id is not null;
create index crm_activities_project_id_idx on public.crm_activities (workspace_id, project_id) where project_id is not null;
create index crm_activities_task_id_idx on public.crm_activities (workspace_id, task_id) where task_id is not null;
create index crm_activities_note_id_idx on public.crm_activities (workspace_id, note_id) where note_id is not null;

alter table public.crm_activities enable row level security;
alter table public.crm_activities force row level security;
revoke all on table public.crm_activities from public, anon, authenticated, service_role;
grant select on table public.crm_activities to authenticated, service_role;
create policy "Members of a workspace read its history" on public.crm_activities for select to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids())));

-- Writing it -----------------------------------------------------------------------------------------------------------

create function private.activity_origin() returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'sync_config_id', private.sync_config_id(),
    'ip', headers ->> 'x-forwarded-for',
    'user_agent', headers ->> 'user-agent'))
  from (select nullif(current_setting('request.headers', true), '')::jsonb) request (headers)
$$;
comment on function private.activity_origin() is 'Where a change came from, once per statement: the CRM connection, or the address and the browser of an API request.';

-- Arguments of the three triggers: entity type, column that names the record.
-- Security definer: people write records, only these functions write history.
create function private.log_created() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  execute format($sql$
    insert into public.crm_activities (workspace_id, activity_type, entity_type, entity_id, %1$I, description, user_id, metadata)
    select n.workspace_id, 'created', %2$L, n.id, n.id, %3$L || left(n.%4$I, 255), $1, $2
    from created n
  $sql$, tg_argv[0] || '_id', tg_argv[0], 'Created ' || tg_argv[0] || ' ', tg_argv[1])
  using private.actor_id(), private.activity_origin();
  return null;
end
$$;

-- Security definer: as above.
create function private.log_deleted() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  -- A workspace that is being deleted takes its history along.
  execute format($sql$
    insert into public.crm_activities (workspace_id, activity_type, entity_type, entity_id, description, user_id, metadata)
    select o.workspace_id, 'deleted', %1$L, o.id, %2$L || left(o.%3$I, 255), $1, $2 || '{"permanently": true}'
    from former o
    join public.workspaces w on w.id = o.workspace_id
  $sql$, tg_argv[0], 'Deleted ' || tg_argv[0] || ' ', tg_argv[1])
  using private.actor_id(), private.activity_origin();
  return null;
end
$$;

-- The changed columns of a row pair (n, o) as {"column": {"old": …, "new": …}, …}. Written out column by column, this takes a
-- small part of the time of comparing two to_jsonb() images, which a sync of many rows would feel.
create function private.changed_columns_sql(target oid) returns text
language sql stable set search_path = '' as $$
  select string_agg(format(
      'case when o.%1$I is distinct from n.%1$I then jsonb_build_object(%1$L, jsonb_build_object(''old'', o.%1$I, ''new'', n.%1$I)) else ''{}'' end',
      a.attname), ' || ' order by a.attnum)
  from pg_catalog.pg_attribute a
  where a.attrelid = target and a.attnum > 0 and not a.attisdropped
    and a.attgenerated = ''
    -- Upkeep says nothing about the record itself.
    and a.attname <> all ('{id,workspace_id,created_at,updated_at,board_position,sync_status}')
$$;

-- Security definer: as above.
create function private.log_updated() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  execute format($sql$
    insert into public.crm_activities (workspace_id, activity_type, entity_type, entity_id, %1$I, description, user_id, metadata)
    select d.workspace_id, d.activity_type, %2$L, d.id, d.id,
      case d.activity_type when 'deleted' then 'Deleted ' when 'restored' then 'Restored ' when 'stage_changed' then 'Moved ' else 'Updated ' end
        || %3$L || left(d.label, 255), $1, $2 || jsonb_build_object('changes', d.changes)
    from (
      select c.*,
        case
          when not c.was_deleted and c.is_deleted then 'deleted'
          when c.was_deleted and not c.is_deleted then 'restored'
          when c.changes ? 'stage_key' then 'stage_changed'
          when c.changes ?| '{status,company_status,contact_status,lifecycle,project_status}' then 'status_changed'
          else 'updated'
        end as activity_type
      from (
        select n.workspace_id, n.id, n.%4$I as label, n.deleted_at is not null as is_deleted, o.deleted_at is not null as was_deleted,
          %5$s as changes
        from latter n
        join former o on o.id = n.id
        -- Keeps the changes from being worked out again wherever they are named.
        offset 0
      ) c
      where c.changes <> '{}'
    ) d
  $sql$, tg_argv[0] || '_id', tg_argv[0], tg_argv[0] || ' ', tg_argv[1], private.changed_columns_sql(tg_relid))
  using private.actor_id(), private.activity_origin();
  return null;
end
$$;

-- For migrations: starts the log of one record table.
create function private.apply_activity_log(target regclass, entity text, label text) returns void
language plpgsql set search_path = '' as $$
begin
  execute format('create trigger log_created after insert on %s referencing new table as created
    for each statement execute function private.log_created(%L, %L)', target, entity, label);
  execute format('create trigger log_updated after update on %s referencing old table as former new table as latter
    for each statement execute function private.log_updated(%L, %L)', target, entity, label);
  execute format('create trigger log_deleted after delete on %s referencing old table as former
    for each statement execute function private.log_deleted(%L, %L)', target, entity, label);
end
$$;

revoke execute on function private.activity_origin(), private.log_created(), private.log_deleted(), private.log_updated(),
  private.changed_columns_sql(oid), private.apply_activity_log(regclass, text, text) from public, anon, authenticated;

select private.apply_activity_log('public.crm_companies', 'company', 'name');
select private.apply_activity_log('public.crm_contacts', 'contact', 'name');
select private.apply_activity_log('public.pipeline_projects', 'deal', 'name');
select private.apply_activity_log('public.crm_campaigns', 'campaign', 'name');
select private.apply_activity_log('public.crm_projects', 'project', 'name');
select private.apply_activity_log('public.crm_tasks', 'task', 'title');
select private.apply_activity_log('public.crm_notes', 'note', 'content');
