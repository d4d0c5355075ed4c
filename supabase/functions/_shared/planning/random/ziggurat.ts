import type { RandomStream } from "./xoshiro128.ts";

/**
 * Standard normal numbers by the ziggurat of Marsaglia and Tsang (J. Stat. Software 5(8), 2000) in the form of Doornik
 * ("An improved ziggurat method", 2005): the layer and the place in it come from different bits, which the first form
 * confused. 98 of 100 numbers cost one draw and one comparison.
 */
const LAYERS = 128;
const TAIL = 3.442619855899;
const AREA = 9.91256303526217e-3;

const edge = new Float64Array(LAYERS + 1);
const ratio = new Float64Array(LAYERS);
fillLayers();

function fillLayers(): void {
  let density = Math.exp(-0.5 * TAIL * TAIL);
  edge[0] = AREA / density;
  edge[1] = TAIL;
  for (let layer = 2; layer < LAYERS; layer++) {
    const outer = edge[layer - 1] as number;
    edge[layer] = Math.sqrt(-2 * Math.log(AREA / outer + density));
    density = Math.exp(-0.5 * (edge[layer] as number) ** 2);
  }
  edge[LAYERS] = 0;
  for (let layer = 0; layer < LAYERS; layer++) ratio[layer] = (edge[layer + 1] as number) / (edge[layer] as number);
}

export function nextNormal(stream: RandomStream): number {
  return normalFrom(stream.nextUint32(), stream);
}

/** A normal number from 32 bits that were drawn already; only the two of a hundred that need more ask the stream. */
export function normalFrom(bits: number, stream: RandomStream): number {
  const layer = bits & (LAYERS - 1);
  // The other 25 bits, from -1 to 1.
  const u = (bits >>> 7) * 2 ** -24 - 1;
  if (Math.abs(u) < (ratio[layer] as number)) return u * (edge[layer] as number);
  return edgeOfLayer(layer, u, stream);
}

function edgeOfLayer(layer: number, u: number, stream: RandomStream): number {
  if (layer === 0) return tail(stream, u < 0);
  const outer = edge[layer] as number;
  const inner = edge[layer + 1] as number;
  const x = u * outer;
  const low = Math.exp(-0.5 * (outer * outer - x * x));
  const high = Math.exp(-0.5 * (inner * inner - x * x));
  return high + stream.nextUniform() * (low - high) < 1 ? x : nextNormal(stream);
}

/** Beyond the base layer (Marsaglia 1964). */
function tail(stream: RandomStream, negative: boolean): number {
  for (;;) {
    // 1 - u is never 0, so neither logarithm is infinite.
    const x = Math.log(1 - stream.nextUniform()) / TAIL;
    const y = Math.log(1 - stream.nextUniform());
    if (-2 * y >= x * x) return negative ? x - TAIL : TAIL - x;
  }
}
