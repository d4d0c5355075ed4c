import type { Sql } from "postgres";
import { z } from "zod";
import type { RawBroadcast } from "./frames.ts";

/** Private channels may ask for the latest stored broadcasts of their topic. */
const MAX_MESSAGES = 25;

const replayRequest = z.object({
  since: z.number().int().nonnegative(),
  limit: z.number().int().default(MAX_MESSAGES),
});

/** The message is what the hosted server answers after "UnableToReplayMessages: ". */
export class ReplayError extends Error {}

/** Oldest first, each marked as replayed. */
export async function storedBroadcasts(
  sql: Sql,
  topic: string,
  isPrivate: boolean,
  request: unknown,
): Promise<RawBroadcast[]> {
  if (request === undefined || request === null) return [];
  if (!isPrivate) throw new ReplayError("Replay is not allowed for public channels");
  const parsed = replayRequest.safeParse(request);
  if (!parsed.success) throw new ReplayError("Replay params are not valid");
  const { since, limit } = parsed.data;
  const rows = await sql<{ id: string; event: string; payload: string | null; binary: Buffer | null }[]>`
    select id::text, event, payload::text, binary_payload as "binary" from realtime.messages
     where topic = ${topic} and private and extension = 'broadcast' and event is not null
       and inserted_at >= to_timestamp(${since}::float8 / 1000) at time zone 'utc'
     order by inserted_at desc limit ${Math.max(1, Math.min(limit, MAX_MESSAGES))}`;
  return rows.reverse().map(({ id, event, payload, binary }) => ({
    kind: "raw",
    event,
    encoding: binary ? "binary" : "json",
    body: binary ?? Buffer.from(payload ?? "{}"),
    meta: { replayed: true, id },
  }));
}
