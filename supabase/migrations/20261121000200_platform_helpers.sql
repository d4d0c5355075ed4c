-- Platform: the small functions every other chapter leans on.

-- Who acts ------------------------------------------------------------------------------------------------------------

create function private.actor_id() returns uuid
language sql stable set search_path = '' as $$
  select coalesce((select auth.uid()), nullif(current_setting('pipeline_crm.actor', true), '')::uuid)
$$;
comment on function private.actor_id() is
  'The person behind this statement: the signed-in user, else the setting pipeline_crm.actor that trusted jobs set. A user cannot set it: auth.uid() comes first and the Data API offers no SET.';

create function private.sync_config_id() returns uuid
language sql stable set search_path = '' as $$
  select nullif(current_setting('pipeline_crm.sync_config', true), '')::uuid
$$;
comment on function private.sync_config_id() is 'The CRM connection whose merge is writing, null when a person or a job writes.';

-- Row upkeep ----------------------------------------------------------------------------------------------------------
-- updated_at only ever grows, also for two writes in one transaction, so it can serve as a version.

create function private.set_updated_at() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.updated_at := greatest(clock_timestamp(), old.updated_at + interval '1 microsecond');
  return new;
end
$$;

create function private.touch_record() returns trigger
language plpgsql set search_path = '' as $$
begin
  if new.workspace_id <> old.workspace_id or new.id <> old.id then
    raise exception 'A record cannot change its id or move to another workspace.' using errcode = 'PC004';
  end if;
  new.created_at := old.created_at;
  -- The author is never replaced. Only the end of the account, which comes here from its foreign key, empties the column.
  if new.created_by is not null or pg_catalog.pg_trigger_depth() = 1 then
    new.created_by := old.created_by;
  end if;
  new.updated_at := greatest(clock_timestamp(), old.updated_at + interval '1 microsecond');
  return new;
end
$$;
comment on function private.touch_record() is 'Before each update of a record table: identity, workspace and author stay, updated_at moves on.';

create function private.keep_workspace() returns trigger
language plpgsql set search_path = '' as $$
begin
  raise exception 'A row of one workspace cannot move to another.' using errcode = 'PC004', hint = 'workspace_id';
end
$$;
comment on function private.keep_workspace() is 'For tables without an author: refuses an update of workspace_id, also by somebody who may write in both.';

-- The same for the tables whose author column is named created_by_id.
create function private.touch_authored_record() returns trigger
language plpgsql set search_path = '' as $$
begin
  if new.workspace_id <> old.workspace_id or new.id <> old.id then
    raise exception 'A record cannot change its id or move to another workspace.' using errcode = 'PC004';
  end if;
  new.created_at := old.created_at;
  if new.created_by_id is not null or pg_catalog.pg_trigger_depth() = 1 then
    new.created_by_id := old.created_by_id;
  end if;
  new.updated_at := greatest(clock_timestamp(), old.updated_at + interval '1 microsecond');
  return new;
end
$$;

-- A row's version decides who wrote last in a sync, so a client cannot bring its own.
create function private.stamp_record() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.created_at := now();
  new.updated_at := now();
  return new;
end
$$;
comment on function private.stamp_record() is 'Before a signed-in person inserts into a record table: the times are the database''s. Jobs and the secret key may bring older ones.';

-- Text ----------------------------------------------------------------------------------------------------------------

create function private.slugify(value text, fallback text default 'item') returns text
language sql immutable parallel safe set search_path = '' as $$
  -- NFKD splits "é" into "e" and an accent; the accent then falls away with everything that is not a letter or a digit.
  select coalesce(
    nullif(btrim(left(regexp_replace(
      regexp_replace(replace(lower(normalize(value, nfkd)), 'ß', 'ss'), '[\u0300-\u036f]', '', 'g'),
      '[^a-z0-9]+', '-', 'g'), 80), '-'), ''),
    fallback)
$$;
comment on function private.slugify(text, text) is 'Lower-case ASCII words joined by hyphens, at most 80 characters, so that a suffix still fits.';

create function private.normalize_domain(value text) returns text
language sql immutable parallel safe set search_path = '' as $$
  select case when host ~ '^[^\s@/]+\.[^\s@/.]+$' and char_length(host) <= 253 then host end
  from (select rtrim(substring(lower(btrim(value))
    from '^(?:[a-z][a-z0-9+.-]*:)?(?://)?(?:[^/@?#]*@)?(?:www\.)?([^/:?#]*)'), '.')) parts (host)
$$;
comment on function private.normalize_domain(text) is
  'The host of a website, address or domain: lower case, without scheme, user, www, port or path. Null when there is none. What companies are matched by.';

create function private.account_name(metadata jsonb) returns text
language sql immutable parallel safe set search_path = '' as $$
  select left(coalesce(nullif(btrim(metadata ->> 'full_name'), ''), nullif(btrim(metadata ->> 'display_name'), ''), nullif(btrim(metadata ->> 'name'), '')), 200)
$$;
comment on function private.account_name(jsonb) is 'What a person is called, by the sign-up form or the provider of the login.';

revoke execute on all functions in schema private from public, anon, authenticated;
grant execute on function private.actor_id(), private.sync_config_id(), private.slugify(text, text),
  private.normalize_domain(text) to authenticated, service_role;
