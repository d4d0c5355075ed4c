-- Stand-in for supabase_vault 0.3.1: same schema, signatures, grants and errors; the cipher is pgcrypto's AES-256 in the
-- same shape as hosted (a keyed hash over nonce, additional data and message is both the tag and the synthetic IV).
-- The root key is a file in the server's data directory that only a superuser may read, so it is in no table and no dump.

create function vault._derived_key(purpose text) returns bytea
language sql stable
set search_path = ''
as $$
  select extensions.hmac(purpose::bytea, pg_catalog.decode(pg_catalog.btrim(pg_catalog.pg_read_file('vault.key'), E' \n'), 'hex'), 'sha256')
$$;

create function vault._crypto_aead_det_encrypt(
  message bytea, additional bytea, key_id bigint, context bytea = 'pgsodium', nonce bytea = null
) returns bytea
language plpgsql stable security definer
set search_path = ''
as $$
declare
  tag bytea;
begin
  if message is null then
    raise exception 'pgsodium_crypto_aead_det_encrypt_by_id: message cannot be NULL' using errcode = '22000';
  end if;
  tag := extensions.hmac(
    pg_catalog.int8send(pg_catalog.length(additional)) || coalesce(additional, '') || coalesce(nonce, '') || context
      || pg_catalog.int8send(key_id) || message,
    vault._derived_key('tag'), 'sha256');
  return tag || extensions.encrypt_iv(
    message, vault._derived_key('cipher'), pg_catalog.substring(tag, 1, 16), 'aes-cbc/pad:pkcs');
end
$$;

create function vault._crypto_aead_det_decrypt(
  message bytea, additional bytea, key_id bigint, context bytea = 'pgsodium', nonce bytea = null
) returns bytea
language plpgsql stable security definer
set search_path = ''
as $$
declare
  tag bytea := pg_catalog.substring(message, 1, 32);
  plain bytea;
begin
  if message is null then
    raise exception 'pgsodium_crypto_aead_det_decrypt_by_id: message cannot be NULL' using errcode = '22000';
  end if;
  begin
    plain := extensions.decrypt_iv(
      pg_catalog.substring(message, 33), vault._derived_key('cipher'), pg_catalog.substring(tag, 1, 16), 'aes-cbc/pad:pkcs');
  exception when external_routine_invocation_exception then
    plain := null;
  end;
  if plain is null
     or tag <> extensions.hmac(
       pg_catalog.int8send(pg_catalog.length(additional)) || coalesce(additional, '') || coalesce(nonce, '') || context
         || pg_catalog.int8send(key_id) || plain,
       vault._derived_key('tag'), 'sha256')
  then
    raise exception 'pgsodium_crypto_aead_det_decrypt_by_id: invalid ciphertext' using errcode = '22000';
  end if;
  return plain;
end
$$;

create function vault._crypto_aead_det_noncegen() returns bytea
language sql volatile
set search_path = ''
as $$
  select extensions.gen_random_bytes(16)
$$;

create table vault.secrets (
  id uuid primary key default gen_random_uuid(),
  name text,
  description text not null default '',
  secret text not null,
  key_id uuid,
  nonce bytea default vault._crypto_aead_det_noncegen(),
  created_at timestamptz not null default current_timestamp,
  updated_at timestamptz not null default current_timestamp
);

comment on table vault.secrets is 'Table with encrypted `secret` column for storing sensitive information on disk.';

create unique index secrets_name_idx on vault.secrets using btree (name) where name is not null;

create view vault.decrypted_secrets as
select
  s.id, s.name, s.description, s.secret,
  convert_from(
    vault._crypto_aead_det_decrypt(
      message := decode(s.secret, 'base64'),
      additional := convert_to(s.id::text, 'utf8'),
      key_id := 0,
      context := 'pgsodium'::bytea,
      nonce := s.nonce
    ),
    'utf8'
  ) as decrypted_secret,
  s.key_id, s.nonce, s.created_at, s.updated_at
from vault.secrets s;

create function vault.create_secret(
  new_secret text, new_name text = null, new_description text = '', new_key_id uuid = null
) returns uuid
language plpgsql security definer
set search_path = ''
as $$
declare
  new_id uuid := pg_catalog.gen_random_uuid();
  new_nonce bytea := vault._crypto_aead_det_noncegen();
begin
  insert into vault.secrets (id, nonce, name, description, secret)
  values (
    new_id, new_nonce, new_name, new_description,
    pg_catalog.encode(vault._crypto_aead_det_encrypt(
      message := pg_catalog.convert_to(new_secret, 'utf8'),
      additional := pg_catalog.convert_to(new_id::text, 'utf8'),
      key_id := 0,
      context := 'pgsodium'::bytea,
      nonce := new_nonce
    ), 'base64')
  );
  return new_id;
end
$$;

create function vault.update_secret(
  secret_id uuid, new_secret text = null, new_name text = null, new_description text = null, new_key_id uuid = null
) returns void
language plpgsql security definer
set search_path = ''
as $$
begin
  update vault.secrets s
  set
    secret = case when new_secret is null then s.secret
                  else pg_catalog.encode(vault._crypto_aead_det_encrypt(
                    message := pg_catalog.convert_to(new_secret, 'utf8'),
                    additional := pg_catalog.convert_to(s.id::text, 'utf8'),
                    key_id := 0,
                    context := 'pgsodium'::bytea,
                    nonce := s.nonce
                  ), 'base64') end,
    name = coalesce(new_name, s.name),
    description = coalesce(new_description, s.description),
    updated_at = pg_catalog.now()
  where s.id = secret_id;
end
$$;

revoke all on function vault._derived_key(text) from public;
revoke all on function
  vault._crypto_aead_det_encrypt, vault._crypto_aead_det_decrypt, vault._crypto_aead_det_noncegen,
  vault.create_secret, vault.update_secret
from public;

select pg_catalog.pg_extension_config_dump('vault.secrets', '');

-- Grants that hosted adds after the extension is created. Nobody but the superuser may insert into or update secrets.
grant usage on schema vault to postgres with grant option;
grant select, delete, references, truncate on vault.secrets, vault.decrypted_secrets to postgres with grant option;
grant execute on function vault.create_secret, vault.update_secret, vault._crypto_aead_det_decrypt
  to postgres with grant option;
grant usage on schema vault to service_role;
grant select, delete on vault.secrets, vault.decrypted_secrets to service_role;
grant execute on function vault.create_secret, vault.update_secret, vault._crypto_aead_det_decrypt to service_role;
