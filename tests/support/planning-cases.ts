import fc from "fast-check";
import { type Day, parseDay } from "../../supabase/functions/_shared/planning/time/days.ts";

/** A workspace by chance in the words of the issue: who there is, what they can do, what the deals ask for. */
export interface PlanningCase {
  from: Day;
  weeks: number;
  zone: string;
  rules: { threshold: number; trust: boolean; template: boolean; lead: number; availability: number; lasting: number };
  calendars: { hours: readonly number[]; holidays: { day: Day; share: number }[] }[];
  people: PersonCase[];
  deals: { stage: string; probability: number | null; start: Day | null; days: number | null; deleted: boolean }[];
  lines: LineCase[];
}

export interface PersonCase {
  /** 0: that of the workspace. */
  calendar: number;
  fte: number;
  employed: { start: Day; end: Day | null };
  team: number | null;
  deleted: boolean;
  /** The first is the primary one. */
  skills: { skill: string; level: string | null }[];
  timeOff: { start: Day; end: Day; share: number }[];
  allocations: { start: Day; end: Day | null; percentage: number; firm: boolean; line: number | null }[];
}

export interface LineCase {
  deal: number;
  /** A key of SKILLS, a category of them, or a word that is neither. */
  asked: string;
  level: string | null;
  count: number;
  percentage: number;
  start: Day | null;
  end: Day | null;
  critical: boolean;
  priority: number;
  alternatives: string[];
}

/** Key and category. */
export const SKILLS: ReadonlyMap<string, string> = new Map([
  ["carpentry", "wood"],
  ["joinery", "wood"],
  ["roofing", "roof"],
  ["slating", "roof"],
  ["welding", "metal"],
]);
export const LEVELS = ["junior", "mid", "senior", "lead", "principal"];
/** Chances by default, and those of the industry template "construction". */
export const STAGES: Record<string, { kind: string; usual: number; template: number }> = {
  lead: { kind: "open", usual: 0.1, template: 0.05 },
  proposal: { kind: "open", usual: 0.6, template: 0.3 },
  negotiation: { kind: "open", usual: 0.8, template: 0.6 },
  won: { kind: "won", usual: 1, template: 1 },
  lost: { kind: "lost", usual: 0, template: 0 },
  on_hold: { kind: "on_hold", usual: 0.1, template: 0.1 },
};

/** Weeks in which clocks change somewhere (in Santiago at a midnight that is left out), years of 53 weeks, 29 February. */
const STARTS = ["2020-12-14", "2024-02-19", "2026-03-05", "2026-03-30", "2026-08-31", "2026-09-29", "2026-12-20"]
  .concat("2028-02-26", "2032-12-22")
  .map((text) => parseDay(text) as Day);
const ZONES = ["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago"];

const share = fc.constantFrom(0.25, 0.5, 1, 1);
const level = fc.option(fc.constantFrom(...LEVELS), { freq: 5 });
const skill = fc.constantFrom(...SKILLS.keys());
/** Some end on the day they begin, some never. */
const span = (from: Day, most: number) =>
  fc
    .tuple(fc.integer({ min: -30, max: 40 }), fc.option(fc.integer({ min: 0, max: most }), { freq: 4 }))
    .map(([shift, days]) => ({ start: from + shift, end: days === null ? null : from + shift + days }));

const calendar = (from: Day) =>
  fc.record({
    hours: fc.oneof(
      fc.constant([8, 8, 8, 8, 8, 0, 0]),
      fc.constant([0, 0, 0, 0, 0, 10, 7.5]),
      fc.array(fc.constantFrom(0, 4, 6.25, 8, 24), { minLength: 7, maxLength: 7 }),
    ),
    holidays: fc.uniqueArray(fc.record({ day: fc.integer({ min: from - 8, max: from + 50 }), share }), {
      maxLength: 6,
      selector: ({ day }) => day,
    }),
  });

const timeOff = (from: Day) =>
  fc
    .array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 12 }), share), { maxLength: 4 })
    .map((pauses) => {
      let last = from - 12;
      return pauses.map(([gap, days, off]) => {
        const start = last + gap;
        last = start + days;
        return { start, end: last, share: off };
      });
    });

const person = (from: Day, lines: number): fc.Arbitrary<PersonCase> =>
  fc.record({
    calendar: fc.integer({ min: 0, max: 1 }),
    fte: fc.constantFrom(1, 1, 0.5, 0.8, 0.333),
    employed: fc.oneof(
      { weight: 2, arbitrary: fc.constant({ start: from - 900, end: null }) },
      { weight: 1, arbitrary: span(from, 40) },
    ),
    team: fc.option(fc.integer({ min: 0, max: 1 })),
    deleted: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    skills: fc.uniqueArray(fc.record({ skill, level }), { maxLength: 3, selector: (one) => one.skill }),
    timeOff: timeOff(from),
    allocations: fc.array(
      fc
        .tuple(span(from, 30), fc.integer({ min: 1, max: 100 }), fc.boolean(), fc.option(fc.nat({ max: lines - 1 })))
        .map(([days, percentage, firm, line]) => ({ ...days, percentage, firm, line })),
      { maxLength: 4 },
    ),
  });

const line = (from: Day, deals: number): fc.Arbitrary<LineCase> =>
  fc
    .tuple(
      fc.record({
        deal: fc.nat({ max: deals - 1 }),
        asked: fc.oneof(
          { weight: 4, arbitrary: skill },
          { weight: 1, arbitrary: fc.constantFrom("wood", "roof", "planning") },
        ),
        level,
        count: fc.integer({ min: 1, max: 3 }),
        percentage: fc.constantFrom(100, 75, 50, 33, 1),
        critical: fc.boolean(),
        priority: fc.integer({ min: -1, max: 1 }),
        alternatives: fc.uniqueArray(skill, { maxLength: 3 }),
      }),
      fc.option(span(from, 40), { freq: 1 }),
      fc.constantFrom("both", "start", "end"),
    )
    .map(([line, days, said]) => ({
      ...line,
      start: said === "end" ? null : (days?.start ?? null),
      end: said === "start" ? null : (days?.end ?? null),
    }));

const deal = (from: Day) =>
  fc.record({
    stage: fc.constantFrom("lead", "proposal", "negotiation", "negotiation", "won", "won", "lost", "on_hold"),
    probability: fc.option(fc.integer({ min: 0, max: 100 })),
    start: fc.option(fc.integer({ min: from - 30, max: from + 30 }), { freq: 5 }),
    days: fc.option(fc.integer({ min: 0, max: 60 }), { freq: 3 }),
    deleted: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  });

export const planningCases: fc.Arbitrary<PlanningCase> = fc
  .tuple(fc.constantFrom(...STARTS), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 6 }))
  .chain(([from, deals, lines]) =>
    fc.record({
      from: fc.constant(from),
      weeks: fc.integer({ min: 1, max: 7 }),
      zone: fc.constantFrom(...ZONES),
      rules: fc.record({
        threshold: fc.constantFrom(0, 0, 0.3, 0.6),
        trust: fc.boolean(),
        template: fc.boolean(),
        lead: fc.integer({ min: 0, max: 20 }),
        availability: fc.constantFrom(0.85, 1, 0.5),
        lasting: fc.integer({ min: 1, max: 3 }),
      }),
      calendars: fc.tuple(calendar(from), calendar(from)),
      people: fc.array(person(from, lines), { minLength: 1, maxLength: 6 }),
      deals: fc.array(deal(from), { minLength: deals, maxLength: deals }),
      lines: fc.array(line(from, deals), { minLength: lines, maxLength: lines }),
    }),
  );
