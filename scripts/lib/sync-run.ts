import type { Json } from "@pipeline-crm/shared-types";
import type { Client } from "./people.ts";

export type EntityType = "accounts" | "contacts" | "opportunities";

export interface Progress {
  entity: EntityType | null;
  entities: Partial<Record<EntityType, { done: number; total: number | null }>>;
  rate_per_second?: number;
}

export interface Operation {
  id: string;
  status: string;
  progress: Progress;
  filters?: Json;
  error_message: string | null;
  started_at: string | null;
  completed_at: string | null;
}

const ENDED = new Set(["completed", "partial", "failed", "cancelled", "paused"]);

/** Subscribes before it starts, so that no progress is missed; resolves with a function that unsubscribes. */
async function subscribe(
  client: Client,
  configId: string,
  onRow: (row: Operation) => void,
): Promise<() => Promise<void>> {
  // Without this the join may leave before the session's token is known, and go out as anon.
  await client.realtime.setAuth();
  const channel = client.channel(`sync-${configId}`);
  await new Promise<void>((resolve, reject) => {
    channel
      .on(
        "postgres_changes",
        { event: "*", schema: "public", table: "crm_sync_operations", filter: `config_id=eq.${configId}` },
        (change) => onRow(change.new as Operation),
      )
      .on("system", {}, (message: { extension: string; status: string; message: string }) => {
        if (message.extension !== "postgres_changes") return;
        if (message.status === "ok") resolve();
        else reject(new Error(`Realtime refused the subscription: ${message.message}`));
      })
      .subscribe((status, cause) => {
        if (status === "CHANNEL_ERROR" || status === "TIMED_OUT")
          reject(new Error(`Realtime could not be reached (${status}).`, { cause }));
      });
  });
  return async () => {
    await client.removeChannel(channel);
  };
}

/** Rejects when nothing was heard for `idleMs`; every call of `heard` starts the count again. */
function idleGuard(idleMs: number) {
  let timer: NodeJS.Timeout | undefined;
  let fail: (error: Error) => void = () => {};
  const silent = new Promise<never>((_, reject) => {
    fail = reject;
  });
  silent.catch(() => {});
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(
      () =>
        fail(
          new Error(
            `The sync said nothing for ${idleMs / 1000} seconds. Look at the log of crm-sync: npm run stack -- logs crm-sync`,
          ),
        ),
      idleMs,
    );
  };
  return { heard, silent, stop: () => clearTimeout(timer) };
}

/** Left out, direction and entities are the connection's. */
export interface SyncRequest {
  direction?: "bidirectional" | "to_crm" | "from_crm";
  entities?: EntityType[];
  filters?: Json;
}

/** Starts one sync through the RPC and follows it over Realtime to its end. */
export function runSync(
  client: Client,
  configId: string,
  onProgress: (operation: Operation) => void,
  request: SyncRequest = {},
): Promise<Operation> {
  return followRun(client, configId, onProgress, () =>
    client.rpc("crm_start_sync", { config_id: configId, ...request }),
  );
}

/** Follows over Realtime what `start` begins. A run that has ended by then is what it answered. */
export async function followRun(
  client: Client,
  configId: string,
  onProgress: (operation: Operation) => void,
  start: () => PromiseLike<{ data: unknown; error: { message: string } | null }>,
): Promise<Operation> {
  const seen = new Map<string, Operation>();
  let wanted: string | null = null;
  let settle: (operation: Operation) => void = () => {};
  const ended = new Promise<Operation>((resolve) => {
    settle = resolve;
  });
  const guard = idleGuard(120_000);
  const receive = (row: Operation) => {
    guard.heard();
    seen.set(row.id, row);
    if (row.id !== wanted) return;
    onProgress(row);
    if (ENDED.has(row.status)) settle(row);
  };
  const unsubscribe = await subscribe(client, configId, receive);
  try {
    const { data, error } = await start();
    if (error) throw new Error(error.message, { cause: error });
    const started = data as Operation;
    wanted = started.id;
    guard.heard();
    const early = ENDED.has(started.status) ? started : seen.get(wanted);
    if (early) receive(early);
    return await Promise.race([ended, guard.silent]);
  } finally {
    guard.stop();
    await unsubscribe();
  }
}
