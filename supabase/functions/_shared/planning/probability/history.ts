import type { Day } from "../time/days.ts";

/** One row of the stage history. Rows of one deal are in the order in which they happened. */
export interface StageEntry {
  dealId: string;
  /** null: the deal's first stage. */
  from: string | null;
  to: string;
  at: Day;
}

export type StageKind = "open" | "won" | "lost" | "on_hold";

export interface StageCount {
  /** Deals that were ever in the stage. */
  entered: number;
  /** Of these: won, lost, and neither so far, as they stand at the end of the history. */
  won: number;
  lost: number;
  open: number;
  /** Of these: left to a later open stage or to won. The numerator of stage to stage conversion. */
  advanced: number;
}

interface Stage {
  kind: StageKind;
  position: number;
}

/**
 * What became of the deals that were once in each stage, from the history and not from where they stand now. A deal
 * that came back to a stage counts once. A deal that skipped a stage was never in it. One that was won, reopened and
 * lost is lost.
 */
export function countStages(
  history: readonly StageEntry[],
  stages: ReadonlyMap<string, Stage>,
): Map<string, StageCount> {
  const counts = new Map<string, StageCount>();
  for (const entries of byDeal(history).values()) {
    const path = entries.map((entry) => entry.to);
    const end = stages.get(path.at(-1) ?? "")?.kind ?? "open";
    for (const key of new Set(path)) {
      const count = counts.get(key) ?? { entered: 0, won: 0, lost: 0, open: 0, advanced: 0 };
      count.entered++;
      count[end === "won" || end === "lost" ? end : "open"]++;
      if (hasAdvanced(path, key, stages)) count.advanced++;
      counts.set(key, count);
    }
  }
  return counts;
}

function byDeal(history: readonly StageEntry[]): Map<string, StageEntry[]> {
  const deals = new Map<string, StageEntry[]>();
  for (const entry of history) {
    const entries = deals.get(entry.dealId);
    if (entries === undefined) deals.set(entry.dealId, [entry]);
    else entries.push(entry);
  }
  return deals;
}

function hasAdvanced(path: readonly string[], key: string, stages: ReadonlyMap<string, Stage>): boolean {
  const here = stages.get(key)?.position ?? Number.POSITIVE_INFINITY;
  return path.slice(path.indexOf(key) + 1).some((later) => {
    const stage = stages.get(later);
    return stage?.kind === "won" || (stage?.kind === "open" && stage.position > here);
  });
}
