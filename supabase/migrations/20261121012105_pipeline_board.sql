-- Pipeline: where a card lies on the board.

-- Security definer: cards of other people get a number too. Nothing else of them changes, not even updated_at.
create function private.number_column(p_workspace uuid, p_stage text, p_through uuid) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_role(p_workspace, 'member');
  -- In the order of their ids, as a promotion takes them: two who move many cards do not wait for each other.
  perform from public.pipeline_projects p
  where p.workspace_id = p_workspace and p.stage_key = p_stage and p.deleted_at is null
    and (p.board_position is not null or (p.created_at, p.id) <= (select t.created_at, t.id from public.pipeline_projects t where t.id = p_through))
  order by p.id
  for no key update;
  perform set_config('pipeline_crm.numbering', 'on', true);
  with cards as (
    select p.id, p.board_position, row_number() over (order by p.board_position nulls last, p.created_at, p.id) as place
    from public.pipeline_projects p
    where p.workspace_id = p_workspace and p.stage_key = p_stage and p.deleted_at is null
  )
  update public.pipeline_projects p set board_position = c.place
  from cards c
  where p.id = c.id and p.board_position is distinct from c.place
    -- Behind the last that needs one, cards keep having none.
    and (c.board_position is not null or c.place <= (select t.place from cards t where t.id = p_through));
  perform set_config('pipeline_crm.numbering', '', true);
end
$$;
comment on function private.number_column(uuid, text, uuid) is 'Numbers a column of the board 1, 2, 3 … in its order, as far as cards have a position and through the given card.';

create function private.position_after(p_workspace uuid, p_stage text, p_card uuid, p_after uuid) returns double precision
language plpgsql set search_path = '' as $$
declare
  v_before public.pipeline_projects;
  v_next double precision;
begin
  for attempt in 1..2 loop
    if p_after is null then
      select min(p.board_position) into v_next from public.pipeline_projects p
      where p.workspace_id = p_workspace and p.stage_key = p_stage and p.deleted_at is null and p.id <> p_card;
      if coalesce(v_next, 0) between -1e9 and 1e9 then
        return coalesce(v_next - 1, 0);
      end if;
      perform private.number_column(p_workspace, p_stage, p_after);
      continue;
    end if;
    select * into v_before from public.pipeline_projects p
    where p.workspace_id = p_workspace and p.id = p_after and p.stage_key = p_stage and p.deleted_at is null and p.id <> p_card;
    if v_before.id is null then
      raise exception 'The card that this one was dropped behind is not in the column any more.' using errcode = 'PC008', hint = 'Read the column again.';
    end if;
    select p.board_position into v_next from public.pipeline_projects p
    where p.workspace_id = p_workspace and p.stage_key = p_stage and p.deleted_at is null and p.id <> p_card
      and (p.board_position, p.created_at, p.id) > (v_before.board_position, v_before.created_at, v_before.id)
    order by p.board_position, p.created_at, p.id
    limit 1;
    if v_before.board_position between -1e9 and 1e9 and (v_next is null or v_next - v_before.board_position between 1e-6 and 1e9) then
      return coalesce((v_before.board_position + v_next) / 2, v_before.board_position + 1);
    end if;
    -- Between these two there is no room, or no number yet.
    perform private.number_column(p_workspace, p_stage, p_after);
  end loop;
  raise exception 'The column changed while the card was dropped.' using errcode = 'PC008', hint = 'Read the column again.';
end
$$;

create function public.place_deal(
  deal_id uuid, after_deal_id uuid default null, expected_updated_at timestamptz default null, stage text default null
) returns public.pipeline_projects
language plpgsql set search_path = '' as $$
declare
  v_deal public.pipeline_projects;
  v_stage text;
begin
  select * into v_deal from public.pipeline_projects p where p.id = place_deal.deal_id and p.deleted_at is null;
  if v_deal.id is null then
    raise exception 'This deal does not exist or is not yours to see.' using errcode = 'PC001';
  end if;
  v_stage := private.stage_key(v_deal.workspace_id, coalesce(place_deal.stage, v_deal.stage_key));
  if v_stage is null then
    raise exception 'This workspace has no stage "%".', place_deal.stage using errcode = 'PC004', hint = 'stage';
  end if;
  -- Two people who drop a card into one gap come one after the other.
  perform pg_advisory_xact_lock(hashtextextended(format('board %s %s', v_deal.workspace_id, v_stage), 0));
  return public.move_deal_stage(v_deal.id, v_stage, place_deal.expected_updated_at, v_deal.stage_key,
    private.position_after(v_deal.workspace_id, v_stage, v_deal.id, place_deal.after_deal_id));
end
$$;
comment on function public.place_deal(uuid, uuid, timestamptz, text) is
  'Drops a card on the board behind another one (none: on top), in its column or with stage in another one. The order of a column is board_position, nulls last, then created_at, id.';

revoke execute on function private.number_column(uuid, text, uuid), private.position_after(uuid, text, uuid, uuid),
  public.place_deal(uuid, uuid, timestamptz, text)
  from public, anon, authenticated, service_role;
grant execute on function private.number_column(uuid, text, uuid), private.position_after(uuid, text, uuid, uuid),
  public.place_deal(uuid, uuid, timestamptz, text)
  to authenticated, service_role;
