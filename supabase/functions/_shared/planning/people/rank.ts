import { matchSkill, type SkillHeld, type SkillMatch, type SkillWanted } from "./match.ts";

export interface Candidate {
  id: string;
  name: string;
  skills: readonly SkillHeld[];
  /** Free share of the hours that the demand asks of one person, over its whole span: 0 to 1. */
  freeShare: number;
}

export interface RankedCandidate {
  id: string;
  match: SkillMatch;
  freeShare: number;
  /** 0 to 100: match × free share. */
  score: number;
  reasons: string[];
}

/**
 * Who could take one place of a demand, best first; whoever lacks the skill is not in the list, whoever lacks the time
 * is, with 0.
 */
export function rankCandidates(wanted: SkillWanted, candidates: readonly Candidate[]): RankedCandidate[] {
  const ranked = candidates.flatMap((candidate) => {
    const match = matchSkill(wanted, candidate.skills);
    if (match === null) return [];
    const freeShare = Math.min(1, Math.max(0, candidate.freeShare));
    const score = Math.round(match.score * freeShare);
    return [{ id: candidate.id, match, freeShare, score, reasons: reasonsFor(wanted, match, freeShare) }];
  });
  return ranked.sort((a, b) => b.score - a.score || b.match.score - a.match.score || (a.id < b.id ? -1 : 1));
}

function reasonsFor(wanted: SkillWanted, { kind, held, levels }: SkillMatch, freeShare: number): string[] {
  const level = held.level === null ? "" : ` ${held.level}`;
  const years = held.years === null ? "" : `, ${held.years} years`;
  const skill =
    kind === "alternative"
      ? `${held.skill}${level}${years}, in place of ${wanted.skill}`
      : `${held.skill}${level}${years}`;
  return [skill, ...levelReason(wanted, levels), freeReason(freeShare)];
}

function levelReason({ level }: SkillWanted, levels: number): string[] {
  if (levels === 0 || level === null) return [];
  const count = `${Math.abs(levels)} level${Math.abs(levels) === 1 ? "" : "s"}`;
  return [`${count} ${levels > 0 ? "above" : "below"} the ${level} that was asked for`];
}

function freeReason(freeShare: number): string {
  if (freeShare >= 1) return "free for all of it";
  if (freeShare <= 0) return "not free in that time";
  return `free for ${Math.round(100 * freeShare)} % of it`;
}
