import { commonShareOf } from "../../supabase/functions/_shared/planning/probability/clusters.ts";
import { PRIOR_WEIGHT } from "../../supabase/functions/_shared/planning/probability/smoothing.ts";
import { type Day, monthStart } from "../../supabase/functions/_shared/planning/time/days.ts";
import {
  type AgeOutlook,
  landmarkClusters,
  outlooksByAge,
} from "../../supabase/functions/_shared/planning/timing/landmarks.ts";
import type { MavenDeal } from "./maven.ts";

/** The default probability of the stage that Engaging is mapped to. */
export const STAGE_DEFAULT = 0.4;
/** Months of age; what is older than four is one band. */
export const BANDS = { bandDays: 30, bands: 5 };

/** A deal as it was known on a day: nothing of what came later is in it. */
export interface KnownDeal {
  deal: MavenDeal;
  open: boolean;
}

export function knownOn(deals: readonly MavenDeal[], day: Day): KnownDeal[] {
  return deals
    .filter(({ engaged }) => engaged < day)
    .map((deal) => ({ deal, open: deal.closed === null || deal.closed >= day }));
}

/** What that day's past teaches. */
export interface Lessons {
  /** By band of age. */
  outlooks: AgeOutlook[];
  /** How alike deals of one quarter are. */
  commonShare: number;
  /** Won of the closed ones, as counted; null before the first closing. */
  winRate: number | null;
  /** What a won deal brought, of its list price. */
  priceRatio: number;
}

export function lessonsOn(known: readonly KnownDeal[], day: Day): Lessons {
  const closed = known.filter(({ open }) => !open).map(({ deal }) => deal);
  const won = closed.filter(({ end }) => end === "won");
  const past = known.map(({ deal, open }) => ({
    opened: deal.engaged,
    closed: open ? null : deal.closed,
    won: !open && deal.end === "won",
  }));
  const rules = {
    asOf: day,
    landmarks: [3, 6, 9].map((back) => monthStart(day, -back)),
    daysAhead: monthStart(day, 3) - day,
    ...BANDS,
    prior: { rate: STAGE_DEFAULT, weight: PRIOR_WEIGHT },
  };
  const commonShare = commonShareOf(landmarkClusters(past, rules));
  return {
    outlooks: outlooksByAge(past, { ...rules, commonShare }),
    commonShare,
    winRate: closed.length === 0 ? null : won.length / closed.length,
    priceRatio:
      won.length === 0 ? 1 : total(won.map(({ value }) => value)) / total(won.map(({ listPrice }) => listPrice)),
  };
}

export const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
