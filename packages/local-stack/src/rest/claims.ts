import { decodeJwt, SignJWT } from "jose";
import type { Sql } from "postgres";

interface UserClaims {
  phone: string | null;
  app_metadata: Record<string, unknown> | null;
  user_metadata: Record<string, unknown> | null;
  is_anonymous: boolean;
}

/** How the user signed in, for the `amr` claim, by the path that answered. */
const METHOD_BY_PATH: readonly (readonly [RegExp, string])[] = [
  [/\/verify|\/otp/, "otp"],
  [/\/callback/, "oauth"],
  [/./, "password"],
];

/** Adds the claims that GoTrue writes and Lite leaves out. The new signature counts: the secret is the same. */
export class TokenEnricher {
  readonly #sql: Sql;
  readonly #issuer: string;
  readonly #secret: Uint8Array;

  constructor(sql: Sql, issuer: string, jwtSecret: string) {
    this.#sql = sql;
    this.#issuer = issuer;
    this.#secret = new TextEncoder().encode(jwtSecret);
  }

  /** Lite hands tokens out in JSON bodies and, after a redirect, in the fragment of the address. */
  async response(original: Response, path: string): Promise<Response> {
    const location = original.headers.get("location");
    if (location?.includes("access_token=")) return this.#redirect(original, location, path);
    if (!original.headers.get("content-type")?.includes("application/json")) return original;
    const body = (await original.clone().json()) as { access_token?: unknown };
    if (typeof body?.access_token !== "string") return original;
    const headers = new Headers(original.headers);
    headers.delete("content-length");
    const access_token = await this.#enrich(body.access_token, path);
    return new Response(JSON.stringify({ ...body, access_token }), { status: original.status, headers });
  }

  async #redirect(original: Response, location: string, path: string): Promise<Response> {
    const target = new URL(location);
    const fragment = new URLSearchParams(target.hash.slice(1));
    const token = fragment.get("access_token");
    if (!token) return original;
    fragment.set("access_token", await this.#enrich(token, path));
    target.hash = fragment.toString();
    const headers = new Headers(original.headers);
    headers.set("location", target.toString());
    return new Response(null, { status: original.status, headers });
  }

  async #enrich(accessToken: string, path: string): Promise<string> {
    const claims = decodeJwt(accessToken);
    const [user] = await this.#sql<UserClaims[]>`
      select phone, raw_app_meta_data as app_metadata, raw_user_meta_data as user_metadata, is_anonymous
      from auth.users where id = ${claims.sub ?? null}`;
    const method = METHOD_BY_PATH.find(([pattern]) => pattern.test(path))?.[1];
    return new SignJWT({
      email: "",
      ...claims,
      iss: this.#issuer,
      phone: user?.phone ?? "",
      app_metadata: user?.app_metadata ?? {},
      user_metadata: user?.user_metadata ?? {},
      aal: "aal1",
      amr: [{ method, timestamp: claims.iat }],
      is_anonymous: user?.is_anonymous ?? false,
    })
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .sign(this.#secret);
  }
}
