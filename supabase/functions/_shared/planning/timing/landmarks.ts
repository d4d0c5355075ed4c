import { type Cluster, COMMON_SHARE, effectiveTrials } from "../probability/clusters.ts";
import { type Prior, type SmoothedRate, smoothedRate } from "../probability/smoothing.ts";
import type { Day } from "../time/days.ts";
import { hazardsOf, type Lifetime, type Outlook, outlookAt } from "./lifetimes.ts";
import { type ShiftTable, tableOfQuantiles } from "./shifts.ts";

/** A deal of the past, as far as it is known. */
export interface PastDeal {
  opened: Day;
  /** null: open as far as is known. */
  closed: Day | null;
  won: boolean;
}

export interface LandmarkRules {
  /** The day from which the outlook is wanted; nothing from that day on is looked at. */
  asOf: Day;
  /** Earlier days like that one, such as the starts of the past quarters. */
  landmarks: readonly Day[];
  daysAhead: number;
  /** Deals are told apart by their age at the landmark, in bands of so many days; the last band has no end. */
  bandDays: number;
  bands: number;
  /** For the youngest band. */
  prior: Prior;
  commonShare?: number;
}

/** What becomes of deals that are open today, by age. */
export interface AgeOutlook extends Outlook {
  rate: SmoothedRate;
}

/**
 * Landmarking (van Houwelingen, Scand. J. Statist. 34, 2007): on each earlier day like today, look at the deals that
 * were open and follow them as far as is known. Within a band of age that gives won and lost by day (Aalen-Johansen).
 * It needs no assumption that a deal which outlived two quarter ends closes like any other of its age, and what is
 * special about the days of a quarter is in it.
 *
 * A band knows little when few were in it, or when they all come from one landmark; it leans on the next younger band.
 */
export function outlooksByAge(deals: readonly PastDeal[], rules: LandmarkRules): AgeOutlook[] {
  return outlooksOf(followDeals(deals, rules), rules);
}

/** The same from lives that were counted elsewhere: a hundred thousand deals are a few thousand counts. */
export function outlooksOf(
  lives: readonly FollowedLife[],
  rules: Omit<LandmarkRules, "asOf" | "landmarks">,
): AgeOutlook[] {
  const { bands, daysAhead, commonShare = COMMON_SHARE } = rules;
  const found: AgeOutlook[] = [];
  let prior = rules.prior;
  let daysToWin = evenly(daysAhead);
  for (let band = 0; band < bands; band++) {
    const here = lives.filter((life) => life.band === band);
    const seen = outlookAt(hazardsOf(here, daysAhead), 0, daysAhead);
    const trials = effectiveTrials(countByLandmark(here), commonShare);
    const rate = {
      ...smoothedRate(seen.won * trials, trials, prior),
      n: here.reduce((sum, { weight = 1 }) => sum + weight, 0),
    };
    if (seen.won > 0) daysToWin = seen.daysToWin;
    found.push({ won: rate.rate, lost: Math.min(seen.lost, 1 - rate.rate), daysToWin, rate });
    prior = { rate: rate.rate, weight: rules.prior.weight };
  }
  return found;
}

/** Nothing is known of when: any day is as good as another. */
function evenly(days: number): ShiftTable {
  return tableOfQuantiles((p) => Math.max(1, Math.ceil(p * days)));
}

export function bandOf(age: number, { bandDays, bands }: Pick<LandmarkRules, "bandDays" | "bands">): number {
  return Math.min(bands - 1, Math.floor(Math.max(0, age) / bandDays));
}

/** What became of all that was open at each landmark, within the days: how much one such time differs from another. */
export function landmarkClusters(deals: readonly PastDeal[], rules: LandmarkRules): Cluster[] {
  const clusters = new Map<Day, Cluster>();
  for (const { landmark, left, end } of followDeals(deals, rules)) {
    const { wins, trials } = clusters.get(landmark) ?? { wins: 0, trials: 0 };
    clusters.set(landmark, { wins: wins + (end === "won" && left <= rules.daysAhead ? 1 : 0), trials: trials + 1 });
  }
  return [...clusters.values()];
}

/** The life of a deal from a landmark on. `weight` deals of the same life may be one entry. */
export interface FollowedLife extends Lifetime {
  band: number;
  landmark: Day;
}

export function followDeals(deals: readonly PastDeal[], rules: LandmarkRules): FollowedLife[] {
  return rules.landmarks.flatMap((landmark) =>
    deals.flatMap((deal): FollowedLife[] => {
      const closed = deal.closed !== null && deal.closed < rules.asOf ? deal.closed : null;
      if (deal.opened >= landmark || (closed !== null && closed < landmark)) return [];
      const left = (closed ?? rules.asOf - 1) - landmark + 1;
      const end = closed === null ? "open" : deal.won ? "won" : "lost";
      return [{ band: bandOf(landmark - 1 - deal.opened, rules), landmark, entered: 0, left, end }];
    }),
  );
}

function countByLandmark(lives: readonly FollowedLife[]): number[] {
  const counts = new Map<Day, number>();
  for (const { landmark, weight = 1 } of lives) counts.set(landmark, (counts.get(landmark) ?? 0) + weight);
  return [...counts.values()];
}
