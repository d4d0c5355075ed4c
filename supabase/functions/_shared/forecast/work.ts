import type { ForecastInputs, InputDemand } from "../db/sql/forecast.ts";
import { type Holidays, hoursBetween, hoursOn, type WeekPattern } from "../planning/capacity/calendar.ts";
import { demandHours, spanOf } from "../planning/capacity/demand.ts";
import type { DemandLine, Plan, PlanDeal } from "../planning/forecast/plan.ts";
import type { Day } from "../planning/time/days.ts";
import { type Periods, periodsFrom } from "../planning/time/periods.ts";
import type { Json } from "./answer.ts";
import { dayOf, optionalDay } from "./plan.ts";

/** The hours that deals ask for, by week and group: a skill, or a skill and a level. */

/** Weeks before the horizon that a slipped deal may bring into it. */
export const LEAD_WEEKS = 52;

export interface Calendar {
  pattern: WeekPattern;
  holidays: Holidays;
}

export const groupKey = (skill: string, level: string | null, byLevel: boolean) =>
  byLevel ? `${skill}\u0000${level ?? ""}` : skill;

export function partsOf(group: string): { key: string; level: string | null } {
  const [key = "", level = ""] = group.split("\u0000");
  return { key, level: level === "" ? null : level };
}

export function calendarOf({ calendar }: ForecastInputs): Calendar {
  const { hours = [8, 8, 8, 8, 8, 0, 0], holidays = [] } = calendar ?? {};
  return {
    pattern: hours as unknown as WeekPattern,
    holidays: new Map(holidays.map(({ day, share }) => [dayOf(day), share])),
  };
}

export interface Profile {
  dealId: string;
  group: string;
  critical: boolean;
  /** By week. */
  hours: Float64Array;
  /** What is asked for on one day, without what is promised already: how the hours of a week lie in it. */
  onDay: (day: Day) => number;
}

export interface Work {
  profiles: Profile[];
  /** Those of the profiles: the horizon and the weeks before it. */
  weeks: Periods;
  undated: Json;
  /** Groups that are a category of skills, not one skill. */
  categories: ReadonlySet<string>;
}

export function workOf(
  plan: Plan,
  counted: ReadonlyMap<string, PlanDeal>,
  rows: readonly InputDemand[],
  periods: Periods,
  calendar: Calendar,
  byLevel: boolean,
): Work {
  const stored = new Map(rows.map((row) => [row.id, row]));
  const weeks = withLead(periods);
  const profiles: Profile[] = [];
  const undated: Json[] = [];
  for (const line of plan.demands) {
    const deal = counted.get(line.dealId);
    if (deal === undefined) continue;
    if (spanOf(line, deal).start === null) {
      undated.push({ demand_id: line.id, pipeline_project_id: deal.id, name: deal.name, skill: line.skill });
      continue;
    }
    const hours = demandHours(line, deal, weeks, calendar.pattern, calendar.holidays);
    const left = withoutStaffed(hours, stored.get(line.id), weeks, calendar);
    profiles.push({
      dealId: deal.id,
      group: groupKey(line.skill, line.level, byLevel),
      critical: line.critical,
      hours: left,
      onDay: leftOnDay(line, deal, stored.get(line.id), calendar),
    });
  }
  const categories = new Set(rows.filter(({ is_category }) => is_category).map(({ skill }) => skill));
  return { profiles, weeks, undated, categories };
}

/** Who is promised to a demand already is not asked for again. */
function withoutStaffed(
  hours: Float64Array,
  row: InputDemand | undefined,
  weeks: Periods,
  { pattern, holidays }: Calendar,
): Float64Array {
  if (row === undefined || row.staffed.length === 0) return hours;
  return hours.map((asked, week) => {
    const [monday, next] = [weeks.starts[week] as number, weeks.starts[week + 1] as number];
    const given = row.staffed.reduce((sum, { start_date, end_date, percentage }) => {
      const from = Math.max(monday, optionalDay(start_date) ?? monday);
      const to = Math.min(next - 1, optionalDay(end_date) ?? next);
      return sum + (percentage / 100) * hoursBetween(from, to, pattern, holidays);
    }, 0);
    return Math.max(0, asked - given);
  });
}

function leftOnDay(
  line: DemandLine,
  deal: PlanDeal,
  row: InputDemand | undefined,
  { pattern, holidays }: Calendar,
): (day: Day) => number {
  const { start, end } = spanOf(line, deal);
  const given = (row?.staffed ?? []).map(({ start_date, end_date, percentage }) => ({
    start: optionalDay(start_date),
    end: optionalDay(end_date),
    people: percentage / 100,
  }));
  const on = (day: Day, from: Day | null, to: Day | null) => day >= (from ?? day) && day <= (to ?? day);
  return (day) => {
    if (!on(day, start, end)) return 0;
    const promised = given.reduce((sum, one) => sum + (on(day, one.start, one.end) ? one.people : 0), 0);
    return Math.max(0, line.count * line.allocation - promised) * hoursOn(day, pattern, holidays);
  };
}

export interface GroupHours {
  hours: Float64Array;
  weighted: Float64Array;
  critical: Float64Array;
}

/** The weeks of the horizon and those before it. */
function withLead(periods: Periods): Periods {
  const lead = periodsFrom((periods.starts[0] as number) - 7 * LEAD_WEEKS, LEAD_WEEKS, "week");
  return {
    grain: "week",
    count: LEAD_WEEKS + periods.count,
    starts: Int32Array.of(...lead.starts.subarray(0, LEAD_WEEKS), ...periods.starts),
    labels: [...lead.labels, ...periods.labels],
  };
}

/** Additions that one run of a demand forecast takes, on average. */
export function additionsOf(profiles: readonly Profile[], rateOf: (id: string) => number): number {
  return profiles.reduce(
    (sum, { dealId, hours }) => sum + rateOf(dealId) * hours.reduce((weeks, one) => weeks + (one > 0 ? 1 : 0), 0),
    0,
  );
}

/** By week, or by day where the hours of the profiles are; `lead` of them lie before the horizon. */
export function weightedHours(
  profiles: Iterable<Omit<Profile, "onDay">>,
  rateOf: (id: string) => number,
  count: number,
  lead = LEAD_WEEKS,
): Map<string, GroupHours> {
  const byGroup = new Map<string, GroupHours>();
  for (const { dealId, group, critical, hours } of profiles) {
    const sums = byGroup.get(group) ?? {
      hours: new Float64Array(count),
      weighted: new Float64Array(count),
      critical: new Float64Array(count),
    };
    byGroup.set(group, sums);
    for (let at = 0; at < count; at++) {
      const asked = hours[at + lead] as number;
      sums.hours[at] = (sums.hours[at] as number) + asked;
      sums.weighted[at] = (sums.weighted[at] as number) + asked * rateOf(dealId);
      if (critical) sums.critical[at] = (sums.critical[at] as number) + asked;
    }
  }
  return byGroup;
}
