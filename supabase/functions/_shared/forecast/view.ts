import { type Mover, moverOfWeeks } from "../planning/forecast/simulateDemand.ts";
import type { Periods } from "../planning/time/periods.ts";
import type { Covered } from "./supply.ts";
import { type GroupHours, LEAD_WEEKS, type Profile } from "./work.ts";

/** A demand forecast as it is shown: by week, or by month (months.ts). */
export interface View {
  periods: Periods;
  mover(profile: Profile): () => Mover;
  figures(covered: Covered): (group: string) => Figures;
}

/** Of one group, by period. */
export interface Figures extends GroupHours {
  supply: ArrayLike<number>;
  gap: ArrayLike<number>;
}

/** What of `weighted` remains, by week, when the people serve all groups at once. */
export function gapOf(group: string, weighted: Float64Array, covered: Covered): Float64Array {
  return weighted.map((asked, week) => Math.max(0, asked - covered.covered(group, week)));
}

export function weeklyView(asked: ReadonlyMap<string, GroupHours>, periods: Periods): View {
  const none = new Float64Array(periods.count);
  return {
    periods,
    mover:
      ({ hours }) =>
      () =>
        moverOfWeeks(hours, LEAD_WEEKS, periods.count),
    figures: (covered) => (group) => {
      const sums = asked.get(group) ?? { hours: none, weighted: none, critical: none };
      return {
        ...sums,
        supply: none.map((_, week) => covered.reach(group, week)),
        gap: gapOf(group, sums.weighted, covered),
      };
    },
  };
}
