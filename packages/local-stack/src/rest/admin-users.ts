import type { Sql } from "postgres";
import { z } from "zod";

/** The part of GoTrue's admin API that seeding and tests need; Lite has none. Only the secret key may call it. */
const attributesSchema = z.object({
  id: z.uuid().optional(),
  email: z
    .email()
    .transform((email) => email.toLowerCase())
    .optional(),
  password: z.string().min(1).optional(),
  email_confirm: z.boolean().optional(),
  phone: z.string().optional(),
  user_metadata: z.record(z.string(), z.unknown()).optional(),
  app_metadata: z.record(z.string(), z.unknown()).optional(),
});
type Attributes = z.infer<typeof attributesSchema>;

export async function handleAdminUsers(request: Request, sql: Sql): Promise<Response> {
  const url = new URL(request.url);
  const id = url.pathname.match(/\/admin\/users\/([^/]+)$/)?.[1];
  const handler = HANDLERS[`${request.method} ${id ? "one" : "all"}`];
  if (!handler) return failure(405, "method_not_allowed", "Method not allowed");
  try {
    return await handler({ sql, id: id ?? "", url, body: await readBody(request) });
  } catch (error) {
    if (error instanceof z.ZodError) return failure(400, "validation_failed", z.prettifyError(error));
    if ((error as { code?: string }).code === "23505") {
      return failure(422, "email_exists", "A user with this email address has already been registered");
    }
    throw error;
  }
}

async function readBody(request: Request): Promise<Attributes> {
  if (request.method !== "POST" && request.method !== "PUT") return {};
  return attributesSchema.parse(await request.json());
}

interface Call {
  sql: Sql;
  id: string;
  url: URL;
  body: Attributes;
}

const HANDLERS: Record<string, (call: Call) => Promise<Response>> = {
  "POST all": createUser,
  "GET all": listUsers,
  "GET one": async ({ sql, id }) => found(await readUser(sql, id)),
  "PUT one": updateUser,
  "DELETE one": deleteUser,
};

async function createUser({ sql, body }: Call): Promise<Response> {
  const { email } = body;
  if (!email) return failure(422, "validation_failed", "Cannot create a user without an email");
  const id = await sql.begin(async (tx) => {
    const [user] = await tx<{ id: string }[]>`
      insert into auth.users (
        instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, phone, raw_app_meta_data, raw_user_meta_data,
        confirmation_token, recovery_token, email_change, email_change_token_new, created_at, updated_at
      ) values (
        '00000000-0000-0000-0000-000000000000', coalesce(${body.id ?? null}::uuid, gen_random_uuid()),
        'authenticated', 'authenticated', ${email},
        extensions.crypt(${body.password ?? crypto.randomUUID()}, extensions.gen_salt('bf', 10)),
        case when ${body.email_confirm ?? false} then now() end, ${body.phone ?? null},
        ${sql.json({ ...body.app_metadata, provider: "email", providers: ["email"] } as never)},
        ${sql.json((body.user_metadata ?? {}) as never)}, '', '', '', '', now(), now()
      ) returning id`;
    const userId = (user as { id: string }).id;
    await tx`
      insert into auth.identities (id, provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
      values (gen_random_uuid(), ${userId}, ${userId},
        ${sql.json({ sub: userId, email, email_verified: body.email_confirm ?? false, phone_verified: false })},
        'email', now(), now(), now())`;
    return userId;
  });
  return found(await readUser(sql, id));
}

async function listUsers({ sql, url }: Call): Promise<Response> {
  const perPage = Number(url.searchParams.get("per_page") || 50);
  const page = Number(url.searchParams.get("page") || 1);
  const ids = await sql<{ id: string }[]>`
    select id from auth.users order by created_at desc, id limit ${perPage} offset ${(page - 1) * perPage}`;
  const users = await Promise.all(ids.map(({ id }) => readUser(sql, id)));
  return Response.json({ users, aud: "authenticated" });
}

async function updateUser({ sql, id, body }: Call): Promise<Response> {
  await sql`
    update auth.users set
      email = coalesce(${body.email ?? null}, email),
      encrypted_password = case when ${body.password ?? null}::text is null then encrypted_password
                                else extensions.crypt(${body.password ?? null}, extensions.gen_salt('bf', 10)) end,
      email_confirmed_at = case when ${body.email_confirm ?? false} then coalesce(email_confirmed_at, now())
                                else email_confirmed_at end,
      phone = coalesce(${body.phone ?? null}, phone),
      raw_app_meta_data = raw_app_meta_data || ${sql.json((body.app_metadata ?? {}) as never)},
      raw_user_meta_data = raw_user_meta_data || ${sql.json((body.user_metadata ?? {}) as never)},
      updated_at = now()
    where id = ${id}`;
  return found(await readUser(sql, id));
}

async function deleteUser({ sql, id }: Call): Promise<Response> {
  const user = await readUser(sql, id);
  await sql`delete from auth.users where id = ${id}`;
  return user ? Response.json({}) : found(undefined);
}

async function readUser(sql: Sql, id: string): Promise<Record<string, unknown> | undefined> {
  const [row] = await sql<{ user: Record<string, unknown> }[]>`
    select jsonb_build_object(
      'id', u.id, 'aud', u.aud, 'role', u.role, 'email', u.email, 'phone', coalesce(u.phone, ''),
      'email_confirmed_at', u.email_confirmed_at, 'confirmed_at', u.confirmed_at, 'last_sign_in_at', u.last_sign_in_at,
      'app_metadata', u.raw_app_meta_data, 'user_metadata', u.raw_user_meta_data, 'is_anonymous', u.is_anonymous,
      'created_at', u.created_at, 'updated_at', u.updated_at,
      'identities', coalesce((
        select jsonb_agg(to_jsonb(i) - 'id' || jsonb_build_object('identity_id', i.id, 'id', i.provider_id))
        from auth.identities i where i.user_id = u.id), '[]')
    ) as user
    from auth.users u where u.id::text = ${id}`;
  return row?.user;
}

function found(user: Record<string, unknown> | undefined): Response {
  return user ? Response.json(user) : failure(404, "user_not_found", "User not found");
}

function failure(status: number, errorCode: string, message: string): Response {
  return Response.json({ code: status, error_code: errorCode, msg: message }, { status });
}
