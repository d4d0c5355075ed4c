import { decodeJwt } from "jose";
import { describe, expect, test } from "vitest";
import { client, mintToken, signedIn, useStack } from "./support/stack.ts";

const stack = useStack({
  "supabase/config.toml": "[auth]\njwt_expiry = 1800\n",
  "supabase/migrations/20260101000000_notes.sql": `
    create table public.notes (id bigint generated always as identity primary key);
    grant select on public.notes to authenticated, service_role;
  `,
});

const anon = () => client(stack);
const service = () => client(stack, stack.secretKey);

describe("Auth", () => {
  test("a token carries the claims that hosted puts in", async () => {
    const { token, id } = await signedIn(stack, { name: "Ada" });
    expect(decodeJwt(token)).toMatchObject({
      iss: `${stack.apiUrl}/auth/v1`,
      aud: "authenticated",
      role: "authenticated",
      sub: id,
      aal: "aal1",
      amr: [{ method: "password", timestamp: expect.any(Number) }],
      session_id: expect.any(String),
      phone: "",
      is_anonymous: false,
      app_metadata: { provider: "email", providers: ["email"] },
      user_metadata: { name: "Ada" },
    });
    const { iat = 0, exp = 0 } = decodeJwt(token);
    expect(exp - iat).toBe(1800);
  });

  test("sign-up, refresh and getUser work with those tokens", async () => {
    const api = client(stack);
    const { data, error } = await api.auth.signUp({ email: "new@test.example", password: "long enough" });
    expect(error).toBeNull();
    expect(decodeJwt(data.session?.access_token ?? "")).toMatchObject({ aal: "aal1" });
    expect((await api.auth.getUser()).data.user?.email).toBe("new@test.example");
    const refreshed = await api.auth.refreshSession();
    expect(decodeJwt(refreshed.data.session?.access_token ?? "")).toMatchObject({ iss: `${stack.apiUrl}/auth/v1` });
  });

  test("the secret key manages users; the publishable key and users do not", async () => {
    const admin = service().auth.admin;
    const { data } = await admin.createUser({
      email: "Mixed@Test.example",
      password: "long enough",
      email_confirm: true,
    });
    const id = data.user?.id ?? "";
    expect(data.user).toMatchObject({ email: "mixed@test.example", app_metadata: { provider: "email" } });
    expect(data.user?.identities).toHaveLength(1);
    expect((await admin.createUser({ email: "mixed@test.example", password: "x" })).error?.code).toBe("email_exists");
    await admin.updateUserById(id, { user_metadata: { a: 1 }, password: "a new one" });
    expect((await admin.getUserById(id)).data.user?.user_metadata).toEqual({ a: 1 });
    expect(
      (await client(stack).auth.signInWithPassword({ email: "mixed@test.example", password: "a new one" })).error,
    ).toBeNull();
    expect((await admin.listUsers()).data.users.some((user) => user.id === id)).toBe(true);
    await admin.deleteUser(id);
    expect((await admin.getUserById(id)).error?.status).toBe(404);
    expect((await anon().auth.admin.createUser({ email: "no@test.example" })).error?.status).toBe(403);
    const { token } = await signedIn(stack);
    const asUser = await fetch(`${stack.apiUrl}/auth/v1/admin/users`, {
      headers: { apikey: stack.publishableKey, authorization: `Bearer ${token}` },
    });
    expect(asUser.status).toBe(403);
  });

  test("a token minted with the shared secret counts, and one with another secret does not", async () => {
    const { id } = await signedIn(stack);
    const call = (token: string) =>
      fetch(`${stack.apiUrl}/rest/v1/notes`, {
        headers: { apikey: stack.publishableKey, authorization: `Bearer ${token}` },
      });
    expect((await call(await mintToken(stack, { sub: id, role: "authenticated" }))).status).toBe(200);
    const forged = await mintToken(
      { ...stack, jwtSecret: "another-secret-of-at-least-32-characters" },
      { role: "service_role" },
    );
    expect((await call(forged)).status).toBe(401);
  });

  test("a legacy JWT key in the apikey header still counts", async () => {
    const key = await mintToken(stack, { role: "service_role" });
    const answer = await fetch(`${stack.apiUrl}/rest/v1/notes`, {
      headers: { apikey: key, authorization: `Bearer ${key}` },
    });
    expect(answer.status).toBe(200);
  });
});
