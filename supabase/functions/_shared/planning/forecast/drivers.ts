import { quantileOfSorted } from "../stats/quantile.ts";
import type { DrawnDeal } from "./model.ts";
import type { Cents } from "./money.ts";

/** A deal, and where the middle of the forecast lies when it is won within the horizon and when it is not. */
export interface Driver {
  dealId: string;
  wonP50: Cents;
  lostP50: Cents;
  /** wonP50 - lostP50. */
  swing: Cents;
}

/** Remembers for a few deals in which runs they were won. */
export interface WinRecorder {
  flagsOf(dealId: string): Uint8Array | null;
}

export class DriverRecorder implements WinRecorder {
  readonly #flags = new Map<string, Uint8Array>();

  /**
   * Deals by value × √(rate × (1 - rate)), the standard deviation that each brings in by itself: the rest cannot move
   * much.
   */
  constructor(deals: readonly DrawnDeal[], candidates: number, runs: number) {
    const spread = ({ value, rate }: DrawnDeal) => Math.abs(value) * Math.sqrt(Math.max(0, rate * (1 - rate)));
    const widest = [...deals]
      .filter((deal) => spread(deal) > 0)
      .sort((a, b) => spread(b) - spread(a) || (a.id < b.id ? -1 : 1));
    for (const { id } of widest.slice(0, candidates)) this.#flags.set(id, new Uint8Array(runs));
  }

  flagsOf(dealId: string): Uint8Array | null {
    return this.#flags.get(dealId) ?? null;
  }

  /** Widest swing first. A deal that is won in all runs or in none (beyond the horizon) drives nothing. */
  drivers(totals: Float64Array): Driver[] {
    const found: Driver[] = [];
    for (const [dealId, flags] of this.#flags) {
      const won = totals.filter((_, run) => flags[run] === 1).sort();
      const lost = totals.filter((_, run) => flags[run] === 0).sort();
      if (won.length === 0 || lost.length === 0) continue;
      const wonP50 = Math.round(quantileOfSorted(won, 0.5));
      const lostP50 = Math.round(quantileOfSorted(lost, 0.5));
      found.push({ dealId, wonP50, lostP50, swing: wonP50 - lostP50 });
    }
    return found.sort((a, b) => Math.abs(b.swing) - Math.abs(a.swing) || (a.dealId < b.dealId ? -1 : 1));
  }
}
