import { describe, expect, test } from "vitest";
import { client, eventually, signedIn, useStack } from "./support/stack.ts";

const stack = useStack({
  "supabase/config.toml": '[api]\nschemas = ["public"]\nmax_rows = 3\n[auth]\njwt_expiry = 1800\n',
  "supabase/migrations/20260101000000_tables.sql": `
    create table public.notes (
      id bigint generated always as identity primary key,
      owner uuid not null default auth.uid(),
      body text not null check (body <> 'forbidden')
    );
    alter table public.notes enable row level security;
    create policy "Owners do everything with theirs" on public.notes for all to authenticated
      using (owner = (select auth.uid())) with check (owner = (select auth.uid()));
    grant select, insert, update, delete on public.notes to authenticated, service_role;
    create table public.secrets (id int primary key);
    create function public.fail(state text) returns void language plpgsql set search_path = '' as
      $$ begin raise exception 'it failed' using errcode = state, detail = 'a detail', hint = 'a hint'; end $$;
    create function public.private_fn() returns int language sql set search_path = '' as 'select 1';
    revoke execute on function public.private_fn() from public;
    create function public.wait(seconds float) returns text language plpgsql set search_path = '' as
      $$ begin perform pg_sleep(seconds); return current_setting('statement_timeout'); end $$;
    create function public.wait_long(seconds float) returns text language plpgsql set search_path = ''
      set statement_timeout = '10s' as
      $$ begin perform pg_sleep(seconds); return current_setting('statement_timeout'); end $$;
    create function public.wipe_notes() returns text language plpgsql security definer set search_path = '' as
      $$ begin delete from public.notes; return 'wiped'; end $$;
    create function public.wipe_through_helper() returns text language plpgsql security definer set search_path = '' as
      $$ begin return public.wipe_notes(); end $$;
    create function public.wipe_in_sql() returns void language sql security definer set search_path = '' as
      $$ with gone as (delete from public.notes returning 1) select count(*) from gone $$;
    create function public.wipe_atomically() returns void language sql security definer
      begin atomic insert into public.notes (owner, body) values (gen_random_uuid(), 'x'); delete from public.notes; end;
    create function public.wipe_where_true() returns void language sql security definer set search_path = '' as
      $$ delete from public.notes where true $$;
    create table public.triggering (id int primary key);
    grant insert on public.triggering to authenticated;
    create function public.touch_all() returns trigger language plpgsql security definer set search_path = '' as
      $$ begin update public.notes set body = body; return new; end $$;
    create trigger touch_all after insert on public.triggering for each row execute function public.touch_all();
  `,
});

const anon = () => client(stack);
const service = () => client(stack, stack.secretKey);

describe("what the API refuses, and how", () => {
  test("no key or a wrong one: 401", async () => {
    const without = await fetch(`${stack.apiUrl}/rest/v1/notes`);
    expect(without.status).toBe(401);
    expect(await without.json()).toMatchObject({ message: "No API key found in request" });
    const wrong = await fetch(`${stack.apiUrl}/rest/v1/notes`, { headers: { apikey: "sb_publishable_wrong" } });
    expect(wrong.status).toBe(401);
  });

  test("a table that anon was granted nothing on: 401 with 42501 and the grant that is missing", async () => {
    const { status, error } = await anon().from("notes").select();
    expect(status).toBe(401);
    expect(error).toMatchObject({
      code: "42501",
      message: "permission denied for table notes",
      hint: "Grant the required privileges to the current role with: GRANT SELECT ON public.notes TO anon;",
    });
  });

  test("a user without the grant: 403 with 42501", async () => {
    const { api } = await signedIn(stack);
    const { status, error } = await api.from("secrets").select();
    expect(status).toBe(403);
    expect(error?.code).toBe("42501");
  });

  test("service_role has no table for free either", async () => {
    const { status, error } = await service().from("secrets").select();
    expect([status, error?.code]).toEqual([403, "42501"]);
  });

  test("a function whose execute right was revoked", async () => {
    const { api } = await signedIn(stack);
    expect(await anon().rpc("private_fn")).toMatchObject({ status: 401, error: { code: "42501" } });
    expect(await api.rpc("private_fn")).toMatchObject({ status: 403, error: { code: "42501" } });
  });

  test("requests do not loosen grants: after them no API role has gained a privilege", async () => {
    const { api } = await signedIn(stack);
    await api.from("notes").select();
    const rows = await stack.sql`
      select r as role, c.oid::regclass::text as relation from unnest(array['anon', 'authenticated', 'service_role']) r, pg_class c
      where c.relkind in ('r', 'v') and c.relnamespace::regnamespace::text in ('public', 'auth', 'vault', 'supabase_migrations')
        and has_table_privilege(r, c.oid, 'select') order by 1, 2`;
    expect(rows.map((row) => `${row.role} ${row.relation}`)).toEqual([
      "authenticated notes",
      "service_role notes",
      "service_role vault.decrypted_secrets",
      "service_role vault.secrets",
    ]);
    const [defaults] = await stack.sql`
      select count(*)::int as n from pg_default_acl, aclexplode(defaclacl) a
      where defaclobjtype = 'r' and defaclrole = 'postgres'::regrole and a.grantee = 'anon'::regrole and a.privilege_type = 'SELECT'`;
    expect(defaults?.n).toBe(0);
  });

  test("RLS keeps one user's rows from another", async () => {
    const [a, b] = await Promise.all([signedIn(stack), signedIn(stack)]);
    await a.api.from("notes").insert({ body: "mine" });
    expect((await a.api.from("notes").select()).data).toHaveLength(1);
    expect((await b.api.from("notes").select()).data).toEqual([]);
    expect(await b.api.from("notes").insert({ body: "x", owner: a.id })).toMatchObject({
      status: 403,
      error: { code: "42501" },
    });
  });

  test.each([
    ["PC001", 400],
    ["P0001", 400],
    ["23514", 400],
    ["23505", 409],
    ["57014", 500],
    ["55P03", 500],
    ["PT418", 418],
  ])("an error with SQLSTATE %s answers %i and keeps its code, detail and hint", async (state, status) => {
    const { api } = await signedIn(stack);
    const answer = await api.rpc("fail", { state });
    expect(answer.status).toBe(status);
    expect(answer.error).toMatchObject({ code: state, message: "it failed", details: "a detail", hint: "a hint" });
  });

  test("a check constraint is the client's error, not ours", async () => {
    const { api } = await signedIn(stack);
    expect(await api.from("notes").insert({ body: "forbidden" })).toMatchObject({
      status: 400,
      error: { code: "23514" },
    });
  });

  test("answers are cut at max_rows", async () => {
    const { api } = await signedIn(stack);
    await api.from("notes").insert(["a", "b", "c", "d"].map((body) => ({ body })));
    expect((await api.from("notes").select()).data).toHaveLength(3);
  });

  test("browsers may call it from anywhere", async () => {
    const preflight = await fetch(`${stack.apiUrl}/rest/v1/notes`, {
      method: "OPTIONS",
      headers: {
        "access-control-request-method": "POST",
        "access-control-request-headers": "apikey,x-mine",
        origin: "http://x",
      },
    });
    expect(preflight.status).toBe(200);
    expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
    expect(preflight.headers.get("access-control-allow-headers")).toBe("apikey,x-mine");
  });
});

describe("the schema cache", () => {
  test("follows DDL by itself: new tables and functions answer, dropped ones do not", async () => {
    const { api } = await signedIn(stack);
    expect((await api.from("later").select()).error?.code).toBe("PGRST205");
    await stack.sql`create table public.later (id int primary key)`;
    await stack.sql`grant select on public.later to authenticated`;
    await eventually("the new table answers", async () => (await api.from("later").select()).status === 200);
    await stack.sql`create function public.later_fn() returns int language sql as 'select 7'`;
    await eventually("the new function answers", async () => (await api.rpc("later_fn")).data === 7);
    await stack.sql`drop table public.later`;
    await eventually(
      "the dropped table is gone",
      async () => (await api.from("later").select()).error?.code === "PGRST205",
    );
  });

  test("refreshSchemaCache waits until it is current", async () => {
    await stack.sql`create table public.at_once (id int primary key)`;
    await stack.sql`grant select on public.at_once to service_role`;
    await stack.refreshSchemaCache();
    expect((await service().from("at_once").select()).status).toBe(200);
  });
});

describe("the statement timeout of the role", () => {
  test("anon is cut off after three seconds, with 57014", async () => {
    const began = Date.now();
    const { status, error } = await anon().rpc("wait", { seconds: 6 });
    expect([status, error?.code]).toEqual([500, "57014"]);
    expect(Date.now() - began).toBeGreaterThan(2_500);
    expect(Date.now() - began).toBeLessThan(5_500);
  });

  test("users and the service have eight seconds", async () => {
    const { api } = await signedIn(stack);
    expect((await api.rpc("wait", { seconds: 0 })).data).toBe("8s");
    expect((await service().rpc("wait", { seconds: 0 })).data).toBe("8s");
    expect((await anon().rpc("wait", { seconds: 0 })).data).toBe("3s");
  });

  test("a function's own limit holds for the call", async () => {
    expect((await anon().rpc("wait_long", { seconds: 3.3 })).data).toBe("10s");
  });

  test("alter role and a reload change it", async () => {
    await stack.admin`alter role anon set statement_timeout = '1s'`;
    await stack.sql`notify pgrst, 'reload config'`;
    await eventually("the new limit", async () => (await anon().rpc("wait", { seconds: 0 })).data === "1s");
    await stack.admin`alter role anon set statement_timeout = '3s'`;
    await stack.refreshSchemaCache();
  });
});

describe("safe update", () => {
  const refusal = (verb: string) => ({
    status: 400,
    error: { code: "21000", message: `${verb} requires a WHERE clause` },
  });

  async function userWithNote() {
    const user = await signedIn(stack);
    await user.api.from("notes").insert({ body: "keep me" });
    return { ...user, left: async () => (await user.api.from("notes").select("body")).data?.map((row) => row.body) };
  }

  test("a DELETE or PATCH without a filter is refused", async () => {
    const { api, left } = await userWithNote();
    expect(await api.from("notes").delete()).toMatchObject(refusal("DELETE"));
    expect(await api.from("notes").update({ body: "x" })).toMatchObject(refusal("UPDATE"));
    expect(await left()).toEqual(["keep me"]);
  });

  test.each(["wipe_notes", "wipe_through_helper", "wipe_in_sql", "wipe_atomically"])(
    "it holds inside functions: %s changes nothing",
    async (name) => {
      const { api, left } = await userWithNote();
      expect(await api.rpc(name)).toMatchObject(refusal("DELETE"));
      expect(await left()).toEqual(["keep me"]);
    },
  );

  test("it holds inside triggers", async () => {
    const { api } = await userWithNote();
    expect(await api.from("triggering").insert({ id: 1 })).toMatchObject(refusal("UPDATE"));
  });

  test("`where true` is a WHERE clause", async () => {
    const { api, left } = await userWithNote();
    expect((await api.rpc("wipe_where_true")).error).toBeNull();
    expect(await left()).toEqual([]);
  });

  test("postgres itself may, as on hosted", async () => {
    await stack.sql`delete from public.notes`;
  });
});
