-- Pipeline: the stages a deal goes through. Each workspace has its own rows and may rename, reorder and add to them.

create table public.pipeline_stages (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  key text not null check (key ~ '^[a-z0-9]+(_[a-z0-9]+)*$' and char_length(key) <= 50),
  label text not null check (char_length(btrim(label)) between 1 and 100),
  position int not null,
  default_probability int not null check (default_probability between 0 and 100),
  kind text not null check (kind in ('open', 'won', 'lost', 'on_hold')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (workspace_id, key)
);
comment on table public.pipeline_stages is 'Sales stages of a workspace. A new workspace gets eight: lead, prospect, opportunity, proposal, negotiation, won, lost, on_hold.';
comment on column public.pipeline_stages.kind is 'What a stage means, whatever it is called: open counts into the forecast, won and lost are closed, on_hold waits.';

create trigger keep_workspace before update of workspace_id on public.pipeline_stages
  for each row when (new.workspace_id <> old.workspace_id) execute function private.keep_workspace();
create trigger set_updated_at before update on public.pipeline_stages
  for each row execute function private.set_updated_at();

alter table public.pipeline_stages enable row level security;
alter table public.pipeline_stages force row level security;
revoke all on table public.pipeline_stages from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.pipeline_stages to authenticated, service_role;

create policy "Members of a workspace read its stages" on public.pipeline_stages for select to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids())));
create policy "Admins add stages" on public.pipeline_stages for insert to authenticated
  with check (workspace_id = any (array(select private.my_workspace_ids('admin'))));
create policy "Admins edit stages" on public.pipeline_stages for update to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids('admin'))))
  with check (workspace_id = any (array(select private.my_workspace_ids('admin'))));
create policy "Admins delete unused stages" on public.pipeline_stages for delete to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids('admin'))));

-- Every workspace starts with the same eight ---------------------------------------------------------------------------

create function private.add_default_stages(workspaces uuid[]) returns void
language sql set search_path = '' as $$
  insert into public.pipeline_stages (workspace_id, key, label, position, default_probability, kind)
  select w.id, s.*
  from unnest(workspaces) w (id)
  cross join (values
    ('lead', 'Lead', 1, 10, 'open'),
    ('prospect', 'Prospect', 2, 20, 'open'),
    ('opportunity', 'Opportunity', 3, 40, 'open'),
    ('proposal', 'Proposal', 4, 60, 'open'),
    ('negotiation', 'Negotiation', 5, 80, 'open'),
    ('won', 'Won', 6, 100, 'won'),
    ('lost', 'Lost', 7, 0, 'lost'),
    ('on_hold', 'On hold', 8, 10, 'on_hold')
  ) s (key, label, position, default_probability, kind)
  on conflict (workspace_id, key) do nothing
$$;

-- Security definer: whoever creates a workspace, its stages come with it.
create function private.on_workspace_created() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform private.add_default_stages(array(select id from created));
  return null;
end
$$;

create trigger add_default_stages after insert on public.workspaces
  referencing new table as created for each statement execute function private.on_workspace_created();

select private.add_default_stages(array(select id from public.workspaces));

-- Other spellings ------------------------------------------------------------------------------------------------------

create table private.stage_aliases (
  alias text primary key,
  key text not null
);
comment on table private.stage_aliases is 'Other names of the default stages, as other CRMs and documents write them.';

insert into private.stage_aliases (alias, key) values
  ('prospecting', 'prospect'), ('qualification', 'opportunity'), ('qualified', 'opportunity'),
  ('closed_won', 'won'), ('closedwon', 'won'), ('closed_lost', 'lost'), ('closedlost', 'lost'), ('onhold', 'on_hold');

revoke all on table private.stage_aliases from public, anon, authenticated, service_role;
grant select on table private.stage_aliases to authenticated, service_role;

create function private.stage_key(workspace uuid, stage text) returns text
language sql stable set search_path = '' as $$
  with wanted as (
    select btrim(regexp_replace(lower(btrim(stage)), '[^a-z0-9]+', '_', 'g'), '_') as spelling
  )
  select s.key
  from wanted w
  left join private.stage_aliases a on a.alias = w.spelling
  join public.pipeline_stages s on s.workspace_id = workspace
    and (s.key in (w.spelling, a.key) or lower(s.label) = lower(btrim(stage)))
  -- A workspace's own key beats an alias, an alias beats a label.
  order by s.key = w.spelling desc, s.key = a.key desc nulls last, s.position
  limit 1
$$;
comment on function private.stage_key(uuid, text) is
  'The key of a stage by key, alias (closed_won, ''Closed-Won'', prospecting, qualification, on-hold …) or label; null when the workspace has none such.';

revoke execute on function private.add_default_stages(uuid[]), private.on_workspace_created(), private.stage_key(uuid, text)
  from public, anon, authenticated;
grant execute on function private.stage_key(uuid, text) to authenticated, service_role;
