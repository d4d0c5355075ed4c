-- Pipeline: deals. One table for what the documents call pipeline project, opportunity and deal; the views crm_deals and
-- crm_opportunities show it under their column names.

create table public.pipeline_projects (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  company_id uuid,
  contact_id uuid,
  name text not null check (char_length(btrim(name)) between 1 and 255),
  description text check (char_length(description) <= 200000),
  client_name text check (char_length(client_name) <= 255),
  client_contact jsonb not null default '{}' check (jsonb_typeof(client_contact) = 'object' and pg_column_size(client_contact) <= 65536),
  stage_key text not null default 'lead',
  priority text not null default 'medium' check (priority in ('low', 'medium', 'high', 'critical')),
  probability int check (probability between 0 and 100),
  -- One NaN would make every total of the workspace NaN.
  estimated_value numeric(18, 2) check (estimated_value <> 'NaN'),
  weighted_value numeric(18, 2) generated always as (round(estimated_value * probability / 100.0, 2)) stored,
  currency char(3) not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  -- One day that nothing can count with (infinity, the year 20226) would stop the forecast of the workspace.
  expected_close_date date check (expected_close_date between '0001-01-01' and '9999-12-31'),
  actual_close_date date check (actual_close_date between '0001-01-01' and '9999-12-31'),
  estimated_start_date date check (estimated_start_date between '0001-01-01' and '9999-12-31'),
  estimated_duration int check (estimated_duration between 0 and 100000),
  required_skills jsonb not null default '[]' check (jsonb_typeof(required_skills) = 'array' and pg_column_size(required_skills) <= 65536),
  risk_factors jsonb not null default '[]' check (jsonb_typeof(risk_factors) = 'array' and pg_column_size(risk_factors) <= 65536),
  competitor_info jsonb not null default '[]' check (jsonb_typeof(competitor_info) = 'array' and pg_column_size(competitor_info) <= 65536),
  deal_source text check (char_length(deal_source) <= 100),
  next_steps text check (char_length(next_steps) <= 200000),
  lost_reason text check (char_length(lost_reason) <= 200000),
  notes text check (char_length(notes) <= 200000),
  board_position double precision check (board_position <> 'NaN'),
  entered_stage_at timestamptz not null default now(),
  sync_status text check (sync_status in ('synced', 'pending', 'failed', 'conflict')),
  crm_id text check (char_length(crm_id) <= 255),
  crm_source text check (char_length(crm_source) <= 50),
  owner_id uuid,
  owner_label text check (char_length(owner_label) <= 255),
  tags jsonb not null default '[]' check (jsonb_typeof(tags) = 'array' and pg_column_size(tags) <= 65536),
  custom_fields jsonb not null default '{}' check (jsonb_typeof(custom_fields) = 'object' and pg_column_size(custom_fields) <= 262144),
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  foreign key (workspace_id, company_id) references public.crm_companies (workspace_id, id) on delete set null (company_id),
  foreign key (workspace_id, contact_id) references public.crm_contacts (workspace_id, id) on delete set null (contact_id),
  foreign key (workspace_id, owner_id) references public.workspace_members (workspace_id, user_id) on delete set null (owner_id),
  foreign key (workspace_id, stage_key) references public.pipeline_stages (workspace_id, key) on update cascade
)
-- Room on each page: a change of unindexed columns stays there and leaves the indexes alone.
with (fillfactor = 60);
comment on table public.pipeline_projects is 'Deals, with what is needed to plan the work they would bring.';
comment on column public.pipeline_projects.contact_id is 'The primary contact.';
comment on column public.pipeline_projects.stage_key is 'A key of pipeline_stages; other spellings (closed_won, prospecting …) are accepted on the way in.';
comment on column public.pipeline_projects.probability is 'Per cent. Left null it becomes the default of the stage, and a person who moves the deal takes it along.';
comment on column public.pipeline_projects.weighted_value is 'estimated_value times probability.';
comment on column public.pipeline_projects.estimated_duration is 'Days.';
comment on column public.pipeline_projects.board_position is 'Order within a stage on a board: any number between those of the neighbours. Null comes last.';
comment on column public.pipeline_projects.entered_stage_at is 'When it came to its stage, as the last row of its stage history says: lists are ordered by it. Nobody writes it.';
comment on column public.pipeline_projects.sync_status is
  'Null: never synced. failed: a CRM did not take the deal, or not all of it; the open row of crm_sync_errors says what and why. Written by a sync only, as crm_id and crm_source are.';
comment on column public.pipeline_projects.crm_id is 'Id in the CRM that the deal came from, null for a deal created here. crm_source names that CRM.';

create index pipeline_projects_board_idx on public.pipeline_projects (workspace_id, stage_key, board_position);
create index pipeline_projects_created_at_idx on public.pipeline_projects (workspace_id, created_at desc) where deleted_at is null;
create index pipeline_projects_expected_close_date_idx on public.pipeline_projects (workspace_id, expected_close_date)
  where deleted_at is null and expected_close_date is not null;
-- What a list of deals is ordered by. weighted_value and estimated_value: the greatest first, those without one last.
create index pipeline_projects_name_idx on public.pipeline_projects (workspace_id, name) where deleted_at is null;
create index pipeline_projects_entered_stage_idx on public.pipeline_projects (workspace_id, entered_stage_at) where deleted_at is null;
create index pipeline_projects_weighted_value_idx on public.pipeline_projects (workspace_id, weighted_value desc nulls last) where deleted_at is null;
create index pipeline_projects_estimated_value_idx on public.pipeline_projects (workspace_id, estimated_value desc nulls last) where deleted_at is null;
create index pipeline_projects_company_id_idx on public.pipeline_projects (workspace_id, company_id) where company_id is not null;
create index pipeline_projects_contact_id_idx on public.pipeline_projects (workspace_id, contact_id) where contact_id is not null;
create index pipeline_projects_owner_id_idx on public.pipeline_projects (workspace_id, owner_id) where owner_id is not null;
create index pipeline_projects_created_by_idx on public.pipeline_projects (created_by) where created_by is not null;
create index pipeline_projects_tags_idx on public.pipeline_projects using gin (tags jsonb_path_ops);
create index pipeline_projects_custom_fields_idx on public.pipeline_projects using gin (custom_fields jsonb_path_ops);
-- Last, on purpose: while a table has no statistics yet the planner takes the newest of equally good indexes, and this is
-- the one that answers the foreign keys of other tables.
alter table public.pipeline_projects add unique (workspace_id, id);

-- A person moving a deal takes the stage's probability and closing day with it. In a merge the CRM's word stands: what it
-- did not send must not look like a change of ours.
create function private.settle_stage() returns trigger
language plpgsql set search_path = '' as $$
declare
  stage public.pipeline_stages;
  moved boolean := tg_op = 'UPDATE' and new.stage_key is distinct from old.stage_key;
begin
  -- A stage that gets another key takes its deals along: nobody moved them.
  if moved then
    moved := exists (select from public.pipeline_stages s where s.workspace_id = old.workspace_id and s.key = old.stage_key);
  end if;
  select * into stage from public.pipeline_stages s where s.workspace_id = new.workspace_id and s.key = new.stage_key;
  if not found then
    -- An unknown stage passes on unchanged, for the foreign key to refuse.
    new.stage_key := coalesce(private.stage_key(new.workspace_id, new.stage_key), new.stage_key);
    select * into stage from public.pipeline_stages s where s.workspace_id = new.workspace_id and s.key = new.stage_key;
  end if;
  new.entered_stage_at := case when moved then now() else coalesce(new.entered_stage_at, now()) end;
  if moved and private.sync_config_id() is null then
    if new.probability is not distinct from old.probability then
      new.probability := stage.default_probability;
    end if;
    if stage.kind not in ('won', 'lost') then
      new.actual_close_date := null;
    elsif new.actual_close_date is not distinct from old.actual_close_date then
      new.actual_close_date := coalesce(old.actual_close_date, current_date);
    end if;
  end if;
  new.probability := coalesce(new.probability, stage.default_probability);
  return new;
end
$$;
comment on function private.settle_stage() is 'Resolves the stage of a deal and fills what follows from it.';
revoke execute on function private.settle_stage() from public, anon, authenticated;

-- Where a deal came from decides which CRM's totals it counts in: a person cannot claim it. Nor when it came to its stage.
create function private.keep_sync_marks() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.sync_status := old.sync_status;
  new.crm_id := old.crm_id;
  new.crm_source := old.crm_source;
  new.entered_stage_at := old.entered_stage_at;
  return new;
end
$$;
comment on function private.keep_sync_marks() is 'Before a signed-in person writes a deal: what a sync notes on it, and when it came to its stage, stay as they were, empty on a new one.';
revoke execute on function private.keep_sync_marks() from public, anon, authenticated;

create trigger keep_sync_marks before insert or update of sync_status, crm_id, crm_source, entered_stage_at on public.pipeline_projects
  for each row when (current_user = 'authenticated') execute function private.keep_sync_marks();
create trigger settle_stage_on_insert before insert on public.pipeline_projects
  for each row execute function private.settle_stage();
create trigger settle_stage_on_update before update of stage_key, probability on public.pipeline_projects
  for each row when (new.stage_key is distinct from old.stage_key or new.probability is null)
  execute function private.settle_stage();
-- Numbering a column of the board anew is no edit of its deals: whoever has read one may still write it.
create trigger touch_record before update on public.pipeline_projects
  for each row when (current_setting('pipeline_crm.numbering', true) is distinct from 'on')
  execute function private.touch_record();

select private.apply_record_rules('public.pipeline_projects', 'deals');
