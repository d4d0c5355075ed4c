import { streamFor } from "../random/streams.ts";
import { mix32, type RandomStream } from "../random/xoshiro128.ts";
import { normalFrom } from "../random/ziggurat.ts";
import { timingSeed } from "../timing/shifts.ts";
import type { Correlation } from "./model.ts";

export interface Draws {
  runs: number;
  seed: number;
}

/** Where deals are drawn. Made once: nothing is allocated per run. */
export interface DealScratch {
  market: Float64Array;
  client: Float64Array;
  uniform: Uint32Array;
  /**
   * The runs in which the deal at hand is won, and its place in its timing table there; as many as `drawDeal` answers.
   */
  winners: Int32Array;
  places: Int32Array;
}

export function dealScratch(runs: number): DealScratch {
  return {
    market: new Float64Array(runs),
    client: new Float64Array(runs),
    uniform: new Uint32Array(runs),
    winners: new Int32Array(runs),
    places: new Int32Array(runs),
  };
}

/** What one draw needs of a deal. */
export interface Drawable {
  id: string;
  clientId: string | null;
  rate: number;
  /** Won when the latent normal variable is below: the normal quantile of the rate. */
  threshold: number;
  /** Length of its timing table. */
  tableSize: number;
}

/**
 * Draws every deal through all runs, client by client, and hands each one over with the number of its wins. Every deal
 * has a stream of its own, so the outcome of one never depends on which others are there.
 *
 * A win is a latent normal variable below the quantile of the deal's rate: √market · M + √client · C + √rest · ε, the
 * one-factor Gaussian copula (Vasicek 1987; Li, J. Fixed Income 9(4), 2000) with the client as a second factor. Rates
 * stay exactly what they are; deals of one client are won and lost together more often.
 */
export function* drawDeals<D extends Drawable>(
  deals: readonly D[],
  { market, client }: Correlation,
  { runs, seed }: Draws,
  scratch: DealScratch,
): Generator<{ deal: D; wins: number }, void, void> {
  fillNormals(scratch, scratch.market, market > 0 ? streamFor(seed, "market", "") : null);
  for (const group of byClient(deals)) {
    const clientId = group[0]?.clientId ?? null;
    const together = clientId !== null && client > 0;
    fillNormals(scratch, scratch.client, together ? streamFor(seed, "client", clientId) : null);
    const weights = {
      market: Math.sqrt(market),
      client: together ? Math.sqrt(client) : 0,
      own: Math.sqrt(Math.max(0, 1 - market - (together ? client : 0))),
    };
    for (const deal of group) {
      const stream = streamFor(seed, "win", deal.id);
      const wins =
        market === 0 && !together
          ? winAlone(deal, runs, stream, scratch)
          : winTogether(deal, runs, weights, stream, scratch);
      placeWins(deal, wins, seed, scratch);
      yield { deal, wins };
    }
  }
}

/** Without correlation a win is a uniform number below the rate: the same law, without normal numbers. */
function winAlone({ rate }: Drawable, runs: number, stream: RandomStream, { uniform, winners }: DealScratch): number {
  const below = rate * 2 ** 32;
  stream.fill(uniform);
  let wins = 0;
  // Written always and counted when it is a win: a branch that nobody can predict costs more than a write.
  for (let run = 0; run < runs; run++) {
    winners[wins] = run;
    wins += (uniform[run] as number) < below ? 1 : 0;
  }
  return wins;
}

interface Weights {
  market: number;
  client: number;
  own: number;
}

function winTogether(
  { threshold }: Drawable,
  runs: number,
  weights: Weights,
  stream: RandomStream,
  scratch: DealScratch,
): number {
  const { market, client, uniform, winners } = scratch;
  stream.fill(uniform);
  let wins = 0;
  for (let run = 0; run < runs; run++) {
    const common = weights.market * (market[run] as number) + weights.client * (client[run] as number);
    winners[wins] = run;
    wins += common + weights.own * normalFrom(uniform[run] as number, stream) < threshold ? 1 : 0;
  }
  return wins;
}

function placeWins({ id, tableSize }: Drawable, wins: number, seed: number, { winners, places }: DealScratch): void {
  const when = timingSeed(seed, id);
  const scale = tableSize * 2 ** -32;
  for (let win = 0; win < wins; win++) places[win] = mix32(when + (winners[win] as number)) * scale;
}

function fillNormals({ uniform }: DealScratch, target: Float64Array, stream: RandomStream | null): void {
  if (stream === null) {
    target.fill(0);
    return;
  }
  stream.fill(uniform);
  for (let run = 0; run < target.length; run++) target[run] = normalFrom(uniform[run] as number, stream);
}

/** Deals of one client follow each other, so one array of client factors is enough. Deals without a client are alone. */
function byClient<D extends Drawable>(deals: readonly D[]): D[][] {
  const groups = new Map<string, D[]>();
  for (const deal of deals) {
    const key = deal.clientId === null ? `deal:${deal.id}` : `client:${deal.clientId}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [deal]);
    else group.push(deal);
  }
  return [...groups.values()];
}
