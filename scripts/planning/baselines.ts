import { type Day, monthStart } from "../../supabase/functions/_shared/planning/time/days.ts";
import { type KnownDeal, type Lessons, STAGE_DEFAULT, total } from "./asOf.ts";
import type { Scope } from "./quarter.ts";

/** What a person would say without a model. */
export interface Baselines {
  /** Value × the default probability of the stage, all of it in this quarter. */
  naive: number;
  /** Value × the share of closed deals that were won. Null before the first closing. */
  win_rate: number | null;
  /** What the last quarter brought. */
  last_quarter: number;
}

export function baselinesOf(known: readonly KnownDeal[], lessons: Lessons, day: Day, scope: Scope): Baselines {
  const open = total(known.filter((deal) => deal.open).map(({ deal }) => deal.listPrice));
  const start = monthStart(day, -3);
  const last = known.filter(({ deal, open: isOpen }) => {
    const wonThen = !isOpen && deal.end === "won" && (deal.closed as Day) >= start;
    return wonThen && (scope === "all" || deal.engaged < start);
  });
  return {
    naive: open * STAGE_DEFAULT,
    win_rate: lessons.winRate === null ? null : open * lessons.winRate,
    last_quarter: total(last.map(({ deal }) => deal.value)),
  };
}
