-- Pipeline: a stage that is in use. It is not deleted, and a new key is followed wherever JSON names the stage, as foreign keys
-- follow it elsewhere.

create function private.keep_used_stage() returns trigger
language plpgsql set search_path = '' as $$
declare
  v_deals bigint;
  v_deleted bigint;
begin
  select count(*), count(p.deleted_at) into v_deals, v_deleted from public.pipeline_projects p
  where p.workspace_id = old.workspace_id and p.stage_key = old.key;
  if v_deals > 0 then
    raise exception 'The stage "%" holds deals: %, of which % deleted.', old.label, v_deals, v_deleted using errcode = 'PC008',
      hint = 'Move them to another stage first, the deleted ones too.';
  elsif exists (select from public.crm_stage_mappings m where m.workspace_id = old.workspace_id and m.stage_key = old.key) then
    raise exception 'A connection maps stages of its CRM to "%".', old.label using errcode = 'PC008',
      hint = 'Map them to another stage first.';
  end if;
  return old;
end
$$;
comment on function private.keep_used_stage() is 'Says why a stage cannot be deleted, where the foreign keys would only refuse.';

-- Not when the workspace goes with all it has.
create trigger keep_used_stage before delete on public.pipeline_stages
  for each row when (pg_trigger_depth() = 0) execute function private.keep_used_stage();

create function private.renamed_key(p_object jsonb, p_old text, p_new text) returns jsonb
language sql immutable set search_path = '' as $$
  select p_object - p_old || jsonb_build_object(p_new, p_object -> p_old)
$$;

create function private.follow_stage_key() returns trigger
language plpgsql set search_path = '' as $$
begin
  update public.conversion_templates t set rates = private.renamed_key(t.rates, old.key, new.key)
  where t.workspace_id = new.workspace_id and t.rates ? old.key;
  update public.pipeline_scenarios s set conversion_rates = private.renamed_key(s.conversion_rates, old.key, new.key)
  where s.workspace_id = new.workspace_id and s.conversion_rates ? old.key and s.status <> 'promoted';
  update public.pipeline_scenario_edits e
  set payload = case e.kind when 'set_rates' then e.payload || jsonb_build_object('rates', private.renamed_key(e.payload -> 'rates', old.key, new.key))
    else e.payload || jsonb_build_object('stage_key', new.key) end
  from public.pipeline_scenarios s
  where s.workspace_id = new.workspace_id and s.status <> 'promoted' and e.workspace_id = s.workspace_id and e.scenario_id = s.id
    and (e.kind = 'set_rates' and e.payload -> 'rates' ? old.key or e.kind = 'add_deal' and e.payload ->> 'stage_key' = old.key);
  return null;
end
$$;
comment on function private.follow_stage_key() is 'Templates and scenarios go on meaning a stage whose key changes. A promoted scenario stays as it was.';

create trigger follow_stage_key after update of key on public.pipeline_stages
  for each row when (new.key <> old.key) execute function private.follow_stage_key();

revoke execute on function private.keep_used_stage(), private.renamed_key(jsonb, text, text), private.follow_stage_key()
  from public, anon, authenticated, service_role;
grant execute on function private.renamed_key(jsonb, text, text) to authenticated, service_role;
