import { type Prior, type SmoothedRate, smoothedRate } from "./smoothing.ts";

/** Deals that closed in the same stretch of time, and so under the same weather. */
export interface Cluster {
  wins: number;
  trials: number;
}

/** How alike the deals of one cluster are: the share of the variance that they have in common. */
export const COMMON_SHARE = 0.05;

/**
 * A rate from deals that closed together. Six hundred deals of a single good month are not six hundred witnesses: each cluster counts as
 * n / (1 + (n - 1)·ρ) of them (the design effect of Kish, Survey Sampling, 1965), at most 1/ρ, so that it takes several months to be sure.
 */
export function clusteredRate(clusters: readonly Cluster[], prior: Prior, commonShare = COMMON_SHARE): SmoothedRate {
  let wins = 0;
  let trials = 0;
  let seen = 0;
  for (const cluster of clusters) {
    if (cluster.trials === 0) continue;
    const weight = 1 / (1 + (cluster.trials - 1) * commonShare);
    wins += cluster.wins * weight;
    trials += cluster.trials * weight;
    seen += cluster.trials;
  }
  return { ...smoothedRate(wins, trials, prior), n: seen };
}
