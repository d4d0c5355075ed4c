import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DemandLine, PlanDeal } from "../forecast/plan.ts";
import { parseDay } from "../time/days.ts";
import { periodsFrom } from "../time/periods.ts";
import { FULL_TIME, hoursBetween, type WeekPattern } from "./calendar.ts";
import { demandHours } from "./demand.ts";
import { hiringNeed } from "./hiring.ts";
import { supplyHours, type Worker } from "./supply.ts";

const day = (text: string) => parseDay(text) as number;
/** A Monday. */
const MONDAY = day("2026-03-02");
const weeks = (count: number) => periodsFrom(MONDAY, count, "week");
const NO_HOLIDAYS = new Map<number, number>();

const deal = (more: Partial<PlanDeal> = {}): PlanDeal => ({
  id: "d",
  name: "Roof",
  clientId: null,
  stage: "proposal",
  value: 0,
  rate: null,
  closeDay: null,
  startDay: MONDAY,
  durationDays: 14,
  ...more,
});
const line = (more: Partial<DemandLine> = {}): DemandLine => ({
  id: "l",
  dealId: "d",
  skill: "roofing",
  level: null,
  count: 2,
  allocation: 0.5,
  startDay: null,
  endDay: null,
  critical: false,
  alternatives: [],
  ...more,
});
const worker = (more: Partial<Worker> = {}): Worker => ({
  employed: { start: MONDAY - 1000, end: null },
  pattern: FULL_TIME,
  holidays: NO_HOLIDAYS,
  timeOff: [],
  allocations: [],
  ...more,
});

describe("demand by week", () => {
  const hours = (l: DemandLine, d = deal(), holidays = NO_HOLIDAYS, count = 4) => [
    ...demandHours(l, d, weeks(count), FULL_TIME, holidays),
  ];

  it("two people at half their time for two weeks: 2 × ½ × 40 hours", () => {
    expect(hours(line())).toEqual([40, 40, 0, 0]);
  });

  it("a week that is cut counts its days: Wednesday to Tuesday is 24 and 16 hours of one person", () => {
    const one = { count: 1, allocation: 1 };
    expect(hours(line({ ...one, startDay: MONDAY + 2, endDay: MONDAY + 8 }))).toEqual([24, 16, 0, 0]);
    expect(hours(line({ ...one, startDay: MONDAY, endDay: MONDAY }))).toEqual([8, 0, 0, 0]);
    expect(hours(line({ ...one, startDay: MONDAY + 5, endDay: MONDAY + 6 }))).toEqual([0, 0, 0, 0]);
  });

  it("holidays count, whole and half", () => {
    expect(
      hours(
        line({ count: 1, allocation: 1 }),
        deal(),
        new Map([
          [MONDAY, 1],
          [MONDAY + 8, 0.5],
        ]),
      ),
    ).toEqual([32, 36, 0, 0]);
  });

  it("the week in which the clocks change is a week", () => {
    const spring = periodsFrom(day("2026-03-23"), 2, "week");
    expect([
      ...demandHours(
        line({ count: 1, allocation: 1 }),
        deal({ startDay: day("2026-03-23") }),
        spring,
        FULL_TIME,
        NO_HOLIDAYS,
      ),
    ]).toEqual([40, 40]);
  });

  it("without an end it goes on, without a start or days it asks for nobody", () => {
    expect(hours(line(), deal({ durationDays: null }))).toEqual([40, 40, 40, 40]);
    expect(hours(line(), deal({ startDay: null }))).toEqual([0, 0, 0, 0]);
    expect(hours(line(), deal({ durationDays: 0 }))).toEqual([0, 0, 0, 0]);
    expect(hours(line({ startDay: MONDAY + 7 }), deal({ durationDays: null }))).toEqual([0, 40, 40, 40]);
  });

  it("an end before the start is refused", () => {
    expect(() => hours(line({ startDay: MONDAY + 1, endDay: MONDAY }))).toThrow(/cannot end before/);
  });

  it("is additive: one line until a day and one from the next are one line; two people are twice one", () => {
    const dates = fc.tuple(
      fc.integer({ min: -10, max: 30 }),
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 0, max: 30 }),
    );
    fc.assert(
      fc.property(dates, fc.integer({ min: 1, max: 5 }), ([start, first, second], count) => {
        const part = (from: number, to: number, people = count) =>
          hours(
            line({ count: people, allocation: 1, startDay: MONDAY + from, endDay: MONDAY + to }),
            deal(),
            NO_HOLIDAYS,
            8,
          );
        const whole = part(start, start + first + 1 + second);
        const pieces = [part(start, start + first), part(start + first + 1, start + first + 1 + second)];
        expect(whole).toEqual(whole.map((_, week) => pieces.reduce((sum, piece) => sum + (piece[week] ?? 0), 0)));
        expect(whole).toEqual(part(start, start + first + 1 + second, 1).map((one) => one * count));
      }),
      { seed: 17 },
    );
  });

  it("moved by whole weeks it is the same demand, so many weeks later", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 0, max: 4 }),
        (start, days, later) => {
          const at = (shift: number) =>
            hours(
              line({ startDay: MONDAY + start + shift, endDay: MONDAY + start + days + shift }),
              deal(),
              NO_HOLIDAYS,
              12,
            );
          expect(at(7 * later).slice(later)).toEqual(at(0).slice(0, 12 - later));
        },
      ),
      { seed: 18 },
    );
  });
});

describe("supply by week", () => {
  const one = (more: Partial<Worker> = {}) => supplyHours(worker(more), weeks(2));

  it("is the contract, part-time or full-time, from the first to the last day of employment", () => {
    expect(one().map(({ capacity }) => capacity)).toEqual([40, 40]);
    const threeDays: WeekPattern = [8, 8, 8, 0, 0, 0, 0];
    expect(one({ pattern: threeDays }).map(({ capacity }) => capacity)).toEqual([24, 24]);
    expect(one({ employed: { start: MONDAY + 2, end: MONDAY + 7 } }).map(({ capacity }) => capacity)).toEqual([24, 8]);
  });

  it("less holidays and time off, of which a half day leaves a half", () => {
    const [first] = one({
      holidays: new Map([[MONDAY, 1]]),
      timeOff: [
        { start: MONDAY, end: MONDAY + 1, share: 1 },
        { start: MONDAY + 2, end: MONDAY + 2, share: 0.5 },
      ],
    });
    expect(first?.capacity).toBe(8 + 8 + 4);
  });

  it("allocations that overlap add up, and what is beyond the day shows", () => {
    const [first, second] = one({
      allocations: [
        { start: MONDAY, end: MONDAY + 4, share: 0.6 },
        { start: MONDAY + 3, end: null, share: 0.6 },
      ],
    });
    expect(first?.allocated).toBeCloseTo(24 + 9.6, 9);
    // Thursday and Friday are promised for 9.6 hours each.
    expect(first?.over).toBeCloseTo(3.2, 9);
    expect(first?.free).toBeCloseTo(6.4, 9);
    expect(second).toMatchObject({ over: 0 });
  });

  it("nobody is present for less than nothing, however much time off overlaps", () => {
    const stretch = fc.record({
      start: fc.integer({ min: MONDAY - 5, max: MONDAY + 20 }),
      days: fc.integer({ min: 0, max: 20 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const stretches = fc.array(
      stretch.map(({ start, days, share }) => ({ start, end: start + days, share })),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(stretches, stretches, (timeOff, allocations) => {
        for (const { capacity, allocated, free, over } of one({ timeOff, allocations })) {
          expect(capacity).toBeGreaterThanOrEqual(0);
          expect(capacity).toBeLessThanOrEqual(40);
          expect(free).toBeCloseTo(capacity - allocated, 9);
          expect(over).toBeGreaterThanOrEqual(Math.max(0, -free) - 1e-9);
        }
      }),
      { seed: 19 },
    );
  });

  it("sums the days between", () => {
    expect(hoursBetween(MONDAY, MONDAY + 6, FULL_TIME, NO_HOLIDAYS)).toBe(40);
    expect(hoursBetween(MONDAY + 1, MONDAY, FULL_TIME, NO_HOLIDAYS)).toBe(0);
  });
});

describe("hiring", () => {
  const rules = { leadWeeks: 8, weeklyHours: 36, minWeeks: 2 };

  it("by hand: a gap of one person from week 2, of two from week 4, and a single week of three that nobody is hired for", () => {
    const hires = hiringNeed([0, 0, 30, 36, 70, 70, 108, 0], weeks(8), MONDAY - 42, rules);
    expect(hires).toEqual([
      { people: 1, neededBy: MONDAY + 14, openBy: MONDAY - 42, late: false },
      { people: 1, neededBy: MONDAY + 28, openBy: MONDAY - 28, late: false },
    ]);
  });

  it("says when it is too late to hire, and nothing where nothing is missing", () => {
    expect(hiringNeed([40, 40], weeks(2), MONDAY, rules)[0]).toMatchObject({ people: 2, late: true });
    expect(hiringNeed([-40, 0, 1], weeks(3), MONDAY, rules)).toEqual([]);
  });
});
