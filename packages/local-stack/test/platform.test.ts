import { describe, expect, test } from "vitest";
import { asRole, rejection, useStack } from "./support/stack.ts";

const stack = useStack({
  "supabase/migrations/20260101000000_tables.sql": `
    create table public.plain (id int primary key);
    create function public.hello() returns text language sql set search_path = '' as $$ select 'hello' $$;
    create sequence public.counter;
  `,
});

describe("roles", () => {
  test("postgres runs the migrations and is not a superuser", async () => {
    const [role] = await stack.sql`select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
      from pg_roles where rolname = current_user`;
    expect(role).toEqual({
      rolsuper: false,
      rolcreaterole: true,
      rolcreatedb: true,
      rolreplication: true,
      rolbypassrls: true,
    });
    expect((await rejection(stack.sql`copy (select 1) to program 'true'`)).code).toBe("42501");
    expect((await rejection(stack.sql`alter role anon superuser`)).code).toBe("42501");
    expect((await rejection(stack.sql`alter system set work_mem = '1MB'`)).code).toBe("42501");
  });

  test("the API roles have the hosted attributes and settings", async () => {
    const rows = await stack.sql`
      select rolname, rolcanlogin, rolinherit, rolbypassrls, rolconfig from pg_roles
      where rolname in ('anon', 'authenticated', 'service_role', 'authenticator') order by rolname`;
    expect(rows.map((row) => Object.values(row))).toEqual([
      ["anon", false, true, false, ["statement_timeout=3s"]],
      ["authenticated", false, true, false, ["statement_timeout=8s"]],
      ["authenticator", true, false, false, ["statement_timeout=8s", "lock_timeout=8s"]],
      ["service_role", false, true, true, null],
    ]);
  });

  test("postgres is a member of the API roles and of no platform administrator", async () => {
    const rows = await stack.sql`
      select r.rolname from pg_auth_members m join pg_roles r on r.oid = m.roleid
      where m.member = 'postgres'::regrole and m.admin_option and m.grantor <> 'postgres'::regrole order by 1`;
    expect(rows.map((row) => row.rolname)).toEqual([
      "anon",
      "authenticated",
      "authenticator",
      "pg_monitor",
      "pg_read_all_data",
      "pg_signal_backend",
      "service_role",
    ]);
    const [member] = await stack.sql`
      select bool_or(pg_has_role('postgres', oid, 'member')) as any from pg_roles where rolname like 'supabase%admin'`;
    expect(member?.any).toBe(false);
  });

  test("the server speaks UTC, logs for replication, and gives postgres two minutes a statement", async () => {
    const [row] = await stack.sql`
      select current_setting('timezone') as timezone, current_setting('wal_level') as wal_level,
             current_setting('statement_timeout') as statement_timeout, current_setting('search_path') as search_path,
             current_setting('server_version_num')::int / 10000 as major`;
    expect(row).toEqual({
      timezone: "UTC",
      wal_level: "logical",
      statement_timeout: "2min",
      search_path: '"$user", public, extensions',
      major: 17,
    });
  });
});

describe("what a migration makes in public", () => {
  test.each(["anon", "authenticated", "service_role"])(
    "%s is granted no table, sequence or view privilege by default",
    async (role) => {
      const [row] = await stack.sql`
      select has_table_privilege(${role}, 'public.plain', 'select,insert,update,delete') as table_access,
             has_sequence_privilege(${role}, 'public.counter', 'usage,select') as sequence_access`;
      expect(row).toEqual({ table_access: false, sequence_access: false });
    },
  );

  test("functions stay executable through PUBLIC until a migration revokes that", async () => {
    const [before] = await stack.sql`select has_function_privilege('anon', 'public.hello()', 'execute') as allowed`;
    expect(before?.allowed).toBe(true);
    await stack.sql`revoke execute on function public.hello() from public`;
    const [after] = await stack.sql`select has_function_privilege('anon', 'public.hello()', 'execute') as allowed`;
    expect(after?.allowed).toBe(false);
  });

  test("the residue of the old default privileges is as on hosted: no reading or writing, but truncate and trigger", async () => {
    const [row] = await stack.sql`
      select has_table_privilege('anon', 'public.plain', 'truncate') as truncate,
             has_table_privilege('anon', 'public.plain', 'trigger') as trigger`;
    expect(row).toEqual({ truncate: true, trigger: true });
  });

  test("the API roles may use schema public, and only postgres may create there", async () => {
    const [row] = await stack.sql`
      select bool_and(has_schema_privilege(r, 'public', 'usage')) as usage,
             bool_or(has_schema_privilege(r, 'public', 'create')) as create,
             has_schema_privilege('postgres', 'public', 'create') as postgres_creates
      from unnest(array['anon', 'authenticated', 'service_role']) r`;
    expect(row).toEqual({ usage: true, create: false, postgres_creates: true });
  });
});

describe("schema auth", () => {
  const claims = { sub: "11111111-1111-4111-8111-111111111111", role: "authenticated", email: "a@b.example" };
  const identity = (tx: typeof stack.sql) =>
    tx`select auth.uid() as uid, auth.role() as role, auth.email() as email, auth.jwt() ->> 'sub' as sub`;

  test("auth.uid, role, email and jwt read request.jwt.claims, as on hosted", async () => {
    const [row] = await asRole(stack.sql, "authenticated", claims, (tx) => identity(tx as unknown as typeof stack.sql));
    expect(row).toEqual({ uid: claims.sub, role: claims.role, email: claims.email, sub: claims.sub });
  });

  test("the old single-claim settings win when they are set and an empty one counts as unset", async () => {
    const other = "22222222-2222-4222-8222-222222222222";
    const rows = await asRole(stack.sql, "authenticated", claims, async (tx) => {
      await tx`select set_config('request.jwt.claim.sub', ${other}, true)`;
      const [set] = await tx`select auth.uid() as uid`;
      await tx`select set_config('request.jwt.claim.sub', '', true)`;
      const [empty] = await tx`select auth.uid() as uid`;
      return [set?.uid, empty?.uid];
    });
    expect(rows).toEqual([other, claims.sub]);
  });

  test("without claims they are all null, auth.jwt() too", async () => {
    const [row] =
      await stack.sql`select auth.uid() as uid, auth.role() as role, auth.email() as email, auth.jwt() as jwt`;
    expect(row).toEqual({ uid: null, role: null, email: null, jwt: null });
  });

  test("the functions are stable, belong to supabase_auth_admin, and run with their caller's rights", async () => {
    const rows = await stack.sql`
      select proname, provolatile, prosecdef, proowner::regrole::text as owner from pg_proc
      where pronamespace = 'auth'::regnamespace and proname in ('uid', 'role', 'email', 'jwt')`;
    expect(rows).toHaveLength(4);
    for (const row of rows)
      expect(row).toMatchObject({ provolatile: "s", prosecdef: false, owner: "supabase_auth_admin" });
  });

  test("every table has RLS on and belongs to supabase_auth_admin", async () => {
    const rows = await stack.sql`
      select relname, relrowsecurity, relowner::regrole::text as owner from pg_class
      where relnamespace = 'auth'::regnamespace and relkind = 'r'`;
    expect(rows.length).toBeGreaterThan(4);
    for (const row of rows) expect(row).toMatchObject({ relrowsecurity: true, owner: "supabase_auth_admin" });
  });

  test("postgres inserts a test user with the hosted columns, references users and writes triggers on them", async () => {
    await stack.sql`
      insert into auth.users (instance_id, id, aud, role, email, is_super_admin, confirmation_token, recovery_token)
      values ('00000000-0000-0000-0000-000000000000', gen_random_uuid(), 'authenticated', 'authenticated', 'x@y.example', false, '', '')`;
    await stack.sql`create table public.profiles (id uuid primary key references auth.users (id) on delete cascade)`;
    await stack.sql`create function public.on_user() returns trigger language plpgsql set search_path = '' as
      $$ begin insert into public.profiles values (new.id); return new; end $$`;
    await stack.sql`create trigger on_user after insert on auth.users for each row execute function public.on_user()`;
    await stack.sql`insert into auth.users (id, email) values (gen_random_uuid(), 'z@y.example')`;
    expect(await stack.sql`select * from public.profiles`).toHaveLength(1);
  });

  test("postgres may not make tables or functions there", async () => {
    expect((await rejection(stack.sql`create table auth.mine (id int)`)).code).toBe("42501");
    expect((await rejection(stack.sql`create function auth.mine() returns int language sql as 'select 1'`)).code).toBe(
      "42501",
    );
  });
});

describe("Vault", () => {
  test("postgres keeps and reads secrets; what is stored is not the secret", async () => {
    const [made] = await stack.sql`select vault.create_secret('hush', 'my_secret', 'a description') as id`;
    const [row] = await stack.sql`select * from vault.decrypted_secrets where name = 'my_secret'`;
    expect(row).toMatchObject({ id: made?.id, description: "a description", decrypted_secret: "hush" });
    expect(row?.secret).not.toContain("hush");
    expect(Buffer.from(row?.secret ?? "", "base64").toString("latin1")).not.toContain("hush");
    await stack.sql`select vault.update_secret(${made?.id}, 'hush hush')`;
    const [changed] =
      await stack.sql`select decrypted_secret, name from vault.decrypted_secrets where id = ${made?.id}`;
    expect(changed).toEqual({ decrypted_secret: "hush hush", name: "my_secret" });
    expect((await rejection(stack.sql`select vault.create_secret('again', 'my_secret')`)).code).toBe("23505");
    await stack.sql`delete from vault.secrets where id = ${made?.id}`;
    expect(await stack.sql`select 1 from vault.secrets`).toHaveLength(0);
  });

  test("two secrets of the same text are stored differently, and text of any kind comes back", async () => {
    const texts = ["same", "same", "", "ünïcödé ☃", "x".repeat(10_000)];
    const ids = await Promise.all(texts.map((text) => stack.sql`select vault.create_secret(${text}) as id`));
    const rows = await stack.sql`select id, secret, decrypted_secret from vault.decrypted_secrets`;
    const byId = new Map(rows.map((row) => [row.id, row]));
    expect(ids.map(([made]) => byId.get(made?.id)?.decrypted_secret)).toEqual(texts);
    expect(byId.get(ids[0]?.[0]?.id)?.secret).not.toBe(byId.get(ids[1]?.[0]?.id)?.secret);
  });

  test("nobody but the platform writes the table: insert and update fail, as on hosted", async () => {
    expect((await rejection(stack.sql`insert into vault.secrets (secret) values ('x')`)).code).toBe("42501");
    expect((await rejection(stack.sql`update vault.secrets set name = 'x' where true`)).code).toBe("42501");
  });

  test.each(["anon", "authenticated"])("%s sees nothing of it, not even the schema", async (role) => {
    for (const statement of [
      "select * from vault.secrets",
      "select * from vault.decrypted_secrets",
      "select vault.create_secret('x')",
    ]) {
      const error = await rejection(asRole(stack.sql, role, {}, (tx) => tx.unsafe(statement)));
      expect(error).toMatchObject({ code: "42501", message: "permission denied for schema vault" });
    }
  });

  test("a function of postgres with definer rights can hand a secret on", async () => {
    await stack.sql`select vault.create_secret('for the function', 'handed_on')`;
    await stack.sql`create function public.read_secret() returns text language sql security definer set search_path = ''
      as $$ select decrypted_secret from vault.decrypted_secrets where name = 'handed_on' $$`;
    const [row] = await asRole(stack.sql, "authenticated", {}, (tx) => tx`select public.read_secret() as secret`);
    expect(row?.secret).toBe("for the function");
  });

  test("the key is out of reach of SQL roles, and a ciphertext moved to another row does not decrypt", async () => {
    expect((await rejection(stack.sql`select pg_read_file('vault.key')`)).code).toBe("42501");
    expect((await rejection(stack.sql`select vault._derived_key('cipher')`)).code).toBe("42501");
    const [a] = await stack.sql`select vault.create_secret('a') as id`;
    const [b] = await stack.sql`select vault.create_secret('b') as id`;
    await stack.admin`update vault.secrets set secret = (select secret from vault.secrets where id = ${a?.id}) where id = ${b?.id}`;
    const error = await rejection(stack.sql`select * from vault.decrypted_secrets where id = ${b?.id}`);
    expect(error.message).toBe("pgsodium_crypto_aead_det_decrypt_by_id: invalid ciphertext");
    await stack.admin`delete from vault.secrets where id = ${b?.id}`;
  });
});

describe("extensions", () => {
  test("a fresh project has Vault and the usual helpers, but neither pg_net nor pg_cron", async () => {
    const rows = await stack.sql`select extname from pg_extension where extname <> 'plpgsql' order by 1`;
    expect(rows.map((row) => row.extname)).toEqual(["pg_stat_statements", "pgcrypto", "supabase_vault", "uuid-ossp"]);
  });

  test.each([
    ["pg_net", "extensions"],
    ["pg_cron", "pg_catalog"],
    ["pgtap", "extensions"],
    ["pg_trgm", "extensions"],
    ["citext", "extensions"],
    ["btree_gin", "extensions"],
    ["moddatetime", "extensions"],
  ])("postgres creates %s in schema %s, twice", async (name, schema) => {
    for (const _ of [1, 2]) await stack.sql.unsafe(`create extension if not exists ${name} with schema ${schema}`);
    const [row] =
      await stack.sql`select extnamespace::regnamespace::text as schema from pg_extension where extname = ${name}`;
    expect(row?.schema).toBe(schema);
  });
});

describe("Realtime and Storage as SQL sees them", () => {
  test("the publication is empty and belongs to postgres, who adds tables to it", async () => {
    expect(await stack.sql`select * from pg_publication_tables where pubname = 'supabase_realtime'`).toHaveLength(0);
    await stack.sql`alter publication supabase_realtime add table public.plain`;
    expect(await stack.sql`select * from pg_publication_tables where pubname = 'supabase_realtime'`).toHaveLength(1);
  });

  test("realtime.send stores a message with an id, and never fails its caller", async () => {
    await stack.sql`select realtime.send('{"a": 1}', 'an event', 'a topic', false)`;
    const [row] = await stack.sql`select topic, event, extension, private, payload from realtime.messages`;
    expect(row).toMatchObject({ topic: "a topic", event: "an event", extension: "broadcast", private: false });
    expect(row?.payload).toMatchObject({ a: 1, id: expect.any(String) });
    await stack.sql`select realtime.send(null, null, null)`;
  });

  test("postgres writes policies on realtime.messages and storage.objects", async () => {
    await stack.sql`create policy "Members hear their topic" on realtime.messages for select to authenticated
      using (realtime.topic() = 'mine' and realtime.messages.extension = 'broadcast')`;
    await stack.sql`create policy "Everybody reads" on storage.objects for select to anon using (bucket_id = 'open')`;
  });
});
