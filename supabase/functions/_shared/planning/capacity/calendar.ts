import { type Day, isoWeekday } from "../time/days.ts";

/** Hours of a person's full day, Monday first; part-time is less on some days or none. */
export type WeekPattern = readonly [number, number, number, number, number, number, number];

export const FULL_TIME: WeekPattern = [8, 8, 8, 8, 8, 0, 0];

/** Days off for all who follow the calendar: a day, and the share of it that is free (0.5 is a half holiday). */
export type Holidays = ReadonlyMap<Day, number>;

export function hoursOn(day: Day, pattern: WeekPattern, holidays: Holidays): number {
  const hours = pattern[(isoWeekday(day) - 1) as 0] ?? 0;
  return hours * (1 - (holidays.get(day) ?? 0));
}

/** Hours of the days from..to, both included; none when `to` lies before `from`. */
export function hoursBetween(from: Day, to: Day, pattern: WeekPattern, holidays: Holidays): number {
  let hours = 0;
  for (let day = from; day <= to; day++) hours += hoursOn(day, pattern, holidays);
  return hours;
}
