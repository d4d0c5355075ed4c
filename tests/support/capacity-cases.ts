import fc from "fast-check";
import type { Sql } from "postgres";
import type { WeekPattern } from "../../supabase/functions/_shared/planning/capacity/calendar.ts";
import { type Day, formatDay, parseDay } from "../../supabase/functions/_shared/planning/time/days.ts";

/** Calendars, people and demands by chance, and how they are stored. Days count from 1970, as in the planning core. */
export interface CapacityCase {
  from: Day;
  weeks: number;
  calendars: CalendarCase[];
  people: PersonCase[];
  lines: LineCase[];
}

export interface CalendarCase {
  hours: WeekPattern;
  holidays: { day: Day; share: number }[];
}

export interface SpanCase {
  start: Day;
  end: Day | null;
}

export interface PersonCase {
  calendar: number;
  fte: number;
  employed: SpanCase;
  timeOff: { start: Day; end: Day; share: number }[];
  allocations: (SpanCase & { percentage: number; firm: boolean; line: number | null })[];
}

export interface LineCase {
  dealStart: Day | null;
  dealDays: number | null;
  own: { start: Day | null; end: Day | null };
  count: number;
  percentage: number;
}

const day = (text: string) => parseDay(text) as Day;
/** Around here lie changes of the clock, two years of 53 weeks and a 29 February. */
const STARTS = ["2020-12-14", "2024-02-12", "2026-03-16", "2026-10-12", "2026-12-07", "2028-02-14", "2032-12-20"].map(
  day,
);
const quarters = fc.integer({ min: 1, max: 4 }).map((n) => n / 4);

const spanAround = (from: Day, longest: number): fc.Arbitrary<SpanCase> =>
  fc
    .record({
      start: fc.integer({ min: -40, max: 90 }).map((shift) => from + shift),
      days: fc.option(fc.integer({ min: 0, max: longest }), { freq: 4 }),
    })
    .map(({ start, days }) => ({ start, end: days === null ? null : start + days }));

const calendarAround = (from: Day): fc.Arbitrary<CalendarCase> =>
  fc.record({
    hours: fc
      .array(fc.constantFrom(0, 4, 6.25, 7.5, 8), { minLength: 7, maxLength: 7 })
      .map((hours) => hours as unknown as WeekPattern),
    holidays: fc.uniqueArray(
      fc.record({ day: fc.integer({ min: -10, max: 80 }).map((shift) => from + shift), share: quarters }),
      { maxLength: 8, selector: ({ day: on }) => on },
    ),
  });

/** One after the other, for time off of a person does not overlap. */
const timeOffFrom = (from: Day) =>
  fc
    .array(
      fc.record({ gap: fc.integer({ min: 1, max: 20 }), days: fc.integer({ min: 0, max: 12 }), share: quarters }),
      { maxLength: 5 },
    )
    .map((pauses) => {
      let next = from - 25;
      return pauses.map(({ gap, days, share }) => {
        const start = next + gap;
        next = start + days;
        return { start, end: next, share };
      });
    });

const personAround = (from: Day, lines: number): fc.Arbitrary<PersonCase> =>
  fc.record({
    calendar: fc.integer({ min: 0, max: 1 }),
    fte: fc.integer({ min: 1, max: 20 }).map((n) => n / 20),
    employed: spanAround(from, 200),
    timeOff: timeOffFrom(from),
    allocations: fc.array(
      fc
        .tuple(
          spanAround(from, 60),
          fc.record({
            percentage: fc.integer({ min: 1, max: 100 }),
            firm: fc.boolean(),
            line: fc.option(fc.nat({ max: lines - 1 })),
          }),
        )
        .map(([span, more]) => ({ ...span, ...more })),
      { maxLength: 5 },
    ),
  });

const lineAround = (from: Day): fc.Arbitrary<LineCase> =>
  fc.record({
    dealStart: fc.option(
      fc.integer({ min: -40, max: 60 }).map((shift) => from + shift),
      { freq: 5 },
    ),
    dealDays: fc.option(fc.integer({ min: 0, max: 90 })),
    own: fc
      .option(spanAround(from, 60), { freq: 1 })
      .chain((span) => fc.record({ start: fc.constant(span?.start ?? null), end: fc.constant(span?.end ?? null) })),
    count: fc.integer({ min: 1, max: 4 }),
    percentage: fc.integer({ min: 1, max: 100 }),
  });

export const capacityCases: fc.Arbitrary<CapacityCase> = fc
  .tuple(fc.constantFrom(...STARTS), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 4 }))
  .chain(([from, weeks, lines]) =>
    fc.record({
      from: fc.constant(from),
      weeks: fc.constant(weeks),
      calendars: fc.array(calendarAround(from), { minLength: 2, maxLength: 2 }),
      people: fc.array(personAround(from, lines), { minLength: 1, maxLength: 4 }),
      lines: fc.array(lineAround(from), { minLength: lines, maxLength: lines }),
    }),
  );

export interface Stored {
  /** Ids in the order of the case. */
  people: string[];
  lines: string[];
}

const dateOf = (value: Day | null) => (value === null ? null : formatDay(value));

/** In place of what the workspace had before. The first calendar is its default one. */
export async function store(sql: Sql, workspaceId: string, one: CapacityCase): Promise<Stored> {
  await clear(sql, workspaceId);
  const calendars = await storeCalendars(sql, workspaceId, one.calendars);
  const lines: string[] = [];
  for (const line of one.lines) lines.push(await storeLine(sql, workspaceId, line));
  const people: string[] = [];
  for (const person of one.people)
    people.push(await storePerson(sql, workspaceId, person, calendars[person.calendar] ?? null, lines));
  return { people, lines };
}

async function clear(sql: Sql, workspaceId: string): Promise<void> {
  await sql`delete from public.employees where workspace_id = ${workspaceId}`;
  await sql`delete from public.pipeline_projects where workspace_id = ${workspaceId}`;
  await sql`delete from public.calendar_holidays where workspace_id = ${workspaceId}`;
  await sql`delete from public.working_calendars c where workspace_id = ${workspaceId}
    and not exists (select from public.planning_settings s where s.default_calendar_id = c.id)`;
}

async function storeCalendars(sql: Sql, workspaceId: string, [first, second]: CalendarCase[]) {
  if (first === undefined || second === undefined) throw new Error("A case has two calendars.");
  const [own] = await sql<{ id: string }[]>`
    update public.working_calendars set hours = ${[...first.hours]} where workspace_id = ${workspaceId} returning id`;
  const [other] = await sql<{ id: string }[]>`
    insert into public.working_calendars (workspace_id, name, hours) values (${workspaceId}, 'Other', ${[...second.hours]}) returning id`;
  const ids = [own?.id ?? "", other?.id ?? ""];
  const holidays = [first, second].flatMap((calendar, index) =>
    calendar.holidays.map(({ day: on, share }) => ({
      workspace_id: workspaceId,
      calendar_id: ids[index] ?? "",
      day: formatDay(on),
      share,
    })),
  );
  if (holidays.length > 0) await sql`insert into public.calendar_holidays ${sql(holidays)}`;
  // Whoever follows the default calendar may say so or not.
  return [null, ids[1] ?? null];
}

async function storeLine(sql: Sql, workspaceId: string, line: LineCase): Promise<string> {
  const [deal] = await sql<{ id: string }[]>`
    insert into public.pipeline_projects (workspace_id, name, stage_key, estimated_start_date, estimated_duration)
    values (${workspaceId}, 'Case', 'won', ${dateOf(line.dealStart)}, ${line.dealDays}) returning id`;
  const [stored] = await sql<{ id: string }[]>`
    insert into public.pipeline_resource_demands
      (workspace_id, pipeline_project_id, skill_category, required_count, allocation_percentage, start_date, end_date)
    values (${workspaceId}, ${deal?.id ?? ""}, 'work', ${line.count}, ${line.percentage}, ${dateOf(line.own.start)},
      ${dateOf(line.own.end)}) returning id`;
  return stored?.id ?? "";
}

async function storePerson(
  sql: Sql,
  workspaceId: string,
  person: PersonCase,
  calendar: string | null,
  lines: string[],
): Promise<string> {
  const [stored] = await sql<{ id: string }[]>`
    insert into public.employees (workspace_id, name, fte, working_calendar_id, employed_from, employed_to)
    values (${workspaceId}, 'Case', ${person.fte}, ${calendar}, ${formatDay(person.employed.start)},
      ${dateOf(person.employed.end)}) returning id`;
  const id = stored?.id ?? "";
  const off = person.timeOff.map(({ start, end, share }) => ({
    workspace_id: workspaceId,
    employee_id: id,
    start_date: formatDay(start),
    end_date: formatDay(end),
    share,
  }));
  if (off.length > 0) await sql`insert into public.employee_time_off ${sql(off)}`;
  const promised = person.allocations.map(({ start, end, percentage, firm, line }) => ({
    workspace_id: workspaceId,
    employee_id: id,
    start_date: formatDay(start),
    end_date: dateOf(end),
    percentage,
    status: firm ? "firm" : "tentative",
    demand_id: line === null ? null : (lines[line] ?? null),
  }));
  if (promised.length > 0) await sql`insert into public.employee_allocations ${sql(promised)}`;
  return id;
}
