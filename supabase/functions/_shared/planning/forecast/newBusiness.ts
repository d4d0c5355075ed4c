import { streamFor } from "../random/streams.ts";
import type { RandomStream } from "../random/xoshiro128.ts";
import { nextNormal } from "../random/ziggurat.ts";
import type { Draws } from "./drawDeal.ts";
import type { NewBusiness } from "./model.ts";
import type { RevenueScratch } from "./simulateRevenue.ts";

/** Below this mean wins are counted one by one, above it their number is as good as normal. */
const COUNTED = 30;

/**
 * Adds the revenue of deals that nobody has entered yet: a compound Poisson number per period (Klugman, Panjer and
 * Willmot, Loss Models, ch. 9) whose mean swings by a common factor per run, exp(s·z - s²/2), so that its own mean
 * stays what it is. Yields after each period.
 */
export function* addNewBusiness(
  business: NewBusiness,
  periods: number,
  { runs, seed }: Draws,
  scratch: RevenueScratch,
): Generator<void, void, void> {
  const swings = streamFor(seed, "new-business", "swing");
  for (let run = 0; run < runs; run++)
    scratch.client[run] = Math.exp(business.swing * nextNormal(swings) - business.swing ** 2 / 2);
  for (let period = 0; period < periods; period++) {
    const mean = business.wins[period] ?? 0;
    if (mean <= 0) continue;
    const stream = streamFor(seed, "new-business", `${period}`);
    for (let run = 0; run < runs; run++) {
      const place = period * runs + run;
      const revenue = compound(mean * (scratch.client[run] as number), business, stream);
      scratch.byPeriod[place] = (scratch.byPeriod[place] as number) + revenue;
    }
    yield;
  }
}

/** Whole cents. */
function compound(mean: number, { meanValue, valueSpread }: NewBusiness, stream: RandomStream): number {
  const wins = poisson(mean, stream);
  if (wins === 0) return 0;
  return Math.max(0, Math.round(wins * meanValue + Math.sqrt(wins) * valueSpread * nextNormal(stream)));
}

function poisson(mean: number, stream: RandomStream): number {
  if (mean > COUNTED) return Math.max(0, Math.round(mean + Math.sqrt(mean) * nextNormal(stream)));
  // Knuth, The Art of Computer Programming, 3.4.1: uniform numbers are multiplied until they fall below e^-mean.
  const floor = Math.exp(-mean);
  let product = stream.nextUniform();
  let count = 0;
  while (product > floor) {
    product *= stream.nextUniform();
    count++;
  }
  return count;
}
