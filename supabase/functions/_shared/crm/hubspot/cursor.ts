import { z } from "zod";
import type { DeletionsRead, HighWater, PageCursor } from "../contract.ts";

/**
 * The four ways of reading, each a phase of the cursor:
 * list (everything that is live, for the first pull), then for what changed: search by time, ties where one millisecond
 * holds more than a page, archived for the deletions.
 */
const shared = { total: z.number().nullable(), seenAt: z.string().nullable(), seenId: z.string().nullable() };

const cursorSchema = z.discriminatedUnion("phase", [
  z.object({ phase: z.literal("list"), after: z.string().nullable(), startedAt: z.string(), ...shared }),
  z.object({ phase: z.literal("search"), from: z.number(), seenIds: z.string(), ...shared }),
  z.object({ phase: z.literal("ties"), at: z.number(), afterId: z.string(), seenIds: z.string(), ...shared }),
  z.object({
    phase: z.literal("archived"),
    after: z.string().nullable(),
    from: z.number(),
    startedAt: z.string(),
    calls: z.number(),
    ...shared,
  }),
]);

export type Cursor = z.infer<typeof cursorSchema>;
export type CursorOf<Phase extends Cursor["phase"]> = Extract<Cursor, { phase: Phase }>;

/** A write is searchable some seconds later, seldom minutes. */
export const OVERLAP_MS = 5 * 60_000;

export function parseCursor(cursor: PageCursor): Cursor {
  return cursorSchema.parse(cursor);
}

/** A list cannot be narrowed, so a first read with a filter searches from the beginning of time. */
export function startOf(since: HighWater | null, now: Date, searches: boolean): Cursor {
  const nothing = { total: null, seenAt: null, seenId: null };
  if (since === null && searches) return { phase: "search", from: 0, seenIds: "", ...nothing };
  if (since === null) return { phase: "list", after: null, startedAt: now.toISOString(), ...nothing };
  return { phase: "search", from: Date.parse(since.modifiedAt) - OVERLAP_MS, seenIds: "", ...nothing };
}

/** So many calls are spent on the archive with every run: it cannot be asked for what is new in it. */
const FREE_CALLS = 5;
const CALL_EVERY_MS = 60_000;
const DAY_MS = 24 * 3_600_000;

/** A longer archive is read at a call a minute on the average, and once a day at least. Webhooks tell of deletions at once. */
export function archiveIsDue({ deletions }: HighWater, now: Date): boolean {
  if (deletions === undefined || deletions.calls <= FREE_CALLS) return true;
  const age = now.getTime() - Date.parse(deletions.readAt);
  return age < 0 || age >= Math.min(deletions.calls * CALL_EVERY_MS, DAY_MS);
}

/** From the place that reading has reached: what was archived before it was in the archive by then. */
export function archiveOf(
  cursor: CursorOf<"list" | "search">,
  since: HighWater | null,
  now: Date,
): CursorOf<"archived"> {
  const reached = highWaterOf(cursor, null);
  const known = since === null ? null : (since.deletions?.upTo ?? since.modifiedAt);
  return {
    phase: "archived",
    after: null,
    from: known === null ? 0 : Date.parse(known) - OVERLAP_MS,
    startedAt: now.toISOString(),
    calls: 0,
    total: cursor.total,
    seenAt: reached?.modifiedAt ?? null,
    seenId: reached?.id ?? null,
  };
}

/** What is kept of the archive for the next run, at the place where this one stands. */
function deletionsOf(cursor: Cursor, reached: HighWater, since: HighWater | null): DeletionsRead | undefined {
  if (cursor.phase !== "archived") return since?.deletions;
  return { readAt: cursor.startedAt, calls: cursor.calls, upTo: reached.modifiedAt };
}

/** Keeps the latest (time, id) of all pages so far. */
export function withSeen<C extends Cursor>(cursor: C, records: readonly { id: string; modifiedAt: string }[]): C {
  let latest = { seenAt: cursor.seenAt, seenId: cursor.seenId };
  for (const { id, modifiedAt } of records) {
    const later = latest.seenAt === null || Date.parse(modifiedAt) >= Date.parse(latest.seenAt);
    if (later) latest = { seenAt: modifiedAt, seenId: id };
  }
  return { ...cursor, ...latest };
}

/**
 * The list is in order of ids: a record may change after its page was read, while a later page brings a later time.
 * So the first pull vouches only for the time before it began.
 */
export function highWaterOf(cursor: Cursor, since: HighWater | null): HighWater | null {
  const reached = placeOf(cursor, since);
  if (reached === null) return null;
  const { modifiedAt, id } = reached;
  const deletions = deletionsOf(cursor, reached, since);
  return { modifiedAt, id, ...(deletions === undefined ? {} : { deletions }) };
}

function placeOf(cursor: Cursor, since: HighWater | null): HighWater | null {
  const { seenAt, seenId } = cursor;
  if (seenAt === null || seenId === null) return since;
  if (cursor.phase === "list" && Date.parse(seenAt) > Date.parse(cursor.startedAt)) {
    return { modifiedAt: cursor.startedAt, id: "" };
  }
  return { modifiedAt: seenAt, id: seenId };
}
