import type { ForecastInputs, InputSupply } from "../db/sql/forecast.ts";
import type { Mover } from "../planning/forecast/simulateDemand.ts";
import { type Day, formatDay, isoWeekday } from "../planning/time/days.ts";
import { type Periods, periodOf, periodsFrom } from "../planning/time/periods.ts";
import { dayOf } from "./plan.ts";
import type { ResourceRequest } from "./requests.ts";
import { type Covered, reachOf, type Team } from "./supply.ts";
import { gapOf, type View } from "./view.ts";
import { type GroupHours, LEAD_WEEKS, type Profile, type Work, weightedHours } from "./work.ts";

/**
 * A demand forecast by month. Hours lie on the days of the work, so a month has those of its own days, and months add
 * up to the weeks that they are made of.
 */
export interface Months {
  periods: Periods;
  /** All that the months touch, and at least those in which somebody may have to be hired. */
  weeks: Periods;
  /** The weeks, cut where a month begins: what free hours are given by. */
  parts: Periods;
}

/** null: by week. */
export function monthsOf({ grain, forecast_months }: ResourceRequest, { borders }: ForecastInputs, asOf: Day) {
  if (grain !== "month" || borders === undefined) return null;
  const days = borders.map(dayOf);
  const months: Months = {
    periods: periodsFrom(asOf, forecast_months, "month"),
    weeks: between(days.filter((day) => isoWeekday(day) === 1)),
    parts: between(days),
  };
  return months;
}

function between(days: readonly Day[]): Periods {
  return {
    grain: "week",
    count: days.length - 1,
    starts: Int32Array.from(days),
    labels: days.slice(0, -1).map(formatDay),
  };
}

/** The same free hours by longer periods; what lies in none of them is left out. */
export function supplyBy(periods: Periods, parts: Periods, supply: readonly InputSupply[]): InputSupply[] {
  const at = Array.from(parts.starts, (day) => periodOf(periods, day));
  return supply.map(({ skills, hours }) => {
    const sums = new Float64Array(periods.count);
    for (const [part, free] of hours) {
      const period = at[part] as number;
      if (period >= 0 && period < periods.count) sums[period] = (sums[period] as number) + free;
    }
    return { skills, hours: Array.from(sums, (sum, period): [number, number] => [period, sum]) };
  });
}

/** The hours of each week on its days, as the work lies in the week. */
function hoursByDay({ hours, onDay }: Profile, monday: Day): Float64Array {
  const byDay = new Float64Array(7 * hours.length);
  for (const [week, sum] of hours.entries()) {
    if (sum === 0) continue;
    const days = Array.from({ length: 7 }, (_, day) => onDay(monday + 7 * week + day));
    const whole = days.reduce((total, one) => total + one, 0);
    for (const [day, one] of days.entries()) byDay[7 * week + day] = (sum * one) / whole;
  }
  return byDay;
}

/** Work that begins later by whole weeks has each day's hours on that weekday. */
export function moverOfMonths(profile: Profile, weeks: Periods, { starts, count }: Periods): Mover {
  const monday = weeks.starts[0] as number;
  const running = new Float64Array(7 * weeks.count + 1);
  for (const [day, hours] of hoursByDay(profile, monday).entries()) running[day + 1] = (running[day] as number) + hours;
  const until = (day: Day) => running[Math.max(0, Math.min(running.length - 1, day - monday))] as number;
  return (later) => {
    const hours = Float64Array.from(
      { length: count },
      (_, month) => until((starts[month + 1] as number) - 7 * later) - until((starts[month] as number) - 7 * later),
    );
    const first = hours.findIndex((one) => one > 0);
    return first === -1
      ? { first: 0, hours: hours.subarray(0, 0) }
      : { first, hours: hours.subarray(first, hours.findLastIndex((one) => one > 0) + 1) };
  };
}

interface Asked {
  work: Work;
  rateOf: (id: string) => number;
  /** By week. */
  asked: ReadonlyMap<string, GroupHours>;
  /** Free hours by month. */
  team: Team;
}

export function monthlyView({ periods, weeks }: Months, { work, rateOf, asked, team }: Asked): View {
  const monday = work.weeks.starts[0] as number;
  const byDay = weightedHours(inDays(work.profiles, monday), rateOf, 7 * weeks.count, 7 * LEAD_WEEKS);
  const reach = reachOf([...asked.keys()], team);
  const inMonths = (days: Float64Array) => addDays(days, weeks.starts[0] as number, periods);
  const none = new Float64Array(7 * weeks.count);
  return {
    periods,
    mover: (profile) => () => moverOfMonths(profile, work.weeks, periods),
    figures: (covered: Covered) => (group) => {
      const days = byDay.get(group) ?? { hours: none, weighted: none, critical: none };
      return {
        hours: inMonths(days.hours),
        weighted: inMonths(days.weighted),
        critical: inMonths(days.critical),
        supply: reach.get(group) ?? new Float64Array(periods.count),
        gap: inMonths(gapByDay(group, days.weighted, asked.get(group)?.weighted ?? new Float64Array(0), covered)),
      };
    },
  };
}

/** One after the other: all days of all demands at once would be too many. */
function* inDays(profiles: readonly Profile[], monday: Day): Generator<Omit<Profile, "onDay">> {
  for (const profile of profiles) yield { ...profile, hours: hoursByDay(profile, monday) };
}

function addDays(days: Float64Array, first: Day, { starts, count }: Periods): Float64Array {
  return Float64Array.from({ length: count }, (_, month) =>
    days
      .subarray((starts[month] as number) - first, (starts[month + 1] as number) - first)
      .reduce((sum, hours) => sum + hours, 0),
  );
}

/** What a week lacks is lacking on the days of its work: free time of one week does no work of another. */
function gapByDay(group: string, byDay: Float64Array, byWeek: Float64Array, covered: Covered): Float64Array {
  const gaps = gapOf(group, byWeek, covered);
  return byDay.map((asked, day) => {
    const week = Math.floor(day / 7);
    return asked === 0 ? 0 : (asked * (gaps[week] as number)) / (byWeek[week] as number);
  });
}
