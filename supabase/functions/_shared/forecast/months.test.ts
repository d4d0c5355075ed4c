import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { InputDemand } from "../db/sql/forecast.ts";
import { demandHours } from "../planning/capacity/demand.ts";
import { INDEPENDENT } from "../planning/forecast/model.ts";
import { finish } from "../planning/forecast/revenue.ts";
import { forecastDemand, moverOfWeeks } from "../planning/forecast/simulateDemand.ts";
import { formatDay } from "../planning/time/days.ts";
import { periodsFrom } from "../planning/time/periods.ts";
import { tableOfShifts } from "../planning/timing/shifts.ts";
import { calculate } from "./calculate.ts";
import { moverOfMonths } from "./months.ts";
import { dayOf, planDeal } from "./plan.ts";
import { askedResources } from "./requests.ts";
import { demandOf } from "./scenarios.ts";
import { resourceForecastInput } from "./schemas.ts";
import { dealRow, demandRow, inputsOf } from "./testing.ts";
import { type Calendar, LEAD_WEEKS, workOf } from "./work.ts";

const WORKSPACE = "00000000-0000-4000-8000-000000000001";
const USUAL = { hours: [8, 8, 8, 8, 8, 0, 0], holidays: [] as { day: string; share: number }[] };

interface Row {
  hours: number;
  weighted: number;
  critical: number;
  p10: number;
  p50: number;
  p90: number;
  supply: number;
  gap: number;
}
interface Answer {
  grain: string;
  months: string[];
  demand: { key: string; weeks: Row[]; months: Row[] }[];
  hiring: object[];
}

function answer(grain: "week" | "month", months: number, inputs: Parameters<typeof inputsOf>[0]): Answer {
  const asked = askedResources(
    resourceForecastInput.parse({ workspace_id: WORKSPACE, grain, forecast_months: months, confidence_threshold: 0 }),
  );
  const steps = calculate(asked.kind, asked.request, inputsOf(inputs), { runs: 500, seed: 7 });
  return finish(steps) as unknown as Answer;
}

describe("demand by month", () => {
  // 2026-11-23 is a Monday: 14 days of work are 23 to 27 and 30 November, and 1 to 4 December.
  const deal = dealRow("a", { start_date: "2026-11-23", duration: 14, probability: 50, close_date: null });
  const borders = ["10-26", "11-01", "11-02", "11-09", "11-16", "11-23", "11-30", "12-01", "12-07", "12-14", "12-21"]
    .concat("12-28")
    .map((day) => `2026-${day}`)
    .concat("2027-01-01", "2027-01-04");
  const inputs = { deals: [deal], demands: [demandRow("l", "a")], calendar: USUAL, borders };

  it("counts the hours of its own days, not a share of its weeks", () => {
    const found = answer("month", 2, { ...inputs, supply: [] });
    expect([found.grain, found.months]).toEqual(["month", ["2026-11", "2026-12"]]);
    expect(found.demand[0]?.months).toMatchObject([
      { month: "2026-11", hours: 48, weighted: 24, p10: 0, p90: 48, supply: 0, gap: 24 },
      { month: "2026-12", hours: 32, weighted: 16, p10: 0, p90: 32, supply: 0, gap: 16 },
    ]);
  });

  it("lets nobody's free week do the work of another week", () => {
    const skills = [{ skill: "react", category: "web", level: null }];
    // 16 hours in the week of 23 November, 10 from 1 December on, and all of the week after the work.
    const hours: [number, number][] = [
      [5, 16],
      [7, 10],
      [8, 40],
    ];
    const found = answer("month", 2, { ...inputs, supply: [{ skills, hours }] });
    // The first week lacks 20 - 16; the second 20 - 10, of which a fifth on 30 November.
    expect(found.demand[0]?.months).toMatchObject([
      { supply: 16, gap: 4 + 2 },
      { supply: 50, gap: 8 },
    ]);
  });

  it("takes those who are promised out of their own days", () => {
    const staffed = [{ start_date: "2026-11-30", end_date: null, percentage: 50 }];
    const found = answer("month", 2, { ...inputs, demands: [demandRow("l", "a", { staffed })], supply: [] });
    expect(found.demand[0]?.months.map(({ hours }) => hours)).toEqual([44, 16]);
  });
});

/** From a Monday that begins a month to a Sunday that ends one: 8 months, 35 weeks. */
const FROM = dayOf("2026-06-01");
const weeks = periodsFrom(FROM, 35, "week");
const months = periodsFrom(FROM, 8, "month");
const BORDERS = [...new Set([...weeks.starts, ...months.starts])].sort((a, b) => a - b).map(formatDay);
const SEED = { seed: 20261121, numRuns: 60 };

const someDay = fc.integer({ min: -90, max: 260 }).map((days) => formatDay(FROM + days));
const someSpan = fc
  .record({ first: someDay, days: fc.integer({ min: 0, max: 200 }), open: fc.boolean() })
  .map(({ first, days, open }) => ({ start_date: first, end_date: open ? null : formatDay(dayOf(first) + days) }));
const someLine = fc.record({
  count: fc.integer({ min: 1, max: 3 }),
  percentage: fc.integer({ min: 1, max: 100 }),
  skill: fc.constantFrom("react", "vue"),
  critical: fc.boolean(),
  span: someSpan,
  staffed: fc.array(fc.record({ span: someSpan, percentage: fc.integer({ min: 10, max: 300 }) }), { maxLength: 3 }),
});
type Line = typeof someLine extends fc.Arbitrary<infer T> ? T : never;
const holidays = fc
  .uniqueArray(fc.integer({ min: 0, max: 244 }), { maxLength: 10 })
  .map((days) => days.map((day, index) => ({ day: formatDay(FROM + day), share: index % 2 === 0 ? 1 : 0.5 })));

const rowOf = ({ span, staffed, ...line }: Line, index: number): InputDemand =>
  demandRow(`l${index}`, "a", {
    ...line,
    ...span,
    staffed: staffed.map(({ span: given, percentage }) => ({ ...given, percentage })),
  });
const sum = (values: Iterable<number>) => [...values].reduce((total, one) => total + one, 0);

function workIn(lines: readonly Line[], calendar: Calendar) {
  const setting = { stages: [], exchange: { currency: "USD", rates: new Map([["USD", 1]]) } };
  const deal = planDeal(dealRow("a"), setting.stages, setting.exchange);
  const rows = lines.map(rowOf);
  const plan = { deals: [deal], demands: rows.map(demandOf), addedPeople: [], conversionRates: new Map() };
  return { deal, plan, work: workOf(plan, new Map([["a", deal]]), rows, weeks, calendar, false) };
}
const calendarWith = (off: { day: string; share: number }[]): Calendar => ({
  pattern: [8, 8, 8, 8, 6.4, 0, 0],
  holidays: new Map(off.map(({ day, share }) => [dayOf(day), share])),
});

describe("months add up to the weeks that they are made of", () => {
  it("in what is asked for, in who is free and in what is lacking", () => {
    const free = fc.array(fc.integer({ min: 0, max: 80 }), {
      minLength: BORDERS.length - 1,
      maxLength: BORDERS.length - 1,
    });
    let lacking = 0;
    fc.assert(
      fc.property(fc.array(someLine, { minLength: 1, maxLength: 4 }), holidays, free, (lines, off, hours) => {
        const parts = hours.map((one, part): [number, number] => [part, one]);
        const byWeek = Array.from(weeks.labels, (label, week): [number, number] => [
          week,
          sum(
            parts
              .filter(
                ([part]) =>
                  (BORDERS[part] as string) >= label && (BORDERS[part] as string) < (weeks.labels[week + 1] ?? "9"),
              )
              .map(([, one]) => one),
          ),
        ]);
        const skills = [{ skill: "react", category: "web", level: null }];
        const inputs = {
          as_of: "2026-06-01",
          deals: [dealRow("a", { probability: 70 })],
          demands: lines.map(rowOf),
          calendar: { ...USUAL, holidays: off },
        };
        const inWeeks = answer("week", 8, { ...inputs, supply: [{ skills, hours: byWeek }] });
        const inMonths = answer("month", 8, { ...inputs, supply: [{ skills, hours: parts }], borders: BORDERS });
        expect(inMonths.demand.map(({ key }) => key)).toEqual(inWeeks.demand.map(({ key }) => key));
        for (const [index, { weeks: wanted }] of inWeeks.demand.entries()) {
          const found = inMonths.demand[index]?.months ?? [];
          for (const figure of ["hours", "weighted", "critical", "supply", "gap"] as const)
            expect(sum(found.map((row) => row[figure])), figure).toBeCloseTo(sum(wanted.map((row) => row[figure])), 0);
          for (const { p10, p50, p90 } of found) expect(p10 <= p50 && p50 <= p90).toBe(true);
          if (found.some(({ gap }) => gap > 0)) lacking++;
        }
        expect(inMonths.hiring).toEqual(inWeeks.hiring);
      }),
      SEED,
    );
    expect(lacking).toBeGreaterThan(20);
  });

  it("in every drawn future, however late the deal closes", () => {
    const shifts = fc.array(fc.integer({ min: -60, max: 400 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(someLine, holidays, shifts, (line, off, days) => {
        const { work } = workIn([line], calendarWith(off));
        const drawn = (
          count: number,
          mover: (one: (typeof work.profiles)[0]) => () => ReturnType<typeof moverOfWeeks>,
        ) =>
          finish(
            forecastDemand(
              {
                periods: count,
                deals: [{ id: "a", clientId: null, value: 0, rate: 0.6, closeDay: FROM, timing: tableOfShifts(days) }],
                profiles: work.profiles.map((one) => ({ ...one, mover: mover(one) })),
                correlation: INDEPENDENT,
              },
              { runs: 300, seed: 3 },
            ),
          ).flatMap(({ periods }) => periods);
        const byWeek = drawn(
          35,
          ({ hours }) =>
            () =>
              moverOfWeeks(hours, LEAD_WEEKS, 35),
        );
        const byMonth = drawn(8, (one) => () => moverOfMonths(one, work.weeks, months));
        expect(sum(byMonth.map(({ mean }) => mean))).toBeCloseTo(sum(byWeek.map(({ mean }) => mean)), 1);
        for (const { p10, p50, p90 } of byMonth) expect(p10 <= p50 && p50 <= p90).toBe(true);
      }),
      SEED,
    );
  });

  it("and each month is what the demand asks for between its first and its last day", () => {
    fc.assert(
      fc.property(someLine, holidays, (line, off) => {
        const calendar = calendarWith(off);
        const { deal, plan, work } = workIn([{ ...line, staffed: [] }], calendar);
        const [row] = plan.demands;
        const [profile] = work.profiles;
        if (row === undefined || profile === undefined)
          throw new Error("A demand with a day of its own has a profile.");
        const { first, hours } = moverOfMonths(profile, work.weeks, months)(0);
        const wanted = demandHours(row, deal, months, calendar.pattern, calendar.holidays);
        for (const [month, one] of wanted.entries()) expect(hours[month - first] ?? 0).toBeCloseTo(one, 6);
      }),
      SEED,
    );
  });
});
