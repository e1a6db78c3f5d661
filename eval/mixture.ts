import type { Ranked, Recommender } from "./recommender.ts";

/** How to mix a model with counts. */
export interface MixtureOptions {
  /** Share of the counts, 0 (model alone) to 1 (counts alone). */
  weight: number;
  /** Length of the result. */
  k: number;
}

/**
 * Interpolates a model's list with a count-based one: p = (1 - weight) * softmax of the model's log-probabilities over
 * its list + weight * counts over their sum. Candidates are those of both lists; scores of the result are p.
 * Equal p: the model's order, then that of the counts. Counts that are all 0 add nothing.
 */
export function mixRanked(model: Ranked, counts: Ranked, { weight, k }: MixtureOptions): Ranked {
  if (!(weight >= 0 && weight <= 1)) {
    throw new RangeError(`Cannot mix with weight ${weight}: expected a number from 0 to 1`);
  }
  const mixed = new Map<string, number>();
  const add = (sids: readonly string[], shares: readonly number[], factor: number) =>
    sids.forEach((sid, i) => mixed.set(sid, (mixed.get(sid) ?? 0) + factor * shares[i]));
  add(model.sids, softmax(model.scores), 1 - weight);
  const total = counts.scores.reduce((sum, score) => sum + score, 0);
  if (total > 0) add(counts.sids, counts.scores.map((score) => score / total), weight);
  const best = [...mixed].sort(([, a], [, b]) => b - a).slice(0, k);
  return { sids: best.map(([sid]) => sid), scores: best.map(([, p]) => p) };
}

/** {@link mixRanked} of two recommenders. */
export function mixedRecommender(
  model: Recommender,
  counts: Recommender,
  options: MixtureOptions,
): Recommender {
  return async (samples) => {
    const counted = await counts(samples);
    return (await model(samples)).map((ranked, i) => mixRanked(ranked, counted[i], options));
  };
}

function softmax(scores: readonly number[]): number[] {
  const top = scores.reduce((most, score) => Math.max(most, score), -Infinity);
  const powers = scores.map((score) => Math.exp(score - top));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
