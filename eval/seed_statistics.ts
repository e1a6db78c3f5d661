import type { Interval } from "./metrics.ts";

/** One quantity over runs that differ in their seed alone. */
export interface SeedStatistics {
  /** Runs. */
  seeds: number;
  /** Mean over runs. */
  mean: number;
  /** Sample standard deviation (divided by runs - 1); null for one run. */
  deviation: number | null;
  /** 95 % t-interval of the mean; null for one run, which says nothing of others. */
  ci95: Interval | null;
}

/**
 * Mean of one value a seed with its 95 % interval, mean ± t(0.975, n - 1) · s / √n: where the mean of many more seeds
 * lies, if values are about normal. Source: Student, "The probable error of a mean", 1908.
 * Throws `RangeError` without values.
 */
export function seedStatistics(values: readonly number[]): SeedStatistics {
  const seeds = values.length;
  if (seeds === 0) throw new RangeError("Cannot average over 0 seeds: expected at least one");
  const mean = values.reduce((sum, value) => sum + value, 0) / seeds;
  if (seeds === 1) return { seeds, mean, deviation: null, ci95: null };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (seeds - 1));
  const half = studentQuantile(0.975, seeds - 1) * deviation / Math.sqrt(seeds);
  return { seeds, mean, deviation, ci95: [mean - half, mean + half] };
}

/**
 * Where Student's t with so many degrees of freedom (an integer from 1) is below with a probability from 0.5 to less
 * than 1. Source: the finite series of its distribution, Abramowitz and Stegun, 26.7.3 and 26.7.4, inverted by halving.
 */
export function studentQuantile(probability: number, degrees: number): number {
  if (!(probability >= 0.5 && probability < 1) || !Number.isInteger(degrees) || degrees < 1) {
    throw new RangeError(
      `Cannot find the quantile ${probability} of t with ${degrees} degrees of freedom: expected 0.5 to less than 1, ` +
        "and an integer of 1 or more",
    );
  }
  // As an angle, since t itself has no upper end: t = √degrees · tan(angle).
  let [low, high] = [0, Math.PI / 2];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if ((1 + withinAngle(middle, degrees)) / 2 < probability) low = middle;
    else high = middle;
  }
  return Math.sqrt(degrees) * Math.tan((low + high) / 2);
}

/** Probability that |t| is at most √degrees · tan(angle). */
function withinAngle(angle: number, degrees: number): number {
  const odd = degrees % 2;
  const cosine = Math.cos(angle);
  let term = odd ? cosine : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let power = 2 + odd; power <= degrees - 2; power += 2) {
    term *= cosine ** 2 * (power - 1) / power;
    sum += term;
  }
  const series = Math.sin(angle) * sum;
  return odd ? 2 / Math.PI * (angle + series) : series;
}
