import { z } from "zod";
import { systemHealth } from "../_shared/db/sql/health.ts";
import { route } from "../_shared/http/handle.ts";
import { serve } from "../_shared/http/serve.ts";

/** For monitors: 200 while everything runs, 503 else. The numbers are for those who know the health secret. */
serve("health", ({ db }) => [
  route({
    method: "GET",
    path: "/",
    auth: "monitor",
    schema: z.object({}),
    run: async ({ user, log }) => {
      const { ok, ...numbers } = await systemHealth(db);
      if (!ok) log.warn("not healthy", numbers);
      return { status: ok ? 200 : 503, body: user.trusted ? { ok, ...numbers } : { ok } };
    },
  }),
]);
