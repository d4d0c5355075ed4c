import { type Prior, type SmoothedRate, smoothedRate } from "./smoothing.ts";

/** Deals that closed in the same stretch of time, and so under the same weather. */
export interface Cluster {
  wins: number;
  trials: number;
}

/**
 * How alike the deals of one cluster are, until there is history: a firm's quarters then differ by 15 points or so
 * around one half.
 */
export const COMMON_SHARE = 0.1;

/**
 * How many independent deals clusters are worth: n of one cluster count as n / (1 + (n - 1)·ρ) (the design effect of
 * Kish, Survey Sampling, 1965), at most 1/ρ. Six hundred deals of a single good month are not six hundred witnesses;
 * it takes several months to be sure.
 */
export function effectiveTrials(sizes: readonly number[], commonShare = COMMON_SHARE): number {
  return sizes.reduce((sum, n) => sum + (n === 0 ? 0 : n / (1 + (n - 1) * commonShare)), 0);
}

/** A rate from deals that closed together: each cluster has the weight that it is worth. */
export function clusteredRate(clusters: readonly Cluster[], prior: Prior, commonShare = COMMON_SHARE): SmoothedRate {
  const worth = ({ trials }: Cluster) => effectiveTrials([trials], commonShare);
  const sum = (of: (cluster: Cluster) => number) => clusters.reduce((total, cluster) => total + of(cluster), 0);
  const wins = sum((cluster) => (cluster.trials === 0 ? 0 : (cluster.wins / cluster.trials) * worth(cluster)));
  return { ...smoothedRate(wins, sum(worth), prior), n: sum(({ trials }) => trials) };
}

/**
 * How alike the deals of one cluster are, as the clusters say: the analysis-of-variance estimator of the intraclass
 * correlation for unequal sizes (Ridout, Demétrio and Firth, Biometrics 55, 1999), drawn towards the usual share as if
 * that came from one more pair of clusters.
 */
export function commonShareOf(clusters: readonly Cluster[], usual = COMMON_SHARE): number {
  const filled = clusters.filter(({ trials }) => trials > 1);
  const k = filled.length;
  if (k < 2) return usual;
  const n = filled.reduce((sum, { trials }) => sum + trials, 0);
  const wins = filled.reduce((sum, cluster) => sum + cluster.wins, 0);
  const squares = filled.reduce((sum, cluster) => sum + cluster.wins ** 2 / cluster.trials, 0);
  const between = (squares - wins ** 2 / n) / (k - 1);
  const within = (wins - squares) / (n - k);
  const size = (n - filled.reduce((sum, { trials }) => sum + trials ** 2, 0) / n) / (k - 1);
  const spread = between + (size - 1) * within;
  const seen = spread > 0 ? Math.max(0, (between - within) / spread) : 0;
  return (usual + (k - 1) * seen) / k;
}

/**
 * The same on the scale of the latent variable behind a win, for rates near one half: there P(both won) = 1/4 +
 * asin(ρ)/2π.
 */
export function latentCorrelation(commonShare: number): number {
  return Math.sin((Math.PI / 2) * commonShare);
}
