import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WeekPattern } from "../../supabase/functions/_shared/planning/capacity/calendar.ts";
import { demandHours } from "../../supabase/functions/_shared/planning/capacity/demand.ts";
import { type SupplyHours, supplyHours } from "../../supabase/functions/_shared/planning/capacity/supply.ts";
import { formatDay } from "../../supabase/functions/_shared/planning/time/days.ts";
import { type Periods, periodsFrom } from "../../supabase/functions/_shared/planning/time/periods.ts";
import {
  type CalendarCase,
  type CapacityCase,
  capacityCases,
  type LineCase,
  type PersonCase,
  type Stored,
  store,
} from "../support/capacity-cases.ts";
import { openSql } from "../support/world.ts";

const SEED = Number(process.env.CAPACITY_SEED ?? 20261121);
const CASES = 100;
const DIGITS = 6;

const holidaysOf = ({ holidays }: CalendarCase) => new Map(holidays.map(({ day, share }) => [day, share]));

function supplyByCore(one: CapacityCase, person: PersonCase, weeks: Periods, onlyLine?: number): SupplyHours[] {
  const calendar = one.calendars[person.calendar] as CalendarCase;
  const promised = person.allocations.filter(({ firm, line }) => firm && (onlyLine === undefined || line === onlyLine));
  return supplyHours(
    {
      employed: person.employed,
      pattern: calendar.hours.map((hours) => hours * person.fte) as unknown as WeekPattern,
      holidays: holidaysOf(calendar),
      timeOff: person.timeOff,
      allocations: promised.map(({ start, end, percentage }) => ({ start, end, share: percentage / 100 })),
    },
    weeks,
  );
}

function demandByCore(one: CapacityCase, line: LineCase, weeks: Periods): number[] {
  const calendar = one.calendars[0] as CalendarCase;
  const deal = { startDay: line.dealStart, durationDays: line.dealDays };
  const hours = demandHours(
    {
      id: "line",
      dealId: "deal",
      skill: "work",
      level: null,
      count: line.count,
      allocation: line.percentage / 100,
      startDay: line.own.start,
      endDay: line.own.end,
      critical: false,
      alternatives: [],
    },
    { id: "deal", name: "Case", clientId: null, stage: "won", value: 0, rate: null, closeDay: null, ...deal },
    weeks,
    calendar.hours,
    holidaysOf(calendar),
  );
  return [...hours];
}

const close = (actual: number | undefined, wanted: number, where: string) =>
  expect(actual ?? 0, where).toBeCloseTo(wanted, DIGITS);

/** The database adds up stretches by running totals, the core walks through every day: they must agree to the hour. */
describe("capacity in SQL is capacity by the day", () => {
  const sql = openSql();
  let workspaceId: string;
  let busy = 0;
  let over = 0;
  let asked = 0;

  beforeAll(async () => {
    const [workspace] = await sql<{ id: string }[]>`
      insert into public.workspaces (name, slug) values ('Capacity', ${`capacity-${process.pid}`}) returning id`;
    workspaceId = workspace?.id ?? "";
  });
  afterAll(async () => {
    await sql`delete from public.workspaces where id = ${workspaceId}`;
    await sql.end();
  });

  async function supplyAgrees(one: CapacityCase, { people }: Stored, weeks: Periods): Promise<void> {
    const rows = await sql<{ key: string; week: string; capacity: number; allocated: number; over: number }[]>`
      select key, first_day::text as week, capacity, allocated, over
      from private.supply_periods(${workspaceId}, private.week_borders(${formatDay(one.from)}, ${one.weeks}), 'person')`;
    const found = new Map(rows.map((row) => [`${row.key} ${row.week}`, row]));
    for (const [index, person] of one.people.entries())
      for (const [week, wanted] of supplyByCore(one, person, weeks).entries()) {
        const where = `person ${index} in ${weeks.labels[week]}`;
        const row = found.get(`${people[index]} ${weeks.labels[week]}`);
        close(row?.capacity, wanted.capacity, `capacity of ${where}`);
        close(row?.allocated, wanted.allocated, `allocated of ${where}`);
        close(row?.over, wanted.over, `over of ${where}`);
        if (wanted.allocated > 0) busy += 1;
        if (wanted.over > 0) over += 1;
      }
  }

  async function demandAgrees(one: CapacityCase, { lines }: Stored, weeks: Periods): Promise<void> {
    const rows = await sql<{ demand_id: string; week: string; hours: number; unstaffed: number }[]>`
      select demand_id, week::text, hours, unstaffed
      from private.demand_hours(${workspaceId}, ${formatDay(one.from)}, ${one.weeks})`;
    const found = new Map(rows.map((row) => [`${row.demand_id} ${row.week}`, row]));
    for (const [index, line] of one.lines.entries()) {
      const staffed = one.people.map((person) => supplyByCore(one, person, weeks, index));
      for (const [week, wanted] of demandByCore(one, line, weeks).entries()) {
        const given = staffed.reduce((sum, byWeek) => sum + (byWeek[week]?.allocated ?? 0), 0);
        const row = found.get(`${lines[index]} ${weeks.labels[week]}`);
        close(row?.hours, wanted, `demand ${index} in ${weeks.labels[week]}`);
        close(row?.unstaffed, Math.max(0, wanted - given), `unstaffed of demand ${index} in ${weeks.labels[week]}`);
        if (wanted > 0) asked += 1;
      }
    }
  }

  test(`for ${CASES} workspaces by chance (seed ${SEED})`, async () => {
    const agree = async (one: CapacityCase) => {
      const stored = await store(sql, workspaceId, one);
      const weeks = periodsFrom(one.from, one.weeks, "week");
      await supplyAgrees(one, stored, weeks);
      await demandAgrees(one, stored, weeks);
    };
    await fc.assert(fc.asyncProperty(capacityCases, agree), { seed: SEED, numRuns: CASES });
    // Cases in which nobody is busy, promised twice or asked for would prove little.
    expect([busy, over, asked].map((count) => count > CASES / 3)).toEqual([true, true, true]);
  });

  test("a moved demand is the same demand so many weeks later, and moves nothing else", async () => {
    const move = async (one: CapacityCase, later: number) => {
      const { lines } = await store(sql, workspaceId, { ...one, calendars: plain(one), people: [] });
      const read = async (from: number) =>
        sql<{ demand_id: string; week: string; hours: number }[]>`
          select demand_id, ((week - ${formatDay(from)}::date) / 7)::text as week, hours
          from private.demand_hours(${workspaceId}, ${formatDay(from)}, ${one.weeks}) order by demand_id, week`;
      const moved = lines[0] ?? "";
      const before = await read(one.from);
      await sql`
        update public.pipeline_resource_demands set start_date = start_date + ${7 * later}::int, end_date = end_date + ${7 * later}::int where id = ${moved}`;
      await sql`
        update public.pipeline_projects p set estimated_start_date = estimated_start_date + ${7 * later}::int
        from public.pipeline_resource_demands d where d.id = ${moved} and p.id = d.pipeline_project_id`;
      const after = await read(one.from + 7 * later);
      const others = await read(one.from);
      const of = (rows: typeof before, mine: boolean) => rows.filter((row) => (row.demand_id === moved) === mine);
      expect(of(after, true)).toEqual(of(before, true));
      expect(of(others, false)).toEqual(of(before, false));
    };
    await fc.assert(fc.asyncProperty(capacityCases, fc.integer({ min: 1, max: 8 }), move), { seed: SEED, numRuns: 25 });
  });
});

/** Without holidays: those of one week are not those of another. */
const plain = (one: CapacityCase): CalendarCase[] => one.calendars.map(({ hours }) => ({ hours, holidays: [] }));
