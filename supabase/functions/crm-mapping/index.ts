import { sessions } from "../_shared/connect/session.ts";
import type { ProviderId } from "../_shared/crm/contract.ts";
import { createProvider } from "../_shared/crm/registry.ts";
import { serve } from "../_shared/http/serve.ts";
import { mapperRoutes } from "../_shared/mapper/routes.ts";

/** Helps to map fields: available-fields, auto-map, preview, check-transform. Mappings themselves are read and written as a table. */
serve("crm-mapping", ({ db, env, fetch, now }) => {
  const provider = (id: ProviderId) => createProvider(id, { fetch, env, now });
  return mapperRoutes({ db, withSession: sessions(db, provider, now) });
});
