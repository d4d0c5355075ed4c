-- Retention: how long history is kept. Removed at night, a bounded number of rows at a time.

create table private.retention_settings (
  subject text primary key,
  keep interval check (keep > interval '0'),
  about text not null
);
alter table private.retention_settings enable row level security;
revoke all on private.retention_settings from public, anon, authenticated, service_role;
comment on table private.retention_settings is 'How long each kind of history is kept; null is for good. Change a row: update private.retention_settings set keep = ''30 days'' where subject = ''journal''.';

insert into private.retention_settings (subject, keep, about) values
  ('journal', '90 days', 'Fields before and after each change of a sync. A run whose journal is gone cannot be undone.'),
  ('runs', '400 days', 'Runs that have ended, with their logs and timeline.'),
  ('plans', '30 days', 'Dry runs with their samples.'),
  ('errors', '90 days', 'Errors that are resolved.'),
  ('conflicts', '400 days', 'Conflicts that are decided or ignored.'),
  ('audit', null, 'Administrative acts.');

create function private.retention_cutoff(p_subject text) returns timestamptz
language sql
stable
set search_path = ''
as $$
  select now() - r.keep from private.retention_settings r where r.subject = p_subject
$$;

-- The journal grows in the order of time, so its oldest rows are its first. The run says that it is not whole any more.
create function private.retain_journal(p_most int) returns bigint
language sql
set search_path = ''
as $$
  with oldest as (
    select j.id, j.created_at from private.crm_journal j order by j.id limit p_most
  ),
  gone as (
    delete from private.crm_journal j
    using oldest o
    where j.id = o.id and o.created_at < private.retention_cutoff('journal')
    returning j.operation_id
  ),
  marked as (
    update public.crm_sync_operations o
    set journal_purged_at = now()
    where o.id in (select g.operation_id from gone g) and o.journal_purged_at is null
  )
  select count(*) from gone
$$;

-- A run takes its journal along, so only one that has none left goes: a large journal goes in its own time.
create function private.retain_runs(p_subject text, p_most int) returns bigint
language sql
set search_path = ''
as $$
  with gone as (
    delete from public.crm_sync_operations o
    where o.id in (
      select d.id
      from public.crm_sync_operations d
      where (d.operation = 'plan') = (p_subject = 'plans') and d.completed_at < private.retention_cutoff(p_subject)
        and not exists (select from private.crm_journal j where j.operation_id = d.id)
      limit p_most)
    returning 1
  )
  select count(*) from gone
$$;

create function private.retain_errors(p_most int) returns bigint
language sql
set search_path = ''
as $$
  with gone as (
    delete from public.crm_sync_errors e
    where e.id in (
      select d.id from public.crm_sync_errors d
      where d.status = 'resolved' and d.last_seen_at < private.retention_cutoff('errors')
      limit p_most)
    returning 1
  )
  select count(*) from gone
$$;

create function private.retain_conflicts(p_most int) returns bigint
language sql
set search_path = ''
as $$
  with gone as (
    delete from public.crm_sync_conflicts k
    where k.id in (
      select d.id from public.crm_sync_conflicts d
      where d.status <> 'pending' and coalesce(d.resolved_at, d.detected_at) < private.retention_cutoff('conflicts')
      limit p_most)
    returning 1
  )
  select count(*) from gone
$$;

create function private.retain_audit(p_most int) returns bigint
language sql
set search_path = ''
as $$
  with gone as (
    delete from public.crm_audit_log a
    where a.id in (
      select d.id from public.crm_audit_log d where d.created_at < private.retention_cutoff('audit') limit p_most)
    returning 1
  )
  select count(*) from gone
$$;

create function private.retain(p_most int default 20000) returns jsonb
language sql
set search_path = ''
as $$
  select jsonb_build_object(
    'journal', private.retain_journal(p_most), 'plans', private.retain_runs('plans', p_most / 20),
    'runs', private.retain_runs('runs', p_most / 20), 'errors', private.retain_errors(p_most),
    'conflicts', private.retain_conflicts(p_most), 'audit', private.retain_audit(p_most))
$$;
comment on function private.retain(int) is 'Removes history that is older than its setting, at most so many rows of each kind, and answers how many went.';

revoke execute on function
  private.retention_cutoff(text), private.retain_journal(int), private.retain_runs(text, int), private.retain_errors(int),
  private.retain_conflicts(int), private.retain_audit(int), private.retain(int)
  from public, anon, authenticated, service_role;

-- Again and again in the small hours, so that no single one takes long and a large backlog is gone within days.
select cron.schedule('crm-retention', '*/5 2-4 * * *', 'select private.retain()');
