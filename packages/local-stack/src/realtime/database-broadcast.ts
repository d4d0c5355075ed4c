import type { Pgoutput } from "pg-logical-replication";
import type { Sql } from "postgres";
import type { Broadcast } from "./frames.ts";
import type { TopicRegistry } from "./topics.ts";
import type { Tuple } from "./wal.ts";

export const MESSAGES_PUBLICATION = "supabase_realtime_messages_publication";

/** As the hosted server does on connecting: publishes `realtime.messages`, if there is one, and forgets old rows. */
export async function prepareMessages(sql: Sql): Promise<void> {
  const [table] = await sql<{ published: boolean }[]>`
    select exists (select from pg_publication where pubname = ${MESSAGES_PUBLICATION}) as published
     where to_regclass('realtime.messages') is not null`;
  if (table === undefined) return;
  if (!table.published) await sql`create publication ${sql(MESSAGES_PUBLICATION)} for table realtime.messages`;
  await sql`delete from realtime.messages where inserted_at < now() - interval '72 hours'`;
}

/** `realtime.messages` and its partitions: rows inserted there, by `realtime.send` or otherwise, are broadcasts. */
export function isMessagesTable(relation: Pgoutput.MessageRelation): boolean {
  return relation.schema === "realtime" && /^messages(_|$)/.test(relation.name);
}

/** Returns why the row cannot be sent, or null when it was. */
export function broadcastRow(topics: TopicRegistry, row: Tuple): string | null {
  const { topic, event, id } = row;
  const body = bodyOf(row);
  if (!topic || !event || !body) return "A row of realtime.messages needs topic, event and payload to be broadcast";
  const broadcast: Broadcast = { kind: "raw", event, ...body, ...(id ? { meta: { id } } : {}) };
  topics.broadcast({ name: topic, isPrivate: row.private === "t" }, broadcast);
  return null;
}

function bodyOf(row: Tuple): { encoding: "json" | "binary"; body: Buffer } | null {
  if (row.binary_payload) return { encoding: "binary", body: Buffer.from(row.binary_payload.slice(2), "hex") };
  return row.payload ? { encoding: "json", body: Buffer.from(row.payload, "utf8") } : null;
}
