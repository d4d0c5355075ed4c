import type { Day } from "../time/days.ts";
import type { Periods } from "../time/periods.ts";
import { type Holidays, hoursOn, type WeekPattern } from "./calendar.ts";

/** Days, both included; an end of null has no end. */
export interface Stretch {
  start: Day;
  end: Day | null;
  /** 0 to 1 of the person's day. */
  share: number;
}

export interface Worker {
  employed: { start: Day; end: Day | null };
  pattern: WeekPattern;
  holidays: Holidays;
  timeOff: readonly Stretch[];
  /** Firm ones: promised work. */
  allocations: readonly Stretch[];
}

/** Hours of one person in one period. */
export interface SupplyHours {
  /** Contract, without holidays and time off. */
  capacity: number;
  allocated: number;
  /** capacity - allocated; below 0 the person is over-allocated in the period. */
  free: number;
  /** Hours promised beyond the day's own, summed over the days: over-allocation that the rest of the week cannot hide. */
  over: number;
}

/**
 * A half day off on a half holiday leaves a quarter: shares are of what is left. Two holidays of the same person on
 * one day take at most the day.
 */
export function supplyHours(worker: Worker, periods: Periods): SupplyHours[] {
  return Array.from({ length: periods.count }, (_, period) => {
    const hours = { capacity: 0, allocated: 0, free: 0, over: 0 };
    for (let day = periods.starts[period] as number; day < (periods.starts[period + 1] as number); day++)
      addDay(hours, worker, day);
    hours.free = hours.capacity - hours.allocated;
    return hours;
  });
}

function addDay(hours: SupplyHours, worker: Worker, day: Day): void {
  if (!within(day, worker.employed)) return;
  const present = hoursOn(day, worker.pattern, worker.holidays) * (1 - Math.min(1, shareOn(worker.timeOff, day)));
  const promised = present * shareOn(worker.allocations, day);
  hours.capacity += present;
  hours.allocated += promised;
  hours.over += Math.max(0, promised - present);
}

function shareOn(stretches: readonly Stretch[], day: Day): number {
  return stretches.reduce((sum, stretch) => sum + (within(day, stretch) ? stretch.share : 0), 0);
}

function within(day: Day, { start, end }: { start: Day; end: Day | null }): boolean {
  return day >= start && (end === null || day <= end);
}
