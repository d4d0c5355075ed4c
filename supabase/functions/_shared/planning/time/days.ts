/**
 * A day as a whole number: days since 1970-01-01. Days have no hour and no zone, so no change of the clock can shorten
 * a week; whoever has an instant turns it into a day of the workspace's time zone first.
 */
export type Day = number;

const MS_PER_DAY = 86_400_000;
/** The year 0 is unknown to the database. */
const ISO_DAY = /^(?!0000)\d{4}-\d{2}-\d{2}$/;

/** null: not a day of the calendar (2026-02-30). */
export function parseDay(text: string): Day | null {
  if (!ISO_DAY.test(text)) return null;
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && formatDay(time / MS_PER_DAY) === text ? time / MS_PER_DAY : null;
}

export function formatDay(day: Day): string {
  return new Date(day * MS_PER_DAY).toISOString().slice(0, 10);
}

/** 1 Monday … 7 Sunday, as ISO 8601 and extract(isodow) count. */
export function isoWeekday(day: Day): number {
  // 1970-01-01 was a Thursday.
  return ((((day + 3) % 7) + 7) % 7) + 1;
}

export function mondayOf(day: Day): Day {
  return day - isoWeekday(day) + 1;
}

export function monthStart(day: Day, monthsLater = 0): Day {
  const date = new Date(day * MS_PER_DAY);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + monthsLater, 1) / MS_PER_DAY;
}
