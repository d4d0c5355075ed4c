-- Push, results: the CRM's answers beside what was asked. Each answer settles the version of the record that was sent: an edit
-- made during the call stays due, and the same answers a second time change nothing.

-- outcome: written, linked (the CRM has the record already), gone, failed, missing (a look-up that found nothing). is_current:
-- nobody has edited the record since, and nobody is about to. base and
-- crm_id are those of the link. echo_id: a record of ours that is this one, read back from the CRM. is_partial: written without
-- fields that did not fit; code, message and field say which and why.
create type private.crm_push_result as (
  record_id uuid, version bigint, now_version bigint, is_current boolean, action text, outcome text, crm_id text, base jsonb, sent jsonb, kind text, code text,
  message text, field text, attempts int, wait interval, is_dead boolean, updated_at timestamptz, echo_id uuid, shown jsonb, is_partial boolean,
  modified text
);

create type private.crm_push_answer as (
  key uuid, version bigint, action text, outcome text, crm_id text, sent jsonb, relations jsonb, error jsonb, retry_after_ms numeric,
  updated_at timestamptz, shown jsonb, problems jsonb, modified text
);

-- Twice the wait with every attempt, up to an hour, and spread so that records do not come back all at once.
create function private.crm_push_wait(p_attempts int, p_retry_after_ms numeric) returns interval
language sql
volatile
set search_path = ''
as $$
  select greatest(
    least(interval '1 hour', interval '15 seconds' * (2 ^ least(p_attempts, 10))) * (0.5 + random()),
    make_interval(secs => coalesce(p_retry_after_ms, 0)::double precision / 1000))
$$;

create function private.crm_record_names(p_entity text, p_ids uuid[]) returns table (record_id uuid, name text)
language sql
stable
set search_path = ''
as $$
  select c.id, c.name from public.crm_companies c where p_entity = 'accounts' and c.id = any (p_ids)
  union all
  select c.id, c.name from public.crm_contacts c where p_entity = 'contacts' and c.id = any (p_ids)
  union all
  select c.id, c.name from public.pipeline_projects c where p_entity = 'opportunities' and c.id = any (p_ids)
$$;

-- A create whose answer was lost, and whose record a read brought back before it was looked for: a deal, or a person without
-- an address, came as a new record then. The copy goes, if the merge made it after the create was sent, nobody has touched it
-- and no other CRM knows it. In modified: when the create was sent.
create function private.crm_echoes(p_context private.crm_merge_context, p_candidates private.crm_absorbed[]) returns setof private.crm_absorbed
language plpgsql
stable
set search_path = ''
as $$
begin
  if p_candidates = '{}' then
    return;
  end if;
  return query execute format($sql$
    select a.*
    from unnest($1) a
    join private.crm_record_links l on l.config_id = ($2).config_id and l.entity_type = ($2).entity and l.crm_record_id = a.crm_id
    join public.%I t on t.id = l.record_id and t.created_at >= a.modified::timestamptz and t.updated_at <= l.merged_at
    where l.record_id = a.record_id and l.matched_on is null and l.created_at >= a.modified::timestamptz
      and exists (select from private.crm_journal j
        join public.crm_sync_operations o on o.id = j.operation_id and o.config_id = l.config_id
        where j.record_id = t.id and j.side = 'app' and j.action = 'created')
      and not exists (select from private.crm_record_links k where k.record_id = t.id and k.config_id <> l.config_id)
  $sql$, p_context.target) using p_candidates, p_context;
end
$$;

create function private.crm_settle_echoes(p_context private.crm_merge_context, p_results private.crm_push_result[]) returns void
language plpgsql
set search_path = ''
as $$
declare
  v_echoes private.crm_absorbed[] := array(
    select (r.crm_id, r.crm_id, null, r.echo_id, r.record_id)::private.crm_absorbed from unnest(p_results) r where r.echo_id is not null);
begin
  if v_echoes = '{}' then
    return;
  end if;
  perform private.crm_survivors_children(p_context, v_echoes), private.crm_survivors_belongings(p_context, v_echoes);
  update private.crm_record_links l
  set record_id = a.survivor_id, merged_at = null, updated_at = now()
  from unnest(v_echoes) a
  where l.config_id = p_context.config_id and l.entity_type = p_context.entity and l.crm_record_id = a.crm_id;
  execute format('delete from public.%I t where t.workspace_id = $1 and t.id = any ($2)', p_context.target)
  using p_context.workspace_id, array(select a.record_id from unnest(v_echoes) a);
end
$$;

-- The answers beside their rows. One that would link a CRM record which another record of ours has already is a failure that
-- names the other.
create function private.crm_push_results(p_context private.crm_push_context, p_results jsonb) returns private.crm_push_result[]
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_merge constant private.crm_merge_context := p_context.merge;
  v_answers constant private.crm_push_answer[] := array(
    select distinct on (a.key) a::private.crm_push_answer
    from jsonb_populate_recordset(null::private.crm_push_answer, p_results) a
    order by a.key);
begin
  return (
    with rows as materialized (
      select a.*, o.version as now_version, o.attempts, o.intent_at, k.is_locked is true as is_current
      from unnest(v_answers) a
      cross join lateral (
        select b.* from private.crm_outbox b
        where b.record_id = a.key and b.config_id is not distinct from v_merge.config_id and b.entity_type is not distinct from v_merge.entity
        offset 0
      ) o
      -- Nobody is waited for: who is writing to the row is editing the record, which gives it a new version.
      left join lateral (
        select true as is_locked from private.crm_outbox b
        where b.record_id = a.key and b.config_id is not distinct from v_merge.config_id and b.entity_type is not distinct from v_merge.entity
          and b.version = a.version
        for update skip locked
      ) k on true
      where a.version > o.settled
    ),
    claims as materialized (
      select r.*, l.crm_record_id as linked_id, l.base,
        -- Two records of ours that the CRM takes for one.
        coalesce(h.record_id, first_value(r.key) over (partition by r.crm_id, r.outcome in ('written', 'exists') order by r.key)) as holder_id
      from rows r
      left join lateral (
        select k.crm_record_id, k.base from private.crm_record_links k
        where k.record_id = r.key and k.config_id is not distinct from v_merge.config_id and k.entity_type is not distinct from v_merge.entity
          and (k.crm_deleted_at is null or k.deleted_by is distinct from 'app' and not k.took_ours)
        offset 0
      ) l on true
      left join lateral (
        select k.record_id from private.crm_record_links k
        where k.config_id = v_merge.config_id and k.entity_type = v_merge.entity and k.crm_record_id = r.crm_id
        offset 0
      ) h on true
    ),
    echoes as materialized (
      select e.record_id from private.crm_echoes(v_merge, array(
        select (c.crm_id, c.crm_id, c.intent_at::text, c.holder_id, c.key)::private.crm_absorbed
        from claims c where c.action = 'look_up' and c.outcome = 'exists' and c.holder_id <> c.key and c.linked_id is null)) e
    ),
    judged as (
      select c.*, (select e.record_id from echoes e where e.record_id = c.holder_id) as echo_id, case
          when c.action not in ('create', 'look_up') or c.outcome not in ('written', 'exists') then null
          when c.crm_id is null then 'The CRM did not say which record it made.'
          when c.holder_id <> c.key and not exists (select from echoes e where e.record_id = c.holder_id) then format('%s has this %s already, as "%s" (%s) here. Merge the two, or change what they share, such as the e-mail address.',
            v_merge.crm_name, v_merge.noun, (select n.name from private.crm_record_names(v_merge.entity, array[c.holder_id]) n), c.holder_id)
          when c.linked_id <> c.crm_id then format('This %s was created in %s as %s, but is linked to %s there. Delete one of the two.',
            v_merge.noun, v_merge.crm_name, c.crm_id, c.linked_id)
        end as clash
      from claims c
    ),
    errors as (
      select j.*, p.message as problem, p.is_partial, j.outcome = 'gone' and j.action = 'update' and j.attempts >= 2 as is_lost,
        case
          when j.clash is not null or j.outcome = 'gone' and j.action = 'update' or p.is_partial then 'rejected'
          else coalesce(j.error ->> 'kind', 'transient')
        end as kind
      from judged j
      cross join lateral (
        select string_agg(m ->> 'message', ' ') as message, j.clash is null and j.outcome = 'written' and count(*) > 0 as is_partial
        from jsonb_array_elements(j.problems) m
      ) p
    )
    select coalesce(array_agg((
        e.key, e.version, e.now_version, e.is_current, e.action,
        case
          when e.clash is not null then 'failed'
          when e.outcome = 'gone' and e.action in ('create', 'look_up') then 'missing'
          when e.is_lost then 'failed'
          when e.outcome = 'exists' then 'linked'
          else e.outcome
        end,
        coalesce(e.crm_id, e.linked_id), e.base, coalesce(e.sent, '{}') || coalesce(e.relations, '{}'), e.kind,
        case
          when e.clash is not null then 'duplicate'
          when e.is_lost then 'gone'
          else coalesce(e.error ->> 'code', e.problems #>> '{0,code}', 'unknown')
        end,
        coalesce(e.clash, case when e.is_lost then format('%s shows this %s but says that it does not exist when it is written to. The user who connected may not be allowed to edit it.',
          v_merge.crm_name, v_merge.noun) end, e.error ->> 'message', left(e.problem, 2000), 'The CRM did not take the record.'),
        coalesce(e.error ->> 'field', e.problems #>> '{0,field}'), e.attempts + 1,
        case when e.kind = 'rejected' then interval '0' else private.crm_push_wait(e.attempts, e.retry_after_ms) end,
        -- What passes by itself gets more patience.
        e.attempts + 1 >= case when e.kind = 'rejected' then 5 else 8 end, e.updated_at, e.echo_id,
        coalesce(e.shown, '{}'), e.is_partial, e.modified
      )::private.crm_push_result order by e.key), '{}')
    from errors e
  );
end
$$;

revoke execute on function
  private.crm_push_wait(int, numeric), private.crm_record_names(text, uuid[]),
  private.crm_echoes(private.crm_merge_context, private.crm_absorbed[]),
  private.crm_settle_echoes(private.crm_merge_context, private.crm_push_result[]),
  private.crm_push_results(private.crm_push_context, jsonb)
  from public, anon, authenticated, service_role;
