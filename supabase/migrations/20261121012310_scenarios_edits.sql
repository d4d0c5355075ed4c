-- Scenarios: what counts of a scenario's edits when it is read, and how edits are written. All of it runs as the caller, so the
-- policies hold.

-- What counts of a scenario ----------------------------------------------------------------------------------------------

create function private.scenario_parts(p_scenario uuid) returns table (id uuid, workspace_id uuid, depth int, promoted_at timestamptz)
language sql stable set search_path = '' rows 2 as $$
  -- Whoever promoted a scenario promoted its bases with it, as they were then.
  select c.id, s.workspace_id, c.depth, max(s.promoted_at) over (order by c.depth)
  from private.scenario_chain(p_scenario) c
  join public.pipeline_scenarios s on s.id = c.id
$$;
comment on function private.scenario_parts(uuid) is 'The chain of a scenario, each part with the moment until which its edits have been promoted.';

create function private.scenario_of_deals(p_scenario uuid) returns uuid
language sql stable set search_path = '' as $$
  select c.id
  from private.scenario_parts(p_scenario) c
  -- One row is enough, of thousands.
  cross join lateral (select from public.pipeline_scenario_projects p where p.workspace_id = c.workspace_id and p.scenario_id = c.id limit 1) named
  order by c.depth
  limit 1
$$;
comment on function private.scenario_of_deals(uuid) is 'The part of a scenario''s chain that names the deals: itself, else the nearest base; null: none does, so all open deals are meant.';

create function private.scenario_deals(p_scenario uuid) returns uuid[]
language sql stable set search_path = '' as $$
  select array_agg(p.pipeline_project_id order by p.pipeline_project_id)
  from public.pipeline_scenarios s
  join public.pipeline_scenario_projects p on p.workspace_id = s.workspace_id and p.scenario_id = s.id
  where s.id = private.scenario_of_deals(p_scenario)
$$;
comment on function private.scenario_deals(uuid) is 'The deals that a scenario is about: its own, else those of the nearest base that names any; null: all open ones.';

create function private.scenario_settings(p_scenario uuid)
returns table (conversion_rates jsonb, template_key text, confidence_threshold numeric)
language sql stable set search_path = '' rows 1 as $$
  with chain as materialized (
    select c.depth, s.conversion_rates, s.template_key, s.confidence_threshold
    from private.scenario_chain(p_scenario) c
    join public.pipeline_scenarios s on s.id = c.id
  )
  select (
      select coalesce(jsonb_object_agg(r.key, r.value), '{}')
      from (select distinct on (r.key) r.key, r.value from chain c, jsonb_each(c.conversion_rates) r order by r.key, c.depth) r),
    (select c.template_key from chain c where c.template_key is not null order by c.depth limit 1),
    (select c.confidence_threshold from chain c where c.confidence_threshold is not null order by c.depth limit 1)
$$;
comment on function private.scenario_settings(uuid) is 'What a scenario has besides edits and deals: its own word, else that of the nearest base that says something.';

create function private.scenario_plan(p_scenario uuid)
returns table (place int, edit_id uuid, scenario_id uuid, kind text, pipeline_project_id uuid, payload jsonb, skipped text)
language sql stable set search_path = '' rows 50 as $$
  with about as materialized (
    select private.scenario_of_deals(p_scenario) as id
  ), edits as (
    select row_number() over (order by c.depth desc, e.position)::int as place, e.*,
      coalesce(e.kind not in ('add_people', 'set_rates') and e.created_at <= c.promoted_at, false) as written
    from private.scenario_parts(p_scenario) c
    join public.pipeline_scenario_edits e on e.workspace_id = c.workspace_id and e.scenario_id = c.id
  ), judged as (
    select e.*, p.id is null or p.deleted_at is not null as is_gone, s.kind as deal_kind,
      bool_or(e.kind = 'drop_deal' and not e.written) over (
        partition by e.pipeline_project_id order by e.place rows between unbounded preceding and 1 preceding) as was_dropped
    from edits e
    -- Deal by deal through their key: the planner would rather read all deals of the workspace.
    left join lateral (
      select d.id, d.workspace_id, d.stage_key, d.deleted_at from public.pipeline_projects d
      where d.workspace_id = e.workspace_id and d.id = e.pipeline_project_id
      offset 0) p on true
    left join public.pipeline_stages s on s.workspace_id = p.workspace_id and s.key = p.stage_key
  )
  select j.place, j.id, j.scenario_id, j.kind, j.pipeline_project_id, j.payload,
    case
      when j.written then 'already_promoted'
      when j.kind = 'add_deal' and private.stage_key(j.workspace_id, j.payload ->> 'stage_key') is null then 'unknown_stage'
      when j.pipeline_project_id is null then null
      when j.is_gone then 'deal_deleted'
      when n.id is not null and not exists (
        select from public.pipeline_scenario_projects m
        where m.workspace_id = j.workspace_id and m.scenario_id = n.id and m.pipeline_project_id = j.pipeline_project_id) then 'not_in_scenario'
      when j.was_dropped then 'deal_dropped'
      when j.deal_kind = 'lost' then 'deal_lost'
      when j.deal_kind = 'on_hold' then 'deal_on_hold'
      when j.deal_kind = 'won' and j.kind in ('shift_close', 'set_probability') then 'deal_won'
    end
  from judged j
  cross join about n
  order by j.place
$$;
comment on function private.scenario_plan(uuid) is
  'The edits of a scenario in the order in which they count, those of its bases first. skipped says why one does not count: the deal is gone, closed or dropped before, or the edit has been promoted.';

-- Writing ----------------------------------------------------------------------------------------------------------------

create function private.settle_scenario_edit() returns trigger
language plpgsql set search_path = '' as $$
declare
  v_part uuid;
begin
  -- A stage's new key, written by the trigger of the stage, is no edit by a person.
  if tg_op = 'UPDATE' and pg_trigger_depth() > 1 then
    return new;
  elsif tg_op = 'UPDATE' and new.scenario_id <> old.scenario_id then
    raise exception 'An edit stays in its scenario.' using errcode = 'PC004', hint = 'scenario_id';
  end if;
  -- One after the other, so that two people do not take the same position.
  perform from public.pipeline_scenarios s where s.workspace_id = new.workspace_id and s.id = new.scenario_id for update;
  -- Whether a promotion has seen it is told by when it came, which is now and not when its transaction began. Jobs and the
  -- secret key may say later.
  if tg_op = 'INSERT' then
    new.created_at := case when current_user = 'authenticated' then clock_timestamp() else greatest(new.created_at, clock_timestamp()) end;
    new.updated_at := new.created_at;
  end if;
  if new.position is null then
    select coalesce(max(e.position), 0) + 1 into new.position from public.pipeline_scenario_edits e
    where e.workspace_id = new.workspace_id and e.scenario_id = new.scenario_id;
  end if;
  if tg_op = 'INSERT' and (select count(*) from public.pipeline_scenario_edits e where e.workspace_id = new.workspace_id and e.scenario_id = new.scenario_id) >= 1000 then
    raise exception 'A scenario has 1,000 edits at most.' using errcode = 'PC004', hint = 'Promote it, or begin another one on top of it.';
  end if;
  new.payload := private.read_edit(new.workspace_id, new.kind, new.payload);
  if (new.pipeline_project_id is null) <> (new.kind in ('add_deal', 'add_people', 'set_rates')) then
    raise exception 'An edit of the kind % %.', new.kind,
      case when new.pipeline_project_id is null then 'names the deal that it changes' else 'is about no deal that is there' end
      using errcode = 'PC004', hint = 'pipeline_project_id';
  elsif new.pipeline_project_id is null then
    return new;
  end if;
  if not exists (select from public.pipeline_projects p where p.workspace_id = new.workspace_id and p.id = new.pipeline_project_id and p.deleted_at is null) then
    raise exception 'There is no deal % in this workspace.', new.pipeline_project_id using errcode = 'PC001', hint = 'pipeline_project_id';
  end if;
  v_part := private.scenario_of_deals(new.scenario_id);
  if v_part is not null and not exists (
    select from public.pipeline_scenario_projects p
    where p.workspace_id = new.workspace_id and p.scenario_id = v_part and p.pipeline_project_id = new.pipeline_project_id
  ) then
    raise exception 'This scenario is not about the deal %.', new.pipeline_project_id using errcode = 'PC004', hint = 'Add it to pipeline_scenario_projects first.';
  elsif exists (
    select from private.scenario_parts(new.scenario_id) c
    join public.pipeline_scenario_edits d on d.workspace_id = c.workspace_id and d.scenario_id = c.id and d.pipeline_project_id = new.pipeline_project_id
    where d.kind = 'drop_deal' and d.id <> new.id and (c.depth > 1 or d.position < new.position) and (d.created_at <= c.promoted_at) is not true
  ) then
    raise exception 'An earlier edit drops the deal %.', new.pipeline_project_id using errcode = 'PC004', hint = 'Remove that edit first.';
  end if;
  return new;
end
$$;

create trigger settle_scenario_edit before insert or update of workspace_id, scenario_id, position, kind, pipeline_project_id, payload
  on public.pipeline_scenario_edits for each row execute function private.settle_scenario_edit();

create function private.keep_closed_scenario() returns trigger
language plpgsql set search_path = '' as $$
declare
  v_scenario constant uuid := case tg_op when 'DELETE' then old.scenario_id else new.scenario_id end;
  v_status text;
begin
  -- Waits for who promotes it just now. Who may not edit the scenario is refused by the policies.
  perform from public.pipeline_scenarios s where s.id = v_scenario for no key update;
  select s.status into v_status from public.pipeline_scenarios s where s.id = v_scenario and s.status in ('archived', 'promoted');
  if v_status is not null then
    raise exception 'This scenario is % and stays as it is.', v_status using errcode = 'PC008',
      hint = case v_status when 'archived' then 'Activate it, or change a copy of it.' else 'Change a copy of it.' end;
  end if;
  return case tg_op when 'DELETE' then old else new end;
end
$$;

create function private.touch_scenarios() returns trigger
language plpgsql set search_path = '' as $$
begin
  update public.pipeline_scenarios s set updated_at = now()
  where (s.workspace_id, s.id) in (select t.workspace_id, t.scenario_id from touched t);
  return null;
end
$$;
comment on function private.touch_scenarios() is 'A scenario whose edits or deals change is another version of it.';

do $$
declare
  part text;
begin
  foreach part in array array['pipeline_scenario_projects', 'pipeline_scenario_edits'] loop
    -- What goes with a deleted deal or scenario goes anyhow.
    execute format('create trigger keep_closed_scenario before insert or update or delete on public.%I
      for each row when (pg_trigger_depth() = 0) execute function private.keep_closed_scenario()', part);
    execute format('create trigger touch_scenarios_of_new after insert on public.%I referencing new table as touched
      for each statement execute function private.touch_scenarios()', part);
    execute format('create trigger touch_scenarios_of_changed after update on public.%I referencing new table as touched
      for each statement execute function private.touch_scenarios()', part);
    execute format('create trigger touch_scenarios_of_gone after delete on public.%I referencing old table as touched
      for each statement execute function private.touch_scenarios()', part);
  end loop;
end
$$;

create function private.settle_scenario() returns trigger
language plpgsql set search_path = '' as $$
declare
  v_promoting constant boolean := current_setting('pipeline_crm.promoting', true) = new.id::text;
begin
  if tg_op = 'INSERT' and new.status not in ('draft', 'active') then
    raise exception 'A new scenario is a draft or active.' using errcode = 'PC004', hint = 'status';
  elsif tg_op = 'UPDATE' then
    if old.status = 'promoted' and (new.name, new.description, new.status, new.conversion_rates, new.template_key, new.confidence_threshold,
        new.forecast_months, new.base_scenario_id, new.seed, new.promoted_at)
      is distinct from (old.name, old.description, old.status, old.conversion_rates, old.template_key, old.confidence_threshold,
        old.forecast_months, old.base_scenario_id, old.seed, old.promoted_at) then
      raise exception 'This scenario is promoted and stays as it is.' using errcode = 'PC008', hint = 'Change a copy of it.';
    elsif new.status = 'promoted' and old.status <> 'promoted' and not coalesce(v_promoting, false) then
      raise exception 'A scenario is promoted by promote_scenario, which writes it to its deals.' using errcode = 'PC008', hint = 'status';
    end if;
  end if;
  if not coalesce(v_promoting, false) then
    new.promoted_by := case when tg_op = 'UPDATE' and (new.promoted_by is not null or pg_trigger_depth() = 1) then old.promoted_by end;
  end if;
  if tg_op = 'INSERT' or new.conversion_rates is distinct from old.conversion_rates then
    new.conversion_rates := private.stage_rates(new.workspace_id, new.conversion_rates);
  end if;
  if new.template_key is not null and (tg_op = 'INSERT' or new.template_key is distinct from old.template_key)
    and private.template_rates(new.workspace_id, new.template_key) is null then
    raise exception 'There is no template "%".', new.template_key using errcode = 'PC004', hint = 'template_key';
  end if;
  return new;
end
$$;
comment on function private.settle_scenario() is 'Rates in the workspace''s own stages, a template that exists, and a promoted scenario that stays as it was.';

create trigger settle_scenario before insert or update on public.pipeline_scenarios
  for each row execute function private.settle_scenario();

revoke execute on function private.scenario_parts(uuid), private.scenario_of_deals(uuid), private.scenario_deals(uuid), private.scenario_settings(uuid),
  private.scenario_plan(uuid), private.settle_scenario_edit(), private.keep_closed_scenario(), private.touch_scenarios(), private.settle_scenario()
  from public, anon, authenticated, service_role;
grant execute on function private.scenario_parts(uuid), private.scenario_of_deals(uuid), private.scenario_deals(uuid), private.scenario_settings(uuid),
  private.scenario_plan(uuid)
  to authenticated, service_role;
