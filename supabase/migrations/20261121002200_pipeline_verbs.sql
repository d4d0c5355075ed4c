-- Pipeline and tasks: the verbs a board needs. They run as the caller, so the policies hold.

create function private.refuse_changed_deal(p_deal public.pipeline_projects) returns void
language plpgsql stable set search_path = '' as $$
begin
  raise exception 'Somebody else changed this deal meanwhile.' using errcode = 'PC008', hint = 'Read it again and decide anew.',
    detail = format('It is in stage %s, last changed %s.', p_deal.stage_key, p_deal.updated_at);
end
$$;

create function public.move_deal_stage(
  deal_id uuid, stage text, expected_updated_at timestamptz default null, expected_stage text default null,
  board_position double precision default null
) returns public.pipeline_projects
language plpgsql set search_path = '' as $$
declare
  seen public.pipeline_projects;
  moved public.pipeline_projects;
  target text;
begin
  select * into seen from public.pipeline_projects p where p.id = move_deal_stage.deal_id and p.deleted_at is null;
  if seen.id is null then
    raise exception 'This deal does not exist or is not yours to see.' using errcode = 'PC001';
  end if;
  target := private.stage_key(seen.workspace_id, move_deal_stage.stage);
  if target is null then
    raise exception 'This workspace has no stage "%".', coalesce(move_deal_stage.stage, 'null') using errcode = 'PC004', hint = 'stage';
  elsif move_deal_stage.board_position = 'NaN' then
    raise exception 'board_position is a number.' using errcode = 'PC004', hint = 'board_position';
  end if;
  -- The conditions are part of the update: between the look above and here somebody else may have moved the card.
  update public.pipeline_projects p
  set stage_key = target, board_position = coalesce(move_deal_stage.board_position, p.board_position)
  where p.id = seen.id and p.deleted_at is null
    and (move_deal_stage.expected_updated_at is null or p.updated_at = move_deal_stage.expected_updated_at)
    and (move_deal_stage.expected_stage is null or p.stage_key = private.stage_key(p.workspace_id, move_deal_stage.expected_stage))
  returning * into moved;
  if moved.id is not null then
    return moved;
  end if;
  select * into seen from public.pipeline_projects p where p.id = move_deal_stage.deal_id;
  if seen.deleted_at is not null or seen.id is null
    or seen.updated_at <> move_deal_stage.expected_updated_at
    or seen.stage_key is distinct from coalesce(private.stage_key(seen.workspace_id, move_deal_stage.expected_stage), seen.stage_key)
    or move_deal_stage.expected_stage is not null and private.stage_key(seen.workspace_id, move_deal_stage.expected_stage) is null then
    perform private.refuse_changed_deal(seen);
  end if;
  raise exception 'Your role does not let you move this deal.' using errcode = 'PC002';
end
$$;
comment on function public.move_deal_stage(uuid, text, timestamptz, text, double precision) is
  'Moves a deal to a stage (any spelling). With expected_updated_at or expected_stage it refuses (PC008) when somebody changed the deal meanwhile. Probability and closing day follow the stage.';

create function public.complete_task(task_id uuid) returns public.crm_tasks
language plpgsql set search_path = '' as $$
declare
  done public.crm_tasks;
begin
  update public.crm_tasks t set status = 'completed'
  where t.id = complete_task.task_id and t.deleted_at is null and t.status <> 'completed'
  returning * into done;
  if done.id is not null then
    return done;
  end if;
  select * into done from public.crm_tasks t where t.id = complete_task.task_id and t.deleted_at is null;
  if done.id is null then
    raise exception 'This task does not exist or is not yours to see.' using errcode = 'PC001';
  elsif done.status <> 'completed' then
    raise exception 'Your role does not let you complete this task.' using errcode = 'PC002';
  end if;
  return done;
end
$$;
comment on function public.complete_task(uuid) is 'Marks a task as completed now. Completing it twice changes nothing.';

revoke execute on function private.refuse_changed_deal(public.pipeline_projects),
  public.move_deal_stage(uuid, text, timestamptz, text, double precision), public.complete_task(uuid)
  from public, anon, authenticated, service_role;
grant execute on function private.refuse_changed_deal(public.pipeline_projects), public.move_deal_stage(uuid, text, timestamptz, text, double precision), public.complete_task(uuid)
  to authenticated, service_role;
