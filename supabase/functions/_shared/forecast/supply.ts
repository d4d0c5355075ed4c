import type { InputSupply } from "../db/sql/forecast.ts";
import { type Ask, coverAsks, type Giver } from "../planning/assign/coverage.ts";
import type { DemandLine } from "../planning/forecast/plan.ts";
import { matchSkill, type SkillHeld } from "../planning/people/match.ts";
import type { GroupHours } from "./work.ts";
import { groupKey, partsOf } from "./work.ts";

/** Of what is asked for in each week, how much the free people could take on, everybody's hours counted once. */
export interface Covered {
  /** Hours that the team can give to the group when it serves all groups at once. */
  covered(group: string, week: number): number;
  /** Hours of all who could serve the group; these overlap between groups and are never added up. */
  reach(group: string, week: number): number;
}

/** Edges of one week's flow: beyond that a horizon would take more than its share of a function's time. */
const MOST_EDGES = 1_500_000;

interface Team {
  supply: readonly InputSupply[];
  demands: readonly DemandLine[];
  /** Groups that ask for a category of skills and not for one. */
  categories: ReadonlySet<string>;
  weeks: number;
  byLevel: boolean;
}

export function coverWeeks(asked: ReadonlyMap<string, GroupHours>, team: Team): Covered {
  const groups = [...asked.keys()].sort();
  const serves = team.supply.map((one) => groups.flatMap((group) => servesOf(one, group, team)));
  const edges = serves.reduce((sum, { length }) => sum + length, 0) * team.weeks;
  const hours = team.supply.map((one) => new Map(one.hours));
  const covered = groups.map(() => new Float64Array(team.weeks));
  const reach = groups.map(() => new Float64Array(team.weeks));
  for (let week = 0; week < team.weeks; week++) {
    for (const [index, free] of hours.entries())
      for (const { key } of serves[index] ?? []) add(reach[groups.indexOf(key)], week, free.get(week) ?? 0);
    const own = edges > MOST_EDGES ? serves.map((all) => all.slice(0, 1)) : serves;
    const found = coverAsks(asksOf(groups, asked, week), givers(hours, own, week)).covered;
    for (const [index, group] of groups.entries()) add(covered[index], week, (found.get(group) ?? 0) / 60);
  }
  const at = (rows: readonly Float64Array[]) => (group: string, week: number) =>
    rows[groups.indexOf(group)]?.[week] ?? 0;
  return { covered: at(covered), reach: at(reach) };
}

function add(row: Float64Array | undefined, week: number, hours: number): void {
  if (row !== undefined) row[week] = (row[week] as number) + hours;
}

/** Whole minutes. */
function asksOf(groups: readonly string[], asked: ReadonlyMap<string, GroupHours>, week: number): Ask[] {
  return groups.flatMap((key) => {
    const minutes = Math.round(60 * (asked.get(key)?.weighted[week] ?? 0));
    return minutes === 0 ? [] : [{ key, minutes }];
  });
}

function givers(
  hours: readonly ReadonlyMap<number, number>[],
  serves: readonly Giver["serves"][],
  week: number,
): Giver[] {
  return hours.flatMap((free, index) => {
    const minutes = Math.round(60 * (free.get(week) ?? 0));
    const own = serves[index] ?? [];
    return minutes === 0 || own.length === 0 ? [] : [{ id: String(index), minutes, serves: own }];
  });
}

/** The worse the match, the dearer: so that people go first to what they are best at. */
function servesOf({ skills }: InputSupply, group: string, { demands, categories, byLevel }: Team): Giver["serves"] {
  const { key, level } = partsOf(group);
  const held: SkillHeld[] = skills.map(({ skill, category, level: has }) => ({
    skill: categories.has(key) && category === key ? key : skill,
    level: has,
    years: null,
  }));
  const lines = demands.filter((line) => groupKey(line.skill, line.level, byLevel) === group);
  const alternatives = [...new Set(lines.flatMap((line) => line.alternatives))];
  const match = matchSkill({ skill: key, level: byLevel ? level : null, alternatives }, held);
  return match === null ? [] : [{ key: group, cost: 100 - match.score }];
}
