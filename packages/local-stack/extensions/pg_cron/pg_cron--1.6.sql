-- Stand-in for pg_cron 1.6: the same tables, functions, policies, grants and errors. Jobs are run by a worker process of
-- the local stack, which is told by NOTIFY when the jobs change.

create schema cron;
create sequence cron.jobid_seq;
create sequence cron.runid_seq;

create table cron.job (
  jobid bigint primary key default nextval('cron.jobid_seq'),
  schedule text not null,
  command text not null,
  nodename text not null default 'localhost',
  nodeport int not null default inet_server_port(),
  database text not null default current_database(),
  username text not null default current_user,
  active boolean not null default true,
  jobname text,
  constraint jobname_username_uniq unique (jobname, username)
);
alter table cron.job enable row level security;
create policy cron_job_policy on cron.job using (username = current_user);

create table cron.job_run_details (
  jobid bigint,
  runid bigint primary key default nextval('cron.runid_seq'),
  job_pid integer,
  database text,
  username text,
  command text,
  status text,
  return_message text,
  start_time timestamptz,
  end_time timestamptz
);
alter table cron.job_run_details enable row level security;
create policy cron_job_run_details_policy on cron.job_run_details using (username = current_user);

select pg_catalog.pg_extension_config_dump('cron.job', '');
select pg_catalog.pg_extension_config_dump('cron.jobid_seq', '');
select pg_catalog.pg_extension_config_dump('cron.job_run_details', '');
select pg_catalog.pg_extension_config_dump('cron.runid_seq', '');

-- One cron field (numbers, ranges, lists, steps, names); true when it is valid.
create function cron._field_is_valid(field text, lowest int, highest int, names text[]) returns boolean
language plpgsql immutable set search_path = 'pg_catalog'
as $$
declare
  part text;
  piece text[];
  bound text;
  bounds int[];
begin
  if field = '' or field is null then
    return false;
  end if;
  foreach part in array string_to_array(field, ',') loop
    piece := regexp_match(lower(part), '^(\*|[0-9]+|[a-z]{3})(-([0-9]+|[a-z]{3}))?(/([0-9]+))?$');
    if piece is null or (piece[1] = '*' and piece[3] is not null)
       or (piece[5] is not null and (piece[5]::bigint = 0 or piece[5]::bigint > highest)) then
      return false;
    end if;
    bounds := '{}';
    foreach bound in array array_remove(array[nullif(piece[1], '*'), piece[3]], null) loop
      bounds := bounds || case when bound ~ '^[0-9]{1,4}$' then bound::int
                               else array_position(names, bound) + least(lowest, 1) - 1 end;
    end loop;
    if array_position(bounds, null) is not null
       or exists (select 1 from unnest(bounds) b where b < lowest or b > highest)
       or bounds[1] > bounds[2] then
      return false;
    end if;
  end loop;
  return true;
end
$$;

create function cron._require_schedule(schedule text) returns void
language plpgsql immutable set search_path = 'pg_catalog'
as $$
declare
  months constant text[] := '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}';
  days constant text[] := '{sun,mon,tue,wed,thu,fri,sat}';
  fields text[];
begin
  if schedule ~* '^\s*([1-9]|[1-5][0-9])\s+seconds?\s*$'
     or schedule ~* '^@(yearly|annually|monthly|weekly|daily|midnight|hourly|reboot)$' then
    return;
  end if;
  fields := regexp_split_to_array(btrim(schedule), '\s+');
  if cardinality(fields) = 5
     and cron._field_is_valid(fields[1], 0, 59, '{}')
     and cron._field_is_valid(fields[2], 0, 23, '{}')
     and (fields[3] = '$' or cron._field_is_valid(fields[3], 1, 31, '{}'))
     and cron._field_is_valid(fields[4], 1, 12, months)
     and cron._field_is_valid(fields[5], 0, 7, days) then
    return;
  end if;
  raise exception 'invalid schedule: %', schedule using
    errcode = 'invalid_parameter_value',
    hint = 'Use cron format (e.g. 5 4 * * *), or interval format ''[1-59] seconds''';
end
$$;

-- pg_cron is C and asks the server who calls. Here the public functions run as their caller and insert into a view, where
-- the default of a column that nobody may write says who that is; the view's trigger then acts as the superuser.
create function cron._require_login(role_name text) returns void
language plpgsql stable set search_path = 'pg_catalog'
as $$
begin
  if not exists (select 1 from pg_roles r where r.rolname = role_name) then
    raise exception 'role "%" does not exist', role_name;
  end if;
  if not (select r.rolcanlogin from pg_roles r where r.rolname = role_name) then
    raise exception 'role "%" can not log in', role_name using
      detail = 'Jobs may only be run by roles that have the LOGIN attribute.';
  end if;
end
$$;

create function cron._require_connect(role_name text, database_name text) returns void
language plpgsql stable set search_path = 'pg_catalog'
as $$
begin
  if not exists (select 1 from pg_database d where d.datname = database_name) then
    raise exception 'database "%" does not exist', database_name using errcode = 'undefined_database';
  end if;
  if not has_database_privilege(role_name, database_name, 'connect') then
    raise exception 'User % does not have CONNECT privilege on %', role_name, database_name;
  end if;
end
$$;

create function cron._schedule(
  caller name, job_name text, new_schedule text, new_command text, new_database text, new_username text, is_active boolean
) returns bigint
language plpgsql security definer set search_path = 'pg_catalog'
as $$
declare
  target_database text := coalesce(new_database, current_database());
  new_id bigint;
begin
  if new_schedule is null then
    raise exception 'schedule can not be NULL';
  end if;
  if new_command is null then
    raise exception 'command can not be NULL';
  end if;
  perform cron._require_schedule(new_schedule);
  if new_username is not null and not (select r.rolsuper from pg_roles r where r.rolname = caller) then
    raise exception 'must be superuser to create a job for another role';
  end if;
  if new_username is not null then
    perform cron._require_login(new_username);
  end if;
  perform cron._require_connect(coalesce(new_username, caller), target_database);
  insert into cron.job (schedule, command, nodename, nodeport, database, username, active, jobname)
  values (new_schedule, new_command, 'localhost', current_setting('port')::int, target_database,
          coalesce(new_username, caller), is_active, job_name)
  on conflict on constraint jobname_username_uniq
  do update set schedule = excluded.schedule, command = excluded.command, database = excluded.database
  returning jobid into new_id;
  return new_id;
end
$$;

create function cron._unschedule(caller name, id bigint, name_text text) returns void
language plpgsql security definer set search_path = 'pg_catalog'
as $$
begin
  delete from cron.job j
  where (j.jobid = id or j.jobname = name_text)
    and (j.username = caller or (select r.rolsuper from pg_roles r where r.rolname = caller));
  if not found then
    raise exception 'could not find valid entry for job %', coalesce(id::text, quote_literal(name_text));
  end if;
end
$$;

create function cron._alter_job(
  caller name, id bigint, new_schedule text, new_command text, new_database text, new_username text, is_active boolean
) returns void
language plpgsql security definer set search_path = 'pg_catalog'
as $$
declare
  caller_is_superuser boolean := (select r.rolsuper from pg_roles r where r.rolname = caller);
begin
  if id is null then
    raise exception 'job_id can not be NULL';
  end if;
  if new_username is not null and not caller_is_superuser then
    raise exception 'must be superuser to alter username';
  end if;
  if new_username is not null then
    perform cron._require_login(new_username);
  end if;
  if new_database is not null then
    perform cron._require_connect(coalesce(new_username, caller), new_database);
  end if;
  if new_schedule is not null then
    perform cron._require_schedule(new_schedule);
  end if;
  if num_nonnulls(new_schedule, new_command, new_database, new_username, is_active) = 0 then
    raise exception 'no updates specified' using
      hint = 'You must specify at least one job attribute to change when calling alter_job';
  end if;
  update cron.job j
  set schedule = coalesce(new_schedule, j.schedule), command = coalesce(new_command, j.command),
      database = coalesce(new_database, j.database), username = coalesce(new_username, j.username),
      active = coalesce(is_active, j.active)
  where j.jobid = id and (j.username = caller or caller_is_superuser);
  if not found then
    raise exception 'Job % does not exist or you don''t own it', id;
  end if;
end
$$;

create view cron._calls with (security_invoker) as
select null::name as caller, null::text as action, j.*
from (select jobid, jobname, schedule, command, database, username, active from cron.job where false) as j;
alter view cron._calls alter caller set default current_user;

create function cron._perform() returns trigger
language plpgsql security definer set search_path = 'pg_catalog'
as $$
begin
  if new.action = 'schedule named' and new.jobname is null then
    raise exception 'job_name can not be NULL';
  end if;
  if new.action in ('schedule', 'schedule named') then
    new.jobid := cron._schedule(new.caller, new.jobname, new.schedule, new.command, new.database, new.username, new.active);
  elsif new.action = 'unschedule' then
    perform cron._unschedule(new.caller, new.jobid, new.jobname);
  elsif new.action = 'alter' then
    perform cron._alter_job(new.caller, new.jobid, new.schedule, new.command, new.database, new.username, new.active);
  end if;
  return new;
end
$$;
create trigger perform instead of insert on cron._calls for each row execute function cron._perform();

create function cron.schedule(schedule text, command text) returns bigint
language sql strict set search_path = 'pg_catalog'
as $$
  insert into cron._calls (action, schedule, command, active) values ('schedule', schedule, command, true) returning jobid
$$;
comment on function cron.schedule(text, text) is 'schedule a pg_cron job';
create function cron.schedule(job_name text, schedule text, command text) returns bigint
language sql set search_path = 'pg_catalog'
as $$
  insert into cron._calls (action, jobname, schedule, command, active)
  values ('schedule named', job_name, schedule, command, true)
  returning jobid
$$;
comment on function cron.schedule(text, text, text) is 'schedule a pg_cron job';

create function cron.schedule_in_database(
  job_name text, schedule text, command text, database text, username text default null, active boolean default true
) returns bigint
language sql set search_path = 'pg_catalog'
as $$
  insert into cron._calls (action, jobname, schedule, command, database, username, active)
  values ('schedule named', job_name, schedule, command, database, username, coalesce(active, true))
  returning jobid
$$;
comment on function cron.schedule_in_database(text, text, text, text, text, boolean) is 'schedule a pg_cron job';

create function cron.unschedule(job_id bigint) returns boolean
language sql strict set search_path = 'pg_catalog'
as $$
  insert into cron._calls (action, jobid) values ('unschedule', job_id) returning true
$$;
comment on function cron.unschedule(bigint) is 'unschedule a pg_cron job';
create function cron.unschedule(job_name text) returns boolean
language sql strict set search_path = 'pg_catalog'
as $$
  insert into cron._calls (action, jobname) values ('unschedule', job_name) returning true
$$;
comment on function cron.unschedule(text) is 'unschedule a pg_cron job';

create function cron.alter_job(
  job_id bigint, schedule text default null, command text default null, database text default null,
  username text default null, active boolean default null
) returns void
language sql set search_path = 'pg_catalog'
as $$
  insert into cron._calls (action, jobid, schedule, command, database, username, active)
  values ('alter', job_id, schedule, command, database, username, active)
$$;
comment on function cron.alter_job(bigint, text, text, text, text, boolean) is
  'Alter the job identified by job_id. Any option left as NULL will not be modified.';
create function cron.job_cache_invalidate() returns trigger
language plpgsql set search_path = 'pg_catalog'
as $$
begin
  perform pg_notify('pg_cron_worker', 'jobs changed');
  return null;
end
$$;
comment on function cron.job_cache_invalidate() is 'invalidate job cache';
create trigger cron_job_cache_invalidate
after insert or update or delete or truncate on cron.job
for each statement execute function cron.job_cache_invalidate();

revoke all on function cron.alter_job(bigint, text, text, text, text, boolean) from public;
revoke all on function cron.schedule_in_database(text, text, text, text, text, boolean) from public;
grant insert (action, jobid, jobname, schedule, command, database, username, active), select (jobid) on cron._calls to public;
grant select on cron.job to public;
grant select, delete on cron.job_run_details to public;
grant select on sequence cron.jobid_seq, cron.runid_seq to public;

-- Grants that hosted adds after the extension is created.
grant usage on schema cron to postgres with grant option;
grant all on all functions in schema cron to postgres with grant option;
grant select on cron.job to postgres with grant option;
grant select, insert, update, delete, truncate, references on cron.job_run_details to postgres with grant option;

-- Not even to postgres: who may name the caller may schedule as anybody.
revoke all on function cron._schedule(name, text, text, text, text, text, boolean) from public, postgres;
revoke all on function cron._unschedule(name, bigint, text) from public, postgres;
revoke all on function cron._alter_job(name, bigint, text, text, text, text, boolean) from public, postgres;
