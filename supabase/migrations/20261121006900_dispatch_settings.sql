-- Dispatch: figures an operator may turn. One row each; change a value with
--   update private.crm_engine_settings set value = 40 where name = 'max_running';

create table private.crm_engine_settings (
  name text primary key,
  value numeric not null check (value >= 0),
  about text not null
);
alter table private.crm_engine_settings enable row level security;
revoke all on private.crm_engine_settings from public, anon, authenticated, service_role;

insert into private.crm_engine_settings (name, value, about) values
  ('max_running', 20, 'Runs that workers have in hand at once, over all workspaces. Each holds up to two database connections.');

create function private.crm_setting(p_name text) returns numeric
language sql
stable
set search_path = ''
as $$
  select s.value from private.crm_engine_settings s where s.name = p_name
$$;
revoke execute on function private.crm_setting(text) from public, anon, authenticated, service_role;
