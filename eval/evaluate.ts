import type { Item, Sample, Split } from "../data/dataset.ts";
import { UserError } from "../base/user_error.ts";
import { popularityScorer } from "./count_scorers.ts";
import { type Exposure, ExposureCounter } from "./exposure.ts";
import {
  bootstrapIntervals,
  credited,
  DEFAULT_KS,
  hitsAtK,
  type Interval,
  mean,
  ndcgAtK,
  type Rank,
  reciprocalRanks,
} from "./metrics.ts";
import type { Ranked, RankSamples } from "./recommender.ts";
import { boughtInTrain, rowsOf, type Slicing } from "./slices.ts";

/** Every {@link Credit}. */
export const CREDITS = ["group", "string"] as const satisfies readonly Credit[];

/**
 * What a hit on a SID counts: 1 / (items that share it), the expected value of drawing one of them (`group`), or 1
 * whoever shares it (`string`, as in MiniOneRec, which counts items that no list could tell apart as found).
 */
export type Credit = "string" | "group";

/** Where lists come from, and what they are measured against. */
export interface MeasurementOptions {
  /** Its name, for the report. */
  split: Split;
  /** Samples of the train split in time order: items that share a SID are listed by how often they occur there. */
  train: readonly Sample[];
  /** The catalogue (N). */
  items: readonly Item[];
  /** What predictions are compared by (N): SIDs as joined token strings, or item numbers where items are ranked. */
  sids: readonly string[];
  /** Beams asked for; cut-offs beyond them are left out. */
  beams: number;
  /** Cut-offs; default {@link DEFAULT_KS}. */
  ks?: readonly number[];
  /** What a hit counts in `hr` and `ndcg`; default `group`. */
  credit?: Credit;
  /** Groups of users to report on their own, such as `SLICINGS`; default: none. */
  slices?: readonly Slicing[];
  /** Of the bootstrap intervals. */
  seed: number;
}

/** What to evaluate, and how. */
export interface EvaluateOptions extends MeasurementOptions {
  /** The samples of that split, or a part of them in their order. */
  samples: readonly Sample[];
  /** Row of the first sample in its split; default 0. */
  firstRow?: number;
  /** Rows of the first samples that were made before: they count, and only the samples after them are ranked. */
  made?: AsyncIterable<Prediction>;
  /** What is evaluated. */
  recommend: RankSamples;
  /** Samples a call of `recommend`. */
  batch: number;
  /** Called for each new row in order, and awaited. */
  onPrediction?: (prediction: Prediction) => void | Promise<void>;
  /** Called after each batch. */
  onProgress?: (done: number, total: number) => void;
}

/** One line of `predictions.jsonl`. */
export interface Prediction {
  /** Place in the split, from 0. */
  row: number;
  /** Name of the user. */
  user: string;
  /** Item numbers, oldest first. */
  history: number[];
  /** Item number. */
  target: number;
  /** Place of the target's SID among the predicted SIDs, from 0; null where it is missing. */
  rank: Rank;
  /** Items that share the target's SID, itself among them; absent for 1. */
  sharing?: number;
  /** Predicted SIDs that are none of the catalogue; absent for 0. */
  invalid?: number;
  /** Predicted SIDs that stood earlier in the list; absent for 0. */
  duplicates?: number;
  /** Predicted item numbers, best first; items that share a SID stand together, most popular first. */
  items: number[];
  /** Their titles. */
  titles: string[];
  /** Scores of their SIDs, descending. */
  scores: number[];
  /** What the model wrote before the SIDs; absent where it writes no reasons. */
  reasoning?: string;
}

/** Means over users with their 95 % bootstrap intervals, keyed by cut-off. */
export interface Summary {
  /** Users averaged over. */
  users: number;
  /** Hit rate on SIDs: what a hit counts where items share a SID is a matter of {@link Credit}. */
  hr: Record<string, number>;
  /** NDCG on SIDs, 1 / log2(rank + 2) for a hit. */
  ndcg: Record<string, number>;
  /** Intervals of `hr` and `ndcg`. */
  ci95: { hr: Record<string, Interval>; ndcg: Record<string, Interval> };
}

/** Contents of `metrics.json`. Numbers keyed by cut-off are means over users. */
export interface Evaluation extends Summary, Exposure {
  /** Split that was evaluated. */
  split: Split;
  /** Beams asked for. */
  beams: number;
  /** What a hit counts in `hr` and `ndcg`. */
  credit: Credit;
  /** Hit rate on items: a hit counts 1 / (items that share the SID), whatever `credit` says. */
  hrItem: Record<string, number>;
  /** NDCG on items, shared in the same way. */
  ndcgItem: Record<string, number>;
  /** Mean reciprocal rank of the whole lists, with the credit of `hr`. */
  mrr: number;
  /** Predictions that are no SID of the catalogue; they keep their place. */
  invalid: number;
  /** Predictions that stood earlier in the same list; they keep their place. */
  duplicates: number;
  /** By name of the slicing and bucket, at cut-off 10 or, with fewer beams, as many. Empty buckets are left out. */
  slices: Record<string, Record<string, Summary>>;
  /** Wall time of `recommend`, over the users ranked by this process. */
  secondsPerUser: number;
}

/** The cut-off of slices: one figure a group is enough to compare them. */
export const SLICE_K = 10;

/**
 * Adds up rows of predictions to an {@link Evaluation}. What it keeps of a user is numbers: the rank, the items that
 * share the target's SID, and a bucket a slicing.
 */
export class Measurement {
  #options: MeasurementOptions;
  #members: Map<string, number[]>;
  #ks: number[];
  #exposure: ExposureCounter;
  #bought: Float64Array;
  #ranks: Rank[] = [];
  #sharing: number[] = [];
  #buckets: string[][];
  #invalid = 0;
  #duplicates = 0;

  /**
   * Starts with no row.
   * @throws {UserError} if items and SIDs differ in number, or no cut-off is within the beams.
   */
  constructor(options: MeasurementOptions) {
    const { items, sids, beams, train, slices = [] } = options;
    if (items.length !== sids.length) {
      throw new UserError(
        `Cannot evaluate: ${sids.length} SIDs for ${items.length} items, expected one an item. Use the index of this ` +
          "dataset",
      );
    }
    const ks = options.ks ?? DEFAULT_KS;
    this.#ks = ks.filter((k) => k <= beams);
    if (this.#ks.length === 0) {
      throw new UserError(
        `Cannot cut lists of ${beams} beams at ${
          ks.join(", ")
        }: expected one of them to be ${beams} or less. ` +
          "Raise --beams, or lower --ks",
      );
    }
    this.#options = options;
    this.#members = itemsBySid(options);
    this.#exposure = new ExposureCounter(items.length, this.#ks);
    this.#bought = boughtInTrain(train, items.length);
    this.#buckets = slices.map(() => []);
  }

  /** The row of a sample and what was recommended for it. */
  prediction(row: number, { user, history, target }: Sample, list: Ranked): Prediction {
    const { items: catalogue, sids } = this.#options;
    const items: number[] = [];
    const scores: number[] = [];
    const listed = new Set<string>();
    let invalid = 0;
    list.sids.forEach((sid, i) => {
      const members = this.#members.get(sid);
      if (members === undefined) invalid++;
      if (listed.has(sid)) return;
      listed.add(sid);
      for (const item of members ?? []) {
        items.push(item);
        scores.push(list.scores[i]);
      }
    });
    const rank = list.sids.indexOf(sids[target]);
    const sharing = this.#members.get(sids[target])!.length;
    const duplicates = list.sids.length - listed.size;
    return {
      row,
      user,
      history,
      target,
      rank: rank < 0 ? null : rank,
      ...sharing > 1 && { sharing },
      ...invalid > 0 && { invalid },
      ...duplicates > 0 && { duplicates },
      items,
      titles: items.map((item) => catalogue[item].title),
      scores,
      ...list.reasoning !== undefined && { reasoning: list.reasoning },
    };
  }

  /** Counts a row. */
  add({ rank, sharing = 1, invalid = 0, duplicates = 0, items, ...sample }: Prediction): void {
    this.#ranks.push(rank);
    this.#sharing.push(sharing);
    this.#invalid += invalid;
    this.#duplicates += duplicates;
    this.#exposure.add(items);
    this.#options.slices?.forEach((slicing, i) =>
      this.#buckets[i].push(slicing.bucketOf(sample, this.#bought))
    );
  }

  /** Rows counted. */
  get users(): number {
    return this.#ranks.length;
  }

  /** Metrics of the rows so far, of which there is one at least. */
  evaluation(secondsPerUser: number): Evaluation {
    const { split, beams, credit = "group", slices = [], seed } = this.#options;
    const ks = this.#ks;
    const sharing = Float64Array.from(this.#sharing);
    const counted = credit === "group" ? sharing : new Float64Array(sharing.length).fill(1);
    const { users, hr, ndcg, ci95 } = summary(this.#ranks, counted, ks, seed);
    const items = (values: Float64Array) => mean(credited(values, sharing));
    const at = (metric: typeof hitsAtK) =>
      Object.fromEntries(ks.map((k) => [k, items(metric(this.#ranks, k))]));
    return {
      split,
      users,
      beams,
      credit,
      hr,
      ndcg,
      hrItem: at(hitsAtK),
      ndcgItem: at(ndcgAtK),
      mrr: mean(credited(reciprocalRanks(this.#ranks), counted)),
      ...this.#exposure.exposure(),
      invalid: this.#invalid,
      duplicates: this.#duplicates,
      ci95,
      slices: Object.fromEntries(slices.map(({ name, buckets }, i) => {
        const found = buckets.flatMap((bucket) => {
          const rows = rowsOf(this.#buckets[i], bucket);
          if (rows.length === 0) return [];
          const ranks = rows.map((row) => this.#ranks[row]);
          const k = Math.min(SLICE_K, beams);
          return [[bucket, summary(ranks, Float64Array.from(rows, (row) => counted[row]), [k], seed)]];
        });
        return [name, Object.fromEntries(found)];
      })),
      secondsPerUser,
    };
  }
}

/**
 * Ranks every sample of a split and scores the lists. Memory does not grow with the lists, which are handed on one by
 * one.
 * @throws {UserError} if the split is empty, items and SIDs differ in number, or rows made before are of other samples.
 */
export async function evaluateSplit(options: EvaluateOptions): Promise<Evaluation> {
  const { split, samples, recommend, batch, firstRow = 0, made, onPrediction, onProgress } = options;
  if (samples.length === 0) {
    throw new UserError(`Cannot evaluate: split ${split} has no samples. Choose another split`);
  }
  const measurement = new Measurement(options);
  for await (const prediction of made ?? []) {
    checkMade(prediction, firstRow + measurement.users, samples[measurement.users], split);
    checkRanks(prediction, options);
    measurement.add(prediction);
  }
  const before = measurement.users;
  let milliseconds = 0;
  for (let start = before; start < samples.length; start += batch) {
    const users = samples.slice(start, start + batch);
    const began = performance.now();
    const lists = await recommend(users);
    milliseconds += performance.now() - began;
    if (lists.length !== users.length) {
      throw new Error(
        `recommend() returned ${lists.length} lists for ${users.length} samples: expected one each`,
      );
    }
    for (const [i, list] of lists.entries()) {
      const prediction = measurement.prediction(firstRow + start + i, users[i], list);
      measurement.add(prediction);
      await onPrediction?.(prediction);
    }
    onProgress?.(measurement.users, samples.length);
  }
  return measurement.evaluation(milliseconds / 1000 / Math.max(1, samples.length - before));
}

function checkMade(found: Prediction, row: number, expected: Sample | undefined, split: Split): void {
  if (
    expected !== undefined && found.row === row && found.user === expected.user &&
    found.target === expected.target && found.history.join() === expected.history.join()
  ) return;
  throw new UserError(
    `Cannot use a prediction of row ${found.row}, user ${found.user}, target ${found.target}: expected ` +
      (expected === undefined
        ? `no more than ${row} rows`
        : `row ${row} of split ${split}, user ${expected.user}, target ${expected.target}, with the same history`) +
      ". It was made with other data: evaluate again",
  );
}

/** Throws {@link UserError} for a rank or an item that no list of this evaluation can hold. */
function checkRanks({ row, rank, items }: Prediction, { sids, beams }: EvaluateOptions): void {
  const fail = (what: string, expected: string) => {
    throw new UserError(
      `Cannot use a prediction of row ${row}: it has ${what}, expected ${expected}. Its file is damaged: evaluate again`,
    );
  };
  if (rank !== null && (rank < 0 || rank >= beams)) {
    fail(`rank ${rank}`, `one from 0 to ${beams - 1}, or null`);
  }
  const item = items.find((item) => item < 0 || item >= sids.length);
  if (item !== undefined) fail(`item ${item}`, `item numbers from 0 to ${sids.length - 1}`);
}

/** Means and intervals of ranks (users), where a hit counts 1 / sharing (users). */
export function summary(
  ranks: readonly Rank[],
  sharing: Float64Array,
  ks: readonly number[],
  seed: number,
): Summary {
  const hits = ks.map((k) => credited(hitsAtK(ranks, k), sharing));
  const gains = ks.map((k) => credited(ndcgAtK(ranks, k), sharing));
  const intervals = bootstrapIntervals([...hits, ...gains], { seed });
  const keyed = <T>(values: readonly T[]) => Object.fromEntries(ks.map((k, i) => [k, values[i]]));
  return {
    users: ranks.length,
    hr: keyed(hits.map(mean)),
    ndcg: keyed(gains.map(mean)),
    ci95: { hr: keyed(intervals), ndcg: keyed(intervals.slice(ks.length)) },
  };
}

/** Item numbers of each SID, most popular in `train` first, then by number. */
function itemsBySid({ train, items, sids }: MeasurementOptions): Map<string, number[]> {
  const byPopularity = popularityScorer(train, items.length).rank([], items.length).items;
  return Map.groupBy(byPopularity, (item) => sids[item]);
}
