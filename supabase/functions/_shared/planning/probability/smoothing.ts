import { betaQuantile } from "../stats/beta.ts";

/** What is believed before any deal was seen: a rate, and how many deals that belief weighs as much as. */
export interface Prior {
  rate: number;
  weight: number;
}

export interface SmoothedRate {
  rate: number;
  /** Deals behind it, without the prior. */
  n: number;
  low: number;
  high: number;
}

/** Ten deals outweigh the template: after five of a stage the belief still counts for two thirds. */
export const PRIOR_WEIGHT = 10;
/** The width of the interval: of ten true rates nine lie within. */
export const INTERVAL = 0.9;

/**
 * Wins of trials as a rate that does not jump with the first deal. Prior Beta(w·r, w·(1 - r)), likelihood binomial, so
 * the posterior is Beta(w·r + wins, w·(1 - r) + losses) (Gelman et al., Bayesian Data Analysis, 2.4). The rate is its
 * mean, the interval its equal-tailed one.
 */
export function smoothedRate(wins: number, trials: number, prior: Prior, interval = INTERVAL): SmoothedRate {
  // A prior of exactly 0 or 1 would never learn, and its Beta has no density.
  const believed = Math.min(0.999, Math.max(0.001, prior.rate));
  const a = prior.weight * believed + wins;
  const b = prior.weight * (1 - believed) + (trials - wins);
  const side = (1 - interval) / 2;
  return { rate: a / (a + b), n: trials, low: betaQuantile(side, a, b), high: betaQuantile(1 - side, a, b) };
}
