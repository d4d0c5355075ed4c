/** One line of a deal's demand, and how far it can be staffed: from the assignment of all its places at once. */
export interface StaffedLine {
  demandId: string;
  skill: string;
  places: number;
  critical: boolean;
  /** Match scores (0 to 100) of those who take a place. */
  filled: readonly number[];
}

export interface AvailabilityScore {
  /** 0 to 100; null for a deal that asks for nobody. */
  score: number | null;
  reasons: string[];
}

/**
 * A critical place weighs as much as two others, and an open one caps the score: a deal that lacks its key person
 * cannot be "well staffed".
 */
const CRITICAL_WEIGHT = 2;
const CAP_WITHOUT_CRITICAL = 49;

/**
 * Σ weight × match of the places that can be filled ÷ Σ weight of all places. Places are filled by the assignment, so
 * nobody counts twice.
 */
export function availabilityScore(lines: readonly StaffedLine[]): AvailabilityScore {
  const asked = lines.filter(({ places }) => places > 0);
  if (asked.length === 0) return { score: null, reasons: ["Nobody is asked for yet."] };
  const weightOf = ({ critical }: StaffedLine) => (critical ? CRITICAL_WEIGHT : 1);
  const all = asked.reduce((sum, line) => sum + weightOf(line) * line.places, 0);
  const filled = asked.reduce((sum, line) => sum + weightOf(line) * line.filled.reduce((a, b) => a + b, 0), 0);
  const missing = asked.filter(({ places, filled: taken }) => taken.length < places);
  const capped = missing.some(({ critical }) => critical);
  const score = Math.round(filled / all);
  return {
    score: capped ? Math.min(CAP_WITHOUT_CRITICAL, score) : score,
    reasons: [...missing.map(missingReason), ...stretched(asked)],
  };
}

function missingReason({ skill, places, filled, critical }: StaffedLine): string {
  const lacking = places - filled.length;
  return `${lacking} of ${places} ${skill} cannot be staffed${critical ? ", which is critical" : ""}.`;
}

function stretched(lines: readonly StaffedLine[]): string[] {
  return lines.flatMap(({ skill, filled }) => {
    const others = filled.filter((score) => score < 100).length;
    return others === 0 ? [] : [`${others} of ${filled.length} for ${skill} are not quite what was asked for.`];
  });
}
