/** Levels in their order; a level that is not among them cannot be compared and matches only itself. */
export const LEVELS = ["junior", "mid", "senior", "lead", "principal"] as const;

export interface SkillWanted {
  skill: string;
  level: string | null;
  /** Best first. */
  alternatives: readonly string[];
}

export interface SkillHeld {
  skill: string;
  level: string | null;
  years: number | null;
}

export type MatchKind = "exact" | "level_up" | "level_down" | "alternative";

export interface SkillMatch {
  kind: MatchKind;
  /** 0 to 100. */
  score: number;
  held: SkillHeld;
  /** Levels above (below: negative) what was asked; 0 where nobody asked or it cannot be compared. */
  levels: number;
}

/**
 * Points taken from 100. More than asked costs less than less than asked; one level is a stretch, two are another
 * person.
 */
const ABOVE_PER_LEVEL = 5;
const BELOW_PER_LEVEL = 25;
const MOST_BELOW = 1;
/** The first alternative, and each further one. */
const ALTERNATIVE = 20;
const NEXT_ALTERNATIVE = 5;

/** The best way in which somebody's skills answer what is asked; null when none does. */
export function matchSkill(wanted: SkillWanted, held: readonly SkillHeld[]): SkillMatch | null {
  const matches = held.flatMap((one) => {
    const match = matchOne(wanted, one);
    return match === null ? [] : [match];
  });
  return matches.sort((a, b) => b.score - a.score || (a.held.skill < b.held.skill ? -1 : 1))[0] ?? null;
}

function matchOne(wanted: SkillWanted, held: SkillHeld): SkillMatch | null {
  const place = [wanted.skill, ...wanted.alternatives].indexOf(held.skill);
  if (place === -1) return null;
  const levels = levelDifference(wanted.level, held.level);
  if (levels === null || levels < -MOST_BELOW) return null;
  const score = 100 - levelCost(levels) - (place === 0 ? 0 : ALTERNATIVE + NEXT_ALTERNATIVE * (place - 1));
  return { kind: place > 0 ? "alternative" : kindOf(levels), score: Math.max(1, score), held, levels };
}

function kindOf(levels: number): MatchKind {
  if (levels === 0) return "exact";
  return levels > 0 ? "level_up" : "level_down";
}

function levelCost(levels: number): number {
  return levels >= 0 ? levels * ABOVE_PER_LEVEL : -levels * BELOW_PER_LEVEL;
}

/** null: not comparable. Who asks for no level takes any; somebody without a level counts as one below. */
function levelDifference(wanted: string | null, held: string | null): number | null {
  if (wanted === null || wanted === held) return 0;
  if (held === null) return -1;
  const want = LEVELS.indexOf(wanted as "mid");
  const have = LEVELS.indexOf(held as "mid");
  return want === -1 || have === -1 ? null : have - want;
}
