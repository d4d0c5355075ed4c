import type { InputDeal, InputDemand } from "../db/sql/forecast.ts";
import type { Staffing, StaffingPerson } from "../db/sql/people.ts";
import { type Holidays, hoursBetween, type WeekPattern } from "../planning/capacity/calendar.ts";
import { spanOf } from "../planning/capacity/demand.ts";
import type { SkillHeld, SkillWanted } from "../planning/people/match.ts";
import type { Day } from "../planning/time/days.ts";
import { dayOf, optionalDay } from "./plan.ts";
import { demandOf } from "./scenarios.ts";

/** A demand's days that are still to come, and how free a person is in them. */

export interface Stretch {
  start: Day;
  /** Included. */
  end: Day;
}

/** Without an end a demand is looked at for half a year. */
const OPEN_ENDED_DAYS = 182;

/** null: it has no start, or lies behind us. */
export function stretchOf(row: InputDemand, deal: InputDeal, { today, from, weeks }: Staffing): Stretch | null {
  const { start, end } = spanOf(demandOf(row), {
    id: deal.id,
    name: deal.name,
    clientId: null,
    stage: deal.stage,
    value: 0,
    rate: null,
    closeDay: null,
    startDay: optionalDay(deal.start_date),
    durationDays: deal.duration,
  });
  if (start === null) return null;
  const first = Math.max(start, dayOf(today));
  const last = Math.min(end ?? first + OPEN_ENDED_DAYS, dayOf(from) + 7 * weeks - 1);
  return last < first ? null : { start: first, end: last };
}

/** A category asks for any of its skills. */
export function wantedOf(row: InputDemand): SkillWanted {
  return { skill: row.skill, level: row.level, alternatives: row.alternatives };
}

export function heldOf({ skills }: StaffingPerson, row: InputDemand): SkillHeld[] {
  return skills.map(({ skill, category, level, years }) => ({
    skill: row.is_category && category === row.skill ? row.skill : skill,
    level,
    years,
  }));
}

export interface FullWeeks {
  pattern: WeekPattern;
  holidays: Holidays;
  from: Day;
}

export function fullWeeksOf({ calendar, from }: Staffing): FullWeeks {
  return {
    pattern: calendar.hours as unknown as WeekPattern,
    holidays: new Map(calendar.holidays.map(({ day, share }) => [dayOf(day), share])),
    from: dayOf(from),
  };
}

/** Full working hours of the days of a stretch that lie in each of its weeks, by week of the horizon. */
export function hoursByWeek({ start, end }: Stretch, { pattern, holidays, from }: FullWeeks): Map<number, number> {
  const hours = new Map<number, number>();
  for (let week = Math.floor((start - from) / 7); from + 7 * week <= end; week++) {
    const monday = from + 7 * week;
    hours.set(week, hoursBetween(Math.max(start, monday), Math.min(end, monday + 6), pattern, holidays));
  }
  return hours;
}

/** Who is away for more than this of the time cannot take a place; a holiday in between does not stop anybody. */
const MOST_AWAY = 0.25;

/**
 * The share of a full-time week that somebody can give throughout a stretch: the least of the weeks in which they are
 * there at all.
 */
export function steadyShare(person: StaffingPerson, stretch: Stretch, weeks: FullWeeks): number {
  const contract = person.contract ?? 0;
  let share = contract;
  let [there, usual] = [0, 0];
  for (const [week, full] of hoursByWeek(stretch, weeks)) {
    // A week without working days asks for nobody.
    const whole = hoursBetween(weeks.from + 7 * week, weeks.from + 7 * week + 6, weeks.pattern, weeks.holidays);
    if (full === 0 || whole === 0) continue;
    const { capacity, free } = person.weeks.get(week) ?? { capacity: 0, free: 0 };
    there += Math.min(capacity, contract * whole) * (full / whole);
    usual += contract * full;
    if (capacity > 0) share = Math.min(share, contract * (free / capacity));
  }
  return usual === 0 || there < (1 - MOST_AWAY) * usual ? 0 : share;
}
