/** How a token is drawn from logits, in the terms of transformers' `generate`. */
export interface SamplingOptions {
  /** Divides the logits; 0: always the most probable token. */
  temperature: number;
  /** Draw from this many of the most probable tokens alone; 0: from all. Default 0. */
  topK?: number;
  /** Draw from the most probable tokens that together have this share; above 0. Default 1: all. */
  topP?: number;
  /** Draw from tokens alone that are at least this share of the most probable one's probability. Default 0: all. */
  minP?: number;
  /** Logits of tokens that were read or written are divided by it where positive, else multiplied. Default 1: none. */
  repetitionPenalty?: number;
}

/** Throws `RangeError` for settings out of range. */
export function checkSampling(
  { temperature, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1 }: SamplingOptions,
): void {
  const refuse = (what: string, found: number, expected: string) => {
    throw new RangeError(`Cannot write with ${what} ${found}: expected ${expected}`);
  };
  if (!(temperature >= 0 && temperature < Infinity)) {
    refuse("temperature", temperature, "0 (most probable) or more");
  }
  if (!Number.isInteger(topK) || topK < 0) refuse("top-k", topK, "an integer, 0 for all tokens");
  if (!(topP > 0 && topP <= 1)) refuse("top-p", topP, "more than 0 and at most 1");
  if (!(minP >= 0 && minP <= 1)) refuse("min-p", minP, "0 (all tokens) to 1");
  if (!(repetitionPenalty > 0 && repetitionPenalty < Infinity)) {
    refuse("repetition penalty", repetitionPenalty, "a number above 0, 1 for none");
  }
}

/**
 * Logits (V) with the penalty applied in place to each token of `seen`, once however often it is there: transformers'
 * RepetitionPenaltyLogitsProcessor.
 */
export function penaliseSeen(logits: Float32Array, seen: Iterable<number>, penalty: number): void {
  if (penalty === 1) return;
  for (const token of new Set(seen)) {
    logits[token] = logits[token] < 0 ? logits[token] * penalty : logits[token] / penalty;
  }
}

/** Tokens that may be drawn, most probable first, and their probabilities. */
export interface TokenShares {
  tokens: Uint32Array;
  /** As long as `tokens`; their sum is 1. */
  shares: Float64Array;
}

/**
 * What is drawn from logits (V): temperature, top-k, top-p, then min-p, as transformers' warpers do one after the other.
 * Tokens that tie with the last of the top-k stay; at least one token stays.
 */
export function tokenShares(
  logits: Float32Array,
  { temperature, topK = 0, topP = 1, minP = 0 }: SamplingOptions,
): TokenShares {
  let tokens = Uint32Array.from(logits.keys());
  if (topK > 0 && topK < logits.length) {
    const least = logits.toSorted()[logits.length - topK];
    tokens = tokens.filter((token) => logits[token] >= least);
  }
  tokens.sort((a, b) => logits[b] - logits[a] || a - b);
  const most = logits[tokens[0]];
  const weights = Float64Array.from(tokens, (token) => Math.exp((logits[token] - most) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  // From the least probable on: what comes before the last 1 - topP goes.
  let count = tokens.length, left = 0;
  while (count > 1 && left + weights[count - 1] / total <= 1 - topP) left += weights[--count] / total;
  // The first weight is 1: those of the others are their shares of its probability.
  while (count > 1 && weights[count - 1] < minP) count--;
  const kept = weights.subarray(0, count);
  const sum = kept.reduce((sum, weight) => sum + weight, 0);
  return { tokens: tokens.subarray(0, count), shares: kept.map((weight) => weight / sum) };
}

/** The token at `uniform` in [0, 1) of the shares laid end to end. */
export function tokenAt({ tokens, shares }: TokenShares, uniform: number): number {
  let left = uniform;
  for (const [i, share] of shares.entries()) {
    left -= share;
    if (left < 0) return tokens[i];
  }
  return tokens[0]; // rounding left a little over
}
