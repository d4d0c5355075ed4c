-- Push, stages: a stage mapping that changes gives stages of the CRM another meaning.

-- Deals that the CRM has in a stage which meant one of these: looked at by part, as the review comes to them. Where the stage is read
-- as well, the CRM is asked, and ours follows what its stage means now. Where it is only sent, what the CRM was last seen to have
-- says nothing any more, and ours goes there.
create function private.crm_review_stages(p_review private.crm_push_reviews, p_last text) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_is_read constant boolean := exists (
    select from public.crm_sync_configs c
    join public.crm_field_mappings m on m.config_id = c.id and m.entity_type = 'opportunities' and m.app_field = 'stage_key'
    where c.id = p_review.config_id and c.sync_direction = 'bidirectional' and m.sync_direction = 'bidirectional');
  v_deals constant text[] := array(
    select l.crm_record_id
    from private.crm_record_links l
    where l.config_id = p_review.config_id and l.entity_type = p_review.entity_type
      and l.crm_record_id > p_review.after and l.crm_record_id <= p_last
      and l.crm_deleted_at is null and l.base ->> 'stage_key' = any (p_review.stage_keys));
begin
  if v_is_read then
    perform private.crm_mark_dirty(p_review.config_id, p_review.entity_type, v_deals, 'stage_mapping');
  else
    update private.crm_record_links l
    set base = l.base - 'stage_key', updated_at = now()
    where l.config_id = p_review.config_id and l.entity_type = p_review.entity_type and l.crm_record_id = any (v_deals);
  end if;
end
$$;

-- Any change asks for another look: a deal whose stage had no counterpart may go out now.
-- Definer: an admin changes the mapping; what follows for the outbox is internal.
create function private.follow_stage_mappings() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_configs uuid[];
  v_keys text[];
begin
  -- Of each connection, and the stage that one of the CRM's meant until now.
  if tg_op = 'INSERT' then
    select array_agg(n.config_id), array_agg(null::text) into v_configs, v_keys from latter n;
  elsif tg_op = 'DELETE' then
    select array_agg(o.config_id), array_agg(o.stage_key) into v_configs, v_keys from former o;
  else
    select array_agg(o.config_id), array_agg(o.stage_key) into v_configs, v_keys
    from latter n
    join former o using (config_id, crm_pipeline_id, crm_stage_id)
    where n.stage_key <> o.stage_key;
  end if;
  perform private.crm_end_slices(array(select distinct k.id from unnest(v_configs) k (id) order by 1));
  perform private.crm_review(c.id, '{opportunities}', false, array_remove(array_agg(distinct k.stage_key), null))
  from unnest(v_configs, v_keys) k (config_id, stage_key)
  join public.crm_sync_configs c on c.id = k.config_id and c.status <> 'disconnected' and c.sync_direction <> 'pull'
  where 'opportunities' = any (c.sync_entities) and exists (
    select from public.crm_field_mappings m
    where m.config_id = c.id and m.entity_type = 'opportunities' and m.app_field = 'stage_key' and m.sync_direction in ('push', 'bidirectional'))
  group by c.id;
  return null;
end
$$;

create trigger follow_added_stages after insert on public.crm_stage_mappings referencing new table as latter
  for each statement execute function private.follow_stage_mappings();
create trigger follow_changed_stages after update on public.crm_stage_mappings referencing old table as former new table as latter
  for each statement execute function private.follow_stage_mappings();
create trigger follow_removed_stages after delete on public.crm_stage_mappings referencing old table as former
  for each statement execute function private.follow_stage_mappings();

revoke execute on function private.crm_review_stages(private.crm_push_reviews, text), private.follow_stage_mappings()
  from public, anon, authenticated, service_role;
