import { type Route, route } from "../http/handle.ts";
import type { ConnectDeps } from "./deps.ts";
import { disconnect } from "./disconnect.ts";
import { finish } from "./finish.ts";
import { testConnection } from "./inspect.ts";
import { redirect } from "./redirect.ts";
import { callbackInput, configInput, redirectInput, startInput } from "./schemas.ts";
import { start } from "./start.ts";

export function connectRoutes(deps: ConnectDeps): Route[] {
  return [
    route({
      method: "POST",
      path: "/start",
      auth: "user",
      schema: startInput,
      run: async ({ input, user }) => ({ body: await start(deps, user, input) }),
    }),
    route({
      method: "GET",
      path: "/callback",
      auth: "none",
      schema: redirectInput,
      run: ({ input }) => redirect(deps, input),
    }),
    route({
      method: "POST",
      path: "/callback",
      auth: "user",
      schema: callbackInput,
      run: async ({ input, user, caller }) => ({ status: 201, body: await finish(deps, user, caller, input) }),
    }),
    route({
      method: "POST",
      path: "/test-connection",
      auth: "user",
      schema: configInput,
      run: async ({ input, user }) => ({ body: await testConnection(deps, user, input) }),
    }),
    route({
      method: "POST",
      path: "/disconnect",
      auth: "user",
      schema: configInput,
      run: async ({ input, user, caller, log }) => ({ body: await disconnect(deps, { user, caller, log }, input) }),
    }),
  ];
}
