-- Pipeline: how well each deal could be staffed. The score needs an assignment of people to places, so a function works it
-- out; it is kept here for lists and boards.

create table public.pipeline_availability (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  pipeline_project_id uuid not null,
  score int check (score between 0 and 100),
  reasons jsonb not null default '[]' check (jsonb_typeof(reasons) = 'array'),
  lines jsonb not null default '[]' check (jsonb_typeof(lines) = 'array'),
  proven boolean not null default true,
  stale boolean not null default false,
  computed_at timestamptz not null default now(),
  primary key (workspace_id, pipeline_project_id),
  foreign key (workspace_id, pipeline_project_id) references public.pipeline_projects (workspace_id, id) on delete cascade
);
comment on table public.pipeline_availability is 'The availability score of a deal, as it was worked out last. Read only for clients; pipeline-forecast/availability works it out anew.';
comment on column public.pipeline_availability.score is '0 to 100; null for a deal that asks for nobody.';
comment on column public.pipeline_availability.reasons is 'Why it is not 100, as sentences.';
comment on column public.pipeline_availability.lines is 'Per demand: [{demand_id, skill, places, filled, people: [{employee_id, score, kind}]}].';
comment on column public.pipeline_availability.proven is 'False: the search for a better assignment was cut short.';
comment on column public.pipeline_availability.stale is 'The deal or the people have changed since. It is worked out again within minutes.';

create index pipeline_availability_stale_idx on public.pipeline_availability (workspace_id, computed_at) where stale;

alter table public.pipeline_availability enable row level security;
alter table public.pipeline_availability force row level security;
revoke all on table public.pipeline_availability from public, anon, authenticated, service_role;
grant select on table public.pipeline_availability to authenticated, service_role;
create policy "Members of a workspace read its availability scores" on public.pipeline_availability for select to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids())));
