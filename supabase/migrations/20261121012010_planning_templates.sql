-- Planning: usual conversion rates of an industry. Five come with the product, a workspace may write its own.

create table public.conversion_templates (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid references public.workspaces (id) on delete cascade,
  key text not null check (key ~ '^[a-z0-9]+(_[a-z0-9]+)*$' and char_length(key) <= 50),
  label text not null check (char_length(btrim(label)) between 1 and 100),
  industry text check (char_length(industry) <= 100),
  rates jsonb not null default '{}' check (jsonb_typeof(rates) = 'object'),
  source text not null check (char_length(btrim(source)) between 1 and 500),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique nulls not distinct (workspace_id, key)
);
comment on table public.conversion_templates is 'Usual conversion rates by industry: how often a deal in a stage is won. A workspace''s own template of a key stands before the built-in one.';
comment on column public.conversion_templates.workspace_id is 'Null: built in, the same for everybody and nobody''s to change.';
comment on column public.conversion_templates.rates is '{"proposal": 0.6, …}: stage to a share between 0 and 1. Own templates take any spelling of a stage of their workspace.';
comment on column public.conversion_templates.source is 'Where the numbers come from.';

alter table public.conversion_templates enable row level security;
alter table public.conversion_templates force row level security;
revoke all on table public.conversion_templates from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.conversion_templates to authenticated, service_role;

create policy "Members read the built-in templates and those of their workspace" on public.conversion_templates for select to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids())) or workspace_id is null and array(select private.my_workspace_ids()) <> '{}');
create policy "Admins add templates to their workspace" on public.conversion_templates for insert to authenticated
  with check (workspace_id = any (array(select private.my_workspace_ids('admin'))));
create policy "Admins edit templates of their workspace" on public.conversion_templates for update to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids('admin'))))
  with check (workspace_id = any (array(select private.my_workspace_ids('admin'))));
create policy "Admins delete templates of their workspace" on public.conversion_templates for delete to authenticated
  using (workspace_id = any (array(select private.my_workspace_ids('admin'))));

-- Rates by stage ---------------------------------------------------------------------------------------------------------

create function private.stage_rates(p_workspace uuid, p_rates jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_wrong record;
  v_twice record;
begin
  if jsonb_typeof(p_rates) is distinct from 'object' then
    raise exception 'Conversion rates are an object of stages and shares, such as {"proposal": 0.6}.' using errcode = 'PC004', hint = 'conversion_rates';
  end if;
  select r.key, r.value, private.stage_key(p_workspace, r.key) as stage into v_wrong
  from jsonb_each(p_rates) r
  where private.stage_key(p_workspace, r.key) is null
    -- Not every value is a number, and the order of conditions joined by or is not a promise.
    or case when jsonb_typeof(r.value) = 'number' then r.value::numeric not between 0 and 1 else true end
  limit 1;
  if v_wrong.key is null then
    select string_agg(format('"%s"', r.key), ' and ' order by r.key collate "C") as names, private.stage_key(p_workspace, r.key) as stage into v_twice
    from jsonb_each(p_rates) r group by 2 having count(*) > 1 limit 1;
    if v_twice.stage is not null then
      raise exception '% are the same stage; it has one conversion rate.', v_twice.names using errcode = 'PC004', hint = format('conversion_rates.%s', v_twice.stage);
    end if;
    -- Rounded: what is as good as 0 has no double of its own.
    return (select coalesce(jsonb_object_agg(private.stage_key(p_workspace, r.key), trim_scale(round(r.value::numeric, 9))), '{}') from jsonb_each(p_rates) r);
  elsif v_wrong.stage is null then
    raise exception 'This workspace has no stage "%".', v_wrong.key using errcode = 'PC004', hint = format('conversion_rates.%s', v_wrong.key);
  end if;
  raise exception 'A conversion rate is a number between 0 and 1; "%" has %.', v_wrong.key, v_wrong.value
    using errcode = 'PC004', hint = format('conversion_rates.%s', v_wrong.key);
end
$$;
comment on function private.stage_rates(uuid, jsonb) is
  'Conversion rates with the workspace''s own keys of stages, whatever spelling they came in; PC004 for an unknown stage and for what is no share between 0 and 1.';

create function private.settle_template() returns trigger
language plpgsql set search_path = '' as $$
begin
  if new.workspace_id is not null then
    new.rates := private.stage_rates(new.workspace_id, new.rates);
  end if;
  return new;
end
$$;

create trigger settle_template before insert or update of rates, workspace_id on public.conversion_templates
  for each row execute function private.settle_template();
create trigger keep_workspace before update of workspace_id on public.conversion_templates
  for each row when (new.workspace_id is distinct from old.workspace_id) execute function private.keep_workspace();
create trigger set_updated_at before update on public.conversion_templates
  for each row execute function private.set_updated_at();

-- A stage that the workspace does not have is left out: a built-in template speaks of the default stages.
create function private.template_rates(p_workspace uuid, p_key text) returns jsonb
language sql stable set search_path = '' as $$
  with template as (
    select t.rates
    from public.conversion_templates t
    where t.key = p_key and (t.workspace_id = p_workspace or t.workspace_id is null)
    order by t.workspace_id nulls last
    limit 1
  )
  select (select coalesce(jsonb_object_agg(s.key, r.value), '{}')
    from jsonb_each(t.rates) r
    join public.pipeline_stages s on s.workspace_id = p_workspace and s.key = private.stage_key(p_workspace, r.key))
  from template t
$$;
comment on function private.template_rates(uuid, text) is 'The rates of a template in the keys of a workspace''s stages; null when there is no such template.';

revoke execute on function private.stage_rates(uuid, jsonb), private.settle_template(), private.template_rates(uuid, text)
  from public, anon, authenticated, service_role;
grant execute on function private.stage_rates(uuid, jsonb), private.template_rates(uuid, text) to authenticated, service_role;

-- Built in ---------------------------------------------------------------------------------------------------------------
-- Nobody publishes such rates with a method behind them that could be named here, so they are called what they are.

insert into public.conversion_templates (key, label, industry, rates, source)
select t.key, t.label, t.industry,
  jsonb_build_object('lead', t.lead, 'prospect', t.prospect, 'opportunity', t.opportunity, 'proposal', t.proposal, 'negotiation', t.negotiation),
  t.source
from (values
  ('software', 'Software', 'Software', 0.05, 0.12, 0.25, 0.40, 0.65, 'An assumption of this project, not a measurement.'),
  ('professional_services', 'Professional services', 'Professional services', 0.10, 0.20, 0.35, 0.50, 0.75, 'An assumption of this project, not a measurement.'),
  ('construction', 'Construction', 'Construction', 0.05, 0.10, 0.20, 0.30, 0.60, 'An assumption of this project, not a measurement.'),
  ('manufacturing', 'Manufacturing', 'Manufacturing', 0.08, 0.15, 0.30, 0.45, 0.70, 'An assumption of this project, not a measurement.'),
  ('spec_000', 'Pipeline forecast example', null, 0.20, 0.30, 0.60, 0.80, 0.90, 'The example of a pipeline forecast in the requirements of this project; optimistic for most.')
) t (key, label, industry, lead, prospect, opportunity, proposal, negotiation, source);
