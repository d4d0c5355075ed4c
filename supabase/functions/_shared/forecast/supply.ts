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

/** Givers times edges, over all weeks: beyond that who fits best is not asked, only how much can be covered. */
const MOST_STEPS = 5_000_000;

export interface Team {
  supply: readonly InputSupply[];
  demands: readonly DemandLine[];
  /** Groups that ask for a category of skills and not for one. */
  categories: ReadonlySet<string>;
  /** Of the supply. */
  periods: number;
  byLevel: boolean;
}

export function* coverWeeks(asked: ReadonlyMap<string, GroupHours>, team: Team): Generator<number, Covered, void> {
  const groups = [...asked.keys()].sort();
  const serves = servesEach(groups, team);
  const edges = serves.reduce((sum, { length }) => sum + length, 0);
  const own = edges * team.supply.length * team.periods > MOST_STEPS ? serves.map(withoutCosts) : serves;
  const hours = team.supply.map((one) => new Map(one.hours));
  const covered = groups.map(() => new Float64Array(team.periods));
  const reach = addedUp(groups, serves, team);
  for (let week = 0; week < team.periods; week++) {
    const found = coverAsks(asksOf(groups, asked, week), givers(hours, own, week)).covered;
    for (const [index, group] of groups.entries()) add(covered[index], week, (found.get(group) ?? 0) / 60);
    yield week;
  }
  return {
    covered: (group, week) => covered[groups.indexOf(group)]?.[week] ?? 0,
    reach: (group, week) => reach.get(group)?.[week] ?? 0,
  };
}

/** Free hours of all who could serve each group, by the periods of the supply. */
export function reachOf(groups: readonly string[], team: Team): Map<string, Float64Array> {
  return addedUp(groups, servesEach(groups, team), team);
}

function addedUp(groups: readonly string[], serves: readonly Giver["serves"][], team: Team): Map<string, Float64Array> {
  const reach = new Map(groups.map((group) => [group, new Float64Array(team.periods)]));
  for (const [index, own] of serves.entries())
    for (const { key } of own)
      for (const [period, hours] of team.supply[index]?.hours ?? []) add(reach.get(key), period, hours);
  return reach;
}

function servesEach(groups: readonly string[], team: Team): Giver["serves"][] {
  const others = alternativesOf(team);
  return team.supply.map((one) => groups.flatMap((group) => servesOf(one, group, others.get(group) ?? [], team)));
}

const withoutCosts = (serves: Giver["serves"]): Giver["serves"] => serves.map(({ key }) => ({ key, cost: 0 }));

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

/** What else would do, by group: whatever any of its demands names. */
function alternativesOf({ demands, byLevel }: Team): Map<string, string[]> {
  const found = new Map<string, Set<string>>();
  for (const { skill, level, alternatives } of demands) {
    const group = groupKey(skill, level, byLevel);
    const known = found.get(group) ?? new Set();
    for (const other of alternatives) known.add(other);
    found.set(group, known);
  }
  return new Map([...found].map(([group, others]) => [group, [...others]]));
}

/** The worse the match, the dearer: so that people go first to what they are best at. */
function servesOf(
  { skills }: InputSupply,
  group: string,
  alternatives: readonly string[],
  { categories, byLevel }: Team,
): Giver["serves"] {
  const { key, level } = partsOf(group);
  const held: SkillHeld[] = skills.map(({ skill, category, level: has }) => ({
    skill: categories.has(key) && category === key ? key : skill,
    level: has,
    years: null,
  }));
  const match = matchSkill({ skill: key, level: byLevel ? level : null, alternatives }, held);
  return match === null ? [] : [{ key: group, cost: 100 - match.score }];
}
