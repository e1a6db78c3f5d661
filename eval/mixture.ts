import { transitionScorer } from "./count_scorers.ts";
import { type Evaluation, Measurement, type MeasurementOptions, type Prediction } from "./evaluate.ts";
import { rankByCounts, type Ranked, type RankSamples, type ScoreUnit } from "./recommender.ts";

/** How to mix a model with counts. */
export interface MixtureOptions {
  /** Share of the counts, 0 (model alone) to 1 (counts alone). */
  weight: number;
  /** Length of the result. */
  k: number;
  /** What the model's scores are; default `log-probability`. */
  scoreUnit?: ScoreUnit;
}

/**
 * Interpolates a model's list with a count-based one: p = (1 - weight) * softmax of the model's scores over its list +
 * weight * counts over their sum; weights of a model count as they are, over their sum. Candidates are those of both
 * lists; scores of the result are p. Equal p: the model's order, then that of the counts. Counts that are all 0 add nothing.
 * @throws {RangeError} unless the weight is from 0 to 1.
 */
export function mixRanked(model: Ranked, counts: Ranked, options: MixtureOptions): Ranked {
  const { weight, k, scoreUnit = "log-probability" } = options;
  if (!(weight >= 0 && weight <= 1)) {
    throw new RangeError(`Cannot mix with weight ${weight}: expected a number from 0 to 1`);
  }
  const mixed = new Map<string, number>();
  const add = (sids: readonly string[], shares: readonly number[], factor: number) =>
    sids.forEach((sid, i) => mixed.set(sid, (mixed.get(sid) ?? 0) + factor * shares[i]));
  add(model.sids, scoreUnit === "weight" ? shares(model.scores) : softmax(model.scores), 1 - weight);
  if (counts.scores.some((score) => score > 0)) add(counts.sids, shares(counts.scores), weight);
  const best = [...mixed].sort(([, a], [, b]) => b - a).slice(0, k);
  return { sids: best.map(([sid]) => sid), scores: best.map(([, p]) => p) };
}

/** A model's lists mixed with transition counts by name, without the items that the counts say nothing about, and measured. */
export class MixtureMeasurement {
  readonly #names: readonly string[];
  readonly #options: MixtureOptions;
  readonly #counts: RankSamples;
  readonly #measurement: Measurement;
  #milliseconds = 0;

  /** Counts the train split. Throws as {@link Measurement} does. */
  constructor(options: MeasurementOptions, { weight, scoreUnit }: Omit<MixtureOptions, "k">) {
    const { sids: names, train, items, beams } = options;
    this.#names = names;
    this.#options = { weight, scoreUnit, k: Math.min(beams, new Set(names).size) };
    this.#counts = rankByCounts(transitionScorer(train, items.length), names, items.length);
    this.#measurement = new Measurement(options);
  }

  /** Mixes a row of the model and counts it. */
  async add(prediction: Prediction): Promise<void> {
    const began = performance.now();
    const [{ sids, scores }] = await this.#counts([prediction]);
    const end = scores.indexOf(0);
    const counts = end < 0 ? { sids, scores } : { sids: sids.slice(0, end), scores: scores.slice(0, end) };
    const list = mixRanked(this.#listOf(prediction), counts, this.#options);
    this.#milliseconds += performance.now() - began;
    this.#measurement.add(this.#measurement.prediction(prediction.row, prediction, list));
  }

  /** Metrics; the model's own time is added to that of the mixing. */
  evaluation(modelSecondsPerUser: number): Evaluation {
    return this.#measurement.evaluation(
      modelSecondsPerUser + this.#milliseconds / 1000 / this.#measurement.users,
    );
  }

  // Items that share a SID stand together in a row.
  #listOf({ items, scores }: Prediction): Ranked {
    const names = items.map((item) => this.#names[item]);
    const first = names.map((name, i) => name !== names[i - 1]);
    return { sids: names.filter((_, i) => first[i]), scores: scores.filter((_, i) => first[i]) };
  }
}

/** Each over their sum; 0 where that is 0. */
function shares(scores: readonly number[]): number[] {
  const total = scores.reduce((sum, score) => sum + score, 0);
  return scores.map((score) => total > 0 ? score / total : 0);
}

function softmax(scores: readonly number[]): number[] {
  const top = scores.reduce((most, score) => Math.max(most, score), -Infinity);
  const powers = scores.map((score) => Math.exp(score - top));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
