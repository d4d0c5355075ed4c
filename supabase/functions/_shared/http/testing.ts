import { createLogger } from "../log/logger.ts";
import type { User } from "./auth.ts";
import { handle, type Route } from "./handle.ts";

/** A function as its callers see it, signed in as whom the test names, with what it wrote to the log. */
export function callers(name: string, routes: readonly Route[], first: User) {
  const lines: string[] = [];
  let user = first;
  const answer = handle(name, routes, {
    authenticate: async () => user,
    dispatchSecret: async () => "",
    healthSecret: async () => "",
    newRequestId: () => "req-1",
    log: createLogger({ write: (line) => lines.push(line), now: () => new Date(0) }),
  });
  const send = (path: string, init: RequestInit = {}) => answer(new Request(`http://x/${name}${path}`, init));
  return {
    lines,
    as: (someone: User) => {
      user = someone;
    },
    get: (path: string) => send(path),
    post: async (path: string, body: unknown) => {
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const response = await send(path, { method: "POST", body: text });
      const { status, headers } = response;
      return { status, headers, body: (await response.json()) as Record<string, unknown> };
    },
  };
}
