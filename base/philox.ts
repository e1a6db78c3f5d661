const ROUNDS = 10;

function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff, aHigh = a >>> 16;
  const bLow = b & 0xffff, bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) >>> 0;
}

/**
 * Philox4x32-10: 128 bits of counter and 64 bits of key to 128 random bits, as four u32.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(0xD2511F53, c0), low0 = Math.imul(0xD2511F53, c0);
    const high1 = multiplyHigh(0xCD9E8D57, c2), low1 = Math.imul(0xCD9E8D57, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + 0x9E3779B9) >>> 0;
    k1 = (k1 + 0xBB67AE85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** 32-bit FNV-1a of a text's UTF-16 code units. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Random numbers named by (seed, purpose, index): the same name gives the same numbers everywhere. */
export class PhiloxStream {
  #key: [number, number];
  #purpose: number;
  #index: number;
  #block = 0;
  #words: number[] = [];

  /** `seed` and `index` are non-negative safe integers, `index` below 2^32; else throws `RangeError`. */
  constructor(seed: number, purpose: string, index = 0) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(`Cannot seed random numbers with ${seed}: expected an integer of 0 or more`);
    }
    if (index !== index >>> 0) {
      throw new RangeError(`Cannot open random stream ${index}: expected an integer from 0 to 2^32 - 1`);
    }
    this.#key = [seed >>> 0, Math.floor(seed / 2 ** 32)];
    this.#purpose = hashText(purpose);
    this.#index = index;
  }

  /** An integer in [0, 2^32). */
  uint32(): number {
    if (this.#words.length === 0) {
      const counter = [this.#block++, this.#index, this.#purpose, 0] as const;
      this.#words = philox4x32(counter, this.#key).reverse();
    }
    return this.#words.pop()!;
  }

  /** In [0, 1), a multiple of 2^-32. */
  uniform(): number {
    return this.uint32() / 2 ** 32;
  }

  /** An integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** About normal, mean 0 and variance 1: twelve uniforms summed, so no library function can differ in bits. */
  normal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.uniform();
    return sum;
  }
}
