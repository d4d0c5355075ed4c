import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDay, isoWeekday, mondayOf, monthStart, parseDay } from "./days.ts";
import { periodByDay, periodOf, periodsFrom } from "./periods.ts";

const day = (text: string) => parseDay(text) as number;

describe("days", () => {
  it("are read and written, and 30 February is none", () => {
    expect(day("1970-01-02")).toBe(1);
    expect(formatDay(day("2024-02-29"))).toBe("2024-02-29");
    for (const first of ["0001-01-01", "0099-12-31", "9999-12-31"]) expect(formatDay(day(first))).toBe(first);
    for (const wrong of ["2023-02-29", "2026-02-30", "2026-13-01", "0000-01-01", "2026-1-1", "2026-01-01T00:00", ""])
      expect(parseDay(wrong)).toBeNull();
  });

  it("have their weekday: 2026-11-21 is a Saturday, 1969-12-31 a Wednesday", () => {
    expect([isoWeekday(day("2026-11-21")), isoWeekday(day("1969-12-31"))]).toEqual([6, 3]);
    expect(formatDay(mondayOf(day("2026-11-22")))).toBe("2026-11-16");
    expect(formatDay(mondayOf(day("2026-11-23")))).toBe("2026-11-23");
  });

  it("a week has seven days also when the clocks change, a month begins on its first", () => {
    expect(day("2026-03-30") - day("2026-03-23")).toBe(7);
    expect(formatDay(monthStart(day("2026-11-21"), 2))).toBe("2027-01-01");
  });
});

describe("periods", () => {
  it("begin with the month or week of the day asked for", () => {
    expect(periodsFrom(day("2026-11-21"), 3, "month").labels).toEqual(["2026-11", "2026-12", "2027-01"]);
    expect(periodsFrom(day("2026-11-21"), 2, "week").labels).toEqual(["2026-11-16", "2026-11-23"]);
  });

  it("are found by day, before, within and after", () => {
    const months = periodsFrom(day("2026-11-21"), 2, "month");
    expect(
      ["2026-10-31", "2026-11-01", "2026-11-30", "2026-12-01", "2026-12-31", "2027-01-01"].map((text) =>
        periodOf(months, day(text)),
      ),
    ).toEqual([-1, 0, 0, 1, 1, 2]);
  });

  it("the table agrees with the search, for every day of every horizon", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -20_000, max: 40_000 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom("month" as const, "week" as const),
        (from, count, grain) => {
          const periods = periodsFrom(from, count, grain);
          const table = periodByDay(periods);
          const first = periods.starts[0] as number;
          expect(first).toBeLessThanOrEqual(from);
          for (const [offset, period] of table.entries()) expect(periodOf(periods, first + offset)).toBe(period);
        },
      ),
      { numRuns: 30, seed: 6 },
    );
  });

  it("no horizon, half a month or a century is refused", () => {
    for (const count of [0, 1.5, 61, Number.NaN])
      expect(() => periodsFrom(0, count, "month")).toThrow(/1 to 60 months/);
  });
});
