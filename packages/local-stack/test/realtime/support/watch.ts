import type { RealtimeChannel, RealtimePostgresChangesPayload, SupabaseClient } from "@supabase/supabase-js";
import { connect, Inbox, type SystemMessage, subscribeToChanges, userToken } from "./clients.ts";
import type { RealtimeFixture } from "./fixture.ts";

export type Row = Record<string, unknown>;
export type Change = RealtimePostgresChangesPayload<Row>;

export interface ChangeParams {
  event?: string;
  schema?: string;
  table?: string;
  filter?: string;
  select?: string[];
}

export interface Watch {
  client: SupabaseClient;
  channel: RealtimeChannel;
  changes: Inbox<Change>;
  system: Inbox<SystemMessage>;
}

/** Adds a listener; the typed overloads of supabase-js ask for literal events. */
export function listen(channel: RealtimeChannel, params: ChangeParams): Inbox<Change> {
  const changes = new Inbox<Change>();
  const on = channel.on.bind(channel) as (type: string, filter: object, callback: (change: Change) => void) => unknown;
  on("postgres_changes", { event: "*", schema: "public", ...params }, changes.put);
  return changes;
}

/** A user (or nobody, or the holder of another key) who watches one table. */
export async function watch(
  fixture: RealtimeFixture,
  user: string | null,
  params: ChangeParams,
  key?: string,
): Promise<Watch> {
  const client = await connect(fixture, user ? await userToken(fixture, user) : undefined, key);
  const channel = client.channel("changes");
  const changes = listen(channel, params);
  const system = await subscribeToChanges(channel);
  return { client, channel, changes, system };
}

export function newRows(changes: readonly Change[]): Row[] {
  return changes.map((change) => change.new as Row);
}
