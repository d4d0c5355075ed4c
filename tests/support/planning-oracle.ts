import { type Day, isoWeekday, mondayOf } from "../../supabase/functions/_shared/planning/time/days.ts";
import { LEVELS, type LineCase, type PersonCase, type PlanningCase, SKILLS, STAGES } from "./planning-cases.ts";

/** What docs/planning.md and docs/api/people.md say of people and demand, day by day and one after the other: slow, and plain to read. */

export interface Hours {
  capacity: number;
  allocated: number;
  over: number;
}

export interface Asked {
  line: number;
  week: Day;
  hours: number;
  unstaffed: number;
  rate: number;
}

export interface Cover {
  week: Day;
  profile: string;
  used: string | null;
  hours: number;
}

export interface Hire {
  wanted: string;
  people: number;
  neededBy: Day;
  openBy: Day;
  critical: boolean;
}

type Calendar = PlanningCase["calendars"][number];
const TINY = 0.000001;

export const weeksOf = ({ from, weeks }: PlanningCase): Day[] =>
  Array.from({ length: weeks }, (_, week) => mondayOf(from) + 7 * week);
const daysOf = (week: Day): Day[] => Array.from({ length: 7 }, (_, day) => week + day);
const within = (day: Day, { start, end }: { start: Day; end: Day | null }) =>
  day >= start && (end === null || day <= end);

function workingHours({ hours, holidays }: Calendar, day: Day): number {
  const free = holidays.find((holiday) => holiday.day === day)?.share ?? 0;
  return (hours[isoWeekday(day) - 1] ?? 0) * (1 - free);
}

/** Hours of one person on one day; onlyLine: of the promises those that staff this line. */
export function dayOf(one: PlanningCase, person: PersonCase, day: Day, onlyLine?: number): Hours {
  if (person.deleted || !within(day, person.employed)) return { capacity: 0, allocated: 0, over: 0 };
  const off = person.timeOff.find((stretch) => within(day, stretch))?.share ?? 0;
  const capacity = person.fte * workingHours(one.calendars[person.calendar] as Calendar, day) * (1 - off);
  const promises = person.allocations.filter((promise) => promise.firm && within(day, promise));
  const counted = promises.filter(({ line }) => onlyLine === undefined || line === onlyLine);
  const allocated = counted.reduce((sum, { percentage }) => sum + (capacity * percentage) / 100, 0);
  return { capacity, allocated, over: Math.max(0, allocated - capacity) };
}

export function addUp(all: readonly Hours[]): Hours {
  const sum = (pick: (hours: Hours) => number) => all.reduce((total, hours) => total + pick(hours), 0);
  return { capacity: sum((h) => h.capacity), allocated: sum((h) => h.allocated), over: sum((h) => h.over) };
}

export const weekOf = (one: PlanningCase, person: PersonCase, week: Day, onlyLine?: number): Hours =>
  addUp(daysOf(week).map((day) => dayOf(one, person, day, onlyLine)));

// Demand -----------------------------------------------------------------------------------------------------------------

/** Won is certain; then what somebody wrote, unless it is what the stage says anyway; then the template; then the stage. */
export function rateOf(one: PlanningCase, index: number): number {
  const { stage, probability } = one.deals[index] as PlanningCase["deals"][number];
  const { kind, usual, template } = STAGES[stage] as (typeof STAGES)[string];
  if (kind === "won" || kind === "lost") return usual;
  if (one.rules.trust && probability !== null && probability !== usual * 100) return probability / 100;
  return one.rules.template ? template : usual;
}

export function spanOf(one: PlanningCase, line: LineCase): { start: Day | null; end: Day | null } {
  const deal = one.deals[line.deal] as PlanningCase["deals"][number];
  const dealEnd = deal.start === null || deal.days === null ? null : deal.start + deal.days - 1;
  return { start: line.start ?? deal.start, end: line.end ?? dealEnd };
}

export function lineHours(one: PlanningCase, line: LineCase, days: readonly Day[]): number {
  const { start, end } = spanOf(one, line);
  if (start === null) return 0;
  const hours = days
    .filter((day) => within(day, { start, end }))
    .map((day) => workingHours(one.calendars[0] as Calendar, day));
  return hours.reduce((sum, h) => sum + h, 0) * line.count * (line.percentage / 100);
}

/** Line by line and week by week, without those that ask for nothing. only: of these deals, however unlikely. */
export function demand(one: PlanningCase, only?: number[]): Asked[] {
  const threshold = only ? 0 : one.rules.threshold;
  return one.lines.flatMap((line, index) => {
    const deal = one.deals[line.deal] as PlanningCase["deals"][number];
    const rate = rateOf(one, line.deal);
    const kind = STAGES[deal.stage]?.kind;
    if (deal.deleted || !(kind === "won" || (kind === "open" && rate >= threshold))) return [];
    if (only && !only.includes(line.deal)) return [];
    return weeksOf(one).flatMap((week) => {
      const hours = lineHours(one, line, daysOf(week));
      const given = one.people.reduce((sum, person) => sum + weekOf(one, person, week, index).allocated, 0);
      return hours > 0 ? [{ line: index, week, hours, unstaffed: Math.max(0, hours - given), rate }] : [];
    });
  });
}

/** What a line asks for: a skill with its category, or a category (or a word) alone. */
export const wantedOf = ({ asked }: LineCase) => ({
  skill: SKILLS.has(asked) ? asked : null,
  category: SKILLS.get(asked) ?? asked,
});

// Who helps out ----------------------------------------------------------------------------------------------------------

const rank = (level: string | null) => (level === null ? null : LEVELS.indexOf(level) + 1);
const before = (a: string | null, b: string | null) =>
  a === b ? 0 : a === null ? 1 : b === null ? -1 : a < b ? -1 : 1;

export function profileOf(line: LineCase): string {
  const { skill, category } = wantedOf(line);
  return JSON.stringify([line.critical, line.priority, skill, category, line.level, line.alternatives]);
}

function inOrder(a: LineCase, b: LineCase): number {
  const [left, right] = [wantedOf(a), wantedOf(b)];
  return (
    Number(b.critical) - Number(a.critical) ||
    b.priority - a.priority ||
    before(left.skill, right.skill) ||
    before(left.category, right.category) ||
    before(a.level, b.level) ||
    a.alternatives.length - b.alternatives.length ||
    before(a.alternatives.join(), b.alternatives.join())
  );
}

/** The levels that would do, best first: who asks for none gets the least senior, after whom nobody knows. */
function levelsFor(wanted: string | null): { turn: number; level: string | null }[] {
  if (wanted === null) return [null, ...LEVELS].map((level, turn) => ({ turn, level }));
  const at = LEVELS.indexOf(wanted);
  const up = LEVELS.slice(at).map((level, turn) => ({ turn, level: level as string | null }));
  return [...up, ...(at > 0 ? [{ turn: 10, level: LEVELS[at - 1] as string }] : []), { turn: 11, level: null }];
}

interface Turn {
  /** 0: what was asked for, n: the n-th alternative; a category comes after the skills of the same step. */
  place: [step: number, category: number, turn: number];
  kind: string;
  level: string | null;
}

function turnsOf(line: LineCase): Turn[] {
  const { skill, category } = wantedOf(line);
  const wishes = [skill ?? category, ...line.alternatives];
  return wishes.flatMap((kind, step) =>
    levelsFor(line.level).map(({ turn, level }) => ({
      place: [step, step === 0 && skill === null ? 1 : 0, turn] as Turn["place"],
      kind,
      level,
    })),
  );
}

const poolOf = (skill: string, level: string | null) => `${skill}/${level ?? "-"}`;

export function cover(one: PlanningCase, weighted: boolean): Cover[] {
  const profiles = [...new Map([...one.lines].sort(inOrder).map((line) => [profileOf(line), line])).values()];
  const turns = [...new Set(profiles.flatMap(turnsOf).map(({ place }) => place.join()))]
    .map((text) => text.split(",").map(Number) as Turn["place"])
    .sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
  const asked = demand(one);
  return weeksOf(one).flatMap((week) => {
    const mine = asked.filter((ask) => ask.week === week);
    return coverWeek(one, week, profiles, turns, wantedHours(one, mine, weighted));
  });
}

function wantedHours(one: PlanningCase, asked: readonly Asked[], weighted: boolean): Map<string, number> {
  const hours = new Map<string, number>();
  for (const { line, unstaffed, rate } of asked) {
    const profile = profileOf(one.lines[line] as LineCase);
    hours.set(profile, (hours.get(profile) ?? 0) + unstaffed * (weighted ? rate : 1));
  }
  return hours;
}

/** Turn after turn, in each of them profile after profile: whoever comes first takes what is there. */
function coverWeek(
  one: PlanningCase,
  week: Day,
  profiles: readonly LineCase[],
  turns: readonly Turn["place"][],
  wanted: Map<string, number>,
): Cover[] {
  const free = freeHours(one, week);
  const rows: Cover[] = [];
  for (const place of turns)
    for (const line of profiles) {
      const profile = profileOf(line);
      const turn = turnsOf(line).find((option) => option.place.join() === place.join());
      if (turn === undefined) continue;
      let used = 0;
      for (const pool of poolsFor(one, turn)) {
        const taken = Math.max(0, Math.min(free.get(pool) ?? 0, (wanted.get(profile) ?? 0) - used));
        free.set(pool, (free.get(pool) ?? 0) - taken);
        used += taken;
      }
      wanted.set(profile, (wanted.get(profile) ?? 0) - used);
      if (used > TINY) rows.push({ week, profile, used: poolOf(turn.kind, turn.level), hours: used });
    }
  for (const [profile, left] of wanted) if (left > TINY) rows.push({ week, profile, used: null, hours: left });
  return rows;
}

/** Of a category first those whom nobody asks for by name. */
function poolsFor(one: PlanningCase, { place, kind, level }: Turn): string[] {
  if (place[1] === 0) return [poolOf(kind, level)];
  const named = new Set(one.lines.flatMap(turnsOf).map((turn) => poolOf(turn.kind, turn.level)));
  return [...SKILLS.keys()]
    .sort()
    .filter((skill) => SKILLS.get(skill) === kind)
    .map((skill) => poolOf(skill, level))
    .sort((a, b) => Number(named.has(a)) - Number(named.has(b)));
}

/** Under the primary skill and its level, which is the first. */
function freeHours(one: PlanningCase, week: Day): Map<string, number> {
  const free = new Map<string, number>();
  for (const person of one.people) {
    const [primary] = person.skills;
    if (primary === undefined) continue;
    const { capacity, allocated } = weekOf(one, person, week);
    const pool = poolOf(primary.skill, primary.level);
    free.set(pool, (free.get(pool) ?? 0) + capacity - allocated);
  }
  for (const [pool, hours] of free) free.set(pool, Math.max(0, hours));
  return free;
}

// Hiring -----------------------------------------------------------------------------------------------------------------

export function hires(one: PlanningCase, weighted: boolean): Hire[] {
  const { lead, availability, lasting } = one.rules;
  const person = (one.calendars[0]?.hours ?? []).reduce((sum, hours) => sum + hours, 0) * availability;
  const open = cover(one, weighted).filter(({ used }) => used === null);
  const kinds = new Map<string, Cover[]>();
  for (const row of open) {
    const [, , skill, category, level] = JSON.parse(row.profile);
    const kind = JSON.stringify([skill, category, level]);
    kinds.set(kind, [...(kinds.get(kind) ?? []), row]);
  }
  return [...kinds].flatMap(([wanted, rows]) => {
    const missing = weeksOf(one).map((week) => {
      const hours = rows.filter((row) => row.week === week).reduce((sum, row) => sum + row.hours, 0);
      return person === 0 ? 0 : Math.max(0, Math.ceil(hours / person - 0.05));
    });
    const critical = weeksOf(one).map((week) =>
      rows.some((row) => row.week === week && JSON.parse(row.profile)[0] === true),
    );
    let there = 0;
    return weeksOf(one).flatMap((week, n) => {
      const stretch = missing.slice(n, n + lasting);
      const people = Math.min(...stretch) - there;
      if (stretch.length < lasting || people <= 0) return [];
      there += people;
      return [
        {
          wanted,
          people,
          neededBy: week,
          openBy: week - 7 * lead,
          critical: critical.slice(n, n + lasting).includes(true),
        },
      ];
    });
  });
}

// Who could take a place -------------------------------------------------------------------------------------------------

export function matchOf(line: LineCase, person: PersonCase): number | null {
  const { skill, category } = wantedOf(line);
  const points = person.skills.flatMap((held) => {
    const wanted = skill === null ? SKILLS.get(held.skill) === category : held.skill === skill;
    const places = [
      ...(wanted ? [0] : []),
      ...line.alternatives.flatMap((name, n) => (name === held.skill ? [n + 1] : [])),
    ];
    const above =
      line.level === null ? 0 : (rank(held.level) ?? (rank(line.level) as number) - 1) - (rank(line.level) as number);
    const less = above >= 0 ? 5 * above : 25;
    return above < -1 ? [] : places.map((place) => Math.max(1, 100 - less - (place === 0 ? 0 : 20 + 5 * (place - 1))));
  });
  return points.length === 0 ? null : Math.max(...points);
}

/** Of one place: the hours asked for, and those for which the person is free, week by week on the days of the demand. */
export function freeFor(
  one: PlanningCase,
  line: LineCase,
  person: PersonCase,
  today: Day,
): { asked: number; free: number } {
  const { start, end } = spanOf(one, line);
  const first = start ?? today;
  const last = Math.max(end ?? first + 363, first - 1);
  const place = { ...line, count: 1, start: first, end: last };
  const totals = { asked: 0, free: 0 };
  for (let week = mondayOf(first); week <= last; week += 7) {
    const days = daysOf(week).filter((day) => day >= first && day <= last);
    const asked = lineHours(one, place, days);
    const { capacity, allocated } = addUp(days.map((day) => dayOf(one, person, day)));
    totals.asked += asked;
    totals.free += Math.min(Math.max(0, capacity - allocated), asked);
  }
  return totals;
}
