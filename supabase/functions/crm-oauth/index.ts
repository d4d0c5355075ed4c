import { connectRoutes } from "../_shared/connect/routes.ts";
import { sessions } from "../_shared/connect/session.ts";
import { connectSettings } from "../_shared/connect/settings.ts";
import type { ProviderId } from "../_shared/crm/contract.ts";
import { createProvider } from "../_shared/crm/registry.ts";
import { serve } from "../_shared/http/serve.ts";

/** Connects a workspace to a CRM: start, callback, test-connection, disconnect. */
serve("crm-oauth", ({ db, env, fetch, now, random }) => {
  const provider = (id: ProviderId) => createProvider(id, { fetch, env, now });
  return connectRoutes({
    db,
    settings: () => connectSettings(env),
    provider,
    withSession: sessions(db, provider, now),
    random,
  });
});
