import { describe, expect, it } from "vitest";
import type { Staffing, StaffingPerson } from "../db/sql/people.ts";
import { parseDay } from "../planning/time/days.ts";
import { scoreDeal } from "./availability.ts";
import { fullWeeksOf, steadyShare, stretchOf } from "./staffing.ts";
import { dealRow, demandRow } from "./testing.ts";

const day = (text: string) => parseDay(text) ?? 0;

function person(
  id: string,
  skill: string,
  weeks: [number, number][],
  more: Partial<StaffingPerson> = {},
): StaffingPerson {
  return {
    id,
    name: id,
    contract: 1,
    weeks: new Map(weeks.map(([capacity, free], week) => [week, { capacity, free }])),
    skills: [{ skill, category: "web", level: "senior", years: 3 }],
    ...more,
  };
}

/** Four weeks from Monday 2 November 2026, without holidays. */
const staffingOf = (more: Partial<Staffing> = {}): Staffing => ({
  read_at: "2026-11-02T00:00:00Z",
  today: "2026-11-04",
  from: "2026-11-02",
  weeks: 4,
  deals: [],
  demands: [],
  calendar: { hours: [8, 8, 8, 8, 8, 0, 0], holidays: [] },
  people: [],
  ...more,
});
const all = { start: day("2026-11-02"), end: day("2026-11-29") };
const weeks = fullWeeksOf(staffingOf());
const FREE: [number, number] = [40, 40];

describe("how free somebody is", () => {
  it("throughout: the least of the weeks, as a share of full time", () => {
    expect(steadyShare(person("a", "react", [FREE, [40, 10], FREE, FREE]), all, weeks)).toBe(0.25);
    expect(
      steadyShare(
        person(
          "b",
          "react",
          [
            [20, 20],
            [20, 20],
            [20, 20],
            [20, 20],
          ],
          { contract: 0.5 },
        ),
        all,
        weeks,
      ),
    ).toBe(0.5);
  });

  it("a holiday in between stops nobody, half the time away does", () => {
    expect(steadyShare(person("a", "react", [FREE, [0, 0], FREE, FREE]), all, weeks)).toBe(1);
    expect(steadyShare(person("a", "react", [FREE, [0, 0], [0, 0], FREE]), all, weeks)).toBe(0);
  });

  it("is looked at from today on, and half a year where there is no end", () => {
    const deal = dealRow("d", { start_date: "2026-10-01", duration: 60 });
    const staffing = staffingOf({ weeks: 104 });
    expect(stretchOf(demandRow("l", "d"), deal, staffing)).toEqual({
      start: day("2026-11-04"),
      end: day("2026-11-29"),
    });
    const open = stretchOf(demandRow("l", "d"), dealRow("d", { start_date: "2026-12-01" }), staffing);
    expect(open).toEqual({ start: day("2026-12-01"), end: day("2026-12-01") + 182 });
    expect(stretchOf(demandRow("l", "d"), dealRow("d"), staffing)).toBeNull();
    expect(
      stretchOf(demandRow("l", "d"), dealRow("d", { start_date: "2026-10-01", duration: 5 }), staffing),
    ).toBeNull();
  });
});

describe("the score of a deal", () => {
  const deal = dealRow("d", { start_date: "2026-11-09", duration: 14 });
  const everyWeek: [number, number][] = [FREE, FREE, FREE, FREE];
  const both = person("both", "react", everyWeek, {
    skills: [
      { skill: "java", category: "web", level: "senior", years: null },
      { skill: "react", category: "web", level: "senior", years: null },
    ],
  });

  it("gives the one who can do both the place that nobody else can take", () => {
    const staffing = staffingOf({
      demands: [demandRow("r", "d"), demandRow("j", "d", { skill: "java" })],
      people: [both, person("only react", "react", everyWeek)],
    });
    expect(scoreDeal(deal, staffing)).toMatchObject({
      score: 100,
      proven: true,
      lines: [{ people: [{ name: "only react" }] }, { people: [{ name: "both" }] }],
    });
  });

  it("counts who is promised already, and asks only for the others", () => {
    const staffed = [{ start_date: "2026-11-09", end_date: null, percentage: 100 }];
    const staffing = staffingOf({ demands: [demandRow("r", "d", { count: 2, staffed })], people: [] });
    expect(scoreDeal(deal, staffing)).toMatchObject({ score: 50, lines: [{ places: 2, promised: 1, filled: 1 }] });
  });

  it("lets one person take two halves side by side, and any skill of a category", () => {
    const half = { percentage: 50, count: 2, skill: "web", is_category: true };
    const staffing = staffingOf({ demands: [demandRow("h", "d", half)], people: [person("a", "react", everyWeek)] });
    expect(scoreDeal(deal, staffing).score).toBe(100);
  });

  it("is null for nobody, for undated demands and for a crowd, and says so", () => {
    expect(scoreDeal(deal, staffingOf())).toMatchObject({ score: null, reasons: ["Nobody is asked for yet."] });
    const undated = scoreDeal(dealRow("d"), staffingOf({ demands: [demandRow("r", "d")] }));
    expect([undated.score, undated.reasons.at(-1)]).toEqual([
      null,
      "1 of 1 demands have no start, or are over: not counted.",
    ]);
    const crowd = scoreDeal(deal, staffingOf({ demands: [demandRow("r", "d", { count: 61 })] }));
    expect([crowd.score, crowd.reasons]).toEqual([
      null,
      ["It asks for 61 people; a score is worked out for 60 at most."],
    ]);
  });
});
