import { decodeJwt } from "jose";
import { LOCAL_KEYS } from "../settings.ts";

const PRIVILEGE_OF_METHOD: Record<string, string> = {
  POST: "INSERT",
  PATCH: "UPDATE",
  PUT: "INSERT",
  DELETE: "DELETE",
};

/** Hosted's server says which GRANT is missing when an API role may not use a table; a plain server does not. */
export async function withGrantHint(request: Request, response: Response): Promise<Response> {
  if (response.status !== 401 && response.status !== 403) return response;
  if (!response.headers.get("content-type")?.includes("json")) return response;
  const body = (await response.clone().json()) as { code?: string; hint?: string | null; message?: string };
  const table = body.message?.match(/^permission denied for (?:table|view) (.+)$/)?.[1];
  if (body.code !== "42501" || body.hint || !table) return response;
  const schema = request.headers.get("content-profile") ?? request.headers.get("accept-profile") ?? "public";
  const privilege = PRIVILEGE_OF_METHOD[request.method] ?? "SELECT";
  const grant = `GRANT ${privilege} ON ${schema}.${table} TO ${roleOf(request)};`;
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  return new Response(
    JSON.stringify({ ...body, hint: `Grant the required privileges to the current role with: ${grant}` }),
    { status: response.status, headers },
  );
}

/** The role that the request ran as: it was let through, so its token need not be checked again. */
function roleOf(request: Request): string {
  const token = request.headers.get("authorization")?.replace(/^Bearer\s+/i, "");
  if (token?.startsWith("eyJ")) return String(decodeJwt(token).role ?? "anon");
  return request.headers.get("apikey") === LOCAL_KEYS.secretKey ? "service_role" : "anon";
}
