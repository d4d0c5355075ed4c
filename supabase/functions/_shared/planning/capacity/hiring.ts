import type { Day } from "../time/days.ts";
import type { Periods } from "../time/periods.ts";

export interface HiringRules {
  /** From opening a position to the first working day. */
  leadWeeks: number;
  /** Hours of one full-time person in a week, after holidays and time off: contract hours × availability. */
  weeklyHours: number;
  /** A gap of fewer weeks is bridged otherwise. */
  minWeeks: number;
}

export interface Hire {
  people: number;
  neededBy: Day;
  /** When the position has to be open. */
  openBy: Day;
  /** That day has passed already: hiring alone does not close the gap. */
  late: boolean;
}

/**
 * People to hire for one skill and level. In week w ⌈gap ÷ weekly hours⌉ people are missing; a level of people that is
 * missing for `minWeeks` weeks on end is hired for its first week, and who was hired for an earlier week is there.
 * Fractions below 5 % of a person are rounding.
 */
export function hiringNeed(gapHours: ArrayLike<number>, weeks: Periods, today: Day, rules: HiringRules): Hire[] {
  const missing = Array.from({ length: weeks.count }, (_, week) =>
    Math.max(0, Math.ceil((gapHours[week] ?? 0) / rules.weeklyHours - 0.05)),
  );
  const hires: Hire[] = [];
  let hired = 0;
  for (let week = 0; week < weeks.count; week++) {
    const lasting = Math.min(...missing.slice(week, week + rules.minWeeks));
    if (week + rules.minWeeks > weeks.count || lasting <= hired) continue;
    const neededBy = weeks.starts[week] as number;
    const openBy = neededBy - 7 * rules.leadWeeks;
    hires.push({ people: lasting - hired, neededBy, openBy, late: openBy < today });
    hired = lasting;
  }
  return hires;
}
