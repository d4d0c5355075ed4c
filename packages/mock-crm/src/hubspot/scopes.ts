import type { MiddlewareHandler } from "hono";
import { HubSpotError } from "./errors.ts";
import type { HubSpotEnv, Portal } from "./portal.ts";

const OBJECT_PATH = /^\/crm\/(?:v3\/objects|objects\/2026-03|v4\/objects|v4\/associations)\/([^/]+)(\/.*)?$/;

/** Refuses what the consent does not cover: reading and writing of each object are permissions of their own. */
export function scopes(portal: Portal): MiddlewareHandler<HubSpotEnv> {
  return async (context, next) => {
    const [, object, rest = ""] = OBJECT_PATH.exec(context.req.path) ?? [];
    if (object !== undefined) {
      const { name } = portal.store.collection(object).type;
      const reading = context.req.method === "GET" || /\/(search|batch\/read)$/.test(rest);
      const scope = `crm.objects.${name}.${reading ? "read" : "write"}`;
      const withheld = !reading && portal.knobs.readOnly.includes(name);
      if (withheld || !context.get("token").scopes.includes(scope)) throw missingScope(scope);
    }
    await next();
  };
}

function missingScope(scope: string): HubSpotError {
  const message = "This app hasn't been granted all required scopes to make this call.";
  const detail = "One or more of the following scopes are required.";
  return new HubSpotError(403, "MISSING_SCOPES", message, {
    errors: [{ message: detail, context: { requiredGranularScopes: [scope] } }],
  });
}
