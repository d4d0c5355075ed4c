import { PlanningError } from "../failure.ts";
import type { DemandLine, PlanDeal } from "../forecast/plan.ts";
import type { Day } from "../time/days.ts";
import type { Periods } from "../time/periods.ts";
import { type Holidays, hoursBetween, type WeekPattern } from "./calendar.ts";

export interface DemandSpan {
  /** Both included; null as long as nobody has said when the work begins. */
  start: Day | null;
  /** null: open-ended. */
  end: Day | null;
}

/**
 * When the people are needed: the line's own days, else the deal's. A deal of n days from s ends on s + n - 1, and one
 * of no days needs nobody. A line with a start of its own and no end goes on until the deal ends.
 */
export function spanOf(line: DemandLine, deal: PlanDeal): DemandSpan {
  const start = line.startDay ?? deal.startDay;
  const dealEnd = deal.startDay === null || deal.durationDays === null ? null : deal.startDay + deal.durationDays - 1;
  const end = line.endDay ?? dealEnd;
  if (line.startDay !== null && line.endDay !== null && line.endDay < line.startDay)
    throw new PlanningError("end_before_start", "A demand cannot end before it begins.", `demands.${line.id}`);
  return { start, end };
}

/**
 * Hours by period that one line asks for if its deal is won: count × allocation × the working hours of its days in the
 * period.
 */
export function demandHours(
  line: DemandLine,
  deal: PlanDeal,
  periods: Periods,
  pattern: WeekPattern,
  holidays: Holidays,
): Float64Array {
  const hours = new Float64Array(periods.count);
  const { start, end } = spanOf(line, deal);
  if (start === null) return hours;
  const people = line.count * line.allocation;
  for (let period = 0; period < periods.count; period++) {
    const from = Math.max(start, periods.starts[period] as number);
    const to = Math.min(end ?? Number.POSITIVE_INFINITY, (periods.starts[period + 1] as number) - 1);
    hours[period] = people * hoursBetween(from, to, pattern, holidays);
  }
  return hours;
}
