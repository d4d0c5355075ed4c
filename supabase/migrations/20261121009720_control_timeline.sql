-- Control: what happened in a run, step by step. Kept by triggers, so that no way of changing a run is forgotten.

create table private.crm_operation_events (
  id bigint generated always as identity primary key,
  operation_id uuid not null references public.crm_sync_operations (id) on delete cascade,
  at timestamptz not null default clock_timestamp(),
  event text not null,
  detail jsonb not null default '{}'
);
create index crm_operation_events_operation_idx on private.crm_operation_events (operation_id, id);
alter table private.crm_operation_events enable row level security;
revoke all on private.crm_operation_events from public, anon, authenticated, service_role;
comment on table private.crm_operation_events is 'Slices, places and turns of a run. crm_operation_timeline() shows them with its errors.';

-- A worker began a slice, or moved on to the next entity or phase.
create function private.crm_note_step() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if new.slice <> old.slice then
    insert into private.crm_operation_events (operation_id, event, detail)
    values (new.operation_id, 'slice', jsonb_build_object('slice', new.slice, 'after_crash', new.crashes > old.crashes));
  else
    insert into private.crm_operation_events (operation_id, event, detail)
    values (new.operation_id, 'reached', jsonb_strip_nulls(jsonb_build_object(
      'phase', new.checkpoint -> 'phase', 'entity', new.checkpoint -> 'entity', 'slice', new.slice)));
  end if;
  return null;
end
$$;
create trigger note_step after update of slice, checkpoint on private.crm_operation_state
  for each row when (
    new.slice <> old.slice or (new.checkpoint ->> 'entity', new.checkpoint ->> 'phase') is distinct from (old.checkpoint ->> 'entity', old.checkpoint ->> 'phase'))
  execute function private.crm_note_step();

-- Definer: also who deletes an account touches runs, and holds no right on schema private.
create function private.crm_note_turn() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  insert into private.crm_operation_events (operation_id, event, detail)
  values (new.id, case when new.status <> old.status then new.status else 'joined' end, jsonb_strip_nulls(jsonb_build_object(
    'message', case when new.status not in ('queued', 'running') then new.error_message end,
    'until', (select s.resume_at from private.crm_operation_state s where s.operation_id = new.id and new.status = 'paused'),
    'follow_up', case when new.joined <> old.joined then new.follow_up end)));
  return null;
end
$$;
create trigger note_turn after update of status, joined on public.crm_sync_operations
  for each row when (new.status <> old.status or new.joined <> old.joined)
  execute function private.crm_note_turn();

create function public.crm_operation_timeline(operation_id uuid)
returns table (at timestamptz, event text, entity_type text, message text, detail jsonb)
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_operation public.crm_sync_operations;
begin
  select * into v_operation from public.crm_sync_operations o where o.id = crm_operation_timeline.operation_id;
  perform private.require_role(v_operation.workspace_id, 'viewer');
  return query
    with steps as (
      select v_operation.created_at as at, 0::bigint as place, 'queued' as event, null::text as entity_type, null::text as message,
        jsonb_strip_nulls(jsonb_build_object('trigger', v_operation.trigger, 'by', v_operation.requested_by)) as detail
      union all
      select n.at, n.id, n.event, n.detail ->> 'entity', n.detail ->> 'message', n.detail - '{entity,message}'::text[]
      from private.crm_operation_events n
      where n.operation_id = v_operation.id
      union all
      -- Errors of single records are many and have a list of their own.
      select x.first_seen_at, 0, 'error', x.entity_type, x.message,
        jsonb_build_object('kind', x.kind, 'code', x.code, 'attempts', x.attempts, 'status', x.status)
      from public.crm_sync_errors x
      where x.workspace_id = v_operation.workspace_id and x.operation_id = v_operation.id
        and num_nonnulls(x.crm_record_id, x.record_id) = 0
    )
    select s.at, s.event, s.entity_type, s.message, s.detail from steps s order by s.at, s.place;
end
$$;
comment on function public.crm_operation_timeline(uuid) is
  'What happened in a run, oldest first (viewers): queued, slice, reached (an entity or phase), running, paused, joined, error, and how it ended.';

revoke execute on function private.crm_note_step(), private.crm_note_turn() from public, anon, authenticated, service_role;
revoke execute on function public.crm_operation_timeline(uuid) from public, anon, authenticated;
grant execute on function public.crm_operation_timeline(uuid) to authenticated, service_role;
