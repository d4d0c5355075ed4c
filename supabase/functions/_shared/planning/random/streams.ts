import { mix32, Xoshiro128 } from "./xoshiro128.ts";

/**
 * A stream of its own for each thing that is drawn for. A deal that is added or dropped then leaves the draws of all
 * others as they were, and two scenarios differ by their edits only, not by chance ("common random numbers").
 */
export function streamFor(seed: number, purpose: string, id: string): Xoshiro128 {
  return Xoshiro128.fromSeed(seedFor(seed, purpose, id));
}

export function seedFor(seed: number, purpose: string, id: string): number {
  return mix32(hashText(`${purpose}\u0000${id}`) ^ mix32(seed));
}

/** FNV-1a over UTF-16 units. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
