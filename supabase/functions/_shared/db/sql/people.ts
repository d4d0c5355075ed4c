import { z } from "zod";
import type { Db } from "../types.ts";
import { calendar, deal, demand } from "./forecast.ts";
import { json, parseOne } from "./rows.ts";

const person = z.object({
  id: z.string(),
  name: z.string(),
  /** Of a full week of the default calendar. */
  contract: z.number().nullable(),
  /** Hours there, and of these free, by week; the others are weeks in which they are not employed. */
  weeks: z
    .array(z.tuple([z.number(), z.number(), z.number()]))
    .transform((weeks) => new Map(weeks.map(([week, capacity, free]) => [week, { capacity, free }]))),
  skills: z.array(
    z.object({
      skill: z.string(),
      category: z.string(),
      level: z.string().nullable(),
      years: z.number().nullable(),
    }),
  ),
});

const staffing = z.object({
  read_at: z.string(),
  today: z.string(),
  /** A Monday. */
  from: z.string(),
  weeks: z.number(),
  deals: z.array(deal),
  demands: z.array(demand),
  calendar,
  people: z.array(person),
});

export type Staffing = z.infer<typeof staffing>;
export type StaffingPerson = z.infer<typeof person>;

/** A job reads as nobody (null). */
export async function readStaffing(
  db: Db,
  workspace: string,
  actor: string | null,
  deals: readonly string[],
): Promise<Staffing> {
  const rows = await db.query("select private.staffing($1::uuid, $2::uuid, $3::text::uuid[]) as staffing", [
    workspace,
    actor,
    `{${deals.join(",")}}`,
  ]);
  return parseOne(z.object({ staffing }), rows, "staffing").staffing;
}

export interface KeptAvailability {
  pipeline_project_id: string;
  score: number | null;
  reasons: string[];
  lines: object[];
  proven: boolean;
  start_date: string | null;
  duration: number | null;
}

/** What has changed since `readAt` stays to be worked out again. */
export async function keepAvailability(
  db: Db,
  workspace: string,
  rows: readonly KeptAvailability[],
  readAt: string,
): Promise<void> {
  await db.query("select private.keep_availability($1::uuid, $2::text::jsonb, $3::text::timestamptz)", [
    workspace,
    json(rows),
    readAt,
  ]);
}

/** Deals whose score is old, the oldest first. */
export async function staleAvailability(db: Db, workspace: string, most: number): Promise<string[]> {
  const rows = await db.query("select private.stale_availability($1::uuid, $2::integer) as ids", [workspace, most]);
  return parseOne(z.object({ ids: z.array(z.string()) }), rows, "stale_availability").ids;
}

/** null: there is no such demand. */
export async function demandPlace(db: Db, demandId: string): Promise<{ workspace_id: string; deal_id: string } | null> {
  const [row] = await db.query<{ workspace_id: string; deal_id: string }>(
    "select workspace_id, pipeline_project_id as deal_id from public.pipeline_resource_demands where id = $1::uuid",
    [demandId],
  );
  return row ?? null;
}

const placeHours = z.object({ employee_id: z.string(), asked: z.number(), free: z.number() });

/** The hours that one place of a demand asks for from day to day (YYYY-MM-DD), and those of them that each person has free. */
export async function readPlaceHours(
  db: Db,
  demandId: string,
  { first, last, people }: { first: string; last: string; people: readonly string[] },
): Promise<Map<string, { asked: number; free: number }>> {
  const rows = await db.query(
    `select h.* from public.pipeline_resource_demands d
     cross join lateral private.place_hours(d, $2::text::date, $3::text::date, $4::text::uuid[]) h
     where d.id = $1::uuid`,
    [demandId, first, last, `{${people.join(",")}}`],
  );
  return new Map(rows.map((row) => placeHours.parse(row)).map(({ employee_id, ...hours }) => [employee_id, hours]));
}
