import { streamFor } from "../random/streams.ts";
import { mix32, type RandomStream } from "../random/xoshiro128.ts";
import { normalFrom } from "../random/ziggurat.ts";
import { timingSeed } from "../timing/shifts.ts";
import type { WinRecorder } from "./drivers.ts";
import { type CompiledDeal, compileDeals, type RevenueModel } from "./model.ts";
import { addNewBusiness } from "./newBusiness.ts";

export interface Draws {
  runs: number;
  seed: number;
}

/** Money by period and run: period p of run r stands at p × runs + r. Made once, used for every scenario. */
export interface RevenueScratch {
  runs: number;
  byPeriod: Float64Array;
  market: Float64Array;
  client: Float64Array;
  uniform: Uint32Array;
}

export function revenueScratch(runs: number, periods: number): RevenueScratch {
  return {
    runs,
    byPeriod: new Float64Array(runs * periods),
    market: new Float64Array(runs),
    client: new Float64Array(runs),
    uniform: new Uint32Array(runs),
  };
}

/** Deals drawn between two reports: a few milliseconds of work. */
const DEALS_PER_STEP = 50;

/**
 * Draws every run of the model into the scratch, deal by deal: each deal has a stream of its own and goes through all runs at once,
 * so nothing is allocated per run. A generator of how many deals
 * are done, so that whoever drives it may show progress or stop.
 *
 * A win is a latent normal variable below the quantile of the deal's rate: √market · M + √client · C + √(rest) · ε, the one-factor Gaussian
 * copula (Li, J. Fixed Income 9(4), 2000; Vasicek 1987) with the client as a second factor. Rates stay exactly what they are; deals of one
 * client are won and lost together more often.
 */
export function* drawRevenue(
  model: RevenueModel,
  { runs, seed }: Draws,
  scratch: RevenueScratch,
  recorder: WinRecorder | null = null,
): Generator<number, void, void> {
  scratch.byPeriod.fill(0);
  fillNormals(scratch, scratch.market, model.correlation.market > 0 ? streamFor(seed, "market", "") : null);
  const deals = compileDeals(model);
  const weights = weightsOf(model);
  let done = 0;
  for (const group of byClient(deals)) {
    const together = group[0]?.clientId != null && model.correlation.client > 0;
    fillNormals(scratch, scratch.client, together ? streamFor(seed, "client", group[0]?.clientId ?? "") : null);
    for (const deal of group) {
      drawDeal(
        deal,
        { runs, seed, periods: model.periods.count, weights, together },
        scratch,
        recorder?.flagsOf(deal.id) ?? null,
      );
      done++;
      if (done % DEALS_PER_STEP === 0) yield done;
    }
  }
  if (model.newBusiness !== null) addNewBusiness(model.newBusiness, model.periods.count, { runs, seed }, scratch);
  yield done;
}

interface DealDraw extends Draws {
  periods: number;
  weights: Weights;
  together: boolean;
}

interface Weights {
  market: number;
  client: number;
  ownWithClient: number;
  ownAlone: number;
}

/** A deal without a client has nobody to be drawn with: its own share takes over. */
function weightsOf({ correlation: { market, client } }: RevenueModel): Weights {
  return {
    market: Math.sqrt(market),
    client: Math.sqrt(client),
    ownWithClient: Math.sqrt(Math.max(0, 1 - market - client)),
    ownAlone: Math.sqrt(Math.max(0, 1 - market)),
  };
}

function drawDeal(deal: CompiledDeal, draw: DealDraw, scratch: RevenueScratch, wins: Uint8Array | null): void {
  const stream = streamFor(draw.seed, "win", deal.id);
  if (draw.weights.market === 0 && !draw.together) drawAlone(deal, draw, stream, scratch, wins);
  else drawTogether(deal, draw, stream, scratch, wins);
}

/** Without correlation a win is a uniform number below the rate: the same law, without normal numbers. */
function drawAlone(
  deal: CompiledDeal,
  { runs, seed, periods }: DealDraw,
  stream: RandomStream,
  { byPeriod, uniform }: RevenueScratch,
  wins: Uint8Array | null,
): void {
  const { value, periodTable, tableScale } = deal;
  const below = deal.rate * 2 ** 32;
  stream.fill(uniform);
  const when = timingSeed(seed, deal.id);
  for (let run = 0; run < runs; run++) {
    if ((uniform[run] as number) >= below) continue;
    const period = periodTable[(mix32(when + run) * tableScale) | 0] as number;
    if (period < 0 || period >= periods) continue;
    const place = period * runs + run;
    byPeriod[place] = (byPeriod[place] as number) + value;
    if (wins !== null) wins[run] = 1;
  }
}

function drawTogether(
  deal: CompiledDeal,
  draw: DealDraw,
  stream: RandomStream,
  scratch: RevenueScratch,
  wins: Uint8Array | null,
): void {
  const { runs, periods, weights, together } = draw;
  const { value, periodTable, tableScale, threshold } = deal;
  const { byPeriod, market, client, uniform } = scratch;
  const own = together ? weights.ownWithClient : weights.ownAlone;
  const withClient = together ? weights.client : 0;
  const when = timingSeed(draw.seed, deal.id);
  stream.fill(uniform);
  for (let run = 0; run < runs; run++) {
    const common = weights.market * (market[run] as number) + withClient * (client[run] as number);
    if (common + own * normalFrom(uniform[run] as number, stream) >= threshold) continue;
    const period = periodTable[(mix32(when + run) * tableScale) | 0] as number;
    if (period < 0 || period >= periods) continue;
    const place = period * runs + run;
    byPeriod[place] = (byPeriod[place] as number) + value;
    if (wins !== null) wins[run] = 1;
  }
}

function fillNormals({ uniform }: RevenueScratch, target: Float64Array, stream: RandomStream | null): void {
  if (stream === null) {
    target.fill(0);
    return;
  }
  stream.fill(uniform);
  for (let run = 0; run < target.length; run++) target[run] = normalFrom(uniform[run] as number, stream);
}

/** Deals of one client follow each other, so one array of client factors is enough. Deals without a client are alone. */
function byClient(deals: readonly CompiledDeal[]): CompiledDeal[][] {
  const groups = new Map<string, CompiledDeal[]>();
  for (const deal of deals) {
    const key = deal.clientId === null ? `deal:${deal.id}` : `client:${deal.clientId}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [deal]);
    else group.push(deal);
  }
  return [...groups.values()];
}
