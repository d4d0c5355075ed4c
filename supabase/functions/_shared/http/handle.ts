import type { z } from "zod";
import type { CallerTrace } from "../db/types.ts";
import type { Logger } from "../log/logger.ts";
import { sameSecret, type User } from "./auth.ts";
import { readInput } from "./body.ts";
import { CORS_HEADERS, preflight } from "./cors.ts";
import { toProblem } from "./errors.ts";
import { problem, problemResponse } from "./problem.ts";

/**
 * Who may call: a signed-in user, anybody (the browser coming back from a CRM), the database's dispatcher, or a monitor, which
 * is told more when it knows the secret.
 */
interface Callers {
  user: User;
  none: null;
  dispatch: null;
  monitor: { trusted: boolean };
}
export type Auth = keyof Callers;

export interface Context<Input, Caller> {
  input: Input;
  user: Caller;
  caller: CallerTrace;
  requestId: string;
  log: Logger;
}

/** JSON, or a whole response (a redirect). */
export type Reply = { status?: number; body: unknown } | Response;

interface RouteOf<A extends Auth, Input> {
  method: "GET" | "POST";
  path: string;
  auth: A;
  schema: z.ZodType<Input>;
  /** Bytes of the body at most; as much as any other route takes, when left out. */
  bodyLimit?: number;
  run: (context: Context<Input, Callers[A]>) => Promise<Reply>;
}

/** A route with its types closed over, so that routes of every kind fit in one table. */
export interface Route {
  method: "GET" | "POST";
  /** One that ends in /* takes one more segment, which is a secret: it is in no log and no answer. */
  path: string;
  answer: (request: Request, services: Services, requestId: string, log: Logger) => Promise<Reply>;
}

export interface Services {
  authenticate: (request: Request) => Promise<User>;
  dispatchSecret: () => Promise<string>;
  healthSecret: () => Promise<string>;
  newRequestId: () => string;
  log: Logger;
}

export function route<A extends Auth, Input>({ method, path, auth, schema, bodyLimit, run }: RouteOf<A, Input>): Route {
  return {
    method,
    path,
    answer: async (request, services, requestId, log) => {
      const user = (await CHECKS[auth](request, services)) as Callers[A];
      const input = await readInput(request, schema, bodyLimit);
      const known = user !== null && "id" in user ? log.with({ user_id: user.id }) : log;
      return run({ input, user, caller: traceOf(request), requestId, log: known });
    },
  };
}

const CHECKS: { [A in Auth]: (request: Request, services: Services) => Promise<Callers[A]> } = {
  user: (request, services) => services.authenticate(request),
  none: async () => null,
  dispatch: async (request, services) => {
    const given = request.headers.get("x-dispatch-secret") ?? "";
    if (given !== "" && sameSecret(given, await services.dispatchSecret())) return null;
    throw problem(401, "not_the_dispatcher", "Only the database may start this.");
  },
  monitor: async (request, services) => {
    const given = request.headers.get("x-health-secret") ?? "";
    if (given === "") return { trusted: false };
    if (sameSecret(given, await services.healthSecret())) return { trusted: true };
    throw problem(401, "not_the_monitor", "The health secret is wrong. Leave it out to learn ok or not ok only.");
  },
};

function traceOf({ headers }: Request): CallerTrace {
  return { ip: headers.get("x-forwarded-for"), userAgent: headers.get("user-agent") };
}

/** The one way into a function: find the route, know the caller, check the input, run, and answer every failure. */
export function handle(
  name: string,
  routes: readonly Route[],
  services: Services,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const requestId = services.newRequestId();
    const path = known(routes, pathWithin(name, request.url));
    const log = services.log.with({ request_id: requestId, method: request.method, path });
    try {
      const found = find(routes, request.method, path);
      if (found instanceof Response) return found;
      return toResponse(await found.answer(request, services, requestId, log), requestId);
    } catch (error) {
      return refuse(error, requestId, log);
    }
  };
}

/** The platform passes /<function>/…, a local gateway may leave /functions/v1 in front. */
function pathWithin(name: string, url: string): string {
  const path = new URL(url).pathname.replace(/^\/functions\/v1(?=\/)/, "");
  const inner = path.startsWith(`/${name}`) ? path.slice(name.length + 1) : path;
  return inner.replace(/\/+$/, "") || "/";
}

/** The path as the routes name it. */
function known(routes: readonly Route[], path: string): string {
  const open = path.replace(/[^/]+$/, "*");
  return routes.some((candidate) => candidate.path === open) ? open : path;
}

function find(routes: readonly Route[], method: string, path: string): Route | Response {
  const here = routes.filter((candidate) => candidate.path === path);
  const methods = [...new Set(here.map((candidate) => candidate.method))];
  if (here.length === 0) throw problem(404, "no_such_route", `There is nothing at ${path}.`);
  if (method === "OPTIONS") return preflight(methods);
  const found = here.find((candidate) => candidate.method === method);
  if (found === undefined) throw problem(405, "method_not_allowed", `${path} takes ${methods.join(" or ")}.`);
  return found;
}

function toResponse(reply: Reply, requestId: string): Response {
  const headers = { ...CORS_HEADERS, "x-request-id": requestId, "cache-control": "no-store" };
  if (!(reply instanceof Response)) return Response.json(reply.body, { status: reply.status ?? 200, headers });
  for (const [name, value] of Object.entries(headers)) reply.headers.set(name, value);
  return reply;
}

/** What was foreseen is explained; anything else stays in the log, under the id that the caller gets. */
function refuse(error: unknown, requestId: string, log: Logger): Response {
  const known = toProblem(error);
  const headers = { ...CORS_HEADERS, "x-request-id": requestId, "cache-control": "no-store" };
  if (known !== null) {
    const write = known.status >= 500 ? log.error : log.info;
    write("refused", { status: known.status, problem: known.code, detail: known.detail, cause: causeOf(error) });
    return problemResponse(known, requestId, headers);
  }
  log.error("failed", { error });
  const detail = `Something went wrong on our side. Tell the operator the request id ${requestId}.`;
  return problemResponse(problem(500, "internal_error", detail).problem, requestId, headers);
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
