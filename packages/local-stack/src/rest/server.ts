import { serve } from "@hono/node-server";
import { App } from "@supabase/lite";
import { jwtVerify } from "jose";
import postgres from "postgres";
import { messageOf } from "../errors.ts";
import { commandLine } from "../processes.ts";
import { databaseUrl, LOCAL_KEYS } from "../settings.ts";
import { handleAdminUsers } from "./admin-users.ts";
import { TokenEnricher } from "./claims.ts";
import { createApiConnection } from "./connection.ts";
import { withPlainFilterValues } from "./filter-values.ts";
import { withGrantHint } from "./hints.ts";
import type { FromRest, RestSettings, ToRest } from "./protocol.ts";
import { reloadOnNotify } from "./reload.ts";
import { inRequestScope } from "./request-scope.ts";

/**
 * The process that answers /rest/v1 and /auth/v1. It ends with the stack. When the channel to it closes, the stack was
 * killed and could not end its database server: this process does that, too.
 */
let dbPid: number | undefined;
process.on("SIGINT", () => {});
process.on("disconnect", () => {
  endDatabase(dbPid).finally(() => process.exit(0));
});
process.on("message", (message: ToRest) => {
  if (message.kind === "configure") {
    start(message.settings).then(
      () => tell({ kind: "ready" }),
      (error: unknown) => tell({ kind: "failed", message: messageOf(error) }),
    );
  }
});

async function endDatabase(pid: number | undefined): Promise<void> {
  if (pid !== undefined && (await commandLine(pid))?.includes("postgres")) process.kill(pid, "SIGINT");
}

function tell(message: FromRest): void {
  process.send?.(message);
}

async function start(settings: RestSettings): Promise<void> {
  const { config } = settings;
  dbPid = settings.dbPid;
  const api = createApiConnection(settings.dbPort, config.api.schemas);
  const app = new App({
    connection: api.connection,
    api: { schemas: config.api.schemas, max_rows: config.api.max_rows, pg_safe_update: true },
    auth: {
      enabled: true,
      jwt_secret: LOCAL_KEYS.jwtSecret,
      publishable_key: LOCAL_KEYS.publishableKey,
      secret_key: LOCAL_KEYS.secretKey,
      site_url: config.auth.site_url,
      additional_redirect_urls: config.auth.additional_redirect_urls,
      jwt_expiry: config.auth.jwt_expiry,
      enable_signup: config.auth.enable_signup,
      minimum_password_length: config.auth.minimum_password_length,
      email: { enable_confirmations: config.auth.email.enable_confirmations },
    },
    storage: { enabled: false },
    studio: { enabled: false },
  });
  await app.init();
  await api.reload();
  const sql = postgres(databaseUrl("postgres", settings.dbPort), { max: 2, onnotice: () => {} });
  const reloader = await reloadOnNotify(sql, api.reload);
  process.on("message", (message: ToRest) => {
    if (message.kind === "reload") reloader.now().then(() => tell({ kind: "reloaded", id: message.id }));
  });
  const handle = createHandler(app, sql, settings);
  await new Promise<void>((resolve, reject) => {
    const server = serve({ fetch: handle, port: settings.port, hostname: "127.0.0.1" }, () => resolve());
    server.once("error", reject);
  });
}

function createHandler(app: App, sql: postgres.Sql, settings: RestSettings): (request: Request) => Promise<Response> {
  const claims = new TokenEnricher(sql, `${settings.apiUrl}/auth/v1`, LOCAL_KEYS.jwtSecret);
  return async (incoming) => {
    const request = await translateLegacyKey(incoming);
    const { origin, pathname, search } = new URL(request.url);
    if (/^\/auth\/v1\/admin\/users(\/|$)/.test(pathname)) {
      return (await isServiceRole(request)) ? handleAdminUsers(request, sql) : notAdmin();
    }
    if (!pathname.startsWith("/rest/v1/")) return claims.response(await app.fetch(request), pathname);
    const query = withUrl(request, `${origin}${pathname}${withPlainFilterValues(search)}`);
    return withGrantHint(request, await inRequestScope(() => app.fetch(query)));
  };
}

/** The same request to another address. A copy of a request keeps the old one. */
function withUrl(request: Request, url: string): Request {
  const init = { method: request.method, headers: request.headers, body: request.body, duplex: "half" };
  return new Request(url, init as RequestInit);
}

const LEGACY_ROLES: Record<string, string> = {
  anon: LOCAL_KEYS.publishableKey,
  service_role: LOCAL_KEYS.secretKey,
};

/** Hosted still takes the legacy JWT keys in the apikey header; Lite only the new ones. */
async function translateLegacyKey(request: Request): Promise<Request> {
  const key = request.headers.get("apikey");
  if (!key?.startsWith("eyJ")) return request;
  const role = await roleOf(key);
  const replacement = role === undefined ? undefined : LEGACY_ROLES[role];
  if (!replacement) return request;
  const headers = new Headers(request.headers);
  headers.set("apikey", replacement);
  return new Request(request, { headers });
}

async function roleOf(token: string): Promise<string | undefined> {
  return jwtVerify(token, new TextEncoder().encode(LOCAL_KEYS.jwtSecret), { algorithms: ["HS256"] }).then(
    ({ payload }) => (typeof payload.role === "string" ? payload.role : undefined),
    () => undefined,
  );
}

async function isServiceRole(request: Request): Promise<boolean> {
  const bearer = request.headers.get("authorization")?.replace(/^Bearer\s+/i, "");
  if (request.headers.get("apikey") === LOCAL_KEYS.secretKey) return true;
  return bearer !== undefined && (bearer === LOCAL_KEYS.secretKey || (await roleOf(bearer)) === "service_role");
}

function notAdmin(): Response {
  return Response.json({ code: 403, error_code: "not_admin", msg: "User not allowed" }, { status: 403 });
}
