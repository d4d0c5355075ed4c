import { z } from "zod";
import type { CrmProvider, ProviderId } from "../_shared/crm/contract.ts";
import { createProvider } from "../_shared/crm/registry.ts";
import { syncStore } from "../_shared/db/syncStore.ts";
import { route } from "../_shared/http/handle.ts";
import { serve } from "../_shared/http/serve.ts";
import { sliceLimits } from "../_shared/sync/limits.ts";
import { runSlice, type SliceDeps } from "../_shared/sync/slice.ts";

const input = z.object({ operation_id: z.uuid().nullish() });

/**
 * Runs one slice of a sync. The database starts it and does not wait: the answer leaves at once, and what happened is
 * in crm_sync_operations. A slice that dies is taken over once its lease is out.
 */
serve("crm-sync", ({ db, env, fetch, now, background }) => {
  const limits = sliceLimits(env);
  const providers = new Map<ProviderId, CrmProvider>();
  const provider = (id: ProviderId) => {
    const made = providers.get(id) ?? createProvider(id, { fetch, env, now });
    providers.set(id, made);
    return made;
  };
  const deps: Omit<SliceDeps, "log"> = {
    store: syncStore(db),
    provider,
    now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    random: Math.random,
    every: (ms, run) => {
      const timer = setInterval(run, ms);
      return () => clearInterval(timer);
    },
    limits,
  };
  return [
    route({
      method: "POST",
      path: "/",
      auth: "dispatch",
      schema: input,
      run: async (context) => {
        const operation = context.input.operation_id ?? null;
        const slice = runSlice({ ...deps, log: context.log }, { operation, holder: context.requestId });
        background(slice.catch((error: unknown) => context.log.error("slice broke off", { error: String(error) })));
        return { status: 202, body: { accepted: true, operation_id: operation } };
      },
    }),
  ];
});
