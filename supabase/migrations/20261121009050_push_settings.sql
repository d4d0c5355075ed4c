-- Push, settings: a connection that begins to push, or to push more, looks at its linked records again. What is in step already
-- leaves the outbox when it is taken.

create table private.crm_push_reviews (
  config_id uuid not null references public.crm_sync_configs (id) on delete cascade,
  entity_type text not null,
  with_deleted boolean not null,
  stage_keys text[] not null default '{}',
  after text not null default '',
  primary key (config_id, entity_type)
);
alter table private.crm_push_reviews enable row level security;
revoke all on private.crm_push_reviews from public, anon, authenticated, service_role;
comment on table private.crm_push_reviews is 'Links that go into the outbox once more, some thousand at a time, as the next runs come to them.';
comment on column private.crm_push_reviews.with_deleted is 'Also records that were deleted here since the last merge: the connection heard of no edit meanwhile.';
comment on column private.crm_push_reviews.stage_keys is 'Stages of ours that a stage of the CRM meant before the stage mapping was changed.';
comment on column private.crm_push_reviews.after is 'The CRM id up to which they are in the outbox.';

create function private.crm_review(p_config uuid, p_entities text[], p_with_deleted boolean, p_stage_keys text[] default '{}') returns void
language sql
set search_path = ''
as $$
  insert into private.crm_push_reviews as r (config_id, entity_type, with_deleted, stage_keys)
  select p_config, e, p_with_deleted, p_stage_keys
  from unnest(p_entities) e
  where exists (select from private.crm_record_links l where l.config_id = p_config and l.entity_type = e)
  on conflict (config_id, entity_type) do update
  set after = '', with_deleted = r.with_deleted or excluded.with_deleted,
    stage_keys = array(select unnest(r.stage_keys) union select unnest(excluded.stage_keys))
$$;

-- The next links of a review, with those of records that were restored here since; answers how many it looked at.
create function private.crm_review_part(p_config uuid, p_entity text, p_table name) returns int
language plpgsql
set search_path = ''
-- In the order of the key, record by record.
set enable_seqscan = off
set jit = off
set enable_sort = off
as $$
declare
  v_review private.crm_push_reviews;
  v_seen int;
  v_last text;
begin
  select * into v_review from private.crm_push_reviews r where r.config_id = p_config and r.entity_type = p_entity for update;
  if v_review.config_id is null then
    return 0;
  end if;
  execute format($sql$
    with part as materialized (
      select l.crm_record_id, l.record_id, l.workspace_id, l.crm_deleted_at, l.merged_at,
        l.crm_deleted_at is null or l.took_ours or l.deleted_by is not distinct from 'app' as is_due_alive
      from private.crm_record_links l
      where l.config_id = $1 and l.entity_type = $2 and l.crm_record_id > $3
      order by l.crm_record_id
      limit 5000
    ),
    queued as (
      insert into private.crm_outbox (config_id, entity_type, record_id, workspace_id)
      select $1, $2, p.record_id, p.workspace_id
      from part p
      left join lateral (select t.id, t.deleted_at from public.%I t where t.id = p.record_id offset 0) t on true
      where p.is_due_alive and t.id is not null and t.deleted_at is null
        or $4 and p.crm_deleted_at is null and coalesce(t.deleted_at > p.merged_at, true)
      order by p.record_id
      on conflict do nothing
    )
    select count(*)::int, max(p.crm_record_id) from part p
  $sql$, p_table) into v_seen, v_last using p_config, p_entity, v_review.after, v_review.with_deleted;
  if v_seen > 0 and v_review.stage_keys <> '{}' then
    perform private.crm_review_stages(v_review, v_last);
  end if;
  update private.crm_push_reviews r set after = v_last where r.config_id = p_config and r.entity_type = p_entity and v_seen > 0;
  delete from private.crm_push_reviews r where r.config_id = p_config and r.entity_type = p_entity and v_seen = 0;
  return v_seen;
end
$$;

-- Definer: an admin changes the settings of a connection; what follows for the outbox is internal.
create function private.follow_push_settings() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_before constant text[] := case when old.status <> 'disconnected' and old.sync_direction <> 'pull' then old.sync_entities else '{}' end;
  v_after constant text[] := case when new.status <> 'disconnected' and new.sync_direction <> 'pull' then new.sync_entities else '{}' end;
begin
  -- What a worker may read and write it was told when it began.
  if (old.sync_direction, old.sync_entities) is distinct from (new.sync_direction, new.sync_entities) then
    perform private.crm_end_slices(array[new.id]);
  end if;
  -- Which of our records belong into the CRM is asked anew.
  delete from private.crm_push_starts s where s.config_id = new.id;
  delete from private.crm_outbox o where o.config_id = new.id and o.entity_type <> all (v_after);
  delete from private.crm_push_reviews r where r.config_id = new.id and r.entity_type <> all (v_after);
  if new.status = 'disconnected' then
    delete from private.crm_dirty d where d.config_id = new.id;
  end if;
  perform private.crm_review(new.id, array(select unnest(v_after) except select unnest(v_before)), true),
    private.crm_review(new.id, array(
      select e from unnest(v_after) e
      where not private.crm_excluded_fields(old.sync_rules, e) <@ private.crm_excluded_fields(new.sync_rules, e)), false);
  if coalesce((new.sync_rules ->> 'create_in_crm')::boolean, true) then
    perform private.crm_enqueue_records(new.id, new.workspace_id, k.entity_type, k.records)
    from (
      select e.entity_type, array_agg(e.record_id) as records
      from public.crm_sync_errors e
      where e.workspace_id = new.workspace_id and e.config_id = new.id and e.status = 'open' and e.code = 'kept_here' and e.entity_type = any (v_after)
      group by e.entity_type
    ) k;
  end if;
  return null;
end
$$;

create trigger follow_push_settings after update of status, sync_direction, sync_entities, sync_rules on public.crm_sync_configs
  for each row when ((old.status = 'disconnected', old.sync_direction, old.sync_entities, old.sync_rules)
    is distinct from (new.status = 'disconnected', new.sync_direction, new.sync_entities, new.sync_rules))
  execute function private.follow_push_settings();

-- Definer: as above, for an admin who maps a field, or maps it otherwise. A field that is no longer mapped has nothing to say, and
-- what is noted beside a mapping changes nothing.
create function private.follow_field_mappings() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_notes constant text[] := '{is_required,confidence,reason,position,updated_at}';
  v_changed uuid[];
begin
  if tg_op = 'INSERT' then
    v_changed := array(select n.id from latter n);
  else
    v_changed := array(select n.id from latter n join former o on o.id = n.id where to_jsonb(n) - v_notes <> to_jsonb(o) - v_notes);
  end if;
  perform private.crm_review(c.id, array_agg(distinct m.entity_type), false)
  from public.crm_field_mappings m
  join public.crm_sync_configs c on c.id = m.config_id and c.status <> 'disconnected' and c.sync_direction <> 'pull'
  where m.id = any (v_changed) and m.sync_direction in ('push', 'bidirectional') and m.entity_type = any (c.sync_entities)
  group by c.id;
  return null;
end
$$;

create trigger follow_added_mappings after insert on public.crm_field_mappings referencing new table as latter
  for each statement execute function private.follow_field_mappings();
create trigger follow_changed_mappings after update on public.crm_field_mappings referencing old table as former new table as latter
  for each statement execute function private.follow_field_mappings();

revoke execute on function private.crm_review(uuid, text[], boolean, text[]), private.crm_review_part(uuid, text, name),
  private.follow_push_settings(), private.follow_field_mappings()
  from public, anon, authenticated, service_role;
