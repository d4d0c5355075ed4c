import { z } from "zod";
import { problem } from "./problem.ts";

export interface User {
  id: string;
  email: string | null;
}

export interface AuthSettings {
  supabaseUrl: string;
  publishableKey: string;
  fetch: typeof fetch;
}

const userSchema = z.object({ id: z.uuid(), email: z.string().nullish() });

const NOT_SIGNED_IN = "Sign in first: send the user's access token as `Authorization: Bearer …`.";

/** Asks the auth server, so that a signed-out session or a deleted user stops working at once. */
export async function authenticate(request: Request, settings: AuthSettings): Promise<User> {
  const authorization = request.headers.get("authorization") ?? "";
  const token = /^Bearer\s+(\S+)$/i.exec(authorization)?.[1];
  if (token === undefined) throw problem(401, "not_signed_in", NOT_SIGNED_IN);
  if (token.split(".").length !== 3) throw problem(401, "not_signed_in", `An API key is not a user. ${NOT_SIGNED_IN}`);
  const response = await askAuth(token, settings);
  if (response.status >= 500 || response.status === 429) throw unavailable();
  if (!response.ok) throw problem(401, "session_expired", "The session is not valid any more. Sign in again.");
  const user = userSchema.safeParse(await response.json());
  if (!user.success) throw unavailable(user.error);
  return { id: user.data.id, email: user.data.email ?? null };
}

async function askAuth(token: string, { supabaseUrl, publishableKey, fetch }: AuthSettings): Promise<Response> {
  try {
    return await fetch(`${supabaseUrl}/auth/v1/user`, {
      headers: { authorization: `Bearer ${token}`, apikey: publishableKey },
      signal: AbortSignal.timeout(10_000),
    });
  } catch (cause) {
    throw unavailable(cause);
  }
}

function unavailable(cause?: unknown) {
  const { problem: details } = problem(503, "auth_unavailable", "Sign-in cannot be checked just now. Try again.");
  return Object.assign(problem(details.status, details.code, details.detail, { retryAfter: 5 }), { cause });
}

/** In constant time: how long a refusal takes must not tell how much of a guess was right. */
export function sameSecret(given: string, expected: string): boolean {
  const encoder = new TextEncoder();
  const a = encoder.encode(given);
  const b = encoder.encode(expected);
  if (b.length === 0) return false;
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= (a[i] ?? 0) ^ (b[i] as number);
  return difference === 0;
}
